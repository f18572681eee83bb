//===- CompileTest.cpp - from source to module ----------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compilations by the compiler of FakeCompiler.cpp, which lies beside this program, where the runtime looks for it.
//
//===----------------------------------------------------------------------===//
#include "TestUtils.h"

#include <dlfcn.h>
#include <set>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace bochner::test;

namespace {
struct Compile : ::testing::Test {
  LogLines log;
  TemporaryFolder cache;

  /// "miss", "memory", "disk", "none", or the failure.
  std::string compile(const ContextOwner &context, const std::string &source,
                      const bochner_compile_options_t *options = nullptr) {
    bochner_module_t *raw = nullptr;
    std::string failure = describe(bochnerCompile(context.get(), source.data(), source.size(), options, &raw));
    module.reset(raw);
    if (!failure.empty())
      return failure;
    static const char *kNames[] = {"none", "miss", "memory", "disk"};
    return kNames[bochnerGetModuleInfo(raw)->cache];
  }
  ModuleOwner module;

  /// How often the compiler ran in this process.
  static int countCompilations() {
    std::string path = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "libbochner-compiler.so";
    void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD);
    if (!library)
      return 0;
    auto function = reinterpret_cast<int (*)()>(dlsym(library, "fakeCompilerGetCount"));
    int count = function ? function() : -1;
    dlclose(library);
    return count;
  }
};
} // namespace

TEST_F(Compile, UsesBothCaches) {
  ContextOwner context = makeContext(cache.path(), &log);
  int before = countCompilations();
  EXPECT_EQ(compile(context, "add"), "miss");
  EXPECT_GT(bochnerGetModuleInfo(module.get())->compile_ms, 0);
  EXPECT_EQ(compile(context, "add"), "memory");
  EXPECT_EQ(bochnerGetModuleInfo(module.get())->compile_ms, 0);
  context = makeContext(cache.path(), &log);
  EXPECT_EQ(compile(context, "add"), "disk");
  EXPECT_EQ(compile(context, "add"), "memory");
  EXPECT_EQ(countCompilations() - before, 1);
  EXPECT_STREQ(bochnerGetFunctionName(bochnerGetFunction(module.get(), 0)), "add");
  ASSERT_EQ(log.notes.size(), 4u);
  EXPECT_EQ(log.notes[0].find("compile: <input> route=fused device=cpu cpu=host cache=miss compile_ms="), 0u);
}

TEST_F(Compile, EveryOptionMakesAnotherKey) {
  ContextOwner context = makeContext("", &log);
  EXPECT_EQ(compile(context, "add"), "miss");
  for (int option = 0; option < 6; ++option) {
    bochner_compile_options_t options = BOCHNER_COMPILE_OPTIONS_INIT;
    if (option == 0)
      options.route = "decompose";
    else if (option == 1)
      options.device = "sim";
    else if (option == 2)
      options.cpu = "x86-64-v3";
    else if (option == 3)
      options.cpu = "x86-64-v2";
    else if (option == 4)
      options.element_type = "f64";
    else
      options.keep_phases = 1;
    EXPECT_EQ(compile(context, "add", &options), "miss") << option;
    EXPECT_EQ(compile(context, "add", &options), "memory") << option;
  }
  EXPECT_EQ(compile(context, "add "), "miss");
  EXPECT_EQ(compile(context, "add"), "memory");
}

TEST_F(Compile, DefaultsMakeNoOtherKey) {
  ContextOwner context = makeContext("", &log);
  EXPECT_EQ(compile(context, "add"), "miss");
  bochner_compile_options_t options = BOCHNER_COMPILE_OPTIONS_INIT;
  options.route = "fused";
  options.device = "cpu";
  options.cpu = "host";
  options.source_name = "other.mlir";
  EXPECT_EQ(compile(context, "add", &options), "memory");
}

TEST_F(Compile, MayRunWithoutACache) {
  ContextOwner context = makeContext(cache.path(), &log);
  bochner_compile_options_t options = BOCHNER_COMPILE_OPTIONS_INIT;
  options.no_cache = 1;
  EXPECT_EQ(compile(context, "add", &options), "none");
  EXPECT_EQ(compile(context, "add", &options), "none");
  EXPECT_TRUE(listFiles(cache.path()).empty());
  EXPECT_EQ(compile(context, "add"), "miss");
}

