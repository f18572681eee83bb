//===- Team.h - threads that start together -------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For what is measured on several threads at once. They sleep in between, so that they do not take part in what is
// measured there.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_TEAM_H
#define BOCHNER_TOOLS_RUN_TEAM_H

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace bochner::run {

class Team {
public:
  /// Starts threads - 1 threads; the calling one is a member, too.
  explicit Team(int32_t threads);
  ~Team();
  Team(const Team &) = delete;
  Team &operator=(const Team &) = delete;

  int32_t size() const { return static_cast<int32_t>(threads.size()) + 1; }

  /// Runs task(0) .. task(size() - 1), one on each thread. The milliseconds from when all were awake to the end of the
  /// last one.
  double run(const std::function<void(int32_t)> &task);

private:
  void work(int32_t member);

  std::mutex mutex;
  std::condition_variable wake;
  uint64_t round = 0;
  bool ended = false;
  const std::function<void(int32_t)> *task = nullptr;
  std::atomic<int32_t> ready{0}, done{0};
  std::atomic<uint64_t> started{0};
  std::vector<std::thread> threads;
};

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_TEAM_H
