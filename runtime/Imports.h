//===- Imports.h - functions that compiled code may call ---------*- C++ -*-===//
//
// The allow-list of the loader: memory functions and libm, nothing that has side effects.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_IMPORTS_H
#define BOCHNER_RUNTIME_IMPORTS_H

#include <string_view>

namespace bochner {

/// The address of an allowed function, null for any other name.
void *findImport(std::string_view name);

} // namespace bochner

#endif // BOCHNER_RUNTIME_IMPORTS_H