TEST_F(Compile, DumpsAlwaysCompile) {
  ContextOwner context = makeContext(cache.path(), &log);
  EXPECT_EQ(compile(context, "add"), "miss");
  bochner_compile_options_t options = BOCHNER_COMPILE_OPTIONS_INIT;
  options.dump_dir = "dump";
  EXPECT_EQ(compile(context, "add", &options), "miss");
  options.keep_phases = 1;
  EXPECT_EQ(compile(context, "add", &options), "miss");
  ASSERT_EQ(bochnerGetPhaseCount(module.get()), 2u);
  EXPECT_STREQ(bochnerGetPhase(module.get(), 1)->ir, "dump"); // the fake compiler says where it would have dumped
}

TEST_F(Compile, EnvironmentGivesDefaultsThatOptionsBeat) {
  TemporaryFolder other;
  setenv("BOCHNER_CACHE_DIR", cache.path().c_str(), 1);
  setenv("BOCHNER_DUMP_DIR", "from-environment", 1);
  bochner_context_options_t options = BOCHNER_CONTEXT_OPTIONS_INIT;
  bochner_context_t *raw = nullptr;
  ASSERT_OK(bochnerCreateContext(&options, &raw));
  ContextOwner byEnvironment(raw);
  options.cache_dir = other.path().c_str();
  options.dump_dir = "from-option";
  ASSERT_OK(bochnerCreateContext(&options, &raw));
  ContextOwner byOption(raw);
  setenv("BOCHNER_CACHE_DIR", "", 1);
  ASSERT_OK(bochnerCreateContext(nullptr, &raw));
  ContextOwner empty(raw);
  unsetenv("BOCHNER_CACHE_DIR");
  unsetenv("BOCHNER_DUMP_DIR");
  EXPECT_STREQ(bochnerGetCacheDirectory(byEnvironment.get()), cache.path().c_str());
  EXPECT_STREQ(bochnerGetCacheDirectory(byOption.get()), other.path().c_str());
  EXPECT_EQ(bochnerGetCacheDirectory(empty.get()), nullptr);

  bochner_compile_options_t compileOptions = BOCHNER_COMPILE_OPTIONS_INIT;
  compileOptions.keep_phases = 1;
  compile(byEnvironment, "add", &compileOptions);
  EXPECT_STREQ(bochnerGetPhase(module.get(), 1)->ir, "from-environment");
  compile(byOption, "add", &compileOptions);
  EXPECT_STREQ(bochnerGetPhase(module.get(), 1)->ir, "from-option");
  compileOptions.dump_dir = "from-compile-option";
  compile(byOption, "add", &compileOptions);
  EXPECT_STREQ(bochnerGetPhase(module.get(), 1)->ir, "from-compile-option");
}

TEST_F(Compile, VerbosityComesFromTheEnvironmentOrTheOption) {
  for (auto [environment, option, warnings, notes] :
       {std::tuple("2", 0, 1u, 2u), {"1", 0, 1u, 0u}, {"0", 0, 0u, 0u}, {"0", 2, 1u, 2u}, {"2", -1, 0u, 0u}}) {
    setenv("BOCHNER_VERBOSE", environment, 1);
    LogLines lines;
    bochner_context_options_t options = BOCHNER_CONTEXT_OPTIONS_INIT;
    options.cache_dir = "";
    options.verbosity = option;
    options.log = LogLines::receive;
    options.log_user = &lines;
    bochner_context_t *raw = nullptr;
    ASSERT_OK(bochnerCreateContext(&options, &raw));
    ContextOwner context(raw);
    unsetenv("BOCHNER_VERBOSE");
    EXPECT_EQ(compile(context, "warn"), "miss");
    EXPECT_EQ(lines.warnings.size(), warnings) << environment << ' ' << option;
    EXPECT_EQ(lines.notes.size(), notes) << environment << ' ' << option;
  }
}

