//===- RunReportTest.cpp - JSON and text ----------------------- ===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The object of --json is strict JSON whatever the numbers and names are.
//
//===----------------------------------------------------------------------===//
#include "RunTestUtils.h"
#include "tools/bochner-run/Report.h"

#include <cmath>

using namespace bochner::run;
using testing::HasSubstr;
using testing::Not;

TEST(RunReport, QuotesAnyBytes) {
  EXPECT_EQ(JsonObject::quote("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
  EXPECT_EQ(JsonObject::quote("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"), "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"");
  EXPECT_EQ(JsonObject::quote("\xff"), "\"\\ufffd\"");
  EXPECT_EQ(JsonObject::quote("\xc3"), "\"\\ufffd\"");
  EXPECT_EQ(JsonObject::quote("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\""); // half of a surrogate pair
  EXPECT_EQ(JsonObject::quote("\xf4\x90\x80\x80"), "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
}

TEST(RunReport, WritesNumbersThatReadBack) {
  JsonObject object;
  object.add("a", 0.1);
  object.add("b", double(NAN));
  object.add("c", double(INFINITY));
  object.add("d", 1e-300);
  object.add("e", uint64_t(1) << 63);
  object.add("f", true);
  object.add("g", "text");
  EXPECT_EQ(object.text(), "{\"a\": 0.1, \"b\": null, \"c\": null, \"d\": 1e-300, \"e\": 9223372036854775808, "
                           "\"f\": true, \"g\": \"text\"}");
}

static Report sampleReport() {
  Report report;
  report.entry = "attention";
  report.route = "fused";
  report.device = "cpu";
  report.cpu = "znver5";
  report.cacheHit = false;
  report.threads = 2;
  report.compileMs = 12.5;
  report.timing.emplace();
  report.timing->runs = 9;
  report.timing->medianMs = 2;
  report.timing->minMs = 1.5;
  report.timing->peakGflops = 400;
  report.timing->peakUnit = "avx512 f32";
  report.cost = BOCHNER_COST_INIT;
  report.cost->flop = 6e8;
  report.cost->scratch_bytes = 1 << 16;
  report.cost->state_bytes = 1000;
  report.startToResultMs = 20;
  return report;
}

TEST(RunReport, HasAllKeys) {
  std::string json = toJson(sampleReport());
  for (const char *member :
       {"\"entry\": \"attention\"", "\"route\": \"fused\"", "\"device\": \"cpu\"", "\"chip\": null", "\"threads\": 2",
        "\"median_ms\": 2", "\"min_ms\": 1.5", "\"gflop\": 0.6", "\"gflops\": 300", "\"peak_gflops\": 400",
        "\"peak_share\": 0.75", "\"scratch_bytes\": 65536", "\"state_bytes\": 1000", "\"peak_rss_bytes\": 0",
        "\"compile_ms\": 12.5", "\"cache\": \"miss\"", "\"start_to_result_ms\": 20"})
    EXPECT_THAT(json, HasSubstr(member));
  EXPECT_THAT(json, Not(HasSubstr("\"check\"")));
}

TEST(RunReport, ReportsHowFastAStateCanBe) {
  Report report = sampleReport();
  EXPECT_THAT(toJson(report), HasSubstr("\"updated_bytes\": null, \"state_ms\": null, \"state_gbytes_per_s\": null, "
                                        "\"state_share\": null"));
  EXPECT_THAT(toText(report), Not(HasSubstr("state: ")));
  report.timing->updatedBytes = 32 << 20;
  report.timing->stateMs = 0.5;
  std::string json = toJson(report);
  EXPECT_THAT(json, HasSubstr("\"updated_bytes\": 33554432, \"state_ms\": 0.5, \"state_gbytes_per_s\": 134.2"));
  EXPECT_THAT(json, HasSubstr("\"state_share\": 0.25"));
  EXPECT_THAT(toText(report),
              HasSubstr("state: 32 MB take 0.5 ms to read and write once (134.2 GB/s), 25.0% of the median\n"));
}

TEST(RunReport, SaysNullForWhatWasNotMeasured) {
  Report report = sampleReport();
  report.timing.reset();
  report.cost.reset();
  report.cacheHit.reset();
  std::string json = toJson(report);
  for (const char *member : {"\"median_ms\": null", "\"gflops\": null", "\"peak_share\": null",
                             "\"scratch_bytes\": null", "\"cache\": null", "\"start_to_result_ms\": null"})
    EXPECT_THAT(json, HasSubstr(member));
  EXPECT_THAT(toText(report), Not(HasSubstr("time:")));
}

static ResultError sampleError() {
  ResultError error;
  error.name = "out";
  error.maxAbs = 0.5;
  error.maxRel = 0.25;
  error.rmsRel = 0.125;
  error.medianRel = 0.0625;
  error.p99Rel = 0.2;
  error.largest = 3;
  error.limit = 2e-5;
  error.elements = 12;
  error.where = {1, 2};
  error.whereAbs = {2, 3};
  error.gotAbs = 1.5;
  error.expectedAbs = 1;
  return error;
}

TEST(RunReport, ReportsTheCheck) {
  Report report = sampleReport();
  report.check.emplace();
  report.check->results.push_back(sampleError());
  std::string json = toJson(report), text = toText(report);
  EXPECT_THAT(json, HasSubstr("\"check\": {\"max_abs\": 0.5, \"max_rel\": 0.25, "));
  EXPECT_THAT(json, HasSubstr("\"passed\": false, \"results\": {\"out\": "));
  EXPECT_THAT(json, HasSubstr("\"where\": [1, 2], \"where_abs\": [2, 3]"));
  EXPECT_THAT(json, HasSubstr("\"rms_rel\": 0.125, \"median_rel\": 0.0625, \"p99_rel\": 0.2, \"largest\": 3, "
                              "\"elements\": 12, \"non_finite\": 0, "));
  EXPECT_THAT(json, Not(HasSubstr("denominators")));
  EXPECT_THAT(text, HasSubstr("check out: FAILED, error 2.50e-01 of the largest (limit 2e-05), rms 1.25e-01, median "
                              "6.25e-02, 99% 2.00e-01, worst at [1, 2]\n"
                              "  largest difference 5.00e-01 at [2, 3]: 1.5 instead of 1\n"
                              "  12 elements, the largest 3\n"));
  EXPECT_THAT(text, Not(HasSubstr("denominators")));
}

TEST(RunReport, ReportsDenominatorsAndWhatIsNotFinite) {
  Report report = sampleReport();
  report.check.emplace();
  ResultError error = sampleError();
  error.weighted = error.passed = true;
  error.nonFinite = 2;
  error.nonFiniteReference = 1;
  report.check->results.push_back(error);
  error.name = "other";
  error.weighted = false;
  report.check->results.push_back(error);
  report.check->denominators = Denominators{40, 3, 0.002};
  EXPECT_THAT(toJson(report), HasSubstr("\"denominators\": {\"rows\": 40, \"near_zero\": 3, \"smallest_rel\": 0.002}"));
  std::string text = toText(report);
  EXPECT_THAT(text, HasSubstr("(limit 2e-05, weighted by the denominator), rms"));
  EXPECT_THAT(text, HasSubstr("  12 elements, the largest 3; 2 not finite, 1 in the reference\n"
                              "  3 of 40 denominators below 1% of the largest, the smallest 2.00e-03 of it\n"
                              "check other: passed"));
}

TEST(RunReport, ReportsTheCheckOfNothing) {
  Report report = sampleReport();
  report.check.emplace();
  report.check->results.push_back({});
  report.check->results[0].name = "out";
  report.check->results[0].passed = true;
  EXPECT_THAT(toText(report), HasSubstr("99% 0.00e+00\n  0 elements, the largest 0\n"));
  EXPECT_THAT(toJson(report), HasSubstr("\"where\": [], \"where_abs\": []"));
}

TEST(RunReport, DescribesResults) {
  Tensor tensor = tensorOf<float>(kF32, {2, 2}, {1, -3, NAN, 0});
  EXPECT_EQ(describeResult("out", tensor.permuted({1, 0})), "out 2x2 f32: -3 to 1, rms 1.82574; 1 not finite");
  EXPECT_EQ(describeResult("n", Tensor::create(kI64, {3})), "n 3 i64");
  EXPECT_EQ(describeResult("out", Tensor::create(kF32, {0, 3})), "out 0x3 f32");
}
