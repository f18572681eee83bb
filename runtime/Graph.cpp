//===- Graph.cpp - graphs of kernelized attention -------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Hands options on to the compiler, which knows feature maps, and its answer back.
//
//===----------------------------------------------------------------------===//
#include "Compiler.h"
#include "bochner/bochner.h"

using namespace bochner;

bochner_status_t *bochnerBuildGraph(const char *const *options, size_t option_count, bochner_text_fn receive,
                                    void *user) {
  return protect([&]() -> Status {
    if (!receive || (option_count && !options))
      return invalidArgument("expected options and a function that receives the graph, but got NULL");
    for (size_t i = 0; i < option_count; ++i)
      if (!options[i])
        return invalidArgument("expected option ", i, " to be a string, but got NULL");
    const bochner_compiler_interface_t *compiler = nullptr;
    if (Status status = Compiler::get().load(compiler))
      return status;
    // The caller's function runs after the compiler has returned: it may take its time, and the answer may be an error.
    std::string text;
    bochner_compile_code_t code = compiler->build_graph(
        options, option_count,
        [](void *into, const char *data, size_t size) { static_cast<std::string *>(into)->assign(data, size); }, &text);
    if (code == BOCHNER_COMPILED) {
      receive(user, text.data(), text.size());
      return {};
    }
    return Status(code == BOCHNER_USER_ERROR ? BOCHNER_STATUS_INVALID_ARGUMENT : BOCHNER_STATUS_INTERNAL_ERROR,
                  std::move(text));
  });
}
