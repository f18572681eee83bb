/*===- bochner/bochner.h - embed Bochner ------------------------------------------*- C -*-===*\
|*                                                                                          *|
|* Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.                     *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                                  *|
|*                                                                                          *|
|* Compiles kernelized attention and runs it. C99 and C++; needs neither LLVM nor the       *|
|* compiler's headers. From a graph to numbers:                                             *|
|*                                                                                          *|
|*   bochnerCreateContext   threads, memory, cache, log                                     *|
|*   bochnerCompileFile     or bochnerCompile, bochnerLoadModule                            *|
|*   bochnerLookupFunction  and its signature                                               *|
|*   bochnerInvoke          with DLPack tensors                                             *|
|*                                                                                          *|
|* Rules that hold everywhere                                                               *|
|*  - A function that can fail returns a bochner_status_t *: NULL is success, anything else *|
|*    belongs to the caller (bochner/status.h). On failure nothing was written to the       *|
|*    caller's tensors, and objects to be created are set to NULL.                          *|
|*  - Functions are thread-safe on one and the same object, except that nobody may use an   *|
|*    object while or after it is destroyed. Destroy functions accept NULL. Objects may be  *|
|*    destroyed in any order: a module keeps what it needs of its context.                  *|
|*  - Pointers that a query returns live as long as the object that was queried.            *|
|*  - Structures that the caller fills begin with struct_size = sizeof of the structure and *|
|*    are otherwise zero for the defaults; start from their ..._INIT macro. A library that  *|
|*    is newer than the header takes the members that the header does not know as zero.     *|
|*  - Strings are UTF-8 and end with a zero byte. Sizes are bytes, dimensions and strides   *|
|*    elements, times milliseconds.                                                         *|
|*  - The library never prints (but see BOCHNER_VERBOSE), never exits, never throws.        *|
|*  - fork(): a child may go on with a context if no other thread was inside the library    *|
|*    when it was forked; it starts threads of its own. Otherwise it must not use it.       *|
|*                                                                                          *|
|* Environment variables, read when a context is created; an option that is set wins        *|
|*   BOCHNER_CACHE_DIR  folder of compiled modules; empty: no cache on disk                 *|
|*   BOCHNER_DUMP_DIR   write the IR of each phase of each compilation here                 *|
|*   BOCHNER_VERBOSE    0: no log; 1: warnings (default); 2: also every compilation, load   *|
|*                      and cache lookup. If set and the context has no log function, the   *|
|*                      log goes to stderr.                                                 *|
|*                                                                                          *|
\*===----------------------------------------------------------------------------------------===*/
#ifndef BOCHNER_BOCHNER_H
#define BOCHNER_BOCHNER_H

#include "bochner/dlpack.h"
#include "bochner/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/*===----------------------------------------------------------------------===*\
|* Version                                                                    *|
\*===----------------------------------------------------------------------===*/

#define BOCHNER_VERSION_MAJOR 0
#define BOCHNER_VERSION_MINOR 1
#define BOCHNER_VERSION_PATCH 0
#define BOCHNER_VERSION_STRING "0.1.0"

/**
 * Version of this header's ABI, major << 16 | minor. The major part is the number of the SONAME and changes when a
 * program has to be rebuilt; the minor part grows with every addition. A library serves every header of the same
 * major and a minor not above its own; bochnerCreateContext() checks that.
 */
#define BOCHNER_ABI_VERSION 0x00000003u

/** Version of the library, which may differ from the header's. Any pointer may be NULL. Since 0.1. */
BOCHNER_API void bochnerGetVersion(int *major, int *minor, int *patch);

/** For example "0.1.0". Since 0.1. */
BOCHNER_API const char *bochnerGetVersionString(void);

/** BOCHNER_ABI_VERSION of the library. Since 0.1. */
BOCHNER_API uint32_t bochnerGetAbiVersion(void);

/*===----------------------------------------------------------------------===*\
|* Context                                                                    *|
\*===----------------------------------------------------------------------===*/

/** Threads, memory, cache and log. One for a whole program is usual; contexts share nothing. */
typedef struct bochner_context bochner_context_t;

