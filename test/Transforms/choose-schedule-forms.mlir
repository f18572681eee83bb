// RUN: sed 's/ROWS/1/g' %s | bochner-opt -spectral-choose-schedule | FileCheck %s --check-prefixes=CHECK,ONE
// RUN: sed 's/ROWS/64/g' %s | bochner-opt -spectral-choose-schedule | FileCheck %s --check-prefixes=CHECK,SHORT
// RUN: sed 's/ROWS/192/g' %s | bochner-opt -spectral-choose-schedule | FileCheck %s --check-prefixes=CHECK,MIDDLE
// RUN: sed 's/ROWS/1024/g' %s | bochner-opt -spectral-choose-schedule | FileCheck %s --check-prefixes=CHECK,LONG
// Forms are chosen for a schedule that is given, too.
// RUN: sed 's/ROWS/64/g' %s | bochner-opt -spectral-choose-schedule \
// RUN:   | sed 's/quadratic/auto/' | bochner-opt -spectral-choose-schedule | FileCheck %s --check-prefixes=CHECK,SHORT
// RUN: sed 's/ROWS/64/g' %s | bochner-opt -spectral-choose-schedule=bf16-dot | FileCheck %s --check-prefix=DOTS
// RUN: sed 's/ROWS/64/g' %s | bochner-opt -spectral-choose-schedule | FileCheck %s --check-prefix=NODOTS

// 256 features and values of width 64.

// CHECK-LABEL: func.func private @bidirectional
// ONE:           form = #spectral.form<quadratic>
// SHORT:         form = #spectral.form<quadratic>
// MIDDLE:        form = #spectral.form<chunked>
// LONG:          form = #spectral.form<chunked>
func.func private @bidirectional(%q: tensor<?x8xROWSx256xf32>, %k: tensor<?x8xROWSx256xf32>,
                                 %v: tensor<?x8xROWSx64xf32>) -> tensor<?x8xROWSx64xf32> attributes {spectral.kernel} {
  %out = spectral.linear_attention query(%q : tensor<?x8xROWSx256xf32>) key(%k : tensor<?x8xROWSx256xf32>)
      value(%v : tensor<?x8xROWSx64xf32>)
      features (%x: tensor<?x256xf32>) {
        spectral.yield %x : tensor<?x256xf32>
      } -> tensor<?x8xROWSx64xf32>
  return %out : tensor<?x8xROWSx64xf32>
}

// A causal scan has half of the pairs, and its chunks have pairs of their own.
// CHECK-LABEL: func.func private @causal
// ONE:           form = #spectral.form<recurrent>
// SHORT:         form = #spectral.form<quadratic>
// MIDDLE:        form = #spectral.form<quadratic>
// LONG:          form = #spectral.form<chunked>
func.func private @causal(%q: tensor<?x8xROWSx256xf32>, %k: tensor<?x8xROWSx256xf32>, %v: tensor<?x8xROWSx64xf32>)
    -> tensor<?x8xROWSx64xf32> attributes {spectral.kernel} {
  %out = spectral.linear_attention query(%q : tensor<?x8xROWSx256xf32>) key(%k : tensor<?x8xROWSx256xf32>)
      value(%v : tensor<?x8xROWSx64xf32>) {causality = #spectral.causality<causal>}
      features (%x: tensor<?x256xf32>) {
        spectral.yield %x : tensor<?x256xf32>
      } -> tensor<?x8xROWSx64xf32>
  return %out : tensor<?x8xROWSx64xf32>
}

// Weights of pairs have no state.
// CHECK-LABEL: func.func private @state
// ONE:           form = #spectral.form<recurrent>
// SHORT:         form = #spectral.form<chunked>
// MIDDLE:        form = #spectral.form<chunked>
// LONG:          form = #spectral.form<chunked>
func.func private @state(%q: tensor<?x8xROWSx256xf32>, %k: tensor<?x8xROWSx256xf32>, %v: tensor<?x8xROWSx64xf32>)
    -> (tensor<?x8xROWSx64xf32>, tensor<?x8x256x64xf32>, tensor<?x8x256xf32>) attributes {spectral.kernel} {
  %out:3 = spectral.linear_attention query(%q : tensor<?x8xROWSx256xf32>) key(%k : tensor<?x8xROWSx256xf32>)
      value(%v : tensor<?x8xROWSx64xf32>) {causality = #spectral.causality<causal>, return_state}
      features (%x: tensor<?x256xf32>) {
        spectral.yield %x : tensor<?x256xf32>
      } -> tensor<?x8xROWSx64xf32>, tensor<?x8x256x64xf32>, tensor<?x8x256xf32>
  return %out#0, %out#1, %out#2 : tensor<?x8xROWSx64xf32>, tensor<?x8x256x64xf32>, tensor<?x8x256xf32>
}

// Of any number of rows.
// CHECK-LABEL: func.func private @dynamic
// CHECK:         form = #spectral.form<chunked>
func.func private @dynamic(%q: tensor<?x8x?x256xf32>, %k: tensor<?x8xROWSx256xf32>, %v: tensor<?x8xROWSx64xf32>)
    -> tensor<?x8x?x64xf32> attributes {spectral.kernel} {
  %out = spectral.linear_attention query(%q : tensor<?x8x?x256xf32>) key(%k : tensor<?x8xROWSx256xf32>)
      value(%v : tensor<?x8xROWSx64xf32>)
      features (%x: tensor<?x256xf32>) {
        spectral.yield %x : tensor<?x256xf32>
      } -> tensor<?x8x?x64xf32>
  return %out : tensor<?x8x?x64xf32>
}

// CHECK-LABEL: func.func private @given
// CHECK:         form = #spectral.form<recurrent>
func.func private @given(%q: tensor<?x8xROWSx256xf32>, %k: tensor<?x8xROWSx256xf32>, %v: tensor<?x8xROWSx64xf32>)
    -> tensor<?x8xROWSx64xf32> attributes {spectral.kernel} {
  %out = spectral.linear_attention query(%q : tensor<?x8xROWSx256xf32>) key(%k : tensor<?x8xROWSx256xf32>)
      value(%v : tensor<?x8xROWSx64xf32>)
      {causality = #spectral.causality<causal>, form = #spectral.form<recurrent>}
      features (%x: tensor<?x256xf32>) {
        spectral.yield %x : tensor<?x256xf32>
      } -> tensor<?x8xROWSx64xf32>
  return %out : tensor<?x8xROWSx64xf32>
}

// Dot products make the chunked form faster.
// DOTS-LABEL:   func.func private @short
// DOTS:           form = #spectral.form<chunked>
// NODOTS-LABEL: func.func private @short
// NODOTS:         form = #spectral.form<quadratic>
func.func private @short(%q: tensor<?x8xROWSx256xbf16>, %k: tensor<?x8xROWSx256xbf16>, %v: tensor<?x8xROWSx64xbf16>)
    -> tensor<?x8xROWSx64xbf16> attributes {spectral.kernel} {
  %out = spectral.linear_attention query(%q : tensor<?x8xROWSx256xbf16>) key(%k : tensor<?x8xROWSx256xbf16>)
      value(%v : tensor<?x8xROWSx64xbf16>)
      features (%x: tensor<?x256xbf16>) {
        %y = arith.extf %x : tensor<?x256xbf16> to tensor<?x256xf32>
        spectral.yield %y : tensor<?x256xf32>
      } -> tensor<?x8xROWSx64xbf16>
  return %out : tensor<?x8xROWSx64xbf16>
}
