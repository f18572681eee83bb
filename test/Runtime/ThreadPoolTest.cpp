//===- ThreadPoolTest.cpp - the threads of a context ----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Run with -fsanitize=thread as well: no data of these tests is atomic unless it must be.
//
//===----------------------------------------------------------------------===//
#include "runtime/ThreadPool.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using bochner::ThreadPool;

namespace {
/// Counts how often each index ran, and which participants ran at the same time.
struct Recorder {
  Recorder(int64_t count, int32_t limit) : counts(size_t(count)), busy(size_t(limit)) {}

  static void body(void *self, int64_t index, int32_t participant) {
    auto &recorder = *static_cast<Recorder *>(self);
    ++recorder.counts[size_t(index)];
    if (recorder.busy.at(size_t(participant)).exchange(true))
      ++recorder.collisions;
    for (volatile int i = 0; i < 50; i = i + 1) {
    }
    recorder.busy[size_t(participant)] = false;
  }
  bool isComplete() const {
    return std::all_of(counts.begin(), counts.end(), [](int count) { return count == 1; }) && collisions == 0;
  }

  std::vector<int> counts;
  std::vector<std::atomic<bool>> busy;
  std::atomic<int> collisions{0};
};
} // namespace

static bool runOnce(ThreadPool &pool, int64_t count, int32_t limit) {
  Recorder recorder(count, limit);
  pool.run(Recorder::body, &recorder, count, limit);
  return recorder.isComplete();
}

TEST(ThreadPool, RunsEveryTaskOnce) {
  for (int32_t threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    for (int64_t count : {0, 1, 2, 3, 64, 1000})
      for (int repetition = 0; repetition < 50; ++repetition)
        ASSERT_TRUE(runOnce(pool, count, threads)) << threads << " threads, " << count << " tasks";
  }
}

TEST(ThreadPool, RespectsTheLimit) {
  ThreadPool pool(8);
  for (int repetition = 0; repetition < 200; ++repetition)
    ASSERT_TRUE(runOnce(pool, 100, 2)); // participant 2 would be out of range
}

TEST(ThreadPool, ServesSeveralCallers) {
  ThreadPool pool(3);
  std::atomic<int> failures{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 20; ++t) // more than there are slots
    callers.emplace_back([&] {
      for (int repetition = 0; repetition < 200; ++repetition)
        failures += !runOnce(pool, 17, 3);
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(failures, 0);
}

/// Two tasks that wait for each other; false if the first gave up, because nobody ran the second one meanwhile.
static bool meet(ThreadPool &pool) {
  struct Meeting {
    std::atomic<int> arrived{0};
    std::atomic<bool> missed{false};
  } meeting;
  auto body = [](void *context, int64_t, int32_t) {
    auto &meeting = *static_cast<Meeting *>(context);
    ++meeting.arrived;
    int patience = 10000;
    while (meeting.arrived < 2 && --patience)
      usleep(1000);
    if (!patience)
      meeting.missed = true;
  };
  pool.run(body, &meeting, 2, 2);
  return !meeting.missed;
}

TEST(ThreadPool, UsesItsThreads) {
  ThreadPool pool(2);
  EXPECT_TRUE(meet(pool));
}

TEST(ThreadPool, WakesSleepingThreads) {
  ThreadPool pool(4);
  for (int repetition = 0; repetition < 20; ++repetition) {
    ASSERT_TRUE(meet(pool));
    usleep(1000); // by now everybody sleeps
  }
}

TEST(ThreadPool, NestedLoopsFinish) {
  ThreadPool pool(3);
  struct Context {
    ThreadPool &pool;
    std::atomic<int> sum{0};
  } context{pool};
  auto inner = [](void *context, int64_t, int32_t) { ++static_cast<Context *>(context)->sum; };
  struct Outer {
    Context *context;
    ThreadPool::Body inner;
  } outer{&context, inner};
  auto body = [](void *argument, int64_t, int32_t) {
    auto &outer = *static_cast<Outer *>(argument);
    outer.context->pool.run(outer.inner, outer.context, 10, 3);
  };
  for (int repetition = 0; repetition < 50; ++repetition)
    pool.run(body, &outer, 10, 3);
  EXPECT_EQ(context.sum, 50 * 100);
}

// ThreadSanitizer does not follow threads into a forked child.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BOCHNER_TEST_TSAN
#endif
#elif defined(__SANITIZE_THREAD__)
#define BOCHNER_TEST_TSAN
#endif

#ifndef BOCHNER_TEST_TSAN
TEST(ThreadPool, WorksInAForkedChild) {
  auto pool = std::make_unique<ThreadPool>(2);
  ASSERT_TRUE(runOnce(*pool, 10, 2));
  pid_t child = fork();
  if (!child) {
    alarm(20); // a child that waits for threads of its parent would wait for ever
    bool works = runOnce(*pool, 1000, 2) && meet(*pool);
    pool.reset();
    _exit(works ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_TRUE(runOnce(*pool, 10, 2));
}
#endif
