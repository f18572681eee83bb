//===- bochner-gen.cpp - prints graphs of kernelized attention ------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Prints the unfused graph that its options mean; lib/Graphs reads the options and builds it. Exit status: 0 success,
// 1 user error (message on stderr, nothing on stdout), 3 internal.
//
//===----------------------------------------------------------------------===//
#include "lib/Graphs/Command.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace bochner::graphs;

static int reportError(llvm::Error error) {
  bool internal = error.isA<MalformedGraph>();
  llvm::errs() << "bochner-gen: " << (internal ? "internal error: " : "error: ") << llvm::toString(std::move(error))
               << "\n";
  return internal ? 3 : 1;
}

/// Writes all of the text or says why not.
static int write(llvm::StringRef text) {
  llvm::outs() << text;
  llvm::outs().flush();
  if (!llvm::outs().has_error())
    return 0;
  std::error_code code = llvm::outs().error();
  llvm::outs().clear_error();
  return reportError(llvm::createStringError("cannot write to stdout: " + code.message()));
}

int main(int argc, char **argv) {
  llvm::SmallVector<llvm::StringRef> arguments(argv + 1, argv + argc);
  auto command = parseCommand(arguments);
  if (!command)
    return reportError(command.takeError());
  auto text = runCommand(*command);
  return text ? write(*text) : reportError(text.takeError());
}
