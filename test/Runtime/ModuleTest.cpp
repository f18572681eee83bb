//===- ModuleTest.cpp - loading, saving and asking modules ----------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "FakeModule.h"
#include "TestUtils.h"

#include <sys/stat.h>
#include <unistd.h>

using namespace bochner;
using namespace bochner::test;

static ModuleOwner loadFrom(const ContextOwner &context, const std::string &path) {
  bochner_module_t *module = nullptr;
  EXPECT_OK(bochnerLoadModule(context.get(), path.c_str(), &module));
  return ModuleOwner(module);
}

static ModuleOwner loadBytes(const ContextOwner &context, const std::string &bytes) {
  bochner_module_t *module = nullptr;
  EXPECT_OK(bochnerLoadModuleFromMemory(context.get(), bytes.data(), bytes.size(), &module));
  return ModuleOwner(module);
}

/// How the file is mapped into this process: its line of /proc/self/maps, or "".
static std::string findMapping(const std::string &path) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.find(path) != std::string::npos)
      return line;
  return "";
}

TEST(Module, DescribesItself) {
  ContextOwner context = makeContext();
  FakeModule fake;
  fake.info.features = "+sse3";
  fake.info.phases = {{"graph", "func.func @add"}, {"target", "llvm.func @add"}};
  ModuleOwner module = loadBytes(context, fake.build());
  const bochner_module_info_t *info = bochnerGetModuleInfo(module.get());
  EXPECT_STREQ(info->producer, "fake 1.0");
  EXPECT_STREQ(info->route, "fused");
  EXPECT_STREQ(info->device, "cpu");
  EXPECT_STREQ(info->cpu, "x86-64");
  EXPECT_STREQ(info->features, "+sse3");
  EXPECT_EQ(info->cache, BOCHNER_CACHE_NONE);
  EXPECT_EQ(info->compile_ms, 0);
  EXPECT_EQ(info->size, fake.build().size());
  ASSERT_EQ(bochnerGetPhaseCount(module.get()), 2u);
  EXPECT_STREQ(bochnerGetPhase(module.get(), 1)->name, "target");
  EXPECT_STREQ(bochnerGetPhase(module.get(), 1)->ir, "llvm.func @add");
  EXPECT_EQ(bochnerGetPhase(module.get(), 2), nullptr);
  EXPECT_EQ(bochnerGetModuleDiagnosticCount(module.get()), 0u);
}

TEST(Module, DescribesItsFunctions) {
  ContextOwner context = makeContext();
  ModuleOwner module = loadBytes(context, FakeModule().build());
  ASSERT_EQ(bochnerGetFunctionCount(module.get()), 1u);
  const bochner_function_t *function = bochnerGetFunction(module.get(), 0);
  EXPECT_EQ(bochnerGetFunction(module.get(), 1), nullptr);
  EXPECT_STREQ(bochnerGetFunctionName(function), "add");
  EXPECT_STREQ(bochnerGetFunctionAttributes(function), "map=add");
  ASSERT_EQ(bochnerGetArgumentCount(function), 3u);
  ASSERT_EQ(bochnerGetResultCount(function), 1u);
  const bochner_tensor_info_t *query = bochnerGetArgument(function, 0);
  EXPECT_STREQ(query->name, "q");
  EXPECT_EQ(query->dtype.code, kDLFloat);
  EXPECT_EQ(query->dtype.bits, 32);
  ASSERT_EQ(query->rank, 3);
  EXPECT_EQ(query->shape[0], BOCHNER_DYNAMIC);
  EXPECT_EQ(query->shape[2], 4);
  EXPECT_STREQ(query->init, "");
  EXPECT_STREQ(query->dim_names[1], "N");
  EXPECT_STREQ(bochnerGetArgument(function, 1)->init, "normal(0.5)");
  EXPECT_EQ(bochnerGetArgument(function, 1)->dim_names, nullptr);
  EXPECT_EQ(bochnerGetArgument(function, 2)->dtype.code, kDLInt);
  EXPECT_EQ(bochnerGetArgument(function, 3), nullptr);
  EXPECT_EQ(bochnerGetUpdatedArgument(function, 0), -1);
  EXPECT_STREQ(bochnerGetResult(function, 0)->name, "out");
  EXPECT_EQ(bochnerGetResult(function, 1), nullptr);
}

TEST(Module, FindsFunctionsByName) {
  ContextOwner context = makeContext();
  FakeModule fake;
  ModuleOwner one = loadBytes(context, fake.build());
  fake.info.functions.push_back(makeAddInfo());
  fake.info.functions[1].name = "more";
  ModuleOwner two = loadBytes(context, fake.build());
  fake.info.functions.clear();
  ModuleOwner none = loadBytes(context, fake.build());
  const bochner_function_t *function = nullptr;
  EXPECT_OK(bochnerLookupFunction(one.get(), nullptr, &function));
  EXPECT_STREQ(bochnerGetFunctionName(function), "add");
  EXPECT_OK(bochnerLookupFunction(two.get(), "more", &function));
  EXPECT_STREQ(bochnerGetFunctionName(function), "more");
  EXPECT_FAILURE(bochnerLookupFunction(two.get(), "less", &function),
                 "not found: expected a function of the module ('add', 'more'), but got 'less'");
  EXPECT_EQ(function, nullptr);
  EXPECT_FAILURE(bochnerLookupFunction(two.get(), "", &function),
                 "not found: expected the name of a function, as the module has not exactly one: 'add', 'more'");
  EXPECT_FAILURE(bochnerLookupFunction(none.get(), nullptr, &function),
                 "not found: expected the name of a function, as the module has not exactly one: none");
}

