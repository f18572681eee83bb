//===- RunModuleTest.cpp - compiled modules give the right numbers --------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Maps modules with a loader of thirty lines and calls them: relocations, imports, constants, conversions of 16-bit
// floats against APFloat. Targets beyond the machine's own features are skipped.
//
//===----------------------------------------------------------------------===//
#include "TargetTestUtils.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/TargetParser/Host.h"
#include <cmath>
#include <dlfcn.h>
#include <random>
#include <sys/mman.h>

using namespace bochner;
using llvm::StringRef;

namespace {

/// The file in memory at an address of the system's choice, relocated and protected.
class LoadedModule {
public:
  explicit LoadedModule(StringRef file) : parsed(file), size(file.size()) {
    base = static_cast<char *>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    memcpy(base, file.data(), size);
    for (const format::Import &import : parsed.tables.imports) {
      void *function = dlsym(RTLD_DEFAULT, import.name.c_str());
      EXPECT_NE(function, nullptr) << import.name;
      memcpy(base + import.slot, &function, 8);
    }
    for (const format::Relocation &relocation : parsed.tables.relocations) {
      char *target = base + relocation.target;
      memcpy(base + relocation.slot, &target, 8);
    }
    for (const auto &segment : llvm::cantFail(parsed.elf.getELFFile().program_headers()))
      EXPECT_EQ(mprotect(base + segment.p_vaddr, segment.p_memsz,
                         segment.p_flags & llvm::ELF::PF_X ? PROT_READ | PROT_EXEC : PROT_READ),
                0);
  }
  ~LoadedModule() { munmap(base, size); }

  template <typename Function> Function *get(StringRef name) {
    uint64_t address = parsed.address(name);
    EXPECT_NE(address, 0u) << name.str();
    return reinterpret_cast<Function *>(base + address);
  }

private:
  test::ParsedModule parsed;
  char *base;
  size_t size;
};

class RunModuleTest : public test::TargetTest {
protected:
  /// CPU names that this machine can run, most modest first.
  std::vector<StringRef> runnable() {
    auto host = llvm::sys::getHostCPUFeatures();
    std::vector<StringRef> names;
    for (StringRef name : {"x86-64", "x86-64-v2", "x86-64-v3", "skylake-avx512", "cooperlake", "host"})
      if (llvm::all_of(resolve(name)->features, [&](StringRef feature) { return host.lookup(feature); }))
        names.push_back(name);
    return names;
  }
};

TEST_F(RunModuleTest, relocationsAndImports) {
  constexpr StringRef source = R"(
    llvm.mlir.global internal constant @table() : !llvm.array<2 x ptr> {
      %u = llvm.mlir.undef : !llvm.array<2 x ptr>
      %a = llvm.mlir.addressof @double : !llvm.ptr
      %b = llvm.mlir.addressof @exponential : !llvm.ptr
      %0 = llvm.insertvalue %a, %u[0] : !llvm.array<2 x ptr>
      %1 = llvm.insertvalue %b, %0[1] : !llvm.array<2 x ptr>
      llvm.return %1 : !llvm.array<2 x ptr>
    }
    llvm.func @double(%x: f32) -> f32 {
      %y = llvm.fadd %x, %x : f32
      llvm.return %y : f32
    }
    llvm.func @exponential(%x: f32) -> f32 {
      %y = llvm.intr.exp(%x) : (f32) -> f32
      llvm.return %y : f32
    }
    llvm.func @f(%i: i64, %x: f32) -> f32 {
      %t = llvm.mlir.addressof @table : !llvm.ptr
      %e = llvm.getelementptr %t[0, %i] : (!llvm.ptr, i64) -> !llvm.ptr, !llvm.array<2 x ptr>
      %g = llvm.load %e : !llvm.ptr -> !llvm.ptr
      %y = llvm.call %g(%x) : !llvm.ptr, (f32) -> f32
      llvm.return %y : f32
    }
    llvm.func @fill(%p: !llvm.ptr, %n: i64) {
      %c = llvm.mlir.constant(7 : i8) : i8
      "llvm.intr.memset"(%p, %c, %n) <{isVolatile = false}> : (!llvm.ptr, i8, i64) -> ()
      llvm.return
    }
    llvm.func @fma(%p: !llvm.ptr) {
      %a = llvm.load %p : !llvm.ptr -> vector<20xf32>
      %c = llvm.mlir.constant(dense<0.75> : vector<20xf32>) : vector<20xf32>
      %b = llvm.intr.fma(%a, %c, %a) : (vector<20xf32>, vector<20xf32>, vector<20xf32>) -> vector<20xf32>
      llvm.store %b, %p : vector<20xf32>, !llvm.ptr
      llvm.return
    })";
  for (StringRef cpu : runnable()) {
    std::string file = compile(source, cpu, {"f", "fill", "fma"});
    ASSERT_FALSE(file.empty()) << diagnostics;
    LoadedModule module(file);
    auto *f = module.get<float(int64_t, float)>("f");
    EXPECT_EQ(f(0, 1.5f), 3.0f);
    EXPECT_EQ(f(1, 1.5f), std::exp(1.5f));
    std::vector<char> buffer(1000, 1);
    module.get<void(char *, int64_t)>("fill")(buffer.data(), 999);
    EXPECT_EQ(buffer[998], 7);
    EXPECT_EQ(buffer[999], 1);
    alignas(128) float values[32];
    for (int i = 0; i < 20; ++i)
      values[i] = 0.1f * i;
    module.get<void(float *)>("fma")(values);
    for (int i = 0; i < 20; ++i)
      EXPECT_EQ(values[i], std::fma(0.1f * i, 0.75f, 0.1f * i)) << cpu.str();
  }
}