TEST_F(Compile, WritesToStderrIfTheUserAsks) {
  ::testing::internal::CaptureStderr();
  setenv("BOCHNER_VERBOSE", "1", 1);
  ContextOwner context;
  {
    bochner_context_options_t options = BOCHNER_CONTEXT_OPTIONS_INIT;
    options.cache_dir = "";
    bochner_context_t *raw = nullptr;
    ASSERT_OK(bochnerCreateContext(&options, &raw));
    context.reset(raw);
  }
  unsetenv("BOCHNER_VERBOSE");
  EXPECT_EQ(compile(context, "warn"), "miss");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "bochner: warning: <input>:1:1: be careful\n");
}

TEST_F(Compile, KeepsWarnings) {
  ContextOwner context = makeContext("", &log);
  EXPECT_EQ(compile(context, "warn"), "miss");
  ASSERT_EQ(bochnerGetModuleDiagnosticCount(module.get()), 2u);
  const bochner_diagnostic_t *first = bochnerGetModuleDiagnostic(module.get(), 0);
  EXPECT_EQ(first->severity, BOCHNER_SEVERITY_WARNING);
  EXPECT_STREQ(first->location, "<input>:1:1");
  EXPECT_STREQ(first->message, "be careful");
  EXPECT_EQ(bochnerGetModuleDiagnostic(module.get(), 2), nullptr);
  EXPECT_EQ(log.warnings, std::vector<std::string>{"<input>:1:1: be careful"});
}

TEST_F(Compile, ReportsErrorsWithAllDiagnostics) {
  ContextOwner context = makeContext(cache.path(), &log);
  bochner_compile_options_t options = BOCHNER_COMPILE_OPTIONS_INIT;
  options.source_name = "graph.mlir";
  bochner_module_t *raw = nullptr;
  StatusOwner status(bochnerCompile(context.get(), "error", 5, &options, &raw));
  EXPECT_EQ(raw, nullptr);
  EXPECT_EQ(bochnerGetStatusCode(status.get()), BOCHNER_STATUS_COMPILE_ERROR);
  EXPECT_STREQ(bochnerGetStatusMessage(status.get()), "graph.mlir:1:1: expected no errors, but got one");
  ASSERT_EQ(bochnerGetStatusDiagnosticCount(status.get()), 3u);
  EXPECT_EQ(bochnerGetStatusDiagnostic(status.get(), 0)->severity, BOCHNER_SEVERITY_WARNING);
  EXPECT_EQ(bochnerGetStatusDiagnostic(status.get(), 1)->severity, BOCHNER_SEVERITY_ERROR);
  EXPECT_STREQ(bochnerGetStatusDiagnostic(status.get(), 2)->message, "see the source");
  EXPECT_STREQ(bochnerGetStatusDiagnostic(status.get(), 2)->location, "");
  EXPECT_EQ(bochnerGetStatusDiagnostic(status.get(), 3), nullptr);
  EXPECT_TRUE(listFiles(cache.path()).empty()) << "errors are not cached";
}

TEST_F(Compile, TellsInternalErrorsFromErrorsOfTheUser) {
  ContextOwner context = makeContext("", &log);
  EXPECT_EQ(compile(context, "internal"), "internal error: <input>: the compiler gave no reason");
  EXPECT_EQ(compile(context, "garbage"),
            "internal error: expected '<input>' to be a module, but it is no 64-bit ELF file");
  EXPECT_EQ(bochnerIsUserError(BOCHNER_STATUS_INTERNAL_ERROR), 0);
  EXPECT_EQ(bochnerIsUserError(BOCHNER_STATUS_COMPILE_ERROR), 1);
}

TEST_F(Compile, ChecksItsArguments) {
  ContextOwner context = makeContext();
  bochner_module_t *raw = nullptr;
  EXPECT_FAILURE(bochnerCompile(context.get(), nullptr, 0, nullptr, &raw),
                 "invalid argument: expected a context and a source, but got NULL");
  EXPECT_FAILURE(bochnerCompile(nullptr, "add", 3, nullptr, &raw),
                 "invalid argument: expected a context and a source, but got NULL");
  EXPECT_FAILURE(bochnerCompile(context.get(), "add", 3, nullptr, nullptr),
                 "invalid argument: expected a pointer for the module, but got NULL");
  EXPECT_FAILURE(bochnerCompileFile(context.get(), "/nowhere/graph.mlir", nullptr, &raw),
                 "not found: expected to read '/nowhere/graph.mlir', but got: No such file or directory");
}

