//===- LinearGraphs.cpp - linear attention with all options ---------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "LinearGraphs.h"
#include "RegionBody.h"
#include <algorithm>
#include <cmath>
#include <limits>

using namespace bochner::test;
using std::string;
using std::to_string;

//===----------------------------------------------------------------------===//
// Texts
//===----------------------------------------------------------------------===//

static string number(double value) {
  std::ostringstream text;
  text.precision(17);
  text << std::scientific << value << " : f64";
  return text.str();
}

static const char *nameOf(Causality causality) {
  return causality == Causality::None ? "none" : causality == Causality::Causal ? "causal" : "anticausal";
}

string Options::describe() const {
  const char *const kKeys[] = {"all", "lengths", "mask", "lengths and mask", "sequences", "key_sequences"};
  return string(log ? "log" : "linear") + " " + nameOf(causality) + " keys " + kKeys[int(keys)] + " " + type +
         " form " + form + " heads " + to_string(heads) + " of " + to_string(keyHeads()) +
         " D=" + to_string(dimension) + " F=" + to_string(features) + " M=" + to_string(valueWidth) +
         (constantFeature ? " constant" : "") + (queryMap ? " query_map" : "") + (sharedParameters ? " shared" : "") +
         (initial ? " initial " + initialType : "") + (final ? " final " + finalType : "") + (offset ? " offset" : "") +
         (normalize ? "" : " unnormalized") + (denominator == "none" ? "" : " " + denominator);
}

std::vector<string> bochner::test::stateNames(const Options &o) {
  return o.log ? std::vector<string>{"sums", "normalizer", "maximum"} : std::vector<string>{"sums", "normalizer"};
}

static string typeOf(const Options &o, const string &name) {
  auto rows = [&](int64_t heads, int64_t width) {
    return "tensor<?x" + to_string(heads) + "x?x" + to_string(width) + "x" + o.type + ">";
  };
  string accumulator = o.accumulator(),
         state = "tensor<?x" + to_string(o.keyHeads()) + "x" + to_string(o.features) + "x";
  auto sums = [&](const string &type) {
    return state + to_string(o.valueWidth) + "x" + (type.empty() ? accumulator : type) + ">";
  };
  if (name == "q")
    return rows(o.heads, o.dimension);
  if (name == "k")
    return rows(o.keyHeads(), o.dimension);
  if (name == "v")
    return rows(o.keyHeads(), o.valueWidth);
  if (name == "out")
    return rows(o.heads, o.valueWidth);
  if (name == "mask")
    return "tensor<?x?xi1>";
  if (name == "offset")
    return "tensor<?x" + to_string(o.heads) + "x" + accumulator + ">";
  if (name == "counts")
    return "tensor<?x" + to_string(o.heads) + "xi64>";
  if (name == "w" || name == "wq")
    return "tensor<" + to_string(o.sharedParameters ? 1 : o.keyHeads()) + "x" + to_string(o.dimension) + "x" +
           to_string(o.features - o.constantFeature) + "x" + accumulator + ">";
  if (name == "sums")
    return sums(o.initialType);
  if (name == "final_sums")
    return sums(o.finalType);
  if (name == "normalizer" || name == "maximum")
    return state + accumulator + ">";
  return "tensor<?xi64>"; // lengths and offsets of sequences
}

static std::vector<string> parametersOf(const Options &o, bool queries) {
  return queries && o.queryMap ? std::vector<string>{"w", "wq"} : std::vector<string>{"w"};
}

