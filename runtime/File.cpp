//===- File.cpp - reading and writing whole files -------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// POSIX calls with EINTR and short transfers taken care of.
//
//===----------------------------------------------------------------------===//
#include "File.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <unistd.h>

using namespace bochner;

FileDescriptor::~FileDescriptor() {
  if (fd >= 0)
    close(fd);
}

static Status readError(const std::string &path, int error) {
  bool absent = error == ENOENT || error == ENOTDIR;
  return Status(absent ? BOCHNER_STATUS_NOT_FOUND : BOCHNER_STATUS_IO_ERROR,
                concat("expected to read '", path, "', but got: ", describeErrno(error)));
}

static Status openAny(const std::string &path, int flags, FileDescriptor &file, struct stat &information) {
  file = FileDescriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  if (!file || fstat(file.get(), &information))
    return readError(path, errno);
  if (S_ISDIR(information.st_mode))
    return readError(path, EISDIR);
  return {};
}

Status bochner::openFile(const std::string &path, FileDescriptor &file, struct stat &information) {
  if (Status status = openAny(path, O_NONBLOCK, file, information)) // a pipe would wait for its writer
    return status;
  if (!S_ISREG(information.st_mode))
    return Status(BOCHNER_STATUS_IO_ERROR, concat("expected '", path, "' to be a regular file"));
  return {};
}

Status bochner::readFile(const FileDescriptor &file, const std::string &path, std::string &content) {
  struct stat information;
  if (fstat(file.get(), &information))
    return readError(path, errno);
  content.clear();
  size_t chunk = S_ISREG(information.st_mode) ? size_t(information.st_size) + 1 : 1 << 16;
  while (true) {
    size_t have = content.size();
    content.resize(have + chunk);
    ssize_t got = read(file.get(), &content[have], chunk);
    content.resize(have + (got > 0 ? size_t(got) : 0));
    if (got == 0)
      return {};
    if (got < 0 && errno != EINTR)
      return readError(path, errno);
    chunk = 1 << 16; // a regular file is complete by now, unless it grows
  }
}

Status bochner::readFile(const std::string &path, std::string &content) {
  FileDescriptor file;
  struct stat information;
  if (Status status = openAny(path, 0, file, information))
    return status;
  return readFile(file, path, content);
}

static int writeAll(int fd, std::string_view content) {
  while (!content.empty()) {
    ssize_t wrote = write(fd, content.data(), content.size());
    if (wrote >= 0)
      content.remove_prefix(size_t(wrote));
    else if (errno != EINTR)
      return errno;
  }
  return 0;
}

int bochner::writeFileAt(int folder, const std::string &name, std::string_view content, unsigned mode) {
  static std::atomic<unsigned> counter{0};
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  std::string temporary = concat(name, ".tmp-", getpid(), "-", counter++, "-", now.tv_nsec);
  int fd = openat(folder, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0)
    return errno;
  int error = writeAll(fd, content);
  if (close(fd) && !error) // the last chance of network file systems to report a full disk
    error = errno;
  if (!error && renameat(folder, temporary.c_str(), folder, name.c_str()))
    error = errno;
  if (error)
    unlinkat(folder, temporary.c_str(), 0);
  return error;
}

Status bochner::writeFile(const std::string &path, std::string_view content) {
  auto failed = [&](int error) {
    return Status(BOCHNER_STATUS_IO_ERROR, concat("expected to write '", path, "', but got: ", describeErrno(error)));
  };
  std::string target = path;
  struct stat information;
  if (!stat(path.c_str(), &information)) {
    if (S_ISDIR(information.st_mode))
      return failed(EISDIR);
    if (!S_ISREG(information.st_mode)) {
      FileDescriptor file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
      int error = file ? writeAll(file.get(), content) : errno;
      return error ? failed(error) : Status();
    }
    if (char *resolved = realpath(path.c_str(), nullptr)) {
      std::unique_ptr<char, decltype(&free)> owner(resolved, free);
      target = resolved;
    }
  }
  FileDescriptor folder(open(parentFolder(target).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder)
    return failed(errno);
  std::string name = target.substr(target.rfind('/') + 1); // npos + 1 is 0
  if (name.empty())
    return failed(EISDIR);
  if (int error = writeFileAt(folder.get(), name, content, 0666))
    return failed(error);
  return {};
}

bool bochner::isPrivate(const struct stat &information) {
  bool ours = information.st_uid == geteuid() || information.st_uid == 0;
  return ours && !(information.st_mode & (S_IWGRP | S_IWOTH));
}

std::string bochner::parentFolder(const std::string &path) {
  size_t slash = path.rfind('/');
  if (slash == path.npos)
    return ".";
  return slash ? path.substr(0, slash) : "/";
}
