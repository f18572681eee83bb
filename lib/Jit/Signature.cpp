//===- Signature.cpp - what callers must know of a module -----------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: functions on tensors with fused attention operations. Output: their description in the module format. Costs
// are those of the formula, so operations that a feature region could hold count wherever they stand.
//
//===----------------------------------------------------------------------===//
#include "lib/Jit/Signature.h"
#include "dialect/Spectral.h"
#include "lib/Analysis/DimensionClasses.h"
#include "lib/Analysis/FeatureProgram.h"
#include "lib/Jit/IndexSources.h"
#include "lib/Jit/Updates.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace bochner;
using format::DimRef;

static RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

static std::optional<format::ScalarType> scalarTypeOf(Type type) {
  using format::ScalarType;
  return llvm::TypeSwitch<Type, std::optional<ScalarType>>(type)
      .Case([](Float64Type) { return ScalarType::f64; })
      .Case([](Float32Type) { return ScalarType::f32; })
      .Case([](BFloat16Type) { return ScalarType::bf16; })
      .Case([](Float16Type) { return ScalarType::f16; })
      .Case([](IntegerType type) -> std::optional<ScalarType> {
        switch (type.isSignless() ? type.getWidth() : 0) {
        case 64:
          return ScalarType::i64;
        case 32:
          return ScalarType::i32;
        case 8:
          return ScalarType::i8;
        case 1:
          return ScalarType::i1;
        default:
          return std::nullopt;
        }
      })
      .Default(std::optional<ScalarType>());
}

/// A size that is a constant or a dimension of an argument.
static std::optional<DimRef> refTo(const std::optional<DimensionSize> &size) {
  if (size && size->isConstant())
    return DimRef{DimRef::kConstant, size->constant};
  if (size && size->isArgumentDim())
    return DimRef{size->factors[0].argument, size->factors[0].dim};
  return std::nullopt;
}

static bool isEqual(const DimRef &a, const DimRef &b) { return a.argument == b.argument && a.dim == b.dim; }

//===----------------------------------------------------------------------===//
// Costs
//===----------------------------------------------------------------------===//

namespace {
/// What one row costs.
struct RowCost {
  double projections = 0; ///< multiplications and additions
  int64_t features = 0;   ///< those that depend on the row
};
} // namespace

static RowCost costOfRegion(Region &region, bool logDomain, int64_t features, int64_t headDimension) {
  // Whether the region fits a kernel is for the phase `kernel` to say.
  ScopedDiagnosticHandler ignore(region.getContext(), [](Diagnostic &) { return success(); });
  FailureOr<FeatureProgram> program = analyzeFeatures(region, logDomain);
  if (failed(program))
    return {2.0 * double(headDimension) * double(features), features};
  RowCost cost{program->projectionFlop(), 0};
  for (const Segment &segment : program->phi)
    if (segment.value->byRow)
      cost.features += segment.width;
  return cost;
}

/// True if the region yields the rows that it gets: features that were made outside.
static bool isIdentity(Region &region) {
  return region.front().getTerminator()->getOperand(0) == region.getArgument(0);
}

/// Flop per row of a product of rows with a matrix, 0 for anything else.
static double productFlop(Operation *op) {
  if (isa<spectral::HadamardOp, spectral::FastfoodOp>(op)) { // stand for a product with a square matrix
    double columns = double(tensorType(op->getOperand(0)).getShape().back());
    return 2 * columns * columns;
  }
  auto loops = dyn_cast<linalg::LinalgOp>(op);
  if (!loops || !linalg::isaContractionOpInterface(loops))
    return 0;
  SmallVector<int64_t> ranges = loops.getStaticLoopRanges();
  AffineMap map = loops.getIndexingMapMatchingResult(op->getResult(0));
  for (AffineExpr row : map.getResults().take_front(3))
    if (auto loop = dyn_cast<AffineDimExpr>(row))
      ranges[loop.getPosition()] = 1;
  double flop = 2;
  for (int64_t range : ranges)
    flop *= ShapedType::isDynamic(range) ? 0 : double(range);
  return flop;
}

