/*===- FakeCode.h - machine code for modules that no compiler made -----------------*- C -*-===*\
|*                                                                                           *|
|* Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.                      *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                                   *|
|*                                                                                           *|
|* The entry points of FakeCode.c, and the bounds of the section that they are in.           *|
|*                                                                                           *|
\*===---------------------------------------------------------------------------------------===*/
#ifndef BOCHNER_TEST_RUNTIME_FAKECODE_H
#define BOCHNER_TEST_RUNTIME_FAKECODE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* bochner::format::Environment in C. */
typedef struct fake_environment {
  void (*parallelFor)(const struct fake_environment *self, void (*task)(void *context, int64_t index, void *scratch),
                      void *context, int64_t count);
  void *workspace;
  void *host;
  void (*launch)(const struct fake_environment *self, const void *launch);
} fake_environment_t;

void fakeAdd(const fake_environment_t *environment, void *const *descriptors);
int64_t fakeAddWorkspace(void *const *descriptors);
void fakeCopyScalar(const fake_environment_t *environment, void *const *descriptors);
void fakeReverse(const fake_environment_t *environment, void *const *descriptors);
void fakeLaunch(const fake_environment_t *environment, void *const *descriptors);
int64_t fakeLaunchWorkspace(void *const *descriptors);
int64_t fakeNegativeWorkspace(void *const *descriptors);

/* Made by the linker. */
extern const char __start_fakecode[], __stop_fakecode[];

#ifdef __cplusplus
}
#endif

#endif /* BOCHNER_TEST_RUNTIME_FAKECODE_H */
