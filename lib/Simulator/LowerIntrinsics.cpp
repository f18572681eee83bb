//===- LowerIntrinsics.cpp - NVVM intrinsics for the simulator ------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function a family, each of which takes the call, the name without "llvm.nvvm." and returns whether the name is of
// that family. A name that no family knows is an error: nothing is simulated by guessing.
//
//===----------------------------------------------------------------------===//
#include "lib/Simulator/Rewriter.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include <cstddef>

using namespace llvm;

namespace bochner::sim {

namespace {
/// The call under work. A family function reports through `bad` that it knows the name but not this variant.
class IntrinsicLowering {
public:
  IntrinsicLowering(KernelRewriter &rewriter, CallInst *call, StringRef name)
      : rewriter(rewriter), call(call), name(name), builder(call) {}

  bool run();

private:
  bool specialRegister(StringRef rest);
  bool barrier(StringRef rest);
  bool shuffle(StringRef rest);
  bool vote(StringRef rest);
  bool reduction(StringRef rest);
  bool match(StringRef rest);
  bool matrixMove(StringRef rest, bool store);
  bool mma(StringRef rest);
  bool cpAsync(StringRef rest);
  bool mbarrier(StringRef rest);
  bool tensorCopy(StringRef rest);
  bool bulkCopy(bool load);
  bool other();

  Value *argument(unsigned i) { return call->getArgOperand(i); }
  Value *site() { return rewriter.site(call, name); }
  bool replace(Value *value) {
    if (value && !call->getType()->isVoidTy())
      call->replaceAllUsesWith(value);
    call->eraseFromParent();
    return true;
  }
  bool warp(bochner_sim_warp_t operation, uint32_t key, Value *mask, ArrayRef<Value *> values) {
    return replace(rewriter.warp(builder, call, name, operation, rewriter.word(key), mask, values, call->getType()));
  }
  bool group(bochner_sim_group_t operation, Value *n) {
    rewriter.call(builder, offsetof(bochner_sim_functions_t, group), rewriter.voidType,
                  {site(), rewriter.word(operation), n});
    return replace(nullptr);
  }
  bool callMbarrier(bochner_sim_mbarrier_t operation, Value *a, Value *b) {
    auto wide = [&](Value *value) {
      return value ? builder.CreateZExtOrTrunc(value, rewriter.i64) : (Value *)builder.getInt64(0);
    };
    Value *result =
        rewriter.call(builder, offsetof(bochner_sim_functions_t, mbarrier), rewriter.i64,
                      {site(), rewriter.word(operation), rewriter.generic(builder, argument(0)), wide(a), wide(b)});
    return replace(call->getType()->isVoidTy() ? nullptr : builder.CreateTrunc(result, call->getType()));
  }

