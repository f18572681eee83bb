//===- InvokeErrorsTest.cpp - calls that are refused ----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One test for each message, and the promise that a refused call writes nothing.
//
//===----------------------------------------------------------------------===//
#include "InvokeFixture.h"

using namespace bochner;
using namespace bochner::test;

namespace {
class InvokeErrors : public InvokeFixture {
protected:
  void expectRefusal(const std::string &message, const bochner_invoke_options_t *options = nullptr) {
    StatusOwner status(invoke(options));
    ASSERT_NE(status, nullptr) << message;
    EXPECT_EQ(bochnerGetStatusMessage(status.get()), message);
    EXPECT_EQ(bochnerGetStatusCode(status.get()), BOCHNER_STATUS_INVALID_ARGUMENT);
    EXPECT_EQ(bochnerIsUserError(bochnerGetStatusCode(status.get())), 1);
    EXPECT_EQ(out.elements, std::vector<float>(60, -1.0f)) << "something was written";
    EXPECT_EQ(usedBytes(), 0u);
  }
};
} // namespace

TEST_F(InvokeErrors, Counts) {
  const DLTensor *arguments[] = {&query.view, &key.view, &lengths.view};
  DLTensor *results[] = {&out.view};
  EXPECT_FAILURE(bochnerInvoke(function, arguments, 2, results, 1, nullptr),
                 "invalid argument: expected 3 arguments ('q', 'k', 'lengths'), but got 2");
  EXPECT_FAILURE(bochnerInvoke(function, nullptr, 3, results, 1, nullptr),
                 "invalid argument: expected 3 arguments, but got NULL");
  EXPECT_FAILURE(bochnerInvoke(function, arguments, 3, results, 0, nullptr),
                 "invalid argument: expected 1 result ('out'), but got 0");
  EXPECT_FAILURE(bochnerInvoke(function, arguments, 3, nullptr, 1, nullptr),
                 "invalid argument: expected 1 results, but got NULL");
  EXPECT_FAILURE(bochnerInvoke(nullptr, arguments, 3, results, 1, nullptr),
                 "invalid argument: expected a function, but got NULL");
  DLManagedTensorVersioned *allocated[2] = {nullptr, nullptr};
  EXPECT_FAILURE(bochnerInvokeAllocating(function, arguments, 3, allocated, 2, nullptr),
                 "invalid argument: expected 1 result ('out'), but got 2");
  EXPECT_FAILURE(bochnerInvokeAllocating(function, arguments, 3, nullptr, 1, nullptr),
                 "invalid argument: expected 1 results, but got NULL");
  EXPECT_EQ(allocated[0], nullptr);
  EXPECT_EQ(usedBytes(), 0u);
}

TEST_F(InvokeErrors, MissingTensor) {
  const DLTensor *arguments[] = {&query.view, nullptr, &lengths.view};
  DLTensor *results[] = {&out.view};
  EXPECT_FAILURE(bochnerInvoke(function, arguments, 3, results, 1, nullptr),
                 "invalid argument: expected a tensor for 'k', but got NULL");
}

TEST_F(InvokeErrors, ElementTypes) {
  query.view.dtype = {kDLFloat, 64, 1};
  expectRefusal("expected 'q' to have element type f32, but got f64");
  query.view.dtype = {kDLFloat, 32, 4};
  expectRefusal("expected 'q' to have element type f32, but got float32x4");
  query.view.dtype = {kDLComplex, 64, 1};
  expectRefusal("expected 'q' to have element type f32, but got complex64");
  query.view.dtype = {200, 8, 1};
  expectRefusal("expected 'q' to have element type f32, but got type code 200, 8");
  query.view.dtype = {kDLFloat, 32, 1};
  lengths.view.dtype = {kDLInt, 32, 1};
  expectRefusal("expected 'lengths' to have element type i64, but got i32");
  lengths.view.dtype = {kDLInt, 64, 1};
  out.view.dtype = {kDLBfloat, 16, 1};
  expectRefusal("expected result 'out' to have element type f32, but got bf16");
}

