//===- FeatureAdjointTest.cpp - adjoints against finite differences -------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every kind of expression at one row and column: leaves get numbers, and the derivative of sum(cotangent * output)
// with respect to each leaf is what the adjoint says.
//
//===----------------------------------------------------------------------===//
#include "lib/Analysis/FeatureAdjoint.h"
#include "lib/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"
#include <algorithm>
#include <cmath>
#include <map>

using namespace bochner;
using mlir::arith::CmpFPredicate;

namespace {

/// Numbers of the leaves, by kind and id.
using Leaves = std::map<std::pair<ExprKind, unsigned>, double>;

/// `held` are accumulators of products, whose value is given instead of computed.
double evaluate(const Expr *e, const Leaves &leaves, const std::map<const Expr *, double> &held = {}) {
  if (auto it = held.find(e); it != held.end())
    return it->second;
  auto at = [&](unsigned i) { return evaluate(e->operands[i], leaves, held); };
  const double quarter = std::acos(0.0);
  switch (e->kind) {
  case ExprKind::Constant:
    return e->value;
  case ExprKind::Affine: {
    double sum = e->value;
    for (size_t i = 0; i < e->operands.size(); ++i)
      sum += e->coefficients[i] * at(i);
    return sum;
  }
  case ExprKind::Exp2:
    return std::exp2(at(0));
  case ExprKind::CosQ:
    return std::cos(quarter * at(0));
  case ExprKind::SinQ:
    return std::sin(quarter * at(0));
  case ExprKind::Log:
    return std::log(at(0));
  case ExprKind::Log1p:
    return std::log1p(at(0));
  case ExprKind::Mul:
    return at(0) * at(1);
  case ExprKind::Div:
    return at(0) / at(1);
  case ExprKind::Max:
    return std::fmax(at(0), at(1));
  case ExprKind::Min:
    return std::fmin(at(0), at(1));
  case ExprKind::Abs:
    return std::fabs(at(0));
  case ExprKind::Sqrt:
    return std::sqrt(at(0));
  case ExprKind::Compare:
    switch (CmpFPredicate(e->id)) {
    case CmpFPredicate::OGE:
      return at(0) >= at(1);
    case CmpFPredicate::OLE:
      return at(0) <= at(1);
    default:
      return at(0) < at(1);
    }
  case ExprKind::Select:
    return at(0) ? at(1) : at(2);
  default:
    return leaves.at({e->kind, e->id});
  }
}

struct FeatureAdjointTest : testing::Test {
  FeatureProgram p;
  const Expr *tile = p.leaf(ExprKind::Tile, 0), *column = p.leaf(ExprKind::Column, 1), *row = p.leaf(ExprKind::Row, 0),
             *product = p.leaf(ExprKind::Product, 0);
  Leaves leaves{{{ExprKind::Tile, 0}, 0.7},        {{ExprKind::Column, 1}, 1.3},    {{ExprKind::Row, 0}, 0.4},
                {{ExprKind::Product, 0}, -0.6},    {{ExprKind::Cotangent, 0}, 0.9}, {{ExprKind::Cotangent, 1}, -1.7},
                {{ExprKind::RowCotangent, 0}, 2.1}};

  FusedGroup groupOf(std::initializer_list<const Expr *> outputs) {
    FusedGroup group;
    group.width = 1;
    for (const Expr *e : outputs)
      group.outputs.push_back({0, e});
    return group;
  }

  /// The derivative by central differences; `leaf` stands at one place in the group.
  double difference(const FusedGroup &group, std::pair<ExprKind, unsigned> leaf) {
    auto value = [&](double shift) {
      Leaves moved = leaves;
      moved[leaf] += shift;
      double sum = 0;
      for (size_t o = 0; o < group.outputs.size(); ++o)
        sum += leaves[{ExprKind::Cotangent, unsigned(o)}] * evaluate(group.outputs[o].value, moved);
      return sum;
    };
    return (value(1e-6) - value(-1e-6)) / 2e-6;
  }

