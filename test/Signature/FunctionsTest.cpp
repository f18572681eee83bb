//===- FunctionsTest.cpp - descriptions of functions that users write -----===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How operations outside of generated graphs tie dimensions, which sizes a result may have, where indices come from,
// and every diagnostic.
//
//===----------------------------------------------------------------------===//
#include "test/Signature/SignatureTestUtils.h"

using namespace bochner;
using namespace bochner::test;

using FunctionSignatureTest = SignatureTest;

#define EXPECT_REFUSAL(source, message) EXPECT_EQ(refusal(source), std::string(message) + "\n")

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

TEST_F(FunctionSignatureTest, NamesAndTypesByDefault) {
  auto info = describe(R"mlir(
    func.func @f(%a: tensor<f64>, %b: tensor<?xbf16>, %c: tensor<2xf16>, %d: tensor<3xi32>, %e: tensor<4xi8>,
                 %g: tensor<5xi1>) -> (tensor<f64>, tensor<?xbf16>) {
      return %a, %b : tensor<f64>, tensor<?xbf16>
    })mlir");
  ASSERT_EQ(info.arguments.size(), 6u);
  EXPECT_EQ(info.arguments[5].name, "arg5");
  using format::ScalarType;
  ScalarType types[] = {ScalarType::f64, ScalarType::bf16, ScalarType::f16,
                        ScalarType::i32, ScalarType::i8,   ScalarType::i1};
  for (size_t i = 0; i < 6; ++i)
    EXPECT_EQ(info.arguments[i].type, types[i]) << i;
  ASSERT_EQ(info.results.size(), 2u);
  EXPECT_EQ(info.results[1].name, "out1");
  EXPECT_EQ(dims(info, 0), "");
  EXPECT_EQ(dims(info, 1), "arg1.0");
  EXPECT_EQ(equalities(info), "");
  EXPECT_EQ(info.attributes, "");
}

TEST_F(FunctionSignatureTest, PrivateFunctionsAreNotDescribed) {
  auto info = describe(R"mlir(
    func.func private @declared(tensor<?xf32>, index)
    func.func private @helper(%n: index) { return }
    func.func @f(%a: tensor<?xf32>) -> tensor<?xf32> { return %a : tensor<?xf32> })mlir");
  EXPECT_EQ(info.name, "f");
}

TEST_F(FunctionSignatureTest, RefusesTensors) {
  EXPECT_REFUSAL(
      "func.func @f(%n: index) { return }",
      "expected argument 'arg0' of public function 'f' to be a ranked tensor, but got 'index'; pass a scalar "
      "as a tensor of rank 0");
}

TEST_F(FunctionSignatureTest, RefusesElementTypes) {
  EXPECT_REFUSAL(R"(func.func @f(%x: tensor<2xindex> {bochner.name = "x"}) { return })",
                 "expected argument 'x' of public function 'f' to have elements of type f64, f32, bf16, f16, i64, i32, "
                 "i8 or i1, but got 'index'");
}

TEST_F(FunctionSignatureTest, RefusesUnsignedElements) {
  EXPECT_REFUSAL("func.func @f(%x: tensor<2xf32>, %y: tensor<2xui32>) -> tensor<2xui32> { return %y : tensor<2xui32> }",
                 "expected argument 'arg1' of public function 'f' to have elements of type f64, f32, bf16, f16, i64, "
                 "i32, i8 or i1, but got 'ui32'");
}

TEST_F(FunctionSignatureTest, RefusesEqualNames) {
  EXPECT_REFUSAL(
      R"(func.func @f(%x: tensor<f32> {bochner.name = "x"}, %y: tensor<f32> {bochner.name = "x"}) { return })",
      "expected argument 'x' of public function 'f' to have a name of its own, but another argument has it "
      "too");
}

TEST_F(FunctionSignatureTest, RefusesModuleWithoutPublicFunction) {
  EXPECT_REFUSAL("func.func private @f(tensor<f32>)", "expected a public function to compile, but the module has none");
}

