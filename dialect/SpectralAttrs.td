//===- SpectralAttrs.td - attributes of the spectral dialect ---*- tablegen -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_SPECTRAL_ATTRS
#define BOCHNER_SPECTRAL_ATTRS

include "mlir/IR/EnumAttr.td"
include "mlir/IR/AttrTypeBase.td"
include "dialect/SpectralDialect.td"

class Spectral_Enum<string name, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<name, summary, cases> {
  let genSpecializedAttr = 0;
  let cppNamespace = "::bochner::spectral";
}
class Spectral_EnumAttr<I32EnumAttr enum, string mnemonic> : EnumAttr<Spectral_Dialect, enum, mnemonic> {
  let assemblyFormat = "`<` $value `>`";
}

def Spectral_Domain : Spectral_Enum<"Domain", "what a feature region yields", [
    I32EnumAttrCase<"linear", 0>, I32EnumAttrCase<"log", 1>]>;
def Spectral_DomainAttr : Spectral_EnumAttr<Spectral_Domain, "domain">;

def Spectral_Causality : Spectral_Enum<"Causality", "which keys a query sees", [
    I32EnumAttrCase<"none", 0>, I32EnumAttrCase<"causal", 1>, I32EnumAttrCase<"anticausal", 2>]>;
def Spectral_CausalityAttr : Spectral_EnumAttr<Spectral_Causality, "causality">;

def Spectral_Denominator : Spectral_Enum<"Denominator", "what happens to denominators near zero", [
    I32EnumAttrCase<"none", 0>, I32EnumAttrCase<"clamp", 1>, I32EnumAttrCase<"count", 2>]>;
def Spectral_DenominatorAttr : Spectral_EnumAttr<Spectral_Denominator, "denominator">;

def Spectral_Form : Spectral_Enum<"Form", "in which order linear attention is summed", [
    I32EnumAttrCase<"automatic", 0, "auto">, I32EnumAttrCase<"quadratic", 1>, I32EnumAttrCase<"chunked", 2>,
    I32EnumAttrCase<"recurrent", 3>]>;
def Spectral_FormAttr : Spectral_EnumAttr<Spectral_Form, "form">;

def Spectral_Kernel : Spectral_Enum<"Kernel", "an attention kernel in closed form", [
    I32EnumAttrCase<"softmax", 0>, I32EnumAttrCase<"gaussian", 1>]>;
def Spectral_KernelAttr : Spectral_EnumAttr<Spectral_Kernel, "kernel">;

def Spectral_Covariance : Spectral_Enum<"Covariance", "how a Gaussian's covariance is given", [
    I32EnumAttrCase<"full", 0>, I32EnumAttrCase<"diagonal", 1>, I32EnumAttrCase<"scalar", 2>]>;
def Spectral_CovarianceAttr : Spectral_EnumAttr<Spectral_Covariance, "covariance">;

def Spectral_MeanSign : Spectral_Enum<"MeanSign", "whether both signs of the mean are kept", [
    I32EnumAttrCase<"plus", 0>, I32EnumAttrCase<"plus_minus", 1>]>;
def Spectral_MeanSignAttr : Spectral_EnumAttr<Spectral_MeanSign, "mean_sign">;

def Spectral_ScheduleAttr : AttrDef<Spectral_Dialect, "Schedule"> {
  let mnemonic = "schedule";
  let summary = "How a kernel is tiled.";
  let description = [{
    Chosen by `spectral-choose-schedule` for the target and printed with the kernel; an attribute that is already there
    is kept, so it can be overridden in the IR.

    - `row_tile`: rows of queries or keys whose features are in scratch at a time;
    - `feature_block`: features in scratch at a time; `row_tile * feature_block` elements live in the L1 cache;
    - `register_rows`, `register_columns`: the tile of accumulators that a product keeps in registers;
    - `row_chunk`: rows of keys that are read for all feature blocks before the next ones, so that they stay in L2.
  }];
  let parameters = (ins "int64_t":$row_tile, "int64_t":$feature_block, "int64_t":$register_rows,
                        "int64_t":$register_columns, "int64_t":$row_chunk);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

#endif // BOCHNER_SPECTRAL_ATTRS
