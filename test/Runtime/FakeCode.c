/*===- FakeCode.c - machine code for modules that no compiler made -----------------*- C -*-===*\
|*                                                                                           *|
|* Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.                      *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                                   *|
|*                                                                                           *|
|* Functions with the calling convention of compiled code, in a section of their own. The    *|
|* tests copy the section's bytes into a module, so nothing here may refer to anything       *|
|* outside: no constants in memory, no calls, no sanitizers (see CMakeLists.txt).            *|
|*                                                                                           *|
\*===---------------------------------------------------------------------------------------===*/
#include "FakeCode.h"

#define CODE __attribute__((section("fakecode"), used, noinline))

typedef struct {
  const fake_environment_t *environment;
  const int64_t *query, *key, *out;
} add_context_t;

static CODE float *elementOf(const int64_t *descriptor, int64_t batch, int64_t row) {
  const int64_t *strides = descriptor + 6;
  return (float *)descriptor[1] + descriptor[2] + batch * strides[0] + row * strides[1];
}

static CODE void addTask(void *opaque, int64_t index, void *scratch) {
  const add_context_t *context = (const add_context_t *)opaque;
  int64_t rows = context->query[4], batch = index / rows, row = index % rows;
  const float *query = elementOf(context->query, batch, row), *key = elementOf(context->key, batch, row);
  float *out = elementOf(context->out, batch, row);
  /* Through scratch and workspace: two tasks with the same memory spoil each other's result. */
  volatile float *sums = (volatile float *)scratch;
  volatile int64_t *mark = (volatile int64_t *)((char *)context->environment->workspace + 64 * index);
  *mark = index;
  for (int i = 0; i < 4; ++i)
    sums[i] = query[i] + key[i];
  for (int delay = 0; delay < 200; ++delay)
    __asm__ volatile("pause");
  for (int i = 0; i < 4; ++i)
    out[i] = *mark == index ? sums[i] : 0;
}

/* (query, key: [B, N, 4] f32, lengths: [B] i64) -> out = query + key */
CODE void fakeAdd(const fake_environment_t *environment, void *const *descriptors) {
  add_context_t context;
  context.environment = environment;
  context.query = (const int64_t *)descriptors[0];
  context.key = (const int64_t *)descriptors[1];
  context.out = (const int64_t *)descriptors[3];
  environment->parallelFor(environment, addTask, &context, context.query[3] * context.query[4]);
}

CODE int64_t fakeAddWorkspace(void *const *descriptors) {
  const int64_t *query = (const int64_t *)descriptors[0];
  return 64 * query[3] * query[4];
}

/* (x: any type of 8 bytes, rank 0) -> y = x, without a workspace */
CODE void fakeCopyScalar(const fake_environment_t *environment, void *const *descriptors) {
  (void)environment;
  const int64_t *from = (const int64_t *)descriptors[0], *to = (const int64_t *)descriptors[1];
  *(int64_t *)to[1] = *(const int64_t *)from[1];
}

/* (query, ...: compact f32) -> out = the elements of query in reverse order: reads what it could have written before */
CODE void fakeReverse(const fake_environment_t *environment, void *const *descriptors) {
  (void)environment;
  const int64_t *from = (const int64_t *)descriptors[0], *to = (const int64_t *)descriptors[3];
  int64_t count = from[3] * from[4] * 4;
  for (int64_t i = 0; i < count; ++i) {
    ((volatile float *)to[1])[i] = ((const volatile float *)from[1])[count - 1 - i];
  }
}

/* What a compiled function gives Environment::launch. */
typedef struct {
  const void *kernel;
  void *const *parameters;
  int64_t grid[3];
  uint32_t block[3], shared;
} fake_launch_t;

/* (q, k, lengths, out): out = q + k by two launches of one kernel, with a KiB of shared memory for each row. The
 * kernel, which is not a part of the module, is where `lengths` is: the code of modules cannot refer to the test's
 * memory. */
CODE void fakeLaunch(const fake_environment_t *environment, void *const *descriptors) {
  const int64_t *query = (const int64_t *)descriptors[0];
  int64_t count = query[3] * query[4] * 4;
  void *pointers[4] = {(void *)&query[1], (void *)&((const int64_t *)descriptors[1])[1],
                       (void *)&((const int64_t *)descriptors[3])[1], &count};
  fake_launch_t launch;
  launch.kernel = (const void *)((const int64_t *)descriptors[2])[1];
  launch.parameters = pointers;
  launch.grid[0] = query[3];
  launch.grid[1] = query[4] > 65535 ? query[4] : 1; /* more than a GPU takes */
  launch.grid[2] = 1;
  launch.block[0] = 128;
  launch.block[1] = launch.block[2] = 1;
  launch.shared = (uint32_t)query[4] * 1024;
  environment->launch(environment, &launch);
  environment->launch(environment, &launch);
}

CODE int64_t fakeLaunchWorkspace(void *const *descriptors) {
  const int64_t *query = (const int64_t *)descriptors[0];
  return query[3] == 7 ? 0 : 4096; /* 7 batches: none */
}

CODE int64_t fakeNegativeWorkspace(void *const *descriptors) {
  (void)descriptors;
  return -1;
}
