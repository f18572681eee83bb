//===- Team.cpp - threads that start together ----------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A round: all wake up and say so, spin until the calling thread starts the clock, run, and say when they are done.
//
//===----------------------------------------------------------------------===//
#include "Team.h"
#include "Clock.h"

namespace bochner::run {

Team::Team(int32_t count) {
  for (int32_t member = 1; member < count; ++member)
    threads.emplace_back([this, member] { work(member); });
}

Team::~Team() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    ended = true;
  }
  wake.notify_all();
  for (std::thread &thread : threads)
    thread.join();
}

void Team::work(int32_t member) {
  for (uint64_t mine = 1;; ++mine) {
    {
      std::unique_lock<std::mutex> lock(mutex);
      wake.wait(lock, [&] { return ended || round >= mine; });
      if (ended)
        return;
    }
    ready.fetch_add(1);
    while (started.load() < mine)
      std::this_thread::yield();
    (*task)(member);
    done.fetch_add(1);
  }
}

double Team::run(const std::function<void(int32_t)> &body) {
  auto others = static_cast<int32_t>(threads.size());
  ready = done = 0;
  uint64_t current;
  {
    std::lock_guard<std::mutex> lock(mutex);
    task = &body;
    current = ++round;
  }
  wake.notify_all();
  while (ready.load() < others)
    std::this_thread::yield();
  double start = nowMs();
  started = current;
  body(0);
  while (done.load() < others)
    std::this_thread::yield();
  return nowMs() - start;
}

} // namespace bochner::run
