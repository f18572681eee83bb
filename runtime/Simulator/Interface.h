/*===- Interface.h - between simulated kernels, their compiler and libbochner-sim.so ---------*- C -*-===*\
|*                                                                                                      *|
|* Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.                                 *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                                              *|
|*                                                                                                      *|
|* Private C interface of the device `sim`, in three parts: what lib/Simulator writes into a module     *|
|* (bochner_sim_kernel_t), what such code sees while it runs (bochner_sim_lane_t and its table of       *|
|* functions: the code has no other undefined symbols than RuntimeFunctions.h), and what the runtime    *|
|* calls (bochner_sim_interface_t). docs/Simulator.md says what is checked.                             *|
|*                                                                                                      *|
\*===----------------------------------------------------------------------------------------------------===*/
#ifndef BOCHNER_RUNTIME_SIMULATOR_INTERFACE_H
#define BOCHNER_RUNTIME_SIMULATOR_INTERFACE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BOCHNER_SIM_INTERFACE_VERSION 1
#define BOCHNER_SIM_ENTRY "bochnerSimGetInterface"

/*===----------------------------------------------------------------------------------------------------===*\
|* What simulated code contains: constants, relocatable                                                   *|
\*===----------------------------------------------------------------------------------------------------===*/

/* A point of the program that reports can name. `what`, `file` and names elsewhere are offsets in
 * bochner_sim_kernel_t::strings. */
typedef struct {
  uint32_t what; /* "load", "store", "barrier.cta.sync.aligned.all", ... */
  uint32_t file, line, column;
  uint32_t size; /* bytes of an access, else 0 */
} bochner_sim_site_t;

/* A buffer in static shared memory. */
typedef struct {
  uint32_t name, offset, size;
} bochner_sim_shared_t;

typedef struct bochner_sim_lane bochner_sim_lane_t;
/* parameters[i] is the address of the value of parameter i, as for cuLaunchKernel. */
typedef void (*bochner_sim_entry_fn)(bochner_sim_lane_t *lane, void *const *parameters);

/* The constant `bochner.sim.<kernel>`. */
typedef struct {
  uint32_t version; /* BOCHNER_SIM_INTERFACE_VERSION */
  uint32_t static_shared;
  bochner_sim_entry_fn entry;
  const char *name;
  const char *strings;
  const bochner_sim_site_t *sites;
  const bochner_sim_shared_t *shared;
  const uint32_t *parameter_sizes;
  uint32_t site_count, shared_count, parameter_count;
  uint32_t stack_bytes;       /* of one thread, beyond what the functions of the table need */
  uint32_t required_block[3]; /* .reqntid; 0: any */
  uint32_t max_threads;       /* .maxntid; 0: any */
  uint32_t granularity;       /* bytes that one cell of the shadow memory stands for: 1, 2 or 4 */
  uint32_t reserved;
} bochner_sim_kernel_t;

/*===----------------------------------------------------------------------------------------------------===*\
|* What simulated code calls                                                                             *|
\*===----------------------------------------------------------------------------------------------------===*/

/* Bits of `access` beside the size in bytes (bits 0-15) and log2 of the alignment (bits 16-19). */
enum { BOCHNER_SIM_WRITE = 1 << 20, BOCHNER_SIM_ATOMIC = 1 << 21 };

typedef enum {
  BOCHNER_SIM_BARRIER_SYNC = 0, /* barrier.cta.sync */
  BOCHNER_SIM_BARRIER_POPC = 1, /* barrier.cta.red */
  BOCHNER_SIM_BARRIER_AND = 2,
  BOCHNER_SIM_BARRIER_OR = 3,
  BOCHNER_SIM_BARRIER_ARRIVE = 4
} bochner_sim_barrier_t;

/* Operations of a warp. Operands and results are arrays of 32-bit words; `key` is what differs within a family. */
typedef enum {
  BOCHNER_SIM_WARP_SYNC = 0,
  BOCHNER_SIM_SHUFFLE = 1,  /* key 0 up, 1 down, 2 bfly, 3 idx; in: value, b, c; out: value, predicate */
  BOCHNER_SIM_VOTE = 2,     /* key 0 all, 1 any, 2 uni, 3 ballot; in: predicate */
  BOCHNER_SIM_REDUX = 3,    /* key: bochner_sim_redux_t; in: value */
  BOCHNER_SIM_MATCH = 4,    /* key 0 any, 1 all; + 2 for 64 bits; in: value; out: mask, predicate */
  BOCHNER_SIM_ELECT = 5,    /* out: lane, predicate */
  BOCHNER_SIM_LDMATRIX = 6, /* key: tiles, + 0x100 if transposed; in: address; out: tiles */
  BOCHNER_SIM_STMATRIX = 7, /* key as above; in: address, tiles */
  BOCHNER_SIM_MOVMATRIX = 8,
  BOCHNER_SIM_MMA = 9 /* key: BOCHNER_SIM_MMA_KEY; in: A, B, C */
} bochner_sim_warp_t;

