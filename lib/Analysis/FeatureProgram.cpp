//===- FeatureProgram.cpp - construction, printing, grouping --------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Analysis/FeatureProgram.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace bochner;

int64_t bochner::widthOf(ArrayRef<Segment> segments) {
  int64_t width = 0;
  for (const Segment &s : segments)
    width += s.width;
  return width;
}

bool bochner::readsProduct(const Expr *e) {
  return e->kind == ExprKind::Product || llvm::any_of(e->operands, readsProduct);
}

double FeatureProgram::projectionFlop() const {
  double flop = 0;
  for (const Product &p : products)
    flop += 2.0 * p.depth * p.width;
  for (const Step &s : steps) // a transform stands for a product with a square matrix
    if (s.kind == Step::Transform && llvm::any_of(s.stages, [](const Stage &stage) { return stage.hadamard; }))
      flop += 2.0 * widthOf(s.operand) * widthOf(s.operand);
  return flop;
}

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

const Expr *FeatureProgram::get(Expr e) {
  switch (e.kind) {
  case ExprKind::Tile:
  case ExprKind::Product:
  case ExprKind::Cotangent:
    e.byRow = e.byColumn = true;
    break;
  case ExprKind::Column:
    e.byColumn = true;
    break;
  case ExprKind::Row:
  case ExprKind::RowCotangent:
    e.byRow = true;
    break;
  default:
    for (const Expr *operand : e.operands) {
      e.byRow |= operand->byRow;
      e.byColumn |= operand->byColumn;
    }
  }
  for (const Expr &seen : arena) // a program has a few dozen expressions
    if (seen.kind == e.kind && seen.id == e.id && seen.offset == e.offset && seen.value == e.value &&
        seen.coefficients == e.coefficients && seen.operands == e.operands)
      return &seen;
  arena.push_back(std::move(e));
  return &arena.back();
}

const Expr *FeatureProgram::constant(double value) {
  Expr e(ExprKind::Constant);
  e.value = value;
  return get(std::move(e));
}

const Expr *FeatureProgram::leaf(ExprKind kind, unsigned id, int64_t offset) {
  Expr e(kind);
  e.id = id;
  e.offset = offset;
  return get(std::move(e));
}

const Expr *FeatureProgram::call(ExprKind kind, ArrayRef<const Expr *> operands, unsigned id) {
  Expr e(kind);
  e.id = id;
  e.operands.assign(operands.begin(), operands.end());
  return get(std::move(e));
}

const Expr *FeatureProgram::multiply(const Expr *a, const Expr *b) { // constant factors move outwards
  for (auto [x, y] : {std::pair(a, b), std::pair(b, a)}) {
    if (x->kind == ExprKind::Constant)
      return affine(0, {{x->value, y}});
    if (x->kind == ExprKind::Affine && x->value == 0 && x->operands.size() == 1)
      return affine(0, {{x->coefficients[0], multiply(x->operands[0], y)}});
  }
  return call(ExprKind::Mul, {a, b});
}

const Expr *FeatureProgram::affine(double value, ArrayRef<std::pair<double, const Expr *>> terms) {
  Expr e(ExprKind::Affine);
  e.value = value;
  auto add = [&](double c, const Expr *x) {
    for (auto [i, operand] : llvm::enumerate(e.operands))
      if (operand == x) {
        e.coefficients[i] += c;
        return;
      }
    e.operands.push_back(x);
    e.coefficients.push_back(c);
  };
  for (auto [c, x] : terms) {
    if (x->kind == ExprKind::Constant)
      e.value += c * x->value;
    else if (x->kind == ExprKind::Affine) {
      e.value += c * x->value;
      for (auto [ci, xi] : llvm::zip(x->coefficients, x->operands))
        add(c * ci, xi);
    } else
      add(c, x);
  }
  for (int i = e.operands.size() - 1; i >= 0; i--)
    if (e.coefficients[i] == 0) {
      e.operands.erase(e.operands.begin() + i);
      e.coefficients.erase(e.coefficients.begin() + i);
    }
  if (e.operands.empty())
    return constant(e.value);
  if (e.operands.size() == 1 && e.coefficients[0] == 1 && e.value == 0)
    return e.operands[0];
  return get(std::move(e));
}