//===----------------------------------------------------------------------===//
// Ties
//===----------------------------------------------------------------------===//

TEST_F(FunctionSignatureTest, DynamicDimensionsAgreeWithStaticOnes) {
  auto info = describe(R"mlir(
    func.func @f(%a: tensor<?x4xf32>, %b: tensor<3x?xf32>, %c: tensor<?x?xf32>) -> tensor<?x4xf32> {
      %0 = arith.addf %c, %c : tensor<?x?xf32>
      %1 = linalg.add ins(%b, %0 : tensor<3x?xf32>, tensor<?x?xf32>) outs(%a : tensor<?x4xf32>) -> tensor<?x4xf32>
      return %1 : tensor<?x4xf32>
    })mlir");
  EXPECT_EQ(equalities(info), "arg0.0=3 arg1.1=4 arg2.0=3 arg2.1=4");
  EXPECT_EQ(dims(info), "3 4");
}

TEST_F(FunctionSignatureTest, DynamicHeadsOfParameters) {
  // A dynamic first dimension has a slice for each head; a static 1 serves them all.
  auto info = describe(R"mlir(
    func.func @f(%q: tensor<?x8x?x4xf32> {bochner.name = "q"}, %k: tensor<?x?x?x4xf32> {bochner.name = "k"},
                 %v: tensor<?x?x?x2xf32> {bochner.name = "v"}, %w: tensor<?x4xf32> {bochner.name = "w"},
                 %c: tensor<1x4xf32>, %o: tensor<?x?xf32> {bochner.name = "o"},
                 %l: tensor<?xi32> {bochner.name = "l"}) -> tensor<?x8x?x2xf32> {
      %0 = spectral.linear_attention query(%q : tensor<?x8x?x4xf32>) key(%k : tensor<?x?x?x4xf32>)
          value(%v : tensor<?x?x?x2xf32>) lengths(%l : tensor<?xi32>) offset(%o : tensor<?x?xf32>)
          parameters(%w, %c : tensor<?x4xf32>, tensor<1x4xf32>)
          features (%x: tensor<?x4xf32>, %a: tensor<4xf32>, %b: tensor<4xf32>) {
            spectral.yield %x : tensor<?x4xf32>
          } -> tensor<?x8x?x2xf32>
      return %0 : tensor<?x8x?x2xf32>
    })mlir");
  EXPECT_EQ(equalities(info), "k.0=q.0 k.1=8 v.0=q.0 v.1=8 v.2=k.2 w.0=8 o.0=q.0 o.1=8 l.0=q.0");
  EXPECT_EQ(ranges(info), "l in [0, k.2]");
  EXPECT_EQ(dims(info), "q.0 8 q.2 2");
}

TEST_F(FunctionSignatureTest, SizesOfNewTensors) {
  auto info = describe(R"mlir(
    func.func @f(%a: tensor<?x?xf32>) -> (tensor<?x?xf32>, tensor<?xf32>, tensor<4x?xf32>) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %zero = arith.constant 0.0 : f32
      %m = tensor.dim %a, %c0 : tensor<?x?xf32>
      %n = tensor.dim %a, %c1 : tensor<?x?xf32>
      %n64 = arith.index_cast %n : index to i64
      %n_again = arith.index_cast %n64 : i64 to index
      %empty = tensor.empty(%n_again, %m) : tensor<?x?xf32>
      %t = linalg.transpose ins(%a : tensor<?x?xf32>) outs(%empty : tensor<?x?xf32>) permutation = [1, 0]
      %g = tensor.generate %m {
      ^bb0(%i: index):
        tensor.yield %zero : f32
      } : tensor<?xf32>
      %s = tensor.splat %zero[%n] : tensor<4x?xf32>
      return %t, %g, %s : tensor<?x?xf32>, tensor<?xf32>, tensor<4x?xf32>
    })mlir");
  EXPECT_EQ(dims(info, 0), "arg0.1 arg0.0");
  EXPECT_EQ(dims(info, 1), "arg0.0");
  EXPECT_EQ(dims(info, 2), "4 arg0.1");
  EXPECT_EQ(equalities(info), "");
}

