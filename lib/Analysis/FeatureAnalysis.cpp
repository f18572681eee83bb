//===- FeatureAnalysis.cpp - from a region to a feature program -----------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Evaluates a feature region on symbolic tiles: a tensor is a list of column segments, each one an expression in
// (row, column). What does not fit is an error at its operation.
//
//===----------------------------------------------------------------------===//
#include "dialect/Spectral.h"
#include "lib/Analysis/FeatureProgram.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>
#include <limits>
#include <set>

using namespace mlir;
using namespace bochner;

namespace {

constexpr double kLog2E = 1.4426950408889634;
constexpr double kQuarterTurns = 0.63661977236758134; // 2 / pi

/// A value of the region: a tile, column vector, row vector or scalar, as segments; or a parameter as a whole.
struct Symbol {
  Segments segments;
  int parameter = -1;
};

class Analyzer {
public:
  explicit Analyzer(FeatureProgram &program) : p(program) {}
  LogicalResult run(Region &region, bool logDomain);

private:
  LogicalResult visit(Operation &op);
  LogicalResult visitProduct(linalg::LinalgOp op);
  LogicalResult visitStructured(linalg::LinalgOp op);
  LogicalResult visitReduction(linalg::LinalgOp op, ArrayRef<Symbol> inputs, int64_t width);
  LogicalResult visitFastfood(spectral::FastfoodOp op);
  LogicalResult visitLogPositive(spectral::LogPositiveOp op);

  /// Evaluates `fn` on every piece of the operands' common segmentation.
  FailureOr<Segments> elementwise(ArrayRef<Symbol> inputs, int64_t width, Operation *at,
                                  function_ref<const Expr *(ArrayRef<const Expr *>)> fn);
  /// One scalar op; null, with a diagnostic, if it has no expression.
  const Expr *apply(Operation *op, ArrayRef<const Expr *> operands);
  /// The body of a structured op up to `value`.
  const Expr *evaluateBody(linalg::LinalgOp op, Value value, Operation *skip, ArrayRef<const Expr *> arguments);

  unsigned materialize(const Segments &segments);
  unsigned addTransform(Segments operand, SmallVector<Stage, 2> stages);
  const Expr *addReduction(ReductionKind kind, Segments operand);
  /// Products among the segments become a tile, so that a reduction and later uses read the same values.
  Segments withoutProducts(Segments segments);
  Segments slice(ArrayRef<Segment> segments, int64_t begin, int64_t width);

  Symbol symbol(Value v) { return symbols.lookup(v); }
  LogicalResult set(Operation &op, Segments segments) {
    symbols[op.getResult(0)] = {std::move(segments), -1};
    return success();
  }
  const Expr *exp2(double scale, const Expr *e) { return p.call(ExprKind::Exp2, {p.affine(0, {{scale, e}})}); }
  /// The static last dimension; 0 for rows of unknown number and scalars.
  static int64_t columnsOf(Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && tensor.getRank() && !tensor.isDynamicDim(tensor.getRank() - 1) ? tensor.getShape().back() : 0;
  }

  FeatureProgram &p;
  DenseMap<Value, Symbol> symbols;
  SmallVector<std::pair<Segments, unsigned>> materialized;
};

} // namespace

//===----------------------------------------------------------------------===//
// Segments
//===----------------------------------------------------------------------===//

static bool sameSegments(ArrayRef<Segment> a, ArrayRef<Segment> b) {
  return a.size() == b.size() && llvm::all_of(llvm::zip(a, b), [](auto pair) {
           auto &[x, y] = pair;
           return x.width == y.width && x.value == y.value;
         });
}

Segments Analyzer::slice(ArrayRef<Segment> segments, int64_t begin, int64_t width) {
  Segments out;
  int64_t at = 0;
  for (const Segment &s : segments) {
    int64_t low = std::max(begin, at), high = std::min(begin + width, at + s.width);
    if (low < high)
      out.push_back({high - low, p.shift(s.value, low - at)});
    at += s.width;
  }
  return out;
}

/// Takes a constant factor that all segments share out of them: scaled rows need no tile of their own, since the factor
/// can go into the weights.
static double takeFactor(Segments &segments) {
  auto isScaled = [&](const Segment &s) {
    return s.value->kind == ExprKind::Affine && s.value->value == 0 && s.value->operands.size() == 1 &&
           s.value->coefficients[0] == segments.front().value->coefficients[0];
  };
  if (segments.front().value->kind != ExprKind::Affine || segments.front().value->operands.size() != 1 ||
      !llvm::all_of(segments, isScaled))
    return 1;
  double factor = segments.front().value->coefficients[0];
  for (Segment &s : segments)
    s.value = s.value->operands[0];
  return factor;
}

