//===- main.cpp - bochner-run --------------------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiles a graph or loads a module, binds arrays to the arguments of a function, calls it, and reports. Results are
// written when everything has succeeded; the parts are in the other files of this folder.
//
//===----------------------------------------------------------------------===//
#include "Bench.h"
#include "Bind.h"
#include "Check.h"
#include "Clock.h"
#include "File.h"
#include "Npz.h"
#include "Options.h"
#include "Report.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>

using namespace bochner::run;

static void printMessage(const char *severity, const char *message) {
  std::fprintf(stderr, "bochner-run: %s: %s\n", severity, message);
}

namespace {

/// The files that a run writes. Checked before it starts, put in their places after all of it has succeeded.
struct Outputs {
  explicit Outputs(const Options &options);
  /// `results` are those of `signature`; there are none if the function was not called.
  void writeAll(const Options &options, const bochner_module_t *module, const Signature *signature,
                const std::vector<Tensor> &results, const Report &report);

  std::unique_ptr<OutputFile> module, npz, json;
};

class Runner {
public:
  Runner(const Options &options, const ProcessClock &clock) : options(options), clock(clock) {}
  ExitStatus run();

private:
  void createContext();
  Module compile(const char *route, const char *elementType);
  Module loadOrCompile();
  const bochner_function_t *lookup(const bochner_module_t *module) const;
  void call(const Signature &signature, const bochner_module_info_t &info);
  Timing repeat(const Signature &signature, const bochner_module_info_t &info) const;
  void checkAgainstReference(const Signature &signature);

  const Options &options;
  const ProcessClock &clock;
  FileContent source;
  Context context;
  std::vector<Tensor> arguments, results;
  Report report;
};

} // namespace

//===----------------------------------------------------------------------===//
// Outputs
//===----------------------------------------------------------------------===//

Outputs::Outputs(const Options &options) {
  auto prepare = [](const std::optional<std::string> &path) {
    return path ? std::make_unique<OutputFile>(*path) : nullptr;
  };
  module = prepare(options.emit);
  npz = prepare(options.outNpz);
  json = prepare(options.json);
  const OutputFile *all[] = {module.get(), npz.get(), json.get()};
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < i; ++j)
      if (all[i] && all[j] && all[i]->path() == all[j]->path())
        fail("expected --emit, --out-npz and --json to name different files, but got '", all[i]->path(), "' twice");
}

void Outputs::writeAll(const Options &options, const bochner_module_t *compiled, const Signature *signature,
                       const std::vector<Tensor> &results, const Report &report) {
  if (module)
    check(bochnerSaveModule(compiled, module->temporaryPath().c_str()));
  if (npz) {
    std::vector<NamedTensor> arrays;
    for (size_t i = 0; i < results.size(); ++i) {
      std::string name = signature->results[i]->name;
      arrays.push_back({name, results[i].permuted(inverted(fileAxes(options.layout, name, results[i].rank())))});
    }
    npz->open();
    writeNpz(*npz, arrays);
  }
  if (json) {
    json->open();
    json->write(toJson(report));
  }
  for (OutputFile *file : {module.get(), npz.get(), json.get()})
    if (file)
      file->commit();
}

//===----------------------------------------------------------------------===//
// Compiling
//===----------------------------------------------------------------------===//

static void logMessage(void *, bochner_severity_t severity, const char *message) {
  printMessage(severity == BOCHNER_SEVERITY_ERROR     ? "error"
               : severity == BOCHNER_SEVERITY_WARNING ? "warning"
                                                      : "note",
               message);
}

static const char *textOrNull(const std::optional<std::string> &text) { return text ? text->c_str() : nullptr; }

void Runner::createContext() {
  bochner_context_options_t contextOptions = BOCHNER_CONTEXT_OPTIONS_INIT;
  contextOptions.cache_dir = textOrNull(options.cacheDir);
  contextOptions.threads = options.threads;
  contextOptions.log = logMessage;
  bochner_context_t *created;
  check(bochnerCreateContext(&contextOptions, &created));
  context.reset(created);
}

