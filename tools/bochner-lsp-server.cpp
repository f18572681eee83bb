//===- bochner-lsp-server.cpp - language server for editors ---------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// mlir-lsp-server with the dialects of the project: diagnostics while typing, hover, definitions. Editors find it by
// the setting `mlir.server_path` of the MLIR extension.
//
//===----------------------------------------------------------------------===//
#include "lib/Passes.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  bochner::registerDialects(registry);
  return failed(mlir::MlirLspServerMain(argc, argv, registry));
}