unsigned Analyzer::materialize(const Segments &segments) {
  int64_t width = widthOf(segments);
  if (segments.size() == 1 && segments[0].value->kind == ExprKind::Tile && segments[0].value->offset == 0 &&
      p.tiles[segments[0].value->id].width == width)
    return segments[0].value->id;
  for (auto &[seen, tile] : materialized)
    if (sameSegments(seen, segments))
      return tile;
  unsigned id = p.tiles.size();
  p.tiles.push_back({width});
  Step step{Step::Materialize, id, segments, ReductionKind::Add, {}};
  p.steps.push_back(std::move(step));
  materialized.push_back({segments, id});
  return id;
}

unsigned Analyzer::addTransform(Segments operand, SmallVector<Stage, 2> stages) {
  unsigned id = p.tiles.size();
  p.tiles.push_back({widthOf(operand)});
  p.steps.push_back({Step::Transform, id, withoutProducts(std::move(operand)), ReductionKind::Add, std::move(stages)});
  return id;
}

const Expr *Analyzer::addReduction(ReductionKind kind, Segments operand) {
  for (const Step &s : p.steps)
    if (s.kind == Step::Reduce && s.reduction == kind && sameSegments(s.operand, operand))
      return p.leaf(ExprKind::Row, s.result);
  unsigned row = p.rows++;
  p.steps.push_back({Step::Reduce, row, std::move(operand), kind, {}});
  return p.leaf(ExprKind::Row, row);
}

Segments Analyzer::withoutProducts(Segments segments) {
  if (llvm::none_of(segments, [](const Segment &s) { return readsProduct(s.value); }))
    return segments;
  unsigned tile = materialize(segments);
  return {{p.tiles[tile].width, p.leaf(ExprKind::Tile, tile)}};
}

FailureOr<Segments> Analyzer::elementwise(ArrayRef<Symbol> inputs, int64_t width, Operation *at,
                                          function_ref<const Expr *(ArrayRef<const Expr *>)> fn) {
  std::set<int64_t> cuts{0, width};
  for (const Symbol &s : inputs) {
    if (s.segments.empty())
      return at->emitOpError() << "expected tiles, column vectors, row vectors or scalars as operands in a feature "
                                  "region, but got a parameter of another rank";
    int64_t end = 0;
    for (const Segment &segment : s.segments)
      cuts.insert(end += segment.width);
  }
  Segments out;
  for (auto cut = cuts.begin(); cut != cuts.end(); ++cut) {
    auto next = std::next(cut);
    if (next == cuts.end() && width != 0)
      break;
    int64_t columns = width ? *next - *cut : 0;
    SmallVector<const Expr *> arguments;
    for (const Symbol &s : inputs)
      arguments.push_back(s.segments[0].width == 0 ? s.segments[0].value : slice(s.segments, *cut, columns)[0].value);
    const Expr *e = fn(arguments);
    if (!e)
      return failure();
    if (!out.empty() && p.shift(out.back().value, out.back().width) == e)
      out.back().width += columns; // the same expression goes on
    else
      out.push_back({columns, e});
    if (width == 0)
      break;
  }
  return out;
}

//===----------------------------------------------------------------------===//
// Scalar operations
//===----------------------------------------------------------------------===//

