//===- ModuleFormat.h - what a compiled module says about itself ----------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The contract between the compiler, which writes modules, and the runtime, which loads and calls them. Both include
// this file; it needs neither LLVM nor the runtime's sources.
//
// A module is one ELF file (ET_DYN, file offset == address): .text, .rodata, a relocated .data (GOT), .symtab and a
// section .bochner with the serialized ModuleInfo below. The last eight bytes of the file are a checksum of the rest.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_MODULEFORMAT_H
#define BOCHNER_RUNTIME_MODULEFORMAT_H

#include "RuntimeFunctions.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace bochner::format {

/// Raised whenever the layout of a module or the calling convention below changes: older files are recompiled.
constexpr uint32_t kVersion = 4;

//===----------------------------------------------------------------------===//
// Calling convention of compiled code
//===----------------------------------------------------------------------===//

/// One task of a parallel loop. `scratch` holds FunctionInfo::scratchBytes, 64-byte aligned, and belongs to the task
/// until it returns; its content is undefined at entry.
using TaskFn = void (*)(void *context, int64_t index, void *scratch);

/// One launch of a kernel.
struct Launch {
  /// What the device knows the kernel by: bochner_sim_kernel_t of runtime/Simulator/Interface.h.
  const void *kernel;
  /// parameters[i] is the address of the value of parameter i.
  void *const *parameters;
  int64_t grid[3];
  uint32_t block[3];
  uint32_t sharedBytes; ///< dynamic shared memory
};

/// What a compiled function may ask of its host. The first argument of every entry point.
struct Environment {
  /// Runs task(context, i, scratch) for every i in [0, count), in any order, possibly in parallel; returns when all
  /// are done. Never fails. Not to be called from a task, whose scratch the inner tasks would share.
  void (*parallelFor)(const Environment *self, TaskFn task, void *context, int64_t count);
  /// workspaceBytes(descriptors) bytes, 64-byte aligned, for intermediate tensors, packed parameters and states.
  void *workspace;
  /// Of the host; compiled code does not look at it.
  void *host;
  /// Runs a kernel behind those launched before. A failure ends the call with a status once the code returns; what is
  /// launched after it does not run. A grid without blocks does nothing.
  void (*launch)(const Environment *self, const Launch *launch);
};

/// `descriptors[i]` points to the memref descriptor of argument i, then of result i - #arguments:
/// { void *allocated; void *aligned; int64_t offset; int64_t sizes[rank]; int64_t strides[rank]; }, strides counted
/// in elements, the last one 1. A rank-0 tensor has no sizes and strides. Results are written, never read, and share
/// no memory with anything else, but see Update::inPlace.
using EntryFn = void (*)(const Environment *environment, void *const *descriptors);
using WorkspaceFn = int64_t (*)(void *const *descriptors);

//===----------------------------------------------------------------------===//
// Description of a module
//===----------------------------------------------------------------------===//

enum class ScalarType : uint32_t { f64, f32, bf16, f16, i64, i32, i8, i1 };

constexpr int64_t kDynamic = -1;

/// A dimension of a function's tensor: dimension `dim` of argument `argument`; or the constant `dim` if `argument` is
/// kConstant.
struct DimRef {
  static constexpr uint32_t kConstant = UINT32_MAX;
  uint32_t argument = kConstant;
  int64_t dim = 0;
};

struct TensorInfo {
  std::string name; // bochner.name, or arg0, arg1, ... and out0, ...
  ScalarType type = ScalarType::f32;
  std::vector<int64_t> shape;        // kDynamic where the caller decides
  std::vector<DimRef> dims;          // results only: where each dimension comes from
  std::string init;                  // bochner.init: how a runner fills what is not given; empty if it must be given
  std::vector<std::string> dimNames; // bochner.dims
};

/// Two dimensions that must agree at every call, checked before the function runs.
struct EqualDims {
  DimRef left, right;
};

/// Every element of an integer argument must lie in [low, high]: for sequence lengths, permutations.
struct ValueRange {
  uint32_t argument = 0;
  DimRef low, high;
};

/// The elements of an integer argument of rank 1 must begin with 0, never decrease, and end with `rows`: boundaries of
/// sequences that lie one after the other in that many rows (cu_seqlens).
struct SequenceOffsets {
  uint32_t argument = 0;
  DimRef rows;
};

