//===- TileEmitter.h - feature programs as vector code ----------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Emits a feature program on tiles of rows, inside a task: steps into scratch, features in the register tile of the
// product they read.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_CPU_TILEEMITTER_H
#define BOCHNER_LIB_CONVERSION_CPU_TILEEMITTER_H

#include "lib/Conversion/Cpu/ProgramPlan.h"
#include <map>
#include <memory>
#include <optional>

namespace bochner::cpu {

/// Rows [base, base + count) of one head, `local` counts from base.
struct RowRange {
  Value base, count;
};

class TileEmitter {
public:
  /// Inside `task`. Tiles and row scalars hold `chunkRows` rows.
  TileEmitter(KernelBuilder &k, TaskBuilder &task, const ProgramPlan &plan, int64_t chunkRows);

  /// Whose slices of the parameters are used where `k` stands now: those of a head of keys. Parameters with
  /// `queryHeads` slices, if that is not 0, are those of queries alone.
  void setHead(Value head, Value queryHead = nullptr, int64_t queryHeads = 0);
  /// The rows that tile 0 reads, memref<?xD>.
  void setRows(Value rows) { tiles[0] = rows; }
  /// Runs the program's steps on the rows.
  void emitSteps(RowRange rows);
  /// All outputs of a group at `registerRows` rows from `local` and a block of columns: result[output][row]. Rows past
  /// the end repeat the last one; `column` and `columns` are a block of KernelBuilder::registerBlocks.
  /// `exact`: products of bf16 rows do without rounding parameters, however small they are.
  SmallVector<SmallVector<Value>> registerTile(const FusedGroup &group, RowRange rows, Value local, Value column,
                                               Columns columns, bool exact = false);
  /// Sum of the squares of the constant features of this head.
  Value constantNorm();

  /// Where an expression is evaluated. What no row changes is shared by the rows of a register tile.
  struct Place {
    Value row, local; ///< in the rows' memref, in the chunk
    Value column;     ///< first column of the block in the segment
    Columns columns;  ///< padded 0: row scalars only
    llvm::DenseMap<const Expr *, Value> memo{}, cosines{}, sines{};
    llvm::DenseMap<const Expr *, Value> *shared = nullptr;
    SmallVector<Value> cotangents{}; ///< of the outputs of the group, for expressions of its adjoint
  };
  /// A register tile whose expressions can still be evaluated.
  struct RegisterTile {
    SmallVector<Place> places;                 ///< one for each row
    SmallVector<SmallVector<Value>> outputs{}; ///< [output][row]
    std::unique_ptr<llvm::DenseMap<const Expr *, Value>> shared{};
  };
  /// As registerTile, with what its values were computed from.
  RegisterTile openTile(const FusedGroup &group, RowRange rows, Value local, Value column, Columns columns,
                        bool exact = false);
  /// An expression of a group's adjoint at a row of its register tile; columns that do not exist are 0.
  Value evaluateAdjoint(const Expr *e, Place &at);
  /// An expression of the adjoint of a step at `columns` columns of a row.
  Value evaluateAt(const Expr *e, RowRange rows, Value local, Value column, Columns columns);
  /// Products of rows that a later pass over them loads instead of computing: [rows, keptWidth].
  static int64_t keptWidth(const KernelBuilder &k, const ProgramPlan &plan);
  /// The groups of features keep their products in `buffer`, or load what another emitter of the plan has kept.
  void keepProducts(Value buffer, bool loads);
  /// The row of `buffer` that stands for the first row of a range, and whether others are before it.
  void setKeptRows(Value first, bool backward);
  /// Where the cotangents of row scalars are, memref<rows> each.
  void setRowCotangents(ArrayRef<Value> memrefs) { rowCotangents.assign(memrefs.begin(), memrefs.end()); }
  /// The rows of a tile that a step fills.
  Value tile(unsigned id) const { return tiles[id]; }
  /// Cotangents of a transform's tile become those of its operand. `scaleSums` gives the sums over rows of the gradient
  /// of a parameter that scales; null if it is not wanted.
  void emitTransformAdjoint(const Step &step, RowRange rows, Value cotangents, function_ref<Value(unsigned)> scaleSums);

private:
  SmallVector<Value> multiply(const FusedGroup &group, unsigned position, ArrayRef<Place> places, ArrayRef<Value> init,
                              Value column, Columns columns, bool exact);
  Value evaluate(const Expr *e, Place &at);
  Value compute(const Expr *e, Place &at);
  Value affine(const Expr *e, Place &at);
  void emitMaterialize(unsigned position, const Step &step, RowRange rows);
  void emitReduce(const Step &step, RowRange rows);
  void emitTransform(const Step &step, RowRange rows); ///< TileTransforms.cpp
  void loadOperand(const Step &step, RowRange rows, Value group);
  Value permutedColumn(const Stage &stage, Value j);
  void emitStage(const Stage &stage, int64_t width, Value unscaled);
  void emitStageAdjoint(const Stage &stage, int64_t width, Value unscaled, Value scaleSums);
  void emitHadamard(Value columns, int64_t width);
  Value clampRow(RowRange rows, Value local, int64_t r);
  std::optional<int64_t> keptColumn(const FusedGroup &group, unsigned position) const;

  KernelBuilder &k;
  TaskBuilder &task;
  const ProgramPlan &plan;
  SmallVector<Value> tiles, rowScalars, rowCotangents;
  SmallVector<Value> parameters, columnVectors; ///< slices of the head
  std::map<std::pair<const FusedGroup *, unsigned>, Value> products;
  Value kept, keptFirst; ///< null if no products are kept
  bool loadsKept = false, keptBackward = false;
  Value transposed, permuted, square; ///< scratch of transforms: a vector of rows for each column; a square of lanes
};

} // namespace bochner::cpu

#endif // BOCHNER_LIB_CONVERSION_CPU_TILEEMITTER_H
