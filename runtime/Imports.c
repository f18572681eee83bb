/*===- Imports.c - addresses for compiled code -------------------------------------------------===*\
|*                                                                                              *|
|* Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.                         *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                                      *|
|*                                                                                              *|
|* In C, because C++ overloads the names of libm. A module has a handful of imports: the search *|
|* is linear.                                                                                   *|
|*                                                                                              *|
\*===--------------------------------------------------------------------------------------------===*/
#define _GNU_SOURCE /* sincos, roundeven */
#include "Imports.h"
#include "RuntimeFunctions.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

void *bochnerFindImport(const char *name) {
  static const struct {
    const char *name;
    void *address;
  } table[] = {
#define ROW(FUNCTION) {#FUNCTION, (void *)FUNCTION},
      BOCHNER_RUNTIME_FUNCTIONS(ROW)
#undef ROW
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; ++i)
    if (!strcmp(table[i].name, name))
      return table[i].address;
  return NULL;
}
