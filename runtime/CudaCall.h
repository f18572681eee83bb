//===- CudaCall.h - kernels of one call on the device cuda ------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_CUDACALL_H
#define BOCHNER_RUNTIME_CUDACALL_H

#include "Call.h"
#include "CudaModules.h"
#include "LaunchDump.h"

namespace bochner {

/// The launches of one call, in the order of the code, on the caller's stream. Waits for nothing. Not thread-safe.
class CudaCall {
public:
  CudaCall(const CudaDriver &driver, CudaModules &modules, void *stream)
      : driver(driver), modules(modules), stream(static_cast<CudaStream>(stream)), scope(driver) {}
  /// Gives memory back that begin() took, behind the launches.
  ~CudaCall();

  /// Enters the context and provides the workspace: the caller's, or memory of the stream.
  Status begin(int32_t device, void *workspace, size_t workspaceSize, uint64_t neededBytes);
  void *workspace() const { return reinterpret_cast<void *>(uintptr_t(memory)); }
  /// Records launches; may be null.
  void setDump(LaunchDump *newDump) { dump = newDump; }

  void launch(const format::Launch &launch);
  /// What went wrong; to be called once, after the last launch.
  Status takeStatus() { return std::move(status); }

private:
  Status tryLaunch(const format::Launch &launch);

  const CudaDriver &driver;
  CudaModules &modules;
  const CudaStream stream;
  CudaScope scope;
  LaunchDump *dump = nullptr;
  bool capturing = false, allocated = false;
  CudaPointer memory = 0;
  Status status;
};

} // namespace bochner

#endif // BOCHNER_RUNTIME_CUDACALL_H
