/*===- OtherDlpack.h - the shape of DLPack's own header ------------------------------------===*\
|*                                                                                          *|
|* Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.                     *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                                  *|
|*                                                                                          *|
|* Frameworks ship their copies of it under the include guard of all versions: before 1.0   *|
|* without versioned tensors, and since then, with OTHER_DLPACK_1, with them.               *|
|*                                                                                          *|
\*===----------------------------------------------------------------------------------------===*/
#ifndef DLPACK_DLPACK_H_
#define DLPACK_DLPACK_H_

#ifdef OTHER_DLPACK_1
#define DLPACK_MAJOR_VERSION 1
#define DLPACK_MINOR_VERSION 0
#define DLPACK_FLAG_BITMASK_READ_ONLY (1UL << 0UL)
#else
#define DLPACK_VERSION 80
#define DLPACK_ABI_VERSION 1
#endif

#include <stddef.h>
#include <stdint.h>

#if defined(__cplusplus) && defined(OTHER_DLPACK_1)
typedef enum : int32_t {
#else
typedef enum {
#endif
  kDLCPU = 1,
  kDLCUDA = 2,
  kDLCUDAHost = 3,
  kDLROCMHost = 11
} DLDeviceType;
typedef struct {
  DLDeviceType device_type;
  int32_t device_id;
} DLDevice;
typedef enum { kDLInt = 0U, kDLUInt = 1U, kDLFloat = 2U, kDLBfloat = 4U } DLDataTypeCode;
typedef struct {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
} DLDataType;
typedef struct {
  void *data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t *shape;
  int64_t *strides;
  uint64_t byte_offset;
} DLTensor;
typedef struct DLManagedTensor {
  DLTensor dl_tensor;
  void *manager_ctx;
  void (*deleter)(struct DLManagedTensor *self);
} DLManagedTensor;
#ifdef OTHER_DLPACK_1
typedef struct {
  uint32_t major;
  uint32_t minor;
} DLPackVersion;
typedef struct DLManagedTensorVersioned {
  DLPackVersion version;
  void *manager_ctx;
  void (*deleter)(struct DLManagedTensorVersioned *self);
  uint64_t flags;
  DLTensor dl_tensor;
} DLManagedTensorVersioned;
#endif

#endif
