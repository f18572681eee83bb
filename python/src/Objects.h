//===- Objects.h - contexts, modules and functions --------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_PYTHON_OBJECTS_H
#define BOCHNER_PYTHON_OBJECTS_H

#include "bochner/bochner.h"
#include <memory>
#include <nanobind/nanobind.h>

namespace bochner::python {

/// What happened to be logged goes to a Python function, which lives as long as the process: threads may log late.
struct Context {
  std::shared_ptr<bochner_context_t> handle;
};

struct Module {
  std::shared_ptr<bochner_module_t> handle;
};

struct Function {
  std::shared_ptr<bochner_module_t> module;
  const bochner_function_t *handle;
};

void bindContext(nanobind::module_ &module);
void bindModule(nanobind::module_ &module);
void bindFunction(nanobind::module_ &module);
/// What XLA calls; only if the headers of its foreign function interface were there at build time.
void bindXla(nanobind::module_ &module);

} // namespace bochner::python

#endif // BOCHNER_PYTHON_OBJECTS_H
