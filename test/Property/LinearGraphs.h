//===- LinearGraphs.h - linear attention with all options -------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Texts with one operation, linear_attention, attention_state, apply_state or merge_states, with any of their options,
// and arrays for them. The features are positive: exponentials in the log domain, else absolute values of projections.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TEST_PROPERTY_LINEARGRAPHS_H
#define BOCHNER_TEST_PROPERTY_LINEARGRAPHS_H

#include "Program.h"

namespace bochner::test {

enum class Causality { None, Causal, Anticausal };
/// Ways to leave keys out.
enum class Keys { All, Lengths, Mask, Both, Sequences, KeySequences };

struct Options {
  bool log = true;
  Causality causality = Causality::None;
  Keys keys = Keys::All;
  int64_t heads = 4, group = 1, dimension = 19, valueWidth = 21, features = 37;
  bool constantFeature = false; ///< the last one; its number is one of `features`
  bool queryMap = false;        ///< queries have a map of their own
  bool sharedParameters = false;
  bool initial = false, final = false;
  bool updates = false; ///< the final state is the next value of the initial one
  bool offset = false, normalize = true;
  double eps = 1e-6, floor = 0;
  std::string denominator = "none", form = "auto";
  std::string type = "f32";                     ///< of rows
  std::string initialType = "", finalType = ""; ///< of the sums of states; empty: that of accumulators

  int64_t keyHeads() const { return heads / group; }
  bool hasLengths() const { return keys == Keys::Lengths || keys == Keys::Both; }
  bool hasMask() const { return keys == Keys::Mask || keys == Keys::Both; }
  bool isPacked() const { return keys == Keys::Sequences || keys == Keys::KeySequences; }
  std::string accumulator() const { return type == "f64" ? "f64" : "f32"; }
  /// Rounding of sums in another order, as a share of the largest value.
  double rounding() const { return type == "f64" ? 1e-12 : type == "f32" ? 3e-5 : 2.5e-2; }
  /// From the route decompose in f64.
  double limit() const { return type == "f64" ? 1e-10 : rounding(); }
  std::string describe() const;
};

/// "sums", "normalizer" and, in the log domain, "maximum".
std::vector<std::string> stateNames(const Options &options);

std::string attentionText(const Options &options);
std::string attentionStateText(const Options &options); ///< sums have `finalType`
std::string applyStateText(const Options &options);     ///< sums have `initialType`
/// Arguments are left_sums, ..., right_sums, ...; sums have `finalType`.
std::string mergeStatesText(const Options &options);

/// Arrays for any of these, rounded to types: rows have `scale`, lengths and masks keep some, none or all keys, packed
/// sequences have lengths 0, 1 and more, and the state is that of a few keys.
Arrays makeArrays(const Options &options, Random &random, int64_t batch, int64_t queries, int64_t keys,
                  double scale = 1);
/// The state of no keys.
Arrays noKeys(const Options &options, int64_t batch);
/// The tensors of a state, out of others, with other names.
Arrays stateOf(const Options &options, const Arrays &arrays, const std::string &prefix = "");
/// With exponents multiplied in.
Arrays unscaled(const Options &options, const Arrays &state);
/// Fails if an element of a state is further off than `limit` times the largest one.
testing::AssertionResult statesAgree(const Options &options, const Arrays &got, const Arrays &expected, double limit);

/// Rows [first, end) of queries, keys, values and masks.
Arrays rowsOf(const Arrays &in, int64_t first, int64_t end);
/// The same with NaN and infinity in all rows that no query sees.
Arrays poisoned(const Options &options, const Arrays &in);

} // namespace bochner::test

#endif // BOCHNER_TEST_PROPERTY_LINEARGRAPHS_H
