//===- Command.cpp - options of graphs, as bochner-gen spells them --------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The options are a table of this file instead of llvm::cl's: libLLVM registers hundreds of its own there, options of
// a feature map belong to the --map that they follow, and a library has no global options.
//
//===----------------------------------------------------------------------===//
#include "lib/Graphs/Command.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace bochner::graphs;
using llvm::createStringError;
using llvm::Error;
using llvm::StringRef;

char MalformedGraph::ID;

void MalformedGraph::log(llvm::raw_ostream &out) const { out << "the graph is malformed; please report the options"; }

std::error_code MalformedGraph::convertToErrorCode() const { return llvm::inconvertibleErrorCode(); }

namespace {
struct Command : GraphCommand {
  /// What options of a feature map set: the map given last, or what is common to all.
  FeatureMapOptions &map() { return graph.maps.empty() ? graph.common : graph.maps.back(); }
};

struct Option {
  llvm::StringLiteral name;
  llvm::StringLiteral value; ///< what its value is called; empty for a flag
  llvm::StringLiteral help;
  Error (*apply)(Command &command, StringRef name, StringRef value);
};
} // namespace

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

static Error expected(StringRef option, const llvm::Twine &what, StringRef value) {
  return createStringError("expected " + option + " to be " + what + ", but got '" + value + "'");
}

static Error parse(std::optional<int64_t> &into, StringRef option, StringRef value) {
  int64_t number;
  if (value.getAsInteger(10, number))
    return expected(option, "an integer", value);
  into = number;
  return Error::success();
}

static Error parse(std::optional<double> &into, StringRef option, StringRef value) {
  double number;
  if (value.getAsDouble(number))
    return expected(option, "a number", value);
  into = number;
  return Error::success();
}

static Error parseSmoothing(Command &command, StringRef option, StringRef value) {
  FeatureMapOptions &map = command.map();
  map.noSmoothing = value == "none";
  map.smoothing.reset();
  if (map.noSmoothing)
    return Error::success();
  if (Error e = parse(map.smoothing, option, value)) {
    consumeError(std::move(e));
    return expected(option, "a number or none", value);
  }
  return Error::success();
}

static Error parseNoiseDims(Command &command, StringRef option, StringRef value) {
  std::vector<int64_t> widths;
  for (StringRef text : llvm::split(value, ',')) {
    int64_t width;
    if (text.getAsInteger(10, width))
      return expected(option, "integers with commas between them", value);
    widths.push_back(width);
  }
  command.map().noiseDims = widths;
  return Error::success();
}

static Error parseAttentionForm(Command &command, StringRef option, StringRef value) {
  auto attention = parseAttention(value);
  if (!attention)
    return expected(option, "linear, softmax, gaussian_kernel, mixture, generalized or features", value);
  command.graph.attention = *attention;
  return Error::success();
}

static Error parseCombination(Command &command, StringRef option, StringRef value) {
  if (value != "sum" && value != "product")
    return expected(option, "sum or product", value);
  command.graph.combination = value == "sum" ? Combination::Sum : Combination::Product;
  return Error::success();
}

static Error parseWeights(Command &command, StringRef option, StringRef value) {
  command.graph.weights.clear();
  for (StringRef text : llvm::split(value, ',')) {
    double weight;
    if (text.getAsDouble(weight))
      return expected(option, "numbers with commas between them", value);
    command.graph.weights.push_back(weight);
  }
  return Error::success();
}

static Error parseCovariance(Command &command, StringRef option, StringRef value) {
  auto covariance = bochner::spectral::symbolizeCovariance(value);
  if (!covariance)
    return expected(option, "full, diagonal or scalar", value);
  command.map().covariance = *covariance;
  return Error::success();
}

static Error parseLearnable(Command &command, StringRef option, StringRef value) {
  if (value != "SGB" && value != "S" && value != "none")
    return expected(option, "SGB, S or none", value);
  command.map().learnable = value == "none" ? "" : value.str();
  return Error::success();
}

static Error parseDtype(Command &command, StringRef option, StringRef value) {
  auto type = bochner::graphs::parseElementType(value);
  if (!type)
    return expected(option, "f64, f32, bf16 or f16", value);
  command.graph.elementType = *type;
  return Error::success();
}

