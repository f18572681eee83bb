//===- AttentionOperands.h - who attends to whom ----------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Queries, keys, values and the options that say which rows see which, for kernels of linear and exact attention:
// lengths, masks, packed sequences, grouped heads and the direction of the scan become views of rows here, so that
// kernels know rows of one head only.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_CPU_ATTENTIONOPERANDS_H
#define BOCHNER_LIB_CONVERSION_CPU_ATTENTIONOPERANDS_H

#include "lib/Conversion/Cpu/KernelBuilder.h"

namespace bochner::cpu {

/// Position of a task: which batch entry (or packed sequence) and head, and which part of its rows.
struct TaskPosition {
  Value batchHead, batch, head, part;
};
/// Task index -> position; `parts` a head.
TaskPosition locate(KernelBuilder &k, Value task, Value heads, Value parts);

/// Arguments of a kernel. Those that the operation does not have are null.
struct AttentionOperands {
  Value query, key, value;
  Value lengths;                 ///< [B]
  Value mask;                    ///< [B, S]
  Value sequences, keySequences; ///< [number of sequences + 1]
  Value out;
  int64_t group = 1;     ///< query heads that share a head of keys
  bool causal = false;   ///< rows see those before them in the order of views
  bool reversed = false; ///< views run from the last row to the first

  SmallVector<Value> captures() const;

  // On the host:
  Value entries(KernelBuilder &host) const; ///< batch entries, or packed sequences
  Value queryHeads(KernelBuilder &host) const;
  Value keyHeads(KernelBuilder &host) const;

  // In a task that captured the operands:
  Value entriesIn(KernelBuilder &k, TaskBuilder &task) const;
  /// Rows of an entry in `tensor`; those of packed sequences stay within it, whatever the offsets say.
  RowSpan spanOf(KernelBuilder &k, TaskBuilder &task, Value tensor, Value entry, bool ofKeys) const;
  RowSpan querySpan(KernelBuilder &k, TaskBuilder &task, Value entry) const {
    return spanOf(k, task, query ? query : out, entry, false);
  }
  RowSpan keySpan(KernelBuilder &k, TaskBuilder &task, Value entry) const { return spanOf(k, task, key, entry, true); }
  /// memref<?xW> of a head of an argument.
  Value rows(KernelBuilder &k, TaskBuilder &task, Value argument, Value entry, Value head, const RowSpan &span) const;
  /// memref<?xi1> in the order of the rows of keys; null without a mask.
  Value maskOf(KernelBuilder &k, TaskBuilder &task, Value entry, const RowSpan &keys) const;
  /// Keys of an entry that padding leaves. They are the first ones; the last ones in reversed views.
  Value visibleKeys(KernelBuilder &k, TaskBuilder &task, Value entry, const RowSpan &keys) const;
  /// Spans of a scan in the order of views, in which a query and a key at one position see each other. Rows of queries
  /// exist from `firstQuery` on, keys are kept in [firstKey, endKey).
  struct ScanSpans {
    RowSpan queries, keys;
    Value firstQuery, firstKey, endKey;
  };
  ScanSpans scanSpans(KernelBuilder &k, TaskBuilder &task, Value entry) const;

private:
  /// The batch entry of a tensor that holds an entry's rows.
  Value batchOf(KernelBuilder &k, Value entry) const { return sequences ? k.index(0) : entry; }
};

/// The operands of linear or exact attention; `next` becomes the number of the first kernel argument behind them.
template <typename AttentionOp>
AttentionOperands readOperands(mlir::func::FuncOp kernel, AttentionOp op, unsigned &next) {
  auto argument = [&](Value operand) { return operand ? Value(kernel.getArgument(next++)) : Value(); };
  AttentionOperands operands;
  next = 0;
  operands.query = argument(op.getQuery());
  operands.key = argument(op.getKey());
  operands.value = argument(op.getValue());
  operands.lengths = argument(op.getLengths());
  operands.mask = argument(op.getMask());
  operands.sequences = argument(op.getSequences());
  operands.keySequences = argument(op.getKeySequences());
  operands.out = kernel.getArgument(op->getNumOperands());
  int64_t heads = op.getQuery().getType().getDimSize(1), groups = op.getKey().getType().getDimSize(1);
  if (!mlir::ShapedType::isDynamic(heads) && !mlir::ShapedType::isDynamic(groups) && groups > 0)
    operands.group = heads / groups;
  operands.causal = op.isCausal();
  operands.reversed = op.getCausality() == spectral::Causality::anticausal;
  return operands;
}

} // namespace bochner::cpu

#endif // BOCHNER_LIB_CONVERSION_CPU_ATTENTIONOPERANDS_H
