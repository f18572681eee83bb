//===- Bind.h - arrays for the arguments of a function --------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds an array for each argument: from --in, from --npz, or filled from its initializer, in the shape that the others
// imply.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_BIND_H
#define BOCHNER_TOOLS_RUN_BIND_H

#include "Options.h"
#include "Signature.h"

namespace bochner::run {

/// One tensor for each argument, of its type, in the axes of the graph. Throws Failure for arrays that do not fit, for
/// --in of a name that the function does not have, and for required arrays that are not there.
std::vector<Tensor> bindArguments(const Signature &signature, const Options &options);

/// The arrays of a call for a function that takes the same arguments in other types.
std::vector<Tensor> convertArguments(const Signature &from, const std::vector<Tensor> &arguments, const Signature &to);

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_BIND_H
