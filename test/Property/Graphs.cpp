//===- Graphs.cpp - attention with a feature region, as text --------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Graphs.h"
#include "RegionBody.h"
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <sstream>

using namespace bochner::test;
using std::string;
using std::to_string;

namespace {

constexpr const char *kEluBody = "%zero = arith.constant 0.0 : T\n%one = arith.constant 1.0 : T\n"
                                 "%above = arith.cmpf ogt, %a0, %zero : T\n%p = arith.addf %a0, %one : T\n"
                                 "%e = math.exp %a0 : T\n%y = arith.select %above, %p, %e : T\n";
constexpr const char *kReluBody = "%c = arith.constant 1.0e-3 : T\n%z = arith.constant 0.0 : T\n"
                                  "%m = arith.maximumf %a0, %z : T\n%y = arith.addf %m, %c : T\n";
constexpr const char *kSoftplusBody = "%one = arith.constant 1.0 : T\n%e = math.exp %a0 : T\n%y = math.log1p %e : T\n";

string trig(Body &b, const string &u, int64_t width, int64_t groups = 1) {
  std::ostringstream amplitude;
  amplitude << std::scientific << 1 / std::sqrt(double(width / groups));
  return b.op("spectral.trig " + u + " {amplitude = " + amplitude.str() + " : f64, groups = " + to_string(groups) +
                  " : i64}",
              Body::tile(width) + " -> " + Body::tile(2 * width));
}

string logPositive(Body &b, const string &u, int64_t width, int64_t dimension, bool symmetric,
                   const string &rows = "%x", const char *factor = "0.5") {
  int64_t features = symmetric ? 2 * width : width;
  return b.op("spectral.log_positive " + u + ", " + rows + " {norm_factor = " + factor +
                  " : f64, count = " + to_string(features) + " : i64" + (symmetric ? ", symmetric" : "") + "}",
              Body::tile(width) + ", " + Body::tile(dimension) + " -> " + Body::tile(features));
}

string fastfood(Body &b, const string &x, int64_t d) {
  string v = Body::vectorType(d);
  return b.op("spectral.fastfood " + x + " scale(%scale) gaussian(%gaussian) signs(%signs) permutation(%permutation)",
              Body::tile(d) + ", " + v + ", tensor<" + to_string(d) + "xi64> -> " + Body::tile(d));
}

std::vector<Parameter> fastfoodParameters(int64_t d) {
  return {{"%scale", {d}, Fill::Positive},
          {"%gaussian", {d}},
          {"%signs", {d}, Fill::Signs},
          {"%permutation", {d}, Fill::Permutation}};
}

Parameter weights(const string &name, int64_t depth, int64_t width) { return {name, {depth, width}, Fill::Normal, 1}; }

using Builder = std::function<void(Map &, Body &, int64_t d, int64_t w)>;

const std::vector<std::pair<string, Builder>> &builders() {
  static const std::vector<std::pair<string, Builder>> list = {
      {"trig",
       [](Map &m, Body &b, int64_t d, int64_t w) {
         m.trigonometric = true;
         m.parameters = {weights("%w", d, w)};
         m.yielded = trig(b, b.matmul("%x", "%w", d, w), w);
         m.features = 2 * w;
       }},
      {"trig_two_groups",
       [](Map &m, Body &b, int64_t d, int64_t w) {
         m.trigonometric = true;
         m.parameters = {weights("%w", d, 2 * w)};
         m.yielded = trig(b, b.matmul("%x", "%w", d, 2 * w), 2 * w, 2);
         m.features = 4 * w;
       }},
      {"trig_constant",
       [](Map &m, Body &b, int64_t d, int64_t w) {
         m.trigonometric = true;
         m.parameters = {weights("%w", d, w)};
         string phi = trig(b, b.matmul("%x", "%w", d, w), w);
         m.features = 2 * w + 1;
         m.yielded = b.op("spectral.constant_feature " + phi + " {value = 0.75 : f64}",
                          Body::tile(2 * w) + " -> " + Body::tile(m.features));
       }},
      {"log_positive",
       [](Map &m, Body &b, int64_t d, int64_t w) {
         m.log = true;
         m.parameters = {weights("%w", d, w)};
         m.yielded = logPositive(b, b.matmul("%x", "%w", d, w), w, d, false);
         m.features = w;
       }},
      {"log_positive_gaussian",
       [](Map &m, Body &b, int64_t d, int64_t w) {
         m.log = true;
         m.parameters = {weights("%w", d, w)};
         m.yielded = logPositive(b, b.matmul("%x", "%w", d, w), w, d, false, "%x", "1.0");
         m.features = w;
       }},
      {"favor",
       [](Map &m, Body &b, int64_t d, int64_t w) {
         m.log = true;
         m.parameters = {weights("%w", d, w)};
         m.yielded = logPositive(b, b.matmul("%x", "%w", d, w), w, d, true);
         m.features = 2 * w;
       }},
      {"log_positive_constant",
       [](Map &m, Body &b, int64_t d, int64_t w) {
         m.log = true;
         m.parameters = {weights("%w", d, w)};
         string phi = logPositive(b, b.matmul("%x", "%w", d, w), w, d, false);
         m.features = w + 1;
         m.yielded = b.op("spectral.constant_feature " + phi + " {value = -1.5 : f64}",
                          Body::tile(w) + " -> " + Body::tile(m.features));
       }},
      {"log_identity",
       [](Map &m, Body &, int64_t d, int64_t) {
         m.log = true;
         m.yielded = "%x";
         m.features = d;
       }},
      // A gain that does not exist is 0, so that features which do not exist are not finite.
      {"log_gain",
       [](Map &m, Body &b, int64_t d, int64_t w) {
         m.log = true;
         m.parameters = {weights("%w", d, w), {"%gain", {w}, Fill::Positive}};
         m.yielded = b.elementwise({{b.matmul("%x", "%w", d, w)}, {"%gain", 'c'}}, w,
                                   "%l = math.log %a1 : T\n%y = arith.subf %a0, %l : T\n");
         m.features = w;
       }},
      {"reciprocal_gain",
       [](Map &m, Body &b, int64_t d, int64_t w) {
         m.parameters = {weights("%w", d, w), {"%gain", {w}, Fill::Positive}};
         m.yielded = b.elementwise({{b.matmul("%x", "%w", d, w)}, {"%gain", 'c'}}, w,
                                   "%e = math.exp %a0 : T\n%y = arith.divf %e, %a1 : T\n");
         m.features = w;
       }},
      {"fastfood_trig",
       [](Map &m, Body &b, int64_t d, int64_t) {
         m.trigonometric = true;
         m.parameters = fastfoodParameters(d);
         m.yielded = trig(b, fastfood(b, "%x", d), d);
         m.features = 2 * d;
       }},
      {"fastfood_constant",
       [](Map &m, Body &b, int64_t d, int64_t) {
         m.trigonometric = true;
         m.parameters = fastfoodParameters(d);
         string phi = trig(b, fastfood(b, "%x", d), d);
         m.features = 2 * d + 1;
         m.yielded = b.op("spectral.constant_feature " + phi + " {value = 1.0 : f64}",
                          Body::tile(2 * d) + " -> " + Body::tile(m.features));
       }},
      {"fastfood_positive",
       [](Map &m, Body &b, int64_t d, int64_t) {
         m.log = true;
         m.parameters = fastfoodParameters(d);
         m.yielded = logPositive(b, fastfood(b, "%x", d), d, d, false);
         m.features = d;
       }},
      {"hadamard_permute",
       [](Map &m, Body &b, int64_t d, int64_t) {
         m.parameters = {{"%permutation", {d}, Fill::Permutation}};
         string h = b.op("spectral.hadamard %x", Body::tile(d) + " -> " + Body::tile(d));
         string p = b.op("spectral.permute " + h + ", %permutation",
                         Body::tile(d) + ", tensor<" + to_string(d) + "xi64> -> " + Body::tile(d));
         m.yielded = b.elementwise({{p}}, d, kReluBody);
         m.features = d;
       }},
      {"elu",
       [](Map &m, Body &b, int64_t d, int64_t) {
         m.yielded = b.elementwise({{"%x"}}, d, kEluBody);
         m.features = d;
       }},
      {"relu",
       [](Map &m, Body &b, int64_t d, int64_t w) {
         m.parameters = {weights("%w", d, w)};
         m.yielded = b.elementwise({{b.matmul("%x", "%w", d, w)}}, w, kReluBody);
         m.features = w;
       }},
      {"transposed_relu",
       [](Map &m, Body &b, int64_t d, int64_t w) {
         m.parameters = {{"%w", {w, d}}};
         m.yielded = b.elementwise({{b.matmulTransposed("%x", "%w", d, w)}}, w, kReluBody);
         m.features = w;
       }},
      {"layer_norm",
       [](Map &m, Body &b, int64_t d, int64_t w) {
         m.parameters = {{"%gain", {d}, Fill::Positive}, {"%bias", {d}, Fill::Normal, 0.1}, weights("%w", d, w)};
         string sum = b.reduce("%x", d, "addf");
         string centered = b.elementwise({{"%x"}, {sum, 'r'}}, d,
                                         "%c = arith.constant " + to_string(1.0 / d) +
                                             " : T\n%mean = arith.mulf %a1, %c : T\n%y = arith.subf %a0, %mean : T\n");
         string squares = b.reduce(centered, d, "addf", "%t = arith.mulf %a, %a : T\n");
         string scaled = b.elementwise({{centered}, {squares, 'r'}, {"%gain", 'c'}, {"%bias", 'c'}}, d,
                                       "%e = arith.constant 1.0e-3 : T\n%v = arith.addf %a1, %e : T\n"
                                       "%i = math.rsqrt %v : T\n%n = arith.mulf %a0, %i : T\n"
                                       "%g = arith.mulf %n, %a2 : T\n%y = arith.addf %g, %a3 : T\n");
         m.yielded = b.elementwise({{b.matmul(scaled, "%w", d, w)}}, w, kReluBody);
         m.features = w;
       }},
      {"mlp",
       [](Map &m, Body &b, int64_t d, int64_t w) {
         int64_t hidden = std::max<int64_t>(w / 2, 1) + 1;
         m.parameters = {weights("%w1", d, hidden), {"%b1", {hidden}, Fill::Normal, 0.5}, weights("%w2", hidden, w)};
         string h = b.elementwise({{b.matmul("%x", "%w1", d, hidden)}, {"%b1", 'c'}}, hidden,
                                  "%s = arith.addf %a0, %a1 : T\n%y = math.tanh %s : T\n");
         m.yielded = b.elementwise({{b.matmul(h, "%w2", hidden, w)}}, w, kSoftplusBody);
         m.features = w;
       }},
      {"softmax_features",
       [](Map &m, Body &b, int64_t d, int64_t w) {
         m.parameters = {weights("%w", d, w)};
         string u = b.matmul("%x", "%w", d, w), most = b.reduce(u, w, "maximumf");
         m.yielded = b.elementwise({{u}, {most, 'r'}}, w, "%s = arith.subf %a0, %a1 : T\n%y = math.exp %s : T\n");
         m.features = w;
       }},
      {"own_query_map",
       [](Map &m, Body &b, int64_t d, int64_t w) {
         m.parameters = {weights("%wk", d, w), weights("%wq", d, w), {"%gain", {w}, Fill::Positive}};
         m.yielded = b.elementwise({{b.matmul("%x", "%wk", d, w)}}, w, kReluBody);
         Body q;
         m.queryYielded = q.elementwise({{q.matmul("%x", "%wq", d, w)}, {"%gain", 'c'}}, w,
                                        "%e = math.exp %a0 : T\n%y = arith.mulf %e, %a1 : T\n");
         m.queryBody = q.text;
         m.features = w;
       }},
      {"concatenated",
       [](Map &m, Body &b, int64_t d, int64_t w) {
         m.parameters = {weights("%w", d, w), {"%gain", {w}, Fill::Positive}};
         string u = b.matmul("%x", "%w", d, w), elu = b.elementwise({{"%x"}}, d, kEluBody);
         string phi = b.elementwise({{u}, {"%gain", 'c'}}, w,
                                    "%s = arith.mulf %a0, %a1 : T\n%q = arith.mulf %s, %s : T\n"
                                    "%c = arith.constant 0.125 : T\n%y = arith.addf %q, %c : T\n");
         m.features = d + w + d;
         m.yielded =
             b.op("tensor.concat dim(1) " + elu + ", " + phi + ", " + elu,
                  "(" + Body::tile(d) + ", " + Body::tile(w) + ", " + Body::tile(d) + ") -> " + Body::tile(m.features));
       }},
  };
  return list;
}

} // namespace

