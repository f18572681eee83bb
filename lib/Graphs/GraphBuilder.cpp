//===- GraphBuilder.cpp - a function under construction -------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Arguments, results and loop nests of unfused graphs. Sizes are read from arguments once: a value that the builder
// made has sizes that it knows, so that the graph holds no chains of tensor.dim.
//
//===----------------------------------------------------------------------===//
#include "lib/Graphs/GraphBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include <limits>

using namespace mlir;
using namespace bochner;
using namespace bochner::graphs;

GraphBuilder::GraphBuilder(ModuleOp module, StringRef name, FloatType elementType)
    : OpBuilder(module.getContext()), elementType(elementType) {
  setInsertionPointToEnd(module.getBody());
  function = func::FuncOp::create(*this, getUnknownLoc(), name, getFunctionType({}, {}));
  setInsertionPointToEnd(function.addEntryBlock());
}

Location GraphBuilder::named(StringRef name) { return NameLoc::get(getStringAttr(name)); }

Value GraphBuilder::constant(OpBuilder &b, double value) {
  return arith::ConstantOp::create(b, getUnknownLoc(), b.getFloatAttr(elementType, value));
}

//===----------------------------------------------------------------------===//
// Arguments and results
//===----------------------------------------------------------------------===//

static DictionaryAttr describe(Builder &b, StringRef name, ArrayRef<std::string> dims, StringRef init) {
  SmallVector<NamedAttribute> attributes{b.getNamedAttr(spectral::kNameAttr, b.getStringAttr(name))};
  SmallVector<Attribute> names;
  for (const std::string &dim : dims)
    names.push_back(b.getStringAttr(dim));
  attributes.push_back(b.getNamedAttr(spectral::kDimsAttr, b.getArrayAttr(names)));
  if (!init.empty())
    attributes.push_back(b.getNamedAttr(spectral::kInitAttr, b.getStringAttr(init)));
  return b.getDictionaryAttr(attributes);
}

Value GraphBuilder::addArgument(const ArgumentInfo &info, Type type) {
  auto tensor = RankedTensorType::get(info.shape, type ? type : Type(elementType));
  argumentDims.push_back(info.dims);
  argumentAttributes.push_back(describe(*this, info.name, info.dims, info.init));
  return function.getBody().front().addArgument(tensor, named(info.name));
}

void GraphBuilder::addCounter() {
  key = addArgument({"key", {}, {}, "zeros"}, getI64Type());
  offset = addArgument({"offset", {}, {}, "zeros"}, getI64Type());
}

Value GraphBuilder::addRandom(const ArgumentInfo &info, Distribution distribution) {
  Type element = distribution == Distribution::Permutation ? Type(getI64Type()) : elementType;
  if (!isSampling())
    return addArgument(info, element);
  auto type = RankedTensorType::get(info.shape, element);
  Location loc = named(info.name);
  int64_t stream = draws++;
  switch (distribution) {
  case Distribution::Normal:
    return spectral::RandomNormalOp::create(*this, loc, type, key, offset, stream);
  case Distribution::Orthogonal:
    return spectral::RandomOrthogonalOp::create(*this, loc, type, key, offset, stream);
  case Distribution::Signs:
    return spectral::RandomSignsOp::create(*this, loc, type, key, offset, stream);
  case Distribution::Permutation:
    break;
  }
  return spectral::RandomPermutationOp::create(*this, loc, type, key, offset, stream);
}

void GraphBuilder::addResult(StringRef name, Value value, ArrayRef<std::string> dims, StringRef updates) {
  NamedAttrList attributes(describe(*this, name, dims, ""));
  if (!updates.empty())
    attributes.set(spectral::kUpdatesAttr, getStringAttr(updates));
  resultAttributes.push_back(attributes.getDictionary(getContext()));
  results.push_back(value);
}