const Expr *Analyzer::apply(Operation *op, ArrayRef<const Expr *> in) {
  auto call = [&](ExprKind kind, unsigned id = 0) { return p.call(kind, in, id); };
  auto isConstant = [](const Expr *e) { return e->kind == ExprKind::Constant; };
  const Expr *result =
      llvm::TypeSwitch<Operation *, const Expr *>(op)
          .Case([&](arith::AddFOp) { return p.affine(0, {{1, in[0]}, {1, in[1]}}); })
          .Case([&](arith::SubFOp) { return p.affine(0, {{1, in[0]}, {-1, in[1]}}); })
          // A program computes in one type, that of 16-bit numbers being f32.
          .Case([&](arith::ExtFOp e) { return getElementTypeOrSelf(e.getType()).isF64() ? nullptr : in[0]; })
          .Case([&](arith::TruncFOp t) { return getElementTypeOrSelf(t.getIn().getType()).isF64() ? nullptr : in[0]; })
          .Case([&](arith::NegFOp) { return p.affine(0, {{-1, in[0]}}); })
          .Case([&](arith::MulFOp) { return p.multiply(in[0], in[1]); })
          .Case([&](arith::DivFOp) {
            return isConstant(in[1]) ? p.affine(0, {{1 / in[1]->value, in[0]}}) : call(ExprKind::Div);
          })
          .Case<arith::MaximumFOp, arith::MaxNumFOp>([&](auto) { return call(ExprKind::Max); })
          .Case<arith::MinimumFOp, arith::MinNumFOp>([&](auto) { return call(ExprKind::Min); })
          .Case([&](arith::CmpFOp c) { return call(ExprKind::Compare, unsigned(c.getPredicate())); })
          .Case([&](arith::SelectOp) { return call(ExprKind::Select); })
          .Case([&](math::ExpOp) { return exp2(kLog2E, in[0]); })
          .Case([&](math::Exp2Op) { return exp2(1, in[0]); })
          .Case([&](math::ExpM1Op) { return p.affine(-1, {{1, exp2(kLog2E, in[0])}}); })
          .Case([&](math::CosOp) { return p.call(ExprKind::CosQ, {p.affine(0, {{kQuarterTurns, in[0]}})}); })
          .Case([&](math::SinOp) { return p.call(ExprKind::SinQ, {p.affine(0, {{kQuarterTurns, in[0]}})}); })
          .Case([&](math::TanhOp) { // 1 - 2 / (1 + exp(2 a))
            const Expr *denominator = p.affine(1, {{1, exp2(2 * kLog2E, in[0])}});
            return p.affine(1, {{-2, p.call(ExprKind::Div, {p.constant(1), denominator})}});
          })
          .Case([&](math::LogOp) { return call(ExprKind::Log); })
          .Case([&](math::Log1pOp) { return call(ExprKind::Log1p); })
          .Case([&](math::AbsFOp) { return call(ExprKind::Abs); })
          .Case([&](math::SqrtOp) { return call(ExprKind::Sqrt); })
          .Case([&](math::RsqrtOp) { return p.call(ExprKind::Div, {p.constant(1), p.call(ExprKind::Sqrt, {in[0]})}); })
          .Case([&](math::PowFOp) -> const Expr * {
            if (isConstant(in[1]) && in[1]->value == 2)
              return p.multiply(in[0], in[0]);
            if (isConstant(in[1]) && in[1]->value == 0.5)
              return p.call(ExprKind::Sqrt, {in[0]});
            return nullptr;
          })
          .Default([](Operation *) -> const Expr * { return nullptr; });
  if (!result)
    op->emitOpError()
        << "unsupported in a feature region: expected an elementwise operation of 'arith' or 'math' on "
           "floats; use one of addf, subf, mulf, divf, negf, maximumf, minimumf, cmpf, select, exp, exp2, "
           "expm1, log, log1p, sin, cos, tanh, sqrt, rsqrt, absf, extf and truncf other than of f64";
  return result;
}

const Expr *Analyzer::evaluateBody(linalg::LinalgOp op, Value value, Operation *skip,
                                   ArrayRef<const Expr *> arguments) {
  Block *body = op.getBlock();
  DenseMap<Value, const Expr *> values;
  for (auto [argument, e] : llvm::zip(body->getArguments(), arguments))
    values[argument] = e;
  auto lookup = [&](Value v) -> const Expr * {
    if (const Expr *e = values.lookup(v))
      return e;
    Symbol outer = symbol(v); // a scalar from outside the body
    return outer.segments.empty() ? nullptr : outer.segments.front().value;
  };
  for (Operation &inner : body->without_terminator()) {
    if (&inner == skip)
      continue;
    FloatAttr constant;
    if (matchPattern(&inner, m_Constant(&constant))) {
      values[inner.getResult(0)] = p.constant(constant.getValueAsDouble());
      continue;
    }
    SmallVector<const Expr *> operands;
    for (Value v : inner.getOperands())
      operands.push_back(lookup(v));
    if (llvm::is_contained(operands, nullptr) || inner.getNumResults() != 1) {
      inner.emitOpError() << "unsupported in a feature region: expected operands of float type";
      return nullptr;
    }
    const Expr *result = apply(&inner, operands);
    if (!result)
      return nullptr;
    values[inner.getResult(0)] = result;
  }
  return lookup(value);
}

