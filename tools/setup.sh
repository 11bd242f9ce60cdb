#!/bin/sh
# setup.sh: installs what building and testing tfopt needs on Debian 12 and is missing. Sourced or run; needs root only when something is missing.
set -e
packages="gcc libc6-dev cmake ninja-build ccache pkg-config clang-22 lld-22 llvm-22-dev libmlir-22-dev libprotobuf-c-dev
protobuf-c-compiler libsnappy-dev libopenblas-dev liblapacke-dev libjansson-dev libzip-dev libjpeg-dev libpng-dev libcmocka-dev
clang-format clang-tidy qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross python3 python3-numpy"
missing=
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
echo "== installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/tmp/tfopt-setup.log 2>&1 || { tail -20 /tmp/tfopt-setup.log; exit 1; }
