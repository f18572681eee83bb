//===- Library.cpp - parts that are loaded when needed --------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// RTLD_LOCAL keeps LLVM's symbols away from the host, who may have an LLVM of its own. RTLD_NOW turns libraries that
// do not fit together into a status here instead of an abort later, for five milliseconds.
//
//===----------------------------------------------------------------------===//
#include "Library.h"

#include "File.h"
#include "bochner/bochner.h"

#include <cstdlib>
#include <dlfcn.h>
#include <sys/stat.h>

using namespace bochner;

static std::string findInFolder(const std::string &folder, const LibraryNames &names) {
  for (const char *name : {names.first, names.second}) {
    std::string path = concat(folder, '/', name);
    struct stat information;
    if (!stat(path.c_str(), &information))
      return path;
  }
  return "";
}

std::string bochner::findBeside(const LibraryNames &names) {
  Dl_info self;
  if (!dladdr(reinterpret_cast<void *>(&bochnerGetAbiVersion), &self) || !self.dli_fname)
    return "";
  std::string path = findInFolder(parentFolder(self.dli_fname), names);
  if (!path.empty())
    return path;
  std::unique_ptr<char, decltype(&free)> resolved(realpath(self.dli_fname, nullptr), free);
  return resolved ? findInFolder(parentFolder(resolved.get()), names) : "";
}

void *bochner::openLibrary(const std::string &path, const LibraryNames &names, Diagnostics &notes) {
  auto open = [&](const char *name) {
    void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
      notes.push_back(std::make_unique<Diagnostic>(BOCHNER_SEVERITY_NOTE, "", dlerror()));
    return handle;
  };
  if (!path.empty())
    return open(path.c_str());
  void *handle = open(names.first);
  return handle ? handle : open(names.second);
}
