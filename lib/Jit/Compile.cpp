//===- Compile.cpp - MLIR to the bytes of a module ------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: MLIR and options. Output: a module file, or diagnostics. The steps: parse, phases, machine code. The
// description of the module is taken after the phase `fuse`, while functions still have tensors; what calls have to
// check of derivatives, from the graph before they are written out.
//
//===----------------------------------------------------------------------===//
#include "lib/Jit/Compile.h"
#include "lib/Conversion/Buffers.h"
#include "lib/Jit/HostCode.h"
#include "lib/Jit/ShapeGraph.h"
#include "lib/Jit/Signature.h"
#include "lib/Passes.h"
#include "lib/Pipelines/Pipelines.h"
#include "lib/Target/GpuChip.h"
#include "lib/Target/ModuleWriter.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace bochner;

/// "file:line:column" of the innermost place that a location knows, or nothing.
static std::string printLocation(Location location) {
  std::string text;
  location->walk([&](Location inner) {
    auto file = dyn_cast<FileLineColLoc>(inner);
    if (!file)
      return WalkResult::advance();
    // The module itself, and bytecode that cannot be read, are at 0:0; editors count from 1.
    llvm::raw_string_ostream(text) << file.getFilename().getValue() << ":" << std::max(file.getLine(), 1u) << ":"
                                   << std::max(file.getColumn(), 1u);
    return WalkResult::interrupt();
  });
  return text;
}

namespace {
/// Passes on all diagnostics of a context while it lives.
class DiagnosticCapture {
public:
  /// With `refusesHost`, the remark of spectral-emit-gpu-kernels that an operation runs on the host is an error.
  DiagnosticCapture(MLIRContext *context, CompileDiagnostic sink, bool refusesHost)
      : sink(sink), refusesHost(refusesHost),
        handler(context, [this](Diagnostic &diagnostic) { forward(diagnostic); }) {}

  bool sawError() const { return errors; }

private:
  void forward(Diagnostic &diagnostic) {
    bool refused = refusesHost && StringRef(diagnostic.str()).starts_with("runs on the host");
    errors |= refused || diagnostic.getSeverity() == DiagnosticSeverity::Error;
    sink(refused ? CompileSeverity::Error : severityOf(diagnostic), printLocation(diagnostic.getLocation()),
         diagnostic.str());
    if (refused)
      sink(CompileSeverity::Note, "", kHostCodeRemedy);
    for (Diagnostic &note : diagnostic.getNotes())
      sink(severityOf(note), printLocation(note.getLocation()), note.str());
  }
  static CompileSeverity severityOf(Diagnostic &diagnostic) {
    switch (diagnostic.getSeverity()) {
    case DiagnosticSeverity::Note:
      return CompileSeverity::Note;
    case DiagnosticSeverity::Remark:
      return CompileSeverity::Remark;
    case DiagnosticSeverity::Warning:
      return CompileSeverity::Warning;
    case DiagnosticSeverity::Error:
      return CompileSeverity::Error;
    }
    return CompileSeverity::Error;
  }

  CompileDiagnostic sink;
  const bool refusesHost;
  bool errors = false;
  ScopedDiagnosticHandler handler;
};

/// One compilation: the request, its context, and what has been found out so far.
class Compilation {
public:
  Compilation(const CompileRequest &request, CompileDiagnostic diagnostic, CompileStage stage)
      : request(request), diagnostic(diagnostic), stage(stage),
        context(getRegistry(), MLIRContext::Threading::DISABLED),
        capture(&context, diagnostic, request.device == "cuda") {
    context.printOpOnDiagnostic(false);
  }
  CompileResult run();

private:
  static const DialectRegistry &getRegistry();
  bool checkRequest();
  bool checkChips();
  bool runPasses(StringRef name, function_ref<void(PassManager &)> build);
  bool recordPhase(StringRef number, StringRef name);
  bool writeText(const Twine &name, StringRef text);
  bool writeModuleFile(std::string &bytes);

  bool userError(const Twine &message);
  bool internalError(const Twine &message);
  void ended(StringRef name) {
    if (stage)
      stage(name);
  }