TEST_F(FunctionSignatureTest, SlicesPadsAndConcatenation) {
  auto info = describe(R"mlir(
    func.func @f(%a: tensor<?x?x8xf32>, %b: tensor<?x2xf32>)
        -> (tensor<?x10xf32>, tensor<?x?x8xf32>, tensor<?x12xf32>) {
      %c0 = arith.constant 0 : index
      %zero = arith.constant 0.0 : f32
      %m = tensor.dim %a, %c0 : tensor<?x?x8xf32>
      %row = tensor.extract_slice %a[0, 0, 0] [%m, 1, 8] [1, 1, 1] : tensor<?x?x8xf32> to tensor<?x8xf32>
      %joined = tensor.concat dim(1) %row, %b : (tensor<?x8xf32>, tensor<?x2xf32>) -> tensor<?x10xf32>
      %back = tensor.insert_slice %row into %a[0, 0, 0] [%m, 1, 8] [1, 1, 1] : tensor<?x8xf32> into tensor<?x?x8xf32>
      %padded = tensor.pad %joined low[0, 1] high[0, 1] {
      ^bb0(%i: index, %j: index):
        tensor.yield %zero : f32
      } : tensor<?x10xf32> to tensor<?x12xf32>
      return %joined, %back, %padded : tensor<?x10xf32>, tensor<?x?x8xf32>, tensor<?x12xf32>
    })mlir");
  EXPECT_EQ(equalities(info), "arg1.0=arg0.0");
  EXPECT_EQ(dims(info, 0), "arg0.0 10");
  EXPECT_EQ(dims(info, 1), "arg0.0 arg0.1 8");
  EXPECT_EQ(dims(info, 2), "arg0.0 12");
}

TEST_F(FunctionSignatureTest, CastsAndSoftmax) {
  auto info = describe(R"mlir(
    func.func @f(%a: tensor<?x8xf32>, %b: tensor<?x?xf32>) -> tensor<?x?xf32> {
      %0 = tensor.cast %a : tensor<?x8xf32> to tensor<?x?xf32>
      %1 = linalg.softmax dimension(1) ins(%0 : tensor<?x?xf32>) outs(%b : tensor<?x?xf32>) -> tensor<?x?xf32>
      return %1 : tensor<?x?xf32>
    })mlir");
  EXPECT_EQ(equalities(info), "arg1.0=arg0.0 arg1.1=8");
  EXPECT_EQ(dims(info), "arg0.0 8");
}

TEST_F(FunctionSignatureTest, LoopsAndBranches) {
  auto info = describe(R"mlir(
    func.func @f(%a: tensor<?xf32>, %b: tensor<?xf32>, %c: tensor<?xf32>, %p: tensor<i1>)
        -> (tensor<?xf32>, tensor<?xf32>) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c9 = arith.constant 9 : index
      %loop = scf.for %i = %c0 to %c9 step %c1 iter_args(%x = %a) -> tensor<?xf32> {
        %y = arith.addf %x, %b : tensor<?xf32>
        scf.yield %y : tensor<?xf32>
      }
      %which = tensor.extract %p[] : tensor<i1>
      %branch = scf.if %which -> tensor<?xf32> {
        scf.yield %loop : tensor<?xf32>
      } else {
        scf.yield %c : tensor<?xf32>
      }
      return %loop, %branch : tensor<?xf32>, tensor<?xf32>
    })mlir");
  EXPECT_EQ(equalities(info), "arg1.0=arg0.0 arg2.0=arg0.0");
  EXPECT_EQ(dims(info, 0), "arg0.0");
  EXPECT_EQ(dims(info, 1), "arg0.0");
}

