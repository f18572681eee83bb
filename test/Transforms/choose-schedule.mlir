// RUN: bochner-opt %s -spectral-choose-schedule | FileCheck %s --check-prefixes=CHECK,V512
// RUN: bochner-opt %s -spectral-choose-schedule="cpu-vector-bits=256" | FileCheck %s --check-prefixes=CHECK,V256
// RUN: bochner-opt %s -spectral-choose-schedule="cpu-vector-bits=128" | FileCheck %s --check-prefixes=CHECK,V128
// 256-bit vectors of AVX-512 have 32 registers, too.
// RUN: bochner-opt %s -spectral-choose-schedule="cpu-vector-bits=256 registers=32" | FileCheck %s --check-prefixes=CHECK,V256X32
// A second run finds nothing to do, whatever its options are.
// RUN: bochner-opt %s -spectral-choose-schedule -spectral-choose-schedule="cpu-vector-bits=128" \
// RUN:   | FileCheck %s --check-prefixes=CHECK,V512

// CHECK-LABEL: @single
// V512-SAME:    <row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64, row_chunk = 512>
// V256-SAME:    <row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 16, row_chunk = 512>
// V128-SAME:    <row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 8, row_chunk = 512>
// V256X32-SAME: <row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 32, row_chunk = 512>
func.func private @single(tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> attributes {spectral.kernel}

// The features of a tile of rows take as much memory as those of f32.
// CHECK-LABEL: @double
// V512-SAME:    <row_tile = 64, feature_block = 32, register_rows = 4, register_columns = 32, row_chunk = 512>
// V256-SAME:    <row_tile = 64, feature_block = 32, register_rows = 4, register_columns = 8, row_chunk = 512>
// V128-SAME:    <row_tile = 64, feature_block = 32, register_rows = 4, register_columns = 4, row_chunk = 512>
// V256X32-SAME: <row_tile = 64, feature_block = 32, register_rows = 4, register_columns = 16, row_chunk = 512>
func.func private @double(tensor<?x8x?x64xf64>) -> tensor<?x8x?x64xf64> attributes {spectral.kernel}

// 16-bit elements are computed in f32.
// CHECK-LABEL: @half
// V512-SAME:    feature_block = 64, register_rows = 4, register_columns = 64
func.func private @half(tensor<?x8x?x64xbf16>) -> tensor<?x8x?x64xbf16> attributes {spectral.kernel}

// CHECK-LABEL: @given
// CHECK-SAME:   <row_tile = 32, feature_block = 16, register_rows = 8, register_columns = 16, row_chunk = 32>
func.func private @given(tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> attributes {spectral.kernel,
  spectral.schedule = #spectral.schedule<row_tile = 32, feature_block = 16, register_rows = 8,
                                         register_columns = 16, row_chunk = 32>}

// CHECK-LABEL: @not_a_kernel
// CHECK-NOT:   spectral.schedule
func.func private @not_a_kernel(tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32>
