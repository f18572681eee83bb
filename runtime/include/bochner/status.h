/*===- bochner/status.h - errors across the C ABI ------------------------------*- C -*-===*\
|*                                                                                        *|
|* Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.                   *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                                *|
|*                                                                                        *|
|* Every function of Bochner that can fail returns a bochner_status_t *. Success is NULL, *|
|* so that success costs nothing and `if (status)` reads as "if it failed". A status      *|
|* carries a code, a message that says what was expected, what came and what to do, and   *|
|* all diagnostics of the compiler in order.                                              *|
|*                                                                                        *|
\*===--------------------------------------------------------------------------------------===*/
#ifndef BOCHNER_STATUS_H
#define BOCHNER_STATUS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define BOCHNER_API __attribute__((visibility("default")))
#else
#define BOCHNER_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** A failure. Owned by whoever received it: pass it to bochnerDestroyStatus(). Immutable, so threads may share it. */
typedef struct bochner_status bochner_status_t;

/**
 * What kind of failure. Codes are only ever added (a library newer than the header may return one that the header
 * does not name), so treat an unknown code like BOCHNER_STATUS_INTERNAL_ERROR.
 */
typedef enum {
  BOCHNER_STATUS_OK = 0, /**< the code of a NULL status */

  /* The caller can mend these; bochnerIsUserError() is 1. */
  BOCHNER_STATUS_INVALID_ARGUMENT = 1, /**< a wrong shape, type, stride, option or NULL pointer; nothing was written */
  BOCHNER_STATUS_COMPILE_ERROR = 2,    /**< the source was refused; the diagnostics say where and why */
  BOCHNER_STATUS_NOT_FOUND = 3,        /**< no such file, function or phase */
  BOCHNER_STATUS_INVALID_MODULE = 4,   /**< the bytes are not a module, are damaged, or are of another format version */
  BOCHNER_STATUS_UNAVAILABLE = 5,      /**< this machine lacks the compiler, the device or a CPU feature */
  BOCHNER_STATUS_VERSION_MISMATCH = 6, /**< header, library and compiler are not of one release */

  /* These depend on the state of the machine. */
  BOCHNER_STATUS_IO_ERROR = 7,      /**< the operating system refused to read or write; the message has its reason */
  BOCHNER_STATUS_OUT_OF_MEMORY = 8, /**< memory could not be allocated; nothing was written */

  BOCHNER_STATUS_INTERNAL_ERROR = 9, /**< a defect of Bochner; please report it with the message */

  BOCHNER_STATUS_KERNEL_FAULT = 10, /**< device sim: a kernel did what it must not; diagnostics say what */
  BOCHNER_STATUS_DEVICE_ERROR = 11  /**< device cuda: the GPU or its driver refused a call; the message names both */
} bochner_status_code_t;

typedef enum {
  BOCHNER_SEVERITY_NOTE = 0, /**< belongs to the diagnostic before it; in the log, information */
  BOCHNER_SEVERITY_REMARK = 1,
  BOCHNER_SEVERITY_WARNING = 2,
  BOCHNER_SEVERITY_ERROR = 3
} bochner_severity_t;

/** One diagnostic. The strings live as long as the object that it was read from. */
typedef struct {
  bochner_severity_t severity;
  const char *location; /**< "file:line:column", or "" if there is none */
  const char *message;
} bochner_diagnostic_t;

/** BOCHNER_STATUS_OK for NULL. Since 0.1. */
BOCHNER_API bochner_status_code_t bochnerGetStatusCode(const bochner_status_t *status);

/** Never NULL; "" for a NULL status. Lives as long as the status. Since 0.1. */
BOCHNER_API const char *bochnerGetStatusMessage(const bochner_status_t *status);

/** Number of diagnostics; 0 for NULL. Since 0.1. */
BOCHNER_API size_t bochnerGetStatusDiagnosticCount(const bochner_status_t *status);

/** Diagnostic `index` in the order in which it was reported; NULL if there is none. Since 0.1. */
BOCHNER_API const bochner_diagnostic_t *bochnerGetStatusDiagnostic(const bochner_status_t *status, size_t index);

/** 1 if the caller can mend a failure of this code, 0 otherwise. Since 0.1. */
BOCHNER_API int bochnerIsUserError(bochner_status_code_t code);

/** The code in words, for example "invalid argument"; a static string. Since 0.1. */
BOCHNER_API const char *bochnerGetStatusCodeName(bochner_status_code_t code);

/** Accepts NULL. Since 0.1. */
BOCHNER_API void bochnerDestroyStatus(bochner_status_t *status);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* BOCHNER_STATUS_H */
