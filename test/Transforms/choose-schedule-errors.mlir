// RUN: bochner-opt %s -split-input-file -spectral-choose-schedule -verify-diagnostics
// RUN: not bochner-opt %S/choose-schedule.mlir -spectral-choose-schedule="cpu-vector-bits=100" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=BITS
// RUN: not bochner-opt %S/choose-schedule.mlir -spectral-choose-schedule="registers=4" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REGISTERS

// BITS: error: expected 'cpu-vector-bits' to be 128, 256 or 512, but got 100
// REGISTERS: error: expected 'registers' to be 0 (what the vector width implies) or at least 8, but got 4

// expected-error@+1 {{expected 'spectral.schedule' to be a #spectral.schedule, but got 64 : i64}}
func.func private @not_a_schedule(tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> attributes {spectral.kernel,
  spectral.schedule = 64 : i64}

// -----

// expected-error@+1 {{expected a kernel to yield a tensor of floats, but got '() -> ()'}}
func.func private @no_result() attributes {spectral.kernel}

// -----

// expected-error@+1 {{expected a kernel to yield a tensor of floats, but got '() -> tensor<4xi32>'}}
func.func private @no_floats() -> tensor<4xi32> attributes {spectral.kernel}

// -----

// expected-error@+2 {{expected 'register_columns' to divide 'feature_block' (64), but got 48}}
func.func private @invalid(tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> attributes {spectral.kernel,
  spectral.schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4,
                                         register_columns = 48, row_chunk = 512>}