TEST_F(InvokeErrors, Ranks) {
  query.view.ndim = 2;
  expectRefusal("expected 'q' to have rank 3, but got 2");
  query.view.ndim = -1;
  expectRefusal("expected 'q' to have rank 3, but got -1");
  query.view.ndim = 3;
  query.view.shape = nullptr;
  expectRefusal("expected the shape of 'q', but got NULL");
}

TEST_F(InvokeErrors, Dimensions) {
  query.shape = {3, 5, 5};
  expectRefusal("expected dimension 2 of 'q' to be 4, but got 5");
  query.shape = {3, -5, 4};
  expectRefusal("expected dimension 1 of 'q' to be at least 0, but got -5");
  query.shape = {3, 5, 4};
  key.shape = {3, 4, 4};
  expectRefusal("expected dimension 1 of 'k' to equal dimension 1 of 'q' (5), but got 4");
  key.shape = {3, 5, 4};
  lengths.shape = {2};
  expectRefusal("expected dimension 0 of 'lengths' to equal dimension 0 of 'q' (3), but got 2");
  lengths.shape = {3};
  out.shape = {3, 6, 4};
  expectRefusal("expected dimension 1 of result 'out' to be 5, but got 6");
}

TEST_F(InvokeErrors, DimensionsThatMustEqualAConstant) {
  FakeModule fake;
  format::DimRef constant;
  constant.dim = 7;
  fake.info.functions[0].equalDims[1].left = constant;
  load(fake);
  expectRefusal("expected dimension 1 of 'k' to be 7, but got 5");
  std::swap(fake.info.functions[0].equalDims[1].left, fake.info.functions[0].equalDims[1].right);
  load(fake);
  expectRefusal("expected dimension 1 of 'k' to be 7, but got 5");
}

TEST_F(InvokeErrors, SizesThatOverflow) {
  query.shape = key.shape = {INT64_MAX / 8, 8, 4};
  expectRefusal("expected the size of 'q' to stay within 63 bits");
  query.shape = key.shape = {INT64_MAX / 4, 5, 4};
  expectRefusal("expected the size of 'q' to stay within 63 bits");
}

TEST_F(InvokeErrors, Ranges) {
  lengths.elements = {5, 6, 0};
  expectRefusal("expected element 1 of 'lengths' to lie in [0, 5], but got 6");
  lengths.elements = {5, 5, -1};
  expectRefusal("expected element 2 of 'lengths' to lie in [0, 5], but got -1");
}

TEST_F(InvokeErrors, RangesOfSeveralDimensions) {
  FakeModule fake;
  format::FunctionInfo &info = fake.info.functions[0];
  info.arguments[2].shape = {-1, 2};
  load(fake);
  Tensor<int64_t> matrix({3, 2}, 1);
  matrix.elements[5] = 100;
  const DLTensor *arguments[] = {&query.view, &key.view, &matrix.view};
  DLTensor *results[] = {&out.view};
  EXPECT_FAILURE(bochnerInvoke(function, arguments, 3, results, 1, nullptr),
                 "invalid argument: expected element [2, 1] of 'lengths' to lie in [0, 5], but got 100");
}

/// The function "add" with offsets of three sequences in its five rows instead of lengths.
static FakeModule makeModuleWithOffsets(format::DimRef rows = {0, 1}) {
  FakeModule fake;
  format::FunctionInfo &info = fake.info.functions[0];
  info.arguments[2].name = "sequences";
  info.equalDims.pop_back();
  info.ranges.clear();
  info.offsets = {{2, rows}};
  return fake;
}

