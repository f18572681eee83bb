//===- Options.cpp - the command line ------------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Options.h"
#include "Failure.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>
#include <variant>

namespace listops {

namespace {
struct Entry {
  const char *name, *argument, *help;
  std::variant<int64_t Options::*, double Options::*, std::string Options::*, bool Options::*> member;
  double low = 0, high = 0;
  bool isSetting = true;
};
constexpr double kMany = 1e15;

const Entry kEntries[] = {
    {"map", "NAME", "feature map of bochner-gen (gmm_rks, gmm_prf, fastfood_rks, generator_prf, favor ...), or softmax",
     &Options::map},
    {"layers", "N", "encoder layers", &Options::layers, 1, 64},
    {"width", "W", "width of the model", &Options::width, 1, 4096},
    {"heads", "H", "heads, which divide the width", &Options::heads, 1, 256},
    {"features", "F", "features of the map; 0: 64 or 65 where it is free", &Options::features, 0, 4096},
    {"feed-forward", "W", "hidden width", &Options::feedForward, 1, 65536},
    {"positions", "S", "standard deviation of the first position vectors; those of tokens have 1", &Options::positions,
     0, 100},
    {"dropout", "P", "share of activations that training drops", &Options::dropout, 0, 0.9},
    {"max-length", "N", "longest expression in tokens", &Options::maxLength, 8, 10000},
    {"min-length", "N", "shortest; 0: a quarter of the longest", &Options::minLength, 0, 10000},
    {"train-size", "N", "expressions to learn from", &Options::trainSize, 1, 1e9},
    {"held-out-size", "N", "expressions to measure accuracy with", &Options::heldOutSize, 1, 1e7},
    {"batch", "B", "expressions in a step", &Options::batch, 1, 65536},
    {"epochs", "N", "times that each expression is seen", &Options::epochs, 1, 1e6},
    {"steps", "N", "steps instead of epochs; 0: epochs", &Options::steps, 0, 1e12},
    {"learning-rate", "R", "the largest one", &Options::learningRate, 0, 10},
    {"warmup", "N", "steps in which the learning rate grows to it", &Options::warmup, 0, 1e9},
    {"grow", "N", "steps in which lengths grow from a few tokens to those of the task; 0: no growth", &Options::grow, 0,
     1e12},
    {"schedule", "NAME", "what follows: cosine (to a hundredth), rsqrt or constant", &Options::schedule},
    {"weight-decay", "D", "of AdamW, for matrices", &Options::weightDecay, 0, 1},
    {"clip-norm", "X", "longest gradient; 0: any", &Options::clipNorm, 0, kMany},
    {"report", "N", "steps between two measurements; 0: an epoch", &Options::report, 0, 1e12},
    {"seed", "N", "of data and parameters", &Options::seed, 0, kMany},
    {"out", "DIR", "folder of the run: checkpoint, curves.csv, curves.svg, kernel.svg, graphs", &Options::out, 0, 0,
     false},
    {"resume", "", "go on from the checkpoint in DIR, with its settings", &Options::resume, 0, 0, false},
    {"minutes", "M", "stop after so many, with a checkpoint; 0: never", &Options::minutes, 0, kMany, false},
    {"checkpoint", "N", "steps between checkpoints", &Options::checkpointEvery, 1, 1e12, false},
    {"threads", "N", "threads; 0: one for each CPU. Results do not depend on it", &Options::threads, 0, 1024, false},
    {"bochner-gen", "FILE", "the generator of graphs; default: beside this program, else on PATH", &Options::generator,
     0, 0, false},
    {"print-data", "N", "print N expressions with their values and end", &Options::printData, 0, 1e9, false},
    {"help", "", "print this text", &Options::help, 0, 0, false},
};
} // namespace

static std::string formatNumber(double value) {
  char text[40];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr); // the shortest that reads back
}

template <typename T> static T parseNumber(const std::string &text, const Entry &entry) {
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(double(value) >= entry.low) ||
      !(double(value) <= entry.high))
    fail("expected --", entry.name, " to be ", std::is_integral_v<T> ? "an integer" : "a number", " from ", entry.low,
         " to ", entry.high, ", but got '", text, "'");
  return value;
}

static void assign(Options &options, const Entry &entry, const std::string &text) {
  if (auto *member = std::get_if<int64_t Options::*>(&entry.member))
    options.*(*member) = parseNumber<int64_t>(text, entry);
  else if (auto *member = std::get_if<double Options::*>(&entry.member))
    options.*(*member) = parseNumber<double>(text, entry);
  else if (auto *member = std::get_if<std::string Options::*>(&entry.member))
    options.*(*member) = text;
}

