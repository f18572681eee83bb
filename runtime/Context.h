//===- Context.h - what calls and compilations share -------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The objects behind the opaque C types. Handles of the application share a Context and keep it alive.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_CONTEXT_H
#define BOCHNER_RUNTIME_CONTEXT_H

#include "Allocator.h"
#include "Cache.h"
#include "LoadedModule.h"
#include "Log.h"
#include "ThreadPool.h"
#include "bochner/bochner.h"

#include <condition_variable>
#include <cstring>
#include <set>

namespace bochner {

class Context {
public:
  /// Modules that the cache in memory keeps for the next compilation of the same source.
  static constexpr uint64_t kMemoryCacheLimit = uint64_t(64) << 20;

  explicit Context(const bochner_context_options_t &options);

  const Log log;
  const std::string dumpFolder; // empty: none
  const bochner_parallel_for_t parallelFor;
  /// Outlives the context if the application still has tensors from it.
  const std::shared_ptr<Allocator> allocator = std::make_shared<Allocator>();
  ThreadPool pool;
  MemoryCache memoryCache{kMemoryCacheLimit};
  DiskCache diskCache;

  /// How many tasks of one call may run at the same time.
  int32_t concurrency() const { return parallelFor.run ? parallelFor.max_concurrency : pool.size(); }

  /// Makes threads that want to compile the same key wait for each other.
  class Turn {
  public:
    Turn(Context &context, const Hash128 &key);
    ~Turn();

  private:
    Context &context;
    const Hash128 key;
  };

private:
  std::mutex mutex;
  std::condition_variable changed;
  std::set<Hash128> compiling;
};

/// Copies a structure of the caller, whose header may be older or newer than the library; `given` may be null.
template <typename T> Status readOptions(const T *given, T &options) {
  options = T();
  if (given) {
    if (given->struct_size < sizeof(size_t))
      return invalidArgument("expected struct_size of the options to be set to their size, but got ",
                             given->struct_size);
    size_t known = given->struct_size < sizeof(T) ? given->struct_size : sizeof(T);
    memcpy(&options, given, known);
    // Members that this library does not know must not ask for anything.
    for (size_t i = known; i < given->struct_size; ++i)
      if (reinterpret_cast<const char *>(given)[i])
        return invalidArgument("expected options of version ", BOCHNER_VERSION_STRING,
                               ", but a later member is set; install a newer libbochner.so");
  }
  options.struct_size = sizeof(T);
  return {};
}

/// Fills in a structure of the caller as far as its header knows it.
template <typename T> Status writeStructure(T value, T *target) {
  if (!target || target->struct_size < sizeof(size_t))
    return invalidArgument("expected a structure with struct_size set to its size");
  value.struct_size = target->struct_size;
  memcpy(target, &value, value.struct_size < sizeof(T) ? value.struct_size : sizeof(T));
  return {};
}

Status checkParallelFor(const bochner_parallel_for_t &parallelFor);

/// Makes the handle of the application.
Status makeModule(const std::shared_ptr<Context> &context, SharedModule module, bochner_cache_outcome_t cache,
                  double compileMs, double loadMs, Diagnostics diagnostics, bochner_module_t **handle);

} // namespace bochner

struct bochner_context {
  std::shared_ptr<bochner::Context> impl;
};

struct bochner_function {
  const bochner::Function *impl;
  const bochner_module *module;
};

struct bochner_module {
  std::shared_ptr<bochner::Context> context;
  bochner::SharedModule impl;
  bochner_module_info_t info;
  bochner::Diagnostics diagnostics;
  std::vector<bochner_function> functions;
  std::vector<bochner_phase_t> phases;
};

#endif // BOCHNER_RUNTIME_CONTEXT_H
