//===- DiagnosticForwarder.h - errors of LLVM as diagnostics of MLIR -*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_TARGET_DIAGNOSTICFORWARDER_H
#define BOCHNER_LIB_TARGET_DIAGNOSTICFORWARDER_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/Support/raw_ostream.h"

namespace bochner {

/// Turns what LLVM reports about a module into diagnostics of MLIR; LLVM's own handler prints and exits.
class DiagnosticForwarder : public llvm::DiagnosticHandler {
public:
  DiagnosticForwarder(mlir::Location location, bool &sawError) : location(location), sawError(sawError) {}

  bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
    std::string text;
    llvm::raw_string_ostream stream(text);
    llvm::DiagnosticPrinterRawOStream printer(stream);
    info.print(printer);
    if (info.getSeverity() == llvm::DS_Error) {
      sawError = true;
      mlir::emitError(location) << "code generation failed: " << text;
    } else if (info.getSeverity() == llvm::DS_Warning) {
      mlir::emitWarning(location) << "code generation: " << text;
    }
    return true;
  }
  bool isAnyRemarkEnabled() const override { return false; }
  bool isAnalysisRemarkEnabled(llvm::StringRef) const override { return false; }
  bool isMissedOptRemarkEnabled(llvm::StringRef) const override { return false; }
  bool isPassedOptRemarkEnabled(llvm::StringRef) const override { return false; }

private:
  mlir::Location location;
  bool &sawError;
};

} // namespace bochner

#endif // BOCHNER_LIB_TARGET_DIAGNOSTICFORWARDER_H