const Expr *FeatureProgram::shift(const Expr *e, int64_t columns) {
  if (columns == 0 || !e->byColumn)
    return e;
  Expr shifted = *e;
  if (e->kind == ExprKind::Tile || e->kind == ExprKind::Product || e->kind == ExprKind::Column)
    shifted.offset += columns;
  for (const Expr *&operand : shifted.operands)
    operand = shift(operand, columns);
  return get(std::move(shifted));
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

static void print(const Expr *e, llvm::raw_ostream &os) {
  auto indexed = [&](StringRef name) {
    os << name << e->id;
    if (e->offset)
      os << "[+" << e->offset << "]";
  };
  auto function = [&](StringRef name) {
    os << name << "(";
    llvm::interleave(e->operands, os, [&](const Expr *o) { print(o, os); }, ", ");
    os << ")";
  };
  switch (e->kind) {
  case ExprKind::Constant:
    os << llvm::format("%g", e->value);
    return;
  case ExprKind::Tile:
    return indexed("tile");
  case ExprKind::Column:
    return indexed("column");
  case ExprKind::Row:
    return indexed("row");
  case ExprKind::Product:
    return indexed("product");
  case ExprKind::Affine: {
    os << "(";
    const char *separator = "";
    for (auto [c, operand] : llvm::zip(e->coefficients, e->operands)) {
      os << separator;
      if (c != 1)
        os << llvm::format("%g*", c);
      print(operand, os);
      separator = " + ";
    }
    if (e->value)
      os << llvm::format(" + %g", e->value);
    os << ")";
    return;
  }
  case ExprKind::Exp2:
    return function("exp2");
  case ExprKind::CosQ:
    return function("cosq");
  case ExprKind::SinQ:
    return function("sinq");
  case ExprKind::Log:
    return function("log");
  case ExprKind::Log1p:
    return function("log1p");
  case ExprKind::Mul:
    return function("mul");
  case ExprKind::Div:
    return function("div");
  case ExprKind::Max:
    return function("max");
  case ExprKind::Min:
    return function("min");
  case ExprKind::Abs:
    return function("abs");
  case ExprKind::Sqrt:
    return function("sqrt");
  case ExprKind::Compare:
    os << "p" << e->id;
    return function("compare");
  case ExprKind::Select:
    return function("select");
  case ExprKind::Cotangent:
    return indexed("cotangent");
  case ExprKind::RowCotangent:
    return indexed("row_cotangent");
  }
}

std::string bochner::str(const Expr *e) {
  std::string text;
  llvm::raw_string_ostream os(text);
  print(e, os);
  return text;
}

static void print(ArrayRef<Segment> segments, llvm::raw_ostream &os) {
  os << "[";
  llvm::interleave(
      segments, os,
      [&](const Segment &s) {
        os << s.width << ": ";
        print(s.value, os);
      },
      " | ");
  os << "]";
}

std::string FeatureProgram::str() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "rows of " << tiles[0].width << " -> " << features() << (logDomain ? " log2 features\n" : " features\n");
  for (auto [i, p] : llvm::enumerate(products))
    os << "product" << i << " = tile" << p.tile << " x parameter" << p.parameter << (p.transposed ? "^T" : "") << " : "
       << p.depth << " x " << p.width << "\n";
  for (const Step &s : steps) {
    switch (s.kind) {
    case Step::Materialize:
      os << "tile" << s.result << " = ";
      break;
    case Step::Reduce: {
      static const char *names[] = {"sum", "max", "min"};
      os << "row" << s.result << " = " << names[int(s.reduction)] << " ";
      break;
    }
    case Step::Transform:
      os << "tile" << s.result << " =";
      for (const Stage &stage : llvm::reverse(s.stages)) {
        if (stage.hadamard)
          os << " hadamard";
        if (stage.scale >= 0)
          os << " scale" << stage.scale;
        if (stage.permutation >= 0)
          os << " permute" << stage.permutation;
      }
      os << " ";
      break;
    }
    print(s.operand, os);
    os << "\n";
  }
  os << "phi = ";
  print(phi, os);
  os << "\n";
  return text;
}

//===----------------------------------------------------------------------===//
// Fused groups
//===----------------------------------------------------------------------===//