TEST_F(InvokeErrors, Offsets) {
  load(makeModuleWithOffsets());
  lengths.elements = {1, 3, 5};
  expectRefusal("expected element 0 of 'sequences', where the first sequence begins, to be 0, but got 1");
  lengths.elements = {-1, 3, 5};
  expectRefusal("expected element 0 of 'sequences', where the first sequence begins, to be 0, but got -1");
  lengths.elements = {0, 3, 2};
  expectRefusal("expected element 2 of 'sequences' to be at least element 1 (3), but got 2");
  lengths.elements = {0, INT64_MAX, INT64_MIN};
  expectRefusal("expected element 2 of 'sequences' to be at least element 1 (9223372036854775807), but got "
                "-9223372036854775808");
  for (int64_t end : {4, 6}) {
    lengths.elements = {0, 3, end};
    expectRefusal("expected element 2 of 'sequences', where the last sequence ends, to equal dimension 1 of 'q' (5), "
                  "but got " +
                  std::to_string(end));
  }
  lengths.shape = {1}; // no sequence at all, but five rows
  lengths.elements = {0};
  expectRefusal("expected element 0 of 'sequences', where the last sequence ends, to equal dimension 1 of 'q' (5), but "
                "got 0");
  lengths.shape = {0};
  expectRefusal("expected 'sequences' to have at least one element, the offset 0, but got none");
}

TEST_F(InvokeErrors, OffsetsUpToAConstant) {
  load(makeModuleWithOffsets({format::DimRef::kConstant, 8}));
  lengths.elements = {0, 3, 5};
  expectRefusal("expected element 2 of 'sequences', where the last sequence ends, to be 8, but got 5");
}

TEST_F(InvokeErrors, Strides) {
  query.strides = {20, 1, 5};
  query.view.strides = query.strides.data();
  expectRefusal(
      "expected the last dimension of 'q' to be contiguous (stride 1), but got stride 5; copy the tensor to a "
      "compact one first");
  query.strides = {20, 4, 0};
  expectRefusal(
      "expected the last dimension of 'q' to be contiguous (stride 1), but got stride 0; copy the tensor to a "
      "compact one first");
  for (int64_t stride : {INT64_MAX, INT64_MIN, INT64_MAX / 4}) {
    query.strides = {stride, 4, 1};
    expectRefusal("expected the strides of 'q' to stay within 63 bits");
  }
}

TEST_F(InvokeErrors, Devices) {
  key.view.device = {kDLCUDA, 0};
  expectRefusal("expected 'k' to be on the CPU (DLPack device type 1), but got device type 2");
}

TEST_F(InvokeErrors, MissingData) {
  key.view.data = nullptr;
  expectRefusal("expected data for 'k' with 60 elements, but got NULL");
  key.view.data = key.elements.data();
  out.view.data = nullptr;
  expectRefusal("expected data for result 'out' with 60 elements, but got NULL");
}

TEST_F(InvokeErrors, Overlap) {
  out.view.data = query.elements.data();
  expectRefusal("expected result 'out' to have memory of its own, but it overlaps with 'q'");
  out.view.data = key.elements.data() + 59; // by one element
  expectRefusal("expected result 'out' to have memory of its own, but it overlaps with 'k'");
  std::vector<char> bytes(60 * 4 + 40);
  lengths.view.data = bytes.data() + 239; // by one byte
  out.view.data = bytes.data();
  expectRefusal("expected result 'out' to have memory of its own, but it overlaps with 'lengths'");
}

TEST_F(InvokeErrors, OverlapOfInterleavedViews) {
  std::vector<float> buffer(15 * 12);
  query.strides = out.strides = {60, 12, 1};
  query.view.strides = query.strides.data();
  out.view.strides = out.strides.data();
  query.view.data = &buffer[0];
  out.view.data = &buffer[3]; // the rows share one element
  expectRefusal("expected result 'out' to have memory of its own, but it overlaps with 'q'");
}