TEST_F(FunctionSignatureTest, SeveralBlocks) {
  auto info = describe(R"mlir(
    func.func @f(%a: tensor<?xf32>, %b: tensor<?xf32>, %p: tensor<i1>) -> tensor<?xf32> {
      %which = tensor.extract %p[] : tensor<i1>
      cf.cond_br %which, ^early, ^late(%a : tensor<?xf32>)
    ^early:
      return %b : tensor<?xf32>
    ^late(%x: tensor<?xf32>):
      return %x : tensor<?xf32>
    })mlir");
  EXPECT_EQ(equalities(info), "arg1.0=arg0.0");
  EXPECT_EQ(dims(info), "arg0.0");
}

TEST_F(FunctionSignatureTest, RefusesFunctionsThatNeverReturn) {
  EXPECT_REFUSAL(R"mlir(
    func.func @f() {
      cf.br ^again
    ^again:
      cf.br ^again
    })mlir",
                 "expected public function 'f' to return, but it never does");
}

TEST_F(FunctionSignatureTest, RefusesDifferentStaticSizes) {
  EXPECT_REFUSAL(
      R"mlir(
    func.func @f(%a: tensor<4xf32> {bochner.name = "a"}, %b: tensor<?xf32>, %c: tensor<8xf32>) -> tensor<?xf32> {
      %0 = linalg.exp ins(%a : tensor<4xf32>) outs(%b : tensor<?xf32>) -> tensor<?xf32>
      %1 = linalg.add ins(%0, %c : tensor<?xf32>, tensor<8xf32>) outs(%b : tensor<?xf32>) -> tensor<?xf32>
      return %1 : tensor<?xf32>
    })mlir",
      "'linalg.add' op expected dimension 0 of argument 'arg2' to equal dimension 0 of argument 'a' (4), but "
      "got 8");
}

TEST_F(FunctionSignatureTest, RefusesResultsOfUnknownSize) {
  EXPECT_REFUSAL(R"mlir(
    func.func @f(%a: tensor<?x2xf32>) -> (tensor<?x2xf32> {bochner.name = "twice"}) {
      %0 = tensor.concat dim(0) %a, %a : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
      return %0 : tensor<?x2xf32>
    })mlir",
                 "'func.return' op expected dimension 0 of result 'twice' to be a dimension of an argument or a "
                 "constant");
}

//===----------------------------------------------------------------------===//
// Reshapes
//===----------------------------------------------------------------------===//

TEST_F(FunctionSignatureTest, CollapseAndExpand) {
  auto info = describe(R"mlir(
    func.func @f(%x: tensor<?x?x8xf32>, %w: tensor<8x4xf32>) -> tensor<?x?x4xf32> {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %zero = arith.constant 0.0 : f32
      %b = tensor.dim %x, %c0 : tensor<?x?x8xf32>
      %n = tensor.dim %x, %c1 : tensor<?x?x8xf32>
      %rows = tensor.collapse_shape %x [[0, 1], [2]] : tensor<?x?x8xf32> into tensor<?x8xf32>
      %count = arith.muli %b, %n : index
      %empty = tensor.empty(%count) : tensor<?x4xf32>
      %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x4xf32>) -> tensor<?x4xf32>
      %y = linalg.matmul ins(%rows, %w : tensor<?x8xf32>, tensor<8x4xf32>) outs(%init : tensor<?x4xf32>)
        -> tensor<?x4xf32>
      %out = tensor.expand_shape %y [[0, 1], [2]] output_shape [%b, %n, 4] : tensor<?x4xf32> into tensor<?x?x4xf32>
      return %out : tensor<?x?x4xf32>
    })mlir");
  EXPECT_EQ(equalities(info), "");
  EXPECT_EQ(dims(info), "arg0.0 arg0.1 4");
}

