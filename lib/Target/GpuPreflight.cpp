//===- GpuPreflight.cpp - what a chip can execute -------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LLVM knows the requirements of an instruction only while it selects it, and a mismatch is a fatal error there. The
// tables below repeat them, from the PTX ISA ("Target ISA Notes", "PTX ISA Notes" of each instruction).
//
//===----------------------------------------------------------------------===//
#include "lib/Target/GpuPreflight.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace bochner {

namespace {
/// Of the intrinsics llvm.nvvm.PREFIX...; the longest prefix counts. `exact`: only chips with an a, of that number.
struct Requirement {
  StringLiteral prefix;
  unsigned capability, ptx;
  bool exact = false;
};
} // namespace

static constexpr unsigned kShared = 3;
static constexpr unsigned kNever = 1000; // chips that this version generates no code for

static constexpr Requirement kRequirements[] = {
    // Threads, barriers, warps
    {"read.ptx.sreg.", 20, 20},
    {"read.ptx.sreg.aggr_smem_size", 90, 81},
    {"read.ptx.sreg.cluster", 90, 78},
    {"read.ptx.sreg.nclusterid", 90, 78},
    {"is_explicit_cluster", 90, 78},
    {"barrier", 30, 60},
    {"barrier.cluster", 90, 78},
    {"bar.", 30, 60},
    {"shfl.sync.", 30, 60},
    {"vote.", 30, 60},
    {"activemask", 30, 62},
    {"match.", 70, 60},
    {"elect.sync", 90, 80},
    {"redux.sync.", 80, 70},
    {"redux.sync.f", kNever, 86},
    {"nanosleep", 70, 63},
    {"membar.", 20, 20},
    {"fence.", 90, 80},
    {"setmaxnreg.", 90, 80, true},
    {"griddepcontrol.", 90, 78},
    {"exit", 20, 20},
    {"mapa.", 90, 78},
    {"isspacep.", 20, 20},
    {"isspacep.shared.cluster", 90, 78},
    // Copies
    {"cp.async.", 80, 70},
    {"cp.async.bulk.", 90, 80},
    {"mbarrier.", 80, 70},
    {"mbarrier.arrive.expect", 90, 80},
    {"mbarrier.expect", 90, 80},
    {"mbarrier.complete", 90, 80},
    {"mbarrier.try", 90, 80},
    {"mbarrier.test.wait.", 80, 71},
    // Matrices
    {"ldmatrix.sync.aligned.m8n8", 75, 65},
    {"stmatrix.sync.aligned.m8n8", 90, 78},
    {"movmatrix.", 75, 78},
    {"mma.", 80, 70},
    {"mma.block", kNever, 87},
    {"mma.sp.", 80, 71},
    {"mma.sp.ordered", 80, 85},
    {"mma.sp.block", kNever, 87},
    {"wmma.", 80, 70},
    {"wgmma.", 90, 80, true},
    // Numbers
    {"ex2.approx", 20, 20},
    {"lg2.approx.f", 20, 20},
    {"sin.approx", 20, 20},
    {"cos.approx", 20, 20},
    {"rcp.", 20, 20},
    {"rsqrt.", 20, 20},
    {"sqrt.", 20, 20},
    {"div.", 20, 20},
    {"tanh.approx", 75, 70},
    {"add.r", 20, 20},
    {"mul.r", 20, 20},
    {"mulhi.", 20, 20},
    {"mul24.", 20, 20},
    {"fma.rn", 80, 70},
    {"fma.rm", 20, 20},
    {"fma.rp", 20, 20},
    {"fma.rz", 20, 20},
    {"fmin.", 80, 70},
    {"fmax.", 80, 70},
    {"fabs", 80, 70},
    {"neg.bf16", 80, 70},
    {"saturate.", 20, 20},
    {"ceil.", 20, 20},
    {"floor.", 20, 20},
    {"round.", 20, 20},
    {"trunc.", 20, 20},
    {"ff2bf16x2.r", 80, 70},
    {"ff2bf16x2.rs", kNever, 87},
    {"ff2f16x2.r", 80, 70},
    {"ff2f16x2.rs", kNever, 87},
    {"f2bf16.r", 80, 70},
    {"f2f16.r", 80, 70},
    {"f2tf32.rna", 80, 70},
    {"f2tf32.rna.satfinite", 80, 81},
    {"f2tf32.rn", 90, 78},
    {"f2tf32.rz", 90, 78},
    {"d2f.", 20, 20},
    {"d2i.", 20, 20},
    {"f2i.", 20, 20},
    {"f2ui.", 20, 20},
    {"f2ll.", 20, 20},
    {"f2ull.", 20, 20},
    {"i2f.", 20, 20},
    {"ui2f.", 20, 20},
    {"ll2f.", 20, 20},
    {"ull2f.", 20, 20},
    {"prmt", 20, 20},
    {"brev", 20, 20},
    {"idp4a.", 61, 50},
    {"idp2a.", 61, 50},
};

