//===- SimulatorTestUtils.h - arrays and launches for tests -----*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A fixture that loads a file of Inputs/ and launches its kernels on vectors, and 16-bit floats.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TEST_SIMULATOR_SIMULATORTESTUTILS_H
#define BOCHNER_TEST_SIMULATOR_SIMULATORTESTUTILS_H

#include "SimulatedModule.h"
#include "llvm/ADT/APFloat.h"
#include "gtest/gtest.h"
#include <cmath>
#include <cstring>
#include <functional>
#include <initializer_list>

namespace bochner::test {

inline std::vector<float> wave(size_t count, float frequency = 1) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = std::sin(float(i) * frequency + 0.5f);
  return values;
}

inline uint16_t convert(float value, const llvm::fltSemantics &semantics) {
  llvm::APFloat number(value);
  bool lost;
  number.convert(semantics, llvm::APFloat::rmNearestTiesToEven, &lost);
  return uint16_t(number.bitcastToAPInt().getZExtValue());
}

inline float convert(uint16_t bits, const llvm::fltSemantics &semantics) {
  llvm::APFloat number(semantics, llvm::APInt(16, bits));
  bool lost;
  number.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven, &lost);
  return number.convertToFloat();
}

inline float fromHalf(uint16_t bits) { return convert(bits, llvm::APFloat::IEEEhalf()); }
inline float fromBfloat(uint16_t bits) { return convert(bits, llvm::APFloat::BFloat()); }

inline std::vector<uint16_t> halves(const std::vector<float> &values) {
  std::vector<uint16_t> result;
  for (float value : values)
    result.push_back(convert(value, llvm::APFloat::IEEEhalf()));
  return result;
}

inline std::vector<uint16_t> bfloats(const std::vector<float> &values) {
  std::vector<uint16_t> result;
  for (float value : values)
    result.push_back(convert(value, llvm::APFloat::BFloat()));
  return result;
}

/// Without the `bits` last bits of the significand.
inline float truncated(float value, unsigned bits) {
  uint32_t word;
  memcpy(&word, &value, 4);
  word &= ~0u << bits;
  memcpy(&value, &word, 4);
  return value;
}

inline bochner_sim_tensor_map_t tensorMap(void *base, uint8_t elementBytes, uint8_t swizzle, std::vector<uint64_t> dims,
                                          std::vector<uint32_t> box) {
  bochner_sim_tensor_map_t map = {};
  map.magic = BOCHNER_SIM_TENSOR_MAP_MAGIC;
  map.rank = uint8_t(dims.size());
  map.element_bytes = elementBytes;
  map.swizzle = swizzle;
  map.base = base;
  uint64_t stride = elementBytes;
  for (size_t i = 0; i < dims.size(); ++i) {
    map.dims[i] = dims[i];
    map.box[i] = box[i];
    stride *= dims[i];
    if (i < 4)
      map.strides[i] = stride;
  }
  return map;
}

class SimulatorTest : public testing::Test {
protected:
  /// A vector as an argument; a pointer to anything; a number.
  struct Argument {
    template <typename T>
    Argument(std::vector<T> &values)
        : value(uint64_t(values.data())), bytes(values.size() * sizeof(T)),
          flags(BOCHNER_SIM_BUFFER_INITIALIZED | BOCHNER_SIM_BUFFER_WRITABLE) {}
    Argument(bochner_sim_tensor_map_t *map) : value(uint64_t(map)) {}
    Argument(uint64_t number) : value(number) {}
    uint64_t value, bytes = 0;
    uint32_t flags = 0;
  };

  /// Memory that the kernel must write before it reads it.
  template <typename T> static Argument fresh(std::vector<T> &values) {
    std::fill(values.begin(), values.end(), T(-1));
    Argument argument(values);
    argument.flags = BOCHNER_SIM_BUFFER_WRITABLE;
    return argument;
  }

  void load(const std::string &name) {
    std::string diagnostics;
    module = SimulatedModule::fromFile(std::string(BOCHNER_SIM_INPUTS "/") + name, diagnostics);
    ASSERT_TRUE(module) << diagnostics;
  }

  /// Launches; a report is a failure.
  void run(const std::string &kernel, const std::vector<Argument> &arguments) {
    ASSERT_TRUE(module);
    std::vector<uint64_t> values;
    std::vector<Buffer> all = buffers;
    for (const Argument &argument : arguments) {
      values.push_back(argument.value);
      if (argument.bytes)
        all.push_back({"argument " + std::to_string(values.size() - 1), reinterpret_cast<void *>(argument.value),
                       argument.bytes, argument.flags});
    }
    EXPECT_EQ(module->launch(kernel, options, values, all), BOCHNER_SIM_OK);
    for (const FoundReport &report : module->reports)
      ADD_FAILURE() << report.kindName << " x" << report.count << ": " << report.text;
  }

  std::unique_ptr<SimulatedModule> module;
  LaunchOptions options;
  std::vector<Buffer> buffers; // beyond the arguments
};

} // namespace bochner::test

#endif // BOCHNER_TEST_SIMULATOR_SIMULATORTESTUTILS_H