/// `weights` is the parameter that maps the rows.
static string region(const Options &o, const std::vector<string> &parameters, const string &weights) {
  Body b;
  int64_t d = o.dimension, f = o.features - o.constantFeature;
  string x = "%rows_in", arguments = "%rows_in: tensor<?x" + to_string(d) + "x" + o.type + ">";
  if (o.type != o.accumulator())
    x = b.op("arith.extf %rows_in", "tensor<?x" + to_string(d) + "x" + o.type + "> to " + Body::tile(d));
  for (const string &parameter : parameters)
    arguments += ", %slice_" + parameter + ": tensor<" + to_string(d) + "x" + to_string(f) + "xT>";
  string phi = b.matmul(x, "%slice_" + weights, d, f);
  if (o.log)
    phi = b.op("spectral.log_positive " + phi + ", " + x + " {norm_factor = 1.0 : f64, count = " + to_string(f) +
                   " : i64}",
               Body::tile(f) + ", " + Body::tile(d) + " -> " + Body::tile(f));
  else
    phi = b.elementwise({{phi}}, f, "%y = math.absf %a0 : T\n");
  if (o.constantFeature)
    phi = b.op(string("spectral.constant_feature ") + phi + " {value = " + (o.log ? "-1.5" : "0.75") + " : f64}",
               Body::tile(f) + " -> " + Body::tile(o.features));
  return "(" + arguments + ") {\n%c0 = arith.constant 0 : index\n%rows = tensor.dim %rows_in, %c0 : tensor<?x" +
         to_string(d) + "x" + o.type + ">\n" + b.text + "spectral.yield " + phi + " : " + Body::tile(o.features) +
         "\n}";
}

namespace {
/// Writes a function around one operation.
class Function {
public:
  explicit Function(const Options &o) : o(o) {}

  /// Operands in parentheses after a keyword; they are arguments of their names, or of `prefix` and these.
  void clause(const string &keyword, const std::vector<string> &names, const string &prefix = "",
              const string &types = "") {
    string values, list;
    for (const string &name : names) {
      string type = typeOf(o, name == "sums" ? types + name : name);
      arguments += (arguments.empty() ? "%" : ", %") + prefix + name + ": " + type + " {bochner.name = \"" + prefix +
                   name + "\"}";
      values += (values.empty() ? "%" : ", %") + prefix + name;
      list += (list.empty() ? "" : ", ") + type;
    }
    operands += " " + keyword + "(" + values + " : " + list + ")";
  }
  void attribute(const string &text) { attributes += (attributes.empty() ? "" : ", ") + text; }
  void result(const string &name, const string &types = "") {
    string type = typeOf(o, name == "sums" ? types + name : name);
    bool isState = name != "out" && name != "counts";
    plain += (plain.empty() ? "" : ", ") + type;
    named += (named.empty() ? "" : ", ") + type + " {bochner.name = \"" + name + "\"" +
             (isState && o.updates ? ", bochner.updates = \"" + name + "\"" : "") + "}";
    returned += (returned.empty() ? "%r#" : ", %r#") + to_string(count++);
  }
  string text(const string &operation, const string &regions) const {
    return withType("func.func @f(" + arguments + ") -> (" + named + ") {\n%r:" + to_string(count) + " = spectral." +
                        operation + operands + " {" + attributes + "}" + regions + " -> " + plain + "\nreturn " +
                        returned + " : " + plain + "\n}\n",
                    o.accumulator());
  }

private:
  const Options &o;
  string arguments, operands, attributes, plain, named, returned;
  int count = 0;
};
} // namespace

static void addDomain(Function &f, const Options &o) {
  f.attribute(o.log ? "domain = #spectral.domain<log>" : "domain = #spectral.domain<linear>");
}

static void addNormalization(Function &f, const Options &o) {
  f.attribute("eps = " + number(o.eps));
  f.attribute(o.normalize ? "normalize = true" : "normalize = false");
  f.attribute("denominator = #spectral.denominator<" + o.denominator + ">, floor = " + number(o.floor));
}

/// Keys and values, and which of them count.
static void addKeys(Function &f, const Options &o) {
  f.clause("key", {"k"});
  f.clause("value", {"v"});
  if (o.hasLengths())
    f.clause("lengths", {"lengths"});
  if (o.hasMask())
    f.clause("mask", {"mask"});
}

