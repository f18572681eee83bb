//===- Activity.h - who is inside the library -------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The library may be used in a forked child only if no thread was inside of it at the fork. Calls are short, so a fork
// waits for those that run, and new ones wait for the fork: os.fork() and multiprocessing need no care of the user.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_PYTHON_ACTIVITY_H
#define BOCHNER_PYTHON_ACTIVITY_H

#include <nanobind/nanobind.h>

namespace bochner::python {

/// While this object lives, the thread is inside the library. It must not hold the GIL.
class Activity {
public:
  Activity();
  ~Activity();
  Activity(const Activity &) = delete;
};

/// The same for a thread that holds the GIL, which it gives up for that time.
class InsideLibrary {
  nanobind::gil_scoped_release released;
  Activity activity;
};

/// Waits until nobody is inside and keeps it so. Needs the GIL, which it gives up while it waits.
void beginFork();
void endForkInParent();
void endForkInChild();

} // namespace bochner::python

#endif // BOCHNER_PYTHON_ACTIVITY_H