TEST_F(FunctionSignatureTest, StaticSizesSolveForAFactor) {
  // 32 columns in heads of 8 are 4 heads, wherever the number of heads comes from.
  auto info = describe(R"mlir(
    func.func @f(%x: tensor<2x?xf32>, %y: tensor<2x32xf32>, %scale: tensor<?xf32>) -> tensor<2x?x8xf32> {
      %c0 = arith.constant 0 : index
      %0 = linalg.add ins(%x, %y : tensor<2x?xf32>, tensor<2x32xf32>) outs(%x : tensor<2x?xf32>) -> tensor<2x?xf32>
      %h = tensor.dim %scale, %c0 : tensor<?xf32>
      %1 = tensor.expand_shape %0 [[0], [1, 2]] output_shape [2, %h, 8] : tensor<2x?xf32> into tensor<2x?x8xf32>
      return %1 : tensor<2x?x8xf32>
    })mlir");
  EXPECT_EQ(equalities(info), "arg0.1=32 arg2.0=4");
  EXPECT_EQ(dims(info), "2 4 8");
}

TEST_F(FunctionSignatureTest, ProductsSolveForAFactor) {
  // What a frontend writes for view(-1, 8): the size is n 8 / 8.
  auto info = describe(R"mlir(
    func.func @f(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
      %c0 = arith.constant 0 : index
      %c8 = arith.constant 8 : index
      %flat = tensor.collapse_shape %x [[0, 1]] : tensor<?x8xf32> into tensor<?xf32>
      %all = tensor.dim %flat, %c0 : tensor<?xf32>
      %n = arith.divui %all, %c8 : index
      %0 = tensor.expand_shape %flat [[0, 1]] output_shape [%n, 8] : tensor<?xf32> into tensor<?x8xf32>
      return %0 : tensor<?x8xf32>
    })mlir");
  EXPECT_EQ(dims(info), "arg0.0 8");
}

TEST_F(FunctionSignatureTest, ProductsSolveInSteps) {
  // [a, b, 8] -> [n, 8] -> [m, b, 8]: n is a b, then m is a.
  auto info = describe(R"mlir(
    func.func @f(%x: tensor<?x?x8xf32>) -> tensor<?x?x8xf32> {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c8 = arith.constant 8 : index
      %b = tensor.dim %x, %c1 : tensor<?x?x8xf32>
      %flat = tensor.collapse_shape %x [[0, 1, 2]] : tensor<?x?x8xf32> into tensor<?xf32>
      %all = tensor.dim %flat, %c0 : tensor<?xf32>
      %n = arith.divui %all, %c8 : index
      %m = arith.divui %n, %b : index
      %0 = tensor.expand_shape %flat [[0, 1]] output_shape [%n, 8] : tensor<?xf32> into tensor<?x8xf32>
      %1 = tensor.expand_shape %0 [[0, 1], [2]] output_shape [%m, %b, 8] : tensor<?x8xf32> into tensor<?x?x8xf32>
      return %1 : tensor<?x?x8xf32>
    })mlir");
  EXPECT_EQ(equalities(info), "");
  EXPECT_EQ(dims(info), "arg0.0 arg0.1 8");
}

TEST_F(FunctionSignatureTest, EqualProductsShareTheirFactors) {
  auto info = describe(R"mlir(
    func.func @f(%x: tensor<?x?xf32>, %y: tensor<?x?xf32>) -> tensor<?x?xf32> {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %n = tensor.dim %x, %c1 : tensor<?x?xf32>
      %m = tensor.dim %y, %c0 : tensor<?x?xf32>
      %a = tensor.collapse_shape %x [[0, 1]] : tensor<?x?xf32> into tensor<?xf32>
      %size = affine.apply affine_map<()[s0, s1] -> (s0 * s1)>()[%m, %n]
      %empty = tensor.empty(%size) : tensor<?xf32>
      %b = linalg.exp ins(%a : tensor<?xf32>) outs(%empty : tensor<?xf32>) -> tensor<?xf32>
      return %y : tensor<?x?xf32>
    })mlir");
  EXPECT_EQ(equalities(info), "arg1.0=arg0.0");
}

