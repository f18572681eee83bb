//===- DecomposeFeatures.cpp - building blocks of feature maps ------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Part of spectral-decompose: row-wise operations on tensors with any number of leading dimensions (letters A, B, ...),
// and the frequencies of Gaussians. Formulas are those of the operations' documentation.
//
//===----------------------------------------------------------------------===//
#include "dialect/VerifyUtils.h"
#include "lib/Transforms/Decompose.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;
using bochner::decompose::TensorBuilder;

static Value zeros(TensorBuilder &b, ArrayRef<OpFoldResult> sizes, Type element) {
  return b.filled(sizes, b.real(element, 0.0));
}

//===----------------------------------------------------------------------===//
// trig, log_positive, constant_feature
//===----------------------------------------------------------------------===//

Value decompose::write(TensorBuilder &b, TrigOp op) {
  Value u = op.getProjections();
  int64_t total = lastDim(u.getType()), groups = op.getGroups(), count = total / groups;
  std::string dims = b.leading(u) + "f";
  Value amplitude = b.real(getElementTypeOrSelf(u.getType()), op.getAmplitude().convertToDouble());
  Value result = b.emptyRows(u, 2 * total);
  for (int64_t group = 0; group < groups; ++group) {
    Value part = b.columns(u, group * count, count);
    for (bool sine : {false, true})
      result = b.writeColumns(result, (2 * group + sine) * count, count, [&](Value slice) {
        return b.loops(dims, {{part, dims}}, {slice, dims}, [&](TensorBuilder &b, ValueRange elements) {
          Value wave =
              sine ? math::SinOp::create(b, elements[0]).getResult() : math::CosOp::create(b, elements[0]).getResult();
          return b.multiply(amplitude, wave);
        });
      });
  }
  return result;
}

Value decompose::write(TensorBuilder &b, LogPositiveOp op) {
  Value u = op.getProjections(), rows = op.getRows();
  Type element = getElementTypeOrSelf(u.getType());
  int64_t count = lastDim(u.getType());
  std::string leading = b.leading(u), dims = leading + "f";
  Value norms = b.loops(
      leading + "d", {{rows, leading + "d"}}, {zeros(b, ArrayRef(b.sizes(rows)).drop_back(), element), leading},
      [](TensorBuilder &b, ValueRange elements) { return b.add(elements[1], b.multiply(elements[0], elements[0])); });
  Value normFactor = b.real(element, op.getNormFactor().convertToDouble());
  Value constant = b.real(element, 0.5 * std::log(double(op.getCount())));
  Value result = b.emptyRows(u, op.getSymmetric() ? 2 * count : count);
  for (bool negative : {false, true}) {
    if (negative && !op.getSymmetric())
      continue;
    result = b.writeColumns(result, negative * count, count, [&](Value slice) {
      return b.loops(dims, {{u, dims}, {norms, leading}}, {slice, dims}, [&](TensorBuilder &b, ValueRange elements) {
        Value projection = negative ? arith::NegFOp::create(b, elements[0]).getResult() : elements[0];
        return b.subtract(projection, b.add(b.multiply(normFactor, elements[1]), constant));
      });
    });
  }
  return result;
}

Value decompose::write(TensorBuilder &b, ConstantFeatureOp op) {
  Value features = op.getFeatures();
  int64_t count = lastDim(features.getType());
  Value value = b.real(getElementTypeOrSelf(features.getType()), op.getValue().convertToDouble());
  Value result = b.emptyRows(features, count + 1);
  result = b.writeColumns(result, 0, count, [&](Value) { return features; });
  return b.writeColumns(result, count, 1,
                        [&](Value slice) { return linalg::FillOp::create(b, value, slice).getResult(0); });
}

//===----------------------------------------------------------------------===//
// hadamard, permute, fastfood
//===----------------------------------------------------------------------===//

/// H_n: the sign of an entry is the parity of the bits that its row and column have in common.
static Value hadamardMatrix(TensorBuilder &b, int64_t n, Type element) {
  Value plus = b.real(element, 1.0), minus = b.real(element, -1.0);
  Value matrix = b.empty({b.getIndexAttr(n), b.getIndexAttr(n)}, element);
  return b.loops("ij", {}, {matrix, "ij"}, [&](TensorBuilder &b, ValueRange) -> Value {
    Value common = arith::AndIOp::create(b, linalg::IndexOp::create(b, 0), linalg::IndexOp::create(b, 1));
    Value bits = math::CtPopOp::create(b, arith::IndexCastOp::create(b, b.getI64Type(), common).getResult());
    Value odd = arith::TruncIOp::create(b, b.getI1Type(), bits);
    return arith::SelectOp::create(b, odd, minus, plus);
  });
}

