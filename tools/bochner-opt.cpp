//===- bochner-opt.cpp - the optimizer driver -----------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// mlir-opt's interface with the dialects, passes and phases of the project. Pass plugins named on the command line are
// loaded before options are registered, so that their passes are plain flags.
//
//===----------------------------------------------------------------------===//
#include "lib/Passes.h"
#include "lib/Pipelines/Pipelines.h"
#include "lib/Target/CpuTarget.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/raw_ostream.h"

/// Loads the plugins that `arguments` name and removes them from it; false, with a message, if one cannot be loaded.
static bool loadPassPlugins(llvm::SmallVectorImpl<char *> &arguments) {
  llvm::SmallVector<char *> rest;
  for (size_t i = 0; i < arguments.size(); ++i) {
    llvm::StringRef argument(arguments[i]);
    if (!argument.consume_front("--load-pass-plugin") && !argument.consume_front("-load-pass-plugin")) {
      rest.push_back(arguments[i]);
      continue;
    }
    if (!argument.consume_front("="))
      argument = i + 1 < arguments.size() ? llvm::StringRef(arguments[++i]) : llvm::StringRef();
    auto plugin = mlir::PassPlugin::load(argument.str());
    if (!plugin) {
      llvm::errs() << "error: " << llvm::toString(plugin.takeError()) << "\n";
      return false;
    }
    plugin->registerPassRegistryCallbacks();
  }
  arguments = rest;
  return true;
}

using bochner::Phase;

/// The phases that --compile-from and --compile-to name, and what they compile for.
struct PhaseFlags {
  llvm::cl::OptionCategory category{"Phases: graph, differentiate, fuse, kernel, target"};
  llvm::cl::opt<std::string> from{"compile-from", llvm::cl::value_desc("phase"),
                                  llvm::cl::desc("The first phase to run on the input; 'graph' by default"),
                                  llvm::cl::cat(category)};
  llvm::cl::opt<std::string> to{"compile-to", llvm::cl::value_desc("phase"),
                                llvm::cl::desc("The last phase to run; 'target' by default"), llvm::cl::cat(category)};
  llvm::cl::opt<std::string> route{"route", llvm::cl::desc("The route of the phases: 'fused' or 'decompose'"),
                                   llvm::cl::init("fused"), llvm::cl::cat(category)};
  llvm::cl::opt<std::string> cpu{"cpu", llvm::cl::value_desc("name"),
                                 llvm::cl::desc("The CPU that phases compile for, as LLVM calls it"),
                                 llvm::cl::init("host"), llvm::cl::cat(category)};

  bool areGiven() const { return from.getNumOccurrences() || to.getNumOccurrences(); }
  /// Appends the phases; fails, with a diagnostic, if a flag has no meaning.
  mlir::LogicalResult addPhases(mlir::PassManager &pm) const;
};

mlir::LogicalResult PhaseFlags::addPhases(mlir::PassManager &pm) const {
  auto error = [&] { return mlir::emitError(mlir::UnknownLoc::get(pm.getContext())); };
  std::optional<Phase> first = from.empty() ? Phase::graph : bochner::parsePhase(from);
  std::optional<Phase> last = to.empty() ? Phase::target : bochner::parsePhase(to);
  if (!first || !last)
    return error() << "expected phase graph, differentiate, fuse, kernel or target, but got '" << (first ? to : from)
                   << "'";
  if (*first > *last)
    return error() << "expected phase '" << to << "' to be '" << from << "' or one that follows it";
  if (route != "fused" && route != "decompose")
    return error() << "expected route 'fused' or 'decompose', but got '" << route << "'";
  mlir::FailureOr<bochner::CpuTarget> target = bochner::resolveCpuTarget(cpu, error);
  if (failed(target))
    return mlir::failure();
  bochner::PhaseOptions options;
  options.route = route.getValue();
  options.setTarget(*target);
  for (Phase phase : bochner::kPhases)
    if (*first <= phase && phase <= *last)
      bochner::buildPhase(pm, phase, options);
  return mlir::success();
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  llvm::SmallVector<char *> arguments(argv, argv + argc);
  if (!loadPassPlugins(arguments))
    return 1;
  mlir::DialectRegistry registry;
  bochner::registerDialects(registry);
  bochner::registerBochnerPasses();
  bochner::registerPhases();
  mlir::registerTransformsPasses();
  mlir::memref::registerResolveRankedShapeTypeResultDimsPass();
  PhaseFlags phases;
  auto [inputName, outputName] =
      mlir::registerAndParseCLIOptions(arguments.size(), arguments.data(), "Bochner optimizer\n", registry);
  mlir::MlirOptMainConfig config = mlir::MlirOptMainConfig::createFromCLOptions();
  if (phases.areGiven()) {
    // Passes that are named by flags of their own run first.
    config.setPassPipelineSetupFn([&phases, named = config](mlir::PassManager &pm) mutable {
      return failed(named.setupPassPipeline(pm)) ? mlir::failure() : phases.addPhases(pm);
    });
  }
  std::string error;
  std::unique_ptr<llvm::MemoryBuffer> input = mlir::openInputFile(inputName, &error);
  std::unique_ptr<llvm::ToolOutputFile> output = input ? mlir::openOutputFile(outputName, &error) : nullptr;
  if (!output) {
    llvm::errs() << error << "\n";
    return 1;
  }
  if (failed(mlir::MlirOptMain(output->os(), std::move(input), registry, config)))
    return 1;
  output->keep();
  return 0;
}
