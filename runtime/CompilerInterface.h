/*===- CompilerInterface.h - between libbochner.so and libbochner-compiler.so ===*\
|*                                                                            *|
|* Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.       *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|* Private C interface that lets the runtime load the compiler lazily with    *|
|* dlopen(RTLD_LOCAL). Applications use bochner/bochner.h.                     *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/
#ifndef BOCHNER_RUNTIME_COMPILERINTERFACE_H
#define BOCHNER_RUNTIME_COMPILERINTERFACE_H

#include "bochner/status.h" /* bochner_severity_t */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BOCHNER_COMPILER_INTERFACE_VERSION 3
#define BOCHNER_COMPILER_ENTRY "bochnerCompilerGetInterface"

/* What to compile. Strings end with a zero byte; NULL means the default. */
typedef struct {
  const char *source; /* MLIR text or bytecode; need not end with a zero byte */
  size_t source_size;
  const char *source_name;  /* for diagnostics, "<input>" by default */
  const char *route;        /* "fused" (default) or "decompose" */
  const char *device;       /* "cpu" (default), "sim" or "cuda" */
  const char *cpu;          /* an LLVM CPU name, "host" by default */
  const char *element_type; /* NULL, or "f64": convert every float type first (for the oracle of --check) */
  const char *dump_dir;     /* write the IR after each phase here */
  int32_t keep_phases;      /* store the IR of each phase in the module */
  const char *chip;         /* of devices other than cpu, "sm_80" by default */
  int32_t tf32;             /* such devices may round f32 to tf32 */
  const char *ptxas;        /* of device cuda: its path, "" to search, "none" for PTX only */
} bochner_compile_request_t;

typedef enum { BOCHNER_COMPILED = 0, BOCHNER_USER_ERROR = 1, BOCHNER_INTERNAL_ERROR = 2 } bochner_compile_code_t;

typedef struct {
  bochner_compile_code_t code;
  const char *module; /* the file's bytes; owned by the result */
  size_t module_size;
  void *impl;
} bochner_compile_result_t;

/* Receives every diagnostic in order; `location` is "file:line:column" or "". The strings live for the call only. */
typedef void (*bochner_diagnostic_fn)(void *user, bochner_severity_t severity, const char *location,
                                      const char *message);

/* Receives a text of `size` bytes that lives for the call only. */
typedef void (*bochner_receive_fn)(void *user, const char *text, size_t size);

typedef struct {
  uint32_t version;            /* BOCHNER_COMPILER_INTERFACE_VERSION */
  const char *project_version; /* "0.1.0" */
  const char *llvm_version;    /* "22.1.8" */
  /* Thread-safe. Never prints, exits or throws. */
  void (*compile)(const bochner_compile_request_t *request, bochner_diagnostic_fn diagnostic, void *user,
                  bochner_compile_result_t *result);
  void (*release)(bochner_compile_result_t *result);
  /* The graph that options of bochner-gen mean, or why there is none, to `receive`, once. Thread-safe. */
  bochner_compile_code_t (*build_graph)(const char *const *options, size_t option_count, bochner_receive_fn receive,
                                        void *user);
} bochner_compiler_interface_t;

/* Exported by libbochner-compiler.so under the name BOCHNER_COMPILER_ENTRY. */
typedef const bochner_compiler_interface_t *(*bochner_compiler_entry_fn)(void);

#ifdef __cplusplus
}
#endif

#endif /* BOCHNER_RUNTIME_COMPILERINTERFACE_H */
