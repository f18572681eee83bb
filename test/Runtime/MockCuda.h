/*===- MockCuda.h - a driver for tests without a GPU -------------------------------*- C -*-===*\
|*                                                                                           *|
|* Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.                      *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                                   *|
|*                                                                                           *|
|* What tests ask the mock driver beside the driver's own functions.                         *|
|*                                                                                           *|
\*===---------------------------------------------------------------------------------------===*/
#ifndef BOCHNER_TEST_RUNTIME_MOCKCUDA_H
#define BOCHNER_TEST_RUNTIME_MOCKCUDA_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int violations;           /* of the driver's rules, since the last reset */
  int modules, allocations; /* that are alive */
  int retained;             /* primary contexts */
  int initialized;          /* by cuInit, so that no test comes before it any more */
  int depth;                /* of the calling thread's stack of contexts */
} mock_cuda_counts_t;

/* Empties the log; what is alive stays. */
void mockCudaReset(void);
/* A line for each call: cuInit(0). */
const char *mockCudaLog(void);
mock_cuda_counts_t mockCudaCounts(void);
void *mockCudaCreateContext(int device);
void mockCudaDestroyContext(void *context);

#ifdef __cplusplus
}
#endif

#endif /* BOCHNER_TEST_RUNTIME_MOCKCUDA_H */
