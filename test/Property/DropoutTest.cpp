//===- DropoutTest.cpp - elements dropped by a counter --------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The formula of the documentation, bit by bit, on both routes and any number of threads; the share that is dropped;
// that the gradient drops the same elements.
//
//===----------------------------------------------------------------------===//
#include "Philox.h"
#include "Program.h"
#include <cmath>
#include <limits>

using namespace bochner::test;

namespace {

struct Case {
  int64_t columns;
  std::string type;
  double rate;
  std::string route;

  std::string name() const {
    return std::to_string(columns) + "_" + type + "_" + std::to_string(int(100 * rate)) + "_" + route;
  }
};
void PrintTo(const Case &c, std::ostream *os) { *os << c.name(); }

constexpr int64_t kStream = (int64_t(3) << 32) + 5;
const Counter kCounter{(int64_t(77) << 32) + 9, (int64_t(1) << 33) - 3, kStream};

class Dropout : public testing::TestWithParam<Case>, protected Seeded {
protected:
  Dropout() : Seeded(uint64_t(GetParam().columns)), c(GetParam()) {}

  std::string tensor() const { return "tensor<?x?x" + std::to_string(c.columns) + "x" + c.type + ">"; }
  /// The function `name`, which drops elements of its argument.
  std::string text(const std::string &signature) const {
    return "func.func " + signature +
           " {\n  %y = spectral.dropout %x key(%key) offset(%offset) {rate = " + std::to_string(c.rate) +
           " : f64, stream = " + std::to_string(kStream) + " : i64} : " + tensor() + "\n  return %y : " + tensor() +
           "\n}\n";
  }
  static std::string named(const std::string &name, const std::string &type) {
    return "%" + name + ": " + type + " {bochner.name = \"" + name + "\"}";
  }
  std::string arguments() const {
    return named("x", tensor()) + ", " + named("key", "tensor<i64>") + ", " + named("offset", "tensor<i64>");
  }
  std::string plain() const { return text("@f(" + arguments() + ") -> (" + tensor() + " {bochner.name = \"y\"})"); }
  Arrays makeArrays(int64_t batch, int64_t rows) {
    Arrays in;
    Shape shape{batch, rows, c.columns};
    // Small integers are exact in every type, and so are their products with 2 and 4.
    for (const char *name : {"x", "cot"}) {
      Values values;
      for (int64_t i = 0; i < batch * rows * c.columns; ++i)
        values.push_back(double(1 + (i * 7 + name[0]) % 19));
      in[name] = {shape, values};
    }
    in["key"] = {{}, {double(kCounter.key)}};
    in["offset"] = {{}, {double(kCounter.offset)}};
    return in;
  }
  bool isDropped(int64_t element) const {
    int64_t row = element / c.columns, column = element % c.columns, blocks = (c.columns + 3) / 4;
    return wordAt(kCounter, 4 * (row * blocks + column / 4) + column % 4) < std::round(std::ldexp(c.rate, 32));
  }
  Array expected(const Array &x) const {
    Array y = x;
    for (size_t i = 0; i < y.values.size(); ++i)
      y.values[i] = isDropped(int64_t(i)) ? 0 : x.values[i] / (1 - c.rate);
    return y;
  }

  const Case c;
};

TEST_P(Dropout, isTheFormula) {
  Program program(plain(), c.route);
  Arrays in = makeArrays(3, 37);
  in["x"].values[0] = std::numeric_limits<double>::infinity();
  for (int32_t threads : {1, 2, 4}) {
    How how;
    how.threads = threads;
    EXPECT_EQ(program.call(in, how)["y"], expected(in["x"])) << threads << " threads";
  }
  EXPECT_EQ(program.call(makeArrays(0, 5))["y"].values.size(), 0u);
  EXPECT_EQ(program.call(makeArrays(2, 0))["y"].values.size(), 0u);
}

TEST_P(Dropout, dropsItsShare) {
  Program program(plain(), c.route);
  Array y = program.call(makeArrays(100, 500 / c.columns + 1))["y"];
  double dropped = 0, count = double(y.values.size());
  for (double value : y.values)
    dropped += value == 0;
  EXPECT_NEAR(dropped / count, c.rate, 4 * std::sqrt(c.rate * (1 - c.rate) / count));
}

TEST_P(Dropout, gradientDropsTheSame) {
  std::string types = tensor() + ", tensor<i64>, tensor<i64>";
  Program program(text("private @drop(%x: " + tensor() + ", %key: tensor<i64>, %offset: tensor<i64>) -> " + tensor()) +
                      "func.func @f(" + arguments() + ", " + named("cot", tensor()) + ") -> (" + tensor() +
                      " {bochner.name = \"grad\"}) {\n  %y, %g = spectral.vjp @drop inputs(%x, %key, %offset : " +
                      types + ") cotangents(%cot : " + tensor() + ") wrt [0] -> " + tensor() + ", " + tensor() +
                      "\n  return %g : " + tensor() + "\n}\n",
                  c.route);
  Arrays in = makeArrays(2, 9);
  EXPECT_EQ(program.call(in)["grad"], expected(in["cot"]));
}

INSTANTIATE_TEST_SUITE_P(All, Dropout,
                         testing::Values(Case{64, "f32", 0.5, "fused"}, Case{64, "f32", 0.75, "decompose"},
                                         Case{6, "f64", 0.5, "fused"}, Case{6, "f64", 0.5, "decompose"},
                                         Case{1, "f16", 0.75, "fused"}, Case{8, "bf16", 0.5, "fused"},
                                         Case{8, "f32", 0, "fused"}),
                         [](const auto &info) { return info.param.name(); });

} // namespace
