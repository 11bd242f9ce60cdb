add_library(tfopt_warnings INTERFACE)
target_compile_options(tfopt_warnings INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
  -ffp-contract=off)
target_compile_definitions(tfopt_warnings INTERFACE _GNU_SOURCE TFOPT_VERSION="${PROJECT_VERSION}")

set(TFOPT_SANITIZE "" CACHE STRING "sanitizers of all our own code, as in -fsanitize=")
if(TFOPT_SANITIZE)
  add_compile_options(-fsanitize=${TFOPT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g)
  add_link_options(-fsanitize=${TFOPT_SANITIZE})
endif()
option(TFOPT_FUZZ "Build libFuzzer targets (clang)" OFF)
if(TFOPT_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