static std::string valueText(const Options &options, const Entry &entry) {
  if (auto *member = std::get_if<int64_t Options::*>(&entry.member))
    return std::to_string(options.*(*member));
  if (auto *member = std::get_if<double Options::*>(&entry.member))
    return formatNumber(options.*(*member));
  if (auto *member = std::get_if<std::string Options::*>(&entry.member))
    return options.*(*member);
  return "";
}

static void check(const Options &options) {
  if (options.width % options.heads)
    fail("expected --heads to divide --width ", options.width, ", but got ", options.heads);
  if (options.schedule != "cosine" && options.schedule != "rsqrt" && options.schedule != "constant")
    fail("expected --schedule to be cosine, rsqrt or constant, but got '", options.schedule, "'");
  if (options.minLength > options.maxLength)
    fail("expected --min-length to be at most --max-length ", options.maxLength, ", but got ", options.minLength);
  // A tree of the task has one node, or a length that rejection finds in reasonable time.
  if (options.maxLength - options.task().shortest() < options.maxLength / 8)
    fail("expected --min-length to leave room for expressions up to --max-length ", options.maxLength, ", but got ",
         options.minLength, "; give at most ", options.maxLength - options.maxLength / 8);
  if (options.out.empty() && !options.printData)
    fail("expected --out DIR, the folder of the run; --help lists the options");
}

Options parseOptions(int argc, char **argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string text = argv[i], value;
    size_t equals = text.find('=');
    std::string name = text.substr(0, equals);
    auto *entry = std::find_if(std::begin(kEntries), std::end(kEntries),
                               [&](const Entry &entry) { return name == std::string("--") + entry.name; });
    if (entry == std::end(kEntries))
      fail("unknown argument '", text, "'; --help lists the options");
    options.given.insert(entry->name);
    if (auto *flag = std::get_if<bool Options::*>(&entry->member)) {
      if (equals != std::string::npos)
        fail("expected ", name, " without a value, but got '", text, "'");
      options.*(*flag) = true;
      continue;
    }
    if (equals != std::string::npos)
      value = text.substr(equals + 1);
    else if (++i < argc)
      value = argv[i];
    else
      fail("expected ", name, " ", entry->argument, ", but the value is missing");
    assign(options, *entry, value);
  }
  if (!options.help)
    check(options);
  return options;
}

Settings Options::settings() const {
  Settings result;
  for (const Entry &entry : kEntries)
    if (entry.isSetting)
      result[entry.name] = valueText(*this, entry);
  return result;
}

void Options::takeSettings(const Settings &settings, const std::string &path) {
  for (const Entry &entry : kEntries) {
    if (!entry.isSetting)
      continue;
    auto found = settings.find(entry.name);
    if (found == settings.end())
      fail("expected the checkpoint '", path, "' to say --", entry.name, ", but it is of another version of this ",
           "program; start a new run with another --out");
    std::string mine = valueText(*this, entry);
    if (given.count(entry.name) && mine != found->second)
      fail("expected --", entry.name, " ", found->second, " as in the checkpoint '", path, "', but got ", mine,
           "; leave the option out to go on, or start a new run with another --out");
    assign(*this, entry, found->second);
  }
  check(*this);
}

TaskOptions Options::task() const {
  TaskOptions result;
  result.maxLength = static_cast<int>(maxLength);
  result.minLength = static_cast<int>(minLength);
  return result;
}

TaskOptions Options::taskAt(int64_t step) const {
  TaskOptions result = task();
  constexpr double first = 16;
  if (step >= grow || result.maxLength <= first)
    return result;
  double factor = std::pow(first / result.maxLength, 1 - double(step) / double(grow));
  int shortest = std::max(static_cast<int>(result.shortest() * factor), 1);
  result.maxLength = static_cast<int>(result.maxLength * factor);
  result.minLength = shortest;
  return result;
}

double Options::learningRateAt(int64_t step) const {
  if (step < warmup)
    return learningRate * double(step + 1) / double(warmup);
  if (schedule == "rsqrt")
    return learningRate * std::sqrt(double(std::max<int64_t>(warmup, 1)) / double(std::max<int64_t>(step, 1)));
  if (schedule == "constant")
    return learningRate;
  double progress = double(step - warmup) / double(std::max<int64_t>(totalSteps() - warmup, 1));
  return learningRate * (0.01 + 0.99 * 0.5 * (1 + std::cos(M_PI * std::min(progress, 1.0))));
}

std::string helpText() {
  Options defaults;
  std::string text =
      "usage: listops --out DIR [options]\n\nTrains a small transformer with learned kernels on ListOps, "
      "in Bochner's runtime.\n\n";
  for (const Entry &entry : kEntries) {
    std::string left = concat("  --", entry.name, *entry.argument ? " " : "", entry.argument);
    left.resize(std::max<size_t>(left.size() + 1, 22), ' ');
    std::string value = valueText(defaults, entry);
    text += left + entry.help + (value.empty() ? "" : " (" + value + ")") + "\n";
  }
  return text;
}

} // namespace listops
