//===- Call.cpp - the operands of one call --------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every message says what was expected and what came, in the names of the signature.
//
//===----------------------------------------------------------------------===//
#include "Call.h"

#include <algorithm>

using namespace bochner;
using format::DimRef;

static size_t countWords(const format::FunctionInfo &info) {
  size_t count = 0;
  for (const auto *tensors : {&info.arguments, &info.results})
    for (const format::TensorInfo &tensor : *tensors)
      count += 3 + 2 * tensor.shape.size();
  return count;
}

Call::Call(const Function &function, bool onDevice)
    : info(*function.info), workspace(function.workspace), onDevice(onDevice), words(countWords(info)),
      operands(info.arguments.size() + info.results.size()), pointers(info.arguments.size() + info.results.size()) {
  int64_t *next = words.data();
  for (size_t i = 0; i < info.arguments.size() + info.results.size(); ++i) {
    Operand &operand = operands[i];
    const format::TensorInfo &tensor = tensorInfo(i);
    size_t rank = tensor.shape.size();
    operand.descriptor = next;
    operand.view.rank = int32_t(rank);
    operand.view.elementSize = byteSize(tensor.type);
    operand.view.sizes = next + 3;
    operand.view.strides = next + 3 + rank;
    pointers[i] = next;
    next += 3 + 2 * rank;
  }
}

std::string Call::nameOf(size_t index) const {
  return concat(isResult(index) ? "result '" : "'", tensorInfo(index).name, "'");
}

int64_t Call::dimension(const DimRef &ref) const {
  return ref.argument == DimRef::kConstant ? ref.dim : operands[ref.argument].view.sizes[ref.dim];
}

std::string Call::describe(const DimRef &ref) const {
  if (ref.argument == DimRef::kConstant)
    return concat("be ", ref.dim);
  return concat("equal dimension ", ref.dim, " of ", nameOf(ref.argument), " (", dimension(ref), ")");
}

//===----------------------------------------------------------------------===//
// One tensor
//===----------------------------------------------------------------------===//

Status Call::checkCount(const char *what, const std::vector<format::TensorInfo> &expected, size_t count) const {
  if (count == expected.size())
    return {};
  std::string names;
  for (const format::TensorInfo &tensor : expected)
    names += concat(names.empty() ? " ('" : ", '", tensor.name, "'");
  return invalidArgument("expected ", expected.size(), ' ', what, expected.size() == 1 ? "" : "s", names,
                         names.empty() ? "" : ")", ", but got ", count);
}

/// Everything but the memory.
Status Call::checkShape(size_t index, const DLTensor &tensor) const {
  const format::TensorInfo &expected = tensorInfo(index);
  DLDataType type = toDLPack(expected.type);
  if (tensor.dtype.code != type.code || tensor.dtype.bits != type.bits || tensor.dtype.lanes != type.lanes)
    return invalidArgument("expected ", nameOf(index), " to have element type ", toString(type), ", but got ",
                           toString(tensor.dtype));
  if (tensor.ndim != int32_t(expected.shape.size()))
    return invalidArgument("expected ", nameOf(index), " to have rank ", expected.shape.size(), ", but got ",
                           tensor.ndim);
  if (tensor.ndim && !tensor.shape)
    return invalidArgument("expected the shape of ", nameOf(index), ", but got NULL");
  for (int32_t dim = 0; dim < tensor.ndim; ++dim) {
    if (tensor.shape[dim] < 0)
      return invalidArgument("expected dimension ", dim, " of ", nameOf(index), " to be at least 0, but got ",
                             tensor.shape[dim]);
    int64_t size = isResult(index) ? dimension(expected.dims[size_t(dim)]) : expected.shape[size_t(dim)];
    if (size != format::kDynamic && size != tensor.shape[dim])
      return invalidArgument("expected dimension ", dim, " of ", nameOf(index), " to be ", size, ", but got ",
                             tensor.shape[dim]);
  }
  return {};
}