/// Adds up the products among the row-wise producers of `rows`, which a region could hold as well.
static double projectionsOutside(Value rows, llvm::SmallPtrSetImpl<Operation *> &visited) {
  auto op = rows.getDefiningOp<spectral::RowwiseOpInterface>();
  SmallVector<spectral::RowwiseOperand> kinds;
  std::string reason;
  if (!op || !visited.insert(op).second || failed(op.classifyOperands(kinds, reason)))
    return 0;
  double flop = productFlop(op);
  for (auto [operand, kind] : llvm::zip_equal(op->getOperands(), kinds))
    if (kind == spectral::RowwiseOperand::Row)
      flop += projectionsOutside(operand, visited);
  return flop;
}

static RowCost costOfRows(Value rows, Region &region, bool logDomain, int64_t features) {
  RowCost cost = costOfRegion(region, logDomain, features, tensorType(rows).getShape().back());
  llvm::SmallPtrSet<Operation *, 8> visited;
  cost.projections += projectionsOutside(rows, visited);
  if (isIdentity(region))
    for (auto op = rows.getDefiningOp<spectral::ConstantFeatureOp>(); op;
         op = op.getFeatures().getDefiningOp<spectral::ConstantFeatureOp>())
      --cost.features;
  return cost;
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

namespace {
/// Fills the description of one function.
class FunctionDescriber {
public:
  FunctionDescriber(func::FuncOp function, func::FuncOp shapes, format::FunctionInfo &info, bool ownsKernels)
      : function(function), shapes(shapes), info(info), ownsKernels(ownsKernels) {}
  LogicalResult run();

private:
  using Dim = std::pair<Value, int64_t>;

  LogicalResult classify(func::FuncOp op); ///< whose sizes are asked for from here on
  LogicalResult describeTensors();
  LogicalResult describeTensor(const Twine &kind, Type type, DictionaryAttr attributes, StringRef fallback,
                               std::vector<format::TensorInfo> &tensors);
  LogicalResult describeResultDims();
  void addRange(ArrayRef<BlockArgument> arguments, DimRef high);
  LogicalResult describeLengths(Operation *op, Value lengths, Value key);
  LogicalResult describeOffsets(Operation *op, Value offsets, Value rows, int64_t dim);
  template <typename AttentionOp> LogicalResult describeSequences(AttentionOp op);
  void describeIndices(tensor::ExtractOp op);
  LogicalResult describeRanges();
  void describeCosts();
  void addTerm(std::vector<format::CostTerm> &terms, double coefficient, ArrayRef<Dim> dims);

  func::FuncOp function;
  func::FuncOp shapes; ///< where dimensions and indices are followed
  format::FunctionInfo &info;
  bool ownsKernels;
  DimensionClasses classes;
};
} // namespace

LogicalResult FunctionDescriber::run() {
  info.name = function.getName().str();
  if (auto attributes = function->getAttrOfType<StringAttr>("bochner.attributes"))
    info.attributes = attributes.str();
  if (failed(describeTensors()) || failed(describeUpdates(function, info, ownsKernels)))
    return failure();
  if (failed(classify(shapes)))
    return failure();
  for (const DimensionEquality &equality : classes.getEqualities())
    info.equalDims.push_back({{equality.dimension.argument, equality.dimension.dim}, *refTo(equality.size)});
  if (failed(describeResultDims()) || failed(describeRanges()))
    return failure();
  if (shapes != function && failed(classify(function)))
    return failure();
  describeCosts();
  return success();
}

LogicalResult FunctionDescriber::classify(func::FuncOp op) {
  FailureOr<DimensionClasses> computed = DimensionClasses::compute(op);
  if (failed(computed))
    return failure();
  classes = std::move(*computed);
  return success();
}

LogicalResult FunctionDescriber::describeTensor(const Twine &kind, Type type, DictionaryAttr attributes,
                                                StringRef fallback, std::vector<format::TensorInfo> &tensors) {
  auto text = [&](StringRef key) {
    auto value = attributes ? attributes.getAs<StringAttr>(key) : StringAttr();
    return value ? value.str() : std::string();
  };
  format::TensorInfo tensor;
  tensor.name = text(spectral::kNameAttr);
  if (tensor.name.empty())
    tensor.name = (fallback + Twine(tensors.size())).str();
  auto emitError = [&] {
    return function.emitError() << "expected " << kind << " '" << tensor.name << "' of public function '" << info.name
                                << "' ";
  };
  auto ranked = dyn_cast<RankedTensorType>(type);
  if (!ranked)
    return emitError() << "to be a ranked tensor, but got " << type << "; pass a scalar as a tensor of rank 0";
  auto scalar = scalarTypeOf(ranked.getElementType());
  if (!scalar)
    return emitError() << "to have elements of type f64, f32, bf16, f16, i64, i32, i8 or i1, but got "
                       << ranked.getElementType();
  if (llvm::any_of(tensors, [&](const format::TensorInfo &other) { return other.name == tensor.name; }))
    return emitError() << "to have a name of its own, but another " << kind << " has it too";
  tensor.type = *scalar;
  for (int64_t size : ranked.getShape())
    tensor.shape.push_back(ShapedType::isDynamic(size) ? format::kDynamic : size);
  tensor.init = text(spectral::kInitAttr);
  if (auto names = attributes ? attributes.getAs<ArrayAttr>(spectral::kDimsAttr) : ArrayAttr())
    for (auto name : names.getAsRange<StringAttr>())
      tensor.dimNames.push_back(name.str());
  tensors.push_back(std::move(tensor));
  return success();
}

LogicalResult FunctionDescriber::describeTensors() {
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
    if (failed(describeTensor("argument", type, function.getArgAttrDict(i), "arg", info.arguments)))
      return failure();
  for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
    if (failed(describeTensor("result", type, function.getResultAttrDict(i), "out", info.results)))
      return failure();
  return success();
}

LogicalResult FunctionDescriber::describeResultDims() {
  // Any return will do: the values of several are tied.
  auto returns = shapes.getOps<func::ReturnOp>();
  if (returns.empty())
    return function.emitError() << "expected public function '" << info.name << "' to return, but it never does";
  func::ReturnOp op = *returns.begin();
  for (auto [result, value] : llvm::zip_equal(info.results, op.getOperands()))
    for (int64_t dim = 0, rank = tensorType(value).getRank(); dim < rank; ++dim) {
      std::optional<DimRef> ref = refTo(classes.getSize(value, dim));
      if (!ref)
        return op.emitOpError() << "expected dimension " << dim << " of result '" << result.name
                                << "' to be a dimension of an argument or a constant";
      result.dims.push_back(*ref);
    }
  return success();
}

/// Elements of these arguments have to lie in [0, high].
void FunctionDescriber::addRange(ArrayRef<BlockArgument> arguments, DimRef high) {
  for (BlockArgument argument : arguments) {
    auto isSame = [&](const format::ValueRange &range) {
      return range.argument == argument.getArgNumber() && isEqual(range.high, high);
    };
    if (llvm::none_of(info.ranges, isSame))
      info.ranges.push_back({argument.getArgNumber(), {DimRef::kConstant, 0}, high});
  }
}

LogicalResult FunctionDescriber::describeLengths(Operation *op, Value lengths, Value key) {
  SmallVector<BlockArgument> sources;
  if (lengths)
    collectSources(lengths, sources);
  if (sources.empty())
    return success();
  std::optional<DimRef> high = refTo(classes.getSize(key, 2));
  if (!high)
    return op->emitOpError() << "expected dimension 2 of 'key', which bounds 'lengths', to be a dimension of an "
                                "argument or a constant, so that a call can check it";
  addRange(sources, *high);
  return success();
}

/// Elements of `offsets` have to be boundaries of sequences in dimension `dim` of `rows`.
LogicalResult FunctionDescriber::describeOffsets(Operation *op, Value offsets, Value rows, int64_t dim) {
  SmallVector<BlockArgument> sources;
  if (offsets)
    collectSources(offsets, sources);
  if (sources.size() != 1 || tensorType(sources[0]).getRank() != 1)
    return success();
  // The first and the last element are special: a part of an argument does not tell what they are.
  std::optional<DimRef> size = refTo(classes.getSize(offsets, 0)), whole = refTo(classes.getSize(sources[0], 0));
  if (!size || !whole || !isEqual(*size, *whole))
    return success();
  std::optional<DimRef> end = refTo(classes.getSize(rows, dim));
  if (!end)
    return op->emitOpError() << "expected dimension " << dim << " of the rows that 'sequences' divides to be a "
                             << "dimension of an argument or a constant, so that a call can check it";
  uint32_t argument = sources[0].getArgNumber();
  auto isSame = [&](const format::SequenceOffsets &other) {
    return other.argument == argument && isEqual(other.rows, *end);
  };
  if (llvm::none_of(info.offsets, isSame))
    info.offsets.push_back({argument, *end});
  return success();
}

/// Offsets of packed queries and keys, if the operation has them.
template <typename AttentionOp> LogicalResult FunctionDescriber::describeSequences(AttentionOp op) {
  if constexpr (std::is_same_v<AttentionOp, spectral::AttentionStateOp>)
    return success();
  else
    return failure(failed(describeOffsets(op, op.getSequences(), op.getQuery(), 2)) ||
                   failed(describeOffsets(op, op.getKeySequencesOrShared(), op.getKey(), 2)));
}

/// Indices of rows that the body of a structured operation gathers.
void FunctionDescriber::describeIndices(tensor::ExtractOp op) {
  if (!isa<linalg::LinalgOp>(op->getParentOp())) // elsewhere it may depend on a condition
    return;
  for (auto [dim, index] : llvm::enumerate(op.getIndices())) {
    SmallVector<BlockArgument> sources;
    collectIndexSources(index, sources);
    int64_t size = op.getTensor().getType().getDimSize(dim);
    if (!ShapedType::isDynamic(size))
      addRange(sources, {DimRef::kConstant, size - 1});
  }
}

LogicalResult FunctionDescriber::describeRanges() {
  WalkResult walk = shapes.walk<WalkOrder::PreOrder>([&](Operation *op) {
    auto result = llvm::TypeSwitch<Operation *, LogicalResult>(op)
                      .Case<spectral::LinearAttentionOp, spectral::LinearAttentionGradOp, spectral::ExactAttentionOp,
                            spectral::AttentionStateOp>([&](auto op) {
                        if (failed(describeLengths(op, op.getLengths(), op.getKey())))
                          return failure();
                        return describeSequences(op);
                      })
                      .Case<spectral::PermuteOp, spectral::FastfoodOp>([&](auto op) {
                        SmallVector<BlockArgument> sources;
                        collectSources(op.getPermutation(), sources);
                        addRange(sources, {DimRef::kConstant, tensorType(op.getRows()).getShape().back() - 1});
                        return success();
                      })
                      .Case([&](tensor::ExtractOp op) {
                        describeIndices(op);
                        return success();
                      })
                      .Default(success());
    return failed(result) ? WalkResult::interrupt() : WalkResult::advance();
  });
  return failure(walk.wasInterrupted());
}

/// Adds coefficient * product of dims, if arguments determine them.
void FunctionDescriber::addTerm(std::vector<format::CostTerm> &terms, double coefficient, ArrayRef<Dim> dims) {
  SmallVector<ArgumentDim> factors;
  for (auto [tensor, dim] : dims) {
    std::optional<DimensionSize> size = classes.getSize(tensor, dim);
    if (!size)
      return;
    coefficient *= double(size->constant);
    llvm::append_range(factors, size->factors);
  }
  if (coefficient == 0)
    return;
  llvm::sort(factors);
  std::vector<DimRef> refs;
  for (const ArgumentDim &factor : factors)
    refs.push_back({factor.argument, factor.dim});
  for (format::CostTerm &term : terms)
    if (llvm::equal(term.dims, refs, isEqual)) {
      term.coefficient += coefficient;
      return;
    }
  terms.push_back({coefficient, std::move(refs)});
}

/// For each feature: a row of sums of values, a sum, a maximum. Accumulators have at least 32 bits.
static double stateBytesPerHead(Value rows, int64_t features, int64_t width) {
  double bytes = tensorType(rows).getElementType().isF64() ? 8 : 4;
  return bytes * double(features) * double(width + 2);
}

void FunctionDescriber::describeCosts() {
  function.walk([&](spectral::LinearAttentionOp op) {
    Value query = op.getQuery(), key = op.getKey();
    int64_t features = op.getFeatureCount(), width = op.getValueWidth();
    auto addRows = [&](Value rows, Region &region) {
      RowCost cost = costOfRows(rows, region, op.isLogDomain(), features);
      addTerm(info.flop, cost.projections + 2.0 * double(cost.features) * double(width),
              {{rows, 0}, {rows, 1}, {rows, 2}});
    };
    addRows(query, op.getQueryMap());
    addRows(key, op.getFeatures());
    addTerm(info.stateBytes, stateBytesPerHead(query, features, width), {{key, 0}, {key, 1}});
  });
  // The rows' gradients ask for products as large as the projections and those with values, parameters for one more,
  // except for those of moments.
  function.walk([&](spectral::LinearAttentionGradOp op) {
    auto addRows = [&](Value rows, Region &region) {
      RowCost cost = costOfRows(rows, region, op.isLogDomain(), op.getFeatureCount());
      double projections = (op.getWrt().empty() ? 2 : 3) * cost.projections;
      addTerm(info.flop, projections + 4.0 * double(cost.features) * double(op.getValueWidth()),
              {{rows, 0}, {rows, 1}, {rows, 2}});
    };
    addRows(op.getQuery(), op.getQueryMap());
    addRows(op.getKey(), op.getFeatures());
  });
  auto addHalf = [&](spectral::FeatureMapOpInterface op, Value rows, Region &region, Value state, int64_t width) {
    int64_t features = op.getFeatureCount();
    RowCost cost = costOfRows(rows, region, op.isLogDomain(), features);
    addTerm(info.flop, cost.projections + 2.0 * double(cost.features) * double(width),
            {{rows, 0}, {rows, 1}, {rows, 2}});
    addTerm(info.stateBytes, stateBytesPerHead(rows, features, width), {{state, 0}, {state, 1}});
  };
  function.walk([&](spectral::AttentionStateOp op) {
    addHalf(op, op.getKey(), op.getFeatures(), op.getKey(), op.getValueWidth());
  });
  function.walk([&](spectral::ApplyStateOp op) {
    addHalf(op, op.getQuery(), op.getFeatures(), op.getState().front(), op.getValueWidth());
  });
  function.walk([&](spectral::ExactAttentionOp op) {
    Value query = op.getQuery(), key = op.getKey();
    double columns = double(tensorType(query).getDimSize(3) + tensorType(op.getValue()).getDimSize(3));
    addTerm(info.flop, 2 * columns, {{query, 0}, {query, 1}, {query, 2}, {key, 2}});
  });
  function.walk([&](spectral::FeatureMapOp op) {
    Value rows = op.getRows();
    RowCost cost = costOfRows(rows, op.getFeatures(), op.isLogDomain(), op.getFeatureCount());
    addTerm(info.flop, cost.projections, {{rows, 0}, {rows, 1}, {rows, 2}});
  });
}

FailureOr<format::ModuleInfo> bochner::describeModule(ModuleOp module, bool ownsKernels, ModuleOp shapes) {
  format::ModuleInfo info;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function.isPublic() || function.isDeclaration())
      continue;
    func::FuncOp source = shapes ? shapes.lookupSymbol<func::FuncOp>(function.getName()) : function;
    if (failed(FunctionDescriber(function, source, info.functions.emplace_back(), ownsKernels).run()))
      return failure();
  }
  if (info.functions.empty())
    return module.emitError() << "expected a public function to compile, but the module has none";
  return info;
}