func::FuncOp GraphBuilder::finish(StringRef attributes) {
  func::ReturnOp::create(*this, getUnknownLoc(), results);
  function.setFunctionType(getFunctionType(function.getBody().front().getArgumentTypes(), TypeRange(results)));
  function.setAllArgAttrs(argumentAttributes);
  function.setAllResultAttrs(resultAttributes);
  function->setAttr("bochner.attributes", getStringAttr(attributes));
  return function;
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

Value GraphBuilder::namedSize(StringRef name, Value value, int64_t dim) {
  Value &size = namedSizes[name];
  if (!size) {
    Value &index = indexConstants[dim];
    if (!index)
      index = arith::ConstantIndexOp::create(*this, getUnknownLoc(), dim);
    size = tensor::DimOp::create(*this, named(name), value, index);
  }
  return size;
}

OpFoldResult GraphBuilder::sizeOf(Value value, int64_t dim) {
  auto type = cast<RankedTensorType>(value.getType());
  if (!type.isDynamicDim(dim))
    return getIndexAttr(type.getDimSize(dim));
  auto known = knownSizes.find(value);
  if (known != knownSizes.end())
    return known->second[dim];
  if (auto argument = dyn_cast<BlockArgument>(value))
    return namedSize(argumentDims[argument.getArgNumber()][dim], value, dim);
  return tensor::getMixedSize(*this, getUnknownLoc(), value, dim);
}

SmallVector<OpFoldResult> GraphBuilder::sizesOf(Value value) {
  SmallVector<OpFoldResult> sizes;
  for (int64_t dim = 0, rank = cast<RankedTensorType>(value.getType()).getRank(); dim < rank; ++dim)
    sizes.push_back(sizeOf(value, dim));
  return sizes;
}

Value GraphBuilder::likeRows(Value value, Value rows) {
  SmallVector<OpFoldResult> sizes = sizesOf(rows);
  sizes.back() = getIndexAttr(cast<RankedTensorType>(value.getType()).getShape().back());
  knownSizes[value] = sizes;
  return value;
}

//===----------------------------------------------------------------------===//
// Loop nests
//===----------------------------------------------------------------------===//

Value GraphBuilder::compute(StringRef name, StringRef spec, ValueRange inputs, Body body, std::optional<double> init,
                            ArrayRef<std::pair<char, OpFoldResult>> extraSizes, Type element) {
  auto [inputSpec, outputSpec] = spec.split("->");
  SmallVector<StringRef> inputSpecs;
  if (!inputs.empty())
    inputSpec.split(inputSpecs, ',');

  // Loops run over the indices of the result, then over those that are reduced, in the order of their first use.
  std::string order = outputSpec.str();
  for (StringRef indices : inputSpecs)
    for (char index : indices)
      if (!StringRef(order).contains(index))
        order += index;

  SmallVector<AffineMap> maps;
  auto addMap = [&](StringRef indices) {
    SmallVector<AffineExpr> places;
    for (char index : indices)
      places.push_back(getAffineDimExpr(order.find(index)));
    maps.push_back(AffineMap::get(order.size(), 0, places, getContext()));
  };
  SmallVector<OpFoldResult> sizes(outputSpec.size());
  for (auto [index, size] : extraSizes)
    sizes[outputSpec.find(index)] = size;
  for (auto [input, indices] : llvm::zip_equal(inputs, inputSpecs)) {
    addMap(indices);
    for (auto [dim, index] : llvm::enumerate(indices)) {
      size_t place = outputSpec.find(index);
      if (place != StringRef::npos && !sizes[place])
        sizes[place] = sizeOf(input, dim);
    }
  }
  addMap(outputSpec);
  SmallVector<utils::IteratorType> iterators(order.size(), utils::IteratorType::reduction);
  std::fill_n(iterators.begin(), outputSpec.size(), utils::IteratorType::parallel);

  Type type = element ? element : getElementTypeOrSelf(inputs.front().getType());
  Value output = tensor::EmptyOp::create(*this, getUnknownLoc(), sizes, type);
  if (init) {
    Value start =
        isa<FloatType>(type)
            ? constant(*this, *init)
            : arith::ConstantOp::create(*this, getUnknownLoc(), getIntegerAttr(type, int64_t(*init))).getResult();
    output = linalg::FillOp::create(*this, getUnknownLoc(), start, output).getResult(0);
  }
  auto loops = linalg::GenericOp::create(*this, named(name), output.getType(), inputs, output, maps, iterators,
                                         [&](OpBuilder &b, Location loc, ValueRange elements) {
                                           Location unnamed = b.getUnknownLoc();
                                           ValueRange used = init ? elements : elements.drop_back();
                                           linalg::YieldOp::create(b, unnamed, body(b, unnamed, used));
                                         });
  for (BlockArgument element : loops.getRegion().getArguments())
    element.setLoc(getUnknownLoc());
  knownSizes[loops.getResult(0)] = sizes;
  return loops.getResult(0);
}

Value GraphBuilder::convertScalar(OpBuilder &b, Value value, Type type) {
  unsigned from = value.getType().getIntOrFloatBitWidth(), to = type.getIntOrFloatBitWidth();
  if (from == to)
    return value;
  return from < to ? arith::ExtFOp::create(b, b.getUnknownLoc(), type, value).getResult()
                   : arith::TruncFOp::create(b, b.getUnknownLoc(), type, value).getResult();
}

Value GraphBuilder::convert(StringRef name, Value value, Type element) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getElementType() == element)
    return value;
  std::string indices = StringRef("abcdefgh").take_front(type.getRank()).str();
  return compute(
      name, indices + "->" + indices, value,
      [&](OpBuilder &b, Location, ValueRange e) { return convertScalar(b, e[0], element); }, std::nullopt, {}, element);
}

