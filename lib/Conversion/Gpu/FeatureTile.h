//===- FeatureTile.h - features of a tile of rows ---------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tile of rows in shared memory and what the steps of a feature program make of it there; features themselves are
// evaluated in the accumulators of the product that they read.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_GPU_FEATURETILE_H
#define BOCHNER_LIB_CONVERSION_GPU_FEATURETILE_H

#include "lib/Analysis/FeatureAdjoint.h"
#include "lib/Conversion/Gpu/FeaturePlan.h"

namespace bochner::simt {

/// Whether accumulators have rows of the tile as their rows (queries), or as their columns (keys).
enum class Orientation { Rows, Columns };

class FeatureTile {
public:
  /// Takes the shared memory of the kernel; all threads call it. `rows` is a multiple of 16. Keeps references.
  FeatureTile(DeviceKernel &kernel, Fragments &fragments, const FeaturePlan &plan, int64_t rows);

  /// Shared memory that tiles of so many rows take.
  static int64_t bytes(const FeaturePlan &plan, int64_t rows);

  /// The head whose slice of a parameter is used, by the number of heads that the parameter is static in.
  void setHead(function_ref<Value(Value parameter)> headOf);
  /// The head that a product's parameter belongs to.
  Value head(const FusedGroup &group, unsigned position) const {
    return heads[plan.program.products[group.products[position].product].parameter];
  }
  /// Zeroes what no step writes of tiles that products read. Before the first barrier.
  void clearPadding();
  /// Tile 0, the rows as operands; what lies behind their columns is zero.
  SharedMatrix rows() const { return tiles[0].matrix; }
  int64_t rowCount() const { return count; }

  /// Computes what must be complete before features can be evaluated. Each warp computes its own rows, 16 at a time;
  /// who reads those of other warps needs a barrier.
  void emitSteps();

  /// Values that share subexpressions while rows and columns are the same.
  struct Scope {
    llvm::DenseMap<std::pair<const Expr *, int64_t>, Value> known;
    llvm::DenseMap<const Expr *, Value> products; ///< of one place
    SmallVector<Value> cotangents;                ///< of outputs, of one place
    ArrayRef<Value> rowCotangents;                ///< f32 arrays, by row scalar
    int64_t rowKey = 0, columnKey = 0;
    Value row, column;
  };
  /// 16 x 16 elements as two accumulators.
  using Block = std::array<Accumulator, 2>;
  /// The packed parameters of a group's products: operands of `depth` rows, with columns from `column` on.
  struct Weights {
    SharedMatrix matrix;
    Value column;
    bool shared = true; ///< false: in global memory
  };
  /// Outputs of a group for 16 rows from `row` on and 16 of its columns from `column` on.
  SmallVector<Block> evaluate(const FusedGroup &group, Orientation orientation, Value row, Value column,
                              ArrayRef<Weights> weights);
  /// A block of the adjoint: features, and cotangents of what the accumulators of products hold.
  struct Adjoint {
    SmallVector<Block> outputs, products;
  };
  /// What the adjoint of a block is told and tells, element by element: `half` is the row's number in rows 0-7 and
  /// 8-15.
  struct AdjointCalls {
    /// The cotangent of output o at element i of half n, in the log domain of its binary logarithm.
    function_ref<Value(size_t o, int64_t n, int64_t i, Value feature)> cotangent;
    /// Adds to the cotangent of a row scalar.
    function_ref<void(unsigned row, int64_t i, Value x)> addToRow;
    /// Adds term number `term` of the adjoint's tiles to the cotangent of an element of tile 0, if `exists` (null: it
    /// does): columns of the padding are in the place of the last one.
    function_ref<void(size_t term, Value exists, Value row, Value column, Value x)> addToTile;
  };
  Adjoint differentiate(const FusedGroup &group, const GroupAdjoint &adjoint, Orientation orientation, Value row,
                        Value column, ArrayRef<Weights> weights, const AdjointCalls &calls);
  /// The sum of `terms`, cotangents of columns of tile 0, at a row and column; row cotangents are f32 arrays.
  Value evaluateTerms(ArrayRef<ArrayTerm> terms, Value row, Value column, ArrayRef<Value> rowCotangents);
  /// The first column of a group's block exists, and so on: whether element i of half n does. Null if all do.
  Value columnExists(const FusedGroup &group, Orientation orientation, Value column, int64_t n, int64_t i);

private:
  /// Calls visit(scope, n, i) for each element of a block.
  void forElements(const FusedGroup &group, Orientation orientation, Value row, Value column,
                   function_ref<void(Scope &, int64_t, int64_t)> visit);
  SmallVector<Block> multiply(const FusedGroup &group, Orientation orientation, Value row, Value column,
                              ArrayRef<Weights> weights);
  struct SharedTile {
    SharedMatrix matrix;
    Type element;
  };
  void emitGroups(const SmallVector<FusedGroup> &groups, Value row,
                  function_ref<void(Value, Value, Value, int64_t, int64_t)> consume);
  void emitMaterialize(const Step &step, unsigned position, Value row);
  void emitReduce(const Step &step, unsigned position, Value row);
  void emitTransform(const Step &step, Value row);
  /// Packed parameters where they are, for products that steps read a few columns of.
  SmallVector<Weights> globalWeights(const FusedGroup &group, Value column);
  Value load(unsigned tile, Value row, Value column);
  void store(unsigned tile, Value row, Value column, Value x);
  Value loadColumn(unsigned parameter, Value column);
  Value evaluate(const Expr *e, Scope &scope);
  Value compute(const Expr *e, Scope &scope);
  std::pair<Value, Value> cosSin(Value quarterTurns);

  DeviceKernel &kernel;
  ThreadBuilder &t;
  Fragments &fragments;
  const FeaturePlan &plan;
  int64_t count;
  SmallVector<SharedTile> tiles;
  SmallVector<Value> rowScalars; ///< f32[rows]
  SmallVector<Value> heads;      ///< by parameter
};

} // namespace bochner::simt

#endif // BOCHNER_LIB_CONVERSION_GPU_FEATURETILE_H