string bochner::test::attentionText(const Options &o) {
  Function f(o);
  f.clause("query", {"q"});
  addKeys(f, o);
  if (o.isPacked())
    f.clause("sequences", {"sequences"});
  if (o.keys == Keys::KeySequences)
    f.clause("key_sequences", {"key_sequences"});
  if (o.offset)
    f.clause("offset", {"offset"});
  if (o.initial)
    f.clause("initial", stateNames(o));
  f.clause("parameters", parametersOf(o, true));
  addDomain(f, o);
  addNormalization(f, o);
  f.attribute(string("causality = #spectral.causality<") + nameOf(o.causality) + ">, form = #spectral.form<" + o.form +
              ">");
  f.result("out");
  if (o.final) {
    f.attribute("return_state");
    if (!o.finalType.empty())
      f.attribute("state_type = " + o.finalType);
    for (const string &name : stateNames(o))
      f.result(name, "final_");
  }
  if (o.denominator == "count")
    f.result("counts");
  string regions = " features " + region(o, parametersOf(o, true), "w");
  if (o.queryMap)
    regions += " query_features " + region(o, parametersOf(o, true), "wq");
  return f.text("linear_attention", regions);
}

string bochner::test::attentionStateText(const Options &o) {
  Function f(o);
  addKeys(f, o);
  if (o.initial)
    f.clause("initial", stateNames(o));
  f.clause("parameters", {"w"});
  addDomain(f, o);
  if (!o.finalType.empty())
    f.attribute("state_type = " + o.finalType);
  for (const string &name : stateNames(o))
    f.result(name, "final_");
  return f.text("attention_state", " features " + region(o, {"w"}, "w"));
}

string bochner::test::applyStateText(const Options &o) {
  Function f(o);
  f.clause("query", {"q"});
  f.clause("state", stateNames(o));
  if (o.offset)
    f.clause("offset", {"offset"});
  f.clause("parameters", {o.queryMap ? "wq" : "w"});
  addDomain(f, o);
  addNormalization(f, o);
  f.result("out");
  string weights = o.queryMap ? "wq" : "w";
  return f.text("apply_state", " features " + region(o, {weights}, weights));
}

string bochner::test::mergeStatesText(const Options &o) {
  Function f(o);
  f.clause("left", stateNames(o), "left_", "final_");
  f.clause("right", stateNames(o), "right_", "final_");
  addDomain(f, o);
  for (const string &name : stateNames(o))
    f.result(name, "final_");
  return f.text("merge_states", "");
}

//===----------------------------------------------------------------------===//
// Arrays
//===----------------------------------------------------------------------===//

/// Where sequences of lengths 0, 1, 0 and more begin and end in that many rows.
static Array packed(Random &random, int64_t rows) {
  Values offsets{0, 0, double(std::min<int64_t>(1, rows)), double(std::min<int64_t>(1, rows))};
  for (int i = 0; i < 2; ++i)
    offsets.push_back(double(random.below(rows + 1)));
  offsets.push_back(double(rows));
  std::sort(offsets.begin(), offsets.end());
  return {{int64_t(offsets.size())}, offsets};
}

Arrays bochner::test::makeArrays(const Options &o, Random &random, int64_t batch, int64_t queries, int64_t keys,
                                 double scale) {
  Arrays in;
  auto add = [&](const string &name, Shape shape, const string &type, auto draw) {
    Array array{std::move(shape), {}};
    for (int64_t i = 0, e = elements(array.shape); i < e; ++i)
      // Through f32, so that wider types see the same numbers.
      array.values.push_back(roundedTo(type == "f64" ? "f32" : type, draw()));
    in[name] = std::move(array);
  };
  if (o.isPacked())
    batch = 1;
  int64_t d = o.dimension, f = o.features, m = o.valueWidth, groups = o.keyHeads();
  int64_t slices = o.sharedParameters ? 1 : groups;
  auto rows = [&] { return scale * random.normal(); };
  auto normal = [&] { return random.normal(); };
  auto weight = [&] { return random.normal() / std::sqrt(double(d)); };
  string accumulator = o.accumulator();
  add("q", {batch, o.heads, queries, d}, o.type, rows);
  add("k", {batch, groups, keys, d}, o.type, rows);
  add("v", {batch, groups, keys, m}, o.type, normal);
  add("w", {slices, d, f - o.constantFeature}, accumulator, weight);
  add("wq", {slices, d, f - o.constantFeature}, accumulator, weight);
  add("offset", {batch, o.heads}, accumulator, normal);
  add("sums", {batch, groups, f, m}, o.initialType.empty() ? accumulator : o.initialType,
      [&] { return random.uniform(); });
  add("normalizer", {batch, groups, f}, accumulator, [&] { return 0.5 + random.uniform(); });
  add("maximum", {batch, groups, f}, accumulator, [&] { return std::round(3 * random.normal()); });
  Array lengths{{batch}, {}}, mask{{batch, keys}, {}};
  for (int64_t b = 0; b < batch; ++b) {
    lengths.values.push_back(double(random.oneIn(4) ? 0 : random.oneIn(4) ? keys : random.below(keys + 1)));
    int64_t kept = random.pick<int64_t>({0, 3, 7, 10}); // of ten
    for (int64_t s = 0; s < keys; ++s)
      mask.values.push_back(random.below(10) < kept);
  }
  in["lengths"] = lengths;
  in["mask"] = mask;
  in["sequences"] = packed(random, queries);
  in["key_sequences"] = packed(random, keys);
  return in;
}