uint64_t toBits(llvm::APFloat value, const llvm::fltSemantics &semantics) {
  bool inexact;
  value.convert(semantics, llvm::APFloat::rmNearestTiesToEven, &inexact);
  return value.bitcastToAPInt().getZExtValue();
}

template <typename T, typename Bits> T fromBits(Bits bits) {
  static_assert(sizeof(T) == sizeof(Bits));
  T value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/// Values where rounding decides, and a sample of all others.
std::vector<double> interestingValues() {
  std::vector<double> values = {0.0, INFINITY, 65504, 65519.999, 65520, 65536, 1e300, 3.4e38, 3.40282357e38, 1e-300};
  std::mt19937_64 random(1);
  for (int exponent = -160; exponent <= 140; ++exponent)
    for (int i = 0; i < 100; ++i) {
      // Few mantissa bits, so that ties occur, and half of the time one bit far behind them.
      double mantissa = 1.0 + double(random() % 8192) / 8192;
      values.push_back(std::ldexp(mantissa, exponent) * (i % 2 ? 1 + 0x1p-40 : 1));
      values.push_back(fromBits<double>(random() >> 1));
    }
  for (size_t i = 0, n = values.size(); i < n; ++i)
    values.push_back(-values[i]);
  llvm::erase_if(values, [](double value) { return std::isnan(value); });
  return values;
}

TEST_F(RunModuleTest, shortFloatConversions) {
  std::string source;
  for (StringRef shortType : {"f16", "bf16"})
    for (StringRef longType : {"f32", "f64"}) {
      std::string name = (shortType + "_" + longType).str();
      source += ("llvm.func @narrow_" + name + "(%p: !llvm.ptr, %q: !llvm.ptr) {\n  %x = llvm.load %p : !llvm.ptr -> " +
                 longType + "\n  %y = llvm.fptrunc %x : " + longType + " to " + shortType +
                 "\n  llvm.store %y, %q : " + shortType + ", !llvm.ptr\n  llvm.return\n}\n" + "llvm.func @widen_" +
                 name + "(%p: !llvm.ptr, %q: !llvm.ptr) {\n  %x = llvm.load %p : !llvm.ptr -> " + shortType +
                 "\n  %y = llvm.fpext %x : " + shortType + " to " + longType + "\n  llvm.store %y, %q : " + longType +
                 ", !llvm.ptr\n  llvm.return\n}\n")
                    .str();
    }
  const std::vector<double> values = interestingValues();
  using Convert = void(const void *, void *);
  for (StringRef cpu : runnable()) {
    std::string file = compile(source, cpu,
                               {"narrow_f16_f32", "narrow_f16_f64", "narrow_bf16_f32", "narrow_bf16_f64",
                                "widen_f16_f32", "widen_f16_f64", "widen_bf16_f32", "widen_bf16_f64"});
    ASSERT_FALSE(file.empty()) << cpu.str() << ": " << diagnostics;
    EXPECT_EQ(test::ParsedModule(file).imports(), "");
    LoadedModule module(file);
    const bool hasBf16 = resolve(cpu)->hasBf16();
    for (bool brain : {false, true}) {
      const llvm::fltSemantics &semantics = brain ? llvm::APFloat::BFloat() : llvm::APFloat::IEEEhalf();
      auto *narrowFloat = module.get<Convert>(brain ? "narrow_bf16_f32" : "narrow_f16_f32");
      auto *narrowDouble = module.get<Convert>(brain ? "narrow_bf16_f64" : "narrow_f16_f64");
      int wrong = 0;
      for (double value : values) {
        uint16_t got = 0;
        float single = value;
        // The conversion instructions for bf16 flush subnormal results and operands to zero.
        auto flushed = [&](double operand) { return brain && hasBf16 && std::fabs(operand) < 0x1p-126; };
        narrowFloat(&single, &got);
        if (!flushed(single) && got != toBits(llvm::APFloat(single), semantics))
          ++wrong;
        narrowDouble(&value, &got);
        if (!flushed(value) && got != toBits(llvm::APFloat(value), semantics))
          ++wrong;
      }
      float nan = NAN;
      uint16_t got = 0;
      narrowFloat(&nan, &got);
      EXPECT_TRUE(llvm::APFloat(semantics, llvm::APInt(16, got)).isNaN());
      EXPECT_EQ(wrong, 0) << cpu.str() << (brain ? " bf16" : " f16");

      auto *widenFloat = module.get<Convert>(brain ? "widen_bf16_f32" : "widen_f16_f32");
      auto *widenDouble = module.get<Convert>(brain ? "widen_bf16_f64" : "widen_f16_f64");
      for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
        uint16_t operand = bits;
        float single;
        double wide;
        widenFloat(&operand, &single);
        widenDouble(&operand, &wide);
        llvm::APFloat exact(semantics, llvm::APInt(16, bits));
        bool good = exact.isNaN() ? std::isnan(single) && std::isnan(wide)
                                  : fromBits<uint32_t>(single) == toBits(exact, llvm::APFloat::IEEEsingle()) &&
                                        fromBits<uint64_t>(wide) == toBits(exact, llvm::APFloat::IEEEdouble());
        ASSERT_TRUE(good) << cpu.str() << (brain ? " bf16 " : " f16 ") << bits;
      }
    }
  }
}

} // namespace
