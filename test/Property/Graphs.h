//===- Graphs.h - attention with a feature region, as text ------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes MLIR text with one operation, linear_attention or feature_map, for any of the maps that are listed here.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TEST_PROPERTY_GRAPHS_H
#define BOCHNER_TEST_PROPERTY_GRAPHS_H

#include <cstdint>
#include <string>
#include <vector>

namespace bochner::test {

/// How a parameter of a map is filled.
enum class Fill { Normal, Positive, Signs, Permutation };

struct Parameter {
  std::string name;
  std::vector<int64_t> shape; ///< of one head's slice
  Fill fill = Fill::Normal;
  double scale = 1;
};

/// A feature map as the text of its region.
struct Map {
  std::string name;
  bool log = false;
  bool trigonometric = false;          ///< denominators have any sign
  int64_t dimension = 0, features = 0; ///< D and the resulting F
  std::vector<Parameter> parameters;
  std::string body;                    ///< of the region; its rows are %x, its parameters have their names
  std::string yielded;                 ///< the value it ends with
  std::string queryBody, queryYielded; ///< a region of the queries' own, if not empty
};

/// Names that makeMap() knows.
const std::vector<std::string> &mapNames();
/// True if the map works on this head dimension (FastFood and Hadamard need a power of two).
bool accepts(const std::string &map, int64_t dimension);
/// `width` is the number of projections; some maps derive their features from D alone. "T" stands for the element type.
Map makeMap(const std::string &name, int64_t dimension, int64_t width);

/// "T" in a text becomes the element type.
std::string withType(const std::string &text, const std::string &type);

/// One function around a map.
struct Graph {
  Map map;
  std::string type = "f32";
  int64_t valueWidth = 8;
  bool causal = false, lengths = false, featuresOnly = false;
  bool gradients = false;        ///< a function that returns those of rows and parameters as well
  bool sharedParameters = false; ///< one slice for all heads
  double eps = 1e-6;
  std::string form = "auto"; ///< the order of the sums
  std::string exactKernel;   ///< "softmax" or "gaussian": exact_attention, without a map
  // Of exact attention only:
  bool anticausal = false, mask = false, sequences = false, keySequences = false;
  int64_t heads = 0, keyHeads = 0; ///< of queries and of keys; 0: one dynamic number for both

  std::string text() const;
  std::string describe() const;

private:
  std::string exactText() const;
  std::string gradientText(const std::string &text) const;
};

} // namespace bochner::test

#endif // BOCHNER_TEST_PROPERTY_GRAPHS_H