/// Result `result` is the next value of argument `argument`, a state for example: a caller may give both the same
/// memory, with the same sizes and strides. Every argument and result is in one update at most.
struct Update {
  uint32_t argument = 0, result = 0;
  /// 1: the code may run like that, because nothing reads an element of the argument after the same element of the
  /// result was written, in whatever order tasks run. 0: the runtime gives the code a copy of the argument.
  uint32_t inPlace = 0;
};

/// coefficient * product of dimensions.
struct CostTerm {
  double coefficient = 0;
  std::vector<DimRef> dims;
};

struct FunctionInfo {
  std::string name;          // as in the source
  std::string entry;         // symbol of an EntryFn
  std::string workspace;     // symbol of a WorkspaceFn; empty if none is needed
  uint64_t scratchBytes = 0; // per concurrently running task
  std::vector<TensorInfo> arguments, results;
  std::vector<EqualDims> equalDims;
  std::vector<ValueRange> ranges;
  std::vector<SequenceOffsets> offsets;
  std::vector<Update> updates;
  std::vector<CostTerm> flop;       // what the formula needs, however it is computed (gflop of bochner-run)
  std::vector<CostTerm> stateBytes; // partial states of attention inside the workspace
  std::string attributes;           // free text for runners: "map=gmm_prf attention=linear ..."
};

struct ModuleInfo {
  std::string producer;           // "bochner 0.1.0, LLVM 22.1.8"
  std::string route, device, cpu; // of the compilation; cpu is the resolved name
  std::string features;           // of the target, LLVM's names: "+avx2,+fma"; the loader requires them
  std::vector<FunctionInfo> functions;
  std::vector<std::pair<std::string, std::string>> phases; // name of a phase, its IR (kept when asked for)
};

/// The functions of the C library that compiled code may call. The compiler refuses every other undefined symbol, the
/// runtime resolves exactly these.
constexpr const char *kRuntimeFunctions[] = {
#define BOCHNER_NAME(function) #function,
    BOCHNER_RUNTIME_FUNCTIONS(BOCHNER_NAME)
#undef BOCHNER_NAME
};

/// An eight-byte slot of .data that receives the address of an allowed runtime function (memset, expf, ...).
struct Import {
  uint64_t slot = 0; // file offset
  std::string name;
};

/// An eight-byte slot of .data that receives base + target.
struct Relocation {
  uint64_t slot = 0, target = 0; // file offsets
};

/// What the loader fills in before the module's code may run.
struct LoaderTables {
  std::vector<Import> imports;
  std::vector<Relocation> relocations;
};

//===----------------------------------------------------------------------===//
// Serialization: little-endian, length-prefixed; reading never trusts a length
//===----------------------------------------------------------------------===//

/// Walks a structure's members in one fixed order; `Archive` is Writer or Reader below.
template <typename Archive, typename T> void visitMembers(Archive &archive, T &value);

class Writer {
public:
  std::string take() { return std::move(bytes); }
  void member(uint32_t &v) { raw(&v, sizeof v); }
  void member(uint64_t &v) { raw(&v, sizeof v); }
  void member(int64_t &v) { raw(&v, sizeof v); }
  void member(double &v) { raw(&v, sizeof v); }
  void member(ScalarType &v) { raw(&v, sizeof v); }
  void member(std::string &v) {
    count(v.size());
    bytes.append(v);
  }
  template <typename T> void member(std::vector<T> &v) {
    count(v.size());
    for (T &element : v)
      member(element);
  }
  template <typename T> void member(T &v) { visitMembers(*this, v); }

private:
  void raw(const void *p, size_t n) { bytes.append(static_cast<const char *>(p), n); }
  void count(uint64_t n) { raw(&n, sizeof n); }
  std::string bytes;
};

