//===- Extension.cpp - the module bochner._core ---------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thin layer over bochner.h, in its terms; what is Python's own way of saying things stands in the package.
//
//===----------------------------------------------------------------------===//
#include "Arrays.h"
#include "Objects.h"

NB_MODULE(_core, module) {
  module.doc() = "The C API of Bochner as Python objects; use the package `bochner`.";
  // The default context and what is compiled in it live as long as the process.
  nanobind::set_leak_warnings(false);
  bochner::python::bindTensor(module);
  bochner::python::bindFunction(module);
  bochner::python::bindModule(module);
  bochner::python::bindContext(module);
#ifdef BOCHNER_HAVE_XLA_FFI
  bochner::python::bindXla(module);
#endif
}
