add_library(tfopt_warnings INTERFACE)
target_compile_options(tfopt_warnings INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
  -ffp-contract=off)
target_compile_definitions(tfopt_warnings INTERFACE _GNU_SOURCE)
