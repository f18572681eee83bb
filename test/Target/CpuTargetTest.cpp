//===- CpuTargetTest.cpp - names of CPUs ----------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What names resolve to, and that every name that is accepted can be compiled for.
//
//===----------------------------------------------------------------------===//
#include "TargetTestUtils.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/X86TargetParser.h"

using namespace bochner;
using llvm::StringRef;

namespace {

class CpuTargetTest : public test::TargetTest {};

TEST_F(CpuTargetTest, resolvesLevelsAndModels) {
  struct {
    StringRef name;
    unsigned vectorBits;
    bool fma, f16c, bf16;
  } cases[] = {{"x86-64", 128, false, false, false},      {"x86-64-v2", 128, false, false, false},
               {"sandybridge", 256, false, false, false}, {"ivybridge", 256, false, true, false},
               {"x86-64-v3", 256, true, true, false},     {"skylake-avx512", 512, true, true, false},
               {"x86-64-v4", 512, true, true, false},     {"cooperlake", 512, true, true, true},
               {"znver3", 256, true, true, false},        {"znver5", 512, true, true, true}};
  for (const auto &expected : cases) {
    auto target = resolve(expected.name);
    ASSERT_TRUE(succeeded(target)) << expected.name.str();
    EXPECT_EQ(target->name, expected.name);
    EXPECT_EQ(target->vectorBits(), expected.vectorBits) << target->name;
    EXPECT_EQ(target->hasFma(), expected.fma) << target->name;
    EXPECT_EQ(target->hasF16c(), expected.f16c) << target->name;
    EXPECT_EQ(target->hasBf16(), expected.bf16) << target->name;
  }
  EXPECT_EQ(resolve("x86-64")->featureString(), "");
  EXPECT_EQ(resolve("x86-64-v3")->featureString(),
            "+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+lzcnt,+bmi,+bmi2,+movbe,+avx,+f16c,+fma,+avx2");
  EXPECT_EQ(diagnostics, "");
}

TEST_F(CpuTargetTest, hostUsesOnlyWhatTheHostHas) {
  auto target = resolve("host");
  ASSERT_TRUE(succeeded(target));
  EXPECT_NE(target->name, "host");
  auto host = llvm::sys::getHostCPUFeatures();
  for (StringRef feature : target->features)
    EXPECT_TRUE(host.lookup(feature)) << feature.str();
}

TEST_F(CpuTargetTest, unknownNamesAreErrors) {
  for (StringRef name : {"foo", "", "pentium3", "apple-m1", "HOST", "x86-64-v9", "sm_80"}) {
    diagnostics.clear();
    EXPECT_TRUE(failed(resolve(name)));
    EXPECT_TRUE(StringRef(diagnostics)
                    .starts_with(("expected an x86-64 CPU name for LLVM 22.1, but got '" + name + "'\nnote: ").str()))
        << diagnostics;
  }
  diagnostics.clear();
  EXPECT_TRUE(failed(resolve("skylake-avx51")));
  EXPECT_NE(diagnostics.find("note: did you mean 'skylake-avx512'?"), std::string::npos) << diagnostics;
  diagnostics.clear();
  EXPECT_TRUE(failed(resolve("frobnicator")));
  EXPECT_NE(diagnostics.find("lists all names"), std::string::npos) << diagnostics;
}

/// LLVM knows the name, and enables nothing beyond the list that the runtime checks.
TEST_F(CpuTargetTest, everyKnownNameHasACompleteFeatureList) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86TargetMC();
  std::string error;
  llvm::Triple triple("x86_64-unknown-linux");
  const llvm::Target *x86 = llvm::TargetRegistry::lookupTarget(triple, error);
  ASSERT_NE(x86, nullptr) << error;
  auto enabled = [&](StringRef cpu, StringRef features) {
    std::unique_ptr<llvm::MCSubtargetInfo> info(x86->createMCSubtargetInfo(triple, cpu, features));
    std::vector<std::string> names;
    for (const auto &feature : info->getEnabledProcessorFeatures())
      names.push_back(feature.Key);
    return names;
  };
  std::unique_ptr<llvm::MCSubtargetInfo> baseline(x86->createMCSubtargetInfo(triple, kBaselineCpu, ""));
  std::vector<std::string> base = enabled(kBaselineCpu, "");

  llvm::SmallVector<StringRef, 128> known;
  llvm::X86::fillValidCPUArchList(known, /*Only64Bit=*/true);
  ASSERT_GT(known.size(), 50u);
  for (StringRef name : known) {
    auto target = resolve(name);
    ASSERT_TRUE(succeeded(target)) << name.str();
    EXPECT_TRUE(baseline->isCPUStringValid(name)) << name.str();
    for (const std::string &feature : enabled(kBaselineCpu, target->featureString()))
      EXPECT_TRUE(target->has(feature) || llvm::is_contained(base, feature)) << name.str() << ": " << feature;
  }
}

TEST_F(CpuTargetTest, everyKnownNameCompiles) {
  llvm::SmallVector<StringRef, 128> known;
  llvm::X86::fillValidCPUArchList(known, /*Only64Bit=*/true);
  known.push_back("host");
  for (StringRef name : known) {
    std::string file = compile(R"(
      llvm.func @f(%p: !llvm.ptr) {
        %a = llvm.load %p : !llvm.ptr -> vector<32xf32>
        %b = llvm.intr.fma(%a, %a, %a) : (vector<32xf32>, vector<32xf32>, vector<32xf32>) -> vector<32xf32>
        llvm.store %b, %p : vector<32xf32>, !llvm.ptr
        llvm.return
      })",
                               name, {"f"});
    ASSERT_FALSE(file.empty()) << name.str() << ": " << diagnostics;
    test::ParsedModule module(file);
    EXPECT_EQ(module.info.features, resolve(name)->featureString());
    EXPECT_EQ(module.imports(), resolve(name)->hasFma() ? "" : "fmaf") << name.str();
  }
}

} // namespace
