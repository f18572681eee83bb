//===- Context.cpp - contexts and versions --------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The C functions of contexts: options, environment, versions, memory statistics.
//
//===----------------------------------------------------------------------===//
#include "Context.h"

#include <cstdlib>
#include <sched.h>
#include <thread>

using namespace bochner;

/// More threads or tasks than any machine has; keeps sizes that depend on them within range.
static constexpr int32_t kMaxConcurrency = 1 << 14;

static std::string setting(const char *option, const char *variable) {
  const char *value = option ? option : getenv(variable);
  return value ? value : "";
}

static std::string cacheFolder(const char *option) {
  return option || getenv("BOCHNER_CACHE_DIR") ? setting(option, "BOCHNER_CACHE_DIR") : DiskCache::defaultFolder();
}

static int32_t usableCpus() {
  cpu_set_t set;
  if (!sched_getaffinity(0, sizeof set, &set))
    return CPU_COUNT(&set);
  unsigned count = std::thread::hardware_concurrency(); // more than 1024 CPUs do not fit the set
  return count ? int32_t(count) : 1;
}

Context::Context(const bochner_context_options_t &options)
    : log(options.verbosity, options.log, options.log_user, getenv("BOCHNER_VERBOSE")),
      dumpFolder(setting(options.dump_dir, "BOCHNER_DUMP_DIR")), parallelFor(options.parallel_for),
      pool(options.threads ? options.threads : usableCpus()),
      diskCache(cacheFolder(options.cache_dir), options.cache_limit, log) {}

Context::Turn::Turn(Context &context, const Hash128 &key) : context(context), key(key) {
  std::unique_lock<std::mutex> lock(context.mutex);
  while (!context.compiling.insert(key).second)
    context.changed.wait(lock);
}

Context::Turn::~Turn() {
  {
    std::lock_guard<std::mutex> lock(context.mutex);
    context.compiling.erase(key);
  }
  context.changed.notify_all();
}

Status bochner::checkParallelFor(const bochner_parallel_for_t &parallelFor) {
  if (parallelFor.run && (parallelFor.max_concurrency < 1 || parallelFor.max_concurrency > kMaxConcurrency))
    return invalidArgument("expected max_concurrency of parallel_for to lie in [1, ", kMaxConcurrency, "], but got ",
                           parallelFor.max_concurrency);
  return {};
}

void bochnerGetVersion(int *major, int *minor, int *patch) {
  if (major)
    *major = BOCHNER_VERSION_MAJOR;
  if (minor)
    *minor = BOCHNER_VERSION_MINOR;
  if (patch)
    *patch = BOCHNER_VERSION_PATCH;
}

const char *bochnerGetVersionString(void) { return BOCHNER_VERSION_STRING; }

uint32_t bochnerGetAbiVersion(void) { return BOCHNER_ABI_VERSION; }

bochner_status_t *bochnerCreateContextForAbi(uint32_t abi_version, const bochner_context_options_t *given,
                                             bochner_context_t **context) {
  return protect([&]() -> Status {
    if (!context)
      return invalidArgument("expected a pointer for the context, but got NULL");
    *context = nullptr;
    uint32_t own = BOCHNER_ABI_VERSION;
    if (abi_version >> 16 != own >> 16 || abi_version > own)
      return Status(BOCHNER_STATUS_VERSION_MISMATCH,
                    concat("expected a program built for ABI version ", own >> 16, ".0 to ", own >> 16, ".",
                           own & 0xffff, " (libbochner.so is version ", BOCHNER_VERSION_STRING,
                           "), but it was built for ", abi_version >> 16, ".", abi_version & 0xffff,
                           abi_version > own ? "; install a newer libbochner.so" : "; build the program again"));
    bochner_context_options_t options;
    if (Status status = readOptions(given, options))
      return status;
    if (options.threads < 0 || options.threads > kMaxConcurrency)
      return invalidArgument("expected threads to lie in [0, ", kMaxConcurrency, "], but got ", options.threads);
    if (Status status = checkParallelFor(options.parallel_for))
      return status;
    *context = new bochner_context{std::make_shared<Context>(options)};
    return {};
  });
}

void bochnerDestroyContext(bochner_context_t *context) { delete context; }

int32_t bochnerGetThreadCount(const bochner_context_t *context) { return context->impl->pool.size(); }

const char *bochnerGetCacheDirectory(bochner_context_t *context) { return context->impl->diskCache.path(); }

bochner_status_t *bochnerGetMemoryStatistics(const bochner_context_t *context,
                                             bochner_memory_statistics_t *statistics) {
  return protect([&]() -> Status {
    if (!context)
      return invalidArgument("expected a context, but got NULL");
    Allocator::Statistics now = context->impl->allocator->statistics();
    return writeStructure({0, now.used, now.peak, now.cached}, statistics);
  });
}

void bochnerReleaseMemory(bochner_context_t *context) {
  if (context)
    context->impl->allocator->trim();
}