//===----------------------------------------------------------------------===//
// Structured operations
//===----------------------------------------------------------------------===//

/// Tile (row, depth) times parameter (depth, column) or (column, depth).
LogicalResult Analyzer::visitProduct(linalg::LinalgOp op) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  MLIRContext *context = op.getContext();
  AffineExpr row = getAffineDimExpr(0, context), column = getAffineDimExpr(1, context),
             depth = getAffineDimExpr(2, context);
  auto map = [&](AffineExpr a, AffineExpr b) { return AffineMap::get(3, 0, {a, b}, context); };
  Value left = op.getDpsInputOperand(0)->get(), right = op.getDpsInputOperand(1)->get();
  Symbol tile = symbol(left), weights = symbol(right), init = symbol(op.getDpsInitOperand(0)->get());
  bool transposed = maps[1] == map(column, depth);
  if (maps[0] != map(row, depth) || (maps[1] != map(depth, column) && !transposed) || maps[2] != map(row, column) ||
      weights.parameter < 0 || tile.segments.empty() || init.segments.empty())
    return op->emitOpError() << "unsupported in a feature region: expected the product of a tile [rows, depth] with a "
                                "parameter [depth, columns] or [columns, depth]";
  auto type = cast<RankedTensorType>(right.getType());
  int64_t depthSize = type.getDimSize(transposed ? 1 : 0), width = type.getDimSize(transposed ? 0 : 1);
  double factor = takeFactor(tile.segments);
  unsigned source = materialize(tile.segments);
  p.products.push_back({source, unsigned(weights.parameter), depthSize, width, transposed});
  Symbol product{{{width, p.leaf(ExprKind::Product, p.products.size() - 1)}}, -1};
  auto sum = elementwise({product, init}, width, op,
                         [&](ArrayRef<const Expr *> e) { return p.affine(0, {{factor, e[0]}, {1, e[1]}}); });
  return failed(sum) ? failure() : set(*op, *sum);
}

/// A sum, maximum or minimum over the columns; `inputs` are the operands with the start value last.
LogicalResult Analyzer::visitReduction(linalg::LinalgOp op, ArrayRef<Symbol> inputs, int64_t width) {
  Value yielded = op.getBlock()->getTerminator()->getOperand(0);
  BlockArgument accumulator = op.getBlock()->getArguments().back();
  Operation *combiner = yielded.getDefiningOp();
  if (op.getNumLoops() != 2 || op.getIteratorTypesArray()[1] != utils::IteratorType::reduction || !combiner ||
      combiner->getNumOperands() != 2 || !llvm::is_contained(combiner->getOperands(), accumulator) ||
      !accumulator.hasOneUse() || op.getIteratorTypesArray()[0] != utils::IteratorType::parallel ||
      !isa<arith::AddFOp, arith::MaximumFOp, arith::MaxNumFOp, arith::MinimumFOp, arith::MinNumFOp>(combiner))
    return op->emitOpError() << "unsupported in a feature region: expected a sum, maximum or minimum over the columns";
  bool sum = isa<arith::AddFOp>(combiner);
  ReductionKind kind = sum                                                  ? ReductionKind::Add
                       : isa<arith::MaximumFOp, arith::MaxNumFOp>(combiner) ? ReductionKind::Max
                                                                            : ReductionKind::Min;
  Value reduced = combiner->getOperand(combiner->getOperand(0) == accumulator ? 1 : 0);
  SmallVector<Symbol> operands(inputs);
  for (auto [symbolic, value] : llvm::zip(MutableArrayRef(operands).drop_back(), op->getOperands().drop_back())) {
    symbolic.segments = withoutProducts(symbolic.segments);
    symbols[value] = symbolic;
  }
  auto values = elementwise(operands, width, op, [&](ArrayRef<const Expr *> arguments) {
    return evaluateBody(op, reduced, combiner, arguments);
  });
  if (failed(values))
    return failure();
  const Expr *start = inputs.back().segments.front().value;
  double neutral = (kind == ReductionKind::Max ? -1 : 1) * std::numeric_limits<double>::infinity();
  if (start->kind != ExprKind::Constant || (!sum && start->value != neutral))
    return op->emitOpError() << "unsupported in a feature region: expected a reduction to start at a constant, and a "
                                "maximum or minimum at the infinity that any number replaces";
  const Expr *row = addReduction(kind, *values);
  return set(*op, {{0, p.affine(sum ? start->value : 0, {{1, row}})}});
}