/** A loaded module: code, and the description of its functions. Immutable. */
typedef struct bochner_module bochner_module_t;

/** A function of a module; lives as long as the bochner_module_t that it was read from. */
typedef struct bochner_function bochner_function_t;

/**
 * Receives one line of the log, without a line feed. Called from any thread that is inside the library, possibly from
 * several at once; must not call the library with the same context. Information comes as BOCHNER_SEVERITY_NOTE.
 */
typedef void (*bochner_log_fn)(void *user, bochner_severity_t severity, const char *message);

/** One task of a parallel loop. Never fails, never throws. */
typedef void (*bochner_task_fn)(void *task_context, int64_t index);

/**
 * Runs task(task_context, i) for each i in [0, count), in any order, and returns when all are done. Must not fail or
 * throw. Called from the thread that invokes a function.
 */
typedef void (*bochner_parallel_for_fn)(void *host, bochner_task_fn task, void *task_context, int64_t count);

/** Threads of the host instead of the library's. */
typedef struct {
  bochner_parallel_for_fn run; /**< NULL: the threads of the library */
  void *host;                  /**< first argument of run */
  /**
   * How many tasks may run at the same time, at least 1. As many scratch blocks are allocated before a call; a task
   * beyond that waits until another one is done.
   */
  int32_t max_concurrency;
} bochner_parallel_for_t;

typedef struct {
  size_t struct_size; /**< sizeof(bochner_context_options_t) */
  /**
   * Folder of compiled modules, created with mode 0700 if it is missing. NULL: BOCHNER_CACHE_DIR, else
   * $XDG_CACHE_HOME/bochner, else ~/.cache/bochner. "": no cache on disk. A folder that cannot be used (not writable,
   * owned by another user, writable by everybody) is reported to the log once, and the context works without it.
   * Processes may share a folder.
   */
  const char *cache_dir;
  /** Size limit of the folder in bytes; the least recently used modules go first. 0: 1 GiB. */
  uint64_t cache_limit;
  /** Threads that run one call, the calling one included. 0: one for each CPU that the process may use. */
  int32_t threads;
  /** 0: BOCHNER_VERBOSE, else 1. Otherwise the level of the table above, and -1 for no log. */
  int32_t verbosity;
  bochner_log_fn log; /**< NULL: no log unless BOCHNER_VERBOSE is set */
  void *log_user;     /**< first argument of log */
  /** Runs parallel loops. {0}: the library's own threads, started by the first call that needs them. */
  bochner_parallel_for_t parallel_for;
  /** Write the IR after each phase of each compilation to this folder. NULL: BOCHNER_DUMP_DIR, else nowhere. */
  const char *dump_dir;
} bochner_context_options_t;

#define BOCHNER_CONTEXT_OPTIONS_INIT                                                                                   \
  {sizeof(bochner_context_options_t), NULL, 0, 0, 0, NULL, NULL, {NULL, NULL, 0}, NULL}

/** Behind bochnerCreateContext(); foreign-function interfaces pass the ABI version that they were written for. */
BOCHNER_API bochner_status_t *bochnerCreateContextForAbi(uint32_t abi_version, const bochner_context_options_t *options,
                                                         bochner_context_t **context);

/**
 * Creates a context. `options` may be NULL. Does not load the compiler or touch the disk: that happens at first use.
 * Errors: VERSION_MISMATCH if this header and the library do not fit, INVALID_ARGUMENT for options out of range.
 * Since 0.1.
 */
static inline bochner_status_t *bochnerCreateContext(const bochner_context_options_t *options,
                                                     bochner_context_t **context) {
  return bochnerCreateContextForAbi(BOCHNER_ABI_VERSION, options, context);
}

/** Ends the library's threads once the last module of the context is gone, too. Since 0.1. */
BOCHNER_API void bochnerDestroyContext(bochner_context_t *context);

/** How many threads run one call: the option, or what 0 came to. Since 0.1. */
BOCHNER_API int32_t bochnerGetThreadCount(const bochner_context_t *context);

/** The folder of the disk cache; NULL if there is none or it turned out to be unusable. Since 0.1. */
BOCHNER_API const char *bochnerGetCacheDirectory(bochner_context_t *context);