Module Runner::compile(const char *route, const char *elementType) {
  bochner_compile_options_t compileOptions = BOCHNER_COMPILE_OPTIONS_INIT;
  compileOptions.source_name = options.file == "-" ? "<stdin>" : options.file.c_str();
  compileOptions.route = route;
  // The reference has no kernels; it runs on the CPU.
  compileOptions.device = elementType ? "cpu" : options.device.c_str();
  compileOptions.chip = textOrNull(options.chip);
  compileOptions.tf32 = options.tf32;
  compileOptions.ptxas = options.ptxas.empty() ? nullptr : options.ptxas.c_str();
  compileOptions.cpu = textOrNull(options.cpu);
  compileOptions.element_type = elementType;
  compileOptions.dump_dir = elementType ? nullptr : textOrNull(options.dumpDir);
  compileOptions.no_cache = options.noCache;
  bochner_module_t *module;
  const char *bytes = source.bytes.empty() ? "" : source.bytes.data();
  check(bochnerCompile(context.get(), bytes, source.bytes.size(), &compileOptions, &module));
  return Module(module);
}

Module Runner::loadOrCompile() {
  source = readFile(options.file);
  if (!bochnerIsModule(source.bytes.data(), source.bytes.size())) {
    Module module = compile(textOrNull(options.route), nullptr);
    for (size_t i = 0, e = bochnerGetModuleDiagnosticCount(module.get()); i < e; ++i) {
      const bochner_diagnostic_t &diagnostic = *bochnerGetModuleDiagnostic(module.get(), i);
      if (diagnostic.severity == BOCHNER_SEVERITY_WARNING)
        printMessage("warning",
                     concat(diagnostic.location, diagnostic.location[0] ? ": " : "", diagnostic.message).c_str());
    }
    return module;
  }
  // What was decided when the module was compiled cannot be decided again.
  if (options.check)
    fail("--check compiles the source a second time, but '", options.file, "' is a compiled module; give its source");
  if (options.cpu || options.dumpDir)
    fail(options.cpu ? "--cpu" : "--dump-dir", " applies to sources, but '", options.file,
         "' is a compiled module; give its source");
  bochner_module_t *loaded;
  check(options.file == "-"
            ? bochnerLoadModuleFromMemory(context.get(), source.bytes.data(), source.bytes.size(), &loaded)
            : bochnerLoadModule(context.get(), options.file.c_str(), &loaded));
  Module module(loaded);
  const char *route = bochnerGetModuleInfo(loaded)->route;
  if (options.route && *options.route != route)
    fail("--route ", *options.route, " applies to sources, but '", options.file, "' is a module compiled by route ",
         route, "; give its source");
  return module;
}

