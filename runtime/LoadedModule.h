//===- LoadedModule.h - a module that is ready to be called ------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An image whose description was checked, with the addresses of its functions and the C view of their signatures.
// Immutable and shared between the handles of the application and the cache in memory.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_LOADEDMODULE_H
#define BOCHNER_RUNTIME_LOADEDMODULE_H

#include "CudaModules.h"
#include "Image.h"
#include "bochner/bochner.h"

namespace bochner {

/// The DLPack type of a scalar type, its size in bytes and its name.
DLDataType toDLPack(format::ScalarType type);
unsigned byteSize(format::ScalarType type);
std::string toString(DLDataType type);

struct Function {
  const format::FunctionInfo *info = nullptr;
  format::EntryFn entry = nullptr;
  format::WorkspaceFn workspace = nullptr; // null if none is needed
  std::vector<bochner_tensor_info_t> arguments, results;
};

class LoadedModule {
public:
  /// Takes an image. Errors: INVALID_MODULE.
  static Status create(std::unique_ptr<Image> image, const std::string &name,
                       std::shared_ptr<const LoadedModule> &module);
  /// Image::fromMemory() and create().
  static Status fromMemory(std::string_view file, const std::string &name, std::shared_ptr<const LoadedModule> &module);
  /// Image::fromFile() and create().
  static Status fromFile(const FileDescriptor &file, size_t size, bool mayMap, const std::string &name,
                         std::shared_ptr<const LoadedModule> &module);

  const Image &image() const { return *code; }
  const format::ModuleInfo &info() const { return code->info(); }
  const std::vector<Function> &functions() const { return table; }

  /// Features that the code needs and this machine lacks: it can be looked at and saved, but not called.
  const std::string &missingFeatures() const { return missing; }

  /// Kernels of device cuda, loaded when they are first launched.
  CudaModules &cudaModules() const { return kernels; }

private:
  explicit LoadedModule(std::unique_ptr<Image> image) : code(std::move(image)) {}
  Status addFunction(const format::FunctionInfo &info, const std::string &name);
  bochner_tensor_info_t describe(const format::TensorInfo &info);

  std::unique_ptr<Image> code;
  std::vector<Function> table;
  std::vector<std::unique_ptr<const char *[]>> dimNames;
  std::string missing;
  mutable CudaModules kernels;
};

} // namespace bochner

#endif // BOCHNER_RUNTIME_LOADEDMODULE_H
