//===- FeatureProgram.h - a feature region on tiles of rows -----*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The target-independent form of a feature region: a straight-line program on tiles of rows. The features are a list
// of column segments, each an expression in (row, column) over products, tiles, column vectors and row scalars; steps
// compute, in order, what must be complete before. Emitters evaluate the expressions in the register tile of the
// product they read, so that features never reach memory.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_ANALYSIS_FEATUREPROGRAM_H
#define BOCHNER_LIB_ANALYSIS_FEATUREPROGRAM_H

#include "mlir/IR/Region.h"
#include "mlir/IR/Types.h"
#include "llvm/ADT/SmallVector.h"
#include <deque>
#include <string>

namespace bochner {

/// What one element at (row, column j) of a segment is.
enum class ExprKind {
  Constant, ///< value
  Tile,     ///< tiles[id] at (row, offset + j)
  Column,   ///< parameter id, a vector, at offset + j
  Row,      ///< rows[id] at row
  Product,  ///< products[id] at (row, offset + j)
  Affine,   ///< value + sum of coefficients[i] * operands[i]: the normal form of every linear combination
  Exp2,     ///< 2^a: exp and tanh become it, so that log2(e) is a coefficient of an affine form
  CosQ,     ///< cos(pi/2 a)
  SinQ,     ///< sin(pi/2 a)
  Log,
  Log1p,
  Mul,
  Div,
  Max,
  Min,
  Abs,
  Sqrt,
  Compare,      ///< a id b with id an arith.cmpf predicate: a truth value
  Select,       ///< a ? b : c
  Cotangent,    ///< of output id of a group (FeatureAdjoint.h)
  RowCotangent, ///< of rows[id]
};

/// An expression node; equal nodes of one program are one object.
struct Expr {
  explicit Expr(ExprKind kind) : kind(kind) {}
  ExprKind kind;
  unsigned id = 0;
  int64_t offset = 0;
  double value = 0;
  llvm::SmallVector<double, 2> coefficients;
  llvm::SmallVector<const Expr *, 2> operands;
  bool byRow = false, byColumn = false; ///< what the value depends on
};

/// `width` columns given by one expression, whose j counts from the start of the segment. A width of 0 stands for row
/// scalars and scalars, which are the same for every column.
struct Segment {
  int64_t width;
  const Expr *value;
};
using Segments = llvm::SmallVector<Segment>;
int64_t widthOf(llvm::ArrayRef<Segment> segments);

/// An array of rows that a product or a transform reads. Tile 0 is the region's argument; the others are scratch that
/// a step fills.
struct Tile {
  int64_t width;
};

/// Tile (rows x depth) times parameter (depth x width), or times its transpose.
struct Product {
  unsigned tile, parameter;
  int64_t depth, width;
  bool transposed = false;
};

enum class ReductionKind { Add, Max, Min };

/// One stage of a transform of rows: permute, then scale, then Walsh-Hadamard; each part is optional.
struct Stage {
  int permutation = -1; ///< parameter: column j reads column permutation[j]
  int scale = -1;       ///< parameter: column j is multiplied by scale[j]
  bool hadamard = false;
};

/// What must be complete before the features can be evaluated.
struct Step {
  enum Kind {
    Materialize, ///< tiles[result] = operand
    Reduce,      ///< rows[result] = reduction of operand over its columns
    Transform,   ///< tiles[result] = stages applied to operand
  } kind;
  unsigned result;
  Segments operand;
  ReductionKind reduction = ReductionKind::Add;
  llvm::SmallVector<Stage, 2> stages;
};

class FeatureProgram {
public:
  FeatureProgram() = default;
  FeatureProgram(FeatureProgram &&) = default; // expressions keep their addresses

  llvm::SmallVector<mlir::Type> parameters; ///< slices of one head
  llvm::SmallVector<Tile> tiles;
  llvm::SmallVector<Product> products;
  unsigned rows = 0; ///< number of row scalars
  llvm::SmallVector<Step> steps;
  /// The features; in the log domain their binary logarithms, so that a kernel can subtract a running maximum first.
  Segments phi;
  bool logDomain = false;

  int64_t features() const { return widthOf(phi); }
  /// Multiplications and additions per row that the formula needs for projections, however they are computed.
  double projectionFlop() const;

  const Expr *constant(double value);
  const Expr *leaf(ExprKind kind, unsigned id, int64_t offset = 0);
  const Expr *call(ExprKind kind, llvm::ArrayRef<const Expr *> operands, unsigned id = 0);
  const Expr *multiply(const Expr *a, const Expr *b);
  const Expr *affine(double value, llvm::ArrayRef<std::pair<double, const Expr *>> terms);
  /// The expression at j + columns.
  const Expr *shift(const Expr *e, int64_t columns);

  std::string str() const;

private:
  const Expr *get(Expr e); // hash-consing constructor
  std::deque<Expr> arena;
};

std::string str(const Expr *e);
/// True if a product is part of the expression.
bool readsProduct(const Expr *e);

//===----------------------------------------------------------------------===//
// Fused groups
//===----------------------------------------------------------------------===//

/// A product that a register tile accumulates.
struct FusedProduct {
  unsigned product;
  int64_t column;    ///< first column of the group in the product
  double scale = 1;  ///< folded into the packed parameter
  const Expr *init;  ///< start of the accumulator
  const Expr *value; ///< the expression that the accumulator then holds
};
struct FusedOutput {
  int64_t column; ///< first column among the segments that were fused
  const Expr *value;
};
/// Segments that read the same columns of the same products: one register tile, evaluated together. A group may stand
/// for several alike, such as cosines and sines of u+ and of u-: then it has all their columns, and outputs continue
/// `stride` columns further after every `period` ones.
struct FusedGroup {
  int64_t width;
  llvm::SmallVector<FusedProduct> products;
  llvm::SmallVector<FusedOutput> outputs;
  int64_t period = 0, stride = 0; ///< 0: outputs are contiguous
};

/// Groups segments by the products they read. If all uses of a product pass through one affine node, the coefficient
/// moves into the packed parameter and the rest of the node starts the accumulator. Groups whose width is a multiple of
/// `block` and that differ only in their first column become one.
llvm::SmallVector<FusedGroup> fuseSegments(FeatureProgram &program, llvm::ArrayRef<Segment> segments, int64_t block);

//===----------------------------------------------------------------------===//
// Analysis
//===----------------------------------------------------------------------===//

/// The program of a feature region; fails with a diagnostic at the operation that does not fit. `logDomain` says that
/// the region yields logarithms of features.
mlir::FailureOr<FeatureProgram> analyzeFeatures(mlir::Region &region, bool logDomain);

} // namespace bochner

#endif // BOCHNER_LIB_ANALYSIS_FEATUREPROGRAM_H