TEST_F(FunctionSignatureTest, ProductsWithZero) {
  auto info = describe(R"mlir(
    func.func @f(%x: tensor<?x?x0xf32>, %y: tensor<0xf32>) -> tensor<?xf32> {
      %0 = tensor.collapse_shape %x [[0, 1, 2]] : tensor<?x?x0xf32> into tensor<?xf32>
      %1 = linalg.exp ins(%y : tensor<0xf32>) outs(%0 : tensor<?xf32>) -> tensor<?xf32>
      return %1 : tensor<?xf32>
    })mlir");
  EXPECT_EQ(equalities(info), "");
  EXPECT_EQ(dims(info), "0");
}

TEST_F(FunctionSignatureTest, RefusesProductsThatACallCannotCheck) {
  EXPECT_REFUSAL(
      R"mlir(
    func.func @f(%x: tensor<?x8xf32> {bochner.name = "x"}, %q: tensor<?x?x8xf32> {bochner.name = "q"})
        -> tensor<?x?x8xf32> {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %b = tensor.dim %q, %c0 : tensor<?x?x8xf32>
      %n = tensor.dim %q, %c1 : tensor<?x?x8xf32>
      %0 = tensor.expand_shape %x [[0, 1], [2]] output_shape [%b, %n, 8] : tensor<?x8xf32> into tensor<?x?x8xf32>
      return %0 : tensor<?x?x8xf32>
    })mlir",
      "'tensor.expand_shape' op expected a product of dimensions that holds at every call, but dimension 0 of "
      "argument 'q' x dimension 1 of argument 'q' has to be dimension 0 of argument 'x', which a call cannot "
      "check; pass a tensor that has these dimensions one by one");
}

TEST_F(FunctionSignatureTest, RefusesStaticSizesThatAreNoMultiples) {
  EXPECT_REFUSAL(R"mlir(
    func.func @f(%x: tensor<?x8xf32>, %y: tensor<20xf32> {bochner.name = "y"}) -> tensor<?xf32> {
      %0 = tensor.collapse_shape %x [[0, 1]] : tensor<?x8xf32> into tensor<?xf32>
      %1 = linalg.exp ins(%y : tensor<20xf32>) outs(%0 : tensor<?xf32>) -> tensor<?xf32>
      return %1 : tensor<?xf32>
    })mlir",
                 "'tensor.collapse_shape' op expected dimension 0 of argument 'y' to be a multiple of 8, but got 20");
}

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

TEST_F(FunctionSignatureTest, LengthsOfConvertedArguments) {
  auto info = describe(R"mlir(
    func.func @f(%q: tensor<?x2x?x4xf32>, %k: tensor<?x2x16x4xf32>, %v: tensor<?x2x16x4xf32>,
                 %l: tensor<?xi32> {bochner.name = "l"}) -> tensor<?x2x?x4xf32> {
      %wide = arith.extsi %l : tensor<?xi32> to tensor<?xi64>
      %0 = spectral.exact_attention query(%q : tensor<?x2x?x4xf32>) key(%k : tensor<?x2x16x4xf32>)
          value(%v : tensor<?x2x16x4xf32>) lengths(%wide : tensor<?xi64>)
          {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64} -> tensor<?x2x?x4xf32>
      return %0 : tensor<?x2x?x4xf32>
    })mlir");
  EXPECT_EQ(ranges(info), "l in [0, 16]");
}

TEST_F(FunctionSignatureTest, ComputedLengthsHaveNoRange) {
  auto info = describe(R"mlir(
    func.func @f(%q: tensor<?x2x?x4xf32>, %l: tensor<?xi64>) -> tensor<?x2x?x4xf32> {
      %computed = arith.addi %l, %l : tensor<?xi64>
      %0 = spectral.exact_attention query(%q : tensor<?x2x?x4xf32>) key(%q : tensor<?x2x?x4xf32>)
          value(%q : tensor<?x2x?x4xf32>) lengths(%computed : tensor<?xi64>)
          {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64} -> tensor<?x2x?x4xf32>
      return %0 : tensor<?x2x?x4xf32>
    })mlir");
  EXPECT_EQ(ranges(info), "");
}

