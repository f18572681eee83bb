//===- ReverseElementwise.cpp - derivatives of arith and math -------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// External models of ReverseDifferentiableOpInterface for elementwise operations, on scalars and tensors alike. Where
// an operation has no derivative, rules take the one from one side: the cotangent of a maximum of equal operands goes
// to the right one, so that max(x, 0) has the derivative 0 at 0 that frameworks give it. What is constant almost
// everywhere has none.
//
//===----------------------------------------------------------------------===//
#include "lib/Passes.h"
#include "lib/Transforms/ReverseMode.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

namespace {

/// The arithmetic of rules.
struct Rule {
  OpBuilder &b;
  Location loc;
  ReverseSweep &sweep;
  Value g; ///< cotangent of the result

  Value number(double value, Value like) { return constantLike(b, loc, value, like); }
  Value add(Value x, Value y) { return arith::AddFOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(b, loc, x, y); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, loc, x, y); }
  Value div(Value x, Value y) { return arith::DivFOp::create(b, loc, x, y); }
  Value neg(Value x) { return arith::NegFOp::create(b, loc, x); }
  Value scaled(double factor, Value x) { return mul(x, number(factor, x)); }
  Value compare(arith::CmpFPredicate predicate, Value x, Value y) {
    return arith::CmpFOp::create(b, loc, predicate, x, y);
  }
  Value select(Value condition, Value x, Value y) { return arith::SelectOp::create(b, loc, condition, x, y); }
  Value zero() { return number(0, g); }
  /// Adds what `build` returns to the cotangent of `v` if somebody asks for it.
  void give(Value v, function_ref<Value()> build) {
    if (sweep.isActive(v))
      sweep.add(b, v, build());
  }
  /// The same with the derivative as a factor.
  void chain(Value v, function_ref<Value()> derivative) {
    give(v, [&] { return mul(g, derivative()); });
  }
  /// To the operand that `first` chooses.
  void choose(Value condition, Value x, Value y) {
    give(x, [&] { return select(condition, g, zero()); });
    give(y, [&] { return select(condition, zero(), g); });
  }
};

//===----------------------------------------------------------------------===//
// arith
//===----------------------------------------------------------------------===//

void adjoint(Rule &r, arith::AddFOp op) {
  r.give(op.getLhs(), [&] { return r.g; });
  r.give(op.getRhs(), [&] { return r.g; });
}

void adjoint(Rule &r, arith::SubFOp op) {
  r.give(op.getLhs(), [&] { return r.g; });
  r.give(op.getRhs(), [&] { return r.neg(r.g); });
}

void adjoint(Rule &r, arith::MulFOp op) {
  r.chain(op.getLhs(), [&] { return op.getRhs(); });
  r.chain(op.getRhs(), [&] { return op.getLhs(); });
}

void adjoint(Rule &r, arith::DivFOp op) {
  r.give(op.getLhs(), [&] { return r.div(r.g, op.getRhs()); });
  r.give(op.getRhs(), [&] { return r.neg(r.mul(r.div(r.g, op.getRhs()), op.getResult())); });
}

void adjoint(Rule &r, arith::NegFOp op) {
  r.give(op.getOperand(), [&] { return r.neg(r.g); });
}

template <typename Op> void chooseBy(Rule &r, Op op, arith::CmpFPredicate predicate) {
  r.choose(r.compare(predicate, op.getLhs(), op.getRhs()), op.getLhs(), op.getRhs());
}

void adjoint(Rule &r, arith::MaximumFOp op) { chooseBy(r, op, arith::CmpFPredicate::OGT); }
void adjoint(Rule &r, arith::MaxNumFOp op) { chooseBy(r, op, arith::CmpFPredicate::OGT); }
void adjoint(Rule &r, arith::MinimumFOp op) { chooseBy(r, op, arith::CmpFPredicate::OLT); }
void adjoint(Rule &r, arith::MinNumFOp op) { chooseBy(r, op, arith::CmpFPredicate::OLT); }

void adjoint(Rule &r, arith::SelectOp op) { r.choose(op.getCondition(), op.getTrueValue(), op.getFalseValue()); }

void adjoint(Rule &r, arith::ExtFOp op) {
  r.give(op.getIn(), [&] { return arith::TruncFOp::create(r.b, r.loc, op.getIn().getType(), r.g); });
}

void adjoint(Rule &r, arith::TruncFOp op) {
  r.give(op.getIn(), [&] { return arith::ExtFOp::create(r.b, r.loc, op.getIn().getType(), r.g); });
}

//===----------------------------------------------------------------------===//
// math
//===----------------------------------------------------------------------===//

void adjoint(Rule &r, math::ExpOp op) {
  r.chain(op.getOperand(), [&] { return op.getResult(); });
}

void adjoint(Rule &r, math::Exp2Op op) {
  r.chain(op.getOperand(), [&] { return r.scaled(llvm::numbers::ln2, op.getResult()); });
}

void adjoint(Rule &r, math::ExpM1Op op) {
  r.chain(op.getOperand(), [&] { return r.add(op.getResult(), r.number(1, op.getResult())); });
}