TEST(Module, SavesWhatItLoaded) {
  TemporaryFolder folder;
  ContextOwner context = makeContext();
  FakeModule fake;
  fake.tables.imports = {{fake.dataOffset(), "expf"}};
  std::string bytes = fake.build();
  ModuleOwner module = loadBytes(context, bytes);
  EXPECT_OK(bochnerSaveModule(module.get(), (folder / "saved").c_str()));
  EXPECT_EQ(readAll(folder / "saved"), bytes);
  ModuleOwner again = loadFrom(context, folder / "saved");
  // Saving over the very file that is mapped replaces it; what is loaded stays as it is.
  EXPECT_OK(bochnerSaveModule(again.get(), (folder / "saved").c_str()));
  EXPECT_EQ(readAll(folder / "saved"), bytes);
  EXPECT_FAILURE(bochnerSaveModule(module.get(), (folder / "no/saved").c_str()),
                 "input/output error: expected to write '" + folder / "no/saved" +
                     "', but got: No such file or directory");
}

TEST(Module, MapsFilesThatNobodyElseCanWrite) {
  TemporaryFolder folder;
  ContextOwner context = makeContext();
  std::string path = folder / "module";
  writeAll(path, FakeModule().build());
  chmod(path.c_str(), 0644);
  ModuleOwner module = loadFrom(context, path);
  EXPECT_NE(findMapping(path), "");
  module.reset();
  EXPECT_EQ(findMapping(path), "");
  // Executable memory is never writable.
  module = loadFrom(context, path);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    EXPECT_EQ(line.find(" rwx"), std::string::npos) << line;
}

TEST(Module, CopiesFilesThatOthersCanWrite) {
  TemporaryFolder folder;
  ContextOwner context = makeContext();
  std::string path = folder / "module";
  writeAll(path, FakeModule().build());
  chmod(path.c_str(), 0666);
  ModuleOwner module = loadFrom(context, path);
  EXPECT_EQ(findMapping(path), "") << "the file is writable by others";
  chmod(path.c_str(), 0644);
  chmod(folder.path().c_str(), 0777);
  module = loadFrom(context, path);
  EXPECT_EQ(findMapping(path), "") << "the folder is writable by others";
}

TEST(Module, RefusesWhatIsNone) {
  TemporaryFolder folder;
  ContextOwner context = makeContext();
  bochner_module_t *module = nullptr;
  EXPECT_FAILURE(bochnerLoadModule(context.get(), (folder / "absent").c_str(), &module),
                 "not found: expected to read '" + folder / "absent" + "', but got: No such file or directory");
  writeAll(folder / "empty", "");
  EXPECT_FAILURE(bochnerLoadModule(context.get(), (folder / "empty").c_str(), &module),
                 "invalid module: expected '" + folder / "empty" + "' to be a module, but it is too short");
  writeAll(folder / "text", std::string(1000, ' '));
  EXPECT_FAILURE(bochnerLoadModule(context.get(), (folder / "text").c_str(), &module),
                 "invalid module: expected '" + folder / "text" + "' to be a module, but it is no 64-bit ELF file");
  EXPECT_EQ(module, nullptr);
  EXPECT_FAILURE(bochnerLoadModuleFromMemory(context.get(), nullptr, 5, &module),
                 "invalid argument: expected a module, but got NULL");
  EXPECT_FAILURE(bochnerLoadModule(nullptr, "x", &module), "invalid argument: expected a context, but got NULL");
  EXPECT_FAILURE(bochnerLoadModule(context.get(), "x", nullptr),
                 "invalid argument: expected a pointer for the module, but got NULL");
}

TEST(Module, IsToldFromSources) {
  std::string bytes = FakeModule().build(), text = "module {}";
  EXPECT_EQ(bochnerIsModule(bytes.data(), bytes.size()), 1);
  EXPECT_EQ(bochnerIsModule(bytes.data(), 8), 1);
  EXPECT_EQ(bochnerIsModule(bytes.data(), 3), 0);
  EXPECT_EQ(bochnerIsModule(text.data(), text.size()), 0);
  EXPECT_EQ(bochnerIsModule("ML\xefR", 4), 0);
  EXPECT_EQ(bochnerIsModule(nullptr, 0), 0);
}

TEST(Module, OutlivesItsContext) {
  ContextOwner context = makeContext();
  ModuleOwner module = loadBytes(context, FakeModule().build());
  context.reset();
  const bochner_function_t *function = bochnerGetFunction(module.get(), 0);
  Tensor<float> query({1, 2, 4}, 1), key({1, 2, 4}, 2);
  Tensor<int64_t> lengths({1}, 1);
  const DLTensor *arguments[] = {&query.view, &key.view, &lengths.view};
  DLManagedTensorVersioned *out = nullptr;
  ASSERT_OK(bochnerInvokeAllocating(function, arguments, 3, &out, 1, nullptr));
  TensorOwner owner(out);
  module.reset();
  EXPECT_EQ(static_cast<float *>(out->dl_tensor.data)[7], 3.0f);
}
