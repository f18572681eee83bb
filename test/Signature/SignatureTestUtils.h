//===- SignatureTestUtils.h - describe functions in tests -------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A fixture that runs the phases before the description, takes the description and writes its parts as text: "q.0" is
// dimension 0 of argument q, "64" a constant.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TEST_SIGNATURE_SIGNATURETESTUTILS_H
#define BOCHNER_TEST_SIGNATURE_SIGNATURETESTUTILS_H

#include "lib/Jit/ShapeGraph.h"
#include "lib/Jit/Signature.h"
#include "lib/Passes.h"
#include "lib/Pipelines/Pipelines.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"
#include "gtest/gtest.h"
#include <map>
#include <string>

namespace bochner::test {

inline mlir::DialectRegistry makeRegistry() {
  mlir::DialectRegistry registry;
  registerDialects(registry);
  return registry;
}

class SignatureTest : public testing::Test {
protected:
  SignatureTest() : context(makeRegistry(), mlir::MLIRContext::Threading::DISABLED) {
    context.printOpOnDiagnostic(false);
    context.getDiagEngine().registerHandler(
        [this](mlir::Diagnostic &diagnostic) { diagnostics += diagnostic.str() + "\n"; });
  }

  /// Runs the phases before the description.
  void prepare(mlir::ModuleOp module, llvm::StringRef route) {
    PhaseOptions options;
    options.route = route.str();
    for (Phase phase : {Phase::graph, Phase::differentiate, Phase::fuse}) {
      if (phase == Phase::differentiate)
        shapes = buildShapeGraph(module);
      mlir::PassManager passes(&context);
      buildPhase(passes, phase, options);
      ASSERT_TRUE(mlir::succeeded(passes.run(module))) << diagnostics;
    }
  }

  /// The description of the one function of a module; empty, after a failure, if there is none.
  format::FunctionInfo describe(mlir::ModuleOp module) {
    auto info = describeModule(module, /*ownsKernels=*/true, shapes.get());
    if (mlir::failed(info) || info->functions.size() != 1) {
      ADD_FAILURE() << "expected one description: " << diagnostics;
      return {};
    }
    return std::move(info->functions[0]);
  }

  mlir::OwningOpRef<mlir::ModuleOp> parse(llvm::StringRef source) {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(source, &context);
    EXPECT_TRUE(module) << diagnostics;
    return module;
  }

  /// Describes a function as it is written.
  format::FunctionInfo describe(llvm::StringRef source) {
    auto module = parse(source);
    shapes = nullptr;
    return module ? describe(*module) : format::FunctionInfo();
  }

  /// The diagnostics of a module that has no description.
  std::string refusal(llvm::StringRef source) {
    auto module = parse(source);
    EXPECT_TRUE(module && mlir::failed(describeModule(*module))) << "expected no description";
    return diagnostics;
  }

  static std::string str(const format::FunctionInfo &info, const format::DimRef &ref) {
    if (ref.argument == format::DimRef::kConstant)
      return std::to_string(ref.dim);
    return info.arguments.at(ref.argument).name + "." + std::to_string(ref.dim);
  }

  static std::string equalities(const format::FunctionInfo &info) {
    std::vector<std::string> pairs;
    for (const format::EqualDims &pair : info.equalDims)
      pairs.push_back(str(info, pair.left) + "=" + str(info, pair.right));
    return llvm::join(pairs, " ");
  }

  static std::string dims(const format::FunctionInfo &info, size_t result = 0) {
    std::vector<std::string> refs;
    for (const format::DimRef &ref : info.results.at(result).dims)
      refs.push_back(str(info, ref));
    return llvm::join(refs, " ");
  }

  static std::string ranges(const format::FunctionInfo &info) {
    std::vector<std::string> all;
    for (const format::ValueRange &range : info.ranges)
      all.push_back(info.arguments.at(range.argument).name + " in [" + str(info, range.low) + ", " +
                    str(info, range.high) + "]");
    return llvm::join(all, "; ");
  }

  /// The cost of a call whose dynamic dimensions have the sizes that their names in bochner.dims are given.
  static double evaluate(const format::FunctionInfo &info, const std::vector<format::CostTerm> &terms,
                         const std::map<std::string, double> &sizes) {
    double sum = 0;
    for (const format::CostTerm &term : terms) {
      double product = term.coefficient;
      for (const format::DimRef &ref : term.dims)
        product *= ref.argument == format::DimRef::kConstant
                       ? double(ref.dim)
                       : sizes.at(info.arguments.at(ref.argument).dimNames.at(size_t(ref.dim)));
      sum += product;
    }
    return sum;
  }

  mlir::MLIRContext context;
  std::string diagnostics;
  mlir::OwningOpRef<mlir::ModuleOp> shapes; ///< of the module that was prepared last; null for its own
};

} // namespace bochner::test

#endif // BOCHNER_TEST_SIGNATURE_SIGNATURETESTUTILS_H
