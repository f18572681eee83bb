//===- GradientTask.h - gradients of a tile of rows -------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the two sides of the adjoint of linear attention have in common. With S and z the state of the keys, g the
// cotangent of a row of the output over its denominator and w = -g . out (spectral.linear_attention_grad):
//   queries: d phi = S g + w z,   dS += phi g^T,   dz += w phi;
//   keys:    d phi = dS v + dz,   d v = dS^T phi.
// On each side a pulled row (g or v) meets a transposed matrix (S^T or dS^T), a weight of the row (w or 1) a vector
// (z or dz). From d phi, FeatureAdjoint gives d u for the products u = x W in the register tile in which the features
// are computed again; then d x += d u W^T and d W += x^T d u.
//
// In the log domain features of keys are scaled by 2^-r, those of queries by 2^r over the denominator; scales cancel in
// d phi phi, which is all that the adjoint of an exponential needs.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_CPU_GRADIENTTASK_H
#define BOCHNER_LIB_CONVERSION_CPU_GRADIENTTASK_H

#include "lib/Analysis/FeatureAdjoint.h"
#include "lib/Conversion/Cpu/AttentionState.h"
#include <vector>

namespace bochner::cpu {

/// source [rows, columns] -> target [columns, rows padded], times a number; inside `task`.
void transposeBuffer(KernelBuilder &k, TaskBuilder &task, Value source, int64_t rows, int64_t columns, Value target,
                     double scale = 1);

/// What gradients of parameters a kernel has to give.
struct WantedGradients {
  SmallVector<bool> of;       ///< by parameter
  SmallVector<Value> centers; ///< by parameter, [heads or 1, D]: moments are wanted in place of the gradient
  /// Centers change their sign in the second half of the columns.
  bool alternate = false;
};

/// The adjoint of a program in a kernel, and the sums over rows that its tasks make.
class GradientPlan {
public:
  GradientPlan(ProgramPlan &plan, const WantedGradients &wanted);

  /// Writes W^T for d x by a task for each head of a parameter.
  void pack(KernelBuilder &host, mlir::func::FuncOp kernel, StringRef name);
  /// Uses those of another plan of the same program.
  void shareWeights(const GradientPlan &other);
  /// Allocates the sums of `tasks` tasks.
  void allocateSums(KernelBuilder &host, Value tasks);
  SmallVector<Value> captures() const;
  /// Sets the sums of task number `index` to 0.
  void clearSums(KernelBuilder &k, TaskBuilder &task, Value index) const;
  /// gradient += the sums of a task, for the slice of parameter `parameter` of one head; `moment` is the one that it is
  /// of a parameter with moments.
  void addSums(KernelBuilder &k, TaskBuilder &task, unsigned parameter, unsigned moment, Value sumsOf,
               Value gradient) const;

  /// What a step passes on: a sum to its terms, a tile to those of its groups [begin, end).
  struct StepAdjoint {
    const Step *step;
    ReduceAdjoint sum;
    size_t begin = 0, end = 0;
  };