void adjoint(Rule &r, math::LogOp op) {
  r.give(op.getOperand(), [&] { return r.div(r.g, op.getOperand()); });
}

void adjoint(Rule &r, math::Log2Op op) {
  r.give(op.getOperand(), [&] { return r.scaled(llvm::numbers::log2e, r.div(r.g, op.getOperand())); });
}

void adjoint(Rule &r, math::Log1pOp op) {
  r.give(op.getOperand(), [&] { return r.div(r.g, r.add(op.getOperand(), r.number(1, op.getOperand()))); });
}

void adjoint(Rule &r, math::SqrtOp op) {
  r.give(op.getOperand(), [&] { return r.div(r.scaled(0.5, r.g), op.getResult()); });
}

void adjoint(Rule &r, math::RsqrtOp op) {
  r.chain(op.getOperand(), [&] { return r.scaled(-0.5, r.div(op.getResult(), op.getOperand())); });
}

void adjoint(Rule &r, math::SinOp op) {
  r.chain(op.getOperand(), [&] { return math::CosOp::create(r.b, r.loc, op.getOperand()); });
}

void adjoint(Rule &r, math::CosOp op) {
  r.chain(op.getOperand(), [&] { return r.neg(math::SinOp::create(r.b, r.loc, op.getOperand())); });
}

void adjoint(Rule &r, math::TanhOp op) {
  r.chain(op.getOperand(), [&] { return r.sub(r.number(1, op.getResult()), r.mul(op.getResult(), op.getResult())); });
}

void adjoint(Rule &r, math::AtanOp op) {
  Value x = op.getOperand();
  r.give(x, [&] { return r.div(r.g, r.add(r.number(1, x), r.mul(x, x))); });
}

void adjoint(Rule &r, math::ErfOp op) {
  Value x = op.getOperand();
  r.chain(x,
          [&] { return r.scaled(2 * llvm::numbers::inv_sqrtpi, math::ExpOp::create(r.b, r.loc, r.neg(r.mul(x, x)))); });
}

void adjoint(Rule &r, math::AbsFOp op) {
  Value x = op.getOperand();
  r.give(x, [&] { return r.select(r.compare(arith::CmpFPredicate::OLT, x, r.number(0, x)), r.neg(r.g), r.g); });
}

void adjoint(Rule &r, math::PowFOp op) {
  Value x = op.getLhs(), p = op.getRhs();
  auto unlessZero = [&](Value v, Value derivative) { // where the formula is 0 times infinity
    return r.select(r.compare(arith::CmpFPredicate::OEQ, v, r.number(0, v)), r.number(0, derivative), derivative);
  };
  r.chain(x, [&] { return unlessZero(p, r.mul(p, math::PowFOp::create(r.b, r.loc, x, r.sub(p, r.number(1, p))))); });
  r.chain(p, [&] { return unlessZero(x, r.mul(op.getResult(), math::LogOp::create(r.b, r.loc, x))); });
}

void adjoint(Rule &r, math::FmaOp op) {
  r.chain(op.getA(), [&] { return op.getB(); });
  r.chain(op.getB(), [&] { return op.getA(); });
  r.give(op.getC(), [&] { return r.g; });
}

// Constant almost everywhere.
void adjoint(Rule &, math::FloorOp) {}
void adjoint(Rule &, math::CeilOp) {}
void adjoint(Rule &, math::RoundOp) {}
void adjoint(Rule &, math::RoundEvenOp) {}
void adjoint(Rule &, math::TruncOp) {}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

template <typename Op> struct Model : ReverseDifferentiableOpInterface::ExternalModel<Model<Op>, Op> {
  LogicalResult buildAdjoint(Operation *op, OpBuilder &b, ReverseSweep &sweep) const {
    Rule rule{b, op->getLoc(), sweep, sweep.cotangentOf(op->getResult(0))};
    adjoint(rule, cast<Op>(op));
    return success();
  }
};

template <typename... Ops> void attach(MLIRContext *context) {
  (Ops::template attachInterface<Model<Ops>>(*context), ...);
}

} // namespace

void bochner::registerReverseElementwiseModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, arith::ArithDialect *) {
    attach<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp, arith::NegFOp, arith::MaximumFOp,
           arith::MaxNumFOp, arith::MinimumFOp, arith::MinNumFOp, arith::SelectOp, arith::ExtFOp, arith::TruncFOp>(
        context);
  });
  registry.addExtension(+[](MLIRContext *context, math::MathDialect *) {
    attach<math::ExpOp, math::Exp2Op, math::ExpM1Op, math::LogOp, math::Log2Op, math::Log1pOp, math::SqrtOp,
           math::RsqrtOp, math::SinOp, math::CosOp, math::TanhOp, math::AtanOp, math::ErfOp, math::AbsFOp, math::PowFOp,
           math::FmaOp, math::FloorOp, math::CeilOp, math::RoundOp, math::RoundEvenOp, math::TruncOp>(context);
  });
}
