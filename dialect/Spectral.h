//===- Spectral.h - the spectral dialect ------------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one public header of the dialect: operations, attributes and interfaces of kernelized attention.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_DIALECT_SPECTRAL_H
#define BOCHNER_DIALECT_SPECTRAL_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include <string>
#include <utility>

namespace bochner::spectral {

/// How an operand of a row-wise operation takes part.
enum class RowwiseOperand {
  Row,           ///< [B, H, N, ...]: the tile has its rows
  HeadParameter, ///< [H, ...]: the region receives the slice of one head
  Shared,        ///< the same for all rows and heads
  Constant,      ///< a scalar constant, copied into the region
  Initial,       ///< a tensor without content that only gives a shape
};

/// What a rule of reverse mode sees of the sweep that it takes part in (ReverseDifferentiableOpInterface). Cotangents
/// have the types of their values.
class ReverseSweep {
public:
  virtual ~ReverseSweep() = default;
  /// Whether a value depends on what is differentiated with respect to; only then its cotangent is asked for.
  virtual bool isActive(mlir::Value v) const = 0;
  /// The cotangent of a result; null if nothing that counts depends on it.
  virtual mlir::Value cotangentOf(mlir::Value result) const = 0;
  /// Adds to the cotangent of a value; does nothing if the value is not active or `cotangent` is null.
  virtual void add(mlir::OpBuilder &b, mlir::Value v, mlir::Value cotangent) = 0;
  /// What has been added for an active value so far, null for nothing. Sums of 16-bit elements are of f32.
  virtual mlir::Value sumOf(mlir::Value v) const = 0;
  /// Puts a sum in the place of that, for rules that add to a part of a tensor.
  virtual void setSum(mlir::Value v, mlir::Value sum) = 0;
};

/// The type in which kernels compute and sum elements of a type: f32 for 16-bit ones, otherwise the type itself.
mlir::Type getAccumulatorType(mlir::Type element);

/// Names of the discardable attributes of arguments and results (dialect `bochner`).
inline constexpr llvm::StringLiteral kNameAttr = "bochner.name";
inline constexpr llvm::StringLiteral kInitAttr = "bochner.init";
inline constexpr llvm::StringLiteral kDimsAttr = "bochner.dims";
inline constexpr llvm::StringLiteral kUpdatesAttr = "bochner.updates"; // results only
/// Marks a function that the phase `kernel` outlined.
inline constexpr llvm::StringLiteral kKernelAttr = "spectral.kernel";
/// The schedule of such a function.
inline constexpr llvm::StringLiteral kScheduleAttr = "spectral.schedule";

} // namespace bochner::spectral

#include "dialect/SpectralInterfaces.h.inc"

#include "dialect/BochnerDialect.h.inc"
#include "dialect/SpectralDialect.h.inc"
#include "dialect/SpectralEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/SpectralAttrs.h.inc"
#define GET_OP_CLASSES
#include "dialect/SpectralOps.h.inc"

#endif // BOCHNER_DIALECT_SPECTRAL_H
