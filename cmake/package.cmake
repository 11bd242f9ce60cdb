# What an installation has, and find_package(tfopt) for it and for the build tree (-Dtfopt_DIR=<build>).
include(CMakePackageConfigHelpers)
set(TFOPT_CONFIG_PATHS "set(_tfopt_library \"${CMAKE_BINARY_DIR}/runtime/libtfopt.a\")
set(_tfopt_include \"${CMAKE_SOURCE_DIR}/runtime/include\")
set(_tfopt_compiler \"${CMAKE_BINARY_DIR}/tfoptc\")
set(_tfopt_functions \"${CMAKE_SOURCE_DIR}/cmake/tfoptModel.cmake\")")
configure_file(${CMAKE_SOURCE_DIR}/cmake/tfoptConfig.cmake.in ${CMAKE_BINARY_DIR}/tfoptConfig.cmake @ONLY)
set(TFOPT_CONFIG_PATHS "get_filename_component(_tfopt_prefix \"\${CMAKE_CURRENT_LIST_DIR}/../../..\" ABSOLUTE)
set(_tfopt_library \"\${_tfopt_prefix}/lib/libtfopt.a\")
if(CMAKE_CROSSCOMPILING) # installed into the same prefix from a build with that tool chain
  set(_tfopt_library \"\${_tfopt_prefix}/lib/\${CMAKE_SYSTEM_PROCESSOR}/libtfopt.a\")
endif()
set(_tfopt_include \"\${_tfopt_prefix}/include\")
set(_tfopt_compiler \"\${_tfopt_prefix}/bin/tfoptc\")
set(_tfopt_functions \"\${CMAKE_CURRENT_LIST_DIR}/tfoptModel.cmake\")")
configure_file(${CMAKE_SOURCE_DIR}/cmake/tfoptConfig.cmake.in ${CMAKE_BINARY_DIR}/install/tfoptConfig.cmake @ONLY)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/tfoptConfigVersion.cmake COMPATIBILITY SameMinorVersion)
configure_file(${CMAKE_SOURCE_DIR}/cmake/tfopt.pc.in ${CMAKE_BINARY_DIR}/tfopt.pc @ONLY)

if(CMAKE_CROSSCOMPILING)
  return() # the package comes from the build for this machine; only the archives are added to it
endif()
install(FILES ${CMAKE_BINARY_DIR}/install/tfoptConfig.cmake ${CMAKE_BINARY_DIR}/tfoptConfigVersion.cmake ${CMAKE_SOURCE_DIR}/cmake/tfoptModel.cmake
  DESTINATION lib/cmake/tfopt)
install(FILES ${CMAKE_BINARY_DIR}/tfopt.pc DESTINATION lib/pkgconfig)
if(TARGET tfoptc)
  install(TARGETS tfoptc RUNTIME DESTINATION bin)
  # The man page and the shell completion are printed by the program itself, from its option table.
  add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/tfoptc.1 ${CMAKE_BINARY_DIR}/tfoptc.bash
    COMMAND tfoptc --man > ${CMAKE_BINARY_DIR}/tfoptc.1
    COMMAND tfoptc --completion > ${CMAKE_BINARY_DIR}/tfoptc.bash DEPENDS tfoptc)
  add_custom_target(tfoptc_pages ALL DEPENDS ${CMAKE_BINARY_DIR}/tfoptc.1)
  install(FILES ${CMAKE_BINARY_DIR}/tfoptc.1 DESTINATION share/man/man1)
  install(FILES ${CMAKE_BINARY_DIR}/tfoptc.bash DESTINATION share/bash-completion/completions RENAME tfoptc)
  set_target_properties(tfoptc PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
endif()
if(TARGET tfopt-runner)
  install(TARGETS tfopt-runner RUNTIME DESTINATION libexec/tfopt)
endif()
