# Finds Debian's LLVM and MLIR 22 and prepares for linking against their shared libraries only. A static archive of
# MLIR beside libMLIR.so would put two copies of every TypeID into one process.

set(MLIR_LINK_MLIR_DYLIB ON CACHE BOOL "Link libMLIR.so, never its archives" FORCE)
find_package(MLIR 22.1 CONFIG HINTS $ENV{LLVM_DIR} $ENV{LLVM_DIR}/lib/cmake/mlir
             /usr/lib/llvm-22/lib/cmake/mlir)
if(NOT MLIR_FOUND)
  set(seen "")
  foreach(version IN LISTS MLIR_CONSIDERED_VERSIONS)
    string(APPEND seen " ${version}")
  endforeach()
  if(NOT seen)
    set(seen " none")
  endif()
  message(FATAL_ERROR
    "Bochner requires MLIR 22.1, but found:${seen}.\n"
    "On Debian 12: apt-get install libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools clang-22 lld-22\n"
    "Elsewhere: set LLVM_DIR to the prefix of an LLVM 22.1 built with MLIR_LINK_MLIR_DYLIB.")
endif()
set(MLIR_BINARY_DIR ${PROJECT_BINARY_DIR}) # add_mlir_doc writes to ${MLIR_BINARY_DIR}/docs
list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
include(TableGen)
include(AddLLVM)
include(AddMLIR)

separate_arguments(BOCHNER_LLVM_DEFINITIONS NATIVE_COMMAND ${LLVM_DEFINITIONS})
add_definitions(${BOCHNER_LLVM_DEFINITIONS})
include_directories(SYSTEM ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
set(LLVM_RUNTIME_OUTPUT_INTDIR ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
set(LLVM_LIBRARY_OUTPUT_INTDIR ${CMAKE_LIBRARY_OUTPUT_DIRECTORY})

# Compile options of everything that includes LLVM headers.
set(BOCHNER_LLVM_CXX_FLAGS -fno-rtti -fno-exceptions -fvisibility-inlines-hidden)

# One precompiled header for the compiler: its front end dominates the time of a pass file.
function(bochner_use_pch target)
  if(NOT BOCHNER_ENABLE_PCH)
    return()
  endif()
  if(NOT TARGET bochner-pch)
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/pch.cpp CONTENT "" @ONLY)
    add_library(bochner-pch OBJECT ${PROJECT_BINARY_DIR}/pch.cpp)
    target_compile_options(bochner-pch PRIVATE ${BOCHNER_LLVM_CXX_FLAGS})
    if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
      # Without a time stamp in it, ccache can reuse the header.
      target_compile_options(bochner-pch PUBLIC "SHELL:-Xclang -fno-pch-timestamp")
    endif()
    target_precompile_headers(bochner-pch PRIVATE ${PROJECT_SOURCE_DIR}/cmake/pch.h)
  endif()
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
  get_target_property(type ${target} TYPE)
  if(type STREQUAL EXECUTABLE)
    # The header is made for libraries (-fPIC); Clang refuses it in a file that is compiled for a program (-fPIE).
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
  endif()
  set_target_properties(${target} PROPERTIES DEFINE_SYMBOL "")
  target_precompile_headers(${target} REUSE_FROM bochner-pch)
endfunction()

# Installs libraries of the compiler beside libbochner.so, which looks for them there, and tools.
function(bochner_install_llvm_target target)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL EXECUTABLE)
    set(here "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  else()
    set(here "$ORIGIN")
  endif()
  set_target_properties(${target} PROPERTIES INSTALL_RPATH "${here};${LLVM_LIBRARY_DIR}")
  install(TARGETS ${target} COMPONENT compiler
          LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()