TEST_F(Compile, BuildsGraphs) {
  auto build = [](std::vector<const char *> options, std::string &text) {
    auto receive = [](void *user, const char *data, size_t size) {
      static_cast<std::string *>(user)->append(data, size);
    };
    return describe(bochnerBuildGraph(options.data(), options.size(), receive, &text));
  };
  std::string text;
  EXPECT_EQ(build({"--map", "elu"}, text), "");
  EXPECT_EQ(text, "--map\nelu\n");
  text.clear();
  EXPECT_EQ(build({}, text), "");
  EXPECT_EQ(build({"--bad"}, text), "invalid argument: unknown option");
  EXPECT_EQ(build({"--broken"}, text), "internal error: unknown option");
  EXPECT_EQ(build({"--map", nullptr}, text), "invalid argument: expected option 1 to be a string, but got NULL");
  EXPECT_EQ(text, "");
  EXPECT_EQ(describe(bochnerBuildGraph(nullptr, 0, nullptr, nullptr)),
            "invalid argument: expected options and a function that receives the graph, but got NULL");
}

TEST_F(Compile, CompilesFiles) {
  ContextOwner context = makeContext("", &log);
  std::string path = cache / "graph.mlir";
  writeAll(path, "error in a file");
  bochner_module_t *raw = nullptr;
  EXPECT_FAILURE(bochnerCompileFile(context.get(), path.c_str(), nullptr, &raw),
                 "compile error: " + path + ":1:1: expected no errors, but got one");
  writeAll(path, "add");
  EXPECT_OK(bochnerCompileFile(context.get(), path.c_str(), nullptr, &raw));
  module.reset(raw);
  EXPECT_EQ(compile(context, "add"), "memory");
}

TEST_F(Compile, RecompilesDamagedFiles) {
  ContextOwner context = makeContext(cache.path(), &log);
  EXPECT_EQ(compile(context, "add"), "miss");
  std::string name = listFiles(cache.path()).at(0), content = readAll(cache / name);
  writeAll(cache / name, content.substr(0, 5000));
  context = makeContext(cache.path(), &log);
  EXPECT_EQ(compile(context, "add"), "miss");
  EXPECT_EQ(log.warnings.size(), 1u);
  EXPECT_EQ(readAll(cache / name), content);
  context = makeContext(cache.path(), &log);
  EXPECT_EQ(compile(context, "add"), "disk");
}

TEST_F(Compile, WorksWithoutAUsableFolder) {
  ContextOwner context = makeContext("/proc/bochner", &log);
  EXPECT_EQ(compile(context, "add"), "miss");
  EXPECT_EQ(compile(context, "add 2"), "miss");
  EXPECT_EQ(compile(context, "add"), "memory");
  EXPECT_EQ(log.warnings.size(), 1u);
  EXPECT_EQ(bochnerGetCacheDirectory(context.get()), nullptr);
}

TEST_F(Compile, ThreadsWaitForOneCompilation) {
  ContextOwner context = makeContext(cache.path(), &log);
  int before = countCompilations();
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      bochner_module_t *raw = nullptr;
      failures += !describe(bochnerCompile(context.get(), "slow", 4, nullptr, &raw)).empty();
      bochnerDestroyModule(raw);
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(countCompilations() - before, 1);
}

TEST_F(Compile, AFailureDoesNotBlockTheNextOne) {
  ContextOwner context = makeContext(cache.path(), &log);
  for (int repetition = 0; repetition < 2; ++repetition)
    EXPECT_EQ(compile(context, "error"), "compile error: <input>:1:1: expected no errors, but got one");
}

//===----------------------------------------------------------------------===//
// Other processes and other compilers
//===----------------------------------------------------------------------===//

