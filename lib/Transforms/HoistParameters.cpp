//===- HoistParameters.cpp - what stays the same between calls ------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Splits a function in two: what depends on parameters only, such as frequencies and the networks that generate them,
// and the rest. Input: public functions whose parameters have initializers. Output: @f, which takes prepared values,
// and @f.prepare, which makes them; a caller whose parameters stay pays for them once.
//
//===----------------------------------------------------------------------===//
#include "lib/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/StringSet.h"

namespace bochner {
#define GEN_PASS_DEF_HOISTPARAMETERSPASS
#include "lib/Passes.h.inc"
} // namespace bochner

#define DEBUG_TYPE "spectral-hoist-parameters"

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

static SmallVector<Value> readBy(Operation *op) {
  llvm::SetVector<Value> values(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), values);
  return values.takeVector();
}

namespace {
/// Splits one function.
class Splitter {
public:
  Splitter(func::FuncOp function, const llvm::StringSet<> &parameterNames)
      : function(function), block(function.getBody().front()), parameterNames(parameterNames) {}

  /// Fails with the reason why the function stays whole.
  LogicalResult plan(std::string &reason);
  void split(func::FuncOp prepare);
  /// The name of the i-th argument; empty if it has none.
  StringRef nameOf(unsigned argument) {
    auto name = function.getArgAttrOfType<StringAttr>(argument, kNameAttr);
    return name ? name.getValue() : StringRef();
  }
  size_t getPreparedCount() const { return prepared.size() + moved.size(); }

private:
  bool isParameter(unsigned argument) {
    return parameterNames.empty() ? bool(function.getArgAttr(argument, kInitAttr))
                                  : parameterNames.contains(nameOf(argument));
  }
  void findFixed();
  /// Notes that the rest needs a value.
  void need(Value value);
  bool isPreparable(Value value) {
    Operation *op = value.getDefiningOp();
    return op && byParameters.contains(op) && isa<RankedTensorType>(value.getType());
  }
  void buildPrepare(func::FuncOp prepare);

  func::FuncOp function;
  Block &block;
  const llvm::StringSet<> &parameterNames;
  /// Operations that depend on no data, and those among them that depend on parameters.
  llvm::SetVector<Operation *> fixed, byParameters;
  /// What the rest reads, and the results that need nothing of the rest.
  llvm::SetVector<Value> prepared;
  SmallVector<unsigned> moved;
  llvm::DenseSet<Value> seen;
};
} // namespace

void Splitter::findFixed() {
  llvm::DenseSet<Value> fromParameters;
  for (BlockArgument argument : block.getArguments())
    if (isParameter(argument.getArgNumber()))
      fromParameters.insert(argument);
  for (Operation &op : block.without_terminator()) {
    SmallVector<Value> values = readBy(&op);
    bool isFixed = isMemoryEffectFree(&op) && llvm::all_of(values, [&](Value value) {
                     return fromParameters.contains(value) || fixed.contains(value.getDefiningOp());
                   });
    if (!isFixed)
      continue;
    fixed.insert(&op);
    if (llvm::any_of(values, [&](Value value) { return fromParameters.contains(value); })) {
      byParameters.insert(&op);
      fromParameters.insert(op.result_begin(), op.result_end());
    }
  }
}

void Splitter::need(Value value) {
  if (!seen.insert(value).second)
    return;
  Operation *op = value.getDefiningOp();
  if (!op || !fixed.contains(op))
    return;
  // Constants, sizes, views and destinations cost nothing where they are.
  bool isFree = isa<tensor::CastOp, tensor::CollapseShapeOp, tensor::EmptyOp, tensor::ExpandShapeOp,
                    tensor::ExtractSliceOp, linalg::FillOp>(op);
  if (isPreparable(value) && !isFree) {
    prepared.insert(value);
    return;
  }
  for (Value read : readBy(op))
    need(read);
}

LogicalResult Splitter::plan(std::string &reason) {
  findFixed();
  for (OpOperand &result : block.getTerminator()->getOpOperands()) {
    if (isPreparable(result.get()))
      moved.push_back(result.getOperandNumber());
    else
      need(result.get());
  }
  for (Operation &op : block.without_terminator())
    if (!fixed.contains(&op))
      for (Value value : readBy(&op))
        need(value);
  std::string name = "'" + function.getName().str() + "'";
  if (getPreparedCount() == 0)
    reason = "nothing in " + name + " depends on parameters only";
  else if (moved.size() == function.getNumResults())
    reason = "all of " + name + " depends on parameters only";
  else if (!SymbolTable::symbolKnownUseEmpty(function, function->getParentOp()))
    reason = name + " is called within the module";
  return success(reason.empty());
}

