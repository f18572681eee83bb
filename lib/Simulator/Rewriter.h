//===- Rewriter.h - state of the rewrite of a kernel -------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the steps of lib/Simulator share while they rewrite one kernel: its program points, its strings, the buffers
// through which operands and results of warp operations pass, and calls of the simulator's table of functions.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_SIMULATOR_REWRITER_H
#define BOCHNER_LIB_SIMULATOR_REWRITER_H

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Location.h"
#include "runtime/Simulator/Interface.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include <map>
#include <tuple>

namespace bochner::sim {

/// Strings of a kernel, each once; positions are offsets.
class StringPool {
public:
  uint32_t add(llvm::StringRef text);
  llvm::StringRef content() const { return bytes; }

private:
  std::string bytes;
  llvm::StringMap<uint32_t> offsets;
};

class KernelRewriter {
public:
  KernelRewriter(llvm::Function &body, mlir::Location location);

  //===------------------------------------------------------------------===//
  // Program points and messages
  //===------------------------------------------------------------------===//

  /// The index of the instruction's program point in the table of the kernel.
  llvm::Value *site(const llvm::Instruction *at, llvm::StringRef what, uint32_t size = 0);
  mlir::InFlightDiagnostic error(const llvm::Instruction *at);

  //===------------------------------------------------------------------===//
  // Code
  //===------------------------------------------------------------------===//

  llvm::Value *lane() const { return body.getArg(0); }
  /// A member of bochner_sim_lane_t that does not change.
  llvm::Value *laneField(llvm::IRBuilderBase &builder, size_t offset, llvm::Type *type) const;
  /// Calls the member at `offset` of bochner_sim_functions_t with the lane and `arguments`.
  llvm::Value *call(llvm::IRBuilderBase &builder, size_t offset, llvm::Type *result,
                    llvm::ArrayRef<llvm::Value *> arguments) const;
  /// A pointer of the generic address space.
  llvm::Value *generic(llvm::IRBuilderBase &builder, llvm::Value *pointer) const;
  llvm::Value *word(uint32_t value) const { return llvm::ConstantInt::get(i32, value); }

  /// Stores the operands as 32-bit words in the buffer for operands; returns the number of words.
  unsigned pack(llvm::IRBuilderBase &builder, llvm::ArrayRef<llvm::Value *> values);
  /// Reads a value of `type` (a struct: member by member) from the buffer for results.
  llvm::Value *unpack(llvm::IRBuilderBase &builder, llvm::Type *type);
  llvm::Value *operands(llvm::IRBuilderBase &builder, unsigned words);
  llvm::Value *results(llvm::IRBuilderBase &builder, unsigned words);
  /// Counts a call of a special function.
  void countSpecial(llvm::IRBuilderBase &builder) const;

  llvm::Value *warp(llvm::IRBuilderBase &builder, const llvm::Instruction *at, llvm::StringRef what,
                    bochner_sim_warp_t operation, llvm::Value *key, llvm::Value *mask,
                    llvm::ArrayRef<llvm::Value *> values, llvm::Type *result);

  /// Bytes that fixed-size variables of the body take.
  uint64_t stackBytes() const;

  llvm::Function &body;
  llvm::Module &module;
  llvm::LLVMContext &context;
  llvm::Type *i32, *i64, *f32, *voidType;
  llvm::PointerType *pointer;
  StringPool strings;
  std::vector<bochner_sim_site_t> sites;
  uint32_t granularity = 4;

private:
  llvm::Value *bufferWord(llvm::IRBuilderBase &builder, llvm::AllocaInst *&buffer, unsigned words);

  mlir::Location location;
  std::map<std::tuple<uint32_t, uint32_t, uint32_t, uint32_t, uint32_t>, uint32_t> siteIndices;
  llvm::AllocaInst *operandBuffer = nullptr, *resultBuffer = nullptr;
};

/// Whether an address needs no check: a variable of the thread, a constant of the module, a parameter passed by value.
bool isPrivate(const llvm::Value *address);
/// Checks each access to shared and global memory, bounds loops, lets others run before atomic accesses.
void instrumentAccesses(KernelRewriter &rewriter);
void instrumentLoops(KernelRewriter &rewriter);

/// Replaces a call of an NVVM intrinsic or of bochner.sim.op.*; false after an error.
bool lowerIntrinsic(KernelRewriter &rewriter, llvm::CallInst *call);
/// Arithmetic among them; false if `name`, without "llvm.nvvm.", is something else.
bool lowerMathIntrinsic(KernelRewriter &rewriter, llvm::CallInst *call, llvm::StringRef name);
bool lowerInlinePtxOp(KernelRewriter &rewriter, llvm::CallInst *call);
bool lowerInlineAsm(KernelRewriter &rewriter, llvm::CallInst *call);
/// A special function of the GPU by the C library, or one like it; null if there is none. `name` as in PTX: "ex2".
llvm::Value *specialFunction(KernelRewriter &rewriter, llvm::IRBuilderBase &builder, llvm::StringRef name,
                             llvm::Value *operand);
llvm::Value *roundToTf32(KernelRewriter &rewriter, llvm::IRBuilderBase &builder, llvm::Value *operand);

/// The functions that stand for NVVM operations, and what is told in their names after the operation's.
inline constexpr llvm::StringLiteral kSimOpPrefix = "bochner.sim.op.";

} // namespace bochner::sim

#endif // BOCHNER_LIB_SIMULATOR_REWRITER_H
