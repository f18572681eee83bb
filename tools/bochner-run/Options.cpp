//===- Options.cpp - the command line of bochner-run ---------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `--name VALUE` and `--name=VALUE`; each option stands in one table with what it does to the structure.
//
//===----------------------------------------------------------------------===//
#include "Options.h"
#include "Failure.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace bochner::run {

const char *const kUsage =
    R"(usage: bochner-run FILE [options]

Compiles a graph of kernelized attention and runs it. FILE is MLIR text, MLIR bytecode or a module that --emit wrote;
- is the standard input.

what to compile
  --entry NAME        the function to run (default: the only one)
  --route ROUTE       fused (default), or decompose: plain loops, without the recognizer and our kernels
  --device DEVICE     cpu (default), cuda or sim
  --chip CHIP         sm_80 (default), sm_86, sm_89 or sm_90a, for devices cuda and sim; for cuda, names behind a comma
                      get machine code as well (sm_80,sm_86,sm_90)
  --ptxas PATH        makes machine code for device cuda (default: of CUDA_HOME, of PATH); none: PTX only
  --tf32              devices cuda and sim may round f32 to tf32 before they multiply
  --sim-seed N        order in which device sim runs the threads of a block (default 0: as they are numbered)
  --cpu NAME          an LLVM CPU name such as x86-64-v3 (default: this machine)
  --cache-dir DIR     folder of compiled modules (default: BOCHNER_CACHE_DIR, else the user's cache folder)
  --no-cache          compile, whatever the cache has, and do not store
  --emit MODULE       write the compiled module
  --dump-dir DIR      write the IR of each phase; of devices cuda and sim also KERNEL.ptx, launch.json and tensors

inputs and results
  --in NAME=FILE.npy  an array; NAME=random:SHAPE[:SEED] draws one, for example q=random:2x8x1024x64:7
  --npz IN.npz        arrays by name; ignores those that the function does not take, converts between float types
  --out-npz OUT.npz   write the results by name
  --layout LAYOUT     axes of q, k, v, cot and of the results out and grad_q, grad_k, grad_v in these files:
                      bhnd (default), or bnhd, which is bound as a strided view
  q, k, v (or x) and lengths must be given if the function takes them; what else is missing is filled as bochner.init
  says. With --emit or --dump-dir and no inputs, the function is compiled and not run.

what to do
  --threads N         run on N threads (default: one for each CPU)
  --check             compare with route decompose in f64; exit status 2 if the error is above the limit
  --bench             warm up, repeat, and report time, GFLOP/s and the share of the FMA peak measured alongside
  --report            with device sim: what each kernel did, and the time that the limits of some GPUs allow it
  --json FILE         write what was measured as one JSON object
  --help, --version

exit status: 0 success, 1 user error (nothing is written), 2 check failed, 3 internal error
)";