/// Fills the function that makes the prepared values, then the results that moved there.
void Splitter::buildPrepare(func::FuncOp prepare) {
  SmallVector<Value> results(prepared.begin(), prepared.end());
  SmallVector<DictionaryAttr> argumentAttributes, resultAttributes;
  Builder builder(function.getContext());
  for (size_t i = 0; i < prepared.size(); ++i)
    resultAttributes.push_back(builder.getDictionaryAttr(
        builder.getNamedAttr(kNameAttr, builder.getStringAttr("prepared_" + std::to_string(i)))));
  for (unsigned number : moved) {
    results.push_back(block.getTerminator()->getOperand(number));
    DictionaryAttr attributes = function.getResultAttrDict(number);
    resultAttributes.push_back(attributes ? attributes : builder.getDictionaryAttr({}));
  }
  // What the results are made of.
  llvm::DenseSet<Value> needed(results.begin(), results.end());
  SmallVector<Operation *> ops;
  for (Operation *op : llvm::reverse(fixed))
    if (llvm::any_of(op->getResults(), [&](Value value) { return needed.contains(value); })) {
      ops.push_back(op);
      for (Value value : readBy(op))
        needed.insert(value);
    }
  IRMapping mapping;
  Block *body = prepare.addEntryBlock();
  for (BlockArgument argument : block.getArguments())
    if (needed.contains(argument)) {
      mapping.map(argument, body->addArgument(argument.getType(), argument.getLoc()));
      DictionaryAttr attributes = function.getArgAttrDict(argument.getArgNumber());
      argumentAttributes.push_back(attributes ? attributes : builder.getDictionaryAttr({}));
    }
  OpBuilder b = OpBuilder::atBlockEnd(body);
  for (Operation *op : llvm::reverse(ops))
    b.clone(*op, mapping);
  SmallVector<Value> mapped = llvm::map_to_vector(results, [&](Value value) { return mapping.lookup(value); });
  func::ReturnOp::create(b, function.getLoc(), mapped);
  prepare.setFunctionType(b.getFunctionType(body->getArgumentTypes(), TypeRange(mapped)));
  prepare.setAllArgAttrs(argumentAttributes);
  prepare.setAllResultAttrs(resultAttributes);
}

void Splitter::split(func::FuncOp prepare) {
  buildPrepare(prepare);
  llvm::BitVector droppedArguments(function.getNumArguments()), droppedResults(function.getNumResults());
  for (BlockArgument argument : block.getArguments())
    if (isParameter(argument.getArgNumber()) && !argument.use_empty())
      droppedArguments.set(argument.getArgNumber());

  Builder builder(function.getContext());
  for (auto [i, preparedValue] : llvm::enumerate(prepared)) {
    Value value = preparedValue;
    unsigned number = function.getNumArguments();
    auto name = builder.getDictionaryAttr(
        builder.getNamedAttr(kNameAttr, builder.getStringAttr("prepared_" + std::to_string(i))));
    (void)function.insertArgument(number, value.getType(), name, value.getLoc());
    Value argument = function.getArgument(number);
    value.replaceAllUsesWith(argument);
  }
  for (unsigned number : moved)
    droppedResults.set(number);
  block.getTerminator()->eraseOperands(droppedResults);
  (void)function.eraseResults(droppedResults);
  IRRewriter rewriter(function.getContext());
  (void)runRegionDCE(rewriter, function->getRegions());
  droppedArguments.resize(function.getNumArguments());
  for (unsigned number : droppedArguments.set_bits())
    if (!function.getArgument(number).use_empty())
      droppedArguments.reset(number);
  (void)function.eraseArguments(droppedArguments);
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

namespace {
struct HoistParametersPass : bochner::impl::HoistParametersPassBase<HoistParametersPass> {
  using HoistParametersPassBase::HoistParametersPassBase;

  void runOnOperation() override {
    llvm::StringSet<> names;
    for (StringRef name : parameters)
      names.insert(name);
    llvm::StringSet<> known;
    SmallVector<func::FuncOp> functions;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function.isPublic() && function.getBody().hasOneBlock() && !function->hasAttr(kKernelAttr))
        functions.push_back(function);
    for (func::FuncOp function : functions)
      if (failed(run(function, names, known)))
        return signalPassFailure();
    for (StringRef name : parameters)
      if (!known.contains(name)) {
        getOperation().emitError() << "expected 'parameters' to name arguments of a public function, but got '" << name
                                   << "'";
        return signalPassFailure();
      }
  }

private:
  static remark::RemarkOpts options(StringRef name) { return remark::RemarkOpts::name(name).category(DEBUG_TYPE); }

  LogicalResult run(func::FuncOp function, const llvm::StringSet<> &names, llvm::StringSet<> &known) {
    Splitter splitter(function, names);
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      known.insert(splitter.nameOf(i));
    std::string reason;
    if (failed(splitter.plan(reason))) {
      remark::missed(function.getLoc(), options("NotHoisted")) << "not hoisted: " + reason;
      return success();
    }
    std::string name = (function.getName() + ".prepare").str();
    if (Operation *other = SymbolTable::lookupSymbolIn(getOperation(), name)) {
      InFlightDiagnostic error = function.emitError() << "expected no other function '@" << name << "'";
      error.attachNote(other->getLoc()) << "defined here";
      return failure();
    }
    OpBuilder b(&getContext());
    b.setInsertionPointAfter(function);
    auto prepare = func::FuncOp::create(b, function.getLoc(), name, b.getFunctionType({}, {}));
    splitter.split(prepare);
    remark::passed(function.getLoc(), options("Hoisted"))
        << "hoisted: '" + name + "' makes " + std::to_string(splitter.getPreparedCount()) +
               (splitter.getPreparedCount() == 1 ? " value" : " values");
    return success();
  }
};
} // namespace
