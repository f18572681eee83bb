//===- Invoke.cpp - calls of compiled functions ---------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The C functions that look at tensors: shapes, costs and calls. A call checks everything, then gets all memory that
// it needs, then runs; nothing can fail once compiled code runs.
//
//===----------------------------------------------------------------------===//
#include "Call.h"
#include "CudaCall.h"
#include "Simulation.h"
#include "Tensor.h"

#include <sched.h>

using namespace bochner;

namespace {
/// What one running call offers to compiled code.
struct Invocation {
  /// Has to be the first member: compiled code passes it back.
  format::Environment environment;
  char *scratch = nullptr;
  uint64_t scratchStride = 0;
  int32_t concurrency = 1;
  ThreadPool *pool = nullptr;
  bochner_parallel_for_t host = {};
  /// A bit for each scratch block that is free; used with threads of the host, whose number is all that is known.
  std::atomic<uint64_t> *freeScratch = nullptr;
  Simulation *simulation = nullptr; ///< of the device sim
  CudaCall *cuda = nullptr;         ///< of the device cuda

  void *scratchOf(int32_t index) const { return scratch + uint64_t(index) * scratchStride; }
  int32_t acquireScratch();
  void releaseScratch(int32_t index);
};

struct Loop {
  Invocation *invocation;
  format::TaskFn task;
  void *context;
};
} // namespace

int32_t Invocation::acquireScratch() {
  while (true) {
    for (int32_t word = 0; word * 64 < concurrency; ++word) {
      uint64_t free = freeScratch[word].load(std::memory_order_relaxed);
      while (free)
        if (freeScratch[word].compare_exchange_weak(free, free & (free - 1), std::memory_order_acquire))
          return word * 64 + __builtin_ctzll(free);
    }
    sched_yield(); // the host runs more tasks than it declared
  }
}

void Invocation::releaseScratch(int32_t index) {
  freeScratch[index / 64].fetch_or(uint64_t(1) << index % 64, std::memory_order_release);
}

static void parallelFor(const format::Environment *self, format::TaskFn task, void *context, int64_t count) {
  auto *invocation = reinterpret_cast<Invocation *>(const_cast<format::Environment *>(self));
  if (invocation->concurrency == 1 || count <= 1) {
    for (int64_t i = 0; i < count; ++i)
      task(context, i, invocation->scratch);
    return;
  }
  Loop loop{invocation, task, context};
  if (!invocation->host.run) {
    auto body = [](void *argument, int64_t index, int32_t participant) {
      auto &loop = *static_cast<Loop *>(argument);
      loop.task(loop.context, index, loop.invocation->scratchOf(participant));
    };
    invocation->pool->run(body, &loop, count, invocation->concurrency);
    return;
  }
  auto body = [](void *argument, int64_t index) {
    auto &loop = *static_cast<Loop *>(argument);
    int32_t block = loop.invocation->acquireScratch();
    loop.task(loop.context, index, loop.invocation->scratchOf(block));
    loop.invocation->releaseScratch(block);
  };
  invocation->host.run(invocation->host.host, body, &loop, count);
}

static void launch(const format::Environment *self, const format::Launch *launch) {
  reinterpret_cast<const Invocation *>(self)->simulation->launch(*launch);
}

static void launchOnDevice(const format::Environment *self, const format::Launch *launch) {
  reinterpret_cast<const Invocation *>(self)->cuda->launch(*launch);
}

/// Blocks of a kernel are tasks without scratch.
static void runBlocks(void *self, void (*task)(void *, int64_t), void *context, int64_t count) {
  auto *invocation = static_cast<Invocation *>(self);
  if (invocation->host.run)
    return invocation->host.run(invocation->host.host, task, context, count);
  struct Blocks {
    void (*task)(void *, int64_t);
    void *context;
  } blocks{task, context};
  auto body = [](void *argument, int64_t index, int32_t) {
    auto &blocks = *static_cast<Blocks *>(argument);
    blocks.task(blocks.context, index);
  };
  invocation->pool->run(body, &blocks, count, invocation->concurrency);
}

