//===- Graphs.cpp - unfused graphs of kernelized attention ----------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The forms of attention: features of queries and keys as whole tensors, then the operation that reads them. Input:
// options. Output: a module with one public function whose arguments and results are named for runners.
//
//===----------------------------------------------------------------------===//
#include "lib/Graphs/Classifier.h"
#include "lib/Graphs/EncoderLayer.h"
#include "lib/Graphs/FeatureMaps.h"
#include "lib/Graphs/Gradient.h"
#include "lib/Graphs/TrainingStep.h"
#include "lib/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/PassManager.h"
#include <cmath>
#include <memory>

using namespace mlir;
using namespace bochner;
using namespace bochner::graphs;
using spectral::Causality;
using spectral::Domain;

namespace {
/// Builds the function of one specification.
class GraphAssembler {
public:
  GraphAssembler(ModuleOp module, const GraphSpec &spec)
      : spec(spec), builder(module,
                            spec.model == Model::EncoderLayer       ? "encoder_layer"
                            : spec.model == Model::Classifier       ? "classifier"
                            : spec.attention == Attention::Features ? "features"
                            : spec.decode                           ? "decode"
                                                                    : "attention",
                            spec.elementType == ElementType::F64 ? FloatType(Float64Type::get(module.getContext()))
                                                                 : FloatType(Float32Type::get(module.getContext()))) {
    storage = spec.elementType == ElementType::BF16  ? builder.getBF16Type()
              : spec.elementType == ElementType::F16 ? builder.getF16Type()
                                                     : builder.getElementType();
  }

  void run() {
    if (spec.model == Model::Classifier)
      addClassifier();
    else
      addAttention();
    for (const UpdatedBuffer &buffer : buffers)
      builder.addResult(buffer.name, buffer.value, {buffer.dim},
                        spec.trainStep ? StringRef(buffer.before) : StringRef());
    func::FuncOp function = builder.finish(describeGraph(spec));
    if (spec.trainStep)
      addTrainingStep(function, spec.optimizer);
    else if (spec.grad)
      addGradient(function);
  }

private:
  void addAttention() {
    addInputs();
    addFeatureMaps("");
    switch (spec.attention) {
    case Attention::Linear:
    case Attention::Softmax:
    case Attention::GaussianKernel:
      addOutput(attention());
      break;
    case Attention::Mixture:
      addOutput(mixture());
      break;
    case Attention::Generalized:
      addOutput(generalized());
      break;
    case Attention::Features:
      addFeatures();
      break;
    }
    addState();
  }

  /// The maps of an attention.
  void addFeatureMaps(StringRef prefix) {
    maps.clear();
    // Queries and keys each apply the maps; features are those of queries alone.
    int calls = spec.attention == Attention::Features ? 1 : 2;
    for (FeatureMapSpec map : spec.maps) {
      map.prefix = (prefix + map.prefix).str();
      maps.push_back(std::make_unique<FeatureMap>(builder, map, spec.kvHeads ? spec.kvHeads : spec.heads, calls));
      llvm::append_range(buffers, maps.back()->getUpdatedBuffers());
    }
  }

  /// The forms that may stand in a layer, on the current queries, keys and values.
  Value attention() {
    if (spec.attention != Attention::Linear)
      return exactAttention();
    if (spec.combination)
      return attend("", combine(query, "q"), combine(key, "k"), isLogKernel(), query, value, lengths, Value());
    return linearAttention(*maps[0], query, key, value, lengths);
  }

  void addClassifier() {
    Classifier classifier(builder,
                          {spec.vocabulary, spec.maxLength, *spec.heads * spec.headDim, spec.classes, spec.dropout});
    addMasks("N");
    constexpr int64_t any = ShapedType::kDynamic;
    Value labels;
    if (spec.labels)
      labels = builder.addArgument({"labels", {any}, {"B"}, "below(" + std::to_string(spec.classes) + ")"},
                                   builder.getI32Type());
    addCounter();
    Value rows = builder.convert("rows_narrow", classifier.embed(), storage);
    for (int64_t i = 0; i < spec.layers; ++i) {
      std::string prefix = "layer" + std::to_string(i) + "_";
      startLayer(prefix, rows);
      addFeatureMaps(prefix);
      rows = layer->finish(attention());
    }
    Value logits = classifier.classify(rows, lengths);
    if (!spec.trainStep)
      builder.addResult("logits", builder.convert("narrow", logits, storage), {"B", "C"});
    if (!labels)
      return;
    auto [loss, correct] = classifier.compare(logits, labels);
    builder.addResult("loss", loss, {});
    builder.addResult("correct", correct, {});
  }