static Error parseStateDtype(Command &command, StringRef option, StringRef value) {
  command.graph.stateType = bochner::graphs::parseElementType(value);
  if (!command.graph.stateType)
    return expected(option, "f64, f32, bf16 or f16", value);
  return Error::success();
}

static Error parseDenominator(Command &command, StringRef option, StringRef value) {
  command.graph.denominator = bochner::spectral::symbolizeDenominator(value);
  if (!command.graph.denominator)
    return expected(option, "none, clamp or count", value);
  return Error::success();
}

static Error parseForm(Command &command, StringRef option, StringRef value) {
  command.graph.form = bochner::spectral::symbolizeForm(value);
  if (!command.graph.form)
    return expected(option, "auto, quadratic, chunked or recurrent", value);
  return Error::success();
}

static Error dropNormalizer(Command &command, StringRef, StringRef) {
  command.graph.normalize = false;
  return Error::success();
}

template <bool GraphOptions::*field> static Error setFlag(Command &command, StringRef, StringRef) {
  command.graph.*field = true;
  return Error::success();
}
template <auto GraphOptions::*field> static Error setOfGraph(Command &command, StringRef option, StringRef value) {
  return parse(command.graph.*field, option, value);
}
template <auto OptimizerOptions::*field>
static Error setOfOptimizer(Command &command, StringRef option, StringRef value) {
  return parse(command.graph.optimizer.*field, option, value);
}
template <auto FeatureMapOptions::*field> static Error setOfMap(Command &command, StringRef option, StringRef value) {
  return parse(command.map().*field, option, value);
}

static Error addMap(Command &command, StringRef, StringRef value) {
  command.graph.maps.emplace_back().name = value.str();
  return Error::success();
}

static Error showHelp(Command &command, StringRef, StringRef) {
  command.help = true;
  return Error::success();
}

