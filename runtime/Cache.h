//===- Cache.h - compiled modules for the next time --------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two caches of modules by key: in memory, for one context, and on disk, shared by all processes of a user. Neither
// can make a compilation fail: what goes wrong is a line in the log.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_CACHE_H
#define BOCHNER_RUNTIME_CACHE_H

#include "Hash.h"
#include "LoadedModule.h"
#include "Log.h"

#include <list>
#include <map>
#include <mutex>

namespace bochner {

using SharedModule = std::shared_ptr<const LoadedModule>;

/// Keeps the most recently used modules up to a total size. Thread-safe.
class MemoryCache {
public:
  explicit MemoryCache(uint64_t limit) : limit(limit) {}
  SharedModule find(const Hash128 &key);
  void insert(const Hash128 &key, SharedModule module);

private:
  struct Entry {
    Hash128 key;
    SharedModule module;
  };
  using Entries = std::list<Entry>; // most recently used first

  const uint64_t limit;
  std::mutex mutex;
  Entries entries;
  std::map<Hash128, Entries::iterator> index;
  uint64_t total = 0;
};

/// A folder with one file for each key, written under a temporary name and renamed. The time of a file says when it
/// was last used. Thread-safe, and safe among processes.
class DiskCache {
public:
  static constexpr uint64_t kDefaultLimit = uint64_t(1) << 30;

  /// An empty folder means no cache. Touches nothing yet.
  DiskCache(std::string folder, uint64_t limit, const Log &log)
      : folder(std::move(folder)), limit(limit ? limit : kDefaultLimit), log(log) {}

  /// The module, or null. A damaged file is removed, with a line in the log.
  SharedModule find(const Hash128 &key);
  /// Stores a module's file and evicts the least recently used ones above the limit.
  void insert(const Hash128 &key, std::string_view file);
  /// Null if there is no folder or it cannot be used.
  const char *path();

  /// $XDG_CACHE_HOME/bochner or ~/.cache/bochner; empty if the user has no home.
  static std::string defaultFolder();

private:
  /// Creates and opens the folder at first use; false if it cannot be used.
  bool open();
  std::string findFault();
  void disable(const std::string &why);
  void evict();

  const std::string folder;
  const uint64_t limit;
  const Log &log;
  std::mutex mutex; // guards what follows
  bool tried = false;
  bool mayMap = false;
  FileDescriptor directory; // invalid if the cache is off
};

} // namespace bochner

#endif // BOCHNER_RUNTIME_CACHE_H