TEST_F(InvokeErrors, OverlapOfUpdates) {
  FakeModule fake;
  fake.info.functions[0].updates = {{0, 0, 1}};
  load(fake);
  const std::string message = "expected result 'out' to have exactly the memory of 'q', which it updates, or memory of "
                              "its own, but the two overlap in part";
  out.view.data = query.elements.data() + 4; // one row further
  query.shape = key.shape = out.shape = {3, 4, 4};
  lengths.elements = {4, 4, 4};
  expectRefusal(message);
  out.view.data = query.elements.data(); // other strides
  out.view.strides = (out.strides = {4, 12, 1}).data();
  expectRefusal(message);
  // Any other argument is as before, also one that is the same memory.
  out.view.strides = nullptr;
  key.view.data = query.elements.data();
  expectRefusal("expected result 'out' to have memory of its own, but it overlaps with 'k'");
}

TEST_F(InvokeErrors, ResultsThatOverlapThemselves) {
  const std::string message =
      "expected the elements of result 'out' to have memory of their own, but its strides let some share it";
  out.view.strides = (out.strides = {0, 4, 1}).data();
  expectRefusal(message);
  out.strides = {20, 3, 1};
  expectRefusal(message);
  out.strides = {4, 4, 1};
  expectRefusal(message);
  out.strides = {16, 4, 1}; // row 4 of a batch is row 0 of the next
  expectRefusal(message);
  out.strides = {-16, 4, 1};
  expectRefusal(message);
}

TEST_F(InvokeErrors, Options) {
  bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
  options.threads = -1;
  expectRefusal("expected threads to be at least 0, but got -1", &options);
  options.threads = 0;
  options.struct_size = 0;
  expectRefusal("expected struct_size of the options to be set to their size, but got 0", &options);
  options.struct_size = sizeof options;
  options.parallel_for.run = [](void *, bochner_task_fn, void *, int64_t) {};
  expectRefusal("expected max_concurrency of parallel_for to lie in [1, 16384], but got 0", &options);
}

TEST_F(InvokeErrors, OptionsOfANewerHeader) {
  struct {
    bochner_invoke_options_t known;
    int64_t unknown;
  } options = {BOCHNER_INVOKE_OPTIONS_INIT, 0};
  options.known.struct_size = sizeof options;
  EXPECT_OK(invoke(&options.known));
  std::fill(out.elements.begin(), out.elements.end(), -1.0f);
  options.unknown = 1;
  expectRefusal("expected options of version 0.1.0, but a later member is set; install a newer libbochner.so",
                &options.known);
}

TEST_F(InvokeErrors, MemoryOfTheCaller) {
  alignas(64) static char memory[4096];
  bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
  options.workspace = memory + 8;
  options.workspace_size = 4000;
  expectRefusal("expected the workspace to be aligned to 64 bytes", &options);
  options.workspace = memory;
  options.workspace_size = 959;
  expectRefusal("expected at least 960 bytes of workspace, but got 959", &options);
  options.workspace = nullptr;
  options.scratch = memory;
  options.scratch_size = 127;
  expectRefusal("expected at least 128 bytes of scratch, but got 127", &options);
}

//===----------------------------------------------------------------------===//
// Other codes
//===----------------------------------------------------------------------===//

TEST_F(InvokeErrors, MissingCpuFeature) {
  FakeModule fake;
  fake.info.features = "+sse3,+xop,+amx-fp16"; // no CPU has both
  fake.info.cpu = "strange";
  load(fake);
  StatusOwner status(invoke());
  EXPECT_EQ(bochnerGetStatusCode(status.get()), BOCHNER_STATUS_UNAVAILABLE);
  std::string message = bochnerGetStatusMessage(status.get());
  EXPECT_NE(message.find(", which 'add' was compiled for (cpu strange), but this one lacks that; compile for cpu host"),
            std::string::npos)
      << message;
  // It can be looked at all the same.
  const DLTensor *arguments[] = {&query.view, &key.view, &lengths.view};
  int64_t shape[3];
  EXPECT_OK(bochnerResolveResultShape(function, arguments, 3, 0, shape));
}

