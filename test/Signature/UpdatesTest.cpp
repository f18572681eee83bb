//===- UpdatesTest.cpp - results that are next values of arguments --------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What bochner.updates says about a function, and what it cannot say.
//
//===----------------------------------------------------------------------===//
#include "test/Signature/SignatureTestUtils.h"

using namespace bochner;
using namespace bochner::test;

using UpdatesSignatureTest = SignatureTest;

#define EXPECT_REFUSAL(source, message) EXPECT_EQ(refusal(source), std::string(message) + "\n")

TEST_F(UpdatesSignatureTest, ResultsUpdateArguments) {
  auto info = describe(R"mlir(
    func.func @f(%k: tensor<?x8xf32>, %s: tensor<?x8xf32> {bochner.name = "state"}, %n: tensor<2xi64>)
        -> (tensor<?x8xf32>, tensor<2xi64> {bochner.updates = "arg2"},
            tensor<?x8xf32> {bochner.name = "next", bochner.updates = "state"}) {
      %0 = arith.addf %k, %s : tensor<?x8xf32>
      return %k, %n, %0 : tensor<?x8xf32>, tensor<2xi64>, tensor<?x8xf32>
    })mlir");
  ASSERT_EQ(info.updates.size(), 2u);
  EXPECT_EQ(info.updates[0].argument, 2u);
  EXPECT_EQ(info.updates[0].result, 1u);
  EXPECT_EQ(info.updates[1].argument, 1u);
  EXPECT_EQ(info.updates[1].result, 2u);
  EXPECT_EQ(info.updates[1].inPlace, 0u);
}

TEST_F(UpdatesSignatureTest, RefusesUpdatesOfNothing) {
  EXPECT_REFUSAL(R"mlir(
    func.func @f(%s: tensor<8xf32>) -> (tensor<8xf32> {bochner.name = "next", bochner.updates = "state"}) {
      return %s : tensor<8xf32>
    })mlir",
                 "expected result 'next' of public function 'f' to update an argument, but there is no 'state'");
}

TEST_F(UpdatesSignatureTest, RefusesUpdatesOfOtherShape) {
  EXPECT_REFUSAL(R"mlir(
    func.func @f(%s: tensor<?x8xf32> {bochner.name = "state"}, %t: tensor<?x4xf32>)
        -> (tensor<?x4xf32> {bochner.updates = "state"}) {
      return %t : tensor<?x4xf32>
    })mlir",
                 "expected result 'out0' of public function 'f' to have the type of 'state', which it updates, "
                 "'tensor<?x8xf32>', but got 'tensor<?x4xf32>'");
}

TEST_F(UpdatesSignatureTest, RefusesUpdatesOfOtherElements) {
  EXPECT_REFUSAL(R"mlir(
    func.func @f(%s: tensor<8xf32> {bochner.name = "state"}, %t: tensor<8xf64>)
        -> (tensor<8xf64> {bochner.updates = "state"}) {
      return %t : tensor<8xf64>
    })mlir",
                 "expected result 'out0' of public function 'f' to have the type of 'state', which it updates, "
                 "'tensor<8xf32>', but got 'tensor<8xf64>'");
}

TEST_F(UpdatesSignatureTest, RefusesTwoUpdatesOfAnArgument) {
  EXPECT_REFUSAL(R"mlir(
    func.func @f(%s: tensor<8xf32> {bochner.name = "state"})
        -> (tensor<8xf32> {bochner.updates = "state"}, tensor<8xf32> {bochner.updates = "state"}) {
      return %s, %s : tensor<8xf32>, tensor<8xf32>
    })mlir",
                 "expected result 'out1' of public function 'f' to update an argument of its own, but 'out0' updates "
                 "'state' too");
}
