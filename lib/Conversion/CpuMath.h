//===- CpuMath.h - base functions as polynomials ----------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builds exp2, cosine, sine and logarithm as polynomials in `arith`, for scalars and vectors of f32 and f64 alike. A
// call of libm costs ten times as much, and no vector library has to be there at run time.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_CPUMATH_H
#define BOCHNER_LIB_CONVERSION_CPUMATH_H

#include "mlir/IR/Builders.h"
#include <utility>

namespace bochner {

class CpuMath {
public:
  /// `hasFma`: the target multiplies and adds in one instruction; otherwise a call of libm would replace it.
  CpuMath(mlir::OpBuilder &b, mlir::Location loc, bool hasFma = true) : b(b), loc(loc), hasFma(hasFma) {}

  /// A constant of the type of `like`.
  mlir::Value constant(double value, mlir::Value like);
  mlir::Value fma(mlir::Value x, mlir::Value y, mlir::Value z);
  /// An integer near x, below 2^22 (f64: 2^51) the nearest; infinities and NaN stay.
  mlir::Value round(mlir::Value x);
  /// max and min that return `bound` only if it decides: a NaN in `x` stays.
  mlir::Value atLeast(mlir::Value x, double bound);
  mlir::Value atMost(mlir::Value x, double bound);

  /// 2^t within 1 unit in the last place; infinity from 2^128 (f64: 2^1024), zero below 2^-126 (2^-1022).
  mlir::Value exp2(mlir::Value t);
  /// The same for t known to be below 127 (1023): exponents below the range give the smallest normal number.
  mlir::Value exp2Bounded(mlir::Value t);
  /// The same within a relative error of 7.5e-5, of 1.5e-4 below 2^-125 (2^-1021). For bf16; 2^0 is not exactly 1.
  mlir::Value exp2Coarse(mlir::Value t);
  /// cos and sin of (pi / 2) t with one range reduction; absolute error about 1.4 units in the last place of 1.
  std::pair<mlir::Value, mlir::Value> cosSinQuarter(mlir::Value t);
  /// Natural logarithm; -infinity at 0, NaN below.
  mlir::Value log(mlir::Value x);
  mlir::Value log1p(mlir::Value x);
  /// 1 - 2 / (1 + 2^(2 log2(e) x)).
  mlir::Value tanh(mlir::Value x);

private:
  mlir::Value exp2Bounded(mlir::Value t, llvm::ArrayRef<double> highestFirst);
  bool isDouble(mlir::Value v);
  mlir::Type integerLike(mlir::Value v);
  mlir::Value integer(int64_t value, mlir::Value like);
  mlir::Value magic(mlir::Value like);
  mlir::Value bits(mlir::Value v);
  mlir::Value number(mlir::Value bits, mlir::Value like);
  mlir::Value polynomial(llvm::ArrayRef<double> highestFirst, mlir::Value x);
  /// {round(t), t - round(t)} with the rounded value still shifted into the low mantissa bits.
  std::pair<mlir::Value, mlir::Value> reduce(mlir::Value t);

  mlir::OpBuilder &b;
  mlir::Location loc;
  bool hasFma;
};

} // namespace bochner

#endif // BOCHNER_LIB_CONVERSION_CPUMATH_H
