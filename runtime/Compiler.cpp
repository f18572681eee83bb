//===- Compiler.cpp - libbochner-compiler.so, when it is needed -----------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Compiler.h"

#include "File.h"
#include "Library.h"
#include "bochner/bochner.h"

#include <cstring>
#include <dlfcn.h>
#include <link.h>

using namespace bochner;

static constexpr LibraryNames kLibraryNames = {"libbochner-compiler.so.0", "libbochner-compiler.so"};
/// Other libraries beside it that decide about the code.
static constexpr const char *kOtherParts[] = {"libbochner-dialect.so.0", "libbochner-dialect.so"};
static_assert(BOCHNER_ABI_VERSION >> 16 == 0, "the names end with the major part");

Compiler &Compiler::get() {
  static Compiler *compiler = new Compiler; // never destroyed: threads may compile while the process exits
  return *compiler;
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
    std::string path = findBeside(kLibraryNames);
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
  std::string path = findBeside(kLibraryNames);
  std::string identityBefore = identify(path);
  Diagnostics diagnostics;
  void *handle = openLibrary(path, kLibraryNames, diagnostics);
  if (!handle) {
    std::string reason = diagnostics.back()->message;
    return Status(BOCHNER_STATUS_UNAVAILABLE,
                  concat("expected the compiler ", kLibraryNames.second,
                         " beside libbochner.so or on the library search path, but it could not be loaded (", reason,
                         "); install Bochner's compiler with LLVM and MLIR 22, or load a module that was saved before"),
                  std::move(diagnostics));
  }
  auto entry = reinterpret_cast<bochner_compiler_entry_fn>(dlsym(handle, BOCHNER_COMPILER_ENTRY));
  const bochner_compiler_interface_t *interface = entry ? entry() : nullptr;
  if (!interface || interface->version != BOCHNER_COMPILER_INTERFACE_VERSION ||
      strcmp(interface->project_version, BOCHNER_VERSION_STRING)) {
    std::string name = path.empty() ? kLibraryNames.second : path;
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