static Error parseModel(Command &command, StringRef option, StringRef value) {
  if (value != "encoder-layer" && value != "classifier")
    return createStringError("expected " + option + " to be encoder-layer or classifier, but got '" + value + "'");
  command.graph.model = value == "classifier" ? Model::Classifier : Model::EncoderLayer;
  return Error::success();
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

static constexpr Option kGraphOptions[] = {
    {"attention", "FORM", "linear (default), softmax, gaussian_kernel, mixture, generalized or features",
     parseAttentionForm},
    {"head-dim", "D", "head dimension (required)", setOfGraph<&GraphOptions::headDim>},
    {"value-dim", "M", "width of values (default: D)", setOfGraph<&GraphOptions::valueDim>},
    {"heads", "H", "number of heads (default: dynamic)", setOfGraph<&GraphOptions::heads>},
    {"kv-heads", "H", "number of heads of keys and values, which groups of query heads share (default: --heads)",
     setOfGraph<&GraphOptions::kvHeads>},
    {"causal", "", "a query sees keys up to its own position", setFlag<&GraphOptions::causal>},
    {"anticausal", "", "a query sees keys from its own position on", setFlag<&GraphOptions::anticausal>},
    {"lengths", "", "take the number of keys of each batch entry", setFlag<&GraphOptions::lengths>},
    {"mask", "", "take a mask of keys", setFlag<&GraphOptions::mask>},
    {"packed", "", "sequences lie one behind another; take where they begin and end", setFlag<&GraphOptions::packed>},
    {"no-normalize", "", "no denominator", dropNormalizer},
    {"denominator", "POLICY", "what happens to denominators near zero: none (default), clamp or count",
     parseDenominator},
    {"floor", "F", "denominators below are near zero", setOfGraph<&GraphOptions::floor>},
    {"form", "FORM", "order of the sums: auto (default), quadratic, chunked or recurrent", parseForm},
    {"temp", "T", "temperature (default: D^(-1/2))", setOfGraph<&GraphOptions::temp>},
    {"eps", "E", "added to the denominator (default: 1e-6)", setOfGraph<&GraphOptions::eps>},
    {"stabilize", "", "subtract the largest squared norm of all positions in exponents",
     setFlag<&GraphOptions::stabilize>},
    {"eval", "", "generators use their running statistics", setFlag<&GraphOptions::eval>},
    {"sample", "", "draw what is random in the graph, from the arguments key and offset",
     setFlag<&GraphOptions::sample>},
    {"orthogonal", "", "with --sample: base frequencies in orthogonal blocks", setFlag<&GraphOptions::orthogonal>},
    {"dtype", "TYPE", "f64, f32 (default), bf16 or f16: of q, k, v and out; 16-bit graphs compute in f32", parseDtype},
    {"grad", "", "return gradients too: of sum(out * cot), cot being one more argument, or of a classifier's loss",
     setFlag<&GraphOptions::grad>},
    {"checkpoints", "N",
     "with --grad and --causal: positions between saved states, a multiple of 64 (default: by memory)",
     setOfGraph<&GraphOptions::checkpointInterval>},
    {"decode", "", "a step of decoding: take a state, return the next one", setFlag<&GraphOptions::decode>},
    {"state-dtype", "TYPE", "with --decode: of the sums of the state, f32 (default), f64, bf16 or f16",
     parseStateDtype},
    {"model", "NAME", "encoder-layer (a transformer layer, on x) or classifier (layers between tokens and logits)",
     parseModel},
    {"combine", "sum|product", "one kernel of all maps, the sum or the product of theirs (linear and features)",
     parseCombination},
    {"weights", "W0,W1,...", "of the terms of a sum (default: 1)", parseWeights},
    {"prepare", "", "a second function makes what depends on parameters only", setFlag<&GraphOptions::prepare>},
    {"help", "", "print this text", showHelp},
};

static constexpr Option kMapOptions[] = {
    {"features", "F", "number of features, the constant one included (default where free: 256, and the constant one)",
     setOfMap<&FeatureMapOptions::features>},
    {"n-dims", "N", "sets the amplitude only (default: the smallest value consistent with F)",
     setOfMap<&FeatureMapOptions::nDims>},
    {"smoothing", "S", "constant feature, or none (default: 1 for *_rks, rff and alacarte, none for the rest)",
     parseSmoothing},
    {"norm-factor", "C", "factor of the squared norm in exponents (default: 0.5 for favor, 1 for the rest)",
     setOfMap<&FeatureMapOptions::normFactor>},
    {"covariance", "FORM", "of Gaussians: full, diagonal or scalar (default: the map's own)", parseCovariance},
    {"learnable", "SET", "diagonals of FastFood that are parameters: SGB (default), S or none", parseLearnable},
    {"noise-dims", "D0,D1,...", "widths of noise and hidden layers of generators (default: 64,256)", parseNoiseDims},
    {"components", "C", "components of alacarte (default: D / 2)", setOfMap<&FeatureMapOptions::components>},
};

static constexpr Option kModelOptions[] = {
    {"feed-forward", "W", "hidden width (default: 4 H D)", setOfGraph<&GraphOptions::feedForward>},
    {"dropout", "P", "share of elements that are dropped, by a draw from key and offset (default: 0)",
     setOfGraph<&GraphOptions::dropout>},
    {"vocab", "V", "classifier: number of tokens (default: 256)", setOfGraph<&GraphOptions::vocabulary>},
    {"max-length", "N", "classifier: positions with an embedding of their own (default: 2048)",
     setOfGraph<&GraphOptions::maxLength>},
    {"layers", "L", "classifier: number of layers (default: 2)", setOfGraph<&GraphOptions::layers>},
    {"classes", "C", "classifier: number of classes (default: 10)", setOfGraph<&GraphOptions::classes>},
    {"labels", "", "classifier: take labels, return the loss and how many predictions are correct",
     setFlag<&GraphOptions::labels>},
    {"train-step", "", "classifier: a step of AdamW; parameters and moments are updated in place",
     setFlag<&GraphOptions::trainStep>},
};

static constexpr Option kOptimizerOptions[] = {
    {"weight-decay", "L", "of parameters of rank 2 and more (default: 0.01)",
     setOfOptimizer<&OptimizerOptions::weightDecay>},
    {"beta1", "B", "decay of the first moment (default: 0.9)", setOfOptimizer<&OptimizerOptions::beta1>},
    {"beta2", "B", "decay of the second moment (default: 0.999)", setOfOptimizer<&OptimizerOptions::beta2>},
    {"adam-eps", "E", "added to the root of the second moment (default: 1e-8)", setOfOptimizer<&OptimizerOptions::eps>},
    {"clip-norm", "X", "largest norm of all gradients together (default: no limit)",
     setOfOptimizer<&OptimizerOptions::clipNorm>},
};

static constexpr Option kMapOption = {"map", "NAME", "feature map; several with --attention generalized or --combine",
                                      addMap};

static void printOption(llvm::raw_ostream &out, const Option &option) {
  std::string left = ("  --" + option.name + (option.value.empty() ? "" : " ") + option.value).str();
  out << llvm::left_justify(left, 25) << option.help << "\n";
}

void bochner::graphs::printHelp(llvm::raw_ostream &out) {
  out << "usage: bochner-gen --map NAME [options of the map] --head-dim D [options]\n\n"
         "Prints the unfused graph of kernelized attention: frequencies, features as whole tensors, then the\n"
         "attention operation. Batch and positions are dynamic.\n\n"
         "feature maps:\n  ";
  std::vector<StringRef> names = featureMapNames();
  for (auto [i, name] : llvm::enumerate(names))
    out << name << (i + 1 == names.size() ? "\n" : i % 7 == 6 ? "\n  " : " ");
  out << "\noptions:\n";
  printOption(out, kMapOption);
  for (const Option &option : kGraphOptions)
    printOption(out, option);
  out << "\noptions of a model:\n";
  for (const Option &option : kModelOptions)
    printOption(out, option);
  out << "\noptions of a step of training:\n";
  for (const Option &option : kOptimizerOptions)
    printOption(out, option);
  out << "\noptions of a feature map (before the first --map: of all that take them):\n";
  for (const Option &option : kMapOptions)
    printOption(out, option);
}

//===----------------------------------------------------------------------===//
// Command line
//===----------------------------------------------------------------------===//

static const Option *lookUp(StringRef name) {
  if (name == kMapOption.name)
    return &kMapOption;
  for (llvm::ArrayRef<Option> table : {llvm::ArrayRef(kGraphOptions), llvm::ArrayRef(kModelOptions),
                                       llvm::ArrayRef(kOptimizerOptions), llvm::ArrayRef(kMapOptions)})
    for (const Option &option : table)
      if (option.name == name)
        return &option;
  return nullptr;
}

llvm::Expected<GraphCommand> bochner::graphs::parseCommand(llvm::ArrayRef<StringRef> arguments) {
  Command command;
  for (size_t i = 0; i < arguments.size(); ++i) {
    StringRef argument = arguments[i], name = argument;
    if (!name.consume_front("--"))
      return createStringError("unexpected argument '" + argument + "'; see --help");
    bool hasValue = name.contains('=');
    StringRef value;
    std::tie(name, value) = name.split('=');
    const Option *option = lookUp(name);
    if (!option)
      return createStringError("unknown option '--" + name + "'; see --help");
    std::string spelled = ("--" + name).str();
    if (option->value.empty() && hasValue)
      return createStringError(spelled + " takes no value, but got '" + value + "'");
    if (!option->value.empty() && !hasValue) {
      if (i + 1 == arguments.size())
        return createStringError("expected a value behind " + spelled);
      value = arguments[++i];
    }
    if (Error e = option->apply(command, spelled, value))
      return std::move(e);
  }
  return std::move(command);
}

llvm::Expected<std::string> bochner::graphs::runCommand(const GraphCommand &command) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (command.help) {
    printHelp(stream);
    return text;
  }
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  auto module = buildGraph(context, command.graph);
  if (!module)
    return module.takeError();
  if (failed(mlir::verify(**module)))
    return llvm::make_error<MalformedGraph>();
  (*module)->print(stream, mlir::OpPrintingFlags().printNameLocAsPrefix());
  stream << "\n";
  return text;
}