  /// A layer on `rows`; gives queries, keys and values.
  void startLayer(const std::string &prefix, Value rows) {
    layer.emplace(builder,
                  EncoderLayerSpec{*spec.heads, spec.headDim, spec.valueDim, spec.feedForward, spec.dropout, prefix},
                  storage, rows);
    query = layer->project("query");
    key = layer->project("key");
    value = layer->project("value");
  }

  void addCounter() {
    if (spec.sample || spec.dropout > 0)
      builder.addCounter();
    if (spec.sample)
      builder.startSampling();
  }

  void addInputs() {
    constexpr int64_t any = ShapedType::kDynamic;
    if (spec.model == Model::EncoderLayer) {
      startLayer("layer_",
                 builder.addArgument({"x", {any, any, *spec.heads * spec.headDim}, {"B", "N", "W"}, ""}, storage));
      addMasks("N");
      return addCounter();
    }
    int64_t heads = spec.heads.value_or(any);
    query = builder.addArgument({"q", {any, heads, any, spec.headDim}, {"B", "H", "N", "D"}, ""}, storage);
    if (spec.attention != Attention::Features)
      addKeys();
    addCounter();
  }

  void addKeys() {
    constexpr int64_t any = ShapedType::kDynamic;
    int64_t heads = (spec.kvHeads ? spec.kvHeads : spec.heads).value_or(any);
    std::string positions = spec.causality != Causality::none || spec.packed ? "N" : "S", h = keyHeads();
    key = builder.addArgument({"k", {any, heads, any, spec.headDim}, {"B", h, positions, "D"}, ""}, storage);
    value = builder.addArgument({"v", {any, heads, any, spec.valueDim}, {"B", h, positions, "M"}, ""}, storage);
    addMasks(positions);
  }

  void addMasks(const std::string &positions) {
    constexpr int64_t any = ShapedType::kDynamic;
    if (spec.lengths)
      lengths = builder.addArgument({"lengths", {any}, {"B"}, ""}, builder.getI64Type());
    if (spec.mask)
      mask = builder.addArgument({"mask", {any, any}, {"B", positions}, "mask"}, builder.getI1Type());
    if (spec.packed)
      sequences = builder.addArgument({"sequences", {any}, {"sequences"}, "offsets"}, builder.getI64Type());
  }

  /// What the heads of keys are called, of which there may be fewer than of queries.
  std::string keyHeads() const { return spec.kvHeads ? "H_kv" : "H"; }

  void addOutput(Value out) {
    if (layer)
      return builder.addResult("out", layer->finish(out), {"B", "N", "W"});
    builder.addResult("out", out, {"B", "H", "N", "M"});
    if (counts)
      builder.addResult("small_denominators", counts, {"B", "H"});
  }

  FloatType floatType(ElementType type) {
    switch (type) {
    case ElementType::F64:
      return builder.getF64Type();
    case ElementType::F32:
      return builder.getF32Type();
    case ElementType::BF16:
      return builder.getBF16Type();
    case ElementType::F16:
      return builder.getF16Type();
    }
    llvm_unreachable("every element type is covered");
  }

  static constexpr StringLiteral kStateNames[] = {"state_sums", "state_normalizer", "state_maximum"};
  std::vector<std::string> stateDims(size_t i) const {
    std::vector<std::string> dims{"B", keyHeads(), "F"};
    if (i == 0)
      dims.push_back("M");
    return dims;
  }

