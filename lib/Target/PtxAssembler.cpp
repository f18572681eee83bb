//===- PtxAssembler.cpp - PTX to machine code by ptxas --------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A process with temporary files, because libraries that assemble PTX come with the toolkit only.
//
//===----------------------------------------------------------------------===//
#include "lib/Target/PtxAssembler.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace bochner {

std::string findPtxas(StringRef asked) {
  if (!asked.empty())
    return asked == "none" ? "" : asked.str();
  auto inFolder = [](StringRef root) {
    SmallString<128> path(root);
    sys::path::append(path, "bin", "ptxas");
    return sys::fs::can_execute(path) ? path.str().str() : std::string();
  };
  if (std::optional<std::string> home = sys::Process::GetEnv("CUDA_HOME"))
    if (std::string path = inFolder(*home); !path.empty())
      return path;
  if (ErrorOr<std::string> path = sys::findProgramByName("ptxas"))
    return *path;
  return inFolder("/usr/local/cuda");
}

static std::string readText(StringRef path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(path);
  return buffer ? (*buffer)->getBuffer().str() : std::string();
}

mlir::FailureOr<std::string> assemblePtx(StringRef ptxas, StringRef ptx, StringRef chip, mlir::Location location) {
  SmallString<128> paths[3];
  static constexpr StringLiteral kSuffixes[] = {"ptx", "cubin", "txt"};
  SmallVector<FileRemover> removers(3);
  for (int i = 0; i < 3; ++i) {
    if (std::error_code error = sys::fs::createTemporaryFile("bochner", kSuffixes[i], paths[i]))
      return mlir::emitError(location) << "cannot write a temporary file for ptxas: " << error.message();
    removers[i].setFile(paths[i]);
  }
  std::error_code error;
  raw_fd_ostream file(paths[0], error);
  file << ptx;
  file.close();
  if (file.has_error())
    error = file.error();
  file.clear_error();
  if (error)
    return mlir::emitError(location) << "cannot write '" << paths[0] << "' for ptxas: " << error.message();
  std::string architecture = ("-arch=" + chip).str(), failure;
  StringRef arguments[] = {ptxas, architecture, "-O3", paths[0], "-o", paths[1]};
  std::optional<StringRef> redirects[] = {StringRef(), StringRef(paths[2]), StringRef(paths[2])};
  bool failedToRun = false;
  int status = sys::ExecuteAndWait(ptxas, arguments, std::nullopt, redirects, /*SecondsToWait=*/0, /*MemoryLimit=*/0,
                                   &failure, &failedToRun);
  if (failedToRun)
    return mlir::emitError(location) << "cannot run '" << ptxas << "': " << failure
                                     << "; name another ptxas, or none to do without";
  if (status != 0)
    return mlir::emitError(location) << "'" << ptxas << "' refused the code for " << chip << ": "
                                     << StringRef(readText(paths[2]) + failure).trim();
  return readText(paths[1]);
}

} // namespace bochner