typedef enum {
  BOCHNER_SIM_REDUX_ADD,
  BOCHNER_SIM_REDUX_UMIN,
  BOCHNER_SIM_REDUX_UMAX,
  BOCHNER_SIM_REDUX_AND,
  BOCHNER_SIM_REDUX_OR,
  BOCHNER_SIM_REDUX_XOR,
  BOCHNER_SIM_REDUX_MIN,
  BOCHNER_SIM_REDUX_MAX,
  BOCHNER_SIM_REDUX_FMIN,
  BOCHNER_SIM_REDUX_FMAX
} bochner_sim_redux_t;

typedef enum {
  BOCHNER_SIM_F16,
  BOCHNER_SIM_BF16,
  BOCHNER_SIM_TF32,
  BOCHNER_SIM_F32,
  BOCHNER_SIM_F64,
  BOCHNER_SIM_S8,
  BOCHNER_SIM_U8,
  BOCHNER_SIM_S32
} bochner_sim_type_t;

/* mma.sync: m and n in units of 8, types of A, B, C and D. Also of wgmma (m = 64), with the bits below. */
#define BOCHNER_SIM_MMA_KEY(m, n, k, a, b, c, d)                                                                       \
  ((uint32_t)((m) / 8) | (uint32_t)((n) / 8) << 4 | (uint32_t)((k) / 4) << 10 | (uint32_t)(a) << 14 |                  \
   (uint32_t)(b) << 17 | (uint32_t)(c) << 20 | (uint32_t)(d) << 23)
enum {
  BOCHNER_SIM_WGMMA_NEGATE_A = 1 << 26,
  BOCHNER_SIM_WGMMA_NEGATE_B = 1 << 27,
  BOCHNER_SIM_WGMMA_TRANSPOSE_A = 1 << 28, /* M-major A, N-major B */
  BOCHNER_SIM_WGMMA_TRANSPOSE_B = 1 << 29,
  BOCHNER_SIM_WGMMA_REGISTER_A = 1 << 30
};

typedef enum {
  BOCHNER_SIM_MBARRIER_INIT, /* a: count */
  BOCHNER_SIM_MBARRIER_INVAL,
  BOCHNER_SIM_MBARRIER_ARRIVE,      /* a: expected bytes, b: count of arrivals; returns the state */
  BOCHNER_SIM_MBARRIER_EXPECT,      /* a: expected bytes, no arrival */
  BOCHNER_SIM_MBARRIER_TEST,        /* a: state; returns whether its phase is over */
  BOCHNER_SIM_MBARRIER_TEST_PARITY, /* a: parity */
  BOCHNER_SIM_MBARRIER_WAIT,        /* a: state; returns 1 */
  BOCHNER_SIM_MBARRIER_WAIT_PARITY, /* a: parity; returns 1 */
  BOCHNER_SIM_MBARRIER_CP_ASYNC     /* arrival after this thread's cp.async; a: 1 for .noinc */
} bochner_sim_mbarrier_t;

typedef enum {
  BOCHNER_SIM_CP_ASYNC_COMMIT,
  BOCHNER_SIM_CP_ASYNC_WAIT, /* n: groups that may stay in flight */
  BOCHNER_SIM_CP_ASYNC_WAIT_ALL,
  BOCHNER_SIM_BULK_COMMIT,
  BOCHNER_SIM_BULK_WAIT,      /* n as above */
  BOCHNER_SIM_BULK_WAIT_READ, /* n as above */
  BOCHNER_SIM_WGMMA_FENCE,
  BOCHNER_SIM_WGMMA_COMMIT,
  BOCHNER_SIM_WGMMA_WAIT, /* n as above */
  BOCHNER_SIM_FENCE_PROXY /* fence.proxy.async */
} bochner_sim_group_t;

typedef enum { BOCHNER_SIM_TMA_LOAD, BOCHNER_SIM_TMA_STORE } bochner_sim_tma_t;