/// Fails (ok() is false and everything read is empty) instead of running past the end.
class Reader {
public:
  Reader(const char *data, size_t size) : at(data), end(data + size) {}
  bool ok() const { return good; }
  void member(uint32_t &v) { raw(&v, sizeof v); }
  void member(uint64_t &v) { raw(&v, sizeof v); }
  void member(int64_t &v) { raw(&v, sizeof v); }
  void member(double &v) { raw(&v, sizeof v); }
  void member(ScalarType &v) {
    raw(&v, sizeof v);
    if (v > ScalarType::i1)
      fail();
  }
  void member(std::string &v) {
    uint64_t n = count();
    v.assign(at, n);
    at += n;
  }
  template <typename T> void member(std::vector<T> &v) {
    // An element takes at least four bytes, so a corrupt count cannot ask for more memory than the file has.
    uint64_t n = count();
    v.clear();
    for (uint64_t i = 0; i < n && good; ++i)
      member(v.emplace_back());
  }
  template <typename T> void member(T &v) { visitMembers(*this, v); }

private:
  void fail() {
    good = false;
    at = end;
  }
  void raw(void *p, size_t n) {
    if (size_t(end - at) < n) {
      fail();
      return;
    }
    __builtin_memcpy(p, at, n);
    at += n;
  }
  uint64_t count() {
    uint64_t n = 0;
    raw(&n, sizeof n);
    if (n > uint64_t(end - at))
      fail();
    return good ? n : 0;
  }
  const char *at, *end;
  bool good = true;
};

namespace detail {
template <typename A, typename... T> void members(A &a, T &...values) { (a.member(values), ...); }
} // namespace detail

template <typename A> void visitMembers(A &a, DimRef &v) { detail::members(a, v.argument, v.dim); }
template <typename A> void visitMembers(A &a, EqualDims &v) { detail::members(a, v.left, v.right); }
template <typename A> void visitMembers(A &a, ValueRange &v) { detail::members(a, v.argument, v.low, v.high); }
template <typename A> void visitMembers(A &a, SequenceOffsets &v) { detail::members(a, v.argument, v.rows); }
template <typename A> void visitMembers(A &a, Update &v) { detail::members(a, v.argument, v.result, v.inPlace); }
template <typename A> void visitMembers(A &a, CostTerm &v) { detail::members(a, v.coefficient, v.dims); }
template <typename A> void visitMembers(A &a, TensorInfo &v) {
  detail::members(a, v.name, v.type, v.shape, v.dims, v.init, v.dimNames);
}
template <typename A> void visitMembers(A &a, FunctionInfo &v) {
  detail::members(a, v.name, v.entry, v.workspace, v.scratchBytes, v.arguments, v.results, v.equalDims, v.ranges,
                  v.offsets, v.updates, v.flop, v.stateBytes, v.attributes);
}
template <typename A> void visitMembers(A &a, std::pair<std::string, std::string> &v) {
  detail::members(a, v.first, v.second);
}
template <typename A> void visitMembers(A &a, Import &v) { detail::members(a, v.slot, v.name); }
template <typename A> void visitMembers(A &a, Relocation &v) { detail::members(a, v.slot, v.target); }
template <typename A> void visitMembers(A &a, LoaderTables &v) { detail::members(a, v.imports, v.relocations); }
template <typename A> void visitMembers(A &a, ModuleInfo &v) {
  detail::members(a, v.producer, v.route, v.device, v.cpu, v.features, v.functions, v.phases);
}

inline std::string serialize(ModuleInfo &info) {
  Writer w;
  uint32_t version = kVersion;
  w.member(version);
  w.member(info);
  return w.take();
}

/// False if the bytes are not a description of this version.
inline bool deserialize(const char *data, size_t size, ModuleInfo &info) {
  Reader r(data, size);
  uint32_t version = 0;
  r.member(version);
  if (!r.ok() || version != kVersion)
    return false;
  r.member(info);
  return r.ok();
}

/// The content of section .bochner: u64 size of the description, the description, the tables.
inline std::string serializeSection(ModuleInfo &info, LoaderTables &tables) {
  std::string description = serialize(info);
  Writer w;
  w.member(description);
  w.member(tables);
  return w.take();
}

/// False if the bytes are not a section of this version. Bytes behind the tables are padding.
inline bool deserializeSection(const char *data, size_t size, ModuleInfo &info, LoaderTables &tables) {
  Reader r(data, size);
  std::string description;
  r.member(description);
  r.member(tables);
  return r.ok() && deserialize(description.data(), description.size(), info);
}

/// FNV-1a over 8-byte words with a mixing step, the tail byte by byte: the checksum of a module and of cache entries.
inline uint64_t checksum(const char *data, size_t size) {
  uint64_t h = 1469598103934665603ull, word;
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    __builtin_memcpy(&word, data + i, 8);
    h = (h ^ word) * 1099511628211ull;
    h ^= h >> 29;
  }
  for (; i < size; ++i)
    h = (h ^ static_cast<unsigned char>(data[i])) * 1099511628211ull;
  return h;
}

} // namespace bochner::format

#endif // BOCHNER_RUNTIME_MODULEFORMAT_H
