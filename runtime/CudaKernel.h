/*===- CudaKernel.h - kernels inside of modules for device cuda -------*- C -*-===*\
|*                                                                            *|
|* Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.       *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|* What lib/Target/CudaKernels.cpp writes and runtime/CudaModules.cpp reads.  *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/
#ifndef BOCHNER_RUNTIME_CUDAKERNEL_H
#define BOCHNER_RUNTIME_CUDAKERNEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BOCHNER_CUDA_KERNEL_VERSION 1

/* Machine code for one chip, or PTX. */
typedef struct {
  const char *data; /* PTX ends with a zero byte, which size does not count */
  uint64_t size;
  uint32_t capability; /* 80 of sm_80 */
  uint16_t is_ptx;
  uint16_t is_exact; /* sm_90a: runs on compute capability 9.0 only */
} bochner_cuda_image_t;

/* The constant `bochner.cuda.<kernel>`. */
typedef struct {
  uint32_t version; /* BOCHNER_CUDA_KERNEL_VERSION */
  uint32_t image_count;
  const char *name; /* of the entry in each image */
  const bochner_cuda_image_t *images;
  const uint32_t *parameter_sizes;
  uint32_t parameter_count;
  uint32_t required_block[3]; /* 0: any */
} bochner_cuda_kernel_t;

#ifdef __cplusplus
}
#endif

#endif /* BOCHNER_RUNTIME_CUDAKERNEL_H */
