//===- FakeCompiler.cpp - a libbochner-compiler.so without LLVM -----------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiles a language of one line for the tests of the runtime:
//   add          the module of FakeModule.h
//   slow         the same, after a fifth of a second
//   warn         the same, with a warning and a note
//   error        a user error with two diagnostics
//   internal     an internal error without a diagnostic
//   garbage      bytes that are no module
// Anything behind the first word makes another source of it. The macro FAKE_PROJECT_VERSION builds a compiler of
// another release, FAKE_NO_ENTRY one that is none.
//
//===----------------------------------------------------------------------===//
#include "FakeModule.h"
#include "bochner/bochner.h"
#include "runtime/CompilerInterface.h"

#include <atomic>
#include <cstring>
#include <string_view>
#include <unistd.h>

#ifndef FAKE_PROJECT_VERSION
#define FAKE_PROJECT_VERSION BOCHNER_VERSION_STRING
#endif

static std::atomic<int> compilations{0};

static void compile(const bochner_compile_request_t *request, bochner_diagnostic_fn diagnostic, void *user,
                    bochner_compile_result_t *result) {
  ++compilations;
  std::string source(request->source, request->source_size);
  std::string_view word(source);
  word = word.substr(0, word.find_first_of(" \n"));
  std::string location = std::string(request->source_name) + ":1:1";
  if (word == "slow")
    usleep(200000);
  if (word == "error") {
    diagnostic(user, BOCHNER_SEVERITY_WARNING, location.c_str(), "expected errors");
    diagnostic(user, BOCHNER_SEVERITY_ERROR, location.c_str(), "expected no errors, but got one");
    diagnostic(user, BOCHNER_SEVERITY_NOTE, "", "see the source");
    result->code = BOCHNER_USER_ERROR;
    return;
  }
  if (word == "internal") {
    result->code = BOCHNER_INTERNAL_ERROR;
    return;
  }
  if (word == "warn") {
    diagnostic(user, BOCHNER_SEVERITY_WARNING, location.c_str(), "be careful");
    diagnostic(user, BOCHNER_SEVERITY_NOTE, location.c_str(), "here");
  }
  bochner::test::FakeModule module;
  module.info.cpu = request->cpu;
  module.info.route = request->route;
  if (request->keep_phases)
    module.info.phases = {{"graph", source}, {"target", std::string(request->dump_dir ? request->dump_dir : "none")}};
  auto *bytes = new std::string(word == "garbage" ? std::string(100, 'x') : module.build());
  result->code = BOCHNER_COMPILED;
  result->module = bytes->data();
  result->module_size = bytes->size();
  result->impl = bytes;
}

static void release(bochner_compile_result_t *result) { delete static_cast<std::string *>(result->impl); }

/// The graph is the options, one a line; "--bad" is refused and "--broken" is a defect.
static bochner_compile_code_t buildGraph(const char *const *options, size_t count, bochner_receive_fn receive,
                                         void *user) {
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    text += std::string(options[i]) + "\n";
    if (!strcmp(options[i], "--bad") || !strcmp(options[i], "--broken")) {
      receive(user, "unknown option", 14);
      return strcmp(options[i], "--bad") ? BOCHNER_INTERNAL_ERROR : BOCHNER_USER_ERROR;
    }
  }
  receive(user, text.data(), text.size());
  return BOCHNER_COMPILED;
}

#ifdef FAKE_NO_ENTRY
#define bochnerCompilerGetInterface someOtherFunction
#endif
extern "C" BOCHNER_API const bochner_compiler_interface_t *bochnerCompilerGetInterface(void) {
  static const bochner_compiler_interface_t interface = {
      BOCHNER_COMPILER_INTERFACE_VERSION, FAKE_PROJECT_VERSION, "22.1.8", compile, release, buildGraph};
  return &interface;
}

/// How often this process compiled; found with dlsym.
extern "C" BOCHNER_API int fakeCompilerGetCount(void) { return compilations; }
