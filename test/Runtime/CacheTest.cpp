//===- CacheTest.cpp - compiled modules for the next time -----------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The caches alone, without a compiler: folders, damage, limits and races.
//
//===----------------------------------------------------------------------===//
#include "runtime/Cache.h"
#include "FakeModule.h"
#include "TestUtils.h"

#include <fcntl.h>
#include <random>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace bochner;
using namespace bochner::test;

namespace {
struct CacheTest : ::testing::Test {
  LogLines lines;
  Log log{2, LogLines::receive, &lines, nullptr};
  TemporaryFolder folder;
  const std::string file = FakeModule().build();

  static Hash128 key(uint64_t number) { return {number, 0}; }
  std::string pathOf(uint64_t number) { return folder / (toHex(key(number)) + ".bochner"); }
  /// Pretends that a file was last used so many seconds ago.
  void age(uint64_t number, time_t seconds) {
    struct timespec times[2] = {{time(nullptr) - seconds, 0}, {time(nullptr) - seconds, 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, pathOf(number).c_str(), times, 0), 0);
  }
};
} // namespace

TEST_F(CacheTest, StoresAndFinds) {
  DiskCache cache(folder.path(), 0, log);
  EXPECT_EQ(cache.find(key(1)), nullptr);
  cache.insert(key(1), file);
  SharedModule module = cache.find(key(1));
  ASSERT_NE(module, nullptr);
  EXPECT_EQ(module->info().producer, "fake 1.0");
  EXPECT_EQ(cache.find(key(2)), nullptr);
  EXPECT_STREQ(cache.path(), folder.path().c_str());
  EXPECT_EQ(readAll(pathOf(1)), file);
  EXPECT_EQ(listFiles(folder.path()).size(), 1u);
  struct stat information;
  ASSERT_EQ(stat(pathOf(1).c_str(), &information), 0);
  EXPECT_EQ(information.st_mode & 0777, 0600u);
  EXPECT_TRUE(lines.warnings.empty());
}

TEST_F(CacheTest, CreatesItsFolderForTheUserAlone) {
  DiskCache cache(folder / "a/b/c", 0, log);
  EXPECT_FALSE(std::filesystem::exists(folder / "a")) << "nothing is touched before the first use";
  cache.insert(key(1), file);
  EXPECT_NE(cache.find(key(1)), nullptr);
  struct stat information;
  ASSERT_EQ(stat((folder / "a/b/c").c_str(), &information), 0);
  EXPECT_EQ(information.st_mode & 0777, 0700u);
}

TEST_F(CacheTest, ReplacesDamagedFiles) {
  std::vector<std::string> damaged = {"", "x", file.substr(0, file.size() / 2), std::string(file.size(), '\0')};
  for (size_t at : {size_t(20), size_t(4100), file.size() - 1})
    damaged.push_back(file), damaged.back()[at] = char(damaged.back()[at] ^ 1);
  for (const std::string &content : damaged) {
    DiskCache cache(folder.path(), 0, log);
    lines.warnings.clear();
    writeAll(pathOf(1), content);
    EXPECT_EQ(cache.find(key(1)), nullptr);
    ASSERT_EQ(lines.warnings.size(), 1u);
    EXPECT_NE(lines.warnings[0].find(pathOf(1)), std::string::npos) << lines.warnings[0];
    EXPECT_NE(lines.warnings[0].find("; compiling it again"), std::string::npos) << lines.warnings[0];
    EXPECT_FALSE(std::filesystem::exists(pathOf(1)));
    cache.insert(key(1), file);
    EXPECT_NE(cache.find(key(1)), nullptr);
    EXPECT_EQ(lines.warnings.size(), 1u);
  }
}