static uint64_t scratchStride(const format::FunctionInfo &info) { return (info.scratchBytes + 63) & ~uint64_t(63); }

/// The caller's memory if there is any, else a block of the allocator.
static Status provide(const char *what, void *given, size_t givenSize, uint64_t needed, ScopedBlock &own,
                      char *&memory) {
  memory = static_cast<char *>(given);
  if (given) {
    if (reinterpret_cast<uintptr_t>(given) % Allocator::kAlignment)
      return invalidArgument("expected the ", what, " to be aligned to ", Allocator::kAlignment, " bytes");
    if (givenSize < needed)
      return invalidArgument("expected at least ", needed, " bytes of ", what, ", but got ", givenSize);
    return {};
  }
  if (!needed)
    return {};
  if (!own.allocate(needed))
    return Status(BOCHNER_STATUS_OUT_OF_MEMORY,
                  concat("expected ", needed, " bytes of ", what, ", but there is no memory"));
  memory = own.data();
  return {};
}

static bool isOnDevice(const bochner_function_t *function) { return function->module->impl->info().device == "cuda"; }

static Status checkFunction(const bochner_function_t *function) {
  return function ? Status() : invalidArgument("expected a function, but got NULL");
}

/// For functions that execute code of the module.
static Status checkExecutable(const bochner_function_t *function) {
  if (Status status = checkFunction(function))
    return status;
  const LoadedModule &module = *function->module->impl;
  if (module.missingFeatures().empty())
    return {};
  return Status(BOCHNER_STATUS_UNAVAILABLE,
                concat("expected a processor with ", module.missingFeatures(), ", which '", function->impl->info->name,
                       "' was compiled for (cpu ", module.info().cpu,
                       "), but this one lacks that; compile for cpu host"));
}

/// The folder of the options if launches are to be written there.
static std::unique_ptr<LaunchDump> makeDump(Call &call, const bochner_invoke_options_t &options, void *workspace,
                                            uint64_t workspaceBytes, bool readable) {
  if (!options.dump_dir || !*options.dump_dir)
    return nullptr;
  auto dump = std::make_unique<LaunchDump>(options.dump_dir);
  for (size_t i = 0; i < call.operandCount(); ++i) {
    Call::Memory memory = call.memory(i);
    dump->addBuffer(memory.isResult ? "result" : "argument", memory.name, toString(toDLPack(memory.type)).c_str(),
                    memory.address, memory.bytes, readable);
  }
  dump->addBuffer("workspace", "workspace", "", workspace, workspaceBytes, readable);
  return dump;
}

/// Runs a function whose kernels run on a GPU. Does not wait for them.
static Status runOnDevice(const bochner_function_t *function, Call &call, const bochner_invoke_options_t &options) {
  const CudaDriver *driver = nullptr;
  if (Status status = call.checkAlignment())
    return status;
  uint64_t bytes;
  if (Status status = call.workspaceBytes(bytes))
    return status;
  if (Status status = CudaDriver::load(driver))
    return status;
  CudaCall cuda(*driver, function->module->impl->cudaModules(), options.stream);
  if (Status status = cuda.begin(call.device(), options.workspace, options.workspace_size, bytes))
    return status;
  std::unique_ptr<LaunchDump> dump = makeDump(call, options, cuda.workspace(), bytes, /*readable=*/false);
  if (dump)
    if (Status status = dump->begin())
      return status;
  cuda.setDump(dump.get());
  Invocation invocation;
  invocation.environment = {parallelFor, cuda.workspace(), nullptr, launchOnDevice};
  invocation.cuda = &cuda;
  function->impl->entry(&invocation.environment, call.descriptors());
  if (Status status = cuda.takeStatus())
    return status;
  return dump ? dump->end() : Status();
}

