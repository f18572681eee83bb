// RUN: bochner-opt %s -split-input-file -verify-diagnostics -spectral-verify-phase=phase=target

llvm.func @compiled(%x: f32) -> f32 {
  llvm.return %x : f32
}

// -----

llvm.func @operation(%x: i64) {
  %i = builtin.unrealized_conversion_cast %x : i64 to index
  // expected-error @below {{expected only operations of the LLVM dialect, but got 'arith.addi'}}
  // expected-note @below {{likely cause: the target has no conversion of this operation}}
  %j = arith.addi %i, %i : index
  llvm.return
}

// -----

llvm.func @cast(%x: i64) {
  // expected-error @below {{expected only operations of the LLVM dialect, but got a cast between types}}
  // expected-note @below {{likely cause: a pass converts a value and not its users}}
  %i = builtin.unrealized_conversion_cast %x : i64 to index
  llvm.return
}
