//===- Peak.cpp - the FMA peak of this machine, now ----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Twelve independent accumulators hide the latency of two units with four to five cycles each. The instructions are
// spelled out: a compiler must neither drop nor combine them.
//
//===----------------------------------------------------------------------===//
#include "Peak.h"

#include <algorithm>

namespace bochner::run {

struct PeakMeter::Loop {
  const char *name;
  void (*run)(int64_t iterations);
  double flopPerIteration;
};

namespace {

#define BOCHNER_TWELVE(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

#if defined(__x86_64__)

#define BOCHNER_DECLARE(i) Vector a##i = {};
#define BOCHNER_FMA_LOOP(name, targets, scalar, bytes, instruction)                                                    \
  __attribute__((target(targets), noinline)) void name(int64_t iterations) {                                           \
    typedef scalar Vector __attribute__((vector_size(bytes)));                                                         \
    BOCHNER_TWELVE(BOCHNER_DECLARE)                                                                                    \
    Vector b = Vector{} + scalar(0.999), c = Vector{} + scalar(1e-3);                                                  \
    for (int64_t i = 0; i < iterations; ++i) {                                                                         \
      asm volatile(instruction                                                                                         \
                   " %12, %13, %0\n\t" instruction " %12, %13, %1\n\t" instruction " %12, %13, %2\n\t" instruction     \
                   " %12, %13, %3\n\t" instruction " %12, %13, %4\n\t" instruction " %12, %13, %5\n\t" instruction     \
                   " %12, %13, %6\n\t" instruction " %12, %13, %7\n\t" instruction " %12, %13, %8\n\t" instruction     \
                   " %12, %13, %9\n\t" instruction " %12, %13, %10\n\t" instruction " %12, %13, %11"                   \
                   : "+x"(a0), "+x"(a1), "+x"(a2), "+x"(a3), "+x"(a4), "+x"(a5), "+x"(a6), "+x"(a7), "+x"(a8),         \
                     "+x"(a9), "+x"(a10), "+x"(a11)                                                                    \
                   : "x"(b), "x"(c));                                                                                  \
    }                                                                                                                  \
  }
BOCHNER_FMA_LOOP(fmaAvx512F32, "avx512f", float, 64, "vfmadd231ps")
BOCHNER_FMA_LOOP(fmaAvx512F64, "avx512f", double, 64, "vfmadd231pd")
BOCHNER_FMA_LOOP(fmaAvx2F32, "avx2,fma", float, 32, "vfmadd231ps")
BOCHNER_FMA_LOOP(fmaAvx2F64, "avx2,fma", double, 32, "vfmadd231pd")

/// Without fused multiply-adds, multiplications and additions go to units of their own: six of each.
#define BOCHNER_SSE_LOOP(name, scalar, multiply, add)                                                                  \
  __attribute__((noinline)) void name(int64_t iterations) {                                                            \
    typedef scalar Vector __attribute__((vector_size(16)));                                                            \
    BOCHNER_TWELVE(BOCHNER_DECLARE)                                                                                    \
    Vector b = Vector{} + scalar(0.999), c = Vector{} + scalar(1e-3);                                                  \
    for (int64_t i = 0; i < iterations; ++i) {                                                                         \
      asm volatile(multiply " %12, %0\n\t" add " %13, %1\n\t" multiply " %12, %2\n\t" add " %13, %3\n\t" multiply      \
                            " %12, %4\n\t" add " %13, %5\n\t" multiply " %12, %6\n\t" add " %13, %7\n\t" multiply      \
                            " %12, %8\n\t" add " %13, %9\n\t" multiply " %12, %10\n\t" add " %13, %11"                 \
                   : "+x"(a0), "+x"(a1), "+x"(a2), "+x"(a3), "+x"(a4), "+x"(a5), "+x"(a6), "+x"(a7), "+x"(a8),         \
                     "+x"(a9), "+x"(a10), "+x"(a11)                                                                    \
                   : "x"(b), "x"(c));                                                                                  \
    }                                                                                                                  \
  }
BOCHNER_SSE_LOOP(mulAddSse2F32, float, "mulps", "addps")
BOCHNER_SSE_LOOP(mulAddSse2F64, double, "mulpd", "addpd")

#else

/// Other machines: vectors of 16 bytes in whatever way the compiler multiplies and adds them.
template <typename Scalar> void mulAddGeneric(int64_t iterations) {
  typedef Scalar Vector __attribute__((vector_size(16)));
  Vector a[12] = {}, b = Vector{} + Scalar(0.999), c = Vector{} + Scalar(1e-3);
  for (int64_t i = 0; i < iterations; ++i) {
#define BOCHNER_STEP(j) a[j] += b * c;
    BOCHNER_TWELVE(BOCHNER_STEP)
    asm volatile("" : "+m"(a));
  }
}

#endif

} // namespace

const PeakMeter::Loop &PeakMeter::selectLoop(DLDataType type, std::string_view features) {
  bool is64 = type == kF64;
#if defined(__x86_64__)
  static const Loop avx512[] = {{"avx512 f32", fmaAvx512F32, 12 * 32}, {"avx512 f64", fmaAvx512F64, 12 * 16}};
  static const Loop avx2[] = {{"avx2 f32", fmaAvx2F32, 12 * 16}, {"avx2 f64", fmaAvx2F64, 12 * 8}};
  static const Loop sse2[] = {{"sse2 f32", mulAddSse2F32, 12 * 4}, {"sse2 f64", mulAddSse2F64, 12 * 2}};
  auto has = [&](std::string_view feature) { return features.find(feature) != std::string_view::npos; };
  if (has("+avx512f") && __builtin_cpu_supports("avx512f"))
    return avx512[is64];
  if (has("+avx2") && has("+fma") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return avx2[is64];
  return sse2[is64];
#else
  static const Loop generic[] = {{"128-bit f32", mulAddGeneric<float>, 12 * 8},
                                 {"128-bit f64", mulAddGeneric<double>, 12 * 4}};
  return generic[is64];
#endif
}

PeakMeter::PeakMeter(DLDataType type, std::string_view features, int32_t threads)
    : loop(selectLoop(type, features)), team(threads), text(loop.name) {
  // As many iterations as take two milliseconds.
  constexpr double kBurstMs = 2;
  double ms;
  while ((ms = run(iterations)) < kBurstMs / 2)
    iterations *= 2;
  iterations = std::max<int64_t>(1, int64_t(iterations * kBurstMs / ms));
}

double PeakMeter::run(int64_t iterations) {
  double ms = team.run([&](int32_t) { loop.run(iterations); });
  best = std::max(best, team.size() * double(iterations) * loop.flopPerIteration / ms * 1e-6);
  return ms;
}

void PeakMeter::burst() { run(iterations); }

} // namespace bochner::run
