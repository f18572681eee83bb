//===- MatrixTest.cpp - fragments and tiles in the simulator --------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// mma.sync of each kind on fragments as the PTX ISA lays them out, ldmatrix and its relatives, tiles of TMA with
// swizzles, wgmma with A in registers.
//
//===----------------------------------------------------------------------===//
#include "SimulatorTestUtils.h"

using namespace bochner::test;

namespace {

/// A variant of mma.sync: types and numbers of the registers of a lane, and the attributes of nvvm.mma.sync.
struct Variant {
  int m, n, k;
  const char *typeA, *typeC;
  int registersA, registersB, registersC;
  const char *attributes;
};

std::string repeat(const std::string &text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i)
    result += (i ? ", " : "") + text;
  return result;
}

/// A kernel that loads the registers of its lane from global memory: lane t has rows t of %a, %b and %c.
std::string fragmentKernel(const Variant &variant) {
  std::string body, typeA = variant.typeA, typeC = variant.typeC;
  auto load = [&](const std::string &name, const std::string &type, int count) {
    std::string list;
    for (int i = 0; i < count; ++i) {
      std::string value = name + std::to_string(i);
      body += "%o" + value + " = llvm.mlir.constant(" + std::to_string(i) + " : i32) : i32\n%n" + value +
              " = llvm.mlir.constant(" + std::to_string(count) + " : i32) : i32\n%r" + value + " = llvm.mul %t, %n" +
              value + " : i32\n%i" + value + " = llvm.add %r" + value + ", %o" + value + " : i32\n%p" + value +
              " = llvm.getelementptr %" + name + "[%i" + value + "] : (!llvm.ptr, i32) -> !llvm.ptr, " + type + "\n%" +
              value + " = llvm.load %p" + value + " : !llvm.ptr -> " + type + "\n";
      list += (i ? ", %" : "%") + value;
    }
    return list;
  };
  std::string a = load("a", typeA, variant.registersA), b = load("b", typeA, variant.registersB);
  std::string c = load("c", typeC, variant.registersC),
              result = "!llvm.struct<(" + repeat(typeC, variant.registersC) + ")>";
  body += "%d = nvvm.mma.sync A[" + a + "] B[" + b + "] C[" + c +
          "] {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>, shape = #nvvm.shape<m = " +
          std::to_string(variant.m) + ", n = " + std::to_string(variant.n) + ", k = " + std::to_string(variant.k) +
          ">" + variant.attributes + "} : (" + typeA + ", " + typeA + ", " + typeC + ") -> " + result + "\n";
  for (int i = 0; i < variant.registersC; ++i) {
    std::string n = std::to_string(i);
    body += "%e" + n + " = llvm.extractvalue %d[" + n + "] : " + result + "\nllvm.store %e" + n + ", %pc" + n + " : " +
            typeC + ", !llvm.ptr\n";
  }
  return "gpu.module @kernels {\nllvm.func @kernel(%a: !llvm.ptr, %b: !llvm.ptr, %c: !llvm.ptr) attributes "
         "{gpu.kernel, nvvm.kernel} {\n%t = nvvm.read.ptx.sreg.laneid : i32\n" +
         body + "llvm.return\n}\n}\n";
}

class MatrixTest : public SimulatorTest {
protected:
  void compile(const std::string &source) {
    std::string diagnostics;
    module = SimulatedModule::fromSource(source, diagnostics);
    ASSERT_TRUE(module) << diagnostics << source;
  }