/*===----------------------------------------------------------------------===*\
|* Modules                                                                    *|
\*===----------------------------------------------------------------------===*/

typedef struct {
  size_t struct_size;       /**< sizeof(bochner_compile_options_t) */
  const char *source_name;  /**< for diagnostics; NULL: "<input>" */
  const char *route;        /**< "fused" (NULL) or "decompose", the plain loops that serve as the oracle */
  const char *device;       /**< "cpu" (NULL), "cuda", or "sim": kernels for GPUs, simulated */
  const char *cpu;          /**< an LLVM CPU name such as "x86-64-v3"; NULL or "host": this machine */
  const char *element_type; /**< NULL, or "f64": convert every float type first */
  const char *dump_dir;     /**< as in the context's options, which this one beats. Always compiles. */
  int32_t keep_phases;      /**< not 0: store the IR of each phase in the module, see bochnerGetPhase() */
  int32_t no_cache;         /**< not 0: neither look into the caches nor store */
  /**
   * Of devices other than cpu: "sm_80" (NULL), "sm_86", "sm_89", "sm_90a". For device cuda, names behind a comma are
   * further chips that get machine code: "sm_80,sm_86,sm_90". Every other chip from the first one on gets PTX.
   */
  const char *chip;
  int32_t tf32; /**< not 0: devices other than cpu may round f32 to tf32 before they multiply */
  /**
   * Of device cuda: the path of ptxas, which makes machine code. NULL: that of CUDA_HOME, of PATH, or of
   * /usr/local/cuda, and only PTX if there is none; "none": only PTX. Caches do not notice that ptxas was installed.
   */
  const char *ptxas;
} bochner_compile_options_t;

#define BOCHNER_COMPILE_OPTIONS_INIT                                                                                   \
  {sizeof(bochner_compile_options_t), NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, 0, NULL}

/**
 * Compiles MLIR text or bytecode, or takes the result from the cache of the context in memory or on disk. `source` is
 * read during the call only and needs no zero byte at its end. Loads libbochner-compiler.so when it is first needed;
 * a hit does not need it. Several threads that ask for the same module wait for one compilation.
 *
 * `options` may be NULL. On success *module belongs to the caller.
 * Errors: COMPILE_ERROR with diagnostics, INVALID_ARGUMENT, UNAVAILABLE (there is no compiler), VERSION_MISMATCH,
 * OUT_OF_MEMORY, INTERNAL_ERROR. Troubles of the cache are never errors. Since 0.1.
 */
BOCHNER_API bochner_status_t *bochnerCompile(bochner_context_t *context, const void *source, size_t source_size,
                                             const bochner_compile_options_t *options, bochner_module_t **module);

/** bochnerCompile() of a file's content; source_name defaults to `path`. Also NOT_FOUND, IO_ERROR. Since 0.1. */
BOCHNER_API bochner_status_t *bochnerCompileFile(bochner_context_t *context, const char *path,
                                                 const bochner_compile_options_t *options, bochner_module_t **module);

/**
 * Loads a module that bochnerSaveModule() wrote. A module is native code: load only files that you trust. The file is
 * mapped if nobody else can write to it or its folder, and copied otherwise; it may be replaced (by renaming) or
 * deleted at any time. A module for another CPU loads and can be looked at, but not called. Errors: NOT_FOUND,
 * IO_ERROR, INVALID_MODULE, UNAVAILABLE (the system forbids to execute loaded code), OUT_OF_MEMORY. Since 0.1.
 */
BOCHNER_API bochner_status_t *bochnerLoadModule(bochner_context_t *context, const char *path,
                                                bochner_module_t **module);

/** The same from memory; `data` is copied. Since 0.1. */
BOCHNER_API bochner_status_t *bochnerLoadModuleFromMemory(bochner_context_t *context, const void *data, size_t size,
                                                          bochner_module_t **module);

/** 1 if `data` begins like a module rather than like MLIR. Eight bytes are enough. Since 0.1. */
BOCHNER_API int bochnerIsModule(const void *data, size_t size);

