/*===- Imports.h - addresses for compiled code --------------------------------------*- C -*-===*\
|*                                                                                            *|
|* Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.                       *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                                    *|
|*                                                                                            *|
|* Part of the loader: resolves the names of RuntimeFunctions.h and no others.                *|
|*                                                                                            *|
\*===------------------------------------------------------------------------------------------===*/
#ifndef BOCHNER_RUNTIME_IMPORTS_H
#define BOCHNER_RUNTIME_IMPORTS_H

#ifdef __cplusplus
extern "C" {
#endif

/* The address of an allowed function, NULL for any other name. */
void *bochnerFindImport(const char *name);

#ifdef __cplusplus
}
#endif

#endif /* BOCHNER_RUNTIME_IMPORTS_H */
