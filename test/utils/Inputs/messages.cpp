//===- messages.cpp - input of check-messages.test -----------------------===//
// Not compiled: good and bad diagnostics.
//===----------------------------------------------------------------------===//
void bad() {
  op.emitOpError() << "expected 'key' dimension " << d << ", but got " << name("Foo") << ".";
  emitError(loc) << "Wrong rank";
  (void)rewriter.notifyMatchFailure(op, "Expected a thing");
  emitRemark(loc) << "not fused: 'spectral.trig'\n";
  emitError(loc, "in "
                 "two pieces.");
}
void good() {
  emitError(loc, "MLIR starts with a name: ") << str("Of a call.");
  op.emitOpError("expected ") << "a list '...'";
  // emitError(loc) << "In a comment.";
  return emitError() << "'lengths' must be in [0, S], but got " << n;
}
