//===- ConversionsTest.cpp - every 16-bit number ----------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Conversions between 16-bit floats and f32 or f64, in loops and in kernels, on CPUs with and without instructions for
// them. The reference is a table of all numbers of a format; rounding is a search in it.
//
//===----------------------------------------------------------------------===//
#include "Harness.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace bochner::test;

namespace {

/// A 16-bit format: 1 sign, then exponent and fraction.
struct Format {
  std::string name;
  int fractionBits;

  int exponentBits() const { return 15 - fractionBits; }
  uint16_t infinity() const { return uint16_t(((1 << exponentBits()) - 1) << fractionBits); }
  /// The number with these bits; infinity counts as the first number that is too large.
  double magnitude(uint16_t bits) const {
    int exponent = bits >> fractionBits, fraction = bits & ((1 << fractionBits) - 1),
        bias = (1 << (exponentBits() - 1)) - 1;
    if (exponent == 0)
      return std::ldexp(fraction, 1 - bias - fractionBits);
    return std::ldexp((1 << fractionBits) + fraction, exponent - bias - fractionBits);
  }
  bool isNan(uint16_t bits) const { return (bits & 0x7fff) > infinity(); }
  double decode(uint16_t bits) const {
    double value = isNan(bits) ? NAN : (bits & 0x7fff) == infinity() ? INFINITY : magnitude(bits & 0x7fff);
    return bits & 0x8000 ? -value : value;
  }
  /// The nearest number, the even one of two; `value` is a number.
  uint16_t encode(double value) const {
    uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    double wanted = std::fabs(value);
    int low = 0, high = infinity(); // magnitude(low) <= wanted < magnitude(high)
    if (wanted >= magnitude(infinity()))
      return sign | infinity();
    while (high - low > 1) {
      int middle = (low + high) / 2;
      (magnitude(uint16_t(middle)) <= wanted ? low : high) = middle;
    }
    double below = wanted - magnitude(uint16_t(low)), above = magnitude(uint16_t(high)) - wanted;
    bool up = above < below || (above == below && low % 2);
    return sign | uint16_t(up ? high : low);
  }
};

const Format kFormats[] = {{"bf16", 7}, {"f16", 10}};

/// Numbers of the type at, and beside, every border between two results, and everything else that is special.
template <typename T> std::vector<T> interesting(const Format &format) {
  std::vector<T> values{0, T(INFINITY), std::numeric_limits<T>::max(), std::numeric_limits<T>::min(),
                        std::numeric_limits<T>::denorm_min()};
  for (int bits = 0; bits < format.infinity(); ++bits) {
    double border = (format.magnitude(uint16_t(bits)) + format.magnitude(uint16_t(bits + 1))) / 2;
    for (T value : {T(border), T(format.magnitude(uint16_t(bits)))}) {
      values.push_back(value);
      values.push_back(std::nextafter(value, T(0)));
      values.push_back(std::nextafter(value, T(INFINITY)));
    }
  }
  Random random{7};
  for (int i = 0; i < 20000; ++i) {
    uint64_t bits = random.bits();
    T value;
    std::memcpy(&value, &bits, sizeof(T));
    if (!std::isnan(value))
      values.push_back(value);
    values.push_back(T(std::ldexp(1 + random.uniform(), int(random.below(60)) - 40)));
  }
  for (size_t i = 0, n = values.size(); i < n; ++i)
    values.push_back(-values[i]);
  return values;
}

DLDataType typeOf(const std::string &name) {
  return {uint8_t(name == "bf16" ? kDLBfloat : kDLFloat), uint8_t(name == "f64" ? 64 : name == "f32" ? 32 : 16), 1};
}

/// A function of one array, compiled for a CPU.
class Function {
public:
  Function(const std::string &text, const std::string &cpu, const std::string &route = "fused") {
    bochner_compile_options_t options = BOCHNER_COMPILE_OPTIONS_INIT;
    options.route = route.c_str();
    options.cpu = cpu.c_str();
    options.no_cache = 1;
    bochner_module_t *created = nullptr;
    std::string error = take(bochnerCompile(context(), text.data(), text.size(), &options, &created));
    EXPECT_EQ(error, "") << text;
    if (!error.empty())
      return;
    module.reset(created, bochnerDestroyModule);
    EXPECT_EQ(take(bochnerLookupFunction(created, "f", &function)), "");
  }

