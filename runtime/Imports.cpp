//===- Imports.cpp - functions that compiled code may call ----------------===//
//
// Sorted by name for the search; a static assertion keeps it so.
//
//===----------------------------------------------------------------------===//
#include "Imports.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>

using namespace bochner;

namespace {
struct Import {
  std::string_view name;
  void *(*address)();
};
} // namespace

// libm's names are overloaded in C++; the type picks the one that C means.
template <typename Fn, Fn *function> static void *addressOf() { return reinterpret_cast<void *>(function); }

using F1 = float(float);
using F2 = float(float, float);
using F3 = float(float, float, float);
using D1 = double(double);
using D2 = double(double, double);
using D3 = double(double, double, double);
using Copy = void *(void *, const void *, size_t);

#define IMPORT(NAME, TYPE) {#NAME, addressOf<TYPE, ::NAME>},

static constexpr Import kImports[] = {
    // clang-format off
    IMPORT(acos, D1) IMPORT(acosf, F1) IMPORT(acosh, D1) IMPORT(acoshf, F1)
    IMPORT(asin, D1) IMPORT(asinf, F1) IMPORT(asinh, D1) IMPORT(asinhf, F1)
    IMPORT(atan, D1) IMPORT(atan2, D2) IMPORT(atan2f, F2) IMPORT(atanf, F1) IMPORT(atanh, D1) IMPORT(atanhf, F1)
    IMPORT(cbrt, D1) IMPORT(cbrtf, F1) IMPORT(ceil, D1) IMPORT(ceilf, F1)
    IMPORT(copysign, D2) IMPORT(copysignf, F2) IMPORT(cos, D1) IMPORT(cosf, F1) IMPORT(cosh, D1) IMPORT(coshf, F1)
    IMPORT(erf, D1) IMPORT(erfc, D1) IMPORT(erfcf, F1) IMPORT(erff, F1)
    IMPORT(exp, D1) IMPORT(exp2, D1) IMPORT(exp2f, F1) IMPORT(expf, F1) IMPORT(expm1, D1) IMPORT(expm1f, F1)
    IMPORT(fabs, D1) IMPORT(fabsf, F1) IMPORT(floor, D1) IMPORT(floorf, F1) IMPORT(fma, D3) IMPORT(fmaf, F3)
    IMPORT(fmax, D2) IMPORT(fmaxf, F2) IMPORT(fmin, D2) IMPORT(fminf, F2) IMPORT(fmod, D2) IMPORT(fmodf, F2)
    IMPORT(ldexp, double(double, int)) IMPORT(ldexpf, float(float, int))
    IMPORT(log, D1) IMPORT(log10, D1) IMPORT(log10f, F1) IMPORT(log1p, D1) IMPORT(log1pf, F1)
    IMPORT(log2, D1) IMPORT(log2f, F1) IMPORT(logf, F1)
    IMPORT(memcpy, Copy) IMPORT(memmove, Copy) IMPORT(memset, void *(void *, int, size_t))
    IMPORT(nearbyint, D1) IMPORT(nearbyintf, F1) IMPORT(pow, D2) IMPORT(powf, F2)
    IMPORT(rint, D1) IMPORT(rintf, F1) IMPORT(round, D1) IMPORT(roundeven, D1) IMPORT(roundevenf, F1)
    IMPORT(roundf, F1) IMPORT(sin, D1)
    IMPORT(sincos, void(double, double *, double *)) IMPORT(sincosf, void(float, float *, float *))
    IMPORT(sinf, F1) IMPORT(sinh, D1) IMPORT(sinhf, F1) IMPORT(sqrt, D1) IMPORT(sqrtf, F1)
    IMPORT(tan, D1) IMPORT(tanf, F1) IMPORT(tanh, D1) IMPORT(tanhf, F1) IMPORT(trunc, D1) IMPORT(truncf, F1)
    // clang-format on
};

static constexpr bool isSorted() {
  for (size_t i = 1; i < std::size(kImports); ++i)
    if (!(kImports[i - 1].name < kImports[i].name))
      return false;
  return true;
}
static_assert(isSorted());

void *bochner::findImport(std::string_view name) {
  const Import *found = std::lower_bound(std::begin(kImports), std::end(kImports), name,
                                         [](const Import &import, std::string_view key) { return import.name < key; });
  return found != std::end(kImports) && found->name == name ? found->address() : nullptr;
}
