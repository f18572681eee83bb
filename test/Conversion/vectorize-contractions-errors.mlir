// RUN: bochner-opt %s -verify-diagnostics -spectral-vectorize-contractions=vector-bits=100

// expected-error @below {{expected option 'vector-bits' to be 128, 256 or 512, but got 100}}
func.func @f() {
  return
}