  const CompileRequest &request;
  CompileDiagnostic diagnostic;
  CompileStage stage;
  MLIRContext context;
  DiagnosticCapture capture;
  OwningOpRef<ModuleOp> module;
  std::optional<CpuTarget> target;
  std::vector<std::string> chips;
  format::ModuleInfo info;
  CompileCode code = CompileCode::Compiled;
};
} // namespace

const DialectRegistry &Compilation::getRegistry() {
  static const DialectRegistry registry = [] {
    DialectRegistry registry;
    registerDialects(registry);
    registerCodeGenTranslations(registry);
    return registry;
  }();
  return registry;
}

bool Compilation::userError(const Twine &message) {
  diagnostic(CompileSeverity::Error, "", message.str());
  code = CompileCode::UserError;
  return false;
}

bool Compilation::internalError(const Twine &message) {
  diagnostic(CompileSeverity::Error, "", message.str());
  code = CompileCode::InternalError;
  return false;
}

/// "sm_80", and for device cuda further ones that get cubins: "sm_80,sm_86,sm_90".
bool Compilation::checkChips() {
  SmallVector<StringRef> names;
  request.chip.split(names, ',');
  for (StringRef name : names) {
    StringRef number = name;
    unsigned capability;
    bool isName =
        number.consume_front("sm_") && !number.consumeInteger(10, capability) && (number.empty() || number == "a");
    if (chips.empty() && !findGpuChip(name))
      return userError("expected chip " + describeGpuChips() + ", but got '" + name + "'");
    if (!isName)
      return userError("expected chips such as sm_86 behind the first one, but got '" + name + "'");
    chips.push_back(name.str());
  }
  if (chips.size() > 1 && request.device != "cuda")
    return userError("expected one chip for device '" + request.device + "', but got '" + request.chip + "'");
  return true;
}

bool Compilation::checkRequest() {
  if (request.route != "fused" && request.route != "decompose")
    return userError("expected route 'fused' or 'decompose', but got '" + request.route + "'");
  if (request.device != "cpu" && request.device != "sim" && request.device != "cuda")
    return userError("expected device 'cpu', 'sim' or 'cuda', but got '" + request.device + "'");
  if (request.device != "cpu" && request.route != "fused")
    return userError("expected device 'cpu' for route '" + request.route + "', which has no kernels, but got '" +
                     request.device + "'");
  if (request.device != "cpu" && !checkChips())
    return false;
  if (!request.elementType.empty() && request.elementType != "f64")
    return userError("expected element type 'f64' or none, but got '" + request.elementType + "'");
  auto emitError = [&] { return mlir::emitError(UnknownLoc::get(&context)); };
  FailureOr<CpuTarget> resolved = resolveCpuTarget(request.cpu, emitError);
  if (failed(resolved)) {
    code = CompileCode::UserError;
    return false;
  }
  target = *resolved;
  return true;
}

bool Compilation::runPasses(StringRef name, function_ref<void(PassManager &)> build) {
  PassManager pm(&context);
  pm.enableVerifier(false); // once behind the last pass, below
  build(pm);
  if (failed(pm.run(*module))) {
    if (!capture.sawError())
      return internalError("phase '" + name + "' failed without a diagnostic");
    code = CompileCode::UserError;
    return false;
  }
  if (capture.sawError()) { // host code of device cuda
    code = CompileCode::UserError;
    return false;
  }
  if (failed(verify(*module)))
    return internalError("phase '" + name + "' produced invalid IR");
  ended(name);
  return true;
}

/// Writes a file of the dump folder.
bool Compilation::writeText(const Twine &name, StringRef text) {
  SmallString<128> path(request.dumpDir);
  std::error_code error = llvm::sys::fs::create_directories(path);
  llvm::sys::path::append(path, name);
  if (!error) {
    llvm::raw_fd_ostream file(path, error);
    file << text;
    file.close();
    if (file.has_error()) {
      error = file.error();
      file.clear_error();
    }
  }
  return !error || userError("cannot write '" + path + "': " + error.message());
}

/// Keeps the IR as it is now, where the request asks for it.
bool Compilation::recordPhase(StringRef number, StringRef name) {
  if (request.dumpDir.empty() && !request.keepPhases)
    return true;
  std::string text;
  llvm::raw_string_ostream(text) << *module << "\n";
  if (!request.dumpDir.empty() && !writeText(number + "-" + name + ".mlir", text))
    return false;
  if (request.keepPhases)
    info.phases.emplace_back(name.str(), std::move(text));
  return true;
}

