//===- Compiler.cpp - libbochner-compiler.so, when it is needed -----------===//
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
#include "Compiler.h"

#include "File.h"
#include "bochner/bochner.h"

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <link.h>

using namespace bochner;

/// By preference. Packages for running programs have the first name only, build trees may lack it.
static constexpr const char *kLibraryNames[] = {"libbochner-compiler.so.0", "libbochner-compiler.so"};
/// Other libraries beside it that decide about the code.
static constexpr const char *kOtherParts[] = {"libbochner-dialect.so.0", "libbochner-dialect.so"};
static_assert(BOCHNER_ABI_VERSION >> 16 == 0, "the names end with the major part");

Compiler &Compiler::get() {
  static Compiler *compiler = new Compiler; // never destroyed: threads may compile while the process exits
  return *compiler;
}

static std::string findInFolder(const std::string &folder) {
  for (const char *name : kLibraryNames) {
    std::string path = concat(folder, '/', name);
    struct stat information;
    if (!stat(path.c_str(), &information))
      return path;
  }
  return "";
}

/// Beside this library, as it was named or where its symbolic link leads; empty if it is not there.
static std::string findBeside() {
  Dl_info self;
  if (!dladdr(reinterpret_cast<void *>(&bochnerGetAbiVersion), &self) || !self.dli_fname)
    return "";
  std::string path = findInFolder(parentFolder(self.dli_fname));
  if (!path.empty())
    return path;
  std::unique_ptr<char, decltype(&free)> resolved(realpath(self.dli_fname, nullptr), free);
  return resolved ? findInFolder(parentFolder(resolved.get())) : "";
}

static std::string identify(const std::string &path) {
  std::string identity;
  auto add = [&](const std::string &file) {
    struct stat information;
    if (!stat(file.c_str(), &information))
      identity += concat(file, ' ', information.st_size, ' ', information.st_mtim.tv_sec, '.',
                         information.st_mtim.tv_nsec, '\n');
  };
  add(path);
  for (const char *part : kOtherParts)
    add(concat(parentFolder(path), '/', part));
  return identity;
}

std::string Compiler::identity() {
  std::lock_guard<std::mutex> lock(mutex);
  if (!loaded) {
    std::string path = findBeside();
    if (!path.empty())
      return identify(path);
    // On the search path, which only the dynamic linker knows.
    if (Status ignored = loadLocked())
      return "";
  }
  return loadedIdentity; // the file may have been replaced since
}

Status Compiler::load(const bochner_compiler_interface_t *&interface) {
  std::lock_guard<std::mutex> lock(mutex);
  if (Status status = loadLocked())
    return status;
  interface = loaded;
  return {};
}

Status Compiler::loadLocked() {
  if (loaded)
    return {};
  std::string path = findBeside();
  std::string identityBefore = identify(path);
  void *handle = nullptr;
  Diagnostics diagnostics;
  auto open = [&](const std::string &name) {
    handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle)
      diagnostics.push_back(std::make_unique<Diagnostic>(BOCHNER_SEVERITY_NOTE, "", dlerror()));
  };
  if (!path.empty())
    open(path);
  for (const char *name : kLibraryNames)
    if (path.empty() && !handle)
      open(name);
  if (!handle) {
    std::string reason = diagnostics.back()->message;
    return Status(BOCHNER_STATUS_UNAVAILABLE,
                  concat("expected the compiler ", kLibraryNames[1],
                         " beside libbochner.so or on the library search path, but it could not be loaded (", reason,
                         "); install Bochner's compiler with LLVM and MLIR 22, or load a module that was saved before"),
                  std::move(diagnostics));
  }
  auto entry = reinterpret_cast<bochner_compiler_entry_fn>(dlsym(handle, BOCHNER_COMPILER_ENTRY));
  const bochner_compiler_interface_t *interface = entry ? entry() : nullptr;
  if (!interface || interface->version != BOCHNER_COMPILER_INTERFACE_VERSION ||
      strcmp(interface->project_version, BOCHNER_VERSION_STRING)) {
    std::string name = path.empty() ? kLibraryNames[1] : path;
    std::string got =
        interface ? concat("is version ", interface->project_version, " with interface ", interface->version)
                  : concat("has no function ", BOCHNER_COMPILER_ENTRY);
    dlclose(handle);
    return Status(BOCHNER_STATUS_VERSION_MISMATCH,
                  concat("expected '", name, "' to be version ", BOCHNER_VERSION_STRING, " with interface ",
                         BOCHNER_COMPILER_INTERFACE_VERSION, ", but it ", got,
                         "; install runtime and compiler of one release"));
  }
  if (path.empty()) {
    struct link_map *map = nullptr;
    if (!dlinfo(handle, RTLD_DI_LINKMAP, &map) && map)
      identityBefore = identify(map->l_name);
  }
  loadedIdentity = identityBefore;
  loaded = interface;
  return {};
}