Arrays bochner::test::noKeys(const Options &o, int64_t batch) {
  Shape shape{batch, o.keyHeads(), o.features};
  Array zeros{shape, Values(size_t(elements(shape)), 0.0)};
  shape.push_back(o.valueWidth);
  return {{"sums", {shape, Values(size_t(elements(shape)), 0.0)}}, {"normalizer", zeros}, {"maximum", zeros}};
}

Arrays bochner::test::stateOf(const Options &o, const Arrays &arrays, const string &prefix) {
  Arrays state;
  for (const string &name : stateNames(o))
    state[prefix + name] = arrays.at(name);
  return state;
}

Arrays bochner::test::unscaled(const Options &o, const Arrays &state) {
  Arrays plain{{"sums", state.at("sums")}, {"normalizer", state.at("normalizer")}};
  if (!o.log)
    return plain;
  const Values &exponents = state.at("maximum").values;
  for (auto &[name, array] : plain)
    for (size_t i = 0; i < array.values.size(); ++i) {
      // The exponent of a feature that no key has means nothing.
      size_t f = i * exponents.size() / array.values.size();
      if (array.values[i] != 0)
        array.values[i] *= std::exp2(exponents[f]);
    }
  return plain;
}

testing::AssertionResult bochner::test::statesAgree(const Options &o, const Arrays &got, const Arrays &expected,
                                                    double limit) {
  Arrays a = unscaled(o, got), b = unscaled(o, expected);
  for (const auto &[name, array] : b)
    if (double error = relativeError(a.at(name), array); !(error <= limit))
      return testing::AssertionFailure() << name << " of the state: error " << error << " over the limit " << limit;
  return testing::AssertionSuccess();
}

Arrays bochner::test::rowsOf(const Arrays &in, int64_t first, int64_t end) {
  Arrays part = in;
  for (const char *name : {"q", "k", "v"})
    part[name] = in.at(name).slice(2, first, end);
  part["mask"] = in.at("mask").slice(1, first, end);
  return part;
}

Arrays bochner::test::poisoned(const Options &o, const Arrays &in) {
  Arrays bad = in;
  const Shape &shape = in.at("k").shape;
  int64_t heads = shape[1], keys = shape[2];
  auto isKept = [&](int64_t b, int64_t s) {
    return (!o.hasLengths() || double(s) < in.at("lengths").values[size_t(b)]) &&
           (!o.hasMask() || in.at("mask").values[size_t(b * keys + s)] != 0);
  };
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  for (const char *name : {"k", "v"}) {
    Array &array = bad[name];
    int64_t width = array.shape[3];
    for (size_t i = 0; i < array.values.size(); ++i)
      if (int64_t row = int64_t(i) / width; !isKept(row / (heads * keys), row % keys))
        array.values[i] = i % 3 == 0 ? nan : i % 3 == 1 ? infinity : -infinity;
  }
  return bad;
}