  ProgramPlan &plan;
  SmallVector<const FusedGroup *> groups; ///< of the features, then of the steps
  std::vector<GroupAdjoint> adjoints;     ///< of each
  std::vector<StepAdjoint> steps;         ///< last step first

private:
  friend class GradientTask;
  void addGroups(SmallVector<FusedGroup> &list);
  struct ProductSum {
    size_t group, product;
    Value transposed; ///< W^T with its scale, [heads, width, D padded]; around its center if moments are wanted
    Value sums;       ///< d W, [tasks, D, width padded], or moments, [tasks, 2, D padded]; null if not wanted
  };
  const ProductSum *find(size_t group, size_t product) const;
  const FusedProduct &fusedOf(const ProductSum &p) const { return groups[p.group]->products[p.product]; }
  const Product &productOf(const ProductSum &p) const { return plan.program.products[fusedOf(p).product]; }
  /// The center of the parameter, [heads or 1, D]; null without moments.
  Value centerOf(const ProductSum &p) const { return wanted.centers[productOf(p).parameter]; }
  Value signOf(KernelBuilder &k, const ProductSum &p, Value column) const;
  void subtractCenter(KernelBuilder &k, const ProductSum &p, Value center, Value to) const;
  SmallVector<ProductSum> products;
  WantedGradients wanted;
  llvm::SmallDenseMap<unsigned, Value> columnSums; ///< of vectors, [tasks, width padded]
};

/// The tiles of a task, inside of it.
class GradientTask {
public:
  /// Scaled features, from the values of a register tile: (value, row, first feature, columns).
  using Scale = llvm::function_ref<Value(Value, Value, Value, Columns)>;
  /// What the features of a side meet.
  struct Pull {
    Value matrix;      ///< [M, F padded]
    Value vector;      ///< [F padded]; null for 0
    bool weighs;       ///< `vector` times the weight of the row
    Value weightedSum; ///< += weight times feature, [F padded]; null on the side of keys
    /// Rows of the other side in the same chunk, of which row i sees those up to i: weights [row_tile, row_tile], and
    /// features [row_tile, F padded]. Null without causality.
    Value scores = nullptr, others = nullptr;
  };

  GradientTask(KernelBuilder &k, TaskBuilder &task, const GradientPlan &gradient, TileEmitter &emitter,
               const AttentionShape &shape);

  /// Adds to the sums of task number `index`.
  void setSums(Value index);
  /// The slices of W^T of a head.
  void setHead(Value keyHead, Value queryHead = nullptr, int64_t queryHeads = 0);
  /// Starts a tile of `count` rows: pulled rows and weights are there.
  void start(Value count);
  /// A block of features: the features go to `features`, gradients to the sums of the rows and of the task.
  /// `position` is the number of the block among all of the program; `fetchAhead` gets those of the groups of register
  /// rows of all blocks.
  void emitBlock(size_t group, RowRange rows, Value block, Columns columns, Value position, const Pull &pull,
                 Scale scale, FetchAhead fetchAhead);
  /// Ends a tile: rowGradients are complete.
  void finish(RowRange rows);

  FeatureTile features;
  Value pulled;       ///< g or v, [row_tile, M padded]
  Value rowWeights;   ///< w, [row_tile]
  Value rowGradients; ///< d x, [row_tile, D padded]
  Value xRows;        ///< the rows themselves, as the emitter reads them

private:
  void emitRegisterTiles(size_t group, RowRange rows, Value block, Columns columns, Value position, const Pull &pull,
                         Scale scale, FetchAhead fetchAhead);
  void addTerms(size_t group, RowRange rows, TileEmitter::RegisterTile &tile, Value i, Value block, Value c,
                Columns part);
  void undoSum(const GradientPlan::StepAdjoint &adjoint, RowRange rows);
  void undoTile(const GradientPlan::StepAdjoint &adjoint, RowRange rows);
  void emitProducts(size_t group, RowRange rows, Value block, Columns columns);
  void emitRowSums(size_t position, RowRange rows, Value block, Columns columns);
  void emitMoments(RowRange rows, size_t firstGroup, size_t endGroup);
  Value cotangentColumn(size_t product, Value c) { return k.add(c, int64_t(product) * blockWidth); }

  KernelBuilder &k;
  TaskBuilder &task;
  const GradientPlan &gradient;
  const ProgramPlan &plan;
  TileEmitter &emitter;
  AttentionShape shape;
  int64_t blockWidth;
  Value productCotangents;          ///< d u of a block, [row_tile, products * block]
  SmallVector<Value> tileGradients; ///< as rowGradients, which are those of tile 0
  SmallVector<Value> rowCotangents, weights, productSums;
  /// For a product with moments: its share of d x around the center, [row_tile, D padded]; sums of d u, [row_tile,
  /// lanes]; the center of the head, [D].
  struct MomentTile {
    Value share, sums, center;
  };
  SmallVector<MomentTile> momentTiles; ///< by product; null without moments
  llvm::SmallDenseMap<unsigned, Value> columnSums;
};

} // namespace bochner::cpu

#endif // BOCHNER_LIB_CONVERSION_CPU_GRADIENTTASK_H