/**
 * Writes the module to `path`: to a temporary file beside it, which is then renamed, so that nobody ever sees half a
 * module. Errors: IO_ERROR. Since 0.1.
 */
BOCHNER_API bochner_status_t *bochnerSaveModule(const bochner_module_t *module, const char *path);

/** Receives a text of `size` bytes, which lives for the call only. Must not throw. */
typedef void (*bochner_text_fn)(void *user, const char *text, size_t size);

/**
 * Builds the graph of a kernelized attention, MLIR text for bochnerCompile(). `options` are those of bochner-gen, one
 * word each: "--map", "gmm_prf", "--head-dim", "64"; "--help" gives their list instead of a graph. On success calls
 * `receive` once. Loads the compiler. Errors: INVALID_ARGUMENT with what bochner-gen says, UNAVAILABLE,
 * VERSION_MISMATCH, INTERNAL_ERROR. Since 0.1.
 */
BOCHNER_API bochner_status_t *bochnerBuildGraph(const char *const *options, size_t option_count,
                                                bochner_text_fn receive, void *user);

/** Its functions are gone with it. Since 0.1. */
BOCHNER_API void bochnerDestroyModule(bochner_module_t *module);

/** Where a module came from. */
typedef enum {
  BOCHNER_CACHE_NONE = 0,   /**< loaded by name, or compiled with no_cache */
  BOCHNER_CACHE_MISS = 1,   /**< compiled */
  BOCHNER_CACHE_MEMORY = 2, /**< hit in the context's memory */
  BOCHNER_CACHE_DISK = 3    /**< hit on disk */
} bochner_cache_outcome_t;

typedef struct {
  const char *producer; /**< for example "bochner 0.1.0, LLVM 22.1.8" */
  const char *route;
  const char *device;
  const char *cpu;      /**< resolved, never "host" */
  const char *features; /**< that the code needs, "+avx2,+fma" */
  bochner_cache_outcome_t cache;
  double compile_ms; /**< time in the compiler; 0 unless it ran for this module */
  double load_ms;    /**< from the call to the loaded module, without compile_ms */
  size_t size;       /**< of the module's file */
} bochner_module_info_t;

/** Never NULL. Since 0.1. */
BOCHNER_API const bochner_module_info_t *bochnerGetModuleInfo(const bochner_module_t *module);

/** Warnings and remarks of the compilation; none if the module was loaded or came from a cache. Since 0.1. */
BOCHNER_API size_t bochnerGetModuleDiagnosticCount(const bochner_module_t *module);
BOCHNER_API const bochner_diagnostic_t *bochnerGetModuleDiagnostic(const bochner_module_t *module, size_t index);

/** The IR after one phase. */
typedef struct {
  const char *name;
  const char *ir;
} bochner_phase_t;

/** Phases in order; none unless the module was compiled with keep_phases. Since 0.1. */
BOCHNER_API size_t bochnerGetPhaseCount(const bochner_module_t *module);
/** NULL if there is none. Since 0.1. */
BOCHNER_API const bochner_phase_t *bochnerGetPhase(const bochner_module_t *module, size_t index);

/*===----------------------------------------------------------------------===*\
|* Functions and their signatures                                             *|
\*===----------------------------------------------------------------------===*/

/** Functions in the order of the source. Since 0.1. */
BOCHNER_API size_t bochnerGetFunctionCount(const bochner_module_t *module);
/** NULL if there is none. Since 0.1. */
BOCHNER_API const bochner_function_t *bochnerGetFunction(const bochner_module_t *module, size_t index);

/**
 * Finds a function by name; NULL or "" finds the only one.
 * Errors: NOT_FOUND with the names that exist. Since 0.1.
 */
BOCHNER_API bochner_status_t *bochnerLookupFunction(const bochner_module_t *module, const char *name,
                                                    const bochner_function_t **function);

BOCHNER_API const char *bochnerGetFunctionName(const bochner_function_t *function);

/** Free text for runners, "map=gmm_prf attention=linear"; "" if there is none. Since 0.1. */
BOCHNER_API const char *bochnerGetFunctionAttributes(const bochner_function_t *function);

/** A dimension that the caller decides at each call. */
#define BOCHNER_DYNAMIC (-1)