/// x H_D as two small products: H_D is the Kronecker product of H_p and H_q for p q = D.
static Value hadamard(TensorBuilder &b, Value rows) {
  auto type = cast<RankedTensorType>(rows.getType());
  Type element = type.getElementType();
  int64_t columns = lastDim(type), p = int64_t(1) << llvm::Log2_64(columns) / 2, q = columns / p;

  SmallVector<int64_t> shape(type.getShape().drop_back());
  llvm::append_values(shape, p, q);
  TensorBuilder::Sizes sizes = b.sizes(rows);
  sizes.pop_back();
  llvm::append_values(sizes, OpFoldResult(b.getIndexAttr(p)), OpFoldResult(b.getIndexAttr(q)));
  SmallVector<ReassociationIndices> groups;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    groups.push_back({dim});
  groups.back().push_back(type.getRank());

  std::string leading = b.leading(rows);
  Value grid = tensor::ExpandShapeOp::create(b, type.clone(shape), rows, groups, sizes);
  grid = b.contract(leading + "xpy", {{grid, leading + "py"}, {hadamardMatrix(b, p, element), "px"}},
                    {zeros(b, sizes, element), leading + "xy"});
  grid = b.contract(leading + "xqy", {{grid, leading + "xq"}, {hadamardMatrix(b, q, element), "qy"}},
                    {zeros(b, sizes, element), leading + "xy"});
  return tensor::CollapseShapeOp::create(b, type, grid, groups);
}

static Value permute(TensorBuilder &b, Value rows, Value permutation) {
  std::string leading = b.leading(rows), dims = leading + "d";
  return b.loops(dims, {{permutation, "d"}}, {b.emptyRows(rows, lastDim(rows.getType())), dims},
                 [&](TensorBuilder &b, ValueRange elements) -> Value {
                   SmallVector<Value> position;
                   for (size_t dim = 0; dim < leading.size(); ++dim)
                     position.push_back(linalg::IndexOp::create(b, dim));
                   position.push_back(b.createOrFold<arith::IndexCastOp>(b.getIndexType(), elements[0]));
                   return tensor::ExtractOp::create(b, rows, position);
                 });
}

/// Column j times `factor * diagonal[j]`.
static Value scaleColumns(TensorBuilder &b, Value rows, Value diagonal, double factor = 1.0) {
  std::string dims = b.leading(rows) + "d";
  Value constant = b.real(getElementTypeOrSelf(rows.getType()), factor);
  return b.loops(dims, {{rows, dims}, {diagonal, "d"}}, {b.emptyRows(rows, lastDim(rows.getType())), dims},
                 [&](TensorBuilder &b, ValueRange elements) {
                   Value product = b.multiply(elements[0], elements[1]);
                   return factor == 1.0 ? product : b.multiply(constant, product);
                 });
}

Value decompose::write(TensorBuilder &b, HadamardOp op) { return hadamard(b, op.getRows()); }

Value decompose::write(TensorBuilder &b, PermuteOp op) { return permute(b, op.getRows(), op.getPermutation()); }

Value decompose::write(TensorBuilder &b, FastfoodOp op) {
  Value rows = hadamard(b, scaleColumns(b, op.getRows(), op.getSigns()));
  rows = scaleColumns(b, permute(b, rows, op.getPermutation()), op.getGaussian());
  return scaleColumns(b, hadamard(b, rows), op.getScale(), 1.0 / std::sqrt(double(lastDim(rows.getType()))));
}

//===----------------------------------------------------------------------===//
// gaussian_frequencies
//===----------------------------------------------------------------------===//

/// A omega, [D, m] or [H, D, m].
static Value transformBase(TensorBuilder &b, GaussianFrequenciesOp op, ArrayRef<OpFoldResult> sizes) {
  Value base = op.getBase(), sigma = op.getSigma();
  Type element = getElementTypeOrSelf(base.getType());
  std::string heads = b.leading(op.getMean());
  if (op.getCovariance() == Covariance::full)
    return b.contract(heads + "drm", {{sigma, heads + "rd"}, {base, "rm"}}, {zeros(b, sizes, element), heads + "dm"});
  // Standard deviations first, so that exp is not in the loop over frequencies.
  std::string dims = op.getCovariance() == Covariance::diagonal ? heads + "d" : heads;
  Value half = b.real(element, 0.5);
  Value deviations =
      b.loops(dims, {{sigma, dims}}, {b.empty(b.sizes(sigma), element), dims},
              [&](TensorBuilder &b, ValueRange elements) { return b.exp(b.multiply(half, elements[0])); });
  return b.loops(heads + "dm", {{deviations, dims}, {base, "dm"}}, {b.empty(sizes, element), heads + "dm"},
                 [](TensorBuilder &b, ValueRange elements) { return b.multiply(elements[0], elements[1]); });
}

Value decompose::write(TensorBuilder &b, GaussianFrequenciesOp op) {
  int64_t count = lastDim(op.getBase().getType());
  bool both = op.getMeanSign() == MeanSign::plus_minus;
  TensorBuilder::Sizes sizes = b.sizes(op.getMean());
  sizes.push_back(b.getIndexAttr(count));
  Value transformed = transformBase(b, op, sizes);

  std::string mean = b.leading(op.getMean()) + "d", dims = mean + "m";
  Value result = b.emptyRows(transformed, both ? 2 * count : count);
  for (bool minus : {false, true}) {
    if (minus && !both)
      continue;
    result = b.writeColumns(result, minus * count, count, [&](Value slice) {
      return b.loops(dims, {{transformed, dims}, {op.getMean(), mean}}, {slice, dims},
                     [&](TensorBuilder &b, ValueRange elements) {
                       return minus ? b.subtract(elements[0], elements[1]) : b.add(elements[0], elements[1]);
                     });
    });
  }
  return result;
}
