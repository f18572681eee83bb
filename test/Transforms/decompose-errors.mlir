// RUN: not bochner-opt %s -spectral-decompose=ops=trig,linear_atention 2>&1 | FileCheck %s --check-prefix=MISSPELT
// RUN: not bochner-opt %s -spectral-decompose=ops=launch 2>&1 | FileCheck %s --check-prefix=LAUNCH

// MISSPELT: error: expected 'ops' to name operations of the dialect 'spectral' on tensors, without the prefix, but got 'linear_atention'
// LAUNCH: error: expected 'ops' to name operations of the dialect 'spectral' on tensors, without the prefix, but got 'launch'
func.func private @declaration()
