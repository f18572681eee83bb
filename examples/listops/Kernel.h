//===- Kernel.h - what the kernels have become ----------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LISTOPS_KERNEL_H
#define LISTOPS_KERNEL_H

#include "Model.h"
#include "Plot.h"

namespace listops {

/// The kernel of one head along lines through the origin: k(x, -x) / sqrt(k(x, x) k(-x, -x)) at distance 2|x|, its mean
/// and standard deviation over directions, and the mean's cosine transform. Dot products of features, so that one
/// program serves every map; a stationary kernel is k(x - y), whose transform is the density of its frequencies.
struct KernelCurve {
  std::vector<double> distance, mean, deviation, frequency, density;
};

/// For each layer and head. None for softmax, whose kernel is not learned.
std::vector<std::vector<KernelCurve>> measureKernels(Model &model, const Options &options);

/// Rows of panels: kernels of a layer, then the densities.
std::string drawKernels(const Options &options, const std::vector<std::vector<KernelCurve>> &before,
                        const std::vector<std::vector<KernelCurve>> &after, int64_t steps);

std::string drawCurves(const Options &options, const std::vector<Record> &history);

} // namespace listops

#endif // LISTOPS_KERNEL_H
