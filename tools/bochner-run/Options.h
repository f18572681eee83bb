//===- Options.h - the command line of bochner-run ------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Turns argv into a structure. Knows nothing of files or functions; whatever is wrong with the command line alone is
// reported here, as a Failure.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_OPTIONS_H
#define BOCHNER_TOOLS_RUN_OPTIONS_H

#include "Layout.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bochner::run {

/// --in NAME=FILE.npy or NAME=random:SHAPE[:SEED].
struct InputOption {
  std::string name;
  std::string file; ///< empty: random
  std::vector<int64_t> shape;
  uint64_t seed = 0;
};

struct Options {
  std::string file; ///< "-": standard input
  std::string entry;
  std::optional<std::string> route, cpu, chip;
  std::string device = "cpu";
  std::string ptxas;
  int32_t threads = 0; ///< 0: all
  std::optional<uint64_t> simSeed;
  Layout layout = Layout::BHND;
  std::vector<InputOption> inputs;
  std::optional<std::string> npz, outNpz, emit, json, cacheDir, dumpDir;
  bool tf32 = false, kernelReport = false, check = false, bench = false, noCache = false, help = false, version = false;

  /// Whether the function is to be called. Without any input, --emit and --dump-dir only compile.
  bool wantsRun() const { return !inputs.empty() || npz || outNpz || check || bench || !(emit || dumpDir); }
};

/// Throws Failure for a command line that cannot be meant.
Options parseOptions(int argc, const char *const *argv);

/// The text of --help.
extern const char *const kUsage;

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_OPTIONS_H
