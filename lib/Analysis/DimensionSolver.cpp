//===- DimensionSolver.cpp - union-find over dimensions -------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: ties. Output: sizes in terms of arguments, and what a call has to check. Reshapes relate a dimension to a
// product of others; those relations are solved last, when all ties are known.
//
//===----------------------------------------------------------------------===//
#include "lib/Analysis/DimensionSolver.h"
#include "dialect/Spectral.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace bochner;

static RankedTensorType tensorType(Value value) { return dyn_cast<RankedTensorType>(value.getType()); }

//===----------------------------------------------------------------------===//
// Sizes in terms of arguments
//===----------------------------------------------------------------------===//

/// Nothing if the constant does not fit into 63 bits.
static std::optional<DimensionSize> multiply(const DimensionSize &a, const DimensionSize &b) {
  DimensionSize result;
  if (llvm::MulOverflow(a.constant, b.constant, result.constant))
    return std::nullopt;
  if (result.constant == 0)
    return result;
  result.factors = a.factors;
  llvm::append_range(result.factors, b.factors);
  llvm::sort(result.factors);
  return result;
}

/// Nothing if the division leaves a rest for some sizes of the factors.
static std::optional<DimensionSize> divide(const DimensionSize &a, const DimensionSize &b) {
  if (b.constant == 0 || a.constant % b.constant != 0)
    return std::nullopt;
  DimensionSize result{a.constant / b.constant, a.factors};
  for (const ArgumentDim &factor : b.factors) {
    auto *found = llvm::find(result.factors, factor);
    if (found == result.factors.end())
      return std::nullopt;
    result.factors.erase(found);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Nodes and ties
//===----------------------------------------------------------------------===//

DimensionSolver::DimensionSolver(func::FuncOp function) : function(function) {
  for (BlockArgument argument : function.getArguments())
    if (auto type = tensorType(argument))
      for (int64_t dim = 0; dim < type.getRank(); ++dim) {
        nodeOf(argument, dim);
        argumentDims.push_back({argument.getArgNumber(), dim});
      }
}

unsigned DimensionSolver::add(Value value, int64_t dim, int64_t size) {
  unsigned id = nodes.size();
  nodes.push_back({id, value, dim, size, id});
  return id;
}

unsigned DimensionSolver::nodeOf(Value tensor, int64_t dim) {
  auto [found, isNew] = ids.try_emplace({tensor, dim}, nodes.size());
  return isNew ? add(tensor, dim, tensorType(tensor).getDimSize(dim)) : found->second;
}

/// The factors of a product of dimensions and constants; false for any other expression.
static bool collectFactors(AffineExpr expr, unsigned numDims, SmallVectorImpl<unsigned> &operands, int64_t &constant) {
  if (auto value = dyn_cast<AffineConstantExpr>(expr))
    return value.getValue() >= 0 && !llvm::MulOverflow(constant, value.getValue(), constant);
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return operands.push_back(dim.getPosition()), true;
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return operands.push_back(numDims + symbol.getPosition()), true;
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  return binary && binary.getKind() == AffineExprKind::Mul &&
         collectFactors(binary.getLHS(), numDims, operands, constant) &&
         collectFactors(binary.getRHS(), numDims, operands, constant);
}

unsigned DimensionSolver::nodeOf(OpFoldResult size) {
  if (std::optional<int64_t> constant = getConstantIntValue(size))
    return add(nullptr, -1, *constant < 0 ? ShapedType::kDynamic : *constant);
  auto value = cast<Value>(size);
  Operation *op = value.getDefiningOp();
  if (auto ofTensor = dyn_cast_if_present<tensor::DimOp>(op)) {
    auto type = tensorType(ofTensor.getSource());
    std::optional<int64_t> dim = ofTensor.getConstantIndex();
    if (type && dim && *dim >= 0 && *dim < type.getRank())
      return nodeOf(ofTensor.getSource(), *dim);
  }
  if (auto cast = dyn_cast_if_present<arith::IndexCastOp>(op))
    if (cast.getIn().getType().isInteger(64) || cast.getType().isInteger(64)) // keeps every size
      return nodeOf(OpFoldResult(cast.getIn()));

  auto [found, isNew] = ids.try_emplace({value, -1}, nodes.size());
  unsigned id = found->second;
  if (!isNew)
    return id;
  add(value, -1, ShapedType::kDynamic);
  readProduct(id, value);
  return id;
}

/// An index that multiplies others.
void DimensionSolver::readProduct(unsigned whole, Value size) {
  Operation *op = size.getDefiningOp();
  SmallVector<Value> factors;
  int64_t constant = 1;
  if (auto product = dyn_cast_if_present<arith::MulIOp>(op)) {
    factors = {product.getLhs(), product.getRhs()};
  } else if (auto apply = dyn_cast_if_present<affine::AffineApplyOp>(op)) {
    AffineMap map = apply.getAffineMap();
    SmallVector<unsigned> operands;
    if (!collectFactors(map.getResult(0), map.getNumDims(), operands, constant))
      return;
    for (unsigned operand : operands)
      factors.push_back(apply.getMapOperands()[operand]);
  } else {
    return;
  }
  auto nodes = llvm::map_to_vector(factors, [&](Value factor) { return nodeOf(OpFoldResult(factor)); });
  products.push_back({whole, constant, std::move(nodes), op});
}

unsigned DimensionSolver::find(unsigned node) {
  while (nodes[node].parent != node)
    node = nodes[node].parent = nodes[nodes[node].parent].parent;
  return node;
}

void DimensionSolver::tie(unsigned a, unsigned b, Operation *op) {
  a = find(a);
  b = find(b);
  if (a == b || failed)
    return;
  if (b < a)
    std::swap(a, b);
  Node &first = nodes[a], &second = nodes[b];
  if (ShapedType::isDynamic(first.size)) {
    first.size = second.size;
    first.sizedBy = second.sizedBy;
  } else if (!ShapedType::isDynamic(second.size) && first.size != second.size) {
    op->emitOpError() << "expected " << describe(second.sizedBy) << " to equal " << describe(first.sizedBy) << " ("
                      << first.size << "), but got " << second.size;
    failed = true;
    return;
  }
  second.parent = a;
}

void DimensionSolver::tieShapes(Value a, Value b, Operation *op, int64_t except) {
  for (int64_t dim = 0, end = tensorType(a).getRank() - except; dim < end; ++dim)
    tie(a, dim, b, dim, op);
}

void DimensionSolver::tieProduct(Value whole, int64_t dim, Value parts, ArrayRef<int64_t> factors, Operation *op) {
  unsigned id = nodeOf(whole, dim);
  products.push_back({id, 1, llvm::map_to_vector(factors, [&](int64_t part) { return nodeOf(parts, part); }), op});
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// Moves static factors into the constant and follows what that implies. True if something changed.
bool DimensionSolver::simplify(Product &product) {
  SmallVector<unsigned> open;
  for (unsigned factor : product.factors) {
    int64_t constant;
    if (isSized(factor) && !llvm::MulOverflow(product.constant, nodes[find(factor)].size, constant))
      product.constant = constant;
    else
      open.push_back(factor);
  }
  product.factors = open;
  auto tieTo = [&](unsigned node, unsigned other) {
    if (find(node) == find(other))
      return false;
    tie(node, other, product.op);
    return true;
  };
  unsigned whole = find(product.whole);
  if (open.empty())
    return nodes[whole].size != product.constant && tieTo(whole, add(nullptr, -1, product.constant));
  if (open.size() != 1)
    return false;
  if (product.constant == 1)
    return tieTo(whole, open[0]);
  if (!isSized(whole) || product.constant <= 0 || isSized(open[0]))
    return false;
  int64_t size = nodes[whole].size;
  if (size % product.constant == 0)
    return tieTo(open[0], add(nullptr, -1, size / product.constant));
  product.op->emitOpError() << "expected " << describe(nodes[whole].sizedBy) << " to be a multiple of "
                            << product.constant << ", but got " << size;
  failed = true;
  return false;
}

/// Two products of one size that differ in one factor: those are equal. (Where a common factor is 0 they need not be,
/// but then the tensors are empty.) True if something changed.
bool DimensionSolver::cancel(const Product &a, const Product &b) {
  if (a.constant != b.constant || a.constant == 0)
    return false;
  SmallVector<unsigned> left = llvm::map_to_vector(a.factors, [&](unsigned factor) { return find(factor); }), right;
  for (unsigned factor : b.factors) {
    auto *common = llvm::find(left, find(factor));
    if (common != left.end())
      left.erase(common);
    else
      right.push_back(factor);
  }
  if (left.size() != 1 || right.size() != 1)
    return false;
  tie(left[0], right[0], b.op);
  return true;
}

std::optional<DimensionSize> DimensionSolver::multiplyKnown(const Product &product, ArrayRef<unsigned> factors) {
  std::optional<DimensionSize> result(DimensionSize{product.constant, {}});
  for (unsigned factor : factors) {
    auto found = known.find(find(factor));
    if (found == known.end() || !(result = multiply(*result, found->second)))
      return std::nullopt;
  }
  return result;
}

/// Finds the size of the one part of a product that is not known. True if there was one.
bool DimensionSolver::propagate(const Product &product) {
  unsigned whole = find(product.whole);
  auto size = known.find(whole);
  if (size == known.end()) {
    std::optional<DimensionSize> result = multiplyKnown(product, product.factors);
    return result && known.try_emplace(whole, *result).second;
  }
  for (const unsigned &factor : product.factors) {
    if (known.contains(find(factor)))
      continue;
    SmallVector<unsigned> others(product.factors);
    others.erase(others.begin() + (&factor - product.factors.begin()));
    std::optional<DimensionSize> divisor = multiplyKnown(product, others);
    std::optional<DimensionSize> result = divisor ? divide(size->second, *divisor) : std::nullopt;
    return result && known.try_emplace(find(factor), *result).second;
  }
  return false;
}

/// A module states equal dimensions only; compiled code would read out of bounds where a product were wrong.
void DimensionSolver::check(const Product &product) {
  auto whole = known.find(find(product.whole));
  std::optional<DimensionSize> size = multiplyKnown(product, product.factors);
  if (whole == known.end() || !size || whole->second == *size || failed)
    return;
  product.op->emitOpError() << "expected a product of dimensions that holds at every call, but " << describe(*size)
                            << " has to be " << describe(whole->second)
                            << ", which a call cannot check; pass a tensor that has these dimensions one by one";
  failed = true;
}

FailureOr<DimensionClasses> DimensionSolver::solve() {
  bool changed = true;
  while (changed && !failed) {
    changed = false;
    DenseMap<unsigned, const Product *> byWhole;
    for (Product &product : products) {
      changed |= simplify(product);
      auto [first, isNew] = byWhole.try_emplace(find(product.whole), &product);
      if (!isNew)
        changed |= cancel(*first->second, product);
    }
  }
  for (unsigned id = 0; id < nodes.size(); ++id) {
    unsigned root = find(id);
    if (isSized(root))
      known[root] = {nodes[root].size, {}};
    else if (root < argumentDims.size())
      known[root] = {1, {argumentDims[root]}};
  }
  for (changed = true; changed && !failed;) {
    changed = false;
    for (const Product &product : products)
      changed |= propagate(product);
  }
  for (const Product &product : products)
    check(product);
  if (failed)
    return failure();

  DimensionClasses result;
  for (auto &[place, id] : ids)
    if (auto size = known.find(find(id)); size != known.end())
      result.sizes.try_emplace(place, size->second);
  for (auto [id, dim] : llvm::enumerate(argumentDims)) {
    const DimensionSize &size = known[find(id)];
    if (tensorType(nodes[id].value).isDynamicDim(nodes[id].dim) && (size.isConstant() || !(size.factors[0] == dim)))
      result.equalities.push_back({dim, size});
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

std::string DimensionSolver::describe(Value value) {
  if (Operation *op = value.getDefiningOp())
    return ("the result of '" + op->getName().getStringRef() + "'").str();
  auto argument = cast<BlockArgument>(value);
  if (argument.getOwner()->getParentOp() != function || !argument.getOwner()->isEntryBlock())
    return "an argument of a block";
  auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), spectral::kNameAttr);
  return "argument '" + (name ? name.str() : "arg" + std::to_string(argument.getArgNumber())) + "'";
}

std::string DimensionSolver::describe(unsigned node) {
  const Node &described = nodes[node];
  if (!described.value)
    return "the size given here";
  if (described.dim < 0)
    return describe(described.value);
  return "dimension " + std::to_string(described.dim) + " of " + describe(described.value);
}

std::string DimensionSolver::describe(const DimensionSize &size) {
  std::string text;
  if (size.constant != 1 || size.isConstant())
    text = std::to_string(size.constant);
  for (const ArgumentDim &factor : size.factors)
    text += (text.empty() ? "" : " x ") + describe(ids.lookup({function.getArgument(factor.argument), factor.dim}));
  return text;
}
