//===- FileTest.cpp - reading and writing whole files ---------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/File.h"
#include "TestUtils.h"

#include <csignal>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace bochner;
using namespace bochner::test;

TEST(File, ReadsAndWrites) {
  TemporaryFolder folder;
  std::string content(100000, 'a'), read;
  EXPECT_OK(writeFile(folder / "file", content).release());
  EXPECT_OK(readFile(folder / "file", read).release());
  EXPECT_EQ(read, content);
  EXPECT_EQ(listFiles(folder.path()), std::vector<std::string>{"file"}); // no temporary file is left
}

TEST(File, ReadErrorsNameTheFile) {
  TemporaryFolder folder;
  std::string content;
  EXPECT_FAILURE(readFile(folder / "absent", content).release(),
                 "not found: expected to read '" + folder / "absent" + "', but got: No such file or directory");
  EXPECT_FAILURE(readFile(folder.path(), content).release(),
                 "input/output error: expected to read '" + folder.path() + "', but got: Is a directory");
  FileDescriptor file;
  struct stat information;
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_FAILURE(openFile(folder / "pipe", file, information).release(),
                 "input/output error: expected '" + folder / "pipe" + "' to be a regular file");
}

TEST(File, WriteErrorsNameTheFile) {
  TemporaryFolder folder;
  EXPECT_FAILURE(writeFile(folder / "absent/file", "x").release(), "input/output error: expected to write '" +
                                                                       folder / "absent/file" +
                                                                       "', but got: No such file or directory");
  EXPECT_FAILURE(writeFile(folder.path(), "x").release(),
                 "input/output error: expected to write '" + folder.path() + "', but got: Is a directory");
}

TEST(File, KeepsSymbolicLinksAndDevices) {
  TemporaryFolder folder;
  writeAll(folder / "target", "old");
  ASSERT_EQ(symlink("target", (folder / "link").c_str()), 0);
  EXPECT_OK(writeFile(folder / "link", "new").release());
  EXPECT_EQ(readAll(folder / "target"), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_OK(writeFile("/dev/null", "x").release());
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(File, AFailedWriteLeavesNothing) {
  TemporaryFolder folder;
  writeAll(folder / "file", "old");
  pid_t child = fork();
  if (!child) {
    // Files of this process end at 4096 bytes, like a disk that is full.
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {4096, 4096};
    setrlimit(RLIMIT_FSIZE, &limit);
    Status status = writeFile(folder / "file", std::string(10000, 'a'));
    _exit(status && status->code == BOCHNER_STATUS_IO_ERROR ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(readAll(folder / "file"), "old");
  EXPECT_EQ(listFiles(folder.path()).size(), 1u);
}

TEST(File, ParentFolder) {
  EXPECT_EQ(parentFolder("a/b/c"), "a/b");
  EXPECT_EQ(parentFolder("/c"), "/");
  EXPECT_EQ(parentFolder("c"), ".");
}