/// Intrinsics that are no GPU's own and become instructions, never calls.
static constexpr StringLiteral kGenericIntrinsics[] = {
    "fma.",        "fmuladd.",    "fabs.",          "sqrt.",
    "floor.",      "ceil.",       "trunc.",         "rint.",
    "nearbyint.",  "roundeven.",  "round.",         "copysign.",
    "minnum.",     "maxnum.",     "minimum.",       "maximum.",
    "minimumnum.", "maximumnum.", "smin.",          "smax.",
    "umin.",       "umax.",       "abs.",           "ctpop.",
    "ctlz.",       "cttz.",       "bswap.",         "bitreverse.",
    "fshl.",       "fshr.",       "sadd.",          "uadd.",
    "ssub.",       "usub.",       "smul.with.",     "umul.with.",
    "memcpy.",     "memset.",     "memmove.",       "lifetime.",
    "invariant.",  "assume",      "dbg.",           "experimental.noalias.scope.decl",
    "expect.",     "trap",        "debugtrap",      "is.constant.",
    "is.fpclass.", "ptrmask.",    "vector.reduce.", "sideeffect",
};

namespace {
class Preflight {
public:
  Preflight(const Module &module, const GpuChip &chip, mlir::Location location)
      : module(module), chip(chip), location(location) {}
  mlir::LogicalResult run();

private:
  void fail(const Twine &message) {
    mlir::emitError(location) << message;
    good = false;
  }
  void checkGlobals();
  void checkDeclaration(const Function &function);
  void checkIntrinsic(StringRef name);
  void checkBody(const Function &function);

  const Module &module;
  const GpuChip &chip;
  mlir::Location location;
  bool good = true;
};
} // namespace

static std::string versionText(unsigned ptx) { return std::to_string(ptx / 10) + "." + std::to_string(ptx % 10); }

/// What the words of a name ask for beyond its prefix.
static Requirement refine(StringRef name, Requirement needed) {
  auto raise = [&](unsigned capability, unsigned ptx) {
    needed.capability = std::max(needed.capability, capability);
    needed.ptx = std::max(needed.ptx, ptx);
  };
  auto starts = [&](StringRef prefix) { return name.starts_with(prefix); };
  bool bf16 = name.contains("bf16"), f16 = !bf16 && name.contains("f16"), ftz = name.contains("ftz");
  if (starts("ex2.approx")) {
    if (bf16)
      raise(ftz ? 90 : kNever, 78); // the one that exists
    else if (f16)
      raise(ftz ? kNever : 75, 70);
  } else if (bf16 && (ftz || name.contains(".sat."))) {
    raise(kNever, 0);
  }
  if (name.contains("satfinite"))
    raise(0, 81);
  if (starts("f") && name.contains("xorsign"))
    raise(86, 72);
  if (starts("mbarrier.") && name.contains(".scope."))
    raise(name.contains("relaxed") ? kNever : 90, 80);
  if (starts("fence.") && name.contains("sync_restrict"))
    raise(90, 86);
  if (starts("fence.") && name.contains("tensormap"))
    raise(90, 83);
  if (starts("cp.async.bulk.")) {
    if (name.contains("bytemask") || name.contains("im2col.w") || name.contains("gather4") || name.contains("scatter4"))
      raise(kNever, 86);
    else if (name.contains("to.shared.cta") || name.contains("g2s.cta"))
      raise(90, 86);
  }
  if (starts("vote.") && !name.ends_with(".sync"))
    raise(kNever, 0); // from before warps could diverge
  if (starts("mma.")) {
    if (name.contains("kind") || name.contains("e2m1") || name.contains("e2m3") || name.contains("e3m2"))
      raise(kNever, 0);
    else if (name.contains("e4m3") || name.contains("e5m2"))
      raise(89, 84);
    if (name.contains("f64") && name.contains("m16n8"))
      raise(90, 78);
  }
  if ((starts("ldmatrix") || starts("stmatrix")) && !name.ends_with(".p3"))
    raise(kNever, 0); // of shared memory only
  return needed;
}

void Preflight::checkIntrinsic(StringRef name) {
  StringRef own = name;
  own.consume_front("llvm.nvvm.");
  const Requirement *found = nullptr;
  for (const Requirement &row : kRequirements)
    if (own.starts_with(row.prefix) && (!found || row.prefix.size() > found->prefix.size()))
      found = &row;
  if (!found)
    return fail("unsupported intrinsic '" + name +
                "' in a kernel; add what it requires to lib/Target/GpuPreflight.cpp");
  Requirement needed = refine(own, *found);
  if (needed.exact && (!chip.isExact() || chip.capability() != needed.capability))
    return fail("intrinsic '" + name + "' requires exactly sm_" + Twine(needed.capability) + "a, but the chip is " +
                chip.name + "; choose chip sm_" + Twine(needed.capability) + "a");
  if (chip.capability() < needed.capability) {
    if (needed.capability == kNever)
      return fail("intrinsic '" + name + "' requires a chip that this version generates no code for, but the chip is " +
                  chip.name);
    return fail("intrinsic '" + name + "' requires sm_" + Twine(needed.capability) + " or later, but the chip is " +
                chip.name);
  }
  if (chip.ptxVersion() < needed.ptx)
    fail("intrinsic '" + name + "' requires PTX " + versionText(needed.ptx) + ", but PTX " +
         versionText(chip.ptxVersion()) + " is generated for " + chip.name);
}

