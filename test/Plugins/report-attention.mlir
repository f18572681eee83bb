// A pass of a plugin is a flag, alone and between passes of the project; the option may stand anywhere.
// RUN: bochner-opt %s --load-pass-plugin=%bochner_libs/libreport-attention.so --plugin-report-attention \
// RUN:   -verify-diagnostics -o /dev/null
// RUN: bochner-opt %s --spectral-fuse-feature-map --plugin-report-attention --canonicalize \
// RUN:   --load-pass-plugin %bochner_libs/libreport-attention.so -o /dev/null 2>&1 | FileCheck %s
// RUN: bochner-opt --load-pass-plugin=%bochner_libs/libreport-attention.so --help | FileCheck %s --check-prefix=HELP

// A library that is missing, or is no plugin, is an error and nothing is run.
// RUN: not bochner-opt %s --load-pass-plugin=%t.so 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: not bochner-opt %s --load-pass-plugin=%bochner_libs/libbochner-dialect.so 2>&1 | FileCheck %s --check-prefix=OTHER
// RUN: not bochner-opt %s --plugin-report-attention 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// HELP: --plugin-report-attention {{.*}} Report the feature maps of attentions.
// MISSING: error: {{.*}}.so
// MISSING-NOT: func.func
// OTHER: error: {{.*}}libbochner-dialect.so
// OTHER-NOT: func.func
// UNKNOWN: Unknown command line argument '--plugin-report-attention'

// CHECK: remark: operand 0: 64 features of 64 columns by 1 operations on 0 parameters, as logarithms
// CHECK: remark: operand 1: 64 features of 64 columns by 0 operations on 0 parameters, as logarithms
func.func @attention(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x32xf32>) -> tensor<?x8x?x32xf32> {
  %z = math.absf %q : tensor<?x8x?x64xf32>
  // expected-remark@+3 {{operand 0: 64 features of 64 columns by 0 operations on 0 parameters, as logarithms}}
  // expected-remark@+2 {{operand 1: 64 features of 64 columns by 0 operations on 0 parameters, as logarithms}}
  // expected-remark@+1 {{a state of 64 x 32 elements for each head}}
  %out = spectral.linear_attention query(%z : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x32xf32>) {domain = #spectral.domain<log>}
      features (%x: tensor<?x64xf32>) { spectral.yield %x : tensor<?x64xf32> } -> tensor<?x8x?x32xf32>
  return %out : tensor<?x8x?x32xf32>
}