  /// Multiplies 16x`k` by `k`x8. `put` and `get` write and read element `index` of an array of registers.
  template <typename Register, typename Put>
  void multiply(const Variant &variant, int perRegister, Put put, std::function<float(float)> rounded,
                bool halfResult) {
    compile(fragmentKernel(variant));
    int k = variant.k;
    std::vector<float> a = wave(16 * k), b = wave(k * 8, 3), c = wave(128, 0.7f), d(128);
    for (std::vector<float> *values : {&a, &b})
      for (float &value : *values)
        value = rounded(value);
    if (halfResult)
      for (float &value : c)
        value = fromHalf(halves({value})[0]);
    std::vector<Register> fragmentsA(32 * variant.registersA), fragmentsB(32 * variant.registersB);
    std::vector<uint16_t> halfC(128);
    std::vector<float> fragmentsC(128);
    auto indexOfC = [](int lane, int i) { return (lane / 4 + (i < 2 ? 0 : 8)) * 8 + lane % 4 * 2 + (i & 1); };
    for (int lane = 0; lane < 32; ++lane) {
      int g = lane / 4, t = lane % 4;
      for (int i = 0; i < variant.registersA * perRegister; ++i) {
        int r = i / perRegister, j = i % perRegister;
        int row = r % 2 ? g + 8 : g, column = t * perRegister + j + (r >= 2 ? 4 * perRegister : 0);
        put(fragmentsA, (lane * variant.registersA + r) * perRegister + j, a[row * k + column]);
      }
      for (int i = 0; i < variant.registersB * perRegister; ++i) {
        int r = i / perRegister, j = i % perRegister;
        put(fragmentsB, (lane * variant.registersB + r) * perRegister + j,
            b[(t * perRegister + j + r * 4 * perRegister) * 8 + g]);
      }
      for (int i = 0; i < 4; ++i) {
        fragmentsC[lane * 4 + i] = c[indexOfC(lane, i)];
        halfC[lane * 4 + i] = halves({c[indexOfC(lane, i)]})[0];
      }
    }
    if (halfResult)
      run("kernel", {fragmentsA, fragmentsB, halfC});
    else
      run("kernel", {fragmentsA, fragmentsB, fragmentsC});
    for (int lane = 0; lane < 32; ++lane)
      for (int i = 0; i < 4; ++i) {
        int index = indexOfC(lane, i), row = index / 8, column = index % 8;
        double sum = c[index];
        for (int x = 0; x < k; ++x)
          sum += double(a[row * k + x]) * b[x * 8 + column];
        float result = halfResult ? fromHalf(halfC[lane * 4 + i]) : fragmentsC[lane * 4 + i];
        ASSERT_NEAR(result, sum, halfResult ? 4e-3 : 1e-5) << lane << " " << i;
      }
  }
};

void putHalf(std::vector<uint32_t> &words, int index, float value) {
  reinterpret_cast<uint16_t *>(words.data())[index] = halves({value})[0];
}
void putBfloat(std::vector<uint32_t> &words, int index, float value) {
  reinterpret_cast<uint16_t *>(words.data())[index] = bfloats({value})[0];
}
void putWord(std::vector<uint32_t> &words, int index, float value) { memcpy(&words[index], &value, 4); }
float asHalf(float value) { return fromHalf(halves({value})[0]); }
float asBfloat(float value) { return fromBfloat(bfloats({value})[0]); }
float asTf32(float value) { return truncated(value, 13); }

constexpr const char *kBfloat =
    ", multiplicandAPtxType = #nvvm.mma_type<bf16>, multiplicandBPtxType = #nvvm.mma_type<bf16>";
constexpr const char *kTf32 =
    ", multiplicandAPtxType = #nvvm.mma_type<tf32>, multiplicandBPtxType = #nvvm.mma_type<tf32>";

TEST_F(MatrixTest, Halves) {
  multiply<uint32_t>({16, 8, 16, "vector<2xf16>", "f32", 4, 2, 4, ""}, 2, putHalf, asHalf, false);
  multiply<uint32_t>({16, 8, 8, "vector<2xf16>", "f32", 2, 1, 4, ""}, 2, putHalf, asHalf, false);
}
TEST_F(MatrixTest, HalfAccumulators) {
  multiply<uint32_t>({16, 8, 16, "vector<2xf16>", "vector<2xf16>", 4, 2, 2, ""}, 2, putHalf, asHalf, true);
}
TEST_F(MatrixTest, Bfloats) {
  multiply<uint32_t>({16, 8, 16, "i32", "f32", 4, 2, 4, kBfloat}, 2, putBfloat, asBfloat, false);
  multiply<uint32_t>({16, 8, 8, "i32", "f32", 2, 1, 4, kBfloat}, 2, putBfloat, asBfloat, false);
}
TEST_F(MatrixTest, Tf32) {
  multiply<uint32_t>({16, 8, 8, "i32", "f32", 4, 2, 4, kTf32}, 1, putWord, asTf32, false);
  multiply<uint32_t>({16, 8, 4, "i32", "f32", 2, 1, 4, kTf32}, 1, putWord, asTf32, false);
}

TEST_F(MatrixTest, Doubles) {
  compile(fragmentKernel({8, 8, 4, "f64", "f64", 1, 1, 2, ""}));
  std::vector<double> a(32), b(32), c(64), d(64);
  for (int i = 0; i < 32; ++i) {
    a[i] = std::sin(i);
    b[i] = std::cos(i);
  }
  for (int i = 0; i < 64; ++i)
    c[i] = i;
  std::vector<double> fragmentB(32);
  d = c;
  for (int lane = 0; lane < 32; ++lane)
    fragmentB[lane] = b[lane % 4 * 8 + lane / 4]; // A and C are in row-major order already
  run("kernel", {a, fragmentB, d});
  for (int i = 0; i < 8; ++i)
    for (int j = 0; j < 8; ++j) {
      double sum = c[i * 8 + j];
      for (int k = 0; k < 4; ++k)
        sum += a[i * 4 + k] * b[k * 8 + j];
      EXPECT_NEAR(d[i * 8 + j], sum, 1e-14);
    }
}