namespace {

struct OptionInfo {
  const char *name;
  bool takesValue;
  void (*apply)(Options &options, const std::string &value);
};

std::string oneOf(const char *option, const std::string &value, std::initializer_list<const char *> known) {
  std::string list;
  for (const char *name : known) {
    if (value == name)
      return value;
    list += concat(list.empty() ? "" : ", ", name);
  }
  fail("expected ", option, " to be one of ", list, ", but got '", value, "'");
}

template <typename T> bool parseWhole(std::string_view text, T &value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

std::string nonEmpty(const char *option, const std::string &value) {
  if (value.empty())
    fail("expected a value for ", option, ", but got an empty one");
  return value;
}

/// 2x8x1024x64; the product must be a size in memory.
std::vector<int64_t> parseShape(std::string_view text, const std::string &option) {
  std::vector<int64_t> shape;
  int64_t elements = 1;
  while (true) {
    size_t end = std::min(text.find('x'), text.size());
    int64_t size = -1;
    if (!parseWhole(text.substr(0, end), size) || size < 0)
      fail("expected the shape in '--in ", option, "' to be sizes joined by 'x' such as 2x8x1024x64");
    if (__builtin_mul_overflow(elements, std::max<int64_t>(size, 1), &elements) || elements > (int64_t(1) << 46))
      fail("the shape in '--in ", option, "' is too large");
    shape.push_back(size);
    if (end == text.size())
      return shape;
    text.remove_prefix(end + 1);
  }
}

InputOption parseInput(const std::string &value) {
  size_t equals = value.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == value.size())
    fail("expected --in NAME=FILE.npy or --in NAME=random:SHAPE[:SEED], but got '", value, "'");
  InputOption input;
  input.name = value.substr(0, equals);
  std::string source = value.substr(equals + 1);
  constexpr std::string_view kRandom = "random:";
  if (source.compare(0, kRandom.size(), kRandom) != 0) {
    input.file = source;
    return input;
  }
  std::string_view rest = std::string_view(source).substr(kRandom.size());
  size_t colon = rest.find(':');
  if (colon != std::string_view::npos) {
    if (!parseWhole(rest.substr(colon + 1), input.seed))
      fail("expected the seed in '--in ", value, "' to be a number from 0 to 2^64 - 1");
    rest = rest.substr(0, colon);
  }
  input.shape = parseShape(rest, value);
  return input;
}

int32_t parseThreads(const std::string &value) {
  int32_t threads = 0;
  if (!parseWhole(value, threads) || threads < 1 || threads > 4096)
    fail("expected --threads to be a number from 1 to 4096, but got '", value, "'");
  return threads;
}

uint64_t parseSeed(const std::string &value) {
  uint64_t seed = 0;
  if (!parseWhole(value, seed))
    fail("expected --sim-seed to be a number that is not negative, but got '", value, "'");
  return seed;
}

/// The first one decides about kernels; the compiler looks at the others.
std::string parseChips(const std::string &value) {
  oneOf("--chip", value.substr(0, value.find(',')), {"sm_80", "sm_86", "sm_89", "sm_90a"});
  return value;
}

#define BOCHNER_APPLY(statement) [](Options &o, [[maybe_unused]] const std::string &v) { statement; }
const OptionInfo kOptions[] = {
    {"--entry", true, BOCHNER_APPLY(o.entry = nonEmpty("--entry", v))},
    {"--route", true, BOCHNER_APPLY((o.route = oneOf("--route", v, {"fused", "decompose"})))},
    {"--device", true, BOCHNER_APPLY((o.device = oneOf("--device", v, {"cpu", "cuda", "sim"})))},
    {"--chip", true, BOCHNER_APPLY(o.chip = parseChips(v))},
    {"--ptxas", true, BOCHNER_APPLY(o.ptxas = nonEmpty("--ptxas", v))},
    {"--tf32", false, BOCHNER_APPLY(o.tf32 = true)},
    {"--sim-seed", true, BOCHNER_APPLY(o.simSeed = parseSeed(v))},
    {"--cpu", true, BOCHNER_APPLY(o.cpu = nonEmpty("--cpu", v))},
    {"--threads", true, BOCHNER_APPLY(o.threads = parseThreads(v))},
    {"--layout", true,
     BOCHNER_APPLY((o.layout = oneOf("--layout", v, {"bhnd", "bnhd"}) == "bhnd" ? Layout::BHND : Layout::BNHD))},
    {"--in", true, BOCHNER_APPLY(o.inputs.push_back(parseInput(v)))},
    {"--npz", true, BOCHNER_APPLY(o.npz = nonEmpty("--npz", v))},
    {"--out-npz", true, BOCHNER_APPLY(o.outNpz = nonEmpty("--out-npz", v))},
    {"--emit", true, BOCHNER_APPLY(o.emit = nonEmpty("--emit", v))},
    {"--json", true, BOCHNER_APPLY(o.json = nonEmpty("--json", v))},
    {"--cache-dir", true, BOCHNER_APPLY(o.cacheDir = v)},
    {"--dump-dir", true, BOCHNER_APPLY(o.dumpDir = nonEmpty("--dump-dir", v))},
    {"--check", false, BOCHNER_APPLY(o.check = true)},
    {"--bench", false, BOCHNER_APPLY(o.bench = true)},
    {"--report", false, BOCHNER_APPLY(o.kernelReport = true)},
    {"--no-cache", false, BOCHNER_APPLY(o.noCache = true)},
    {"--help", false, BOCHNER_APPLY(o.help = true)},
    {"--version", false, BOCHNER_APPLY(o.version = true)},
};
#undef BOCHNER_APPLY

/// Number of edits between two names, for "did you mean".
size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t next = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = row[j];
      row[j] = next;
    }
  }
  return row.back();
}

const OptionInfo &lookup(const std::string &name) {
  const OptionInfo *nearest = nullptr;
  size_t least = 3;
  for (const OptionInfo &option : kOptions) {
    size_t distance = editDistance(name, option.name);
    if (distance == 0)
      return option;
    if (distance < least) {
      least = distance;
      nearest = &option;
    }
  }
  if (nearest)
    fail("unknown option '", name, "'; did you mean ", nearest->name, "?");
  fail("unknown option '", name, "'; bochner-run --help lists them");
}

/// What contradicts itself whatever the function is.
void verify(const Options &options) {
  if (options.file.empty())
    fail("expected FILE: MLIR text, bytecode or a module; see bochner-run --help");
  if (options.device == "cuda" && options.bench)
    fail("--bench measures devices cpu and sim, but the device is cuda");
  if (!options.ptxas.empty() && options.device != "cuda")
    fail("--ptxas applies to device cuda, but the device is ", options.device);
  if (options.chip && options.device == "cpu")
    fail("--chip applies to devices cuda and sim, but the device is cpu; --cpu names a CPU");
  if (options.tf32 && options.device == "cpu")
    fail("--tf32 applies to devices cuda and sim, but the device is cpu");
  if (options.simSeed && options.device != "sim")
    fail("--sim-seed applies to device sim, but the device is ", options.device);
  if (options.kernelReport && options.device != "sim")
    fail("--report counts what device sim does, but the device is ", options.device);
  for (size_t i = 0; i < options.inputs.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (options.inputs[i].name == options.inputs[j].name)
        fail("input '", options.inputs[i].name, "' is given twice");
}

} // namespace

Options parseOptions(int argc, const char *const *argv) {
  Options options;
  bool onlyFiles = false;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (!onlyFiles && argument == "--") {
      onlyFiles = true;
      continue;
    }
    if (onlyFiles || argument.size() < 2 || argument[0] != '-') {
      if (argument.empty())
        fail("expected FILE, but got an empty name");
      if (!options.file.empty())
        fail("expected one FILE, but got '", options.file, "' and '", argument, "'");
      options.file = std::move(argument);
      continue;
    }
    size_t equals = argument.find('=');
    std::string name = argument.substr(0, equals);
    const OptionInfo &option = lookup(name);
    std::string value;
    if (equals != std::string::npos) {
      if (!option.takesValue)
        fail(name, " takes no value, but got '", argument.substr(equals + 1), "'");
      value = argument.substr(equals + 1);
    } else if (option.takesValue) {
      if (++i == argc)
        fail("expected a value after ", name);
      value = argv[i];
    }
    option.apply(options, value);
  }
  if (!options.help && !options.version)
    verify(options);
  return options;
}

} // namespace bochner::run
