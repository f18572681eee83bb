//===- main.cpp - trains a transformer with learned kernels on ListOps ---===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The loop: steps, measurements, checkpoints. A run is a function of its settings; it may stop and resume anywhere.
//
//===----------------------------------------------------------------------===//
#include "Batches.h"
#include "Checkpoint.h"
#include "Failure.h"
#include "File.h"
#include "Kernel.h"
#include "Model.h"
#include "Progress.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>

using namespace listops;

static volatile std::sig_atomic_t wantsToStop = 0;

namespace {
class Trainer {
public:
  explicit Trainer(Options options);
  void run();

private:
  std::string path(const char *name) const { return options.out + "/" + name; }
  void save();
  void measure();
  void draw();
  double secondsSoFar() const {
    return resumedSeconds + std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  /// Of all threads: what tells on a machine that is shared with others.
  double cpuSecondsSoFar() const { return resumedCpuSeconds + double(std::clock() - cpuStart) / CLOCKS_PER_SEC; }

  Options options;
  Progress progress;
  FolderLock lock;
  std::unique_ptr<Model> model;
  Checkpoint state;
  int64_t drawnStep = -1;
  std::vector<std::vector<KernelCurve>> kernelsBefore;
  std::vector<Batch> heldOut;
  std::chrono::steady_clock::time_point start;
  std::clock_t cpuStart = 0;
  double resumedSeconds = 0, resumedCpuSeconds = 0;
};
} // namespace

static std::string makeOutFolder(const std::string &out) {
  makeFolder(out);
  return out;
}

Trainer::Trainer(Options given) : options(std::move(given)), lock(makeOutFolder(options.out)) {
  std::string file = path("checkpoint");
  if (options.resume) {
    state = loadCheckpoint(file);
    options.takeSettings(state.settings, file);
  } else if (readFile(file)) {
    fail("'", options.out, "' has the checkpoint of a run; give --resume to go on with it, or another --out");
  }
  model = std::make_unique<Model>(options, [&](const std::string &line) { progress.print(line); });
  kernelsBefore = measureKernels(*model, options); // the first parameters are a function of the seed
  if (options.resume) {
    if (state.graph != model->graphHash())
      fail("expected the graph of the checkpoint '", file, "' (", state.graph, "), but bochner-gen printed another (",
           model->graphHash(),
           "); use the bochner-gen that it was trained with, or start a new run with another --out");
    model->restore(state.tensors, file);
    progress.print(concat("resumed after ", state.step, " steps"));
  }
  state.settings = options.settings();
  state.graph = model->graphHash();
  heldOut = makeHeldOutBatches(options);
  progress.print(concat(model->parameterCount(), " parameters, ", options.totalSteps(), " steps of ", options.batch,
                        " expressions with ", options.task().shortest(), " to ", options.maxLength, " tokens"));
}

void Trainer::save() {
  state.seconds = secondsSoFar();
  state.cpuSeconds = cpuSecondsSoFar();
  state.tensors = model->save();
  saveCheckpoint(state, path("checkpoint"));
}

void Trainer::measure() {
  Meter meter = model->evaluate(heldOut);
  Record record;
  record.step = state.step;
  record.seconds = secondsSoFar();
  record.cpuSeconds = cpuSecondsSoFar();
  record.learningRate = options.learningRateAt(state.step - 1);
  record.trainLoss = state.meter.meanLoss();
  record.trainAccuracy = state.meter.accuracy();
  record.heldOutLoss = meter.meanLoss();
  record.heldOutAccuracy = meter.accuracy();
  state.history.push_back(record);
  state.meter = {};
  char line[200];
  std::snprintf(line, sizeof line,
                "step %6lld  epoch %5.2f  train loss %.4f accuracy %5.2f %%  held-out loss %.4f accuracy %5.2f %%  "
                "%.0f s (CPU %.0f s)",
                static_cast<long long>(record.step), double(record.step) / double(options.stepsPerEpoch()),
                record.trainLoss, 100 * record.trainAccuracy, record.heldOutLoss, 100 * record.heldOutAccuracy,
                record.seconds, record.cpuSeconds);
  progress.print(line);
}

void Trainer::draw() {
  drawnStep = state.step;
  std::string table =
      "step,seconds,cpu_seconds,learning_rate,train_loss,train_accuracy,held_out_loss,held_out_accuracy\n";
  for (const Record &record : state.history) {
    char line[200];
    std::snprintf(line, sizeof line, "%lld,%.1f,%.1f,%.6g,%.6f,%.5f,%.6f,%.5f\n", static_cast<long long>(record.step),
                  record.seconds, record.cpuSeconds, record.learningRate, record.trainLoss, record.trainAccuracy,
                  record.heldOutLoss, record.heldOutAccuracy);
    table += line;
  }
  writeFile(path("curves.csv"), table);
  writeFile(path("curves.svg"), drawCurves(options, state.history));
  if (!options.isSoftmax())
    writeFile(path("kernel.svg"), drawKernels(options, kernelsBefore, measureKernels(*model, options), state.step));
}

void Trainer::run() {
  TrainBatches batches(options);
  int64_t total = options.totalSteps(), saved = state.step;
  resumedSeconds = state.seconds;
  resumedCpuSeconds = state.cpuSeconds;
  start = std::chrono::steady_clock::now();
  cpuStart = std::clock();
  bool isLate = false;
  while (state.step < total && !wantsToStop && !isLate) {
    model->train(batches.at(state.step), state.step, state.meter);
    ++state.step;
    if (state.step % options.reportEvery() == 0 || state.step == total) {
      measure();
      draw();
    }
    isLate = options.minutes > 0 && secondsSoFar() > 60 * options.minutes;
    if (state.step - saved >= options.checkpointEvery || state.step == total) {
      save();
      saved = state.step;
    }
    char text[80];
    std::snprintf(text, sizeof text, "loss %.3f, %.1f %%", state.meter.meanLoss(), 100 * state.meter.accuracy());
    progress.update(state.step, total, text);
  }
  if (saved != state.step)
    save();
  if (drawnStep != state.step)
    draw();
  if (state.step < total) {
    progress.print(concat(isLate ? "the time is over" : "interrupted", " after ", state.step, " of ", total,
                          " steps; --resume --out ", options.out, " goes on"));
  }
  progress.print(concat("state ", model->stateHash(), " after ", state.step, " steps"));
}

static void printData(const Options &options) {
  for (int64_t i = 0; i < options.printData; ++i) {
    Example example = makeExample(options.task(), uint64_t(options.seed), Split::Train, uint64_t(i));
    std::printf("%d\t%s\n", example.label, example.text().c_str());
  }
}

int main(int argc, char **argv) {
  try {
    Options options = parseOptions(argc, argv);
    if (options.help) {
      std::fputs(helpText().c_str(), stdout);
      return 0;
    }
    if (options.printData) {
      printData(options);
      return 0;
    }
    for (int signal : {SIGINT, SIGTERM})
      std::signal(signal, [](int) { wantsToStop = 1; });
    Trainer(options).run();
    return 0;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "listops: error: %s\n", error.what());
    return 1;
  }
}
