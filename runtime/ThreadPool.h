//===- ThreadPool.h - the threads of a context -------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs parallel loops of several callers on a few threads. The caller takes part, so a loop always makes progress,
// and tasks are handed out by a counter, so a thread that lost its core delays a loop by one task at most. Threads
// start with the first loop that can use them, spin for a short while after each loop and then sleep.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_THREADPOOL_H
#define BOCHNER_RUNTIME_THREADPOOL_H

#include <atomic>
#include <cstdint>

namespace bochner {

class ThreadPool {
public:
  /// `participant` is unique among the tasks of one loop that run at the same time, and below the loop's limit.
  using Body = void (*)(void *context, int64_t index, int32_t participant);

  /// `threads` counts the caller of run(). Starts nothing.
  explicit ThreadPool(int32_t threads) : threads(threads) {}
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  /// Runs body(context, i, participant) for i in [0, count) on at most `limit` threads; returns when all are done.
  /// Never fails: if threads cannot be started, fewer do the work. May be called from several threads and from tasks.
  void run(Body body, void *context, int64_t count, int32_t limit) noexcept;

  int32_t size() const { return threads; }

private:
  struct Job;
  struct Slot;
  struct State;

  State *currentState() noexcept;
  static void startThreads(State &state) noexcept;
  static void *threadMain(void *state);
  static bool help(State &state) noexcept;

  const int32_t threads;
  /// Made by the first loop. A forked child has none of its threads and makes another one.
  std::atomic<State *> state{nullptr};
};

} // namespace bochner

#endif // BOCHNER_RUNTIME_THREADPOOL_H
