# SPDX-License-Identifier: MIT
# The program that the kernel runs for the policy `kernel`: compiled by clang whatever compiles the rest, and held in the library.
# Sets kernel_sources. Where something is missing the library is built without, and says at run time what was.
option(MUSTER_BPF "Build the policy `kernel`, where clang and libbpf are found" ON)

file(GLOB kernel_sources CONFIGURE_DEPENDS src/kernel/*.cpp)
set(without "")
if(MUSTER_BPF)
  pkg_check_modules(bpf IMPORTED_TARGET libbpf>=1.0)
  find_program(MUSTER_BPF_CLANG NAMES clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14)
  # Debian keeps <asm/types.h> where only a compiler for this machine looks.
  set(bpf_compile ${MUSTER_BPF_CLANG} --target=bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror
                  -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE} -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=
                  -fdebug-compilation-dir=.)
  if(NOT bpf_FOUND)
    set(without "libbpf")
  elseif(NOT MUSTER_BPF_CLANG)
    set(without "clang")
  else()
    set(bpf_includes ${bpf_INCLUDE_DIRS})
    list(TRANSFORM bpf_includes PREPEND -I)
    list(APPEND bpf_compile ${bpf_includes})
    set(probe ${CMAKE_CURRENT_BINARY_DIR}/bpf_probe.c)
    file(WRITE ${probe} "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\nint probe(void) { return BPF_FUNC_loop; }\n")
    execute_process(COMMAND ${bpf_compile} -c ${probe} -o ${probe}.o RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
    if(failed)
      set(without "a clang for bpf and the headers of Linux 5.17")
    endif()
  endif()
else()
  set(without "MUSTER_BPF")
endif()

if(without)
  message(STATUS "The policy `kernel` is left out: built without ${without}")
  list(REMOVE_ITEM kernel_sources ${PROJECT_SOURCE_DIR}/src/kernel/dispatch_group.cpp
       ${PROJECT_SOURCE_DIR}/src/kernel/libbpf.cpp)
  set_source_files_properties(src/kernel/no_dispatch_group.cpp PROPERTIES COMPILE_DEFINITIONS "MUSTER_BUILT_WITHOUT=\"${without}\"")
else()
  list(REMOVE_ITEM kernel_sources ${PROJECT_SOURCE_DIR}/src/kernel/no_dispatch_group.cpp)
  set(program ${CMAKE_CURRENT_BINARY_DIR}/dispatch_program)
  add_custom_command(OUTPUT ${program}.cpp
    COMMAND ${bpf_compile} -c ${PROJECT_SOURCE_DIR}/src/kernel/dispatch.bpf.c -o ${program}.o
    COMMAND ${CMAKE_COMMAND} -D INPUT=${program}.o -D OUTPUT=${program}.cpp -D HEADER=kernel/dispatch_program.h
            -D NAMESPACE=muster::kernel -D NAME=dispatch_program -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS src/kernel/dispatch.bpf.c src/kernel/member_counts.h cmake/embed.cmake
    COMMENT "Compiling dispatch.bpf.c for the kernel"
    VERBATIM)
  list(APPEND kernel_sources ${program}.cpp)
endif()