  void check(const FusedGroup &group) {
    GroupAdjoint adjoint = differentiateGroup(p, group);
    std::map<std::pair<ExprKind, unsigned>, double> got;
    for (auto [kind, terms] : {std::pair(ExprKind::Tile, &adjoint.tiles), std::pair(ExprKind::Row, &adjoint.rows),
                               std::pair(ExprKind::Column, &adjoint.columns)})
      for (const ArrayTerm &term : *terms)
        got[{kind, term.id}] += evaluate(term.value, leaves);
    for (std::pair<ExprKind, unsigned> leaf :
         {std::pair(ExprKind::Tile, 0u), std::pair(ExprKind::Row, 0u), std::pair(ExprKind::Column, 1u)})
      EXPECT_NEAR(got[leaf], difference(group, leaf), 1e-8) << str(group.outputs[0].value);
  }
};

TEST_F(FeatureAdjointTest, EveryOperation) {
  const Expr *x = p.affine(0.2, {{1.1, tile}, {-0.3, row}}), *y = p.affine(2, {{1, column}, {0.5, tile}});
  for (const Expr *e :
       {p.call(ExprKind::Exp2, x), p.call(ExprKind::CosQ, x), p.call(ExprKind::SinQ, x), p.call(ExprKind::Log, y),
        p.call(ExprKind::Log1p, y), p.multiply(x, y), p.call(ExprKind::Div, {x, y}), p.call(ExprKind::Max, {x, y}),
        p.call(ExprKind::Min, {x, y}), p.call(ExprKind::Max, {y, x}), p.call(ExprKind::Min, {y, x}),
        p.call(ExprKind::Abs, p.affine(-3, {{1, x}})), p.call(ExprKind::Abs, y), p.call(ExprKind::Sqrt, y)})
    check(groupOf({e}));
  const Expr *less = p.call(ExprKind::Compare, {x, y}, unsigned(CmpFPredicate::OLT));
  check(groupOf({p.call(ExprKind::Select, {less, p.multiply(x, x), y})}));
  check(groupOf({p.call(ExprKind::Select, {less, y, p.multiply(x, x)})}));
}

TEST_F(FeatureAdjointTest, SharedValuesAddUp) {
  const Expr *shared = p.call(ExprKind::Exp2, p.affine(0, {{1, tile}, {1, row}}));
  check(groupOf({p.multiply(shared, column), p.call(ExprKind::Div, {shared, p.affine(1, {{1, shared}})})}));
}

/// What an accumulator holds is a leaf, and passes its cotangent on to what it starts from.
TEST_F(FeatureAdjointTest, ProductsAndTheirStarts) {
  p.products.push_back({0, 0, 4, 1});
  p.phi = {{1, p.affine(0.3, {{1.5, product}, {-2, row}})}};
  p.logDomain = true;
  llvm::SmallVector<FusedGroup> groups = fuseSegments(p, p.phi, 64);
  ASSERT_EQ(groups.size(), 1u);
  GroupAdjoint adjoint = differentiateGroup(p, groups[0]);
  ASSERT_EQ(adjoint.products.size(), 1u);
  EXPECT_DOUBLE_EQ(groups[0].products[0].scale * evaluate(adjoint.products[0], leaves), 1.5 * 0.9);
  ASSERT_EQ(adjoint.rows.size(), 1u);
  EXPECT_DOUBLE_EQ(evaluate(adjoint.rows[0].value, leaves), -2 * 0.9);
}

TEST_F(FeatureAdjointTest, SumsOverColumns) {
  Step step{Step::Reduce, 0, {{4, p.affine(0, {{0.25, p.multiply(tile, tile)}})}}};
  ReduceAdjoint adjoint = differentiateReduction(p, step);
  ASSERT_EQ(adjoint.segments.size(), 1u);
  ASSERT_EQ(adjoint.segments[0].tiles.size(), 1u);
  EXPECT_NEAR(evaluate(adjoint.segments[0].tiles[0].value, leaves), 0.5 * 0.7 * 2.1, 1e-12);
}

TEST_F(FeatureAdjointTest, ProgramsWithoutAdjoint) {
  EXPECT_EQ(whyNoAdjoint(p), "");
  p.steps.push_back({Step::Reduce, 0, {{4, tile}}, ReductionKind::Max});
  EXPECT_EQ(whyNoAdjoint(p), "rows are reduced by a maximum or minimum");
  p.steps.back() = {Step::Reduce, 0, {{4, tile}}, ReductionKind::Min};
  EXPECT_EQ(whyNoAdjoint(p), "rows are reduced by a maximum or minimum");
  p.steps.back() = {Step::Transform, 1, {{4, tile}}};
  EXPECT_EQ(whyNoAdjoint(p), "");
  p.steps.back() = {Step::Materialize, 1, {{4, tile}}};
  EXPECT_EQ(whyNoAdjoint(p), "");
}

/// Why the one operation of its kind in `text` has no adjoint.
template <typename Op> std::string why(const std::string &text) {
  mlir::DialectRegistry registry;
  bochner::registerDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  std::string reason = "no operation";
  if (module)
    module->walk([&](Op op) { reason = whyNoAdjoint(op); });
  return reason;
}

/// Attention around a region, with further clauses, attributes and results.
std::string attention(const std::string &region, const std::string &clauses = "", const std::string &attributes = "",
                      const std::string &results = "") {
  return "func.func @f(%x: tensor<1x2x9x8xf32>, %n: tensor<3xi64>, %factor: tensor<1x2xf32>, %s: tensor<1x2x8x8xf32>, "
         "%z: tensor<1x2x8xf32>, %v: tensor<2x8xf32>, %scalar: tensor<2xf32>, %perm: tensor<1x8xi64>, "
         "%complex: tensor<1x8xcomplex<f32>>) {\n"
         "%r:" +
         std::to_string(1 + (results.empty() ? 0 : std::count(results.begin(), results.end(), '>'))) +
         " = spectral.linear_attention query(%x : tensor<1x2x9x8xf32>) key(%x : tensor<1x2x9x8xf32>) "
         "value(%x : tensor<1x2x9x8xf32>) " +
         clauses + " {" + attributes + "} features " + region + " -> tensor<1x2x9x8xf32>" + results + "\nreturn\n}";
}
std::string whyAttention(const std::string &region, const std::string &clauses = "", const std::string &attributes = "",
                         const std::string &results = "") {
  return why<spectral::LinearAttentionOp>(attention(region, clauses, attributes, results));
}

const std::string kIdentity = "(%t: tensor<?x8xf32>) { spectral.yield %t : tensor<?x8xf32> }",
                  kHadamard = "(%t: tensor<?x8xf32>) {\n%y = spectral.hadamard %t : tensor<?x8xf32> -> "
                              "tensor<?x8xf32>\nspectral.yield %y : tensor<?x8xf32>\n}",
                  kPermuted = "(%t: tensor<?x8xf32>, %p: tensor<8xi64>) {\n%y = spectral.permute %t, %p : "
                              "tensor<?x8xf32>, tensor<8xi64> -> tensor<?x8xf32>\nspectral.yield %y : "
                              "tensor<?x8xf32>\n}",
                  kMaximum = "(%t: tensor<?x8xf32>) {\n%c0 = arith.constant 0 : index\n%rows = tensor.dim %t, %c0 : "
                             "tensor<?x8xf32>\n%least = arith.constant 0xFF800000 : f32\n%e = tensor.empty(%rows) : "
                             "tensor<?xf32>\n%i = linalg.fill ins(%least : f32) outs(%e : tensor<?xf32>) -> "
                             "tensor<?xf32>\n%m = linalg.reduce { arith.maximumf } ins(%t : tensor<?x8xf32>) outs(%i : "
                             "tensor<?xf32>) dimensions = [1]\n%to = tensor.empty(%rows) : tensor<?x8xf32>\n%y = "
                             "linalg.broadcast ins(%m : tensor<?xf32>) outs(%to : tensor<?x8xf32>) dimensions = "
                             "[1]\nspectral.yield %y : tensor<?x8xf32>\n}";

TEST(AttentionAdjointTest, WhatHasOne) {
  EXPECT_EQ(whyAttention(kIdentity), "");
  EXPECT_EQ(whyAttention(kIdentity, "sequences(%n : tensor<3xi64>)"), "");
  EXPECT_EQ(whyAttention(kIdentity, "", "domain = #spectral.domain<log>, normalize = false"), "");
  EXPECT_EQ(whyAttention("(%t: tensor<?x8xf32>, %p: tensor<8xf32>) { spectral.yield %t : tensor<?x8xf32> }",
                         "parameters(%v : tensor<2x8xf32>)"),
            "");
  EXPECT_EQ(whyAttention(kIdentity, "offset(%factor : tensor<1x2xf32>)"), "");
  EXPECT_EQ(whyAttention(kHadamard), "");
  EXPECT_EQ(whyAttention(kPermuted, "parameters(%perm : tensor<1x8xi64>)"), "");
}

TEST(AttentionAdjointTest, WhatHasNone) {
  std::string state = "it takes or returns a state";
  EXPECT_EQ(whyAttention(kIdentity, "initial(%s, %z : tensor<1x2x8x8xf32>, tensor<1x2x8xf32>)"), state);
  EXPECT_EQ(whyAttention(kIdentity, "", "return_state", ", tensor<1x2x8x8xf32>, tensor<1x2x8xf32>"), state);
  EXPECT_EQ(whyAttention(kIdentity, "offset(%factor : tensor<1x2xf32>)", "form = #spectral.form<quadratic>"),
            "form<quadratic> returns no denominators");
  EXPECT_EQ(whyAttention(kIdentity, "", "denominator = #spectral.denominator<clamp>, floor = 0.1 : f64"),
            "denominators are bounded or counted");
  EXPECT_EQ(whyAttention(kMaximum), "rows are reduced by a maximum or minimum");
  EXPECT_EQ(whyAttention("(%t: tensor<?x8xf32>, %p: tensor<8xcomplex<f32>>) { spectral.yield %t : tensor<?x8xf32> }",
                         "parameters(%complex : tensor<1x8xcomplex<f32>>)"),
            "the map has parameters that are not numbers");
  EXPECT_EQ(whyAttention("(%t: tensor<?x8xf32>, %p: tensor<f32>) { spectral.yield %t : tensor<?x8xf32> }",
                         "parameters(%scalar : tensor<2xf32>)"),
            "the map has parameters that are neither vectors nor matrices");
  EXPECT_EQ(whyAttention("(%t: tensor<?x8xf32>) {\n%y = math.erf %t : tensor<?x8xf32>\nspectral.yield %y : "
                         "tensor<?x8xf32>\n}"),
            "the map does not fit a kernel");
  // The map of queries alone.
  EXPECT_EQ(whyAttention(kIdentity + " query_features " + kMaximum), "rows are reduced by a maximum or minimum");
}

TEST(AttentionAdjointTest, Gradients) {
  auto gradients = [](const std::string &region) {
    return "func.func @f(%x: tensor<1x2x9x8xf32>) {\n%g:3 = spectral.linear_attention_grad query(%x : "
           "tensor<1x2x9x8xf32>) key(%x : tensor<1x2x9x8xf32>) value(%x : tensor<1x2x9x8xf32>) output(%x : "
           "tensor<1x2x9x8xf32>) cotangent(%x : tensor<1x2x9x8xf32>) features " +
           region + " -> tensor<1x2x9x8xf32>, tensor<1x2x9x8xf32>, tensor<1x2x9x8xf32>\nreturn\n}";
  };
  EXPECT_EQ(why<spectral::LinearAttentionGradOp>(gradients(kIdentity)), "");
  EXPECT_EQ(why<spectral::LinearAttentionGradOp>(gradients(kMaximum)), "rows are reduced by a maximum or minimum");
}

} // namespace
