//===- VerifyPhase.cpp - the contracts between phases ---------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whoever resumes from an edited dump, adds a pass or writes a graph by hand learns here, in terms of what was written,
// what a later conversion would only call illegal.
//
//===----------------------------------------------------------------------===//
#include "lib/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/BuiltinOps.h"

namespace bochner {
#define GEN_PASS_DEF_VERIFYPHASEPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

static constexpr StringLiteral kGraphDialects[] = {"affine", "arith", "builtin",  "cf",     "func", "linalg",
                                                   "math",   "scf",   "spectral", "tensor", "ub"};

namespace {
struct VerifyPhase : bochner::impl::VerifyPhasePassBase<VerifyPhase> {
  using VerifyPhasePassBase::VerifyPhasePassBase;
  void runOnOperation() override;

private:
  void verifyGraph();
  void verifyFunction(func::FuncOp function);
  void verifyDerivatives();
  void verifyKernels();
  void verifyTarget();

  /// Reports a violation with its likely cause.
  void report(Operation *op, const Twine &message, const Twine &cause) {
    op->emitError(message).attachNote() << "likely cause: " << cause;
    failed = true;
  }
  bool failed = false;
};
} // namespace

/// What runtime/ModuleFormat.h has a name for.
static bool isBoundaryType(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || tensor.getEncoding())
    return false;
  Type element = tensor.getElementType();
  return isa<Float64Type, Float32Type, BFloat16Type, Float16Type>(element) || element.isSignlessInteger(64) ||
         element.isSignlessInteger(32) || element.isSignlessInteger(8) || element.isSignlessInteger(1);
}

void VerifyPhase::verifyFunction(func::FuncOp function) {
  if (function.isExternal())
    return report(function, "expected function '" + function.getName() + "' to have a body",
                  "it stands in another file; compiled code calls nothing outside of its module");
  if (function.isPublic()) {
    auto check = [&](TypeRange types, StringRef what) {
      for (auto [i, type] : llvm::enumerate(types))
        if (!isBoundaryType(type)) {
          InFlightDiagnostic error = function.emitError()
                                     << "expected " << what << " " << i << " of public function '" << function.getName()
                                     << "' to be a ranked tensor of f64, f32, bf16, f16, i64, i32, i8 or i1, but got "
                                     << type;
          error.attachNote() << "likely cause: a scalar (pass a tensor of rank 0) or a function that should be private";
          failed = true;
        }
    };
    check(function.getArgumentTypes(), "argument");
    check(function.getResultTypes(), "result");
  }
}

void VerifyPhase::verifyGraph() {
  ModuleOp module = getOperation();
  bool hasEntry = false;
  for (Operation &op : *module.getBody()) {
    auto function = dyn_cast<func::FuncOp>(op);
    if (!function) {
      report(&op, "expected a module of functions, but got '" + op.getName().getStringRef() + "'",
             "this phase has run already, or the file is not a graph");
      continue;
    }
    hasEntry |= function.isPublic();
    verifyFunction(function);
    function.walk([&](Operation *inner) {
      if (!llvm::is_contained(kGraphDialects, inner->getName().getDialectNamespace()))
        report(inner, "unsupported operation '" + inner->getName().getStringRef() + "' in a graph",
               "graphs are written with spectral, linalg, tensor, arith, math and scf");
      else if (isa<func::CallOp>(inner))
        report(inner, "cannot compile a call", "the function calls itself");
      else if (isa<cf::AssertOp>(inner))
        report(inner, "cannot compile an assertion",
               "the graph was exported with run-time checks; conditions of arguments are checked before a call");
    });
  }
  if (!hasEntry && !failed)
    report(module, "expected a public function to compile", "all functions are private or the file is empty");
}

void VerifyPhase::verifyDerivatives() {
  getOperation().walk([&](Operation *op) {
    if (isa<VjpOp, JvpOp>(op))
      report(op, "expected derivatives to be written out, but got '" + op->getName().getStringRef() + "'",
             "spectral-differentiate has not run");
  });
}

void VerifyPhase::verifyKernels() {
  getOperation().walk([&](func::FuncOp function) {
    if (function->hasAttr(kKernelAttr))
      return;
    function.walk([&](Operation *op) {
      if (isa<SpectralDialect>(op->getDialect()) && !isa<LaunchOp, YieldOp>(op))
        report(op, "expected '" + op->getName().getStringRef() + "' to be in a kernel function or written out",
               isa<FeatureMapOpInterface, LinearAttentionGradOp, ExactAttentionOp>(op)
                   ? "spectral-outline-kernels has not run"
                   : "spectral-decompose has not run, or has no plain form of this operation");
    });
  });
}

void VerifyPhase::verifyTarget() {
  Operation *leftCast = nullptr;
  getOperation().walk([&](Operation *op) {
    if (isa<UnrealizedConversionCastOp>(op))
      leftCast = op;
    else if (!isa<ModuleOp, gpu::GPUModuleOp>(op) &&
             !isa_and_present<LLVM::LLVMDialect, NVVM::NVVMDialect>(op->getDialect()))
      report(op, "expected only operations of the LLVM dialect, but got '" + op->getName().getStringRef() + "'",
             "the target has no conversion of this operation");
  });
  // Casts stay beside operations that were not converted; alone, they are a mistake of a conversion.
  if (leftCast && !failed)
    report(leftCast, "expected only operations of the LLVM dialect, but got a cast between types",
           "a pass converts a value and not its users");
}

void VerifyPhase::runOnOperation() {
  failed = false;
  if (phase == "target") {
    verifyTarget();
  } else if (llvm::is_contained({"graph", "differentiate", "fuse", "kernel"}, StringRef(phase))) {
    verifyGraph();
    if (phase != "graph")
      verifyDerivatives();
    if (phase == "kernel")
      verifyKernels();
  } else {
    getOperation().emitError()
        << "expected option 'phase' to be graph, differentiate, fuse, kernel or target, but got '" << phase.getValue()
        << "'";
    failed = true;
  }
  if (failed)
    return signalPassFailure();
  markAllAnalysesPreserved();
}