LogicalResult Analyzer::visitStructured(linalg::LinalgOp op) {
  if (op->getNumResults() != 1 || op.hasIndexSemantics())
    return op->emitOpError() << "unsupported in a feature region: expected one result and no 'linalg.index'";
  if (op.getNumLoops() == 3 && linalg::isaContractionOpInterface(op))
    return visitProduct(op);
  MLIRContext *context = op.getContext();
  unsigned loops = op.getNumLoops();
  AffineExpr row = getAffineDimExpr(0, context), column = getAffineDimExpr(1, context);
  // A vector has an element for each row or for each column: their number is unknown or static. One loop takes either.
  auto result = cast<RankedTensorType>(op->getResult(0).getType());
  bool overRows = loops > 1 || columnsOf(result) == 0;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    bool hasRows = columnsOf(operand.get().getType()) == 0;
    bool known = map.getNumResults() == 0 ||
                 (map.getNumResults() == 1 && map.getResult(0) == row && hasRows == overRows) ||
                 (map.getNumResults() == 1 && loops > 1 && map.getResult(0) == column && !hasRows) ||
                 (map.getNumResults() == 2 && map.getResult(0) == row && map.getResult(1) == column);
    bool complete = !op.isDpsInit(&operand) || map.getNumResults() == op.getNumParallelLoops();
    if (loops > 2 || !known || !complete)
      return op->emitOpError() << "unsupported in a feature region: expected loops over (row, column) and operands "
                                  "indexed by (row, column), (row), (column) or (), the result by every parallel loop";
  }
  SmallVector<Symbol> inputs;
  int64_t width = 0;
  for (Value v : op->getOperands()) {
    inputs.push_back(symbol(v));
    width = std::max(width, columnsOf(v.getType()));
  }
  if (op.getNumReductionLoops())
    return visitReduction(op, inputs, width);
  Value yielded = op.getBlock()->getTerminator()->getOperand(0);
  auto values = elementwise(inputs, width, op, [&](ArrayRef<const Expr *> arguments) {
    return evaluateBody(op, yielded, nullptr, arguments);
  });
  return failed(values) ? failure() : set(*op, *values);
}

//===----------------------------------------------------------------------===//
// Spectral operations
//===----------------------------------------------------------------------===//

LogicalResult Analyzer::visitLogPositive(spectral::LogPositiveOp op) {
  Symbol u = symbol(op.getProjections()), x = symbol(op.getRows());
  auto squares = elementwise({Symbol{withoutProducts(x.segments), -1}}, columnsOf(op.getRows().getType()), op,
                             [&](ArrayRef<const Expr *> e) { return p.multiply(e[0], e[0]); });
  if (failed(squares))
    return failure();
  const Expr *norm = addReduction(ReductionKind::Add, *squares);
  double offset = -0.5 * std::log(double(op.getCount())), factor = -op.getNormFactor().convertToDouble();
  Segments result;
  for (double sign : {1.0, -1.0}) {
    if (sign < 0 && !op.getSymmetric())
      break;
    auto part = elementwise({u}, columnsOf(op.getProjections().getType()), op,
                            [&](ArrayRef<const Expr *> e) { return p.affine(offset, {{sign, e[0]}, {factor, norm}}); });
    if (failed(part))
      return failure();
    result.append(*part);
  }
  return set(*op, result);
}

LogicalResult Analyzer::visitFastfood(spectral::FastfoodOp op) {
  Symbol x = symbol(op.getRows()), b = symbol(op.getSigns()), s = symbol(op.getScale());
  int g = symbol(op.getGaussian()).parameter, permutation = symbol(op.getPermutation()).parameter;
  int64_t width = columnsOf(op.getRows().getType());
  if (g < 0 || permutation < 0)
    return op->emitOpError() << "unsupported in a feature region: expected 'gaussian' and 'permutation' to be "
                                "parameters";
  auto product = [&](const Symbol &left, const Symbol &right, double factor) {
    return elementwise({left, right}, width, op,
                       [&](ArrayRef<const Expr *> e) { return p.affine(0, {{factor, p.multiply(e[0], e[1])}}); });
  };
  auto signedRows = product(x, b, 1);
  if (failed(signedRows))
    return failure();
  Stage first, second;
  first.hadamard = second.hadamard = true;
  second.permutation = permutation;
  second.scale = g;
  unsigned tile = addTransform(*signedRows, {first, second});
  Symbol transformed{{{width, p.leaf(ExprKind::Tile, tile)}}, -1};
  auto scaled = product(transformed, s, 1 / std::sqrt(double(width)));
  return failed(scaled) ? failure() : set(*op, *scaled);
}