static string replaceAll(string text, const string &from, const string &to) {
  for (size_t at = 0; (at = text.find(from, at)) != string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

/// "T" as a word of its own, or after the "x" of a shape.
string bochner::test::withType(const string &text, const string &type) {
  string out;
  auto isWord = [](char c) { return isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  for (size_t i = 0; i < text.size(); ++i) {
    bool left = i == 0 || !isWord(text[i - 1]) || text[i - 1] == 'x';
    bool right = i + 1 == text.size() || !isWord(text[i + 1]);
    if (text[i] == 'T' && left && right)
      out += type;
    else
      out += text[i];
  }
  return replaceAll(out, "MINUS_INFINITY", type == "f64" ? "0xFFF0000000000000" : "0xFF800000");
}

const std::vector<string> &bochner::test::mapNames() {
  static const std::vector<string> names = [] {
    std::vector<string> list;
    for (const auto &entry : builders())
      list.push_back(entry.first);
    return list;
  }();
  return names;
}

bool bochner::test::accepts(const string &map, int64_t dimension) {
  bool powerOfTwo = (dimension & (dimension - 1)) == 0;
  return powerOfTwo || (map.rfind("fastfood", 0) != 0 && map.rfind("hadamard", 0) != 0);
}

Map bochner::test::makeMap(const string &name, int64_t dimension, int64_t width) {
  for (const auto &[known, build] : builders())
    if (known == name) {
      Map map;
      map.name = name;
      map.dimension = dimension;
      Body body;
      build(map, body, dimension, width);
      map.body = body.text;
      return map;
    }
  return {};
}

string Graph::describe() const {
  return (exactKernel.empty() ? map.name : exactKernel) + " D=" + to_string(map.dimension) +
         " F=" + to_string(map.features) + " M=" + to_string(valueWidth) + (causal ? " causal" : "") +
         (form == "auto" ? "" : " " + form) + (lengths ? " lengths" : "") + (featuresOnly ? " features" : "") +
         (sharedParameters ? " shared" : "") + (anticausal ? " anticausal" : "") + (mask ? " mask" : "") +
         (sequences ? " sequences" : "") + (keySequences ? " key_sequences" : "") +
         (heads ? " heads " + to_string(heads) + " of " + to_string(keyHeads) : "");
}

static string exponential(double value) {
  std::ostringstream text;
  text.precision(17);
  text << std::scientific << value;
  return text.str();
}

string Graph::exactText() const {
  auto rows = [](int64_t heads, int64_t width) {
    return "tensor<?x" + (heads ? to_string(heads) : string("?")) + "x?x" + to_string(width) + "xT>";
  };
  string arguments, operands, causality = anticausal ? "anticausal" : causal ? "causal" : "none";
  auto add = [&](const string &name, const string &keyword, const string &type) {
    arguments += (arguments.empty() ? "%" : ", %") + name + ": " + type;
    operands += " " + keyword + "(%" + name + " : " + type + ")";
  };
  add("q", "query", rows(heads, map.dimension));
  add("k", "key", rows(keyHeads, map.dimension));
  add("v", "value", rows(keyHeads, valueWidth));
  if (lengths)
    add("n", "lengths", "tensor<?xi64>");
  if (mask)
    add("m", "mask", "tensor<?x?xi1>");
  if (sequences)
    add("s", "sequences", "tensor<?xi64>");
  if (keySequences)
    add("t", "key_sequences", "tensor<?xi64>");
  string values = rows(heads, valueWidth);
  return withType("func.func @f(" + arguments + ") -> " + values + " {\n%out = spectral.exact_attention" + operands +
                      " {kernel = #spectral.kernel<" + exactKernel +
                      ">, scale = " + to_string(1 / std::sqrt(double(map.dimension))) +
                      " : f64, eps = " + exponential(eps) + " : f64, causality = #spectral.causality<" + causality +
                      ">} -> " + values + "\nreturn %out : " + values + "\n}\n",
                  type);
}

string Graph::text() const {
  string rows = "tensor<?x?x?x" + to_string(map.dimension) + "xT>",
         values = "tensor<?x?x?x" + to_string(valueWidth) + "xT>",
         features = "tensor<?x?x?x" + to_string(map.features) + "xT>";
  string arguments, operands, operandTypes, regionArguments = "%x: tensor<?x" + to_string(map.dimension) + "xT>";
  for (const Parameter &p : map.parameters) {
    string slice;
    for (int64_t size : p.shape)
      slice += to_string(size) + "x";
    slice += p.fill == Fill::Permutation ? "i64" : "T";
    string whole = string("tensor<") + (sharedParameters ? "1x" : "?x") + slice + ">";
    string name = p.name.substr(1);
    arguments += ", %all_" + name + ": " + whole + " {bochner.name = \"" + name + "\"}";
    operands += (operands.empty() ? "%all_" : ", %all_") + name;
    operandTypes += (operandTypes.empty() ? "" : ", ") + whole;
    regionArguments += ", " + p.name + ": tensor<" + slice + ">";
  }
  string parameters = operands.empty() ? "" : " parameters(" + operands + " : " + operandTypes + ")";
  auto region = [&](const string &body, const string &yielded) {
    return "(" + regionArguments + ") {\n%c0 = arith.constant 0 : index\n%rows = tensor.dim %x, %c0 : tensor<?x" +
           to_string(map.dimension) + "xT>\n" + body + "spectral.yield " + yielded + " : tensor<?x" +
           to_string(map.features) + "xT>\n}";
  };
  string domain = map.log ? "#spectral.domain<log>" : "#spectral.domain<linear>";
  if (featuresOnly)
    return withType("func.func @f(%all_x: " + rows + " {bochner.name = \"q\"}" + arguments + ") -> (" + features +
                        " {bochner.name = \"out\"}) {\n%out = spectral.feature_map rows(%all_x : " + rows + ")" +
                        parameters + " {domain = " + domain + "} features " + region(map.body, map.yielded) + " -> " +
                        features + "\nreturn %out : " + features + "\n}\n",
                    type);
  if (!exactKernel.empty())
    return exactText();
  string text = "func.func @f(%all_q: " + rows + " {bochner.name = \"q\"}, %all_k: " + rows +
                " {bochner.name = \"k\"}, %all_v: " + values + " {bochner.name = \"v\"}" +
                (lengths ? ", %all_lengths: tensor<?xi64> {bochner.name = \"lengths\"}" : "") + arguments + ") -> (" +
                values + " {bochner.name = \"out\"}) {\n%out = spectral.linear_attention query(%all_q : " + rows +
                ") key(%all_k : " + rows + ") value(%all_v : " + values + ")" +
                (lengths ? " lengths(%all_lengths : tensor<?xi64>)" : "") + parameters + " {domain = " + domain +
                ", eps = " + exponential(eps) + " : f64" + (causal ? ", causality = #spectral.causality<causal>" : "") +
                ", form = #spectral.form<" + form + ">} features " + region(map.body, map.yielded) +
                (map.queryYielded.empty() ? "" : " query_features " + region(map.queryBody, map.queryYielded)) +
                " -> " + values + "\nreturn %out : " + values + "\n}\n";
  return withType(gradients ? gradientText(text) : text, type);
}

/// The function, private, and a public one that asks for its derivative with respect to all floating-point arguments.
string Graph::gradientText(const string &text) const {
  size_t first = text.find('(') + 1, end = text.find(") -> (");
  string arguments = text.substr(first, end - first), result = "tensor<?x?x?x" + to_string(valueWidth) + "xT>";
  string names, types, wrt, returned;
  int number = 0;
  for (size_t at = 0, colon; (colon = arguments.find(": ", at)) != string::npos; ++number) {
    size_t name = arguments.rfind('%', colon), brace = arguments.find(" {", colon);
    string argument = arguments.substr(colon + 2, brace - colon - 2);
    names += (number ? ", " : "") + arguments.substr(name, colon - name);
    types += (number ? ", " : "") + argument;
    if (argument.back() == '>' && argument.find("i64") == string::npos) {
      wrt += (wrt.empty() ? "" : ", ") + to_string(number);
      returned += ", " + argument;
    }
    at = arguments.find('}', brace);
  }
  string results = result + returned, values;
  for (long i = 0, count = std::count(wrt.begin(), wrt.end(), ',') + 2; i < count; ++i)
    values += (i ? ", %y#" : "%y#") + to_string(i);
  return "func.func private @attention(" + text.substr(first) + "func.func @f(" + arguments + ", %cot: " + result +
         " {bochner.name = \"cot\"}) -> (" + results +
         ") {\n%y:" + to_string(std::count(wrt.begin(), wrt.end(), ',') + 2) + " = spectral.vjp @attention inputs(" +
         names + " : " + types + ") cotangents(%cot : " + result + ") wrt [" + wrt + "] -> " + results + "\nreturn " +
         values + " : " + results + "\n}\n";
}