/// Runs a function whose kernels are simulated.
static Status simulate(const bochner_function_t *function, Call &call, const bochner_invoke_options_t &options,
                       Invocation &invocation, uint64_t workspaceBytes) {
  const bochner_sim_interface_t *simulator = nullptr;
  if (Status status = loadSimulator(simulator))
    return status;
  Simulation simulation(simulator, options.simulation);
  for (size_t i = 0; i < call.operandCount(); ++i) {
    Call::Memory memory = call.memory(i);
    simulation.addBuffer(memory.name, memory.address, memory.bytes, memory.isResult);
  }
  // All bits of a float that nobody has written: NaN shows.
  if (workspaceBytes)
    memset(invocation.environment.workspace, 0xFF, workspaceBytes);
  simulation.addBuffer("workspace", invocation.environment.workspace, workspaceBytes, true);
  std::unique_ptr<LaunchDump> dump =
      makeDump(call, options, invocation.environment.workspace, workspaceBytes, /*readable=*/true);
  if (dump)
    if (Status status = dump->begin())
      return status;
  simulation.setDump(dump.get());
  if (invocation.concurrency > 1)
    simulation.setThreads(runBlocks, &invocation);
  invocation.simulation = &simulation;
  invocation.environment.launch = launch;
  function->impl->entry(&invocation.environment, call.descriptors());
  if (Status status = simulation.takeStatus())
    return status;
  if (dump)
    if (Status status = dump->end())
      return status;
  call.storeResults();
  return {};
}

static Status invoke(const bochner_function_t *function, Call &call, const bochner_invoke_options_t &options) {
  if (isOnDevice(function))
    return runOnDevice(function, call, options);
  Context &context = *function->module->context;
  Allocator &allocator = *context.allocator;
  Invocation invocation;
  invocation.environment = {parallelFor, nullptr, nullptr, nullptr};
  invocation.pool = &context.pool;
  invocation.host = options.parallel_for.run ? options.parallel_for : context.parallelFor;
  invocation.concurrency = invocation.host.run ? invocation.host.max_concurrency : context.pool.size();
  if (options.threads && options.threads < invocation.concurrency)
    invocation.concurrency = options.threads;

  uint64_t workspaceBytes;
  if (Status status = call.workspaceBytes(workspaceBytes))
    return status;
  ScopedBlock workspace(allocator), scratch(allocator);
  char *memory;
  if (Status status =
          provide("workspace", options.workspace, options.workspace_size, workspaceBytes, workspace, memory))
    return status;
  invocation.environment.workspace = memory;
  invocation.scratchStride = scratchStride(*function->impl->info);
  if (Status status = provide("scratch", options.scratch, options.scratch_size,
                              invocation.scratchStride * uint64_t(invocation.concurrency), scratch, memory))
    return status;
  invocation.scratch = memory;

  InlineArray<std::atomic<uint64_t>, 4> freeScratch(invocation.host.run ? size_t(invocation.concurrency + 63) / 64 : 0);
  invocation.freeScratch = freeScratch.data();
  for (int32_t i = 0; invocation.host.run && i < invocation.concurrency; ++i)
    invocation.releaseScratch(i);

  if (Status status = call.alignOperands(allocator))
    return status;
  if (function->module->impl->info().device == "sim")
    return simulate(function, call, options, invocation, workspaceBytes);
  function->impl->entry(&invocation.environment, call.descriptors());
  call.storeResults();
  return {};
}

static Status readInvokeOptions(const bochner_invoke_options_t *given, bochner_invoke_options_t &options) {
  if (Status status = readOptions(given, options))
    return status;
  if (options.threads < 0)
    return invalidArgument("expected threads to be at least 0, but got ", options.threads);
  return checkParallelFor(options.parallel_for);
}

