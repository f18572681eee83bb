//===- Cache.cpp - compiled modules for the next time ---------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Files are found relative to the folder's descriptor: renaming or replacing the folder does not redirect a process.
//
//===----------------------------------------------------------------------===//
#include "Cache.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

using namespace bochner;

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

SharedModule MemoryCache::find(const Hash128 &key) {
  std::lock_guard<std::mutex> lock(mutex);
  auto found = index.find(key);
  if (found == index.end())
    return nullptr;
  entries.splice(entries.begin(), entries, found->second);
  return found->second->module;
}

void MemoryCache::insert(const Hash128 &key, SharedModule module) {
  Entries evicted; // destroyed without the lock: unmapping takes time
  std::lock_guard<std::mutex> lock(mutex);
  auto found = index.find(key);
  if (found != index.end()) {
    total -= found->second->module->image().size();
    evicted.splice(evicted.end(), entries, found->second);
    index.erase(found);
  }
  total += module->image().size();
  entries.push_front({key, std::move(module)});
  index[key] = entries.begin();
  while (total > limit) {
    auto last = std::prev(entries.end());
    total -= last->module->image().size();
    index.erase(last->key);
    evicted.splice(evicted.end(), entries, last);
  }
}

//===----------------------------------------------------------------------===//
// Disk
//===----------------------------------------------------------------------===//

static constexpr const char *kSuffix = ".bochner";
/// Temporary files of writers that died.
static constexpr time_t kAbandonedAfter = 3600;

static std::string fileName(const Hash128 &key) { return toHex(key) + kSuffix; }

std::string DiskCache::defaultFolder() {
  const char *cache = getenv("XDG_CACHE_HOME");
  if (cache && cache[0] == '/') // relative values are to be ignored, says the specification
    return concat(cache, "/bochner");
  const char *home = getenv("HOME");
  if (home && home[0] == '/')
    return concat(home, "/.cache/bochner");
  struct passwd entry, *found = nullptr;
  char buffer[4096];
  if (!getpwuid_r(geteuid(), &entry, buffer, sizeof buffer, &found) && found && found->pw_dir[0] == '/')
    return concat(found->pw_dir, "/.cache/bochner");
  return "";
}

/// mkdir -p with mode 0700; errno, or 0.
static int makeFolders(const std::string &path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    std::string prefix = path.substr(0, slash);
    if (mkdir(prefix.c_str(), 0700) && errno != EEXIST && errno != EISDIR && slash == path.npos)
      return errno; // for the last one only: a parent may exist and yet not be ours to create
    if (slash == path.npos)
      return 0;
  }
}

void DiskCache::disable(const std::string &why) {
  log.warn(concat("expected to use the cache folder '", folder, "', but ", why,
                  "; continuing without a cache on disk (BOCHNER_CACHE_DIR names another folder)"));
  directory = FileDescriptor();
}

/// What keeps the folder from being used; empty if nothing does. Opens `directory`.
std::string DiskCache::findFault() {
  if (int error = makeFolders(folder))
    return concat("could not create it: ", describeErrno(error));
  directory = FileDescriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat information;
  if (!directory || fstat(directory.get(), &information))
    return concat("could not open it: ", describeErrno(errno));
  // A cache is code that will run: nobody else may plant it.
  if (information.st_uid != geteuid() && information.st_uid != 0)
    return "it belongs to another user";
  if (information.st_mode & S_IWOTH)
    return "every user can write to it (chmod 700 mends that)";
  if (faccessat(directory.get(), ".", W_OK | X_OK, AT_EACCESS))
    return concat("cannot write to it: ", describeErrno(errno));
  mayMap = isPrivate(information);
  return "";
}

bool DiskCache::open() {
  if (tried || folder.empty())
    return bool(directory);
  tried = true;
  std::string fault = findFault();
  if (!fault.empty())
    disable(fault);
  return bool(directory);
}

const char *DiskCache::path() {
  std::lock_guard<std::mutex> lock(mutex);
  return open() ? folder.c_str() : nullptr;
}

SharedModule DiskCache::find(const Hash128 &key) {
  std::lock_guard<std::mutex> lock(mutex);
  if (!open())
    return nullptr;
  std::string name = fileName(key);
  FileDescriptor file(openat(directory.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat information;
  if (!file || fstat(file.get(), &information) || !S_ISREG(information.st_mode))
    return nullptr;
  std::string path = concat(folder, '/', name);
  SharedModule module;
  Status status;
  if (information.st_uid != geteuid() && information.st_uid != 0)
    status = Status(BOCHNER_STATUS_INVALID_MODULE, concat("expected '", path, "' to belong to this user"));
  else
    status = LoadedModule::fromFile(file, size_t(information.st_size), mayMap && isPrivate(information), path, module);
  if (status) {
    log.warn(concat(status->message, "; compiling it again"));
    if (status->code == BOCHNER_STATUS_INVALID_MODULE)
      unlinkat(directory.get(), name.c_str(), 0);
    return nullptr;
  }
  const struct timespec used[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
  futimens(file.get(), used); // only the order of eviction depends on it
  return module;
}

void DiskCache::insert(const Hash128 &key, std::string_view file) {
  std::lock_guard<std::mutex> lock(mutex);
  if (!open())
    return;
  if (int error = writeFileAt(directory.get(), fileName(key), file, 0600)) {
    disable(concat("could not write to it: ", describeErrno(error)));
    return;
  }
  evict();
}

void DiskCache::evict() {
  struct File {
    std::string name;
    uint64_t size;
    struct timespec used;
  };
  std::vector<File> files;
  uint64_t total = 0;
  // A descriptor of its own: reading a folder moves the position that descriptors share.
  int listing = openat(directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  std::unique_ptr<DIR, int (*)(DIR *)> stream(listing < 0 ? nullptr : fdopendir(listing), closedir);
  while (dirent *entry = stream ? readdir(stream.get()) : nullptr) {
    std::string name = entry->d_name;
    struct stat information;
    bool ours = name.find(kSuffix) == 32; // also temporary files
    if (!ours || fstatat(directory.get(), name.c_str(), &information, AT_SYMLINK_NOFOLLOW))
      continue;
    if (name.size() > 32 + std::char_traits<char>::length(kSuffix)) {
      if (information.st_mtim.tv_sec + kAbandonedAfter < time(nullptr))
        unlinkat(directory.get(), name.c_str(), 0);
      continue;
    }
    total += uint64_t(information.st_size);
    files.push_back({std::move(name), uint64_t(information.st_size), information.st_mtim});
  }
  if (total <= limit)
    return;
  std::sort(files.begin(), files.end(), [](const File &a, const File &b) {
    return a.used.tv_sec != b.used.tv_sec ? a.used.tv_sec < b.used.tv_sec : a.used.tv_nsec < b.used.tv_nsec;
  });
  // Below the limit by a tenth, so that not every module from now on pays for this.
  for (const File &file : files) {
    if (total <= limit - limit / 10)
      break;
    unlinkat(directory.get(), file.name.c_str(), 0);
    total -= file.size;
    log.inform(concat("cache: evicted ", file.name));
  }
}
