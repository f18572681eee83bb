/*===- MockCuda.c - a driver for tests without a GPU -------------------------------*- C -*-===*\
|*                                                                                           *|
|* Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.                      *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                                   *|
|*                                                                                           *|
|* Stands in for libcuda.so.1: records each call as a line of text, checks arguments and     *|
|* contexts, and fails where a test asks for it. Device memory is memory of the host.        *|
|*                                                                                           *|
|* Environment, read at each call: MOCK_CUDA_CAPABILITY (90: two digits at least),           *|
|* MOCK_CUDA_DEVICES (2), MOCK_CUDA_SHARED (232448), MOCK_CUDA_NO_POOLS,                     *|
|* MOCK_CUDA_REFUSE_CUBIN, MOCK_CUDA_CAPTURING, MOCK_CUDA_FAIL=NAME of the call that fails   *|
|* with MOCK_CUDA_RESULT (999). MOCK_CUDA_RUN=1: kernels named fake_add compute.             *|
|*                                                                                           *|
\*===---------------------------------------------------------------------------------------===*/
#include "MockCuda.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API __attribute__((visibility("default")))
enum { kContexts = 8, kStack = 8, kLog = 1 << 16 };

struct context {
  int device, alive, modules;
  unsigned long long id;
};
struct module {
  struct context *context;
  int isCubin, alive;
};
struct function {
  struct module *module;
  char name[64];
  int allowed;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char log_text[kLog];
static size_t log_size;
static mock_cuda_counts_t counts;
static struct context contexts[kContexts];
static struct context *primaries[4];
static _Thread_local struct context *stack[kStack];
static _Thread_local int depth;

static int number(const char *name, int otherwise) {
  const char *text = getenv(name);
  return text ? atoi(text) : otherwise;
}

/* Records a call; not 0 if it is to fail. */
static int enter(const char *name, const char *format, ...) {
  char line[256];
  va_list list;
  va_start(list, format);
  vsnprintf(line, sizeof line, format, list);
  va_end(list);
  pthread_mutex_lock(&mutex);
  int written = snprintf(log_text + log_size, kLog - log_size, "%s(%s)\n", name, line);
  if (written > 0 && log_size + (size_t)written < kLog)
    log_size += (size_t)written;
  pthread_mutex_unlock(&mutex);
  const char *failing = getenv("MOCK_CUDA_FAIL");
  return failing && !strcmp(failing, name) ? number("MOCK_CUDA_RESULT", 999) : 0;
}
#define ENTER(name, ...)                                                                                               \
  do {                                                                                                                 \
    int failure = enter(name, __VA_ARGS__);                                                                            \
    if (failure)                                                                                                       \
      return failure;                                                                                                  \
  } while (0)

/* A broken rule: shown in the log and counted. */
static int violation(const char *text) {
  enter("VIOLATION", "%s", text);
  __atomic_add_fetch(&counts.violations, 1, __ATOMIC_RELAXED);
  return 1;
}
static struct context *current(void) { return depth ? stack[depth - 1] : NULL; }
static int captures(void) { return number("MOCK_CUDA_CAPTURING", 0); }
#define NEED_CONTEXT()                                                                                                 \
  do {                                                                                                                 \
    if (!current())                                                                                                    \
      return violation("no context"), 201;                                                                             \
  } while (0)
#define NEED_NO_CAPTURE(name)                                                                                          \
  do {                                                                                                                 \
    if (captures())                                                                                                    \
      return violation(name " during capture"), 900;                                                                   \
  } while (0)

API void mockCudaReset(void) {
  pthread_mutex_lock(&mutex);
  log_size = 0;
  log_text[0] = 0;
  counts.violations = 0;
  pthread_mutex_unlock(&mutex);
}
API const char *mockCudaLog(void) { return log_text; }
API mock_cuda_counts_t mockCudaCounts(void) {
  mock_cuda_counts_t result = counts;
  result.depth = depth;
  return result;
}
API void *mockCudaCreateContext(int device) {
  pthread_mutex_lock(&mutex);
  struct context *made = NULL;
  static unsigned long long ids = 100;
  for (int i = 0; i < kContexts && !made; ++i)
    if (!contexts[i].alive)
      made = &contexts[i];
  if (made) {
    made->device = device;
    made->alive = 1;
    made->id = ids++;
  }
  pthread_mutex_unlock(&mutex);
  return made;
}
API void mockCudaDestroyContext(void *opaque) {
  struct context *context = opaque;
  context->alive = 0;
  counts.modules -= context->modules; /* they go with it */
  context->modules = 0;
}

API int cuInit(unsigned flags) {
  ENTER("cuInit", "%u", flags);
  counts.initialized = 1;
  return flags ? violation("cuInit flags"), 1 : 0;
}
API int cuGetErrorName(int result, const char **text) {
  *text = result == 2     ? "CUDA_ERROR_OUT_OF_MEMORY"
          : result == 100 ? "CUDA_ERROR_NO_DEVICE"
          : result == 101 ? "CUDA_ERROR_INVALID_DEVICE"
          : result == 209 ? "CUDA_ERROR_NO_BINARY_FOR_GPU"
                          : "CUDA_ERROR_UNKNOWN";
  return 0;
}
API int cuGetErrorString(int result, const char **text) {
  *text = result == 2 ? "out of memory" : "mock failure";
  return 0;
}
API int cuCtxGetCurrent(void **context) {
  ENTER("cuCtxGetCurrent", "");
  *context = current();
  return 0;
}
API int cuCtxPushCurrent_v2(void *context) {
  ENTER("cuCtxPushCurrent", "%llu", context ? ((struct context *)context)->id : 0);
  if (!context || depth == kStack)
    return violation("push"), 201;
  if (!((struct context *)context)->alive)
    return 709; /* CUDA_ERROR_CONTEXT_IS_DESTROYED */
  stack[depth++] = context;
  return 0;
}
API int cuCtxPopCurrent_v2(void **context) {
  ENTER("cuCtxPopCurrent", "");
  NEED_CONTEXT();
  *context = stack[--depth];
  return 0;
}
API int cuCtxGetDevice(int *device) {
  ENTER("cuCtxGetDevice", "");
  NEED_CONTEXT();
  *device = current()->device;
  return 0;
}
API int cuCtxGetId(void *context, unsigned long long *id) {
  *id = ((struct context *)context)->id;
  return ((struct context *)context)->alive ? 0 : 201;
}
API int cuDeviceGetCount(int *count) {
  ENTER("cuDeviceGetCount", "");
  *count = number("MOCK_CUDA_DEVICES", 2);
  return 0;
}
API int cuDeviceGet(int *device, int ordinal) {
  ENTER("cuDeviceGet", "%d", ordinal);
  if (ordinal < 0 || ordinal >= number("MOCK_CUDA_DEVICES", 2))
    return 101;
  *device = ordinal;
  return 0;
}
API int cuDeviceGetAttribute(int *value, int attribute, int device) {
  ENTER("cuDeviceGetAttribute", "%d, %d", attribute, device);
  int capability = number("MOCK_CUDA_CAPABILITY", 90);
  switch (attribute) {
  case 75:
    *value = capability / 10;
    return 0;
  case 76:
    *value = capability % 10;
    return 0;
  case 97:
    *value = number("MOCK_CUDA_SHARED", 232448);
    return 0;
  case 115:
    *value = !getenv("MOCK_CUDA_NO_POOLS");
    return 0;
  }
  return violation("attribute"), 1;
}
API int cuDevicePrimaryCtxRetain(void **context, int device) {
  ENTER("cuDevicePrimaryCtxRetain", "%d", device);
  if (!primaries[device])
    primaries[device] = mockCudaCreateContext(device);
  *context = primaries[device];
  __atomic_add_fetch(&counts.retained, 1, __ATOMIC_RELAXED);
  return 0;
}
API int cuModuleLoadDataEx(void **module, const void *image, unsigned count, int *options, void **values) {
  int isCubin = !memcmp(image, "\177ELF", 4);
  ENTER("cuModuleLoadDataEx", "%s", isCubin ? "cubin" : "ptx");
  NEED_CONTEXT();
  NEED_NO_CAPTURE("cuModuleLoadDataEx");
  if (count != 2 || options[0] != 5 || options[1] != 6)
    return violation("options of cuModuleLoadDataEx"), 1;
  if (isCubin && getenv("MOCK_CUDA_REFUSE_CUBIN")) {
    snprintf(values[0], (size_t)values[1], "made for another chip");
    return 209;
  }
  struct module *made = calloc(1, sizeof *made);
  made->context = current();
  __atomic_add_fetch(&made->context->modules, 1, __ATOMIC_RELAXED);
  made->isCubin = isCubin;
  __atomic_add_fetch(&counts.modules, 1, __ATOMIC_RELAXED);
  *module = made;
  return 0;
}
API int cuModuleUnload(void *module) {
  ENTER("cuModuleUnload", "");
  NEED_CONTEXT();
  if (((struct module *)module)->context != current())
    return violation("module of another context"), 201;
  __atomic_sub_fetch(&current()->modules, 1, __ATOMIC_RELAXED);
  free(module); /* its functions stay, so that a launch of one is seen */
  __atomic_sub_fetch(&counts.modules, 1, __ATOMIC_RELAXED);
  return 0;
}
API int cuModuleGetFunction(void **function, void *module, const char *name) {
  ENTER("cuModuleGetFunction", "%s", name);
  NEED_CONTEXT();
  static struct function table[256];
  static int used;
  pthread_mutex_lock(&mutex);
  struct function *made = &table[used++ % 256];
  pthread_mutex_unlock(&mutex);
  made->module = module;
  made->allowed = 48 * 1024;
  snprintf(made->name, sizeof made->name, "%s", name);
  *function = made;
  return 0;
}
API int cuFuncGetAttribute(int *value, int attribute, void *function) {
  ENTER("cuFuncGetAttribute", "%d", attribute);
  (void)function;
  *value = 0;
  return attribute == 1 ? 0 : (violation("function attribute"), 1);
}
API int cuFuncSetAttribute(void *function, int attribute, int value) {
  ENTER("cuFuncSetAttribute", "%d, %d", attribute, value);
  NEED_NO_CAPTURE("cuFuncSetAttribute");
  if (attribute != 8 || value > number("MOCK_CUDA_SHARED", 232448))
    return violation("opt-in"), 1;
  ((struct function *)function)->allowed = value;
  return 0;
}
API int cuLaunchKernel(void *opaque, unsigned x, unsigned y, unsigned z, unsigned a, unsigned b, unsigned c,
                       unsigned shared, void *stream, void **parameters, void **extra) {
  struct function *function = opaque;
  ENTER("cuLaunchKernel", "%s, grid %u %u %u, block %u %u %u, shared %u, stream %p", function->name, x, y, z, a, b, c,
        shared, stream);
  NEED_CONTEXT();
  if (extra || !parameters || !x || !y || !z || !a || !b || !c || a * b * c > 1024)
    return violation("launch"), 1;
  if (function->module->context != current())
    return violation("function of another context"), 400;
  if ((int)shared > function->allowed)
    return violation("shared memory without opt-in"), 1;
  if (!strcmp(function->name, "fake_add")) {
    /* (q, k, out, count): memory of the host */
    const float *q = *(float **)parameters[0], *k = *(float **)parameters[1];
    float *out = *(float **)parameters[2];
    for (long i = 0, count = *(long *)parameters[3]; i < count; ++i)
      out[i] = q[i] + k[i];
  }
  return 0;
}
API int cuStreamIsCapturing(void *stream, int *state) {
  ENTER("cuStreamIsCapturing", "%p", stream);
  *state = captures();
  return 0;
}
API int cuStreamSynchronize(void *stream) {
  ENTER("cuStreamSynchronize", "%p", stream);
  NEED_NO_CAPTURE("cuStreamSynchronize");
  return 0;
}
static int allocate(unsigned long long *pointer, size_t size) {
  void *memory = NULL;
  if (!size || posix_memalign(&memory, 256, size))
    return violation("allocation"), 2;
  __atomic_add_fetch(&counts.allocations, 1, __ATOMIC_RELAXED);
  *pointer = (unsigned long long)(size_t)memory;
  return 0;
}
static int release(unsigned long long pointer) {
  free((void *)(size_t)pointer);
  __atomic_sub_fetch(&counts.allocations, 1, __ATOMIC_RELAXED);
  return 0;
}
API int cuMemAlloc_v2(unsigned long long *pointer, size_t size) {
  ENTER("cuMemAlloc", "%zu", size);
  NEED_CONTEXT();
  NEED_NO_CAPTURE("cuMemAlloc");
  return allocate(pointer, size);
}
API int cuMemFree_v2(unsigned long long pointer) {
  ENTER("cuMemFree", "");
  NEED_CONTEXT();
  return release(pointer);
}
#ifndef MOCK_CUDA_OLD /* a driver before CUDA 11.2 */
API int cuMemAllocAsync(unsigned long long *pointer, size_t size, void *stream) {
  ENTER("cuMemAllocAsync", "%zu, stream %p", size, stream);
  NEED_CONTEXT();
  NEED_NO_CAPTURE("cuMemAllocAsync");
  return allocate(pointer, size);
}
#endif
API int cuMemFreeAsync(unsigned long long pointer, void *stream) {
  ENTER("cuMemFreeAsync", "stream %p", stream);
  NEED_CONTEXT();
  return release(pointer);
}
static int copy(unsigned long long to, unsigned long long from, size_t size) {
  memcpy((void *)(size_t)to, (const void *)(size_t)from, size);
  return 0;
}
API int cuMemcpyHtoDAsync_v2(unsigned long long to, const void *from, size_t size, void *stream) {
  ENTER("cuMemcpyHtoDAsync", "%zu, stream %p", size, stream);
  NEED_CONTEXT();
  return copy(to, (unsigned long long)(size_t)from, size);
}
API int cuMemcpyDtoHAsync_v2(void *to, unsigned long long from, size_t size, void *stream) {
  ENTER("cuMemcpyDtoHAsync", "%zu, stream %p", size, stream);
  NEED_CONTEXT();
  return copy((unsigned long long)(size_t)to, from, size);
}
API int cuMemcpyDtoDAsync_v2(unsigned long long to, unsigned long long from, size_t size, void *stream) {
  ENTER("cuMemcpyDtoDAsync", "%zu, stream %p", size, stream);
  NEED_CONTEXT();
  return copy(to, from, size);
}
