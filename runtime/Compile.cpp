//===- Compile.cpp - from source to module --------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The key of a compilation, the caches by that key, and the call of the compiler.
//
//===----------------------------------------------------------------------===//
#include "Compiler.h"
#include "Context.h"
#include "CpuFeatures.h"

#include <chrono>

using namespace bochner;

using Clock = std::chrono::steady_clock;
static double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

namespace {
/// One call of bochnerCompile().
class Compilation {
public:
  Compilation(const std::shared_ptr<Context> &context, std::string_view source,
              const bochner_compile_options_t &options);

  Status run(bochner_module_t **module);

private:
  Hash128 computeKey() const;
  SharedModule findCached(const Hash128 &key);
  Status compile(std::string &file);
  Status finish(bochner_module_t **module);

  static std::string orDefault(const char *value, const char *fallback) { return value && *value ? value : fallback; }
  static void receive(void *self, bochner_severity_t severity, const char *location, const char *message);

  const Clock::time_point start = Clock::now();
  const std::shared_ptr<Context> &context;
  const std::string_view source;
  const std::string sourceName, route, device, chip, ptxas, cpu, elementType, dumpFolder;
  const bool tf32, keepPhases, useCache;

  SharedModule loaded;
  bochner_cache_outcome_t outcome = BOCHNER_CACHE_NONE;
  Diagnostics diagnostics;
  double compileMs = 0;
};
} // namespace

Compilation::Compilation(const std::shared_ptr<Context> &context, std::string_view source,
                         const bochner_compile_options_t &options)
    : context(context), source(source), sourceName(orDefault(options.source_name, "<input>")),
      route(orDefault(options.route, "fused")), device(orDefault(options.device, "cpu")),
      chip(device == "cpu" ? "" : orDefault(options.chip, "sm_80")),
      ptxas(device == "cuda" ? orDefault(options.ptxas, "") : ""), cpu(orDefault(options.cpu, "host")),
      elementType(orDefault(options.element_type, "")),
      dumpFolder(options.dump_dir ? options.dump_dir : context->dumpFolder), tf32(device != "cpu" && options.tf32),
      keepPhases(options.keep_phases), useCache(!options.no_cache) {}

/// Everything that the code depends on. Names of sources and folders of dumps do not change it.
Hash128 Compilation::computeKey() const {
  return KeyBuilder()
      .field(source)
      .field(route)
      .field(device)
      .field(chip)
      .field(ptxas)
      .field(uint64_t(tf32))
      .field(cpu)
      .field(cpu == "host" ? cpuIdentity() : "")
      .field(elementType)
      .field(uint64_t(keepPhases))
      .field(BOCHNER_VERSION_STRING)
      .field(format::kVersion)
      .field(Compiler::get().identity())
      .finish();
}

SharedModule Compilation::findCached(const Hash128 &key) {
  SharedModule found = context->memoryCache.find(key);
  outcome = BOCHNER_CACHE_MEMORY;
  if (!found && (found = context->diskCache.find(key))) {
    context->memoryCache.insert(key, found);
    outcome = BOCHNER_CACHE_DISK;
  }
  return found;
}

void Compilation::receive(void *self, bochner_severity_t severity, const char *location, const char *message) {
  auto &compilation = *static_cast<Compilation *>(self);
  try {
    compilation.diagnostics.push_back(std::make_unique<Diagnostic>(severity, location, message));
  } catch (const std::bad_alloc &) {
    // The compiler, which has no exceptions, is on the stack. One diagnostic less is the smallest harm.
  }
}

