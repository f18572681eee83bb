//===- Fill.h - arrays that nobody gave -----------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Makes arrays from initializers such as normal(0.5), by bochnerFillTensor() where that knows how, in any element type.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_FILL_H
#define BOCHNER_TOOLS_RUN_FILL_H

#include "Tensor.h"

#include <optional>
#include <string_view>

namespace bochner::run {

/// A compact array. Integer types take all but normal, uniform and chi. Throws Failure for an initializer that is not
/// one; `name` is that of the array.
Tensor fill(const std::string &initializer, DLDataType type, const std::vector<int64_t> &shape, uint64_t seed,
            const std::string &name);

/// The dimension whose rows offsets or offsets(dim) divide; nothing for other initializers.
std::optional<std::string> offsetsDimension(std::string_view initializer);

/// Boundaries of an even split of `rows`.
Tensor fillOffsets(DLDataType type, const std::vector<int64_t> &shape, const std::string &name, int64_t rows);

/// --in NAME=random:SHAPE:SEED: standard normal, a mask if the array holds truth values, or what the initializer `init`
/// says if that is below(n).
Tensor fillRandom(DLDataType type, const std::vector<int64_t> &shape, uint64_t seed, const std::string &name,
                  const std::string &init = "");

/// Divides by the Euclidean norm of `divisor`: makes chi_D / |G| of FastFood's scaling.
void divideByNorm(Tensor &tensor, const Tensor &divisor);

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_FILL_H
