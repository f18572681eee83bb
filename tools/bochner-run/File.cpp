//===- File.cpp - reading and replacing whole files ----------------------===//
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
#include "Failure.h"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace bochner::run {

namespace {
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd > STDIN_FILENO)
      close(fd);
  }
};
} // namespace

static FileContent readStream(int fd, const std::string &path) {
  auto text = std::make_shared<std::string>();
  char block[1 << 16];
  while (ssize_t count = read(fd, block, sizeof block)) {
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      fail("cannot read '", path, "': ", std::strerror(errno));
    text->append(block, count);
  }
  return {*text, text};
}

FileContent readFile(const std::string &path) {
  if (path == "-")
    return readStream(STDIN_FILENO, "standard input");
  Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat information;
  if (file.fd < 0 || fstat(file.fd, &information) != 0)
    fail("cannot read '", path, "': ", std::strerror(errno));
  if (S_ISDIR(information.st_mode))
    fail("cannot read '", path, "': it is a folder");
  // Files of /proc and /sys claim to be regular and empty.
  if (!S_ISREG(information.st_mode) || information.st_size == 0)
    return readStream(file.fd, path);
  size_t size = information.st_size;
  void *address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (address == MAP_FAILED)
    return readStream(file.fd, path);
  std::shared_ptr<const void> memory(address, [size](const void *p) { munmap(const_cast<void *>(p), size); });
  return {{static_cast<const char *>(address), size}, std::move(memory)};
}

static std::string folderOf(const std::string &path) {
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

OutputFile::OutputFile(std::string path) : target(std::move(path)) {
  struct stat information;
  if (stat(target.c_str(), &information) == 0) {
    if (S_ISDIR(information.st_mode))
      failToWrite(EISDIR);
    isRegular = S_ISREG(information.st_mode);
    if (isRegular) {
      // A symbolic link stays; what it points to is replaced.
      std::unique_ptr<char, decltype(&std::free)> real(realpath(target.c_str(), nullptr), std::free);
      if (real)
        target = real.get();
    }
  } else if (errno != ENOENT) {
    failToWrite(errno);
  }
  if (!target.empty() && target.back() == '/')
    failToWrite(EISDIR);
  if (access(isRegular ? folderOf(target).c_str() : target.c_str(), isRegular ? W_OK | X_OK : W_OK) != 0)
    failToWrite(errno);
}

OutputFile::~OutputFile() {
  if (fd >= 0)
    close(fd);
  if (!temporary.empty())
    unlink(temporary.c_str());
}

void OutputFile::failToWrite(int error) { fail("cannot write '", target, "': ", std::strerror(error)); }

const std::string &OutputFile::temporaryPath() {
  if (!isRegular)
    fail("cannot write '", target, "': it is not a regular file");
  if (temporary.empty())
    open();
  return temporary;
}

void OutputFile::open() {
  if (!isRegular) {
    fd = ::open(target.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0)
      failToWrite(errno);
    return;
  }
  for (int attempt = 0; fd < 0; ++attempt) {
    std::string name = concat(target, ".tmp-", long(getpid()), "-", attempt);
    fd = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0)
      temporary = std::move(name);
    else if (errno != EEXIST || attempt == 100)
      failToWrite(errno);
  }
}

void OutputFile::write(const void *data, size_t size) {
  const char *at = static_cast<const char *>(data);
  while (size) {
    ssize_t count = ::write(fd, at, std::min<size_t>(size, size_t(1) << 30));
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      failToWrite(errno);
    at += count;
    size -= count;
  }
}

void OutputFile::commit() {
  // A full disk or a quota may show as late as this.
  if (fd >= 0 && close(std::exchange(fd, -1)) != 0)
    failToWrite(errno);
  if (temporary.empty())
    return;
  if (rename(temporary.c_str(), target.c_str()) != 0)
    failToWrite(errno);
  temporary.clear();
}

} // namespace bochner::run