  template <typename From, typename To>
  std::vector<To> call(std::vector<From> in, const std::string &from, const std::string &to,
                       std::vector<int64_t> shape) {
    std::vector<To> out(in.size());
    if (!function)
      return out;
    DLTensor x{in.data(), {kDLCPU, 0}, int32_t(shape.size()), typeOf(from), shape.data(), nullptr, 0};
    DLTensor y{out.data(), {kDLCPU, 0}, int32_t(shape.size()), typeOf(to), shape.data(), nullptr, 0};
    const DLTensor *arguments[] = {&x};
    DLTensor *results[] = {&y};
    bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
    EXPECT_EQ(take(bochnerInvoke(function, arguments, 1, results, 1, &options)), "");
    return out;
  }

private:
  std::shared_ptr<bochner_module_t> module;
  const bochner_function_t *function = nullptr;
};

/// f(x) = op x, element by element.
std::string loops(const std::string &op, const std::string &from, const std::string &to) {
  return "#id = affine_map<(i) -> (i)>\n"
         "func.func @f(%x: tensor<?x" +
         from + ">) -> tensor<?x" + to +
         "> {\n"
         "  %c0 = arith.constant 0 : index\n"
         "  %n = tensor.dim %x, %c0 : tensor<?x" +
         from +
         ">\n"
         "  %init = tensor.empty(%n) : tensor<?x" +
         to +
         ">\n"
         "  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = [\"parallel\"]}\n"
         "      ins(%x : tensor<?x" +
         from + ">) outs(%init : tensor<?x" + to +
         ">) {\n"
         "  ^bb0(%a: " +
         from + ", %b: " + to +
         "):\n"
         "    %c = arith." +
         op + " %a : " + from + " to " + to +
         "\n"
         "    linalg.yield %c : " +
         to +
         "\n"
         "  } -> tensor<?x" +
         to +
         ">\n"
         "  return %y : tensor<?x" +
         to + ">\n}\n";
}

/// A kernel that loads 16-bit rows, computes with them in f32 and stores them in `to`.
std::string kernel(const std::string &from, const std::string &to) {
  std::string rows = "tensor<?x1x?x64x" + from + ">";
  return "func.func @f(%x: " + rows + ") -> tensor<?x1x?x64x" + to +
         "> {\n"
         "  %y = spectral.feature_map rows(%x : " +
         rows + ") features (%t: tensor<?x64x" + from +
         ">) {\n"
         "    %w = arith.extf %t : tensor<?x64x" +
         from +
         "> to tensor<?x64xf32>\n"
         "    spectral.yield %w : tensor<?x64xf32>\n"
         "  } -> tensor<?x1x?x64x" +
         to +
         ">\n"
         "  return %y : tensor<?x1x?x64x" +
         to + ">\n}\n";
}

std::vector<uint16_t> allBits() {
  std::vector<uint16_t> bits;
  for (int i = 0; i <= 0xffff; ++i)
    bits.push_back(uint16_t(i));
  return bits;
}

class Conversions : public testing::TestWithParam<const char *> {
protected:
  void SetUp() override {
    if (!canRun(GetParam()))
      GTEST_SKIP() << "this machine lacks features of " << GetParam();
  }

  template <typename T> void expectExtended(const Format &format, const std::vector<T> &got, const char *where) {
    int wrong = 0;
    for (int bits = 0; bits <= 0xffff; ++bits) {
      double expected = format.decode(uint16_t(bits));
      bool same = std::isnan(expected) ? std::isnan(got[size_t(bits)]) : got[size_t(bits)] == expected;
      wrong += !same || std::signbit(got[size_t(bits)]) != bool(bits & 0x8000);
    }
    EXPECT_EQ(wrong, 0) << format.name << " " << where << " on " << GetParam();
  }

  template <typename T> void checkBothWays(const Format &format, const std::string &wide, const std::string &route) {
    int64_t all = 0x10000;
    Function extend(loops("extf", format.name, wide), GetParam(), route);
    auto extended = extend.call<uint16_t, T>(allBits(), format.name, wide, {all});
    expectExtended(format, extended, "loops");

    // Back again: every number is itself.
    Function truncate(loops("truncf", wide, format.name), GetParam(), route);
    auto back = truncate.call<T, uint16_t>(extended, wide, format.name, {all});
    int wrong = 0;
    for (int bits = 0; bits <= 0xffff; ++bits)
      wrong += format.isNan(uint16_t(bits)) ? !format.isNan(back[size_t(bits)]) : back[size_t(bits)] != bits;
    EXPECT_EQ(wrong, 0) << format.name << " from " << wide << " on " << GetParam();

    std::vector<T> values = interesting<T>(format);
    auto rounded = truncate.call<T, uint16_t>(values, wide, format.name, {int64_t(values.size())});
    wrong = 0;
    for (size_t i = 0; i < values.size(); ++i)
      if (rounded[i] != format.encode(double(values[i])) && wrong++ < 3)
        ADD_FAILURE() << format.name << " from " << wide << " on " << GetParam() << ": " << values[i] << " became "
                      << format.decode(rounded[i]) << " instead of " << format.decode(format.encode(double(values[i])));
    EXPECT_EQ(wrong, 0);
  }
};

TEST_P(Conversions, areExactOrRoundToEven) {
  for (const Format &format : kFormats) {
    checkBothWays<float>(format, "f32", "fused");
    checkBothWays<double>(format, "f64", "decompose");
  }
}

TEST_P(Conversions, ofKernels) {
  for (const Format &format : kFormats) {
    std::vector<int64_t> shape{2, 1, 0x10000 / 2 / 64, 64};
    Function extend(kernel(format.name, "f32"), GetParam());
    expectExtended(format, extend.call<uint16_t, float>(allBits(), format.name, "f32", shape), "kernel");
    Function same(kernel(format.name, format.name), GetParam());
    auto stored = same.call<uint16_t, uint16_t>(allBits(), format.name, format.name, shape);
    int wrong = 0;
    for (int bits = 0; bits <= 0xffff; ++bits)
      wrong += format.isNan(uint16_t(bits)) ? !format.isNan(stored[size_t(bits)]) : stored[size_t(bits)] != bits;
    EXPECT_EQ(wrong, 0) << format.name << " on " << GetParam();
  }
}

INSTANTIATE_TEST_SUITE_P(Names, Conversions, testing::Values("x86-64", "x86-64-v3", "skylake-avx512", "host"),
                         [](const auto &info) {
                           std::string name = info.param;
                           for (char &c : name)
                             c = c == '-' ? '_' : c;
                           return name;
                         });

} // namespace
