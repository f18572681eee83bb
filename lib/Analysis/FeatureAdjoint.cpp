//===- FeatureAdjoint.cpp - reverse mode of feature programs --------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Analysis/FeatureAdjoint.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace bochner;

namespace {
/// A sweep from expressions with cotangents to the leaves.
class Sweep {
public:
  Sweep(FeatureProgram &program, ArrayRef<FusedProduct> products) : p(program), products(products) {}

  void seed(const Expr *e, const Expr *cotangent) {
    visit(e);
    add(e, 1, cotangent);
  }
  GroupAdjoint run();

private:
  void visit(const Expr *e);
  void add(const Expr *e, double factor, const Expr *cotangent) { terms[e].push_back({factor, cotangent}); }
  void push(const Expr *e, const Expr *cotangent);
  /// The product whose accumulator holds the expression; -1 if it is none.
  int productOf(const Expr *e) const {
    const auto *found = llvm::find_if(products, [&](const FusedProduct &f) { return f.value == e; });
    return found == products.end() ? -1 : int(found - products.begin());
  }
  const Expr *zero() { return p.constant(0); }
  const Expr *divide(const Expr *x, const Expr *y) { return p.call(ExprKind::Div, {x, y}); }

  FeatureProgram &p;
  ArrayRef<FusedProduct> products;
  SmallVector<const Expr *> order; ///< operands first
  llvm::DenseSet<const Expr *> seen;
  llvm::DenseMap<const Expr *, SmallVector<std::pair<double, const Expr *>>> terms;
  GroupAdjoint result;
};
} // namespace

void Sweep::visit(const Expr *e) {
  if (!seen.insert(e).second)
    return;
  if (int i = productOf(e); i >= 0)
    visit(products[i].init);
  else
    for (const Expr *operand : e->operands)
      visit(operand);
  order.push_back(e);
}

/// Passes the cotangent of an operation on to its operands.
void Sweep::push(const Expr *e, const Expr *g) {
  auto operand = [&](unsigned i) { return e->operands[i]; };
  auto choose = [&](const Expr *condition, unsigned first, unsigned second) {
    add(operand(first), 1, p.call(ExprKind::Select, {condition, g, zero()}));
    add(operand(second), 1, p.call(ExprKind::Select, {condition, zero(), g}));
  };
  auto compare = [&](arith::CmpFPredicate predicate, const Expr *x, const Expr *y) {
    return p.call(ExprKind::Compare, {x, y}, unsigned(predicate));
  };
  constexpr double quarter = llvm::numbers::pi / 2;
  switch (e->kind) {
  case ExprKind::Constant:
  case ExprKind::Compare:
  case ExprKind::Cotangent:
  case ExprKind::RowCotangent:
    return;
  case ExprKind::Tile:
    result.tiles.push_back({e->id, e->offset, g});
    return;
  case ExprKind::Column:
    result.columns.push_back({e->id, e->offset, g});
    return;
  case ExprKind::Row:
    result.rows.push_back({e->id, 0, g});
    return;
  case ExprKind::Product:
    llvm_unreachable("the products of a group are those of its accumulators");
  case ExprKind::Affine:
    for (auto [c, x] : llvm::zip(e->coefficients, e->operands))
      add(x, c, g);
    return;
  case ExprKind::Exp2:
    return add(operand(0), llvm::numbers::ln2, p.multiply(g, e));
  case ExprKind::CosQ:
    return add(operand(0), -quarter, p.multiply(g, p.call(ExprKind::SinQ, operand(0))));
  case ExprKind::SinQ:
    return add(operand(0), quarter, p.multiply(g, p.call(ExprKind::CosQ, operand(0))));
  case ExprKind::Log:
    return add(operand(0), 1, divide(g, operand(0)));
  case ExprKind::Log1p:
    return add(operand(0), 1, divide(g, p.affine(1, {{1, operand(0)}})));
  case ExprKind::Mul:
    add(operand(0), 1, p.multiply(g, operand(1)));
    add(operand(1), 1, p.multiply(g, operand(0)));
    return;
  case ExprKind::Div:
    add(operand(0), 1, divide(g, operand(1)));
    add(operand(1), -1, divide(p.multiply(g, e), operand(1)));
    return;
  case ExprKind::Max:
    return choose(compare(arith::CmpFPredicate::OGE, operand(0), operand(1)), 0, 1);
  case ExprKind::Min:
    return choose(compare(arith::CmpFPredicate::OLE, operand(0), operand(1)), 0, 1);
  case ExprKind::Abs:
    return add(
        operand(0), 1,
        p.call(ExprKind::Select, {compare(arith::CmpFPredicate::OLT, operand(0), zero()), p.affine(0, {{-1, g}}), g}));
  case ExprKind::Sqrt:
    return add(operand(0), 0.5, divide(g, e));
  case ExprKind::Select:
    return choose(operand(0), 1, 2);
  }
}

GroupAdjoint Sweep::run() {
  result.products.assign(products.size(), nullptr);
  for (const Expr *e : llvm::reverse(order)) {
    auto sum = terms.find(e);
    if (sum == terms.end())
      continue;
    const Expr *g = p.affine(0, sum->second);
    if (g->kind == ExprKind::Constant && g->value == 0)
      continue;
    int i = productOf(e);
    if (i < 0) {
      push(e, g);
      continue;
    }
    result.products[i] = g;
    add(products[i].init, 1, g);
  }
  return std::move(result);
}

GroupAdjoint bochner::differentiateGroup(FeatureProgram &program, const FusedGroup &group) {
  Sweep sweep(program, group.products);
  for (auto [o, output] : llvm::enumerate(group.outputs))
    sweep.seed(output.value, program.leaf(ExprKind::Cotangent, o));
  return sweep.run();
}

