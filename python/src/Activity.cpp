//===- Activity.cpp - who is inside the library ---------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Atomics instead of a mutex with a condition variable: these have no defined state in a forked child, and a call costs
// two uncontended atomic operations.
//
//===----------------------------------------------------------------------===//
#include "Activity.h"

#include <atomic>
#include <chrono>
#include <thread>

using namespace bochner::python;

static std::atomic<int> inside{0};
static std::atomic<int> forks{0}; ///< threads that fork or wait for it

static void waitABit() { std::this_thread::sleep_for(std::chrono::microseconds(50)); }

Activity::Activity() {
  for (;;) {
    ++inside;
    if (!forks)
      return;
    --inside;
    while (forks)
      waitABit();
  }
}

Activity::~Activity() { --inside; }

void bochner::python::beginFork() {
  ++forks;
  nanobind::gil_scoped_release released;
  while (inside)
    waitABit();
}

void bochner::python::endForkInParent() { --forks; }

void bochner::python::endForkInChild() {
  // No other thread came along, neither those that were about to enter nor those that were about to fork.
  inside = 0;
  forks = 0;
}