TEST_F(MatrixTest, MovesTiles) {
  load("tiles.mlir");
  std::vector<uint16_t> in(256);
  std::vector<uint32_t> out(9 * 32);
  std::vector<uint16_t> stored(256);
  for (int i = 0; i < 256; ++i)
    in[i] = uint16_t(i * 251);
  run("tiles", {in, fresh(out), fresh(stored)});
  for (int lane = 0; lane < 32; ++lane) {
    int row = lane / 4, column = lane % 4 * 2;
    auto pair = [](uint16_t low, uint16_t high) { return low | uint32_t(high) << 16; };
    for (int tile = 0; tile < 4; ++tile) {
      const uint16_t *m = &in[tile * 64];
      EXPECT_EQ(out[tile * 32 + lane], pair(m[row * 8 + column], m[row * 8 + column + 1]));
      EXPECT_EQ(out[(4 + tile) * 32 + lane], pair(m[column * 8 + row], m[(column + 1) * 8 + row]));
    }
    EXPECT_EQ(out[8 * 32 + lane], pair(in[column * 8 + row], in[(column + 1) * 8 + row])); // movmatrix of tile 0
  }
  EXPECT_EQ(stored, in);
}

/// Where TMA puts byte `offset` of a box: units of 16 bytes change places within rows of 128 bytes.
uint32_t swizzled(uint32_t offset, uint32_t mode) {
  uint32_t bits = mode == 128 ? 3 : mode == 64 ? 2 : mode == 32 ? 1 : 0;
  uint32_t row = offset / 128 % (1u << bits), unit = offset / 16;
  return (unit ^ row) * 16 + offset % 16;
}

TEST_F(MatrixTest, LoadsTilesWithSwizzles) {
  load("tma.mlir");
  std::vector<float> tensor = wave(3 * 20 * 40), out(1024);
  buffers.push_back({"tensor", tensor.data(), tensor.size() * 4});
  for (uint32_t mode : {0u, 32u, 64u, 128u}) {
    uint32_t inner = mode ? mode / 4 : 32; // elements
    bochner_sim_tensor_map_t map = tensorMap(tensor.data(), 4, uint8_t(mode), {40, 20, 3}, {inner, 8, 2});
    for (auto at : {std::array<int, 3>{0, 0, 0}, {4, 3, 1}, {32, 16, 2}, {-4, -2, 0}}) {
      run("load", {&map, fresh(out), uint64_t(uint32_t(at[0])), uint64_t(uint32_t(at[1])), uint64_t(uint32_t(at[2])),
                   uint64_t(inner * 8 * 2 * 4)});
      uint32_t offset = 0;
      for (int z = 0; z < 2; ++z)
        for (int y = 0; y < 8; ++y)
          for (uint32_t x = 0; x < inner; ++x, offset += 4) {
            int cx = at[0] + int(x), cy = at[1] + y, cz = at[2] + z;
            bool inside = cx >= 0 && cx < 40 && cy >= 0 && cy < 20 && cz >= 0 && cz < 3;
            float expected = inside ? tensor[(cz * 20 + cy) * 40 + cx] : 0.0f;
            ASSERT_EQ(out[swizzled(offset, mode) / 4], expected) << mode << ": " << z << " " << y << " " << x;
          }
    }
  }
}

TEST_F(MatrixTest, StoresTiles) {
  load("tma.mlir");
  std::vector<float> in = wave(1024), tensor(20 * 40, -1.0f);
  buffers.push_back({"tensor", tensor.data(), tensor.size() * 4});
  bochner_sim_tensor_map_t map = tensorMap(tensor.data(), 4, 128, {40, 20}, {32, 8});
  run("store", {&map, in, uint64_t(16), uint64_t(15)}); // the right part and the last rows lie outside
  for (int y = 0; y < 20; ++y)
    for (int x = 0; x < 40; ++x) {
      uint32_t offset = uint32_t(((y - 15) * 32 + x - 16) * 4);
      float expected = y >= 15 && x >= 16 ? in[swizzled(offset, 128) / 4] : -1.0f;
      ASSERT_EQ(tensor[y * 40 + x], expected) << y << " " << x;
    }
}

TEST_F(MatrixTest, WarpgroupWithRegisters) {
  load("wgmma-registers.mlir");
  std::vector<uint16_t> a = bfloats(wave(1024)), b = bfloats(wave(128, 3));
  std::vector<float> d(512);
  options.block = {128, 1, 1};
  run("registers", {a, b, fresh(d)});
  for (int i = 0; i < 64; ++i)
    for (int j = 0; j < 8; ++j) {
      double sum = 0;
      for (int k = 0; k < 16; ++k)
        sum += double(fromBfloat(a[i * 16 + k])) * fromBfloat(b[j * 16 + k]);
      EXPECT_NEAR(d[i * 8 + j], 1 - sum, 1e-5); // scale-b is -1, D was 1
    }
}

} // namespace