  KernelRewriter &rewriter;
  CallInst *call;
  StringRef name;
  IRBuilder<> builder;
};
} // namespace

bool IntrinsicLowering::specialRegister(StringRef rest) {
  auto vector = [](size_t base, StringRef prefix, StringRef name) -> std::optional<size_t> {
    if (!name.consume_front(prefix) || name.size() != 2 || name[0] != '.' || name[1] < 'x' || name[1] > 'z')
      return std::nullopt;
    return base + 4 * size_t(name[1] - 'x');
  };
  std::optional<size_t> offset;
  for (auto [member, prefix] : {std::pair{offsetof(bochner_sim_lane, thread), "tid"},
                                {offsetof(bochner_sim_lane, block), "ctaid"},
                                {offsetof(bochner_sim_lane, block_dim), "ntid"},
                                {offsetof(bochner_sim_lane, grid), "nctaid"}})
    if (!offset)
      offset = vector(member, prefix, rest);
  if (!offset)
    offset = StringSwitch<std::optional<size_t>>(rest)
                 .Case("laneid", offsetof(bochner_sim_lane, lane))
                 .Case("warpid", offsetof(bochner_sim_lane, warp))
                 .Case("nwarpid", offsetof(bochner_sim_lane, warps))
                 .Case("dynamic_smem_size", offsetof(bochner_sim_lane, dynamic_shared))
                 .Case("total_smem_size", offsetof(bochner_sim_lane, total_shared))
                 .Default(std::nullopt);
  if (offset)
    return replace(rewriter.laneField(builder, *offset, rewriter.i32));
  if (rest == "warpsize")
    return replace(builder.getInt32(32));
  if (rest == "cluster.ctarank" || rest.starts_with("cluster.ctaid."))
    return replace(builder.getInt32(0)); // clusters of one block
  if (rest == "cluster.nctarank" || rest.starts_with("cluster.nctaid."))
    return replace(builder.getInt32(1));
  if (rest.starts_with("clock") || rest.starts_with("globaltimer"))
    return replace(builder.CreateTrunc(
        rewriter.call(builder, offsetof(bochner_sim_functions_t, clock), rewriter.i64, {}), call->getType()));
  if (!rest.consume_front("lanemask."))
    return false;
  Value *lane = rewriter.laneField(builder, offsetof(bochner_sim_lane, lane), rewriter.i32);
  Value *equal = builder.CreateShl(builder.getInt32(1), lane), *less = builder.CreateSub(equal, builder.getInt32(1));
  Value *lessEqual = builder.CreateOr(less, equal);
  return replace(rest == "eq"   ? equal
                 : rest == "lt" ? less
                 : rest == "le" ? lessEqual
                 : rest == "ge" ? builder.CreateNot(less)
                                : builder.CreateNot(lessEqual));
}

bool IntrinsicLowering::barrier(StringRef rest) {
  bool all = rest.ends_with(".all");
  bochner_sim_barrier_t kind = rest.starts_with("sync")       ? BOCHNER_SIM_BARRIER_SYNC
                               : rest.starts_with("red.popc") ? BOCHNER_SIM_BARRIER_POPC
                               : rest.starts_with("red.and")  ? BOCHNER_SIM_BARRIER_AND
                               : rest.starts_with("red.or")   ? BOCHNER_SIM_BARRIER_OR
                                                              : BOCHNER_SIM_BARRIER_ARRIVE;
  bool reduces = kind != BOCHNER_SIM_BARRIER_SYNC && kind != BOCHNER_SIM_BARRIER_ARRIVE;
  if (reduces)
    rewriter.pack(builder, {argument(all ? 1 : 2)});
  rewriter.call(builder, offsetof(bochner_sim_functions_t, barrier), rewriter.voidType,
                {site(), rewriter.word(kind), argument(0), all ? rewriter.word(0) : argument(1),
                 rewriter.operands(builder, 1), rewriter.results(builder, 1)});
  return replace(reduces ? rewriter.unpack(builder, call->getType()) : nullptr);
}

bool IntrinsicLowering::shuffle(StringRef rest) {
  uint32_t mode = rest.starts_with("up") ? 0 : rest.starts_with("down") ? 1 : rest.starts_with("bfly") ? 2 : 3;
  return warp(BOCHNER_SIM_SHUFFLE, mode, argument(0), {argument(1), argument(2), argument(3)});
}

bool IntrinsicLowering::vote(StringRef rest) {
  int mode = StringSwitch<int>(rest)
                 .Case("all.sync", 0)
                 .Case("any.sync", 1)
                 .Case("uni.sync", 2)
                 .Case("ballot.sync", 3)
                 .Default(-1);
  return mode >= 0 && warp(BOCHNER_SIM_VOTE, uint32_t(mode), argument(0), {argument(1)});
}

bool IntrinsicLowering::reduction(StringRef rest) {
  int key = StringSwitch<int>(rest)
                .Case("add", BOCHNER_SIM_REDUX_ADD)
                .Case("umin", BOCHNER_SIM_REDUX_UMIN)
                .Case("umax", BOCHNER_SIM_REDUX_UMAX)
                .Case("and", BOCHNER_SIM_REDUX_AND)
                .Case("or", BOCHNER_SIM_REDUX_OR)
                .Case("xor", BOCHNER_SIM_REDUX_XOR)
                .Case("min", BOCHNER_SIM_REDUX_MIN)
                .Case("max", BOCHNER_SIM_REDUX_MAX)
                .Case("fmin", BOCHNER_SIM_REDUX_FMIN)
                .Case("fmax", BOCHNER_SIM_REDUX_FMAX)
                .Default(-1);
  return key >= 0 && warp(BOCHNER_SIM_REDUX, uint32_t(key), argument(1), {argument(0)});
}

bool IntrinsicLowering::match(StringRef rest) {
  bool all = rest.starts_with("all."), wide = rest.contains("i64");
  return warp(BOCHNER_SIM_MATCH, uint32_t(all) | uint32_t(wide) << 1, argument(0), {argument(1)});
}

bool IntrinsicLowering::matrixMove(StringRef rest, bool store) {
  bool transposed = rest.ends_with(".trans.b16");
  uint32_t tiles = rest.size() > 1 && rest[0] == 'x' ? uint32_t(rest[1] - '0') : 0;
  if (!rest.ends_with(".b16") || (tiles != 1 && tiles != 2 && tiles != 4))
    return false;
  return warp(store ? BOCHNER_SIM_STMATRIX : BOCHNER_SIM_LDMATRIX, tiles | uint32_t(transposed) << 8,
              rewriter.word(~0u), SmallVector<Value *>(call->args()));
}

bool IntrinsicLowering::mma(StringRef rest) {
  SmallVector<StringRef> parts;
  rest.split(parts, '.'); // m16n8k16.row.col.<types>
  StringRef types = rest.drop_front(parts[0].size());
  if (!types.consume_front(".row.col."))
    return false;
  auto floats = [&](uint32_t k, bochner_sim_type_t input, bochner_sim_type_t c, bochner_sim_type_t d) {
    return warp(BOCHNER_SIM_MMA, BOCHNER_SIM_MMA_KEY(16, 8, k, input, input, c, d), rewriter.word(~0u),
                SmallVector<Value *>(call->args()));
  };
  uint32_t k = parts[0] == "m16n8k4" ? 4 : parts[0] == "m16n8k8" ? 8 : parts[0] == "m16n8k16" ? 16 : 0;
  if (types == "f64" && parts[0] == "m8n8k4")
    return warp(BOCHNER_SIM_MMA,
                BOCHNER_SIM_MMA_KEY(8, 8, 4, BOCHNER_SIM_F64, BOCHNER_SIM_F64, BOCHNER_SIM_F64, BOCHNER_SIM_F64),
                rewriter.word(~0u), SmallVector<Value *>(call->args()));
  if (types == "tf32" && (k == 4 || k == 8))
    return floats(k, BOCHNER_SIM_TF32, BOCHNER_SIM_F32, BOCHNER_SIM_F32);
  if (k < 8)
    return false;
  if (types == "bf16")
    return floats(k, BOCHNER_SIM_BF16, BOCHNER_SIM_F32, BOCHNER_SIM_F32);
  if (types == "f32.f32")
    return floats(k, BOCHNER_SIM_F16, BOCHNER_SIM_F32, BOCHNER_SIM_F32);
  if (types == "f16.f16")
    return floats(k, BOCHNER_SIM_F16, BOCHNER_SIM_F16, BOCHNER_SIM_F16);
  if (types == "f32.f16") // D, C
    return floats(k, BOCHNER_SIM_F16, BOCHNER_SIM_F16, BOCHNER_SIM_F32);
  if (types == "f16.f32")
    return floats(k, BOCHNER_SIM_F16, BOCHNER_SIM_F32, BOCHNER_SIM_F16);
  return false;
}

bool IntrinsicLowering::cpAsync(StringRef rest) {
  if (rest == "commit.group")
    return group(BOCHNER_SIM_CP_ASYNC_COMMIT, rewriter.word(0));
  if (rest == "wait.group")
    return group(BOCHNER_SIM_CP_ASYNC_WAIT, argument(0));
  if (rest == "wait.all")
    return group(BOCHNER_SIM_CP_ASYNC_WAIT_ALL, rewriter.word(0));
  if (rest.starts_with("mbarrier.arrive"))
    return callMbarrier(BOCHNER_SIM_MBARRIER_CP_ASYNC, builder.getInt64(rest.contains("noinc")), nullptr);
  if (rest == "bulk.commit.group")
    return group(BOCHNER_SIM_BULK_COMMIT, rewriter.word(0));
  if (rest == "bulk.wait.group")
    return group(BOCHNER_SIM_BULK_WAIT, argument(0));
  if (rest == "bulk.wait.group.read")
    return group(BOCHNER_SIM_BULK_WAIT_READ, argument(0));
  if (rest == "bulk.global.to.shared.cluster" || rest == "bulk.global.to.shared.cta")
    return bulkCopy(/*load=*/true);
  if (rest == "bulk.shared.cta.to.global")
    return bulkCopy(/*load=*/false);
  if (rest.consume_front("bulk.tensor."))
    return tensorCopy(rest);
  if (!rest.consume_front("ca.shared.global.") && !rest.consume_front("cg.shared.global."))
    return false;
  bool hasSize = rest.consume_back(".s");
  uint32_t size;
  if (rest.getAsInteger(10, size))
    return false;
  Value *sourceSize = hasSize ? argument(2) : rewriter.word(size);
  rewriter.call(builder, offsetof(bochner_sim_functions_t, cp_async), rewriter.voidType,
                {rewriter.site(call, "cp.async", size), rewriter.generic(builder, argument(0)),
                 rewriter.generic(builder, argument(1)), rewriter.word(size), sourceSize});
  return replace(nullptr);
}

/// g2s.tile.Nd(shared, mbarrier, map, coordinates..., mask, hint, flags...), s2g.tile.Nd(shared, map, coordinates...,
/// hint, flag).
bool IntrinsicLowering::tensorCopy(StringRef rest) {
  bool load = rest.consume_front("g2s.");
  if (load)
    rest.consume_front("cta.");
  else if (!rest.consume_front("s2g."))
    return false;
  uint32_t rank;
  if (!rest.consume_front("tile.") || !rest.consume_back("d") || rest.getAsInteger(10, rank) || rank > 5)
    return false;
  unsigned first = load ? 3 : 2;
  SmallVector<Value *> coordinates;
  for (unsigned i = 0; i < rank; ++i)
    coordinates.push_back(argument(first + i));
  rewriter.pack(builder, coordinates);
  Value *barrier = load ? rewriter.generic(builder, argument(1)) : ConstantPointerNull::get(rewriter.pointer);
  rewriter.call(builder, offsetof(bochner_sim_functions_t, tma), rewriter.voidType,
                {site(), rewriter.word(load ? BOCHNER_SIM_TMA_LOAD : BOCHNER_SIM_TMA_STORE),
                 rewriter.generic(builder, argument(0)), barrier, rewriter.generic(builder, argument(load ? 2 : 1)),
                 rewriter.operands(builder, rank), rewriter.word(rank)});
  return replace(nullptr);
}

/// (shared, mbarrier, global, size, ...) or (global, shared, size, ...): a copy of rank 0.
bool IntrinsicLowering::bulkCopy(bool load) {
  rewriter.pack(builder, {argument(load ? 3 : 2)});
  Value *barrier = load ? rewriter.generic(builder, argument(1)) : ConstantPointerNull::get(rewriter.pointer);
  rewriter.call(builder, offsetof(bochner_sim_functions_t, tma), rewriter.voidType,
                {site(), rewriter.word(load ? BOCHNER_SIM_TMA_LOAD : BOCHNER_SIM_TMA_STORE),
                 rewriter.generic(builder, argument(load ? 0 : 1)), barrier,
                 rewriter.generic(builder, argument(load ? 2 : 0)), rewriter.operands(builder, 1), rewriter.word(0)});
  return replace(nullptr);
}

bool IntrinsicLowering::mbarrier(StringRef rest) {
  if (rest == "init" || rest == "init.shared")
    return callMbarrier(BOCHNER_SIM_MBARRIER_INIT, argument(1), nullptr);
  if (rest == "inval" || rest == "inval.shared")
    return callMbarrier(BOCHNER_SIM_MBARRIER_INVAL, nullptr, nullptr);
  if (rest.starts_with("arrive.drop") || rest.starts_with("pending.count") || rest.starts_with("complete.tx"))
    return false;
  Value *one = rewriter.word(1);
  if (rest.starts_with("arrive.expect.tx"))
    return callMbarrier(BOCHNER_SIM_MBARRIER_ARRIVE, argument(1), one);
  if (rest.starts_with("arrive"))
    return callMbarrier(BOCHNER_SIM_MBARRIER_ARRIVE, nullptr, call->arg_size() > 1 ? argument(1) : one);
  if (rest.starts_with("expect.tx"))
    return callMbarrier(BOCHNER_SIM_MBARRIER_EXPECT, argument(1), nullptr);
  if (rest.starts_with("test.wait.parity"))
    return callMbarrier(BOCHNER_SIM_MBARRIER_TEST_PARITY, argument(1), nullptr);
  if (rest.starts_with("test.wait"))
    return callMbarrier(BOCHNER_SIM_MBARRIER_TEST, argument(1), nullptr);
  if (rest.starts_with("try.wait.parity"))
    return callMbarrier(BOCHNER_SIM_MBARRIER_WAIT_PARITY, argument(1), nullptr);
  return rest.starts_with("try.wait") && callMbarrier(BOCHNER_SIM_MBARRIER_WAIT, argument(1), nullptr);
}

bool IntrinsicLowering::other() {
  if (name == "bar.warp.sync")
    return warp(BOCHNER_SIM_WARP_SYNC, 0, argument(0), {});
  if (name == "elect.sync")
    return warp(BOCHNER_SIM_ELECT, 0, argument(0), {});
  if (name == "activemask")
    return replace(rewriter.call(builder, offsetof(bochner_sim_functions_t, activemask), rewriter.i32, {}));
  if (name == "wgmma.fence.sync.aligned")
    return group(BOCHNER_SIM_WGMMA_FENCE, rewriter.word(0));
  if (name == "wgmma.commit_group.sync.aligned")
    return group(BOCHNER_SIM_WGMMA_COMMIT, rewriter.word(0));
  if (name == "wgmma.wait_group.sync.aligned")
    return group(BOCHNER_SIM_WGMMA_WAIT, builder.CreateZExtOrTrunc(argument(0), rewriter.i32));
  if (name.starts_with("fence.proxy.async"))
    return group(BOCHNER_SIM_FENCE_PROXY, rewriter.word(0));
  // What has no effect where threads take turns, or only on speed.
  for (StringRef hint :
       {"membar.", "fence.", "prefetch", "griddepcontrol.", "setmaxnreg.", "nanosleep", "barrier.cluster."})
    if (name.starts_with(hint))
      return replace(nullptr);
  if (name.starts_with("mapa"))
    return replace(argument(0)); // clusters of one block
  return false;
}

bool IntrinsicLowering::run() {
  StringRef rest = name;
  if (rest.consume_front("read.ptx.sreg."))
    return specialRegister(rest);
  if (rest.consume_front("barrier.cta."))
    return barrier(rest);
  if (rest.consume_front("shfl.sync."))
    return shuffle(rest);
  if (rest.consume_front("vote."))
    return vote(rest);
  if (rest.consume_front("redux.sync."))
    return reduction(rest);
  if (rest.consume_front("match."))
    return match(rest);
  if (rest.consume_front("ldmatrix.sync.aligned.m8n8."))
    return matrixMove(rest, /*store=*/false);
  if (rest.consume_front("stmatrix.sync.aligned.m8n8."))
    return matrixMove(rest, /*store=*/true);
  if (rest.consume_front("mma."))
    return mma(rest);
  if (rest.consume_front("cp.async."))
    return cpAsync(rest);
  if (rest.consume_front("mbarrier."))
    return mbarrier(rest);
  return other() || lowerMathIntrinsic(rewriter, call, name);
}

bool lowerIntrinsic(KernelRewriter &rewriter, CallInst *call) {
  StringRef name = call->getCalledFunction()->getName().drop_front(strlen("llvm.nvvm."));
  // Overloads for address spaces: ".p3".
  for (auto [front, back] = name.rsplit('.'); back.consume_front("p") && all_of(back, isDigit) && !back.empty();
       std::tie(front, back) = name.rsplit('.'))
    name = front;
  if (IntrinsicLowering(rewriter, call, name).run())
    return true;
  rewriter.error(call) << "no simulation of intrinsic 'llvm.nvvm." << name
                       << "'; use one that docs/Simulator.md lists, or add it to lib/Simulator/LowerIntrinsics.cpp";
  return false;
}

} // namespace bochner::sim