typedef struct {
  /* Checks an access and returns where to do it: the address, or zeroed scratch if it is out of bounds. */
  void *(*access)(bochner_sim_lane_t *lane, void *address, uint32_t site, uint32_t access);
  /* At the end of its `steps`, and before an atomic access, a thread lets others run. */
  void (*step)(bochner_sim_lane_t *lane, uint32_t site);
  void (*yield)(bochner_sim_lane_t *lane, uint32_t site);
  /* `count` 0: all threads. in[0] is the predicate and out[0] the result of a reduction. */
  void (*barrier)(bochner_sim_lane_t *lane, uint32_t site, uint32_t kind, uint32_t id, uint32_t count,
                  const uint32_t *in, uint32_t *out);
  void (*warp)(bochner_sim_lane_t *lane, uint32_t site, uint32_t operation, uint32_t key, uint32_t mask,
               const uint32_t *in, uint32_t *out);
  uint32_t (*activemask)(bochner_sim_lane_t *lane);
  void (*cp_async)(bochner_sim_lane_t *lane, uint32_t site, void *shared, const void *global, uint32_t size,
                   uint32_t source_size);
  void (*group)(bochner_sim_lane_t *lane, uint32_t site, uint32_t operation, uint32_t n);
  uint64_t (*mbarrier)(bochner_sim_lane_t *lane, uint32_t site, uint32_t operation, void *shared, uint64_t a,
                       uint64_t b);
  /* Rank 0: coordinates[0] bytes from or to the global address `map`. */
  void (*tma)(bochner_sim_lane_t *lane, uint32_t site, uint32_t operation, void *shared, void *barrier, const void *map,
              const int32_t *coordinates, uint32_t rank);
  /* in: D, then the descriptor of A (or four registers), the descriptor of B, whether D is read. out: D. */
  void (*wgmma)(bochner_sim_lane_t *lane, uint32_t site, uint32_t key, const uint32_t *in, uint32_t *out);
  uint64_t (*clock)(bochner_sim_lane_t *lane);
  /* A trap: ends the block with a report. Does not return. */
  void (*trap)(bochner_sim_lane_t *lane, uint32_t site);
} bochner_sim_functions_t;

/* What compiled code sees of a thread; the simulator's own data follows. */
struct bochner_sim_lane {
  const bochner_sim_functions_t *functions;
  char *shared; /* of the block; below 4 GiB, a multiple of 256 KiB */
  uint32_t thread[3], block[3], block_dim[3], grid[3];
  uint32_t lane, warp, warps, linear;
  uint32_t dynamic_shared, total_shared;
  int64_t steps; /* until `step` is to be called */
  uint64_t mufu; /* counted by the code itself */
};

/* What a kernel finds where the GPU has its CUtensorMap; 128 bytes, 64-byte aligned. */
typedef struct {
  uint32_t magic;                                 /* BOCHNER_SIM_TENSOR_MAP_MAGIC */
  uint8_t rank, element_bytes, swizzle, reserved; /* swizzle: 0, 32, 64 or 128 bytes */
  void *base;
  uint64_t dims[5];    /* innermost first */
  uint64_t strides[4]; /* bytes, of dims 1 and up */
  uint32_t box[5];
  uint32_t padding[1];
} bochner_sim_tensor_map_t;
#define BOCHNER_SIM_TENSOR_MAP_MAGIC 0x42534d54u

/*===----------------------------------------------------------------------------------------------------===*\
|* What the runtime calls                                                                                *|
\*===----------------------------------------------------------------------------------------------------===*/

#define BOCHNER_SIM_REPORT_KINDS(X)                                                                                    \
  X(SHARED_RACE, "shared-memory race")                                                                                 \
  X(GLOBAL_RACE, "race between blocks")                                                                                \
  X(OUT_OF_BOUNDS, "out of bounds")                                                                                    \
  X(MISALIGNED, "misaligned access")                                                                                   \
  X(READ_ONLY, "write to a read-only buffer")                                                                          \
  X(UNINITIALIZED, "uninitialized read")                                                                               \
  X(COPY_IN_FLIGHT, "copy in flight")                                                                                  \
  X(COPY_NOT_AWAITED, "copy never awaited")                                                                            \
  X(DIVERGENT_BARRIER, "divergent barrier")                                                                            \
  X(BARRIER_AFTER_EXIT, "barrier after exit")                                                                          \
  X(BAD_BARRIER, "bad barrier")                                                                                        \
  X(DEADLOCK, "deadlock")                                                                                              \
  X(STEP_LIMIT, "step limit")                                                                                          \
  X(DIVERGENT_WARP, "divergent warp")                                                                                  \
  X(INACTIVE_LANE, "inactive lane")                                                                                    \
  X(MBARRIER, "mbarrier misuse")                                                                                       \
  X(PROXY_FENCE, "missing proxy fence")                                                                                \
  X(TENSOR_MAP, "bad tensor map")                                                                                      \
  X(WGMMA, "wgmma misuse")                                                                                             \
  X(TRAP, "trap")                                                                                                      \
  X(LAUNCH, "bad launch")

