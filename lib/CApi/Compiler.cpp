//===- Compiler.cpp - the compiler behind its C interface -----------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Implements runtime/CompilerInterface.h on top of compileModule() and lib/Graphs. The one symbol that the runtime
// looks up.
//
//===----------------------------------------------------------------------===//
#include "lib/Graphs/Command.h"
#include "lib/Jit/Compile.h"
#include "runtime/CompilerInterface.h"
#include "llvm/Config/llvm-config.h"

using namespace bochner;

static bochner_severity_t toC(CompileSeverity severity) {
  switch (severity) {
  case CompileSeverity::Note:
    return BOCHNER_SEVERITY_NOTE;
  case CompileSeverity::Remark:
    return BOCHNER_SEVERITY_REMARK;
  case CompileSeverity::Warning:
    return BOCHNER_SEVERITY_WARNING;
  case CompileSeverity::Error:
    return BOCHNER_SEVERITY_ERROR;
  }
  return BOCHNER_SEVERITY_ERROR;
}

static void compile(const bochner_compile_request_t *request, bochner_diagnostic_fn diagnostic, void *user,
                    bochner_compile_result_t *result) {
  CompileRequest converted;
  auto set = [](llvm::StringRef &field, const char *text) {
    if (text)
      field = text;
  };
  converted.source = llvm::StringRef(request->source, request->source_size);
  set(converted.sourceName, request->source_name);
  set(converted.route, request->route);
  set(converted.device, request->device);
  set(converted.cpu, request->cpu);
  set(converted.elementType, request->element_type);
  set(converted.dumpDir, request->dump_dir);
  set(converted.chip, request->chip);
  set(converted.ptxas, request->ptxas);
  converted.tf32 = request->tf32;
  converted.keepPhases = request->keep_phases;
  converted.producer = "bochner " BOCHNER_PROJECT_VERSION ", LLVM " LLVM_VERSION_STRING;

  auto forward = [&](CompileSeverity severity, llvm::StringRef location, llvm::StringRef message) {
    if (diagnostic)
      diagnostic(user, toC(severity), location.str().c_str(), message.str().c_str());
  };
  auto *compiled = new CompileResult(compileModule(converted, forward));
  switch (compiled->code) {
  case CompileCode::Compiled:
    result->code = BOCHNER_COMPILED;
    break;
  case CompileCode::UserError:
    result->code = BOCHNER_USER_ERROR;
    break;
  case CompileCode::InternalError:
    result->code = BOCHNER_INTERNAL_ERROR;
    break;
  }
  result->module = compiled->module.data();
  result->module_size = compiled->module.size();
  result->impl = compiled;
}

static void release(bochner_compile_result_t *result) {
  delete static_cast<CompileResult *>(result->impl);
  *result = {};
}

static bochner_compile_code_t buildGraph(const char *const *options, size_t count, bochner_receive_fn receive,
                                         void *user) {
  llvm::SmallVector<llvm::StringRef> arguments(options, options + count);
  auto build = [&]() -> llvm::Expected<std::string> {
    auto command = graphs::parseCommand(arguments);
    if (!command)
      return command.takeError();
    return graphs::runCommand(*command);
  };
  auto text = build();
  if (text) {
    receive(user, text->data(), text->size());
    return BOCHNER_COMPILED;
  }
  llvm::Error error = text.takeError();
  bool internal = error.isA<graphs::MalformedGraph>();
  std::string reason = llvm::toString(std::move(error));
  receive(user, reason.data(), reason.size());
  return internal ? BOCHNER_INTERNAL_ERROR : BOCHNER_USER_ERROR;
}

extern "C" BOCHNER_API const bochner_compiler_interface_t *bochnerCompilerGetInterface(void) {
  static const bochner_compiler_interface_t interface = {
      BOCHNER_COMPILER_INTERFACE_VERSION, BOCHNER_PROJECT_VERSION, LLVM_VERSION_STRING, compile, release, buildGraph};
  return &interface;
}
