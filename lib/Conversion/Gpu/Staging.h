//===- Staging.h - rows from global to shared memory ------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_GPU_STAGING_H
#define BOCHNER_LIB_CONVERSION_GPU_STAGING_H

#include "lib/Conversion/Gpu/DeviceKernel.h"
#include "lib/Conversion/Gpu/Fragments.h"

namespace bochner::simt {

/// Copies rows [first, first + rows) to a matrix of operands of `precision`, by all threads. Rows for which `exists`
/// is false are not read and become zero. Copies may be under way until waitForCopies(0) and a barrier.
void stageRows(DeviceKernel &kernel, const GlobalRows &from, Value first, int64_t rows, const SharedMatrix &to,
               Precision precision, function_ref<Value(Value row)> exists);
/// Copies `rows` x `width` operands that lie 16-byte aligned, `rowBytes` apart, in whole blocks. The same holds.
void stageBlock(DeviceKernel &kernel, Value from, int64_t rowBytes, int64_t rows, int64_t width, const SharedMatrix &to,
                Precision precision);
/// Zeroes columns [width, toBlocks(width)) of a matrix, which staging leaves alone.
void clearPadding(DeviceKernel &kernel, const SharedMatrix &matrix, int64_t rows, int64_t width, Precision precision);

} // namespace bochner::simt

#endif // BOCHNER_LIB_CONVERSION_GPU_STAGING_H
