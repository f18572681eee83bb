//===- Graphs.h - unfused graphs of kernelized attention --------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a user states about a kernelized attention, and the graph that it means: one public function on tensors, with
// frequencies, features as whole tensors and the attention operation apart, as a framework would emit them. Used by
// bochner-gen and by the presets of the bindings.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_GRAPHS_GRAPHS_H
#define BOCHNER_LIB_GRAPHS_GRAPHS_H

#include "dialect/Spectral.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>
#include <vector>

namespace bochner::graphs {

enum class Attention { Linear, Softmax, GaussianKernel, Mixture, Generalized, Features };
/// How the kernels of several maps become one.
enum class Combination { Sum, Product };
/// What queries, keys, values and outputs are stored in; parameters and features are f32 beside 16-bit types.
enum class ElementType { F64, F32, BF16, F16 };

/// What stands around attention.
enum class Model { None, EncoderLayer, Classifier };

/// Options of one feature map. What is not given has a default that depends on the map.
struct FeatureMapOptions {
  std::string name;                ///< "gmm_prf", ...
  std::optional<int64_t> features; ///< F, the constant feature included
  std::optional<int64_t> nDims;    ///< sets the amplitude only
  std::optional<int64_t> components;
  std::optional<double> smoothing; ///< value of the constant feature
  bool noSmoothing = false;        ///< no constant feature, whatever the default
  std::optional<double> normFactor;
  std::optional<spectral::Covariance> covariance;
  std::optional<std::string> learnable; ///< which diagonals of FastFood are parameters: "SGB", "S" or ""
  std::optional<std::vector<int64_t>> noiseDims;
};

/// AdamW ("Decoupled Weight Decay Regularization", Loshchilov and Hutter, 2019). What is not given has the usual value.
struct OptimizerOptions {
  std::optional<double> weightDecay, beta1, beta2, eps;
  std::optional<double> clipNorm; ///< the largest norm of all gradients together; no limit if not given
};

struct GraphOptions {
  std::vector<FeatureMapOptions> maps;
  FeatureMapOptions common; ///< holds for each map that takes the option and does not give it itself
  Attention attention = Attention::Linear;
  std::optional<int64_t> headDim;  ///< required
  std::optional<int64_t> valueDim; ///< the head dimension if not given
  std::optional<int64_t> heads;    ///< dynamic if not given
  std::optional<int64_t> kvHeads;  ///< of keys and values; those of queries if not given
  bool causal = false, lengths = false, stabilize = false;
  bool anticausal = false;              ///< the scan from the other end
  bool mask = false;                    ///< take a mask of keys
  bool packed = false;                  ///< sequences lie one behind another
  bool normalize = true;                ///< false: numerators only
  bool decode = false;                  ///< a step: takes a state and returns the next one
  std::optional<ElementType> stateType; ///< of the sums of a state; f32 (f64 for f64) if not given
  std::optional<spectral::Denominator> denominator;
  std::optional<double> floor; ///< what small denominators are compared with
  std::optional<spectral::Form> form;
  bool eval = false;          ///< generators use their running statistics
  bool sample = false;        ///< draw from `key` and `offset` what is random and not a parameter
  bool orthogonal = false;    ///< drawn base frequencies come in orthogonal blocks
  std::optional<double> temp; ///< headDim^(-1/2) if not given
  std::optional<double> eps;  ///< 1e-6 if not given
  ElementType elementType = ElementType::F32;
  std::optional<Combination> combination; ///< one kernel of several maps
  std::vector<double> weights;            ///< of the terms of a sum; ones if empty
  Model model = Model::None;
  std::optional<int64_t> feedForward;        ///< hidden width of a layer; four times its width if not given
  std::optional<double> dropout;             ///< share of elements that training drops; 0 if not given
  bool prepare = false;                      ///< what depends on parameters only is a function of its own
  bool grad = false;                         ///< return gradients as well
  std::optional<int64_t> checkpointInterval; ///< positions between saved states; chosen by the compiler if not given

  // Of a classifier:
  std::optional<int64_t> layers, classes;
  std::optional<int64_t> vocabulary; ///< number of tokens
  std::optional<int64_t> maxLength;  ///< positions that have an embedding of their own
  bool labels = false;               ///< take labels, return the loss and what was right
  bool trainStep = false;            ///< a step of an optimizer
  OptimizerOptions optimizer;
};

/// The largest size of a dimension that options may ask for.
inline constexpr int64_t kMaxSize = int64_t(1) << 24;

/// Names as options spell them.
std::vector<llvm::StringRef> featureMapNames();
llvm::StringRef attentionName(Attention attention);
std::optional<Attention> parseAttention(llvm::StringRef name);
llvm::StringRef combinationName(Combination combination);
llvm::StringRef elementTypeName(ElementType type);
std::optional<ElementType> parseElementType(llvm::StringRef name);

/// Builds a module with the public function `attention`, `decode`, `features`, `encoder_layer` or `classifier`, the
/// gradient of one, such as `attention.grad`, or the step `classifier.train_step`. Options that contradict each other
/// are an error whose message names them as bochner-gen spells them. Loads the dialects that it uses into the context.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> buildGraph(mlir::MLIRContext &context, const GraphOptions &options);

} // namespace bochner::graphs

#endif // BOCHNER_LIB_GRAPHS_GRAPHS_H
