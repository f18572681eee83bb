//===- Tensor.h - arrays in memory ----------------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A strided array with shared ownership of its memory (allocated, or a mapped file), element types by DLPack's
// description, and the conversions between them.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_TENSOR_H
#define BOCHNER_TOOLS_RUN_TENSOR_H

#include "bochner/dlpack.h"

#include <memory>
#include <string>
#include <vector>

namespace bochner::run {

constexpr DLDataType kF64{kDLFloat, 64, 1}, kF32{kDLFloat, 32, 1}, kF16{kDLFloat, 16, 1}, kBF16{kDLBfloat, 16, 1};
constexpr DLDataType kI64{kDLInt, 64, 1}, kI32{kDLInt, 32, 1}, kI16{kDLInt, 16, 1}, kI8{kDLInt, 8, 1};
constexpr DLDataType kU64{kDLUInt, 64, 1}, kU32{kDLUInt, 32, 1}, kU16{kDLUInt, 16, 1}, kU8{kDLUInt, 8, 1};
constexpr DLDataType kBool{kDLBool, 8, 1};

inline bool operator==(DLDataType a, DLDataType b) {
  return a.code == b.code && a.bits == b.bits && a.lanes == b.lanes;
}
inline bool operator!=(DLDataType a, DLDataType b) { return !(a == b); }

inline bool isFloat(DLDataType type) { return type.code == kDLFloat || type.code == kDLBfloat; }
inline size_t elementSize(DLDataType type) { return (type.bits + 7) / 8; }

/// "f32", "bf16", "i64", "bool".
std::string typeName(DLDataType type);

/// "2x8x1024x64"; "scalar" for rank 0; "?" for sizes below 0.
std::string shapeText(const std::vector<int64_t> &shape);

/// The product of the sizes. Throws Failure if it does not fit.
int64_t elementCount(const std::vector<int64_t> &shape);

/// 64-byte aligned, uninitialized. Throws std::bad_alloc.
std::shared_ptr<void> allocate(size_t bytes);

struct Tensor {
  DLDataType type = kF32;
  std::vector<int64_t> shape, strides; ///< strides in elements
  void *data = nullptr;                ///< of the first element; possibly misaligned, possibly read-only
  std::shared_ptr<const void> memory;

  /// Compact, uninitialized.
  static Tensor create(DLDataType type, std::vector<int64_t> shape);

  int rank() const { return static_cast<int>(shape.size()); }
  int64_t elements() const { return elementCount(shape); }
  bool isCompact() const;
  /// What kernels ask for: neighbors along the last axis are neighbors in memory.
  bool hasContiguousRows() const;
  /// Axis i of the result is axis axes[i] of this one; the same memory.
  Tensor permuted(const std::vector<int> &axes) const;
  /// This one if it is compact, else a compact copy.
  Tensor compact() const;
  /// A compact copy.
  Tensor copy() const;
  /// Compact, of another type; this one if the type is the same. Float types convert with rounding to nearest even,
  /// integer types if every value fits. Throws Failure otherwise; `what` names the array in the message.
  Tensor converted(DLDataType to, const std::string &what) const;
  /// Borrows shape and strides: this tensor must outlive the result and keep its place.
  DLTensor view() const;
};

/// Calls fn(address of the first element) for each row along the last axis, in order.
template <typename Fn> void forEachRow(const Tensor &tensor, Fn fn) {
  if (tensor.elements() == 0)
    return;
  size_t outer = tensor.shape.empty() ? 0 : tensor.shape.size() - 1;
  std::vector<int64_t> index(outer);
  while (true) {
    const char *row = static_cast<const char *>(tensor.data);
    for (size_t i = 0; i < outer; ++i)
      row += index[i] * tensor.strides[i] * int64_t(elementSize(tensor.type));
    fn(row);
    size_t axis = outer;
    while (axis > 0 && ++index[axis - 1] == tensor.shape[axis - 1])
      index[--axis] = 0;
    if (axis == 0)
      return;
  }
}

/// The values of `count` neighboring floats of any type.
void readFloats(DLDataType type, const char *from, int64_t count, double *to);

/// Compact strides.
std::vector<int64_t> compactStrides(const std::vector<int64_t> &shape);

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_TENSOR_H
