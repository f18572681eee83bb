//===- Command.h - options of graphs, as bochner-gen spells them -*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From a list of options to the text of a graph. One spelling serves bochner-gen, the C API and the bindings.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_GRAPHS_COMMAND_H
#define BOCHNER_LIB_GRAPHS_COMMAND_H

#include "lib/Graphs/Graphs.h"

namespace bochner::graphs {

/// What a list of options asks for.
struct GraphCommand {
  GraphOptions graph;
  bool help = false; ///< the list of options instead of a graph
};

/// A defect of the library: options were accepted, and what they gave does not verify. All other errors are the user's.
struct MalformedGraph : llvm::ErrorInfo<MalformedGraph> {
  static char ID;
  void log(llvm::raw_ostream &out) const override;
  std::error_code convertToErrorCode() const override;
};

/// Reads `--name`, `--name value` or `--name=value`, in any order but that options behind a `--map` belong to it.
llvm::Expected<GraphCommand> parseCommand(llvm::ArrayRef<llvm::StringRef> arguments);

/// The text of the graph, or of the help.
llvm::Expected<std::string> runCommand(const GraphCommand &command);

/// The list of options.
void printHelp(llvm::raw_ostream &out);

} // namespace bochner::graphs

#endif // BOCHNER_LIB_GRAPHS_COMMAND_H
