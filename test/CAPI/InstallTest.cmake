# Installs the runtime to a temporary prefix and builds the example against it, outside of the tree: with
# find_package(Bochner), with pkg-config, and after the prefix was moved.
# Arguments: BUILD_DIR, SOURCE_DIR, WORK_DIR, LIB_DIR (of CMake's GNUInstallDirs), C_COMPILER, CXX_COMPILER, C_FLAGS,
#            GENERATOR, MODULE_WRITER, PKG_CONFIG
cmake_minimum_required(VERSION 3.25)

function(run expected)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output
                  WORKING_DIRECTORY ${WORK_DIR})
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "expected ${ARGN} to succeed, but it ended with ${code}:\n${output}")
  endif()
  if(NOT output MATCHES "${expected}")
    message(FATAL_ERROR "expected the output of ${ARGN} to match '${expected}', but got:\n${output}")
  endif()
endfunction()

function(expect_file path)
  if(NOT EXISTS ${path})
    message(FATAL_ERROR "expected the installation to have ${path}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK_DIR})
file(MAKE_DIRECTORY ${WORK_DIR})
set(ENV{BOCHNER_CACHE_DIR} "")
run("" ${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${WORK_DIR}/first --component runtime)
# What is installed must not know where it was installed.
file(RENAME ${WORK_DIR}/first ${WORK_DIR}/prefix)
foreach(file include/bochner/bochner.h include/bochner/status.h include/bochner/dlpack.h ${LIB_DIR}/libbochner.so.0
             ${LIB_DIR}/libbochner.so)
  expect_file(${WORK_DIR}/prefix/${file})
endforeach()
run("" ${MODULE_WRITER} ${WORK_DIR}/module)

run("" ${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE_DIR}/examples/c-embedding -B ${WORK_DIR}/example
    -DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix -DCMAKE_C_COMPILER=${C_COMPILER} "-DCMAKE_C_FLAGS=${C_FLAGS}")
run("" ${CMAKE_COMMAND} --build ${WORK_DIR}/example)
set(expected "function add.*out \\[2, 256, 4\\] checksum -?[0-9]")
run("${expected}" ${WORK_DIR}/example/attention ${WORK_DIR}/module ${WORK_DIR}/saved)
file(SHA256 ${WORK_DIR}/module original)
file(SHA256 ${WORK_DIR}/saved saved)
if(NOT original STREQUAL saved)
  message(FATAL_ERROR "expected the saved module to equal the one that was loaded")
endif()

# The program of examples/listops is C++; without optimization, because here it only has to be made.
run("" ${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE_DIR}/examples/listops -B ${WORK_DIR}/listops
    -DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix -DCMAKE_CXX_COMPILER=${CXX_COMPILER} "-DCMAKE_CXX_FLAGS=${C_FLAGS}"
    -DCMAKE_BUILD_TYPE=Debug)
run("" ${CMAKE_COMMAND} --build ${WORK_DIR}/listops)
run("^[0-9].\\[M" ${WORK_DIR}/listops/listops --print-data 1 --seed 2)

if(PKG_CONFIG)
  set(ENV{PKG_CONFIG_PATH} ${WORK_DIR}/prefix/${LIB_DIR}/pkgconfig)
  execute_process(COMMAND ${PKG_CONFIG} --cflags --libs bochner OUTPUT_VARIABLE flags RESULT_VARIABLE code
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "expected pkg-config to find bochner")
  endif()
  separate_arguments(flags UNIX_COMMAND "${flags} ${C_FLAGS}")
  run("" ${C_COMPILER} -std=c99 -pedantic -Wall -Wextra -Werror ${SOURCE_DIR}/examples/c-embedding/attention.c ${flags}
      -Wl,-rpath,${WORK_DIR}/prefix/${LIB_DIR} -o ${WORK_DIR}/attention)
  run("${expected}" ${WORK_DIR}/attention ${WORK_DIR}/module)
endif()
file(REMOVE_RECURSE ${WORK_DIR})