TEST_F(FunctionSignatureTest, RefusesRangesThatACallCannotCheck) {
  EXPECT_REFUSAL(
      R"mlir(
    func.func @f(%q: tensor<?x2x?x4xf32>, %l: tensor<?xi64>) -> tensor<?x2x?x4xf32> {
      %k = tensor.concat dim(2) %q, %q : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
      %0 = spectral.exact_attention query(%q : tensor<?x2x?x4xf32>) key(%k : tensor<?x2x?x4xf32>)
          value(%k : tensor<?x2x?x4xf32>) lengths(%l : tensor<?xi64>)
          {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64} -> tensor<?x2x?x4xf32>
      return %0 : tensor<?x2x?x4xf32>
    })mlir",
      "'spectral.exact_attention' op expected dimension 2 of 'key', which bounds 'lengths', to be a dimension of "
      "an argument or a constant, so that a call can check it");
}

TEST_F(FunctionSignatureTest, PermutationOfDynamicSize) {
  auto info = describe(R"mlir(
    func.func @f(%x: tensor<?x8xf32>, %p: tensor<?xi32>) -> tensor<?x8xf32> {
      %0 = spectral.permute %x, %p : tensor<?x8xf32>, tensor<?xi32> -> tensor<?x8xf32>
      %1 = spectral.permute %0, %p : tensor<?x8xf32>, tensor<?xi32> -> tensor<?x8xf32>
      return %1 : tensor<?x8xf32>
    })mlir");
  EXPECT_EQ(equalities(info), "arg1.0=8");
  EXPECT_EQ(ranges(info), "arg1 in [0, 7]");
}

// Of rows that every iteration gathers; where a condition may guard it, a call cannot tell.
TEST_F(FunctionSignatureTest, IndicesOfGathers) {
  auto info = describe(R"mlir(
    func.func @f(%table: tensor<20x8xf32>, %k: tensor<?xi32>, %l: tensor<?xi64>) -> tensor<?x8xf32> {
      %c0 = arith.constant 0 : index
      %n = tensor.dim %k, %c0 : tensor<?xi32>
      %empty = tensor.empty(%n) : tensor<?x8xf32>
      %0 = linalg.generic {indexing_maps = [affine_map<(n, w) -> (n)>, affine_map<(n, w) -> (n)>,
                                            affine_map<(n, w) -> (n, w)>],
                           iterator_types = ["parallel", "parallel"]}
          ins(%k, %l : tensor<?xi32>, tensor<?xi64>) outs(%empty : tensor<?x8xf32>) {
      ^bb0(%a: i32, %b: i64, %old: f32):
        %i = arith.index_cast %a : i32 to index
        %j = arith.index_cast %b : i64 to index
        %w = linalg.index 1 : index
        %x = tensor.extract %table[%i, %w] : tensor<20x8xf32>
        %inside = arith.cmpi ult, %j, %c0 : index
        %y = scf.if %inside -> f32 {
          %z = tensor.extract %table[%j, %w] : tensor<20x8xf32>
          scf.yield %z : f32
        } else {
          scf.yield %x : f32
        }
        linalg.yield %y : f32
      } -> tensor<?x8xf32>
      return %0 : tensor<?x8xf32>
    })mlir");
  EXPECT_EQ(ranges(info), "arg1 in [0, 19]");
}

TEST_F(FunctionSignatureTest, DropoutKeepsSizes) {
  auto info = describe(R"mlir(
    func.func @f(%x: tensor<?x8xf32>, %key: tensor<i64>, %offset: tensor<i64>) -> tensor<?x8xf32> {
      %0 = spectral.dropout %x key(%key) offset(%offset) {rate = 0.1 : f64} : tensor<?x8xf32>
      return %0 : tensor<?x8xf32>
    })mlir");
  EXPECT_EQ(info.results[0].dims[0].argument, 0u);
}

