//===- LowerInlineAsm.cpp - inline PTX for the simulator ------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Inline assembly is recognized by its text: one instruction of a short list, the operands in order, or wgmma.mma_async
// with its predicate. Any other text is an error: to interpret PTX is not this simulator's business.
//
//===----------------------------------------------------------------------===//
#include "lib/Simulator/Rewriter.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/Support/Regex.h"
#include <cstddef>

using namespace llvm;

namespace bochner::sim {

/// Without comments, line breaks and spaces that mean nothing.
static std::string normalize(StringRef text) {
  std::string result;
  while (!text.empty()) {
    if (text.starts_with("//")) {
      text = text.drop_until([](char c) { return c == '\n'; });
      continue;
    }
    char c = text.front();
    text = text.drop_front();
    if (c != '\n' && c != '\t' && c != ' ')
      result.push_back(c);
    else if (!result.empty() && result.back() != ' ')
      result.push_back(' ');
  }
  return StringRef(result).trim().str();
}

/// The operands "$0, $1, ..." of an instruction with one result, in order.
static bool hasPlainOperands(StringRef text, unsigned inputs) {
  std::string expected = "$0";
  for (unsigned i = 1; i <= inputs; ++i)
    expected += ",$" + std::to_string(i);
  std::string squeezed;
  for (char c : text)
    if (c != ' ')
      squeezed.push_back(c);
  return squeezed == expected;
}

static Value *arithmetic(KernelRewriter &rewriter, IRBuilder<> &builder, CallInst *call, StringRef instruction) {
  auto a = [&](unsigned i) { return call->getArgOperand(i); };
  auto bits = [&](Value *value) { return builder.CreateBitCast(value, call->getType()); };
  auto number = [&](unsigned i) { return builder.CreateBitCast(a(i), rewriter.f32); };
  unsigned inputs = call->arg_size();
  if (instruction.starts_with("mov.b") && inputs == 1)
    return a(0)->getType() == call->getType() ? a(0) : bits(a(0));
  if (instruction == "movmatrix.sync.aligned.m8n8.trans.b16" && inputs == 1)
    return rewriter.warp(builder, call, instruction, BOCHNER_SIM_MOVMATRIX, rewriter.word(0), rewriter.word(~0u),
                         {a(0)}, call->getType());
  auto [name, variant] = instruction.split('.');
  if (inputs == 1 && (variant == "approx.f32" || variant == "approx.ftz.f32"))
    if (Value *result = specialFunction(rewriter, builder, name, number(0)))
      return bits(result);
  if (instruction == "cvt.rna.tf32.f32" && inputs == 1)
    return bits(roundToTf32(rewriter, builder, number(0)));
  bool bfloat = instruction == "cvt.rn.bf16x2.f32";
  if ((bfloat || instruction == "cvt.rn.f16x2.f32") && inputs == 2) {
    Type *type = bfloat ? builder.getBFloatTy() : builder.getHalfTy();
    Value *pair = PoisonValue::get(FixedVectorType::get(type, 2));
    for (unsigned i : {0, 1}) // the first operand is the upper half
      pair = builder.CreateInsertElement(pair, builder.CreateFPTrunc(number(1 - i), type), i);
    return bits(pair);
  }
  return nullptr;
}

/// Instructions without results that mean nothing here.
static bool isFence(StringRef instruction) {
  for (StringRef prefix : {"fence.", "membar.", "griddepcontrol.", "setmaxnreg.", "prefetch"})
    if (instruction.starts_with(prefix))
      return true;
  return instruction.starts_with("wgmma.fence");
}

//===----------------------------------------------------------------------===//
// wgmma.mma_async
//===----------------------------------------------------------------------===//

static std::optional<bochner_sim_type_t> typeOf(StringRef name) {
  return StringSwitch<std::optional<bochner_sim_type_t>>(name)
      .Case("f16", BOCHNER_SIM_F16)
      .Case("bf16", BOCHNER_SIM_BF16)
      .Case("tf32", BOCHNER_SIM_TF32)
      .Case("f32", BOCHNER_SIM_F32)
      .Default(std::nullopt);
}

/// The number of the operand "$12"; ~0 if the text is something else.
static unsigned operandNumber(StringRef text) {
  unsigned number;
  text = text.trim();
  return text.consume_front("$") && !text.getAsInteger(10, number) ? number : ~0u;
}

/// { .reg .pred p; setp.ne.b32 p, $S, 0; wgmma.mma_async.sync.aligned.mMnNkK.D.A.B {$0, ...}, A, $B, p, 1, 1[, 0, 1]; }
/// where A is a descriptor $A or registers {$A, ...}. Results are tied to the first inputs.
static bool lowerWgmma(KernelRewriter &rewriter, CallInst *call, StringRef text) {
  static Regex pattern(
      "^\\{? ?\\.reg \\.pred ([a-z]+) ?; setp\\.ne\\.b32 [a-z]+, ?(\\$[0-9]+), ?0 ?; "
      "wgmma\\.mma_async\\.sync\\.aligned\\.m64n([0-9]+)k([0-9]+)\\.([a-z0-9]+)\\.([a-z0-9]+)\\."
      "([a-z0-9]+) ?\\{([^}]*)\\} ?, ?(\\{[^}]*\\}|\\$[0-9]+) ?, ?(\\$[0-9]+) ?, ?[a-z]+((, ?-?[01] ?)*); "
      "?\\}?$");
  SmallVector<StringRef> parts;
  if (!pattern.match(text, &parts))
    return false;
  unsigned n, k;
  auto d = typeOf(parts[5]), a = typeOf(parts[6]), b = typeOf(parts[7]);
  if (parts[3].getAsInteger(10, n) || parts[4].getAsInteger(10, k) || !d || !a || !b || *a != *b)
    return false;
  SmallVector<StringRef> accumulators, registers, flags;
  parts[8].split(accumulators, ',');
  bool registerA = parts[9].starts_with("{");
  parts[9].trim("{}").split(registers, ',');
  parts[11].split(flags, ',', -1, /*KeepEmpty=*/false);
  erase_if(flags, [](StringRef flag) { return flag.trim().empty(); });

  // Inputs in the order of constraints: "=f,...,f,l,l,r,0,1,...". $i with i >= #results is input i - #results, with the
  // tied ones last.
  unsigned results = unsigned(accumulators.size());
  auto input = [&](StringRef operand) -> Value * {
    unsigned number = operandNumber(operand);
    return number < results || number - results >= call->arg_size() ? nullptr : call->getArgOperand(number - results);
  };
  SmallVector<Value *> values;
  InlineAsm::ConstraintInfoVector constraints = cast<InlineAsm>(call->getCalledOperand())->ParseConstraints();
  SmallVector<Value *> tied(results);
  unsigned argument = 0;
  for (const InlineAsm::ConstraintInfo &constraint : constraints) {
    if (constraint.Type != InlineAsm::isInput)
      continue;
    unsigned target;
    if (constraint.Codes.size() == 1 && !StringRef(constraint.Codes[0]).getAsInteger(10, target) && target < results)
      tied[target] = call->getArgOperand(argument);
    ++argument;
  }
  for (auto [i, accumulator] : enumerate(accumulators))
    if (operandNumber(accumulator) != i || !tied[i])
      return false;
  append_range(values, tied);
  for (StringRef operand : registers)
    values.push_back(input(operand));
  values.push_back(input(parts[10]));
  Value *scale = input(parts[2]);
  if (!scale || is_contained(values, nullptr) || (registerA && registers.size() != 4))
    return false;
  auto flag = [&](unsigned i) { return i < flags.size() ? flags[i].trim() : StringRef("0"); };
  IRBuilder<> builder(call);
  values.push_back(builder.CreateZExt(builder.CreateIsNotNull(scale), rewriter.i32));
  uint32_t key = BOCHNER_SIM_MMA_KEY(64, n, k, *a, *b, *d, *d);
  key |= flag(0) == "-1" ? BOCHNER_SIM_WGMMA_NEGATE_A : 0;
  key |= flag(1) == "-1" ? BOCHNER_SIM_WGMMA_NEGATE_B : 0;
  key |= registerA ? BOCHNER_SIM_WGMMA_REGISTER_A : flag(2) == "1" ? BOCHNER_SIM_WGMMA_TRANSPOSE_A : 0;
  key |= flag(registerA ? 2 : 3) == "1" ? BOCHNER_SIM_WGMMA_TRANSPOSE_B : 0;
  rewriter.pack(builder, values);
  rewriter.results(builder, results);
  rewriter.call(builder, offsetof(bochner_sim_functions_t, wgmma), rewriter.voidType,
                {rewriter.site(call, "wgmma.mma_async"), rewriter.word(key), rewriter.operands(builder, 0),
                 rewriter.results(builder, 0)});
  call->replaceAllUsesWith(rewriter.unpack(builder, call->getType()));
  call->eraseFromParent();
  return true;
}

bool lowerInlineAsm(KernelRewriter &rewriter, CallInst *call) {
  auto *assembly = cast<InlineAsm>(call->getCalledOperand());
  std::string text = normalize(assembly->getAsmString());
  if (lowerWgmma(rewriter, call, text))
    return true;
  StringRef rest = text;
  rest.consume_back(";");
  rest = rest.rtrim();
  auto [instruction, operands] = rest.split(' ');
  if (rest.empty() && (call->getType()->isVoidTy() || call->arg_size() == 1)) {
    if (!call->getType()->isVoidTy()) // an opaque copy
      call->replaceAllUsesWith(call->getArgOperand(0));
    call->eraseFromParent();
    return true;
  }
  if (call->getType()->isVoidTy() && isFence(instruction)) {
    IRBuilder<> builder(call);
    if (instruction.starts_with("fence.proxy.async"))
      rewriter.call(builder, offsetof(bochner_sim_functions_t, group), rewriter.voidType,
                    {rewriter.site(call, instruction), rewriter.word(BOCHNER_SIM_FENCE_PROXY), rewriter.word(0)});
    call->eraseFromParent();
    return true;
  }
  if (!rest.contains(';') && !call->getType()->isVoidTy() && !call->getType()->isStructTy() &&
      hasPlainOperands(operands, call->arg_size())) {
    IRBuilder<> builder(call);
    if (Value *result = arithmetic(rewriter, builder, call, instruction)) {
      call->replaceAllUsesWith(result);
      call->eraseFromParent();
      return true;
    }
  }
  rewriter.error(call) << "no simulation of inline assembly '" << text
                       << "'; use an operation of the nvvm dialect, or a text that docs/Simulator.md lists";
  return false;
}

} // namespace bochner::sim
