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
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"
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

int main(int argc, char **argv) {
  llvm::SmallVector<char *> arguments(argv, argv + argc);
  if (!loadPassPlugins(arguments))
    return 1;
  mlir::DialectRegistry registry;
  bochner::registerDialects(registry);
  bochner::registerBochnerPasses();
  bochner::registerPhases();
  mlir::registerTransformsPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(arguments.size(), arguments.data(), "Bochner optimizer\n", registry));
}
