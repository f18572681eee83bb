/*===- attention.c - Bochner inside a C program --------------------------------------------===*\
|*                                                                                          *|
|* Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.                     *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                                  *|
|*                                                                                          *|
|* Usage: attention FILE [SAVED]                                                            *|
|*                                                                                          *|
|* FILE is a graph (MLIR text or bytecode) or a compiled module. The program calls its      *|
|* first function on made-up inputs, prints a checksum of each result, and writes the       *|
|* module to SAVED, which runs where no compiler is installed.                              *|
|*                                                                                          *|
\*===----------------------------------------------------------------------------------------===*/
#include <bochner/bochner.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Prints a failure with all that the compiler said, and ends the program. */
static void check(bochner_status_t *status) {
  if (!status)
    return;
  fprintf(stderr, "attention: %s: %s\n", bochnerGetStatusCodeName(bochnerGetStatusCode(status)),
          bochnerGetStatusMessage(status));
  for (size_t i = 0; i < bochnerGetStatusDiagnosticCount(status); ++i) {
    const bochner_diagnostic_t *diagnostic = bochnerGetStatusDiagnostic(status, i);
    fprintf(stderr, "  %s: %s\n", diagnostic->location, diagnostic->message);
  }
  int code = bochnerIsUserError(bochnerGetStatusCode(status)) ? 1 : 3;
  bochnerDestroyStatus(status);
  exit(code);
}

static void printLog(void *user, bochner_severity_t severity, const char *message) {
  (void)user;
  fprintf(stderr, "%s%s\n", severity >= BOCHNER_SEVERITY_WARNING ? "warning: " : "", message);
}

/* Compiles a graph, or loads a module. */
static bochner_module_t *load(bochner_context_t *context, const char *path) {
  char magic[8] = {0};
  FILE *file = fopen(path, "rb");
  size_t size = file ? fread(magic, 1, sizeof magic, file) : 0;
  if (file)
    fclose(file);
  bochner_module_t *module = NULL;
  if (bochnerIsModule(magic, size))
    check(bochnerLoadModule(context, path, &module));
  else
    check(bochnerCompileFile(context, path, NULL, &module));
  return module;
}

/* Sizes for the dimensions that the caller decides: by name where the graph names them, else by position in
 * [B, H, N, D] and [B, N, D]. */
static int64_t chooseSize(const bochner_tensor_info_t *info, int32_t dim) {
  const char *position = info->rank == 4 ? "BHND" : "BND";
  char name = info->dim_names ? info->dim_names[dim][0] : dim < 3 ? position[dim] : 'D';
  return name == 'B' ? 2 : name == 'H' ? 8 : 256;
}

/* Small numbers that are the same on every machine. Integers are sequence lengths, or permutations of a row. */
static void fill(DLTensor *tensor, const char *init) {
  size_t count = 1, row = tensor->ndim ? (size_t)tensor->shape[tensor->ndim - 1] : 1;
  for (int32_t i = 0; i < tensor->ndim; ++i)
    count *= (size_t)tensor->shape[i];
  int isConstant = !strcmp(init, "zeros") || !strcmp(init, "ones");
  unsigned state = 1;
  for (size_t i = 0; i < count; ++i) {
    state = state * 1103515245u + 12345u;
    double value = isConstant ? init[0] == 'o' : (double)(state >> 16 & 0x7fff) / 32768 - 0.5;
    int64_t integer = strncmp(init, "permutation", 11) ? 200 : (int64_t)(i % row);
    char *element = (char *)tensor->data + i * (tensor->dtype.bits / 8);
    if (tensor->dtype.code == kDLFloat && tensor->dtype.bits == 64)
      *(double *)element = value;
    else if (tensor->dtype.code == kDLFloat && tensor->dtype.bits == 32)
      *(float *)element = (float)value;
    else if (tensor->dtype.code == kDLInt && tensor->dtype.bits == 64)
      *(int64_t *)element = integer;
    else if (tensor->dtype.code == kDLInt && tensor->dtype.bits == 32)
      *(int32_t *)element = (int32_t)integer;
    else
      memset(element, 0, tensor->dtype.bits / 8);
  }
}

static void printChecksum(const char *name, const DLTensor *tensor) {
  size_t count = 1;
  printf("%s [", name);
  for (int32_t i = 0; i < tensor->ndim; ++i) {
    printf(i ? ", %lld" : "%lld", (long long)tensor->shape[i]);
    count *= (size_t)tensor->shape[i];
  }
  double sum = 0;
  for (size_t i = 0; i < count; ++i)
    if (tensor->dtype.code == kDLFloat)
      sum += tensor->dtype.bits == 64 ? ((double *)tensor->data)[i] : (double)((float *)tensor->data)[i];
  printf("] checksum %.6g\n", sum);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: attention FILE [SAVED]\n");
    return 1;
  }
  bochner_context_options_t options = BOCHNER_CONTEXT_OPTIONS_INIT;
  options.log = printLog;
  bochner_context_t *context = NULL;
  check(bochnerCreateContext(&options, &context));
  bochner_module_t *module = load(context, argv[1]);
  const bochner_function_t *function = bochnerGetFunction(module, 0);
  if (!function) {
    fprintf(stderr, "attention: the module has no function\n");
    return 1;
  }
  printf("bochner %s, %s, function %s\n", bochnerGetVersionString(), bochnerGetModuleInfo(module)->producer,
         bochnerGetFunctionName(function));

  /* One tensor for each argument. */
  size_t argumentCount = bochnerGetArgumentCount(function), resultCount = bochnerGetResultCount(function);
  DLManagedTensorVersioned **tensors = calloc(argumentCount + resultCount, sizeof *tensors);
  const DLTensor **arguments = calloc(argumentCount + 1, sizeof *arguments);
  if (!tensors || !arguments)
    return 3;
  DLManagedTensorVersioned **results = tensors + argumentCount;
  for (size_t i = 0; i < argumentCount; ++i) {
    const bochner_tensor_info_t *info = bochnerGetArgument(function, i);
    int64_t shape[64];
    for (int32_t dim = 0; dim < info->rank; ++dim)
      shape[dim] = info->shape[dim] == BOCHNER_DYNAMIC ? chooseSize(info, dim) : info->shape[dim];
    check(bochnerCreateTensor(context, info->dtype, info->rank, shape, &tensors[i]));
    fill(&tensors[i]->dl_tensor, info->init);
    arguments[i] = &tensors[i]->dl_tensor;
  }

  bochner_cost_t cost = BOCHNER_COST_INIT;
  check(bochnerEstimateCost(function, arguments, argumentCount, &cost));
  printf("%.3g GFLOP, workspace %llu bytes, scratch %llu bytes for each of %d threads\n", cost.flop * 1e-9,
         (unsigned long long)cost.workspace_bytes, (unsigned long long)cost.scratch_bytes, (int)cost.concurrency);

  check(bochnerInvokeAllocating(function, arguments, argumentCount, results, resultCount, NULL));
  for (size_t i = 0; i < resultCount; ++i)
    printChecksum(bochnerGetResult(function, i)->name, &results[i]->dl_tensor);

  if (argc > 2)
    check(bochnerSaveModule(module, argv[2]));
  for (size_t i = 0; i < argumentCount + resultCount; ++i)
    tensors[i]->deleter(tensors[i]);
  free(tensors);
  free(arguments);
  bochnerDestroyModule(module);
  bochnerDestroyContext(context);
  return 0;
}
