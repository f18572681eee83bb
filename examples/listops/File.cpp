//===- File.cpp - files that are whole or not there ----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "File.h"
#include "Failure.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace listops {

[[noreturn]] static void failToWrite(const std::string &path) {
  fail("cannot write '", path, "': ", std::strerror(errno));
}

std::optional<std::string> readFile(const std::string &path) {
  FILE *file = std::fopen(path.c_str(), "rb");
  if (!file && errno == ENOENT)
    return std::nullopt;
  std::string content;
  char buffer[1 << 16];
  size_t count = 0;
  while (file && (count = std::fread(buffer, 1, sizeof buffer, file)) > 0)
    content.append(buffer, count);
  bool isBad = !file || std::ferror(file);
  int error = errno;
  if (file)
    std::fclose(file);
  if (isBad)
    fail("cannot read '", path, "': ", std::strerror(error));
  return content;
}

/// Writes all bytes, and waits for the disk.
static bool writeAndFlush(int file, std::string_view content) {
  while (!content.empty()) {
    ssize_t count = write(file, content.data(), content.size());
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return false;
    content.remove_prefix(static_cast<size_t>(count));
  }
  return fsync(file) == 0;
}

void writeFile(const std::string &path, std::string_view content) {
  std::string temporary = path + ".new";
  int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0)
    failToWrite(temporary);
  bool isWritten = writeAndFlush(file, content);
  if ((close(file) != 0) | !isWritten)
    failToWrite(temporary);
  if (rename(temporary.c_str(), path.c_str()))
    failToWrite(path);
  // The new name is on the disk once the folder is.
  size_t slash = path.rfind('/');
  std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  int directory = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0 || fsync(directory))
    failToWrite(folder);
  close(directory);
}

void makeFolder(const std::string &path) {
  if (mkdir(path.c_str(), 0777) && errno != EEXIST)
    fail("cannot create the folder '", path, "': ", std::strerror(errno));
  struct stat information;
  if (stat(path.c_str(), &information) || !S_ISDIR(information.st_mode))
    fail("expected '", path, "' to be a folder, but it is something else; give another --out");
}

FolderLock::FolderLock(const std::string &folder) {
  std::string path = folder + "/lock";
  file = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0)
    failToWrite(path);
  if (flock(file, LOCK_EX | LOCK_NB)) {
    close(file);
    fail("another process is training in '", folder, "'; wait for it, or give another --out");
  }
}

FolderLock::~FolderLock() { close(file); }

std::string outputOf(const std::vector<std::string> &command, const std::string &remedy) {
  int ends[2];
  if (pipe(ends))
    fail("cannot make a pipe: ", std::strerror(errno));
  for (int end : ends)
    fcntl(end, F_SETFD, FD_CLOEXEC);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  std::vector<char *> arguments;
  for (const std::string &argument : command)
    arguments.push_back(const_cast<char *>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  int error = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string output;
  char buffer[1 << 16];
  for (ssize_t count; !error && (count = read(ends[0], buffer, sizeof buffer)) != 0;)
    if (count > 0)
      output.append(buffer, static_cast<size_t>(count));
    else if (errno != EINTR)
      break;
  close(ends[0]);
  if (error)
    fail("cannot run '", command[0], "': ", std::strerror(error), "; ", remedy);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  if (!WIFEXITED(status) || WEXITSTATUS(status)) {
    std::string line;
    for (const std::string &argument : command)
      line += (line.empty() ? "" : " ") + argument;
    fail("'", line, "' failed; its message stands above");
  }
  return output;
}

uint64_t hashOf(std::string_view bytes, uint64_t hash) {
  for (unsigned char byte : bytes)
    hash = (hash ^ byte) * 1099511628211u;
  return hash;
}

std::string toHex(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

} // namespace listops
