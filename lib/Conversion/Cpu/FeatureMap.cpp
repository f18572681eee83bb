//===- FeatureMap.cpp - stored features on the CPU ------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tasks over heads and parts of the rows evaluate the program and store every register tile.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/Kernels.h"
#include "lib/Conversion/Cpu/TileEmitter.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

LogicalResult bochner::cpu::emitFeatureMap(KernelBuilder &host, func::FuncOp kernel, spectral::FeatureMapOp op) {
  auto program = analyzeFeatures(op.getFeatures(), op.isLogDomain());
  if (failed(program))
    return failure();
  Value rowsArgument = kernel.getArgument(0), out = kernel.getArguments().back();
  ProgramPlan plan(std::move(*program), ValueRange(kernel.getArguments()).drop_front().drop_back(), host.schedule);
  plan.keepConstantFeatures();
  plan.pack(host, kernel, kernel.getName());

  int64_t rowTile = host.schedule.getRowTile(), registerRows = host.schedule.getRegisterRows();
  Value partRows = host.index(host.schedule.getRowChunk());
  Value parts = host.ceilDiv(host.dim(rowsArgument, 2), partRows);
  SmallVector<Value> captured{rowsArgument, out, parts};
  for (Value v : plan.captures())
    if (!llvm::is_contained(captured, v))
      captured.push_back(v);
  KernelBuilder k = host;
  TaskBuilder task(k, kernel, (kernel.getName() + "_features").str(), captured);
  Value input = task.captured(rowsArgument);
  TaskPosition at = locate(k, task.taskIndex, k.dim(input, 1), task.captured(parts));
  Value low = k.mul(at.part, k.index(host.schedule.getRowChunk()));
  Value high = k.min(k.add(low, host.schedule.getRowChunk()), k.dim(input, 2));
  TileEmitter emitter(k, task, plan, rowTile);
  emitter.setHead(at.head);
  emitter.setRows(headRows(k, input, at.batch, at.head));
  Value outRows = headRows(k, task.captured(out), at.batch, at.head);
  k.loop(low, high, rowTile, [&](Value base) {
    RowRange rows{base, k.min(k.sub(high, base), k.index(rowTile))};
    emitter.emitSteps(rows);
    for (const FusedGroup &group : plan.groups)
      k.registerBlocks(group.width, [&](Value c, Columns columns) {
        k.loop(k.index(0), rows.count, registerRows, [&](Value local) {
          auto outputs = emitter.registerTile(group, rows, local, c, columns);
          for (size_t o = 0; o < outputs.size(); ++o)
            for (int64_t r = 0; r < registerRows; ++r) {
              Value phi = plan.program.logDomain ? k.math().exp2(outputs[o][r]) : outputs[o][r];
              // Rows past the end repeat the last one: the same values go to the same place.
              Value row = k.min(k.add(local, r), k.sub(rows.count, k.index(1)));
              k.store(phi, outRows, {k.add(base, row), outputColumn(k, group, o, c)}, columns);
            }
        });
      });
  });
  task.finish(host, k, host.mul(host.mul(host.dim(rowsArgument, 0), host.dim(rowsArgument, 1)), parts));
  return success();
}
