//===- InPlaceTest.cpp - results in the memory of arguments ---------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Results with bochner.updates are the same in the memory of arguments as in memory of their own, also where code
// cannot run in place. What is in place is in test/Conversion/bufferize-updates.mlir.
//
//===----------------------------------------------------------------------===//
#include "Program.h"

using namespace bochner::test;

namespace {

struct Case {
  const char *name, *body; ///< of a function of %p, %g; sets %next, %other
};
void PrintTo(const Case &c, std::ostream *os) { *os << c.name; }

class InPlace : public testing::TestWithParam<Case>, protected Seeded {
protected:
  InPlace() : Seeded(1) {}

  static std::string text() {
    return std::string("func.func @f(%p: tensor<?x?xf32> {bochner.name = \"p\"}, %g: tensor<?x?xf32> {bochner.name = "
                       "\"g\"}) -> (tensor<?x?xf32> {bochner.name = \"next\", bochner.updates = \"p\"}, "
                       "tensor<?x?xf32> {bochner.name = \"other\", bochner.updates = \"g\"}) {\n") +
           GetParam().body + "  return %next, %other : tensor<?x?xf32>, tensor<?x?xf32>\n}\n";
  }
};

TEST_P(InPlace, isNotInPlace) {
  for (const char *route : {"fused", "decompose"}) {
    Program program(text(), route);
    for (int64_t size : {1, 3, 200}) {
      Arrays in;
      for (const char *name : {"p", "g"}) {
        in[name].shape = {size, size};
        for (int64_t i = 0; i < size * size; ++i)
          in[name].values.push_back(double(i % 97) - 40 * (name[0] == 'p'));
      }
      for (int32_t threads : {1, 2}) {
        How how;
        how.threads = threads;
        EXPECT_EQ(program.call(in, how, /*inPlace=*/true), program.call(in, how)) << route << ", size " << size;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, InPlace,
    testing::Values(
        Case{"elementwise",
             "%next = arith.subf %p, %g : tensor<?x?xf32>\n%other = arith.addf %g, %g : tensor<?x?xf32>\n"},
        Case{"readLater", "%next = arith.subf %p, %g : tensor<?x?xf32>\n%other = arith.mulf %p, %next : "
                          "tensor<?x?xf32>\n"},
        Case{"fusedLater", "%twice = arith.addf %p, %p : tensor<?x?xf32>\n%next = arith.subf %p, %g : tensor<?x?xf32>\n"
                           "%other = arith.mulf %twice, %next : tensor<?x?xf32>\n"},
        Case{"swapped", "%next = arith.negf %g : tensor<?x?xf32>\n%other = arith.negf %p : tensor<?x?xf32>\n"},
        Case{"transposed",
             "%next = linalg.transpose ins(%p : tensor<?x?xf32>) outs(%g : tensor<?x?xf32>) permutation = [1, 0]\n"
             "%other = linalg.transpose ins(%g : tensor<?x?xf32>) outs(%p : tensor<?x?xf32>) permutation = [1, 0]\n"}),
    [](const auto &info) { return std::string(info.param.name); });

} // namespace