Status Compilation::compile(std::string &file) {
  const bochner_compiler_interface_t *compiler = nullptr;
  if (Status status = Compiler::get().load(compiler))
    return status;
  bochner_compile_request_t request = {};
  request.source = source.data();
  request.source_size = source.size();
  request.source_name = sourceName.c_str();
  request.route = route.c_str();
  request.device = device.c_str();
  request.cpu = cpu.c_str();
  request.element_type = elementType.empty() ? nullptr : elementType.c_str();
  request.dump_dir = dumpFolder.empty() ? nullptr : dumpFolder.c_str();
  request.keep_phases = keepPhases;
  request.chip = chip.c_str();
  request.tf32 = tf32;
  request.ptxas = ptxas.c_str();

  struct Result : bochner_compile_result_t {
    explicit Result(const bochner_compiler_interface_t *compiler) : bochner_compile_result_t(), compiler(compiler) {}
    ~Result() { compiler->release(this); }
    const bochner_compiler_interface_t *compiler;
  } result(compiler);
  Clock::time_point before = Clock::now();
  compiler->compile(&request, receive, this, &result);
  compileMs = milliseconds(Clock::now() - before);
  if (result.code == BOCHNER_COMPILED) {
    file.assign(result.module, result.module_size);
    return {};
  }

  // The first error says it best; the others stand in the list.
  const Diagnostic *first = nullptr;
  for (const auto &diagnostic : diagnostics)
    if (!first && diagnostic->view.severity == BOCHNER_SEVERITY_ERROR)
      first = diagnostic.get();
  std::string message = !first                    ? concat(sourceName, ": the compiler gave no reason")
                        : first->location.empty() ? concat(sourceName, ": ", first->message)
                                                  : concat(first->location, ": ", first->message);
  return Status(result.code == BOCHNER_USER_ERROR ? BOCHNER_STATUS_COMPILE_ERROR : BOCHNER_STATUS_INTERNAL_ERROR,
                std::move(message), std::move(diagnostics));
}

Status Compilation::finish(bochner_module_t **module) {
  double total = milliseconds(Clock::now() - start);
  if (context->log.informs()) {
    static constexpr const char *kOutcomes[] = {"not used", "miss", "hit in memory", "hit on disk"};
    context->log.inform(concat("compile: ", sourceName, " route=", route, " device=", device, " cpu=", cpu,
                               " cache=", kOutcomes[outcome], " compile_ms=", compileMs, " total_ms=", total));
  }
  return makeModule(context, std::move(loaded), outcome, compileMs, total - compileMs, std::move(diagnostics), module);
}

Status Compilation::run(bochner_module_t **module) {
  Hash128 key{};
  std::unique_ptr<Context::Turn> turn;
  if (useCache) {
    key = computeKey();
    turn = std::make_unique<Context::Turn>(*context, key);
    // Somebody who wants the dump wants the compiler to run.
    if (dumpFolder.empty() && (loaded = findCached(key)))
      return finish(module);
    outcome = BOCHNER_CACHE_MISS;
  }
  std::string file;
  if (Status status = compile(file))
    return status;
  for (const auto &diagnostic : diagnostics)
    context->log.write(diagnostic->view.severity, concat(diagnostic->location, ": ", diagnostic->message));
  if (Status status = LoadedModule::fromMemory(file, sourceName, loaded)) {
    if (status->code == BOCHNER_STATUS_INVALID_MODULE)
      status->code = BOCHNER_STATUS_INTERNAL_ERROR; // the compiler's fault, not the caller's
    return status;
  }
  if (useCache) {
    context->memoryCache.insert(key, loaded);
    context->diskCache.insert(key, file);
  }
  return finish(module);
}

bochner_status_t *bochnerCompile(bochner_context_t *context, const void *source, size_t source_size,
                                 const bochner_compile_options_t *given, bochner_module_t **module) {
  return protect([&]() -> Status {
    if (!module)
      return invalidArgument("expected a pointer for the module, but got NULL");
    *module = nullptr;
    if (!context || !source)
      return invalidArgument("expected a context and a source, but got NULL");
    bochner_compile_options_t options;
    if (Status status = readOptions(given, options))
      return status;
    return Compilation(context->impl, {static_cast<const char *>(source), source_size}, options).run(module);
  });
}

bochner_status_t *bochnerCompileFile(bochner_context_t *context, const char *path,
                                     const bochner_compile_options_t *given, bochner_module_t **module) {
  return protect([&]() -> Status {
    if (!module)
      return invalidArgument("expected a pointer for the module, but got NULL");
    *module = nullptr;
    if (!context || !path)
      return invalidArgument("expected a context and a path, but got NULL");
    bochner_compile_options_t options;
    if (Status status = readOptions(given, options))
      return status;
    std::string content;
    if (Status status = readFile(path, content))
      return status;
    if (!options.source_name)
      options.source_name = path;
    return Compilation(context->impl, content, options).run(module);
  });
}
