//===- ThreadPool.cpp - the threads of a context --------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A loop is a Job on the stack of its caller, published in a Slot. A thread that wants to help first counts itself as
// a reader of the slot and only then looks at the job; the caller withdraws the job and waits until no reader is
// left. That is the whole protocol: it protects the job's lifetime and is the loop's completion at the same time.
//
// Linux only: waiting uses futexes, because C++17 has no waiting atomics and a condition variable costs a lock.
//
//===----------------------------------------------------------------------===//
#include "ThreadPool.h"

#include <chrono>
#include <climits>
#include <csignal>
#include <linux/futex.h>
#include <memory>
#include <new>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace bochner;

/// How long a thread without work, or a caller whose last tasks run elsewhere, stays awake. Waking a sleeper costs
/// several microseconds and the loops of one call follow each other within less.
static constexpr std::chrono::microseconds kSpinTime(50);
/// Loops that can share the pool at one time; further callers run alone.
static constexpr int kSlots = 16;

/// Counts forks, in the child.
static std::atomic<uint64_t> forkGeneration{0};
static const int forkHandlerResult = pthread_atfork(nullptr, nullptr, [] { ++forkGeneration; });

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t), "futexes are plain words");

static void futexWait(std::atomic<uint32_t> &word, uint32_t expected) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}
static void futexWake(std::atomic<uint32_t> &word, int count) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

static void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// True as soon as `done` holds, false after kSpinTime.
template <typename Predicate> static bool spin(Predicate done) {
  auto end = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < 32; ++i) {
      if (done())
        return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

struct ThreadPool::Job {
  Body body;
  void *context;
  int64_t count;
  int32_t limit;
  std::atomic<int32_t> participants{1}; // the caller is number 0
  alignas(64) std::atomic<int64_t> next{0};

  bool hasWork() const {
    return participants.load(std::memory_order_relaxed) < limit && next.load(std::memory_order_relaxed) < count;
  }
  void work(int32_t participant) {
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;)
      body(context, i, participant);
  }
};

struct alignas(64) ThreadPool::Slot {
  std::atomic<bool> claimed{false};
  std::atomic<Job *> job{nullptr};
  std::atomic<uint32_t> readers{0};
  std::atomic<bool> callerSleeps{false};
};

struct ThreadPool::State {
  State(int32_t workers, uint64_t generation)
      : generation(generation), workers(workers), handles(new pthread_t[workers]) {}

  const uint64_t generation;
  const int32_t workers;
  std::unique_ptr<pthread_t[]> handles;
  std::atomic<int32_t> started{-1}; // threads in `handles`; -1 before the first attempt
  std::atomic<bool> starting{false};
  std::atomic<bool> stop{false};
  alignas(64) std::atomic<uint32_t> epoch{0}; // raised for each published job
  std::atomic<uint32_t> sleepers{0};
  Slot slots[kSlots];
};

ThreadPool::~ThreadPool() {
  State *last = state.load();
  // In a forked child the threads do not exist, and what they would have touched is abandoned.
  if (!last || last->generation != forkGeneration.load())
    return;
  last->stop.store(true);
  last->epoch.fetch_add(1);
  futexWake(last->epoch, INT_MAX);
  for (int32_t i = 0; i < last->started.load(); ++i)
    pthread_join(last->handles[i], nullptr);
  delete last;
}

ThreadPool::State *ThreadPool::currentState() noexcept {
  uint64_t generation = forkGeneration.load(std::memory_order_relaxed);
  State *seen = state.load(std::memory_order_acquire);
  if (seen && seen->generation == generation)
    return seen;
  try {
    auto fresh = std::make_unique<State>(threads - 1, generation);
    if (state.compare_exchange_strong(seen, fresh.get()))
      return fresh.release();
    return seen; // another thread was faster
  } catch (const std::bad_alloc &) {
    return nullptr;
  }
}

void ThreadPool::startThreads(State &state) noexcept {
  if (state.started.load(std::memory_order_relaxed) >= 0 || state.starting.exchange(true))
    return;
  // Signals are the host's business: its handlers must not run on these threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int32_t count = 0;
  while (count < state.workers && !pthread_create(&state.handles[count], nullptr, threadMain, &state)) {
    pthread_setname_np(state.handles[count], "bochner");
    ++count;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  state.started.store(count);
}

void *ThreadPool::threadMain(void *argument) {
  State &state = *static_cast<State *>(argument);
  while (true) {
    uint32_t epoch = state.epoch.load();
    if (state.stop.load(std::memory_order_relaxed))
      return nullptr;
    if (help(state) || spin([&] { return state.epoch.load(std::memory_order_relaxed) != epoch; }))
      continue;
    state.sleepers.fetch_add(1);
    futexWait(state.epoch, epoch); // returns at once if a job was published since
    state.sleepers.fetch_sub(1);
  }
}

/// Takes part in every loop that has work to do; true if there was one.
bool ThreadPool::help(State &state) noexcept {
  bool helped = false;
  for (Slot &slot : state.slots) {
    if (!slot.job.load(std::memory_order_relaxed))
      continue;
    slot.readers.fetch_add(1);
    Job *job = slot.job.load(); // not withdrawn: the caller waits for this reader
    if (job && job->hasWork()) {
      int32_t participant = job->participants.fetch_add(1, std::memory_order_relaxed);
      if (participant < job->limit) {
        job->work(participant);
        helped = true;
      }
    }
    if (slot.readers.fetch_sub(1) == 1 && slot.callerSleeps.load())
      futexWake(slot.readers, 1);
  }
  return helped;
}

void ThreadPool::run(Body body, void *context, int64_t count, int32_t limit) noexcept {
  Job job{body, context, count, limit < threads ? limit : threads};
  State *shared = count > 1 && job.limit > 1 ? currentState() : nullptr;
  Slot *slot = nullptr;
  for (int i = 0; shared && i < kSlots && !slot; ++i)
    if (!shared->slots[i].claimed.load(std::memory_order_relaxed) && !shared->slots[i].claimed.exchange(true))
      slot = &shared->slots[i];
  if (!slot) {
    job.work(0);
    return;
  }

  startThreads(*shared);
  slot->job.store(&job);
  shared->epoch.fetch_add(1);
  if (uint32_t sleepers = shared->sleepers.load()) {
    int64_t useful = (count < job.limit ? count : job.limit) - 1;
    futexWake(shared->epoch, int(useful < sleepers ? useful : sleepers));
  }
  job.work(0);

  slot->job.store(nullptr);
  auto unread = [&] { return slot->readers.load() == 0; };
  if (!spin(unread)) {
    slot->callerSleeps.store(true);
    while (uint32_t readers = slot->readers.load())
      futexWait(slot->readers, readers);
    slot->callerSleeps.store(false);
  }
  slot->claimed.store(false);
}