/// True if a slice takes whole rows of columns that follow each other, and keeps the rank.
static bool isSliceOfColumns(OffsetSizeAndStrideOpInterface slice, RankedTensorType whole, RankedTensorType part) {
  if (whole.getRank() != part.getRank() || ShapedType::isDynamic(slice.getStaticOffsets().back()) ||
      !llvm::all_of(slice.getStaticStrides(), [](int64_t stride) { return stride == 1; }))
    return false;
  if (whole.getRank() == 1)
    return !part.isDynamicDim(0);
  auto rows = dyn_cast<Value>(slice.getMixedSizes()[0]);
  auto dim = rows ? rows.getDefiningOp<tensor::DimOp>() : tensor::DimOp();
  return dim && dim.getConstantIndex() == 0 && slice.getStaticOffsets()[0] == 0;
}

LogicalResult Analyzer::visit(Operation &op) {
  Type type = op.getNumResults() ? op.getResult(0).getType() : Type();
  auto tensor = dyn_cast_or_null<RankedTensorType>(type);
  if (tensor && tensor.getRank() > 1 && ShapedType::isDynamic(tensor.getShape().back()))
    return op.emitOpError() << "unsupported in a feature region: expected a static number of columns, but got " << type;
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    if (auto number = dyn_cast<FloatAttr>(constant.getValue()))
      return set(op, {{0, p.constant(number.getValueAsDouble())}});
    auto dense = dyn_cast<DenseFPElementsAttr>(constant.getValue());
    if (dense && dense.isSplat()) {
      APFloat value = dense.getSplatValue<APFloat>();
      bool lossy;
      value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
      return set(op, {{columnsOf(type), p.constant(value.convertToDouble())}});
    }
    if (isa<IndexType>(type))
      return success();
    return op.emitOpError() << "unsupported in a feature region: expected a scalar or a splat; pass other constants as "
                               "parameters";
  }
  if (isa<tensor::DimOp>(op))
    return success();
  if (isa<tensor::EmptyOp>(op))
    return set(op, {{columnsOf(type), p.constant(0)}});
  if (auto splat = dyn_cast<tensor::SplatOp>(op))
    return set(op, {{columnsOf(type), symbol(splat.getInput()).segments.front().value}});
  if (auto cast = dyn_cast<tensor::CastOp>(op)) {
    if (tensor.getShape() != cast.getSource().getType().getShape())
      return op.emitOpError() << "unsupported in a feature region: expected the number of rows to stay unknown and of "
                                 "columns to stay static, but got "
                              << cast.getSource().getType() << " and " << type;
    symbols[cast.getResult()] = symbol(cast.getSource());
    return success();
  }
  if (auto structured = dyn_cast<linalg::LinalgOp>(op))
    return visitStructured(structured);
  if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
    if (concat.getDim() != 1)
      return op.emitOpError() << "unsupported in a feature region: expected a concatenation of columns";
    Segments segments;
    for (Value v : concat.getInputs())
      segments.append(symbol(v).segments);
    return set(op, segments);
  }
  if (auto extract = dyn_cast<tensor::ExtractSliceOp>(op)) {
    int64_t offset = extract.getStaticOffsets().back();
    Symbol source = symbol(extract.getSource());
    if (!isSliceOfColumns(extract, extract.getSourceType(), tensor) || source.segments.empty())
      return op.emitOpError()
             << "unsupported in a feature region: expected a static slice of columns of a tile, for all of its rows";
    return set(op, slice(source.segments, offset, columnsOf(type)));
  }
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) {
    int64_t offset = insert.getStaticOffsets().back(), width = columnsOf(insert.getSource().getType());
    if (!isSliceOfColumns(insert, tensor, insert.getSourceType()) || symbol(insert.getSource()).segments.empty() ||
        symbol(insert.getDest()).segments.empty())
      return op.emitOpError()
             << "unsupported in a feature region: expected a static slice of columns of a tile, for all of its rows";
    Segments destination = symbol(insert.getDest()).segments, segments = slice(destination, 0, offset);
    segments.append(symbol(insert.getSource()).segments);
    segments.append(slice(destination, offset + width, columnsOf(type) - offset - width));
    return set(op, segments);
  }
  if (auto trig = dyn_cast<spectral::TrigOp>(op)) {
    Segments u = symbol(trig.getProjections()).segments, result;
    int64_t width = widthOf(u) / trig.getGroups();
    double amplitude = trig.getAmplitude().convertToDouble();
    for (int64_t group = 0; group < int64_t(trig.getGroups()); ++group)
      for (ExprKind kind : {ExprKind::CosQ, ExprKind::SinQ})
        for (const Segment &s : slice(u, group * width, width)) {
          const Expr *value = p.call(kind, {p.affine(0, {{kQuarterTurns, s.value}})});
          result.push_back({s.width, p.affine(0, {{amplitude, value}})});
        }
    return set(op, result);
  }
  if (auto positive = dyn_cast<spectral::LogPositiveOp>(op))
    return visitLogPositive(positive);
  if (auto fastfood = dyn_cast<spectral::FastfoodOp>(op))
    return visitFastfood(fastfood);
  if (auto hadamard = dyn_cast<spectral::HadamardOp>(op)) {
    Stage stage;
    stage.hadamard = true;
    unsigned tile = addTransform(symbol(hadamard.getRows()).segments, {stage});
    return set(op, {{columnsOf(type), p.leaf(ExprKind::Tile, tile)}});
  }
  if (auto permute = dyn_cast<spectral::PermuteOp>(op)) {
    Stage stage;
    stage.permutation = symbol(permute.getPermutation()).parameter;
    if (stage.permutation < 0)
      return op.emitOpError() << "unsupported in a feature region: expected 'permutation' to be a parameter";
    unsigned tile = addTransform(symbol(permute.getRows()).segments, {stage});
    return set(op, {{columnsOf(type), p.leaf(ExprKind::Tile, tile)}});
  }
  if (auto constant = dyn_cast<spectral::ConstantFeatureOp>(op)) {
    Segments segments = symbol(constant.getFeatures()).segments;
    segments.push_back({1, p.constant(constant.getValue().convertToDouble())});
    return set(op, segments);
  }
  if (OpTrait::hasElementwiseMappableTraits(&op) && op.getNumResults() == 1) {
    SmallVector<Symbol> inputs;
    for (Value v : op.getOperands())
      inputs.push_back(symbol(v));
    auto values = elementwise(inputs, columnsOf(type), &op, [&](ArrayRef<const Expr *> e) { return apply(&op, e); });
    return failed(values) ? failure() : set(op, *values);
  }
  return op.emitOpError() << "unsupported in a feature region: expected a row-wise operation of 'spectral', 'linalg', "
                             "'tensor', 'arith' or 'math'";
}