bochner_status_t *bochnerInvoke(const bochner_function_t *function, const DLTensor *const *arguments,
                                size_t argument_count, DLTensor *const *results, size_t result_count,
                                const bochner_invoke_options_t *given) {
  return protect([&]() -> Status {
    if (Status status = checkExecutable(function))
      return status;
    bochner_invoke_options_t options;
    if (Status status = readInvokeOptions(given, options))
      return status;
    Call call(*function->impl, isOnDevice(function));
    if (Status status = call.bindArguments(arguments, argument_count, /*data=*/true))
      return status;
    if (Status status = call.bindResults(results, result_count))
      return status;
    return invoke(function, call, options);
  });
}

bochner_status_t *bochnerInvokeAllocating(const bochner_function_t *function, const DLTensor *const *arguments,
                                          size_t argument_count, DLManagedTensorVersioned **results,
                                          size_t result_count, const bochner_invoke_options_t *given) {
  return protect([&]() -> Status {
    for (size_t i = 0; results && i < result_count; ++i)
      results[i] = nullptr;
    if (Status status = checkExecutable(function))
      return status;
    if (isOnDevice(function))
      return invalidArgument(
          "expected results of the caller for a function of device cuda; allocate them on the device, "
          "for example by bochnerCreateDeviceTensor(), and call bochnerInvoke()");
    bochner_invoke_options_t options;
    if (Status status = readInvokeOptions(given, options))
      return status;
    Call call(*function->impl);
    if (Status status = call.bindArguments(arguments, argument_count, /*data=*/true))
      return status;

    const std::vector<format::TensorInfo> &infos = function->impl->info->results;
    std::vector<OwnedTensor> owned;
    std::vector<DLTensor *> views;
    for (size_t i = 0; i < infos.size(); ++i) {
      std::vector<int64_t> shape(infos[i].dims.size());
      if (Status status = call.resolveShape(i, shape.data()))
        return status;
      OwnedTensor tensor;
      if (Status status = createTensor(function->module->context->allocator, toDLPack(infos[i].type),
                                       int32_t(shape.size()), shape.data(), tensor))
        return status;
      views.push_back(&tensor->dl_tensor);
      owned.push_back(std::move(tensor));
    }
    // Also finds a wrong count.
    views.resize(result_count);
    if (Status status = call.bindResults(results ? views.data() : nullptr, result_count))
      return status;
    if (Status status = invoke(function, call, options))
      return status;
    for (size_t i = 0; i < result_count; ++i)
      results[i] = owned[i].release();
    return {};
  });
}

bochner_status_t *bochnerResolveResultShape(const bochner_function_t *function, const DLTensor *const *arguments,
                                            size_t argument_count, size_t result, int64_t *shape) {
  return protect([&]() -> Status {
    if (Status status = checkFunction(function))
      return status;
    if (result >= function->impl->results.size())
      return invalidArgument("expected the number of a result below ", function->impl->results.size(), ", but got ",
                             result);
    if (!shape && function->impl->results[result].rank)
      return invalidArgument("expected memory for the shape, but got NULL");
    Call call(*function->impl, isOnDevice(function));
    if (Status status = call.bindArguments(arguments, argument_count, /*data=*/false))
      return status;
    return call.resolveShape(result, shape);
  });
}

bochner_status_t *bochnerEstimateCost(const bochner_function_t *function, const DLTensor *const *arguments,
                                      size_t argument_count, bochner_cost_t *cost) {
  return protect([&]() -> Status {
    if (Status status = checkExecutable(function))
      return status;
    Call call(*function->impl, isOnDevice(function));
    if (Status status = call.bindArguments(arguments, argument_count, /*data=*/false))
      return status;
    if (Status status = call.bindResultShapes())
      return status;
    const format::FunctionInfo &info = *function->impl->info;
    bochner_cost_t value = BOCHNER_COST_INIT;
    value.flop = call.evaluate(info.flop);
    value.state_bytes = uint64_t(call.evaluate(info.stateBytes));
    value.scratch_bytes = scratchStride(info);
    value.concurrency = function->module->context->concurrency();
    if (Status status = call.workspaceBytes(value.workspace_bytes))
      return status;
    return writeStructure(value, cost);
  });
}
