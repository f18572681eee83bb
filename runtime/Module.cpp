//===- Module.cpp - handles of modules and their queries ------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The C functions that load and save modules and say what is in them.
//
//===----------------------------------------------------------------------===//
#include "Context.h"

#include <chrono>

using namespace bochner;

using Clock = std::chrono::steady_clock;
static double millisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

Status bochner::makeModule(const std::shared_ptr<Context> &context, SharedModule module, bochner_cache_outcome_t cache,
                           double compileMs, double loadMs, Diagnostics diagnostics, bochner_module_t **handle) {
  auto result = std::make_unique<bochner_module>();
  const format::ModuleInfo &info = module->info();
  result->context = context;
  result->info = {info.producer.c_str(),
                  info.route.c_str(),
                  info.device.c_str(),
                  info.cpu.c_str(),
                  info.features.c_str(),
                  cache,
                  compileMs,
                  loadMs,
                  module->image().size()};
  result->diagnostics = std::move(diagnostics);
  for (const Function &function : module->functions())
    result->functions.push_back({&function, result.get()});
  for (const auto &[name, ir] : info.phases)
    result->phases.push_back({name.c_str(), ir.c_str()});
  result->impl = std::move(module);
  *handle = result.release();
  return {};
}

/// What all functions that create a module check first.
static Status checkTarget(const bochner_context_t *context, bochner_module_t **module) {
  if (!module)
    return invalidArgument("expected a pointer for the module, but got NULL");
  *module = nullptr;
  return context ? Status() : invalidArgument("expected a context, but got NULL");
}

static void logLoad(const Log &log, const std::string &name, double ms) {
  if (log.informs())
    log.inform(concat("load: ", name, " in ", ms, " ms"));
}

bochner_status_t *bochnerLoadModule(bochner_context_t *context, const char *path, bochner_module_t **module) {
  return protect([&]() -> Status {
    Clock::time_point start = Clock::now();
    if (Status status = checkTarget(context, module))
      return status;
    if (!path)
      return invalidArgument("expected a path, but got NULL");
    FileDescriptor file;
    struct stat information, folder;
    if (Status status = openFile(path, file, information))
      return status;
    // Writers of a private folder rename, so the file's content stays as it is; anywhere else it might change while
    // it runs.
    bool mayMap = isPrivate(information) && !stat(parentFolder(path).c_str(), &folder) && isPrivate(folder);
    SharedModule loaded;
    if (Status status = LoadedModule::fromFile(file, size_t(information.st_size), mayMap, path, loaded))
      return status;
    double ms = millisecondsSince(start);
    logLoad(context->impl->log, path, ms);
    return makeModule(context->impl, std::move(loaded), BOCHNER_CACHE_NONE, 0, ms, {}, module);
  });
}

bochner_status_t *bochnerLoadModuleFromMemory(bochner_context_t *context, const void *data, size_t size,
                                              bochner_module_t **module) {
  return protect([&]() -> Status {
    Clock::time_point start = Clock::now();
    if (Status status = checkTarget(context, module))
      return status;
    if (!data && size)
      return invalidArgument("expected a module, but got NULL");
    SharedModule loaded;
    if (Status status = LoadedModule::fromMemory({static_cast<const char *>(data), size}, "<memory>", loaded))
      return status;
    double ms = millisecondsSince(start);
    logLoad(context->impl->log, "<memory>", ms);
    return makeModule(context->impl, std::move(loaded), BOCHNER_CACHE_NONE, 0, ms, {}, module);
  });
}

int bochnerIsModule(const void *data, size_t size) {
  return data && Image::hasMagic({static_cast<const char *>(data), size});
}

bochner_status_t *bochnerSaveModule(const bochner_module_t *module, const char *path) {
  return protect([&]() -> Status {
    if (!module || !path)
      return invalidArgument("expected a module and a path, but got NULL");
    return writeFile(path, module->impl->image().fileContent());
  });
}

void bochnerDestroyModule(bochner_module_t *module) { delete module; }

const bochner_module_info_t *bochnerGetModuleInfo(const bochner_module_t *module) { return &module->info; }

template <typename T> static const T *elementOrNull(const std::vector<T> &elements, size_t index) {
  return index < elements.size() ? &elements[index] : nullptr;
}

size_t bochnerGetModuleDiagnosticCount(const bochner_module_t *module) { return module->diagnostics.size(); }
const bochner_diagnostic_t *bochnerGetModuleDiagnostic(const bochner_module_t *module, size_t index) {
  return index < module->diagnostics.size() ? &module->diagnostics[index]->view : nullptr;
}

size_t bochnerGetPhaseCount(const bochner_module_t *module) { return module->phases.size(); }
const bochner_phase_t *bochnerGetPhase(const bochner_module_t *module, size_t index) {
  return elementOrNull(module->phases, index);
}

size_t bochnerGetFunctionCount(const bochner_module_t *module) { return module->functions.size(); }
const bochner_function_t *bochnerGetFunction(const bochner_module_t *module, size_t index) {
  return elementOrNull(module->functions, index);
}

bochner_status_t *bochnerLookupFunction(const bochner_module_t *module, const char *name,
                                        const bochner_function_t **function) {
  return protect([&]() -> Status {
    if (!function)
      return invalidArgument("expected a pointer for the function, but got NULL");
    *function = nullptr;
    if (!module)
      return invalidArgument("expected a module, but got NULL");
    bool any = !name || !*name;
    std::string names;
    for (const bochner_function &candidate : module->functions) {
      if (any ? module->functions.size() == 1 : candidate.impl->info->name == name) {
        *function = &candidate;
        return {};
      }
      names += concat(names.empty() ? "'" : ", '", candidate.impl->info->name, "'");
    }
    if (names.empty())
      names = "none";
    return Status(BOCHNER_STATUS_NOT_FOUND,
                  any ? concat("expected the name of a function, as the module has not exactly one: ", names)
                      : concat("expected a function of the module (", names, "), but got '", name, "'"));
  });
}

const char *bochnerGetFunctionName(const bochner_function_t *function) { return function->impl->info->name.c_str(); }

const char *bochnerGetFunctionAttributes(const bochner_function_t *function) {
  return function->impl->info->attributes.c_str();
}

size_t bochnerGetArgumentCount(const bochner_function_t *function) { return function->impl->arguments.size(); }
size_t bochnerGetResultCount(const bochner_function_t *function) { return function->impl->results.size(); }

int64_t bochnerGetUpdatedArgument(const bochner_function_t *function, size_t result) {
  for (const format::Update &update : function->impl->info->updates)
    if (update.result == result)
      return update.argument;
  return -1;
}

const bochner_tensor_info_t *bochnerGetArgument(const bochner_function_t *function, size_t index) {
  return elementOrNull(function->impl->arguments, index);
}
const bochner_tensor_info_t *bochnerGetResult(const bochner_function_t *function, size_t index) {
  return elementOrNull(function->impl->results, index);
}