bool Compilation::writeModuleFile(std::string &bytes) {
  SmallVector<std::string> symbols;
  SmallVector<StringRef> entries;
  auto addEntry = [&](const std::string &prefix, const std::string &name) {
    std::string symbol = prefix + name;
    if (!module->lookupSymbol(symbol))
      return std::string();
    symbols.push_back(symbol);
    return symbol;
  };
  for (format::FunctionInfo &function : info.functions) {
    function.entry = addEntry("bochner.entry.", function.name);
    function.workspace = addEntry("bochner.workspace.", function.name);
    if (auto entry = module->lookupSymbol(function.entry))
      if (auto bytes = entry->getAttrOfType<IntegerAttr>(kScratchBytesAttr))
        function.scratchBytes = bytes.getInt();
    if (auto entry = module->lookupSymbol(function.entry))
      if (auto arguments = entry->getAttrOfType<DenseI64ArrayAttr>(kInPlaceAttr))
        for (format::Update &update : function.updates)
          update.inPlace |= uint32_t(llvm::is_contained(arguments.asArrayRef(), int64_t(update.argument)));
  }
  for (const std::string &symbol : symbols)
    entries.push_back(symbol);
  CodeGenOptions options{*target, entries};
  options.gpu = {request.device.str(), chips, request.ptxas.str(), request.dumpDir.str()};
  FailureOr<std::string> file = writeModule(*module, options, info);
  if (failed(file) && request.device == "cuda")
    return userError("cannot generate code for device 'cuda'"); // ptxas or the chip refused; it said why
  if (failed(file))
    return internalError("cannot generate code");
  bytes = std::move(*file);
  ended("codegen");
  return true;
}

CompileResult Compilation::run() {
  CompileResult result;
  auto compile = [&] {
    if (!checkRequest())
      return false;
    // The lexer wants a zero behind the text, bytecode an aligned buffer: both come with a copy.
    llvm::SourceMgr sources;
    sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(request.source, request.sourceName), {});
    module = parseSourceFile<ModuleOp>(sources, ParserConfig(&context));
    if (!module)
      return capture.sawError() ? (code = CompileCode::UserError, false)
                                : userError("cannot parse '" + request.sourceName + "'");
    ended("parse");

    info.producer = request.producer.str();
    info.route = request.route.str();
    info.device = request.device.str();
    PhaseOptions options;
    options.route = request.route.str();
    options.setTarget(*target);
    options.device = request.device.str();
    options.chip = chips.empty() ? request.chip.str() : chips.front();
    options.tf32 = request.tf32;

    if (!request.elementType.empty()) {
      ConvertElementTypePassOptions convert{request.elementType.str()};
      if (!runPasses("input", [&](PassManager &pm) { pm.addPass(createConvertElementTypePass(convert)); }))
        return false;
    }
    if (!recordPhase("00", "input"))
      return false;
    static constexpr StringLiteral numbers[] = {"10", "15", "20", "30", "40"};
    OwningOpRef<ModuleOp> shapes;
    for (Phase phase : kPhases) {
      if (phase == Phase::target && request.device == "cuda" && failed(checkHostCode(*module)))
        return code = CompileCode::UserError, false;
      if (phase == Phase::differentiate)
        shapes = buildShapeGraph(*module);
      if (!runPasses(getPhaseName(phase), [&](PassManager &pm) { buildPhase(pm, phase, options); }))
        return false;
      if (!recordPhase(numbers[unsigned(phase)], getPhaseName(phase)))
        return false;
      if (phase != Phase::fuse)
        continue;
      FailureOr<format::ModuleInfo> description =
          describeModule(*module, /*ownsKernels=*/request.route == "fused", shapes.get());
      if (failed(description))
        return code = CompileCode::UserError, false;
      info.functions = std::move(description->functions);
    }
    return writeModuleFile(result.module);
  };
  compile();
  result.code = code;
  return result;
}

CompileResult bochner::compileModule(const CompileRequest &request, CompileDiagnostic diagnostic, CompileStage stage) {
  return Compilation(request, diagnostic, stage).run();
}
