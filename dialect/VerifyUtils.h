//===- VerifyUtils.h - checks with one wording ------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What verifiers of the dialect share. Each check emits an error on the operation that names the operand, what is
// expected and what came.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_DIALECT_VERIFYUTILS_H
#define BOCHNER_DIALECT_VERIFYUTILS_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"

namespace bochner::spectral {

using llvm::StringRef;
using mlir::LogicalResult;
using mlir::Operation;
using mlir::RankedTensorType;
using mlir::Type;

/// Attributes that are not the operation's own need a dialect prefix: anything else is a misspelt name.
LogicalResult expectKnownAttributes(Operation *op);
LogicalResult expectRank(Operation *op, StringRef name, Type type, int64_t rank);
/// Dynamic dimensions agree with anything.
LogicalResult expectSameDim(Operation *op, StringRef name, Type type, int64_t dim, StringRef other, Type otherType,
                            int64_t otherDim);
LogicalResult expectStaticDim(Operation *op, StringRef name, Type type, int64_t dim, StringRef what);
LogicalResult expectPowerOfTwo(Operation *op, StringRef name, Type type, int64_t dim);
/// Rows and columns, the latter static.
LogicalResult expectColumns(Operation *op, StringRef name, Type type);
LogicalResult expectSameElementType(Operation *op, StringRef name, Type type, StringRef other, Type otherType);
LogicalResult expectFinite(Operation *op, StringRef name, const llvm::APFloat &value);
LogicalResult expectNotNegative(Operation *op, StringRef name, const llvm::APFloat &value);

inline int64_t lastDim(Type type) { return llvm::cast<RankedTensorType>(type).getShape().back(); }
/// The type with another last dimension.
RankedTensorType withLastDim(Type type, int64_t size);
/// Dimensions of the operation's result: static ones as its type says, dynamic ones those of `rows`.
LogicalResult reifyLike(mlir::OpBuilder &b, Operation *op, mlir::Value rows, mlir::ReifiedRankedShapedTypeDims &dims);
/// A row-wise operation with operands of other leading dimensions, which those of its result follow.
mlir::Value cloneWithOperands(mlir::OpBuilder &b, Operation *op, mlir::ValueRange operands);
/// True if all pairs of types are equal up to dynamic dimensions; where the last dimension is inferred to be static, so
/// is the result's.
bool areCompatible(mlir::TypeRange inferred, mlir::TypeRange results);

} // namespace bochner::spectral

#endif // BOCHNER_DIALECT_VERIFYUTILS_H
