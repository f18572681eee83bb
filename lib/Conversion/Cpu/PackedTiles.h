//===- PackedTiles.h - tiles of packed sequences ----------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A list of the tiles of queries of all packed sequences, made once a call. A task for each tile that a sequence could
// have, and each sequence, would be rows times sequences; so there are as many as rows and sequences ask for, a number
// that sizes alone determine.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_CPU_PACKEDTILES_H
#define BOCHNER_LIB_CONVERSION_CPU_PACKEDTILES_H

#include "lib/Conversion/Cpu/AttentionOperands.h"

namespace bochner::cpu {

struct PackedTiles {
  Value slots; ///< upper bound of the tiles of a head
  Value table; ///< [slots, 5] in the workspace

  /// Rows [base, base + tile) of the queries of a sequence. Tiles of rows outside sequences have no keys, slots that
  /// are left over no queries.
  struct Tile {
    RowSpan queries, keys;
    Value base;
  };

  /// Writes the table, in a task of its own.
  static PackedTiles plan(KernelBuilder &host, mlir::func::FuncOp kernel, const AttentionOperands &operands,
                          int64_t tile);
  /// In a task that captured the table.
  Tile read(KernelBuilder &k, TaskBuilder &task, Value slot) const;
};

} // namespace bochner::cpu

#endif // BOCHNER_LIB_CONVERSION_CPU_PACKEDTILES_H
