//===- Call.h - the operands of one call -------------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Checks tensors of the caller against the signature of a function and builds the descriptors that compiled code
// reads. Makes no allocation for signatures of usual size.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_CALL_H
#define BOCHNER_RUNTIME_CALL_H

#include "Context.h"
#include "TensorView.h"

namespace bochner {

/// An array of a size known at run time; on the stack up to N elements. Zero at first.
template <typename T, size_t N> class InlineArray {
public:
  explicit InlineArray(size_t size) : heap(size > N ? new T[size]() : nullptr), first(heap ? heap.get() : local) {}
  InlineArray(const InlineArray &) = delete;
  InlineArray &operator=(const InlineArray &) = delete;
  T &operator[](size_t index) { return first[index]; }
  const T &operator[](size_t index) const { return first[index]; }
  T *data() { return first; }

private:
  T local[N] = {};
  std::unique_ptr<T[]> heap;
  T *first;
};

class Call {
public:
  /// With `onDevice`, tensors are in the memory of a CUDA device, which nothing here reads.
  explicit Call(const Function &function, bool onDevice = false);

  /// Counts, types, ranks, sizes and agreement of dimensions. With `data`, also strides, memory and values.
  Status bindArguments(const DLTensor *const *arguments, size_t count, bool data);
  /// The caller's tensors for the results. Expects bound arguments.
  Status bindResults(DLTensor *const *results, size_t count);
  /// Results without memory, for the functions that look at shapes only. Expects bound arguments.
  Status bindResultShapes();

  /// The shape of a result. Expects bound arguments.
  Status resolveShape(size_t result, int64_t *shape) const;
  double evaluate(const std::vector<format::CostTerm> &terms) const;
  /// Expects bound results; asks the compiled code.
  Status workspaceBytes(uint64_t &bytes);

  /// Copies misaligned arguments to aligned memory, and those whose memory a result takes before the code can do with
  /// that; provides aligned memory for misaligned results.
  Status alignOperands(Allocator &allocator);
  /// Copies results to where the caller wants them.
  void storeResults();

  /// Instead, for tensors on a device: refuses what only a copy would help.
  Status checkAlignment() const;
  /// That all tensors are on, 0 if there is none.
  int32_t device() const { return deviceId < 0 ? 0 : deviceId; }

  void *const *descriptors() { return pointers.data(); }

  size_t operandCount() const { return info.arguments.size() + info.results.size(); }
  /// The memory that compiled code sees of an operand. Expects aligned operands.
  struct Memory {
    const char *name;
    format::ScalarType type;
    char *address;
    uint64_t bytes;
    bool isResult;
  };
  Memory memory(size_t index) const;

private:
  struct AlignedCopy {
    explicit AlignedCopy(Allocator &allocator) : block(allocator) {}
    ScopedBlock block;
    std::vector<int64_t> callerStrides;
  };
  struct Operand {
    TensorView view;
    int64_t *descriptor = nullptr; // allocated, aligned, offset, sizes, strides
    std::unique_ptr<AlignedCopy> aligned;
    bool overwritten = false; // by a result while it is still read
  };

  Status bind(size_t index, const DLTensor *tensor, bool data);
  Status checkDevice(size_t index, const DLTensor &tensor);
  Status checkShape(size_t index, const DLTensor &tensor) const;
  Status bindStrides(size_t index, const DLTensor &tensor);
  Status checkCount(const char *what, const std::vector<format::TensorInfo> &expected, size_t count) const;
  Status checkEqualDims() const;
  Status checkRanges() const;
  Status checkOffsets() const;
  Status checkOverlap();
  const format::Update *findUpdate(size_t argument, size_t result) const;

  bool isResult(size_t index) const { return index >= info.arguments.size(); }
  const format::TensorInfo &tensorInfo(size_t index) const {
    return isResult(index) ? info.results[index - info.arguments.size()] : info.arguments[index];
  }
  /// "'q'" or "result 'out'".
  std::string nameOf(size_t index) const;
  int64_t dimension(const format::DimRef &ref) const;
  /// "equal dimension 1 of 'q' (5)" or "be 4".
  std::string describe(const format::DimRef &ref) const;

  const format::FunctionInfo &info;
  const format::WorkspaceFn workspace;
  const bool onDevice;
  int32_t deviceId = -1;
  InlineArray<int64_t, 192> words; // of all descriptors
  InlineArray<Operand, 12> operands;
  InlineArray<void *, 12> pointers;
};

} // namespace bochner

#endif // BOCHNER_RUNTIME_CALL_H
