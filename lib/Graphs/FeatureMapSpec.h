//===- FeatureMapSpec.h - feature maps with all sizes resolved --*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The table of known feature maps, and the step from options to a specification in which every size and constant is
// known and consistent. Nothing here builds IR.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_GRAPHS_FEATUREMAPSPEC_H
#define BOCHNER_LIB_GRAPHS_FEATUREMAPSPEC_H

#include "lib/Graphs/Graphs.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/raw_ostream.h"

namespace bochner::graphs {

/// Elementwise function of the projections.
enum class Form { Positive, Trig, Relu, Elu };
/// What rows are projected on; `None` keeps the rows themselves.
enum class Projection { None, Base, Gaussian, Fastfood, Generator };
/// What a Gaussian's parameters are given for.
enum class Sharing { Shared, PerHead, PerComponent };

/// What a name stands for.
struct FeatureMapInfo {
  llvm::StringLiteral name;
  Form form;
  Projection projection;
  int64_t featuresPerFrequency; ///< number of features that one column of base frequencies gives
  int64_t nDimsPerFrequency;    ///< smallest consistent n_dims, for each frequency
  bool symmetric = false;       ///< features of both u and -u
  bool smoothed = false;        ///< has the constant feature 1 by default
  bool stabilizable = false;
  double normFactor = 0.0; ///< of positive maps
  // Gaussian frequencies:
  Sharing sharing = Sharing::Shared;
  spectral::Covariance covariance = spectral::Covariance::diagonal;
  spectral::MeanSign meanSign = spectral::MeanSign::plus;

  // Which options mean something for the map:
  bool takesFeatures() const { return true; }
  bool takesNDims() const { return form != Form::Elu && projection != Projection::Fastfood; }
  bool takesComponents() const { return sharing == Sharing::PerComponent; }
  bool takesNormFactor() const { return form == Form::Positive; }
  bool takesCovariance() const { return projection == Projection::Gaussian; }
  bool takesLearnable() const { return projection == Projection::Fastfood; }
  bool takesTemperature() const { return form != Form::Elu; }
  bool isGenerator() const { return projection == Projection::Generator; }
  bool isStabilizable() const { return stabilizable; }
  bool isRandom() const { return projection != Projection::None; }
  bool hasBaseFrequencies() const { return projection == Projection::Base || projection == Projection::Gaussian; }
};

/// The entry of a name; null if there is none.
const FeatureMapInfo *lookUpFeatureMap(llvm::StringRef name);

/// A feature map whose sizes are known.
struct FeatureMapSpec {
  const FeatureMapInfo *info = nullptr;
  std::string prefix; ///< of the names of its arguments: "fm0_" if there are several maps
  int64_t headDim = 0;
  int64_t frequencies = 0; ///< columns of base frequencies, or rows of noise
  int64_t features = 0;
  int64_t nDims = 0;
  int64_t components = 1;
  std::optional<double> smoothing;
  double temp = 1.0, normFactor = 0.0;
  spectral::Covariance covariance = spectral::Covariance::diagonal;
  std::string learnable;
  llvm::SmallVector<int64_t> noiseDims;
  bool stabilize = false, training = false, orthogonal = false;

  bool isLogDomain() const { return info->form == Form::Positive; }
};

/// AdamW with all numbers known.
struct OptimizerSpec {
  double weightDecay = 0.01, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  std::optional<double> clipNorm;
};

/// A whole graph whose sizes are known.
struct GraphSpec {
  Attention attention = Attention::Linear;
  std::vector<FeatureMapSpec> maps;
  int64_t headDim = 0, valueDim = 0;
  std::optional<int64_t> heads, kvHeads; ///< kvHeads: those of keys, if they are grouped
  spectral::Causality causality = spectral::Causality::none;
  bool lengths = false, mask = false, packed = false, normalize = true, decode = false, sample = false, grad = false;
  ElementType stateType = ElementType::F32;
  spectral::Denominator denominator = spectral::Denominator::none;
  double floor = 0;
  spectral::Form form = spectral::Form::automatic;
  int64_t checkpointInterval = 0; ///< of gradients; 0: the compiler's choice
  double temp = 1.0, eps = 1e-6;
  ElementType elementType = ElementType::F32;
  std::optional<Combination> combination;
  std::vector<double> weights; ///< of the terms of a sum; empty for ones
  Model model = Model::None;
  int64_t feedForward = 0; ///< hidden width of a layer
  double dropout = 0;
  int64_t layers = 0, classes = 0, vocabulary = 0, maxLength = 0;
  bool labels = false, trainStep = false;
  OptimizerSpec optimizer;
};

/// Fills in defaults and finds the sizes. `known` holds what the graph decides: prefix, head dimension, temperature,
/// and whether maps that can are stabilized or train.
llvm::Expected<FeatureMapSpec> resolveFeatureMap(const FeatureMapOptions &options, FeatureMapSpec known);

/// Fills in defaults and checks that the options agree.
llvm::Expected<GraphSpec> resolveGraph(const GraphOptions &options);

/// The part of that which is about what stands around attention.
llvm::Error resolveModel(const GraphOptions &options, GraphSpec &spec);

/// The options as one line of key=value for runners.
std::string describeGraph(const GraphSpec &spec);

/// A number for messages and initializers: six digits at most.
std::string formatNumber(double value);

/// An error of the pieces one after another.
template <typename... Pieces> llvm::Error makeError(const Pieces &...pieces) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  (stream << ... << pieces);
  return llvm::createStringError(text);
}

/// An error unless 1 <= value <= kMaxSize.
llvm::Error checkSize(llvm::StringRef option, int64_t value);

} // namespace bochner::graphs

#endif // BOCHNER_LIB_GRAPHS_FEATUREMAPSPEC_H