/// This program in a folder of its own, where another compiler may lie, compiles "add"; its output.
static std::string compileIn(const std::string &folder, const std::string &cache) {
  std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe");
  std::string copy = folder + "/program";
  std::filesystem::copy_file(self, copy, std::filesystem::copy_options::overwrite_existing);
  std::string command = "'" + copy + "' --compile '" + cache + "' add 2>&1", output;
  std::unique_ptr<FILE, int (*)(FILE *)> pipe(popen(command.c_str(), "r"), pclose);
  for (int c; pipe && (c = fgetc(pipe.get())) != EOF;)
    output += char(c);
  return output;
}

static std::filesystem::path besideThisProgram(const std::string &name) {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

TEST_F(Compile, SaysWhatToInstallWithoutACompiler) {
  TemporaryFolder folder;
  std::string output = compileIn(folder.path(), "");
  EXPECT_EQ(output.find("unavailable: expected the compiler libbochner-compiler.so beside libbochner.so or on the "
                        "library search path, but it could not be loaded ("),
            0u)
      << output;
  EXPECT_NE(output.find("; install Bochner's compiler with LLVM and MLIR 22, or load a module that was saved before\n"),
            std::string::npos)
      << output;
}

TEST_F(Compile, RefusesCompilersOfOtherReleases) {
  TemporaryFolder folder;
  std::filesystem::copy_file(besideThisProgram("other-release.so"), folder / "libbochner-compiler.so");
  EXPECT_EQ(compileIn(folder.path(), ""), "version mismatch: expected '" + folder / "libbochner-compiler.so" +
                                              "' to be version 0.1.0 with interface 3, but it is version 9.9.9 with "
                                              "interface 3; install runtime and compiler of one release\n");
}

TEST_F(Compile, RefusesLibrariesThatAreNoCompiler) {
  TemporaryFolder folder;
  std::filesystem::copy_file(besideThisProgram("no-entry.so"), folder / "libbochner-compiler.so.0");
  EXPECT_EQ(compileIn(folder.path(), ""), "version mismatch: expected '" + folder / "libbochner-compiler.so.0" +
                                              "' to be version 0.1.0 with interface 3, but it has no function "
                                              "bochnerCompilerGetInterface; install runtime and compiler of one "
                                              "release\n");
}

TEST_F(Compile, ARebuiltCompilerMakesAnotherKey) {
  TemporaryFolder folder;
  std::string library = folder / "libbochner-compiler.so";
  std::filesystem::copy_file(besideThisProgram("libbochner-compiler.so"), library);
  EXPECT_EQ(compileIn(folder.path(), cache.path()), "");
  EXPECT_EQ(listFiles(cache.path()).size(), 1u);
  EXPECT_EQ(compileIn(folder.path(), cache.path()), "");
  EXPECT_EQ(listFiles(cache.path()).size(), 1u);
  auto time = std::filesystem::last_write_time(library);
  std::filesystem::last_write_time(library, time + std::chrono::seconds(1));
  EXPECT_EQ(compileIn(folder.path(), cache.path()), "");
  EXPECT_EQ(listFiles(cache.path()).size(), 2u);
  // So does a rebuilt dialect.
  writeAll(folder / "libbochner-dialect.so", "");
  EXPECT_EQ(compileIn(folder.path(), cache.path()), "");
  EXPECT_EQ(listFiles(cache.path()).size(), 3u);
}

TEST_F(Compile, ProcessesMayWriteTheSameEntry) {
  std::string command =
      "'" + besideThisProgram("bochner-runtime-tests").string() + "' --compile '" + cache.path() + "' add 20 2>&1";
  std::vector<std::unique_ptr<FILE, int (*)(FILE *)>> pipes;
  for (int process = 0; process < 6; ++process)
    pipes.emplace_back(popen(command.c_str(), "r"), pclose);
  for (auto &pipe : pipes) {
    std::string output;
    for (int c; (c = fgetc(pipe.get())) != EOF;)
      output += char(c);
    EXPECT_EQ(output, "");
  }
  EXPECT_EQ(listFiles(cache.path()).size(), 1u);
}
