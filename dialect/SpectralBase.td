//===- SpectralBase.td - what all operations share -------------*- tablegen -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_SPECTRAL_BASE
#define BOCHNER_SPECTRAL_BASE

include "mlir/IR/OpBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "dialect/SpectralAttrs.td"
include "dialect/SpectralInterfaces.td"

class Spectral_Op<string mnemonic, list<Trait> traits = []> : Op<Spectral_Dialect, mnemonic, traits> {
  let hasVerifier = 1;
}

/// A ranked tensor of one of the element types that kernels compute in.
def Spectral_FloatTensor : RankedTensorOf<[F16, BF16, F32, F64]>;
def Spectral_IndexVector : 1DTensorOf<[I32, I64, Index]>;
def Spectral_BoolMatrix : 2DTensorOf<[I1]>;

def Spectral_Reified : DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>;
def Spectral_Rowwise : DeclareOpInterfaceMethods<Spectral_RowwiseOpInterface>;

/// An operation that maps rows to rows.
class Spectral_RowwiseOp<string mnemonic, list<Trait> traits = []>
    : Spectral_Op<mnemonic, !listconcat([
        Pure, Spectral_Rowwise, InferTypeOpAdaptorWithIsCompatible, Spectral_Reified], traits)>;

#endif // BOCHNER_SPECTRAL_BASE
