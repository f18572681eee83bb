//===- SpectralInterfaces.td - interfaces of feature maps ------*- tablegen -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_SPECTRAL_INTERFACES
#define BOCHNER_SPECTRAL_INTERFACES

include "mlir/IR/OpBase.td"

def Spectral_FeatureMapOpInterface : OpInterface<"FeatureMapOpInterface"> {
  let description = [{
    An operation that owns feature maps as regions. The block arguments of such a region are a tile of rows
    `tensor<?xD>` and, for each parameter, the slice of one head.
  }];
  let cppNamespace = "::bochner::spectral";
  let methods = [
    InterfaceMethod<"The number of features a row is mapped to.", "int64_t", "getFeatureCount", (ins)>,
    InterfaceMethod<"The operands whose rows regions map, each with its region; one region may serve several.",
      "::llvm::SmallVector<std::pair<::mlir::OpOperand *, ::mlir::Region *>>", "getFeatureOperands", (ins)>,
    InterfaceMethod<"The operands whose slices the regions receive after the tile.",
      "::mlir::OperandRange", "getFeatureParameters", (ins)>,
    InterfaceMethod<"The same, to append to.", "::mlir::MutableOperandRange", "getFeatureParametersMutable", (ins)>,
    InterfaceMethod<"Gives operands that share a region copies of their own.", "void", "separateFeatureRegions", (ins)>,
    InterfaceMethod<"True if the regions yield logarithms of features.", "bool", "isLogDomain", (ins)>,
  ];
}

def Spectral_RowwiseOpInterface : OpInterface<"RowwiseOpInterface"> {
  let description = [{
    An operation on tensors `[B, H, N, ...]` each row `(b, h, n)` of whose result depends on the same row of its
    operands only, so that it may sink into a feature region, where it works on a tile of rows of one head.
    Operations of other dialects get it by external models.
  }];
  let cppNamespace = "::bochner::spectral";
  let methods = [
    InterfaceMethod<[{
        Tells how each operand takes part. Fails, with a reason that completes the sentence "not fused: ...", if the
        operation is not row-wise as it stands.
      }],
      "::mlir::LogicalResult", "classifyOperands",
      (ins "::llvm::SmallVectorImpl<::bochner::spectral::RowwiseOperand> &":$kinds, "::std::string &":$reason)>,
    InterfaceMethod<[{
        Builds the operation on a tile of `rows` rows. `operands` has a value for each operand: the tile of a row
        operand, the slice of a head parameter, a copy of anything else (null for initial tensors without content).
      }],
      "::mlir::Value", "cloneOnTile",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Value":$rows, "::mlir::ValueRange":$operands)>,
  ];
}

def Spectral_ReverseDifferentiableOpInterface : OpInterface<"ReverseDifferentiableOpInterface"> {
  let description = [{
    An operation whose adjoint can be written down: what the cotangents of its operands receive from those of its
    results. `spectral-differentiate` asks the operations of a function for it, from the last one to the first, and
    those of regions in the same way, so a rule of scalars is one of `linalg` bodies too. Operations of other dialects
    get it by external models. A rule that builds only what has a rule can be differentiated again.
  }];
  let cppNamespace = "::bochner::spectral";
  let methods = [
    InterfaceMethod<[{
        Adds to the cotangents of the operands that are active what those of the results are worth there. Builds at the
        insertion point of `builder`, which dominates nothing of the primal operations and is dominated by all of them.
        Emits an error, at the operation, and fails for a case without a rule.
      }],
      "::llvm::LogicalResult", "buildAdjoint",
      (ins "::mlir::OpBuilder &":$builder, "::bochner::spectral::ReverseSweep &":$sweep)>,
  ];
}

#endif // BOCHNER_SPECTRAL_INTERFACES