const bochner_function_t *Runner::lookup(const bochner_module_t *module) const {
  const bochner_function_t *function;
  check(bochnerLookupFunction(module, options.entry.c_str(), &function));
  return function;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

/// As callers do who want it fast: a state is updated in place. The arguments and results of the first call stay what
/// they are.
Timing Runner::repeat(const Signature &signature, const bochner_module_info_t &info) const {
  std::vector<Tensor> given = arguments, written = results;
  if (signature.hasUpdates()) // call by call they are others
    written = signature.createResults(arguments, options.layout);
  uint64_t updatedBytes = signature.shareUpdates(given, written);
  Invocation invocation(signature, given, written);
  return benchmark(invocation, signature.elementType(), info.features, report.threads, updatedBytes);
}

void Runner::call(const Signature &signature, const bochner_module_info_t &info) {
  arguments = bindArguments(signature, options);
  results = signature.createResults(arguments, options.layout);
  report.cost = signature.cost(arguments);
  bochner_simulation_options_t simulation = {};
  simulation.seed = options.simSeed.value_or(0);
  if (options.kernelReport) {
    simulation.launched = [](void *user, const bochner_launch_counts_t *counts) {
      static_cast<std::vector<KernelCounts> *>(user)->emplace_back(*counts);
    };
    simulation.user = &report.kernels;
  }
  bool onCuda = info.device == std::string("cuda");
  if (onCuda && options.bench)
    fail("--bench measures devices cpu and sim, but the module is for device cuda");
  const char *dumpFolder = info.device == std::string("cpu") ? nullptr : textOrNull(options.dumpDir);
  double start = nowMs();
  if (onCuda)
    runOnCuda(signature, arguments, results, dumpFolder);
  else
    Invocation(signature, arguments, results, simulation).run(dumpFolder);
  report.startToResultMs = clock.elapsedMs();
  Timing first;
  first.runs = 1;
  first.medianMs = first.minMs = nowMs() - start;
  report.timing = options.bench ? repeat(signature, info) : first;
  // The reference and the report itself are not part of what is measured.
  report.peakRssBytes = peakResidentBytes();
  for (size_t i = 0; i < results.size(); ++i)
    report.resultLines.push_back(describeResult(signature.results[i]->name, results[i]));
}

void Runner::checkAgainstReference(const Signature &signature) {
  Module module = compile("decompose", "f64");
  const bochner_function_t *function;
  check(bochnerLookupFunction(module.get(), signature.name().c_str(), &function));
  report.check = checkResults(signature, arguments, results, Signature(function));
}

ExitStatus Runner::run() {
  Outputs outputs(options);
  createContext();
  Module module = loadOrCompile();
  const bochner_module_info_t &info = *bochnerGetModuleInfo(module.get());
  report.route = info.route;
  report.device = info.device;
  if (report.device != "cpu")
    report.chip = options.chip.value_or("sm_80");
  report.cpu = info.cpu;
  report.threads = bochnerGetThreadCount(context.get());
  report.compileMs = info.compile_ms;
  if (!bochnerIsModule(source.bytes.data(), source.bytes.size()))
    report.cacheHit = info.cache == BOCHNER_CACHE_DISK || info.cache == BOCHNER_CACHE_MEMORY;

  bool wantsRun = options.wantsRun();
  // A module may have several functions; which one only matters to a call.
  std::optional<Signature> signature;
  if (wantsRun || !options.entry.empty() || bochnerGetFunctionCount(module.get()) == 1)
    signature.emplace(lookup(module.get()));
  if (signature)
    report.entry = signature->name();
  if (wantsRun) {
    call(*signature, info);
    if (options.check)
      checkAgainstReference(*signature);
  } else {
    report.peakRssBytes = peakResidentBytes();
  }
  outputs.writeAll(options, module.get(), signature ? &*signature : nullptr, results, report);
  std::fputs(toText(report).c_str(), stdout);
  bool failed = report.check && !report.check->passed();
  if (failed)
    printMessage(
        "error",
        concat("the results of '", report.entry, "' differ from the reference by more than the limit").c_str());
  return failed ? CheckFailed : Success;
}

//===----------------------------------------------------------------------===//
// main
//===----------------------------------------------------------------------===//

static ExitStatus runTool(int argc, char **argv, const ProcessClock &clock) {
  Options options = parseOptions(argc, argv);
  if (options.help) {
    std::fputs(kUsage, stdout);
    return Success;
  }
  if (options.version) {
    std::printf("bochner-run %s (libbochner %s)\n", BOCHNER_VERSION_STRING, bochnerGetVersionString());
    return Success;
  }
  return Runner(options, clock).run();
}

int main(int argc, char **argv) {
  ProcessClock clock;
  ExitStatus status = InternalError;
  try {
    status = runTool(argc, argv, clock);
  } catch (const Failure &failure) {
    status = failure.status;
    printMessage(status == InternalError ? "internal error" : "error", failure.what());
  } catch (const std::bad_alloc &) {
    status = UserError;
    printMessage("error", "out of memory; use smaller arrays");
  } catch (const std::exception &exception) {
    printMessage("internal error", exception.what());
  }
  if (std::fflush(stdout) != 0 && status == Success) {
    printMessage("error", concat("cannot write to standard output: ", std::strerror(errno)).c_str());
    status = UserError;
  }
  return status;
}