Value GraphBuilder::contract(StringRef name, StringRef spec, ValueRange inputs) {
  return compute(
      name, spec, inputs,
      [](OpBuilder &b, Location loc, ValueRange e) -> Value {
        Value product = e.front();
        for (Value factor : e.drop_back().drop_front())
          product = arith::MulFOp::create(b, loc, product, factor);
        return arith::AddFOp::create(b, loc, e.back(), product);
      },
      0.0);
}

Value GraphBuilder::broadcast(StringRef name, StringRef spec, Value input,
                              ArrayRef<std::pair<char, OpFoldResult>> sizes) {
  return compute(name, spec, input, [](OpBuilder &, Location, ValueRange e) { return e[0]; }, std::nullopt, sizes);
}

Value GraphBuilder::softmax(StringRef name, StringRef indices, Value input) {
  std::string all = indices.str(), kept = indices.drop_back().str();
  std::string reduce = all + "->" + kept, restore = all + "," + kept + "->" + all;
  Value largest =
      compute((name + "_max").str(), reduce, input,
              [](OpBuilder &b, Location loc, ValueRange e) { return arith::MaximumFOp::create(b, loc, e[0], e[1]); },
              -std::numeric_limits<double>::infinity());
  Value exponentials =
      compute((name + "_exp").str(), restore, {input, largest}, [](OpBuilder &b, Location loc, ValueRange e) -> Value {
        Value shifted = arith::SubFOp::create(b, loc, e[0], e[1]);
        return math::ExpOp::create(b, loc, shifted);
      });
  Value sum = contract((name + "_sum").str(), reduce, exponentials);
  return compute(name, restore, {exponentials, sum},
                 [](OpBuilder &b, Location loc, ValueRange e) { return arith::DivFOp::create(b, loc, e[0], e[1]); });
}

Value GraphBuilder::dropOut(StringRef name, Value input, double rate) {
  if (rate == 0)
    return input;
  auto dropped =
      spectral::DropoutOp::create(*this, named(name), input.getType(), input, key, offset, APFloat(rate), draws++);
  knownSizes[dropped] = sizesOf(input);
  return dropped;
}

//===----------------------------------------------------------------------===//
// Folding batch and heads
//===----------------------------------------------------------------------===//

/// [[0, 1], [2], [3], ...]
static SmallVector<ReassociationIndices> firstTwoTogether(int64_t rank) {
  SmallVector<ReassociationIndices> groups{{0, 1}};
  for (int64_t dim = 2; dim < rank; ++dim)
    groups.push_back({dim});
  return groups;
}

Value GraphBuilder::collapseFirstTwo(StringRef name, Value value) {
  int64_t rank = cast<RankedTensorType>(value.getType()).getRank();
  SmallVector<OpFoldResult> sizes = sizesOf(value);
  sizes.erase(sizes.begin());
  Value folded = tensor::CollapseShapeOp::create(*this, named(name), value, firstTwoTogether(rank));
  sizes[0] = namedSize("BH", folded, 0);
  knownSizes[folded] = sizes;
  return folded;
}

Value GraphBuilder::expandFirst(StringRef name, Value value, Value like) {
  SmallVector<OpFoldResult> sizes = sizesOf(like);
  sizes.truncate(2);
  llvm::append_range(sizes, llvm::drop_begin(sizesOf(value)));
  SmallVector<int64_t> shape;
  for (OpFoldResult size : sizes)
    shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  auto type = RankedTensorType::get(shape, getElementTypeOrSelf(value.getType()));
  Value expanded =
      tensor::ExpandShapeOp::create(*this, named(name), type, value, firstTwoTogether(type.getRank()), sizes);
  knownSizes[expanded] = sizes;
  return expanded;
}