namespace {
/// The products that an expression reads, and for each use the affine node of which it is a direct term, or null.
struct ProductUses {
  llvm::SetVector<const Expr *> leaves;
  llvm::SetVector<std::pair<const Expr *, const Expr *>> uses;

  void collect(const Expr *e, const Expr *parent = nullptr) {
    if (e->kind == ExprKind::Product) {
      leaves.insert(e);
      uses.insert({e, parent && parent->kind == ExprKind::Affine ? parent : nullptr});
    }
    for (const Expr *operand : e->operands)
      collect(operand, e);
  }
};
} // namespace

/// Folds the affine node around `leaf` into the product, if that is the only way the leaf is used.
static FusedProduct foldProduct(FeatureProgram &program, const Expr *leaf, const ProductUses &products) {
  FusedProduct folded{leaf->id, leaf->offset, 1, program.constant(0), leaf};
  const Expr *node = nullptr;
  for (auto [used, parent] : products.uses)
    if (used == leaf) {
      if (!parent || (node && node != parent))
        return folded;
      node = parent;
    }
  if (!node)
    return folded;
  double scale = 0;
  SmallVector<std::pair<double, const Expr *>> rest;
  for (auto [c, operand] : llvm::zip(node->coefficients, node->operands)) {
    if (operand == leaf) {
      scale = c;
      continue;
    }
    if (readsProduct(operand))
      return folded;
    rest.push_back({c, operand});
  }
  folded.scale = scale;
  folded.init = program.affine(node->value, rest);
  folded.value = node;
  return folded;
}

/// True if `next` is `group` for the columns behind it; then `group` takes it in.
static bool absorb(FeatureProgram &program, FusedGroup &group, const FusedGroup &next, int64_t block) {
  int64_t period = group.period ? group.period : group.width, shift = group.width;
  if (next.width != period || period % block || group.products.empty() ||
      group.products.size() != next.products.size() || group.outputs.size() != next.outputs.size())
    return false;
  int64_t repetitions = shift / period, stride = next.outputs[0].column - group.outputs[0].column;
  if (stride % repetitions || (group.period && stride != repetitions * group.stride))
    return false;
  for (auto [a, b] : llvm::zip(group.products, next.products))
    if (a.product != b.product || a.column + shift != b.column || a.scale != b.scale ||
        program.shift(a.init, shift) != b.init || program.shift(a.value, shift) != b.value)
      return false;
  for (auto [a, b] : llvm::zip(group.outputs, next.outputs))
    if (b.column - a.column != stride || program.shift(a.value, shift) != b.value)
      return false;
  group.period = period;
  group.stride = stride / repetitions;
  group.width += period;
  return true;
}

SmallVector<FusedGroup> bochner::fuseSegments(FeatureProgram &program, ArrayRef<Segment> segments, int64_t block) {
  SmallVector<FusedGroup> groups;
  SmallVector<llvm::SetVector<const Expr *>> read; // products of each group
  int64_t column = 0;
  for (const Segment &segment : segments) {
    ProductUses products;
    products.collect(segment.value);
    auto includes = [](auto &outer, auto &inner) {
      return llvm::all_of(inner, [&](const Expr *e) { return outer.contains(e); });
    };
    FusedGroup *group = nullptr;
    for (auto [candidate, leaves] : llvm::zip(groups, read))
      if (!products.leaves.empty() && !leaves.empty() && candidate.width == segment.width &&
          (includes(leaves, products.leaves) || includes(products.leaves, leaves))) {
        group = &candidate;
        leaves.insert(products.leaves.begin(), products.leaves.end());
        break;
      }
    if (!group) {
      groups.push_back({segment.width, {}, {}});
      read.push_back(products.leaves);
      group = &groups.back();
    }
    group->outputs.push_back({column, segment.value});
    column += segment.width;
  }
  for (auto [group, leaves] : llvm::zip(groups, read)) {
    ProductUses products;
    for (const FusedOutput &output : group.outputs)
      products.collect(output.value);
    for (const Expr *leaf : leaves)
      group.products.push_back(foldProduct(program, leaf, products));
  }
  SmallVector<FusedGroup> merged;
  for (FusedGroup &group : groups)
    if (merged.empty() || !absorb(program, merged.back(), group, block))
      merged.push_back(std::move(group));
  return merged;
}
