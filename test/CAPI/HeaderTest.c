/*===- HeaderTest.c - the public headers in C and C++ -------------------------------------===*\
|*                                                                                         *|
|* Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.                    *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                                 *|
|*                                                                                         *|
|* Compiled as strict C99, as C11 and as C++11 to C++20 with every warning an error, alone *|
|* and with another dlpack.h before or behind. The layouts below are the ABI: a number     *|
|* that has to change here needs another BOCHNER_ABI_VERSION.                              *|
|*                                                                                         *|
\*===---------------------------------------------------------------------------------------===*/
#ifdef DLPACK_FIRST
#include DLPACK_FIRST
#endif
#include "bochner/bochner.h"
#ifdef DLPACK_LAST
#include DLPACK_LAST
#endif

/* A negative array size is an error in every version of both languages. */
#define CHECK(NAME, CONDITION) typedef char check_##NAME[(CONDITION) ? 1 : -1]

CHECK(DLDevice, sizeof(DLDevice) == 8);
CHECK(DLDataType, sizeof(DLDataType) == 4);
CHECK(DLTensor, sizeof(DLTensor) == 48);
CHECK(DLTensor_device, offsetof(DLTensor, device) == 8);
CHECK(DLTensor_ndim, offsetof(DLTensor, ndim) == 16);
CHECK(DLTensor_dtype, offsetof(DLTensor, dtype) == 20);
CHECK(DLTensor_shape, offsetof(DLTensor, shape) == 24);
CHECK(DLTensor_strides, offsetof(DLTensor, strides) == 32);
CHECK(DLTensor_byte_offset, offsetof(DLTensor, byte_offset) == 40);
CHECK(DLManagedTensor, sizeof(DLManagedTensor) == 64);
CHECK(DLManagedTensor_deleter, offsetof(DLManagedTensor, deleter) == 56);
CHECK(DLManagedTensorVersioned, sizeof(DLManagedTensorVersioned) == 80);
CHECK(DLManagedTensorVersioned_manager_ctx, offsetof(DLManagedTensorVersioned, manager_ctx) == 8);
CHECK(DLManagedTensorVersioned_deleter, offsetof(DLManagedTensorVersioned, deleter) == 16);
CHECK(DLManagedTensorVersioned_flags, offsetof(DLManagedTensorVersioned, flags) == 24);
CHECK(DLManagedTensorVersioned_dl_tensor, offsetof(DLManagedTensorVersioned, dl_tensor) == 32);

CHECK(context_options, sizeof(bochner_context_options_t) == 80);
CHECK(compile_options, sizeof(bochner_compile_options_t) == 88);
CHECK(invoke_options, sizeof(bochner_invoke_options_t) == 120);
CHECK(parallel_for, sizeof(bochner_parallel_for_t) == 24);
CHECK(cost, sizeof(bochner_cost_t) == 48);
CHECK(memory_statistics, sizeof(bochner_memory_statistics_t) == 32);
CHECK(tensor_info, sizeof(bochner_tensor_info_t) == 40);
CHECK(module_info, sizeof(bochner_module_info_t) == 72);
CHECK(diagnostic, sizeof(bochner_diagnostic_t) == 24);
CHECK(severity, BOCHNER_SEVERITY_ERROR == 3);
CHECK(launch_counts, sizeof(bochner_launch_counts_t) == 152);
CHECK(simulation_options, sizeof(bochner_simulation_options_t) == 32);
CHECK(status, BOCHNER_STATUS_KERNEL_FAULT == 10);

int useHeader(void);
int useHeader(void) {
  bochner_context_options_t context = BOCHNER_CONTEXT_OPTIONS_INIT;
  bochner_compile_options_t compile = BOCHNER_COMPILE_OPTIONS_INIT;
  bochner_invoke_options_t invoke = BOCHNER_INVOKE_OPTIONS_INIT;
  bochner_cost_t cost = BOCHNER_COST_INIT;
  bochner_memory_statistics_t statistics = BOCHNER_MEMORY_STATISTICS_INIT;
  return bochnerCreateContext(&context, NULL) != NULL && compile.struct_size && invoke.struct_size &&
         cost.struct_size && statistics.struct_size && DLPACK_FLAG_BITMASK_READ_ONLY == 1 && DLPACK_MAJOR_VERSION == 1;
}