/** An argument or a result. */
typedef struct {
  const char *name; /**< "q", or "arg0", "out0" where the source has no name */
  DLDataType dtype;
  int32_t rank;
  const int64_t *shape; /**< rank sizes, BOCHNER_DYNAMIC where the caller decides */
  const char *init;     /**< bochner.init: how to fill it if it is not given ("normal(0.5)"); "" if it must be */
  const char *const *dim_names; /**< rank names from bochner.dims; NULL if the source has none */
} bochner_tensor_info_t;

BOCHNER_API size_t bochnerGetArgumentCount(const bochner_function_t *function);
BOCHNER_API size_t bochnerGetResultCount(const bochner_function_t *function);
/** NULL if there is none. Since 0.1. */
BOCHNER_API const bochner_tensor_info_t *bochnerGetArgument(const bochner_function_t *function, size_t index);
BOCHNER_API const bochner_tensor_info_t *bochnerGetResult(const bochner_function_t *function, size_t index);

/**
 * The number of the argument whose next value result `result` is (a state, when decoding); -1 if it is none or there is
 * no such result. Argument and result may be given the same memory, see bochnerInvoke(). Since 0.1.
 */
BOCHNER_API int64_t bochnerGetUpdatedArgument(const bochner_function_t *function, size_t result);

/**
 * The shape that result `result` has for these arguments, into shape[0 .. rank - 1]. Only types and shapes of the
 * arguments are looked at (data may be NULL). Errors: INVALID_ARGUMENT. Since 0.1.
 */
BOCHNER_API bochner_status_t *bochnerResolveResultShape(const bochner_function_t *function,
                                                        const DLTensor *const *arguments, size_t argument_count,
                                                        size_t result, int64_t *shape);

/** What one call costs. */
typedef struct {
  size_t struct_size;       /**< in: sizeof(bochner_cost_t) */
  double flop;              /**< what the formula needs, however it is computed */
  uint64_t workspace_bytes; /**< for intermediate tensors, packed parameters and states */
  uint64_t scratch_bytes;   /**< for each task that runs at the same time; a multiple of 64 */
  uint64_t state_bytes;     /**< partial states of attention, a part of the workspace */
  int32_t concurrency;      /**< how many tasks the context runs at the same time */
} bochner_cost_t;

#define BOCHNER_COST_INIT {sizeof(bochner_cost_t), 0.0, 0, 0, 0, 0}

/** Like bochnerResolveResultShape(), only shapes count. Errors: INVALID_ARGUMENT, UNAVAILABLE. Since 0.1. */
BOCHNER_API bochner_status_t *bochnerEstimateCost(const bochner_function_t *function, const DLTensor *const *arguments,
                                                  size_t argument_count, bochner_cost_t *cost);

/*===----------------------------------------------------------------------===*\
|* Invocation                                                                 *|
\*===----------------------------------------------------------------------===*/

/** What one launch of a kernel did; sums over all blocks. Warps count once, not each of their threads. */
typedef struct {
  size_t struct_size;
  const char *kernel; /**< its name; lives for the call only */
  int64_t grid[3];
  int32_t block[3];
  uint32_t shared_bytes; /**< of a block */
  uint64_t barriers;     /**< of a block */
  uint64_t shuffles;
  uint64_t mufu;                                        /**< exponentials, sines and the like, of threads */
  uint64_t mma_flop;                                    /**< of tensor cores on 16-bit operands */
  uint64_t mma_tf32_flop;                               /**< and on tf32 */
  uint64_t shared_requests, shared_wavefronts;          /**< accesses; a conflict of banks takes one more wavefront */
  uint64_t shared_minimum;                              /**< wavefronts without any conflict */
  uint64_t global_read_bytes, global_written_bytes;     /**< asked for */
  uint64_t global_read_sectors, global_written_sectors; /**< of 32 bytes, touched */
} bochner_launch_counts_t;

/** Called after each launch, on the thread that invoked the function. Must not call the library. */
typedef void (*bochner_launched_fn)(void *user, const bochner_launch_counts_t *counts);