  /// The arguments of a step of decoding: the state of the tokens before, zeros if there are none.
  SmallVector<Value> addInitialState(int64_t features, bool isLog) {
    SmallVector<Value> state;
    if (!spec.decode)
      return state;
    constexpr int64_t any = ShapedType::kDynamic;
    int64_t heads = (spec.kvHeads ? spec.kvHeads : spec.heads).value_or(any);
    for (size_t i = 0; i < (isLog ? 3 : 2); ++i) {
      ArgumentInfo argument{kStateNames[i].str(), {any, heads, features}, {}, "zeros"};
      if (i == 0)
        argument.shape.push_back(spec.valueDim);
      for (const std::string &dim : stateDims(i))
        argument.dims.push_back(dim);
      state.push_back(builder.addArgument(argument, i == 0 ? floatType(spec.stateType) : builder.getElementType()));
    }
    return state;
  }

  /// The next state, which may take the memory of the one before.
  void addState() {
    for (auto [i, v] : llvm::enumerate(finalState))
      builder.addResult(kStateNames[i], v, stateDims(i), /*updates=*/kStateNames[i]);
  }

  /// A region that yields the rows themselves: they are features already.
  static void makeIdentity(OpBuilder &b, Region &region, RankedTensorType features) {
    OpBuilder::InsertionGuard guard(b);
    auto tile = RankedTensorType::get({ShapedType::kDynamic, features.getShape().back()}, features.getElementType());
    Location name = NameLoc::get(b.getStringAttr("row"));
    Block *block = b.createBlock(&region, region.end(), tile, name);
    spectral::YieldOp::create(b, b.getUnknownLoc(), block->getArgument(0));
  }

  Value linearAttention(FeatureMap &map, Value q, Value k, Value v, Value keyLengths) {
    const FeatureMapSpec &mapSpec = map.getSpec();
    Value queryFeatures = map.apply(q, "q"), keyFeatures = map.apply(k, "k"), offset;
    if (mapSpec.stabilize)
      offset = builder.compute(
          mapSpec.prefix + "offset", "bh,bh->bh", {map.largestNorm(q, "q"), map.largestNorm(k, "k")},
          [](OpBuilder &b, Location loc, ValueRange e) -> Value { return arith::AddFOp::create(b, loc, e[0], e[1]); });
    return attend(mapSpec.prefix, queryFeatures, keyFeatures, mapSpec.isLogDomain(), q, v, keyLengths, offset);
  }

  /// Attention with features that are given; `rows` are the queries that they are of.
  Value attend(StringRef prefix, Value queryFeatures, Value keyFeatures, bool isLog, Value rows, Value v,
               Value keyLengths, Value offset) {
    auto features = cast<RankedTensorType>(keyFeatures.getType());
    SmallVector<Value> initial = addInitialState(features.getShape().back(), isLog);
    auto stateType = spec.stateType == ElementType::BF16 || spec.stateType == ElementType::F16
                         ? TypeAttr::get(floatType(spec.stateType))
                         : TypeAttr();
    // The region that the number of features could be told from is empty yet.
    auto queries = cast<RankedTensorType>(rows.getType());
    SmallVector<int64_t> shape(queries.getShape().drop_back());
    shape.push_back(spec.valueDim);
    auto outType = RankedTensorType::get(shape, cast<RankedTensorType>(v.getType()).getElementType());
    SmallVector<Type> extra(ValueRange(initial).getTypes());
    if (spec.denominator == spectral::Denominator::count)
      extra.push_back(RankedTensorType::get(queries.getShape().take_front(2), builder.getI64Type()));
    auto out = spectral::LinearAttentionOp::create(
        builder, builder.named((prefix + "out").str()), outType, extra, queryFeatures, keyFeatures, v, keyLengths, mask,
        sequences,
        /*key_sequences=*/Value(), offset, initial, /*parameters=*/ValueRange(), isLog ? Domain::log : Domain::linear,
        spec.causality, APFloat(spec.eps), spec.normalize, spec.denominator, APFloat(spec.floor), spec.form,
        /*return_state=*/spec.decode, stateType, /*return_checkpoints=*/false, spec.checkpointInterval,
        /*return_denominators=*/false);
    makeIdentity(builder, out.getFeatures(), features);
    finalState.assign(out.getFinalState().begin(), out.getFinalState().end());
    counts = out.getCounts();
    return builder.likeRows(out.getOut(), rows);
  }

  /// Sums and products of positive maps stay in the log domain; with another map among them they leave it.
  bool isLogKernel() const {
    return llvm::all_of(spec.maps, [](const FeatureMapSpec &m) { return m.isLogDomain(); });
  }