/// Expects the sizes in the descriptor; writes the strides there.
Status Call::bindStrides(size_t index, const DLTensor &tensor) {
  TensorView &view = operands[index].view;
  int64_t *strides = operands[index].descriptor + 3 + view.rank;
  if (tensor.strides && view.elements)
    std::copy_n(tensor.strides, view.rank, strides);
  else
    compactStrides(view.sizes, view.rank, strides);
  for (int32_t dim = 0; dim < view.rank; ++dim) {
    bool last = dim == view.rank - 1;
    if (view.sizes[dim] <= 1)
      strides[dim] = last;
    else if (last && strides[dim] != 1 && view.elements)
      return invalidArgument("expected the last dimension of ", nameOf(index), " to be contiguous (stride 1), but got ",
                             "stride ", strides[dim], "; copy the tensor to a compact one first");
  }
  if (!computeExtent(view))
    return invalidArgument("expected the strides of ", nameOf(index), " to stay within 63 bits");
  return {};
}

static bool isHostMemory(DLDeviceType device) {
  return device == kDLCPU || device == kDLCUDAHost || device == kDLROCMHost;
}

Status Call::checkDevice(size_t index, const DLTensor &tensor) {
  DLDeviceType type = tensor.device.device_type;
  if (!onDevice) {
    if (!isHostMemory(type))
      return invalidArgument("expected ", nameOf(index),
                             " to be on the CPU (DLPack device type 1), but got device type ", int(type));
    return {};
  }
  if (type != kDLCUDA && type != kDLCUDAManaged)
    return invalidArgument("expected ", nameOf(index),
                           " to be in the memory of a CUDA device (DLPack device type 2), but got device type ",
                           int(type), "; copy it there first, for example by bochnerCopyTensor()");
  if (deviceId >= 0 && deviceId != tensor.device.device_id)
    return invalidArgument("expected ", nameOf(index), " to be on CUDA device ", deviceId,
                           " as the tensors before it, but got device ", tensor.device.device_id);
  deviceId = tensor.device.device_id;
  return {};
}