void Preflight::checkDeclaration(const Function &function) {
  StringRef name = function.getName();
  if (function.use_empty())
    return;
  if (!function.isIntrinsic())
    return fail("kernels call '" + name + "', which has no body; GPU code links to nothing");
  if (name.starts_with("llvm.nvvm."))
    return checkIntrinsic(name);
  StringRef generic = name.drop_front(strlen("llvm."));
  if (none_of(kGenericIntrinsics, [&](StringRef known) { return generic.starts_with(known); }))
    fail("unsupported intrinsic '" + name + "' in a kernel; GPUs have no instruction for it");
}

void Preflight::checkGlobals() {
  for (const GlobalVariable &global : module.globals()) {
    StringRef name = global.getName();
    if (name == "llvm.used" || name == "llvm.compiler.used")
      continue;
    if (global.isThreadLocal())
      fail("unsupported thread-local global '" + name + "' in GPU code");
    else if (global.hasAppendingLinkage())
      fail("unsupported list of constructors or destructors '" + name + "' in GPU code");
    else if (global.getAddressSpace() == kShared && global.hasInitializer() &&
             !isa<UndefValue>(global.getInitializer()))
      fail("expected shared memory '" + name + "' to have no initial value; GPUs cannot set it");
    else if (global.getAddressSpace() != kShared && global.isDeclaration())
      fail("GPU code refers to '" + name + "', which has no definition; it links to nothing");
  }
  for (const GlobalAlias &alias : module.aliases())
    fail("unsupported alias '" + alias.getName() + "' in GPU code");
  for (const GlobalIFunc &function : module.ifuncs())
    fail("unsupported indirect function '" + function.getName() + "' in GPU code");
}

static bool isUnsupported(const Type *type) {
  const Type *scalar = type->getScalarType();
  return type->isScalableTy() || scalar->isX86_FP80Ty() || scalar->isFP128Ty() || scalar->isPPC_FP128Ty() ||
         type->isX86_AMXTy() || type->isTargetExtTy();
}

/// Multiplication, division and conversion of such integers are calls of a library.
static bool isWide(const Type *type) { return type->isIntOrIntVectorTy() && type->getScalarSizeInBits() > 64; }

void Preflight::checkBody(const Function &function) {
  if (function.hasGC())
    fail("unsupported garbage collector of function '" + function.getName() + "' in GPU code");
  for (const Instruction &instruction : instructions(function)) {
    const Type *bad = isUnsupported(instruction.getType()) ? instruction.getType() : nullptr;
    bool wide = isWide(instruction.getType());
    for (const Use &operand : instruction.operands()) {
      if (isUnsupported(operand->getType()))
        bad = operand->getType();
      wide |= isWide(operand->getType());
    }
    if (bad) {
      std::string text;
      raw_string_ostream(text) << *bad;
      return fail("unsupported type '" + Twine(text) + "' in GPU function '" + function.getName() + "'");
    }
    unsigned code = instruction.getOpcode();
    bool multiplies = code == Instruction::Mul || code == Instruction::UDiv || code == Instruction::SDiv ||
                      code == Instruction::URem || code == Instruction::SRem || instruction.isAtomic() ||
                      (isa<CastInst>(instruction) && (instruction.getType()->isFPOrFPVectorTy() ||
                                                      instruction.getOperand(0)->getType()->isFPOrFPVectorTy()));
    if (wide && multiplies && code != Instruction::BitCast)
      return fail("unsupported operation '" + Twine(instruction.getOpcodeName()) +
                  "' on integers of more than 64 bits in GPU function '" + function.getName() + "'");
    if (instruction.isEHPad() || isa<InvokeInst, ResumeInst, IndirectBrInst, CallBrInst, VAArgInst>(instruction))
      return fail("unsupported instruction '" + Twine(instruction.getOpcodeName()) + "' in GPU function '" +
                  function.getName() + "'");
  }
}

mlir::LogicalResult Preflight::run() {
  checkGlobals();
  for (const Function &function : module) {
    if (function.isDeclaration())
      checkDeclaration(function);
    else
      checkBody(function);
  }
  return mlir::success(good);
}

mlir::LogicalResult checkGpuCode(const Module &module, const GpuChip &chip, mlir::Location location) {
  return Preflight(module, chip, location).run();
}

} // namespace bochner