  /// The features of one kernel of all maps, or their logarithms.
  Value combine(Value rows, StringRef suffix) {
    SmallVector<Value> factors;
    for (const auto &map : maps) {
      Value features = map->apply(rows, suffix);
      if (map->getSpec().isLogDomain() && !isLogKernel())
        features = builder.compute(
            (map->getSpec().prefix + "phi_" + suffix).str(), "bhnf->bhnf", features,
            [](OpBuilder &b, Location loc, ValueRange e) -> Value { return math::ExpOp::create(b, loc, e[0]); });
      factors.push_back(features);
    }
    Location name = builder.named((isLogKernel() ? "log_phi_" : "phi_") + suffix.str());
    Domain domain = isLogKernel() ? Domain::log : Domain::linear;
    if (spec.combination == Combination::Sum) {
      auto weights = spec.weights.empty() ? DenseF64ArrayAttr() : builder.getDenseF64ArrayAttr(spec.weights);
      return builder.likeRows(spectral::KernelSumOp::create(builder, name, factors, weights, domain), rows);
    }
    // Left factors stay small: kernels take one of their columns after the other.
    Value product = factors.pop_back_val();
    while (!factors.empty())
      product = spectral::KernelProductOp::create(builder, name, factors.pop_back_val(), product, domain);
    return builder.likeRows(product, rows);
  }

  Value exactAttention() {
    auto kernel = spec.attention == Attention::Softmax ? spectral::Kernel::softmax : spectral::Kernel::gaussian;
    return spectral::ExactAttentionOp::create(builder, builder.named("out"), query, key, value, lengths, mask,
                                              sequences, /*key_sequences=*/Value(), kernel, APFloat(spec.temp),
                                              APFloat(spec.eps), spec.causality);
  }

  /// Repeats [B, H, N, X] for each component and folds batch and heads: [B H, C, N, X]. Components then take the place
  /// of heads, so that their frequencies are parameters per head.
  Value repeatForComponents(StringRef name, Value rows) {
    auto components = builder.getIndexAttr(spec.maps[0].components);
    Value repeated = builder.broadcast((name + "_repeated").str(), "bhnd->bhcnd", rows, {{'c', components}});
    return builder.collapseFirstTwo((name + "_folded").str(), repeated);
  }

  Value mixture() {
    const FeatureMapSpec &map = spec.maps[0];
    Value weights = builder.addArgument({"param_weights", {map.components}, {"C"}, "uniform(0.25)"});
    Value foldedLengths;
    if (lengths)
      foldedLengths = builder.collapseFirstTwo("lengths_folded", builder.broadcast("lengths_repeated", "b->bh", lengths,
                                                                                   {{'h', builder.sizesOf(query)[1]}}));
    Value q = repeatForComponents("q", query), k = repeatForComponents("k", key), v = repeatForComponents("v", value);
    Value folded = linearAttention(*maps[0], q, k, v, foldedLengths);
    Value each = builder.convert("each_wide", builder.expandFirst("each", folded, query), builder.getElementType());
    Value mixed = builder.contract("mixed", "c,bhcnm->bhnm", {builder.softmax("mix", "c", weights), each});
    return builder.convert("narrow", mixed, storage);
  }

  Value generalized() {
    auto count = int64_t(maps.size());
    double bound = std::sqrt(6.0 / double(count * (spec.headDim + spec.heads.value_or(1)))); // Xavier of [H, D, K]
    Value gateWeights = builder.addArgument({"param_pi_projection",
                                             {spec.heads.value_or(ShapedType::kDynamic), spec.headDim, count},
                                             {"H", "D", "K"},
                                             "uniform(" + formatNumber(bound) + ")"});
    // The gate reads the queries before any temperature.
    Value rows = builder.convert("gate_rows", query, builder.getElementType());
    Value gate =
        builder.softmax("gate", "bhnk", builder.contract("gate_logits", "bhnd,hdk->bhnk", {rows, gateWeights}));
    SmallVector<Value> terms;
    std::string indices;
    for (int64_t i = 0; i < count; ++i) {
      terms.push_back(linearAttention(*maps[i], query, key, value, lengths));
      terms.push_back(sliceLast("gate" + std::to_string(i), gate, i));
      indices += "bhnm,bhn,";
    }
    indices.pop_back();
    return builder.compute("mixed", indices + "->bhnm", terms, [&](OpBuilder &b, Location loc, ValueRange e) -> Value {
      Value sum;
      for (size_t i = 0; i < e.size(); i += 2) {
        Value attention = GraphBuilder::convertScalar(b, e[i], builder.getElementType());
        Value term = arith::MulFOp::create(b, loc, attention, e[i + 1]);
        sum = sum ? arith::AddFOp::create(b, loc, sum, term) : term;
      }
      return GraphBuilder::convertScalar(b, sum, storage);
    });
  }