TEST_F(InvokeErrors, OutOfMemory) {
  // Results of 2^61 bytes: everything about them is right but their size.
  std::vector<float> row(4);
  for (Tensor<float> *tensor : {&query, &key}) {
    tensor->shape = {1, int64_t(1) << 57, 4};
    tensor->view.strides = (tensor->strides = {0, 0, 1}).data();
    tensor->view.data = row.data();
  }
  lengths.shape = {1};
  const DLTensor *arguments[] = {&query.view, &key.view, &lengths.view};
  DLManagedTensorVersioned *allocated = nullptr;
  EXPECT_FAILURE(bochnerInvokeAllocating(function, arguments, 3, &allocated, 1, nullptr),
                 "out of memory: expected 2305843009213693952 bytes for a tensor, but there is no memory");
  EXPECT_EQ(allocated, nullptr);
  EXPECT_EQ(usedBytes(), 0u);
}

TEST_F(InvokeErrors, OutOfMemoryForTheWorkspace) {
  FakeModule fake;
  format::FunctionInfo &info = fake.info.functions[0];
  info.workspace = "fakeNegativeWorkspace"; // how compiled code says that the size does not fit
  load(fake);
  EXPECT_FAILURE(invoke(), "out of memory: expected a workspace below 2^63 bytes for 'add'; use smaller tensors");
  info.workspace = "";
  info.scratchBytes = uint64_t(1) << 32;
  load(fake);
  bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
  options.parallel_for = {[](void *, bochner_task_fn, void *, int64_t) {}, nullptr, 16384};
  EXPECT_FAILURE(invoke(&options), "out of memory: expected 70368744177664 bytes of scratch, but there is no memory");
  EXPECT_EQ(out.elements, std::vector<float>(60, -1.0f));
}

TEST_F(InvokeErrors, Shapes) {
  const DLTensor *arguments[] = {&query.view, &key.view, &lengths.view};
  int64_t shape[3];
  EXPECT_FAILURE(bochnerResolveResultShape(function, arguments, 3, 1, shape),
                 "invalid argument: expected the number of a result below 1, but got 1");
  EXPECT_FAILURE(bochnerResolveResultShape(function, arguments, 3, 0, nullptr),
                 "invalid argument: expected memory for the shape, but got NULL");
  EXPECT_FAILURE(bochnerEstimateCost(function, arguments, 3, nullptr),
                 "invalid argument: expected a structure with struct_size set to its size");
  key.shape = {3, 4, 4};
  EXPECT_FAILURE(bochnerResolveResultShape(function, arguments, 3, 0, shape),
                 "invalid argument: expected dimension 1 of 'k' to equal dimension 1 of 'q' (5), but got 4");
}

TEST_F(InvokeErrors, CreatedTensors) {
  DLManagedTensorVersioned *tensor = nullptr;
  const int64_t negative[] = {2, -3}, huge[] = {INT64_MAX, 2}, large[] = {int64_t(1) << 60};
  EXPECT_FAILURE(bochnerCreateTensor(context.get(), {kDLFloat, 32, 1}, 2, negative, &tensor),
                 "invalid argument: expected a shape whose sizes are at least 0 and whose bytes stay within 63 bits");
  EXPECT_FAILURE(bochnerCreateTensor(context.get(), {kDLFloat, 32, 1}, 2, huge, &tensor),
                 "invalid argument: expected a shape whose sizes are at least 0 and whose bytes stay within 63 bits");
  EXPECT_FAILURE(bochnerCreateTensor(context.get(), {kDLFloat, 4, 1}, 2, huge, &tensor),
                 "invalid argument: expected an element type of whole bytes with one lane, but got float4");
  EXPECT_FAILURE(bochnerCreateTensor(context.get(), {kDLFloat, 32, 1}, 65, huge, &tensor),
                 "invalid argument: expected a shape of at most 64 dimensions, but got 65");
  EXPECT_FAILURE(bochnerCreateTensor(context.get(), {kDLFloat, 32, 1}, 1, large, &tensor),
                 "out of memory: expected 4611686018427387904 bytes for a tensor, but there is no memory");
  EXPECT_EQ(tensor, nullptr);
}