TEST_F(CacheTest, IgnoresWhatIsNoFile) {
  DiskCache cache(folder.path(), 0, log);
  std::filesystem::create_directory(pathOf(1));
  ASSERT_EQ(mkfifo(pathOf(2).c_str(), 0600), 0);
  writeAll(folder / "module", file);
  ASSERT_EQ(symlink("module", pathOf(3).c_str()), 0);
  for (uint64_t number : {1, 2, 3})
    EXPECT_EQ(cache.find(key(number)), nullptr);
}

TEST_F(CacheTest, WorksWithoutAFolder) {
  DiskCache cache("", 0, log);
  cache.insert(key(1), file);
  EXPECT_EQ(cache.find(key(1)), nullptr);
  EXPECT_EQ(cache.path(), nullptr);
  EXPECT_TRUE(lines.warnings.empty());
}

TEST_F(CacheTest, SaysOnceWhyAFolderCannotBeUsed) {
  writeAll(folder / "file", "");
  chmod(folder.path().c_str(), 0700);
  std::filesystem::create_directory(folder / "open");
  chmod((folder / "open").c_str(), 0777);
  const std::pair<std::string, std::string> cases[] = {
      {folder / "file", "could not open it: Not a directory"},
      {folder / "file/below", "could not create it: Not a directory"},
      {folder / "open", "every user can write to it (chmod 700 mends that)"}};
  for (const auto &[path, reason] : cases) {
    lines.warnings.clear();
    DiskCache cache(path, 0, log);
    EXPECT_EQ(cache.find(key(1)), nullptr);
    cache.insert(key(1), file);
    EXPECT_EQ(cache.path(), nullptr);
    EXPECT_EQ(lines.warnings,
              std::vector<std::string>{"expected to use the cache folder '" + path + "', but " + reason +
                                       "; continuing without a cache on disk (BOCHNER_CACHE_DIR names "
                                       "another folder)"});
  }
}

TEST_F(CacheTest, RespectsPermissions) {
  if (geteuid() == 0) {
    // The superuser may write anywhere: what is left to test is a folder of somebody else.
    if (chown(folder.path().c_str(), 12345, 12345))
      GTEST_SKIP() << "cannot give files to another user";
    DiskCache cache(folder.path(), 0, log);
    EXPECT_EQ(cache.path(), nullptr);
    ASSERT_EQ(lines.warnings.size(), 1u);
    EXPECT_NE(lines.warnings[0].find("but it belongs to another user"), std::string::npos);
    ASSERT_EQ(chown(folder.path().c_str(), 0, 0), 0);
    // And a file that somebody else put there.
    DiskCache again(folder.path(), 0, log);
    again.insert(key(1), file);
    ASSERT_EQ(chown(pathOf(1).c_str(), 12345, 12345), 0);
    EXPECT_EQ(again.find(key(1)), nullptr);
    EXPECT_EQ(lines.warnings.size(), 2u);
    return;
  }
  chmod(folder.path().c_str(), 0500);
  DiskCache cache(folder.path(), 0, log);
  EXPECT_EQ(cache.path(), nullptr);
  ASSERT_EQ(lines.warnings.size(), 1u);
  EXPECT_NE(lines.warnings[0].find("but cannot write to it: Permission denied"), std::string::npos);
  chmod(folder.path().c_str(), 0700);
}

TEST_F(CacheTest, EvictsTheLeastRecentlyUsed) {
  DiskCache cache(folder.path(), 4 * file.size(), log);
  for (uint64_t number = 1; number <= 4; ++number) {
    cache.insert(key(number), file);
    age(number, 1000 - time_t(number));
  }
  EXPECT_NE(cache.find(key(1)), nullptr); // now the most recently used one
  writeAll(folder / "notes.txt", std::string(100000, 'x'));
  cache.insert(key(5), file);
  EXPECT_EQ(cache.find(key(2)), nullptr);
  EXPECT_EQ(cache.find(key(3)), nullptr) << "evicts to nine tenths of the limit";
  for (uint64_t number : {1, 4, 5})
    EXPECT_NE(cache.find(key(number)), nullptr) << number;
  EXPECT_TRUE(std::filesystem::exists(folder / "notes.txt")) << "only files of the cache count and go";
}

