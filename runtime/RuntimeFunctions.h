/*===- RuntimeFunctions.h - what compiled code may call ---------------------------*- C -*-===*\
|*                                                                                          *|
|* Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.                     *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                                  *|
|*                                                                                          *|
|* The functions of the C library that modules may import, for the compiler's check and the *|
|* loader's table: memory and mathematics, nothing that has side effects.                   *|
|*                                                                                          *|
\*===----------------------------------------------------------------------------------------===*/
#ifndef BOCHNER_RUNTIME_RUNTIMEFUNCTIONS_H
#define BOCHNER_RUNTIME_RUNTIMEFUNCTIONS_H

/* clang-format off */
#define BOCHNER_RUNTIME_FUNCTIONS(X)                                                                                   \
  X(memset) X(memcpy) X(memmove)                                                                                       \
  X(exp) X(expf) X(exp2) X(exp2f) X(expm1) X(expm1f) X(log) X(logf) X(log2) X(log2f) X(log10) X(log10f)                \
  X(log1p) X(log1pf) X(pow) X(powf) X(cbrt) X(cbrtf) X(sqrt) X(sqrtf) X(erf) X(erff) X(erfc) X(erfcf)                  \
  X(sin) X(sinf) X(cos) X(cosf) X(sincos) X(sincosf) X(tan) X(tanf) X(asin) X(asinf) X(acos) X(acosf)                  \
  X(atan) X(atanf) X(atan2) X(atan2f) X(sinh) X(sinhf) X(cosh) X(coshf) X(tanh) X(tanhf)                               \
  X(asinh) X(asinhf) X(acosh) X(acoshf) X(atanh) X(atanhf)                                                             \
  X(floor) X(floorf) X(ceil) X(ceilf) X(trunc) X(truncf) X(rint) X(rintf) X(nearbyint) X(nearbyintf)                   \
  X(round) X(roundf) X(roundeven) X(roundevenf) X(fma) X(fmaf) X(fmod) X(fmodf) X(fmin) X(fminf) X(fmax) X(fmaxf)      \
  X(fabs) X(fabsf) X(copysign) X(copysignf) X(ldexp) X(ldexpf)
/* clang-format on */

#endif /* BOCHNER_RUNTIME_RUNTIMEFUNCTIONS_H */