//===----------------------------------------------------------------------===//
// Derivatives
//===----------------------------------------------------------------------===//

/// y = a b, whose sum over the inner dimension ties them.
constexpr llvm::StringLiteral kProduct = R"mlir(
  func.func private @product(%a: tensor<?x?xf32>, %b: tensor<?x?xf32>) -> tensor<?x?xf32> {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %m = tensor.dim %a, %c0 : tensor<?x?xf32>
    %n = tensor.dim %b, %c1 : tensor<?x?xf32>
    %zero = arith.constant 0.0 : f32
    %empty = tensor.empty(%m, %n) : tensor<?x?xf32>
    %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x?xf32>) -> tensor<?x?xf32>
    %y = linalg.matmul ins(%a, %b : tensor<?x?xf32>, tensor<?x?xf32>) outs(%init : tensor<?x?xf32>)
      -> tensor<?x?xf32>
    return %y : tensor<?x?xf32>
  })mlir";

TEST_F(FunctionSignatureTest, DerivativesTieWhatTheirFunctionsTie) {
  // Each call on its own: the second one swaps the factors' shapes.
  auto module = parse((kProduct + R"mlir(
    func.func @f(%a: tensor<?x?xf32>, %b: tensor<?x?xf32>, %cot: tensor<?x?xf32>, %tangent: tensor<?x?xf32>)
        -> (tensor<?x?xf32>, tensor<?x?xf32>) {
      %y, %db = spectral.vjp @product inputs(%a, %b : tensor<?x?xf32>, tensor<?x?xf32>)
        cotangents(%cot : tensor<?x?xf32>) wrt [1] -> tensor<?x?xf32>, tensor<?x?xf32>
      %z, %dz = spectral.jvp @product inputs(%b, %tangent : tensor<?x?xf32>, tensor<?x?xf32>)
        tangents(%tangent : tensor<?x?xf32>) wrt [1] -> tensor<?x?xf32>, tensor<?x?xf32>
      return %db, %dz : tensor<?x?xf32>, tensor<?x?xf32>
    })mlir")
                          .str());
  ASSERT_TRUE(module);
  prepare(*module, "decompose");
  auto info = describe(*module);
  EXPECT_EQ(equalities(info), "arg1.0=arg0.1 arg2.0=arg0.0 arg2.1=arg1.1 arg3.0=arg1.1");
  EXPECT_EQ(dims(info, 0), "arg0.1 arg1.1");
  EXPECT_EQ(dims(info, 1), "arg0.1 arg3.1");
}

TEST_F(FunctionSignatureTest, TangentsAndCotangentsHaveTheShapesOfValues) {
  auto module = parse(R"mlir(
    func.func private @twice(%x: tensor<?xf32>) -> tensor<?xf32> {
      %y = arith.addf %x, %x : tensor<?xf32>
      return %y : tensor<?xf32>
    }
    func.func private @gradient(%x: tensor<?xf32>, %cot: tensor<?xf32>) -> tensor<?xf32> {
      %y, %dx = spectral.vjp @twice inputs(%x : tensor<?xf32>) cotangents(%cot : tensor<?xf32>) wrt [0]
        -> tensor<?xf32>, tensor<?xf32>
      return %dx : tensor<?xf32>
    }
    func.func @f(%x: tensor<?xf32>, %cot: tensor<?xf32>, %tangent: tensor<?xf32>) -> tensor<?xf32> {
      %y, %dy = spectral.jvp @gradient inputs(%x, %cot : tensor<?xf32>, tensor<?xf32>)
        tangents(%tangent : tensor<?xf32>) wrt [0] -> tensor<?xf32>, tensor<?xf32>
      return %dy : tensor<?xf32>
    })mlir");
  ASSERT_TRUE(module);
  prepare(*module, "fused");
  auto info = describe(*module);
  EXPECT_EQ(equalities(info), "arg1.0=arg0.0 arg2.0=arg0.0");
  EXPECT_EQ(dims(info), "arg0.0");
}