LogicalResult Analyzer::run(Region &region, bool logDomain) {
  Block &block = region.front();
  for (BlockArgument argument : block.getArguments()) {
    auto type = cast<RankedTensorType>(argument.getType());
    if (argument.getArgNumber() == 0) {
      p.tiles.push_back({columnsOf(type)});
      symbols[argument] = {{{columnsOf(type), p.leaf(ExprKind::Tile, 0)}}, -1};
      continue;
    }
    unsigned id = p.parameters.size();
    p.parameters.push_back(type);
    Symbol parameter{{}, int(id)};
    if (type.getRank() == 1 && isa<FloatType>(type.getElementType()))
      parameter.segments = {{type.getDimSize(0), p.leaf(ExprKind::Column, id)}};
    symbols[argument] = parameter;
  }
  for (Operation &op : block.without_terminator())
    if (failed(visit(op)))
      return failure();
  p.logDomain = logDomain;
  for (const Segment &s : symbol(block.getTerminator()->getOperand(0)).segments)
    p.phi.push_back({s.width, logDomain ? p.affine(0, {{kLog2E, s.value}}) : s.value});
  return success();
}

FailureOr<FeatureProgram> bochner::analyzeFeatures(Region &region, bool logDomain) {
  FeatureProgram program;
  if (failed(Analyzer(program).run(region, logDomain)))
    return failure();
  return std::move(program);
}