TEST_F(CacheTest, RemovesAbandonedTemporaryFiles) {
  std::string old = pathOf(1) + ".tmp-1-0-5", fresh = pathOf(2) + ".tmp-2-0-5";
  writeAll(old, "x");
  writeAll(fresh, "x");
  struct timespec times[2] = {{time(nullptr) - 7200, 0}, {time(nullptr) - 7200, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, old.c_str(), times, 0), 0);
  DiskCache(folder.path(), 0, log).insert(key(3), file);
  EXPECT_FALSE(std::filesystem::exists(old));
  EXPECT_TRUE(std::filesystem::exists(fresh));
}

TEST_F(CacheTest, KeepsAModuleThatWasEvicted) {
  DiskCache cache(folder.path(), 0, log);
  cache.insert(key(1), file);
  SharedModule module = cache.find(key(1));
  std::filesystem::remove(pathOf(1));
  cache.insert(key(1), file);
  EXPECT_EQ(module->image().fileContent(), file);
}

/// Several processes insert, find, damage and evict the same few entries at once. Whatever a process finds is whole.
TEST_F(CacheTest, MayBeSharedByProcesses) {
  std::vector<pid_t> children;
  for (unsigned child = 0; child < 4; ++child) {
    pid_t pid = fork();
    if (!pid) {
      std::minstd_rand random(child);
      Log silent(-1, nullptr, nullptr, nullptr);
      int found = 0;
      for (int round = 0; round < 300; ++round) {
        DiskCache cache(folder.path(), 3 * file.size(), silent);
        uint64_t number = random() % 4;
        SharedModule module = cache.find(key(number));
        if (module && module->image().fileContent() != file)
          _exit(1);
        found += module != nullptr;
        if (!module)
          cache.insert(key(number), file);
        if (random() % 10 == 0) {
          writeAll(folder / "damage", "damage");
          rename((folder / "damage").c_str(), pathOf(number).c_str());
        }
      }
      _exit(found ? 0 : 2);
    }
    children.push_back(pid);
  }
  for (pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  for (const std::string &name : listFiles(folder.path()))
    EXPECT_EQ(name.find(".tmp-"), std::string::npos) << name;
}

TEST(DiskCacheFolder, FollowsTheXdgSpecification) {
  setenv("XDG_CACHE_HOME", "/xdg", 1);
  setenv("HOME", "/home/me", 1);
  EXPECT_EQ(DiskCache::defaultFolder(), "/xdg/bochner");
  setenv("XDG_CACHE_HOME", "relative", 1); // to be ignored
  EXPECT_EQ(DiskCache::defaultFolder(), "/home/me/.cache/bochner");
  unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(DiskCache::defaultFolder(), "/home/me/.cache/bochner");
  unsetenv("HOME");
  EXPECT_NE(DiskCache::defaultFolder().find("/.cache/bochner"), std::string::npos);
}

TEST_F(CacheTest, MemoryKeepsTheMostRecentlyUsed) {
  SharedModule module;
  ASSERT_OK(LoadedModule::fromMemory(file, "m", module).release());
  MemoryCache cache(3 * file.size());
  for (uint64_t number : {1, 2, 3})
    cache.insert(key(number), module);
  EXPECT_NE(cache.find(key(1)), nullptr);
  cache.insert(key(4), module);
  EXPECT_EQ(cache.find(key(2)), nullptr);
  for (uint64_t number : {1, 3, 4})
    EXPECT_NE(cache.find(key(number)), nullptr) << number;
  cache.insert(key(4), module); // again: replaces
  EXPECT_NE(cache.find(key(1)), nullptr);
  MemoryCache small(1);
  small.insert(key(1), module);
  EXPECT_EQ(small.find(key(1)), nullptr);
}
