//===- MathTest.cpp - arithmetic of the GPU in the simulator --------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One line of LLVM dialect at a time, applied to a value a lane.
//
//===----------------------------------------------------------------------===//
#include "SimulatorTestUtils.h"

using namespace bochner::test;

namespace {

class MathTest : public SimulatorTest {
protected:
  /// out[t] = %y of `code`, which sees %x (f32) and %b, its bits; `type` is the type of %y. Returns the words.
  std::vector<uint32_t> apply(const std::string &declaration, const std::string &code, const std::string &type,
                              std::vector<float> in) {
    std::string source = "gpu.module @kernels {\n" + declaration +
                         "\nllvm.func @kernel(%in: !llvm.ptr, %out: !llvm.ptr) " +
                         "attributes {gpu.kernel, nvvm.kernel} {\n%t = nvvm.read.ptx.sreg.tid.x : i32\n" +
                         "%p = llvm.getelementptr %in[%t] : (!llvm.ptr, i32) -> !llvm.ptr, f32\n" +
                         "%q = llvm.getelementptr %out[%t] : (!llvm.ptr, i32) -> !llvm.ptr, i32\n" +
                         "%x = llvm.load %p : !llvm.ptr -> f32\n%b = llvm.bitcast %x : f32 to i32\n" + code +
                         "\nllvm.store %y, %q : " + type + ", !llvm.ptr\nllvm.return\n}\n}\n";
    std::string diagnostics;
    module = SimulatedModule::fromSource(source, diagnostics);
    EXPECT_TRUE(module) << diagnostics << source;
    std::vector<uint32_t> out(32);
    in.resize(32, 1.0f);
    run("kernel", {in, fresh(out)});
    return out;
  }
  /// An intrinsic of one f32.
  std::vector<float> intrinsic(const std::string &name, const std::vector<float> &in) {
    std::vector<uint32_t> words =
        apply("llvm.func @" + name + "(f32) -> f32", "%y = llvm.call @" + name + "(%x) : (f32) -> f32", "f32", in);
    std::vector<float> result(words.size());
    memcpy(result.data(), words.data(), 4 * words.size());
    return result;
  }
  /// One instruction of inline assembly from f32 to `type`.
  std::vector<uint32_t> assembly(const std::string &text, const std::string &type, const std::vector<float> &in) {
    std::string constraint = type == "f32" ? "=f" : "=r";
    return apply(
        "", "%y = llvm.inline_asm has_side_effects \"" + text + "\", \"" + constraint + ",f\" %x : (f32) -> " + type,
        type, in);
  }
};

uint32_t bits(float value) {
  uint32_t word;
  memcpy(&word, &value, 4);
  return word;
}
float number(uint32_t word) {
  float value;
  memcpy(&value, &word, 4);
  return value;
}

TEST_F(MathTest, SpecialFunctions) {
  const std::vector<float> in = {0.25f, 0.5f, 1.0f, 1.5f, 2.0f, 10.0f, 100.0f};
  struct Case {
    const char *name;
    double (*reference)(double);
  };
  for (const Case &c : {Case{"llvm.nvvm.ex2.approx.ftz.f32", [](double x) { return std::exp2(x); }},
                        {"llvm.nvvm.ex2.approx.f32", [](double x) { return std::exp2(x); }},
                        {"llvm.nvvm.lg2.approx.f", [](double x) { return std::log2(x); }},
                        {"llvm.nvvm.sin.approx.f", [](double x) { return std::sin(x); }},
                        {"llvm.nvvm.cos.approx.ftz.f", [](double x) { return std::cos(x); }},
                        {"llvm.nvvm.rcp.approx.ftz.f", [](double x) { return 1 / x; }},
                        {"llvm.nvvm.rsqrt.approx.f", [](double x) { return 1 / std::sqrt(x); }},
                        {"llvm.nvvm.sqrt.approx.f", [](double x) { return std::sqrt(x); }}}) {
    std::vector<float> out = intrinsic(c.name, in);
    for (size_t i = 0; i < in.size(); ++i)
      EXPECT_NEAR(out[i], c.reference(in[i]), 3e-7 * std::fabs(c.reference(in[i]))) << c.name << " of " << in[i];
    EXPECT_EQ(module->counters.mufu, 32u) << c.name;
  }
  for (const Case &c : {Case{"ex2.approx.ftz.f32 $0, $1;", [](double x) { return std::exp2(x); }},
                        {"tanh.approx.f32 $0, $1;", [](double x) { return std::tanh(x); }},
                        {"rsqrt.approx.ftz.f32 $0, $1;", [](double x) { return 1 / std::sqrt(x); }}}) {
    std::vector<uint32_t> out = assembly(c.name, "f32", in);
    for (size_t i = 0; i < in.size(); ++i)
      EXPECT_NEAR(number(out[i]), c.reference(in[i]), 3e-7 * std::fabs(c.reference(in[i]))) << c.name;
  }
}

TEST_F(MathTest, ConvertsToTf32) {
  // Ties go away from zero.
  const std::vector<float> in = {number(0x3f801000), number(0x3f800fff), number(0xbf801000), 1.0f, number(0x7f800000)};
  const std::vector<uint32_t> expected = {0x3f802000, 0x3f800000, 0xbf802000, 0x3f800000, 0x7f800000};
  std::vector<uint32_t> out = apply("llvm.func @llvm.nvvm.f2tf32.rna(f32) -> i32",
                                    "%y = llvm.call @llvm.nvvm.f2tf32.rna(%x) : (f32) -> i32", "i32", in);
  std::vector<uint32_t> byAssembly = assembly("cvt.rna.tf32.f32 $0, $1;", "i32", in);
  for (size_t i = 0; i < in.size(); ++i) {
    EXPECT_EQ(out[i], expected[i]);
    EXPECT_EQ(byAssembly[i], expected[i]);
  }
}

TEST_F(MathTest, PacksPairs) {
  const std::vector<float> in = {1.0f, 3.14159f, -2.71828f, 65504.0f, 1e-7f};
  const std::string one = "%one = llvm.mlir.constant(1.0 : f32) : f32\n";
  std::vector<uint32_t> out = apply(
      "llvm.func @llvm.nvvm.ff2bf16x2.rn(f32, f32) -> vector<2xbf16>",
      one + "%y = llvm.call @llvm.nvvm.ff2bf16x2.rn(%x, %one) : (f32, f32) -> vector<2xbf16>", "vector<2xbf16>", in);
  std::vector<uint32_t> byAssembly =
      apply("", one + "%y = llvm.inline_asm \"cvt.rn.bf16x2.f32 $0, $1, $2;\", \"=r,f,f\" %x, %one : (f32, f32) -> i32",
            "i32", in);
  std::vector<uint32_t> half =
      apply("", one + "%y = llvm.inline_asm \"cvt.rn.f16x2.f32 $0, $1, $2;\", \"=r,f,f\" %x, %one : (f32, f32) -> i32",
            "i32", in);
  for (size_t i = 0; i < in.size(); ++i) {
    EXPECT_EQ(out[i], uint32_t(bfloats({in[i]})[0]) << 16 | 0x3f80); // the first operand is the upper half
    EXPECT_EQ(byAssembly[i], out[i]);
    EXPECT_EQ(half[i], uint32_t(halves({in[i]})[0]) << 16 | 0x3c00);
  }
}

TEST_F(MathTest, ConvertsToIntegers) {
  const std::vector<float> in = {2.5f, 3.5f, -2.5f, 3e9f, -1e30f, NAN};
  auto convert = [&](const std::string &name) {
    return apply("llvm.func @" + name + "(f32) -> i32", "%y = llvm.call @" + name + "(%x) : (f32) -> i32", "i32", in);
  };
  std::vector<uint32_t> nearest = convert("llvm.nvvm.f2i.rn"), zero = convert("llvm.nvvm.f2i.rz");
  std::vector<uint32_t> down = convert("llvm.nvvm.f2i.rm"), upUnsigned = convert("llvm.nvvm.f2ui.rp");
  const int32_t expectedNearest[] = {2, 4, -2, INT32_MAX, INT32_MIN, 0},
                expectedZero[] = {2, 3, -2, INT32_MAX, INT32_MIN, 0};
  const int32_t expectedDown[] = {2, 3, -3, INT32_MAX, INT32_MIN, 0};
  const uint32_t expectedUp[] = {3, 4, 0, 3000000000u, 0, 0};
  for (size_t i = 0; i < in.size(); ++i) {
    EXPECT_EQ(int32_t(nearest[i]), expectedNearest[i]);
    EXPECT_EQ(int32_t(zero[i]), expectedZero[i]);
    EXPECT_EQ(int32_t(down[i]), expectedDown[i]);
    EXPECT_EQ(upUnsigned[i], expectedUp[i]);
  }
}

TEST_F(MathTest, Arithmetic) {
  const std::vector<float> in = {-2.0f, 0.25f, 3.0f, NAN};
  std::vector<float> saturated = intrinsic("llvm.nvvm.saturate.f", in), size = intrinsic("llvm.nvvm.fabs.f32", in);
  EXPECT_EQ(saturated[0], 0.0f);
  EXPECT_EQ(saturated[1], 0.25f);
  EXPECT_EQ(saturated[2], 1.0f);
  EXPECT_EQ(saturated[3], 0.0f);
  EXPECT_EQ(size[0], 2.0f);
  auto binary = [&](const std::string &name) {
    return apply("llvm.func @" + name + "(f32, f32) -> f32",
                 "%two = llvm.mlir.constant(2.0 : f32) : f32\n%y = llvm.call @" + name +
                     "(%x, %two) : (f32, f32) -> f32",
                 "f32", in);
  };
  EXPECT_EQ(number(binary("llvm.nvvm.fmax.f")[3]), 2.0f);
  EXPECT_TRUE(std::isnan(number(binary("llvm.nvvm.fmin.nan.f")[3])));
  EXPECT_EQ(number(binary("llvm.nvvm.div.approx.f")[1]), 0.125f);
  EXPECT_EQ(number(binary("llvm.nvvm.mul.rn.f")[1]), 0.5f);
  std::vector<uint32_t> fused =
      apply("llvm.func @llvm.nvvm.fma.rn.f(f32, f32, f32) -> f32",
            "%y = llvm.call @llvm.nvvm.fma.rn.f(%x, %x, %x) : (f32, f32, f32) -> f32", "f32", in);
  EXPECT_EQ(number(fused[0]), 2.0f);
}

TEST_F(MathTest, FunctionsOfLibdevice) {
  std::vector<float> out = intrinsic("__nv_expf", {1.0f});
  EXPECT_EQ(out[0], std::exp(1.0f));
}

TEST_F(MathTest, OpaqueCopies) {
  std::vector<float> in = {1.0f, -2.0f};
  std::vector<uint32_t> copied = assembly("mov.b32 $0, $1;", "i32", in);
  EXPECT_EQ(copied[1], bits(-2.0f));
  // A fence and a tied operand without an instruction.
  std::vector<uint32_t> tied =
      apply("",
            "llvm.inline_asm has_side_effects \"fence.proxy.async.shared::cta; // comment\", \"\" : () -> ()\n"
            "%y = llvm.inline_asm has_side_effects \"\", \"=r,0\" %b : (i32) -> i32",
            "i32", in);
  EXPECT_EQ(tied[0], bits(1.0f));
}

TEST_F(MathTest, SixteenBitArithmetic) {
  std::vector<uint32_t> out = apply("",
                                    "%h = llvm.fptrunc %x : f32 to bf16\n%s = llvm.fmul %h, %h : bf16\n"
                                    "%y = llvm.fpext %s : bf16 to f32",
                                    "f32", {1.1f, 3.0f});
  float rounded = fromBfloat(bfloats({1.1f})[0]);
  EXPECT_EQ(number(out[0]), fromBfloat(bfloats({rounded * rounded})[0]));
  EXPECT_EQ(number(out[1]), 9.0f);
}

} // namespace