/** How the device sim runs kernels. All zero is the default. */
typedef struct {
  uint64_t seed;                /**< 0: threads of a block run in order; else in an order that depends on it */
  int32_t unchecked;            /**< not 0: no search for races and uninitialized memory; bounds are always checked */
  bochner_launched_fn launched; /**< NULL: nothing is counted */
  void *user;                   /**< first argument of launched */
} bochner_simulation_options_t;

typedef struct {
  size_t struct_size; /**< sizeof(bochner_invoke_options_t) */
  /**
   * Memory of the caller instead of the allocator's, 64-byte aligned, for the time of the call: at least
   * workspace_bytes, and concurrency times scratch_bytes of bochnerEstimateCost(). NULL: the allocator of the context.
   */
  void *workspace;
  size_t workspace_size;
  void *scratch;
  size_t scratch_size;
  int32_t threads; /**< use at most so many of the context's threads; 0: all. Results do not depend on it. */
  bochner_parallel_for_t parallel_for;     /**< {0}: as the context says */
  bochner_simulation_options_t simulation; /**< of the device sim; others do not look at it */
  /**
   * Device cuda: the CUstream that kernels are launched on; NULL is the default stream. The call returns when all are
   * launched, not when they are done. The stream may be under capture, if `workspace` (here in device memory) is given
   * and the function was called with the same shapes before: a call allocates, loads and waits for nothing then.
   */
  void *stream;
  /** Devices sim and cuda: add what is launched to launch.json of this folder, which a compilation with dump_dir wrote.
   */
  const char *dump_dir;
} bochner_invoke_options_t;

#define BOCHNER_INVOKE_OPTIONS_INIT                                                                                    \
  {sizeof(bochner_invoke_options_t), NULL, 0, NULL, 0, 0, {NULL, NULL, 0}, {0, 0, NULL, NULL}, NULL, NULL}

/**
 * Calls a function. Everything is checked before anything is written: counts, ranks, types, static dimensions,
 * dimensions that must agree, ranges of integers such as sequence lengths, offsets of packed sequences, devices,
 * overlap.
 *
 * Arguments: on the CPU, any strides (0 and negative ones as well) but a contiguous last dimension; strides NULL
 * means compact; byte_offset counts; data may be NULL if a dimension is 0; read-only and misaligned memory is
 * accepted (data that is not aligned to its element size is copied first). Neither tensors nor memory are kept.
 *
 * Functions for device cuda take tensors in the memory of one CUDA device (DLPack device types 2 and 13) instead. The
 * current context is used if it is of that device, else the device's primary one. Values in device memory are not
 * read: lengths and offsets of sequences are the caller's to check, misaligned data is refused.
 *
 * Results: tensors of the caller with the shape of bochnerResolveResultShape() and the rules of arguments, which share
 * no byte with an argument or another result and whose elements do not overlap. Written completely. One exception: a
 * result that is the next value of an argument (bochnerGetUpdatedArgument()) may have exactly its memory: the same
 * address, shape and strides. The argument then ends up with the new value. Functions that were compiled for that need
 * no memory for it, others copy the argument first.
 *
 * `options` may be NULL. Any number of threads may call one function at the same time; they share the context's
 * threads. Errors: INVALID_ARGUMENT, OUT_OF_MEMORY, UNAVAILABLE (the code needs a CPU feature or a device that this
 * machine lacks), KERNEL_FAULT (the device sim found what a GPU must not do; results are not to be trusted),
 * DEVICE_ERROR (the driver of device cuda refused a call; kernels before it may have written results). Since 0.1.
 */
BOCHNER_API bochner_status_t *bochnerInvoke(const bochner_function_t *function, const DLTensor *const *arguments,
                                            size_t argument_count, DLTensor *const *results, size_t result_count,
                                            const bochner_invoke_options_t *options);

/**
 * The same, but the library allocates results[0 .. result_count - 1]: compact, 64-byte aligned. Each belongs to the
 * caller, who calls its deleter, from any thread and also after the context is gone. Not for device cuda. Since 0.1.
 */
