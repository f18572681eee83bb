//===- Pipelines.cpp - the phases of compilation --------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See Pipelines.h. Two routes share the phases: `fused` and `decompose`. The second is the oracle of the first, so they
// share no kernels, no contraction loops and no polynomials.
//
//===----------------------------------------------------------------------===//
#include "lib/Pipelines/Pipelines.h"
#include "lib/Passes.h"
#include "lib/Target/CpuTarget.h"
#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVMPass.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MathToLibm/MathToLibm.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace bochner;

StringRef bochner::getPhaseName(Phase phase) {
  static constexpr StringLiteral names[] = {"graph", "differentiate", "fuse", "kernel", "target"};
  return names[unsigned(phase)];
}

std::optional<Phase> bochner::parsePhase(StringRef name) {
  for (Phase phase : kPhases)
    if (getPhaseName(phase) == name)
      return phase;
  return std::nullopt;
}

void PhaseOptions::setTarget(const CpuTarget &target) {
  vectorBits = target.vectorBits();
  fma = target.hasFma();
  f16c = target.hasF16c();
  bf16Dot = target.hasBf16();
}

static void addCleanup(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  pm.addNestedPass<func::FuncOp>(createCSEPass());
}

static void buildGraph(OpPassManager &pm) {
  pm.addPass(createInlinerPass({}, [](OpPassManager &) {})); // functions that graphs call; kernels do not exist yet
  pm.addNestedPass<func::FuncOp>(createSplitAggregatesPass());
  addCleanup(pm);
}

static void buildDifferentiate(OpPassManager &pm, bool fused) {
  pm.addPass(createDifferentiatePass(DifferentiatePassOptions{/*decompose=*/true, /*fuse=*/fused}));
  addCleanup(pm);
}

static void buildFuse(OpPassManager &pm, bool fused) {
  if (fused)
    buildFusion(pm.nest<func::FuncOp>());
}

static void buildKernel(OpPassManager &pm, bool fused, const PhaseOptions &options) {
  if (fused) {
    pm.addPass(createOutlineKernelsPass());
    ChooseSchedulePassOptions schedule;
    schedule.cpuVectorBits = options.vectorBits;
    schedule.bf16Dot = options.bf16Dot;
    pm.addNestedPass<func::FuncOp>(createChooseSchedulePass(schedule));
  }
  DecomposePassOptions decompose;
  if (fused) { // what did not fuse and is not outlined, on the host
    decompose.ops = {"constant_feature", "dropout", "fastfood", "gaussian_frequencies", "hadamard", "log_positive",
                     "merge_states",     "permute", "trig"};
    for (StringRef draw : {"bits", "normal", "orthogonal", "permutation", "signs"})
      decompose.ops.push_back(("random_" + draw).str());
  }
  pm.addPass(createDecomposePass(decompose));
  pm.addNestedPass<func::FuncOp>(createConvertElementwiseToLinalgPass()); // arith and math on whole tensors
  if (fused)
    pm.addNestedPass<func::FuncOp>(createFuseElementwisePass());
  addCleanup(pm);
}

/// Structured control flow, buffers and arithmetic to the LLVM dialect.
static void buildLLVM(OpPassManager &pm) {
  pm.addPass(createSCFToControlFlowPass());
  ConvertVectorToLLVMPassOptions vector;
  vector.reassociateFPReductions = true; // horizontal sums of vectors; scalar code has none
  pm.addPass(createConvertVectorToLLVMPass(vector));
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToLibmPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createUBToLLVMConversionPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
}

static void buildTarget(OpPassManager &pm, bool fused, const PhaseOptions &options) {
  bool onGpu = fused && options.device != "cpu";
  if (onGpu)
    pm.addPass(createEmitGpuKernelsPass(EmitGpuKernelsPassOptions{options.chip, options.tf32}));
  if (fused)
    pm.addPass(createEmitCpuKernelsPass(EmitCpuKernelsPassOptions{options.vectorBits, options.fma, options.bf16Dot}));
  pm.addPass(createBufferizePass());
  addCleanup(pm);
  if (fused)
    pm.addPass(createParallelizeHostPass());
  if (fused)
    pm.addNestedPass<func::FuncOp>(
        createVectorizeContractionsPass(VectorizeContractionsPassOptions{options.vectorBits, options.fma}));
  pm.addNestedPass<func::FuncOp>(createOrderLoopsPass());
  if (fused)
    pm.addNestedPass<func::FuncOp>(createSumRowsPass());
  pm.addNestedPass<func::FuncOp>(createConvertLinalgToLoopsPass());
  pm.addNestedPass<func::FuncOp>(createUnrollShortLoopsPass());
  pm.addNestedPass<func::FuncOp>(createExpandConversionsPass(ExpandConversionsPassOptions{options.f16c}));
  if (fused)
    pm.addNestedPass<func::FuncOp>(createExpandMathPass(ExpandMathPassOptions{options.fma}));
  pm.addPass(createPlanMemoryPass());
  pm.addPass(createLowerParallelForPass());
  if (onGpu) {
    pm.addPass(createLowerLaunchesPass(LowerLaunchesPassOptions{options.device}));
    OpPassManager &kernels = pm.nest<gpu::GPUModuleOp>();
    kernels.addPass(createCanonicalizerPass());
    kernels.addPass(createCSEPass());
  }
  pm.addPass(createMakeEntryPointsPass());
  addCleanup(pm);
  buildLLVM(pm);
}

void bochner::buildPhase(OpPassManager &pm, Phase phase, const PhaseOptions &options) {
  bool fused = options.route == "fused";
  switch (phase) {
  case Phase::graph:
    buildGraph(pm);
    break;
  case Phase::differentiate:
    buildDifferentiate(pm, fused);
    break;
  case Phase::fuse:
    buildFuse(pm, fused);
    break;
  case Phase::kernel:
    buildKernel(pm, fused, options);
    break;
  case Phase::target:
    buildTarget(pm, fused, options);
    break;
  }
  pm.addPass(createVerifyPhasePass(VerifyPhasePassOptions{getPhaseName(phase).str()}));
}

void bochner::registerPhases() {
  auto registerPhase = [](Phase phase, StringRef flag, StringRef description) {
    registerPassPipeline(
        flag, description,
        [phase](OpPassManager &pm, StringRef text, function_ref<LogicalResult(const Twine &)> errorHandler) {
          PhaseOptions options;
          if (failed(options.parseFromString(text)))
            return failure();
          buildPhase(pm, phase, options);
          return success();
        },
        [](function_ref<void(const detail::PassOptions &)> visit) { visit(PhaseOptions()); });
  };
  registerPhase(Phase::graph, "spectral-graph", "Phase graph: inline and simplify what the user wrote");
  registerPhase(Phase::differentiate, "spectral-differentiation", "Phase differentiate: write derivatives out");
  registerPhase(Phase::fuse, "spectral-fuse", "Phase fuse: sink row-wise operations into feature regions");
  registerPhase(Phase::kernel, "spectral-kernel", "Phase kernel: a function and a schedule for each fused operation");
  registerPhase(Phase::target, "spectral-target", "Phase target: buffers, loops and vectors in the LLVM dialect");
}