  /// x[..., index]
  Value sliceLast(StringRef name, Value x, int64_t index) {
    SmallVector<OpFoldResult> sizes = builder.sizesOf(x);
    SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0)),
        strides(sizes.size(), builder.getIndexAttr(1));
    offsets.back() = builder.getIndexAttr(index);
    sizes.back() = builder.getIndexAttr(1);
    auto type = cast<RankedTensorType>(x.getType());
    auto sliced = RankedTensorType::get(type.getShape().drop_back(), type.getElementType());
    return tensor::ExtractSliceOp::create(builder, builder.named(name), sliced, x, offsets, sizes, strides);
  }

  void addFeatures() {
    FeatureMap &map = *maps[0];
    const FeatureMapSpec &mapSpec = map.getSpec();
    bool perComponent = mapSpec.info->sharing == Sharing::PerComponent;
    Value rows = perComponent ? repeatForComponents("q", query) : query;
    Value features = spec.combination ? combine(rows, "q") : map.apply(rows, "q");
    bool logDomain = spec.combination ? isLogKernel() : mapSpec.isLogDomain();
    auto op = spectral::FeatureMapOp::create(builder, builder.named("features"), features.getType(), features,
                                             ValueRange(), logDomain ? Domain::log : Domain::linear);
    makeIdentity(builder, op.getFeatures(), cast<RankedTensorType>(features.getType()));
    Value out = builder.likeRows(op.getOut(), rows);
    if (mapSpec.stabilize)
      out = builder.compute("stabilized", "bhnf,bh->bhnf", {out, map.largestNorm(rows, "q")},
                            [](OpBuilder &b, Location loc, ValueRange e) -> Value {
                              Value factor = math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, e[1]));
                              return arith::MulFOp::create(b, loc, e[0], factor);
                            });
    out = builder.convert("narrow", out, storage);
    if (!perComponent) {
      builder.addResult("out", out, {"B", "H", "N", "F"});
      return;
    }
    Value each = builder.expandFirst("each", out, query);
    builder.addResult("out", builder.broadcast("by_component", "bhcnf->bchnf", each, {}), {"B", "C", "H", "N", "F"});
  }

  const GraphSpec &spec;
  GraphBuilder builder;
  Type storage; ///< of queries, keys, values and outputs
  Value query, key, value, lengths, mask, sequences;
  std::optional<EncoderLayer> layer;             ///< around attention; none for attention alone
  Value counts;                                  ///< of small denominators; null if they are not counted
  SmallVector<Value> finalState;                 ///< of a step of decoding
  SmallVector<std::unique_ptr<FeatureMap>> maps; ///< of the current attention
  SmallVector<UpdatedBuffer> buffers;            ///< of all
};
} // namespace

llvm::Expected<OwningOpRef<ModuleOp>> bochner::graphs::buildGraph(MLIRContext &context, const GraphOptions &options) {
  auto spec = resolveGraph(options);
  if (!spec)
    return spec.takeError();
  context.loadDialect<arith::ArithDialect, BochnerDialect, func::FuncDialect, linalg::LinalgDialect, math::MathDialect,
                      spectral::SpectralDialect, tensor::TensorDialect>();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  GraphAssembler(*module, *spec).run();
  if (options.prepare) {
    PassManager passes(&context);
    passes.addPass(createHoistParametersPass());
    if (failed(passes.run(*module)))
      return makeError("cannot separate what depends on parameters only");
    if (llvm::hasSingleElement(module->getOps<func::FuncOp>()))
      return makeError("--prepare has nothing to do: nothing depends on parameters only");
  }
  return module;
}