Status Call::bind(size_t index, const DLTensor *tensor, bool data) {
  Operand &operand = operands[index];
  TensorView &view = operand.view;
  if (!tensor)
    return invalidArgument("expected a tensor for ", nameOf(index), ", but got NULL");
  if (Status status = checkShape(index, *tensor))
    return status;
  std::copy_n(tensor->shape, view.rank, operand.descriptor + 3);
  if (!countElements(view.sizes, view.rank, view.elementSize, view.elements))
    return invalidArgument("expected the size of ", nameOf(index), " to stay within 63 bits");
  if (!data) {
    compactStrides(view.sizes, view.rank, operand.descriptor + 3 + view.rank);
    return {};
  }
  if (Status status = checkDevice(index, *tensor))
    return status;
  if (!tensor->data && view.elements)
    return invalidArgument("expected data for ", nameOf(index), " with ", view.elements, " elements, but got NULL");
  if (Status status = bindStrides(index, *tensor))
    return status;
  view.data = tensor->data ? static_cast<char *>(tensor->data) + tensor->byte_offset : nullptr;
  memcpy(operand.descriptor, &view.data, sizeof view.data);
  memcpy(operand.descriptor + 1, &view.data, sizeof view.data);
  return {};
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

Status Call::bindArguments(const DLTensor *const *arguments, size_t count, bool data) {
  if (Status status = checkCount("argument", info.arguments, count))
    return status;
  if (count && !arguments)
    return invalidArgument("expected ", count, " arguments, but got NULL");
  for (size_t i = 0; i < count; ++i)
    if (Status status = bind(i, arguments[i], data))
      return status;
  if (Status status = checkEqualDims())
    return status;
  if (!data || onDevice) // values in device memory are the caller's to check
    return {};
  if (Status status = checkRanges())
    return status;
  return checkOffsets();
}

Status Call::checkEqualDims() const {
  for (const format::EqualDims &pair : info.equalDims) {
    if (dimension(pair.left) == dimension(pair.right))
      continue;
    // The later one is to follow the earlier one; kConstant is the largest number of all.
    bool leftIsWrong = pair.right.argument == DimRef::kConstant ||
                       (pair.left.argument != DimRef::kConstant && pair.left.argument > pair.right.argument);
    const DimRef &wrong = leftIsWrong ? pair.left : pair.right, &reference = leftIsWrong ? pair.right : pair.left;
    if (wrong.argument == DimRef::kConstant)
      return Status(BOCHNER_STATUS_INTERNAL_ERROR, concat("the description of '", info.name, "' equates constants"));
    return invalidArgument("expected dimension ", wrong.dim, " of ", nameOf(wrong.argument), " to ",
                           describe(reference), ", but got ", dimension(wrong));
  }
  return {};
}

/// "3" or "[1, 3]".
static std::string describeIndex(const TensorView &view, uint64_t index) {
  std::string out;
  for (int32_t i = view.rank; i-- > 0;) {
    out = concat(index % uint64_t(view.sizes[i]), out.empty() ? "" : ", ", out);
    index /= uint64_t(view.sizes[i]);
  }
  return view.rank > 1 ? concat('[', out, ']') : out;
}

Status Call::checkRanges() const {
  for (const format::ValueRange &range : info.ranges) {
    const TensorView &view = operands[range.argument].view;
    int64_t low = dimension(range.low), high = dimension(range.high);
    for (uint64_t i = 0; i < view.elements; ++i) {
      int64_t value = readInteger(view, info.arguments[range.argument].type, i);
      if (value < low || value > high)
        return invalidArgument("expected ", view.rank ? concat("element ", describeIndex(view, i), " of ") : "",
                               nameOf(range.argument), " to lie in [", low, ", ", high, "], but got ", value);
    }
  }
  return {};
}

Status Call::checkOffsets() const {
  for (const format::SequenceOffsets &offsets : info.offsets) {
    const TensorView &view = operands[offsets.argument].view;
    std::string name = nameOf(offsets.argument);
    if (!view.elements)
      return invalidArgument("expected ", name, " to have at least one element, the offset 0, but got none");
    int64_t last = 0;
    for (uint64_t i = 0; i < view.elements; ++i) {
      int64_t value = readInteger(view, info.arguments[offsets.argument].type, i);
      if (!i && value)
        return invalidArgument("expected element 0 of ", name, ", where the first sequence begins, to be 0, but got ",
                               value);
      if (value < last)
        return invalidArgument("expected element ", i, " of ", name, " to be at least element ", i - 1, " (", last,
                               "), but got ", value);
      last = value;
    }
    if (last != dimension(offsets.rows))
      return invalidArgument("expected element ", view.elements - 1, " of ", name,
                             ", where the last sequence ends, to ", describe(offsets.rows), ", but got ", last);
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

Status Call::bindResults(DLTensor *const *results, size_t count) {
  if (Status status = checkCount("result", info.results, count))
    return status;
  if (count && !results)
    return invalidArgument("expected ", count, " results, but got NULL");
  for (size_t i = 0; i < count; ++i)
    if (Status status = bind(info.arguments.size() + i, results[i], true))
      return status;
  return checkOverlap();
}

/// Both by their places among the operands.
const format::Update *Call::findUpdate(size_t argument, size_t result) const {
  for (const format::Update &update : info.updates)
    if (update.argument == argument && update.result + info.arguments.size() == result)
      return &update;
  return nullptr;
}

Status Call::checkOverlap() {
  for (size_t i = info.arguments.size(); i < info.arguments.size() + info.results.size(); ++i) {
    if (mayOverlapItself(operands[i].view))
      return invalidArgument("expected the elements of ", nameOf(i),
                             " to have memory of their own, but its strides let some share it");
    for (size_t j = 0; j < i; ++j) {
      if (!mayOverlap(operands[i].view, operands[j].view))
        continue;
      const format::Update *update = findUpdate(j, i);
      if (!update)
        return invalidArgument("expected ", nameOf(i), " to have memory of its own, but it overlaps with ", nameOf(j));
      if (!isSameMemory(operands[i].view, operands[j].view))
        return invalidArgument("expected ", nameOf(i), " to have exactly the memory of ", nameOf(j),
                               ", which it updates, or memory of its own, but the two overlap in part");
      operands[j].overwritten = !update->inPlace;
    }
  }
  return {};
}

Status Call::resolveShape(size_t result, int64_t *shape) const {
  const format::TensorInfo &tensor = info.results[result];
  for (size_t dim = 0; dim < tensor.dims.size(); ++dim)
    shape[dim] = dimension(tensor.dims[dim]);
  uint64_t elements;
  if (!countElements(shape, int32_t(tensor.dims.size()), byteSize(tensor.type), elements))
    return invalidArgument("expected the size of ", nameOf(info.arguments.size() + result), " to stay within 63 bits");
  return {};
}

Status Call::bindResultShapes() {
  for (size_t i = 0; i < info.results.size(); ++i) {
    Operand &operand = operands[info.arguments.size() + i];
    if (Status status = resolveShape(i, operand.descriptor + 3))
      return status;
    compactStrides(operand.view.sizes, operand.view.rank, operand.descriptor + 3 + operand.view.rank);
  }
  return {};
}

double Call::evaluate(const std::vector<format::CostTerm> &terms) const {
  double sum = 0;
  for (const format::CostTerm &term : terms) {
    double product = term.coefficient;
    for (const DimRef &ref : term.dims)
      product *= double(dimension(ref));
    sum += product;
  }
  return sum;
}

Status Call::workspaceBytes(uint64_t &bytes) {
  int64_t size = workspace ? workspace(descriptors()) : 0;
  if (size < 0)
    return Status(BOCHNER_STATUS_OUT_OF_MEMORY,
                  concat("expected a workspace below 2^63 bytes for '", info.name, "'; use smaller tensors"));
  bytes = uint64_t(size);
  return {};
}

//===----------------------------------------------------------------------===//
// Copies of operands
//===----------------------------------------------------------------------===//

Status Call::alignOperands(Allocator &allocator) {
  for (size_t i = 0; i < info.arguments.size() + info.results.size(); ++i) {
    Operand &operand = operands[i];
    TensorView &view = operand.view;
    if (!view.elements || (view.isAligned() && !operand.overwritten))
      continue;
    operand.aligned = std::make_unique<AlignedCopy>(allocator);
    if (!operand.aligned->block.allocate(view.bytes()))
      return Status(BOCHNER_STATUS_OUT_OF_MEMORY,
                    concat("expected ", view.bytes(), " bytes for a copy of ", nameOf(i), ", but there is no memory"));
    char *data = operand.aligned->block.data();
    if (!isResult(i))
      copyToCompact(view, data);
    // From here on the descriptor is about the copy and the view about the caller's memory.
    operand.aligned->callerStrides.assign(view.strides, view.strides + view.rank);
    view.strides = operand.aligned->callerStrides.data();
    compactStrides(view.sizes, view.rank, operand.descriptor + 3 + view.rank);
    memcpy(operand.descriptor, &data, sizeof data);
    memcpy(operand.descriptor + 1, &data, sizeof data);
  }
  return {};
}

Status Call::checkAlignment() const {
  for (size_t i = 0; i < operandCount(); ++i) {
    const Operand &operand = operands[i];
    if (operand.view.elements && !operand.view.isAligned())
      return invalidArgument("expected ", nameOf(i), " to be aligned to its element size of ", operand.view.elementSize,
                             " bytes in device memory; copy it to aligned memory first");
    if (operand.view.elements && operand.overwritten)
      return invalidArgument("expected ", nameOf(i),
                             " to have memory of its own, but the result that updates it has the same, and this "
                             "function was not compiled for that");
  }
  return {};
}

Call::Memory Call::memory(size_t index) const {
  const Operand &operand = operands[index];
  const char *name = tensorInfo(index).name.c_str();
  format::ScalarType type = tensorInfo(index).type;
  if (operand.aligned)
    return {name, type, operand.aligned->block.data(), operand.view.bytes(), isResult(index)};
  return {name, type, operand.view.data + operand.view.begin, uint64_t(operand.view.end - operand.view.begin),
          isResult(index)};
}

void Call::storeResults() {
  for (size_t i = info.arguments.size(); i < info.arguments.size() + info.results.size(); ++i)
    if (operands[i].aligned)
      copyFromCompact(operands[i].aligned->block.data(), operands[i].view);
}