ReduceAdjoint bochner::differentiateReduction(FeatureProgram &program, const Step &step) {
  ReduceAdjoint adjoint;
  for (const Segment &segment : step.operand) {
    Sweep sweep(program, {});
    sweep.seed(segment.value, program.leaf(ExprKind::RowCotangent, step.result));
    adjoint.segments.push_back(sweep.run());
  }
  return adjoint;
}

std::string bochner::whyNoAdjoint(const FeatureProgram &program) {
  for (const Step &step : program.steps)
    if (step.kind == Step::Reduce && step.reduction != ReductionKind::Add)
      return "rows are reduced by a maximum or minimum";
  return "";
}

/// Why the adjoint of attention does not fit a kernel, whatever its feature map.
template <typename AttentionOp> static std::string whyNotAttention(AttentionOp op) {
  if (op.isCausal() && op.getKeySequences())
    return "causal queries and keys are packed differently";
  for (Value parameter : op.getParameters()) {
    auto type = cast<RankedTensorType>(parameter.getType());
    if (!type.getElementType().isIntOrIndexOrFloat()) // integers permute columns
      return "the map has parameters that are not numbers";
    if (type.getRank() < 2 || type.getRank() > 3)
      return "the map has parameters that are neither vectors nor matrices";
  }
  // What does not fit a kernel of the forward pass either is reported there.
  ScopedDiagnosticHandler silent(op.getContext(), [](Diagnostic &) { return success(); });
  for (Region *region : {&op.getFeatures(), &op.getQueryMap()}) {
    auto program = analyzeFeatures(*region, op.isLogDomain());
    if (failed(program))
      return "the map does not fit a kernel";
    if (std::string why = whyNoAdjoint(*program); !why.empty())
      return why;
  }
  return "";
}

/// Whether all products that read a parameter have its columns for theirs.
template <typename AttentionOp> static bool multipliesByColumns(AttentionOp op, unsigned parameter) {
  ScopedDiagnosticHandler silent(op.getContext(), [](Diagnostic &) { return success(); });
  for (Region *region : {&op.getFeatures(), &op.getQueryMap()}) {
    auto program = analyzeFeatures(*region, op.isLogDomain());
    if (failed(program) || llvm::any_of(program->products, [&](const Product &product) {
          return product.parameter == parameter && product.transposed;
        }))
      return false;
  }
  return true;
}

bool bochner::hasMoments(spectral::LinearAttentionOp op, unsigned parameter) {
  return multipliesByColumns(op, parameter);
}

std::string bochner::whyNoAdjoint(spectral::LinearAttentionGradOp op) {
  if (op.isCausal() && op.getNormalize() && !op.getDenominators())
    return "causality needs 'denominators'";
  for (int64_t i : op.getMoments())
    if (!multipliesByColumns(op, i))
      return "a product reads the transpose of a parameter of 'moments'";
  return whyNotAttention(op);
}

std::string bochner::whyNoAdjoint(spectral::LinearAttentionOp op) {
  if (!op.getInitial().empty() || op.getReturnState())
    return "it takes or returns a state";
  if (op.getDenominator() != spectral::Denominator::none)
    return "denominators are bounded or counted";
  if (op.getNormalize() && (op.isCausal() || op.getOffset())) {
    if (op.getForm() == spectral::Form::recurrent)
      return "form<recurrent> returns no denominators";
    if (op.getForm() == spectral::Form::quadratic)
      return "form<quadratic> returns no denominators";
  }
  return whyNotAttention(op);
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

static void print(llvm::raw_ostream &os, StringRef name, StringRef sum, ArrayRef<ArrayTerm> terms) {
  for (const ArrayTerm &term : terms) {
    os << "  " << name << term.id;
    if (term.offset)
      os << "[+" << term.offset << "]";
    os << " += " << sum << str(term.value) << "\n";
  }
}

static void print(llvm::raw_ostream &os, const GroupAdjoint &adjoint) {
  print(os, "d tile", "", adjoint.tiles);
  print(os, "d row", "sum over columns ", adjoint.rows);
  print(os, "d column", "sum over rows ", adjoint.columns);
}

std::string bochner::describeAdjoint(FeatureProgram &program, int64_t block) {
  if (std::string why = whyNoAdjoint(program); !why.empty())
    return "no adjoint: " + why + "\n";
  std::string text;
  llvm::raw_string_ostream os(text);
  auto printGroups = [&](ArrayRef<Segment> segments) {
    for (const FusedGroup &group : fuseSegments(program, segments, block)) {
      GroupAdjoint adjoint = differentiateGroup(program, group);
      os << "group of " << group.width << " columns, " << group.outputs.size() << " outputs\n";
      for (auto [f, value] : llvm::zip(group.products, adjoint.products))
        if (value)
          os << "  d product" << f.product << "[+" << f.column << "] = " << str(value) << ", weights * "
             << llvm::format("%g", f.scale) << "\n";
      print(os, adjoint);
    }
  };
  printGroups(program.phi);
  for (const Step &step : llvm::reverse(program.steps)) {
    if (step.kind == Step::Reduce) {
      os << "row" << step.result << "\n";
      for (const GroupAdjoint &segment : differentiateReduction(program, step).segments)
        print(os, segment);
      continue;
    }
    os << "tile" << step.result << ":";
    for (const Stage &stage : llvm::reverse(step.stages)) {
      if (stage.hadamard)
        os << " hadamard";
      if (stage.scale >= 0)
        os << " d column" << stage.scale << " scale" << stage.scale;
      if (stage.permutation >= 0)
        os << " inverse permute" << stage.permutation;
    }
    os << "\n";
    printGroups(step.operand);
  }
  return text;
}
