//===- LaunchDumpTest.cpp - launches as text ------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "CudaFixture.h"

using namespace bochner::test;

namespace {
class CudaDump : public CudaFixture {
protected:
  bochner_status_t *dump() {
    bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
    options.dump_dir = folder.path().c_str();
    return invoke(&options);
  }
  TemporaryFolder folder;
  static constexpr const char *kStatic = "{\n\"chip\": \"sm_80\",\n\"kernels\": [\n],\n\"calls\": [\n]\n}\n";
};
} // namespace

TEST_F(CudaDump, AddsCalls) {
  writeAll(folder / "launch.json", kStatic);
  EXPECT_OK(dump());
  std::string text = readAll(folder / "launch.json");
  EXPECT_NE(text.find("{\"number\": 0, \"buffers\": ["), std::string::npos) << text;
  EXPECT_NE(text.find("{\"kind\": \"argument\", \"name\": \"q\", \"type\": \"f32\", \"bytes\": 240, \"file\": null}"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\"kernel\": \"fake_add\", \"grid\": [3, 1, 1], \"block\": [128, 1, 1], "
                      "\"dynamic_shared_bytes\": 5120, \"parameters\": [{\"size\": 8, \"bytes\": \""),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\"buffer\": 3, \"offset\": 0}"), std::string::npos) << "of the result\n" << text;
  EXPECT_NE(text.find("\"value\": 60}], \"workspace\": null}"), std::string::npos) << text;
  EXPECT_OK(dump());
  text = readAll(folder / "launch.json");
  EXPECT_NE(text.find("},\n  {\"number\": 1,"), std::string::npos) << text;
  EXPECT_EQ(text.substr(text.size() - 5), "\n]\n}\n");
}

TEST_F(CudaDump, ExpectsTheFileOfACompilation) {
  EXPECT_FAILURE_WITH(dump(), "not found: ");
  writeAll(folder / "launch.json", "{}");
  EXPECT_FAILURE(dump(), "invalid argument: expected '" + (folder / "launch.json") +
                             "' to be as a compilation with a dump folder writes it");
}