typedef enum {
#define BOCHNER_SIM_KIND(NAME, TEXT) BOCHNER_SIM_##NAME,
  BOCHNER_SIM_REPORT_KINDS(BOCHNER_SIM_KIND)
#undef BOCHNER_SIM_KIND
      BOCHNER_SIM_REPORT_KIND_COUNT
} bochner_sim_report_kind_t;

typedef struct {
  bochner_sim_report_kind_t kind;
  const char *kind_name;
  uint64_t count; /* occurrences at this place of the program */
  const char *text;
} bochner_sim_report_t;

/* Receives the reports after the last block, in the order of blocks. The strings live for the call only. */
typedef void (*bochner_sim_report_fn)(void *user, const bochner_sim_report_t *report);

enum { BOCHNER_SIM_BUFFER_INITIALIZED = 1, BOCHNER_SIM_BUFFER_WRITABLE = 2 };

/* Global memory that the kernel may touch. */
typedef struct {
  const char *name;
  void *address;
  uint64_t bytes;
  uint32_t flags;
} bochner_sim_buffer_t;

enum {
  BOCHNER_SIM_CHECK_SHARED_RACES = 1,
  BOCHNER_SIM_CHECK_GLOBAL_RACES = 2,
  BOCHNER_SIM_CHECK_UNINITIALIZED = 4,
  BOCHNER_SIM_COUNT_MEMORY = 8,        /* bank conflicts and sectors */
  BOCHNER_SIM_STRICT_COLLECTIVES = 16, /* shuffles, votes and mma do not order memory, as PTX says */
  BOCHNER_SIM_CHECK_DEFAULT = 1 | 2 | 4
};

enum { BOCHNER_SIM_MMA_SHAPES = 16 };

typedef struct {
  uint32_t key; /* BOCHNER_SIM_MMA_KEY, without the bits of wgmma */
  uint64_t count;
} bochner_sim_mma_count_t;

/* Sums over all blocks; launches add to them. Memory counters stay 0 without BOCHNER_SIM_COUNT_MEMORY. */
typedef struct {
  uint64_t blocks, threads;
  uint64_t barriers, shuffles, collectives; /* executed by a block, a warp, a warp (other than shuffles and mma) */
  uint64_t mufu;                            /* by a thread */
  uint64_t accesses;                        /* checked, by a thread */
  uint64_t shared_requests, shared_wavefronts, shared_minimum; /* of warps; conflicts = wavefronts - minimum */
  uint64_t global_read_bytes, global_read_sectors, global_written_bytes, global_written_sectors;
  uint64_t atomics;
  uint64_t same_value_writes; /* unordered writes of equal values, which are not reported */
  uint32_t mma_shapes;
  bochner_sim_mma_count_t mma[BOCHNER_SIM_MMA_SHAPES];
} bochner_sim_counters_t;

typedef void (*bochner_sim_task_fn)(void *context, int64_t index);

typedef struct {
  const bochner_sim_kernel_t *kernel;
  uint32_t grid[3], block[3], dynamic_shared;
  void *const *parameters;
  const bochner_sim_buffer_t *buffers;
  size_t buffer_count;
  uint64_t seed;         /* 0: threads run in order; else in a shuffled order of that seed */
  uint32_t checks;       /* bits of BOCHNER_SIM_CHECK_* */
  uint64_t step_limit;   /* of one thread: passes of a loop and accesses; 0: a limit that no real kernel reaches */
  uint32_t report_limit; /* distinct reports; 0: 20 */
  /* Runs task(context, i) for i in [0, count) in any order, possibly in parallel. NULL: one after the other. */
  void (*parallel_for)(void *user, bochner_sim_task_fn task, void *context, int64_t count);
  bochner_sim_report_fn report; /* may be NULL */
  void *user;
  bochner_sim_counters_t *counters; /* may be NULL */
} bochner_sim_launch_t;

typedef enum {
  BOCHNER_SIM_OK = 0,
  BOCHNER_SIM_REPORTED = 1,     /* ran to the end, or blocks were given up; results are not to be trusted */
  BOCHNER_SIM_INVALID = 2,      /* nothing ran; one report of kind LAUNCH says why */
  BOCHNER_SIM_OUT_OF_MEMORY = 3 /* results are incomplete */
} bochner_sim_status_t;

typedef struct {
  uint32_t version; /* BOCHNER_SIM_INTERFACE_VERSION */
  /* Thread-safe. Never prints, exits or throws. */
  bochner_sim_status_t (*launch)(const bochner_sim_launch_t *launch);
} bochner_sim_interface_t;

/* Exported by libbochner-sim.so under the name BOCHNER_SIM_ENTRY. */
typedef const bochner_sim_interface_t *(*bochner_sim_entry_point_fn)(void);

#ifdef __cplusplus
}
#endif

#endif /* BOCHNER_RUNTIME_SIMULATOR_INTERFACE_H */