BOCHNER_API bochner_status_t *bochnerInvokeAllocating(const bochner_function_t *function,
                                                      const DLTensor *const *arguments, size_t argument_count,
                                                      DLManagedTensorVersioned **results, size_t result_count,
                                                      const bochner_invoke_options_t *options);

/*===----------------------------------------------------------------------===*\
|* Tensors and memory                                                         *|
\*===----------------------------------------------------------------------===*/

/**
 * The tensor inside a managed one, to be passed to bochnerInvoke(); stays the property of `managed`. NULL gives NULL.
 * Since 0.1.
 */
BOCHNER_API DLTensor *bochnerBorrowTensor(DLManagedTensor *managed);

/**
 * The same for DLPack 1.x. `writable` is not 0 if it is to be a result. Errors: VERSION_MISMATCH if the structure has
 * another major version (only its deleter may be used then), INVALID_ARGUMENT if it is read-only and writable is set.
 * Since 0.1.
 */
BOCHNER_API bochner_status_t *bochnerBorrowVersionedTensor(DLManagedTensorVersioned *managed, int writable,
                                                           DLTensor **tensor);

/**
 * A compact, 64-byte aligned, uninitialized tensor on the CPU from the allocator of the context. The caller calls its
 * deleter, from any thread and also after the context is gone.
 * Errors: INVALID_ARGUMENT (negative or overflowing shape, no such type), OUT_OF_MEMORY. Since 0.1.
 */
BOCHNER_API bochner_status_t *bochnerCreateTensor(bochner_context_t *context, DLDataType dtype, int32_t rank,
                                                  const int64_t *shape, DLManagedTensorVersioned **tensor);

/**
 * A compact, uninitialized tensor in the memory of a CUDA device, for programs that have no allocator of their own.
 * The caller calls its deleter. Errors: INVALID_ARGUMENT, OUT_OF_MEMORY, UNAVAILABLE (no driver, no such device),
 * DEVICE_ERROR. Since 0.1.
 */
BOCHNER_API bochner_status_t *bochnerCreateDeviceTensor(DLDevice device, DLDataType dtype, int32_t rank,
                                                        const int64_t *shape, DLManagedTensorVersioned **tensor);

/**
 * Copies between compact tensors of one type and shape, of which one or both are on a CUDA device, behind what `stream`
 * (a CUstream, may be NULL) has to do, and waits for it. Errors: as above. Since 0.1.
 */
BOCHNER_API bochner_status_t *bochnerCopyTensor(const DLTensor *from, DLTensor *to, void *stream);

/**
 * Fills a tensor as an initializer says (`init` of bochner_tensor_info_t): zeros, ones, normal, normal(std),
 * uniform(a), signs, permutation and mask (along the last axis), chi, below(n) or constant(x). Random numbers depend on
 * `seed`, `name` and the index of the element alone: the same bits on every machine, the same values in f32 and f64.
 * `name` is that of the argument, so that one seed serves a whole model.
 *
 * The tensor is compact, on the CPU, and holds f64, f32, i64, i32, i8 or truth values.
 * Errors: INVALID_ARGUMENT; nothing was written then. Since 0.1.
 */
BOCHNER_API bochner_status_t *bochnerFillTensor(const char *init, uint64_t seed, const char *name, DLTensor *tensor);

typedef struct {
  size_t struct_size;       /**< in: sizeof(bochner_memory_statistics_t) */
  uint64_t used_bytes;      /**< in tensors and calls now */
  uint64_t peak_used_bytes; /**< largest used_bytes so far */
  uint64_t cached_bytes;    /**< kept for the next use, because fresh memory is expensive */
} bochner_memory_statistics_t;

#define BOCHNER_MEMORY_STATISTICS_INIT {sizeof(bochner_memory_statistics_t), 0, 0, 0}

/** Statistics of the allocator; sizes as rounded by it. Since 0.1. */
BOCHNER_API bochner_status_t *bochnerGetMemoryStatistics(const bochner_context_t *context,
                                                         bochner_memory_statistics_t *statistics);

/** Gives cached_bytes back to the operating system and starts the peak anew. Since 0.1. */
BOCHNER_API void bochnerReleaseMemory(bochner_context_t *context);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* BOCHNER_BOCHNER_H */
