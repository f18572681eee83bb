"""Scaffolds a pass: its entry in lib/Passes.td, its source and a test that runs and fails until it is written.

    new-pass.py fuse-widgets                      a pass on tensors, lib/Transforms/FuseWidgets.cpp
    new-pass.py widgets-to-scf --folder Conversion  a lowering, lib/Conversion/WidgetsToScf.cpp
"""
import argparse
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

ENTRY = '''def {cls}Pass : Pass<"{flag}"> {{
  let summary = "One line: what changes";
  let description = [{{
    One sentence in the present tense. Then: what must hold before, what holds after, and what is refused with which
    remark or error.

    Example:
    ```mlir
    func.func @before(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {{
      return %x : tensor<?x64xf32>
    }}
    ==>
    func.func @after(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {{
      return %x : tensor<?x64xf32>
    }}
    ```
  }}];
}}

'''

SOURCE = '''{header}
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Purpose. Input: the form of the IR before. Output: the form after. Algorithm: paper and equation.
//
//===----------------------------------------------------------------------===//
#include "lib/Passes.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace bochner {{
#define GEN_PASS_DEF_{upper}PASS
#include "lib/Passes.h.inc"
}} // namespace bochner

using namespace mlir;
using namespace bochner;

#define DEBUG_TYPE "{flag}"

namespace {{

/// spectral.hadamard(x) -> ... when ...: say what becomes what, and when that is legal.
struct {cls} : OpRewritePattern<spectral::HadamardOp> {{
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(spectral::HadamardOp op, PatternRewriter &rewriter) const override {{
    return rewriter.notifyMatchFailure(op, "expected a pattern that is written");
  }}
}};

struct {cls}Pass : bochner::impl::{cls}PassBase<{cls}Pass> {{
  void runOnOperation() override {{
    RewritePatternSet patterns(&getContext());
    patterns.add<{cls}>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }}
}};

}} // namespace
'''

TEST = '''// RUN: bochner-opt %s -split-input-file -{flag} | FileCheck %s

// What changes, with dynamic dimensions.
// CHECK-LABEL: func @changes
// CHECK-SAME: (%[[ROWS:.+]]: tensor<?x64xf32>)
func.func @changes(%rows: tensor<?x64xf32>) -> tensor<?x64xf32> {{
  // CHECK-NOT: spectral.hadamard
  %0 = spectral.hadamard %rows : tensor<?x64xf32> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}}

// -----

// What must stay as it is, and why.
// CHECK-LABEL: func @stays
func.func @stays(%rows: tensor<?x64xf32>) -> tensor<?x64xf32> {{
  return %rows : tensor<?x64xf32>
}}
'''


def write(root, path, text):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as f:
        f.write(text)
    print(f"== write {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="kebab-case, a verb and its object; the flag is spectral-NAME")
    parser.add_argument("--folder", choices=["Transforms", "Conversion"], default="Transforms")
    parser.add_argument("--root", default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args()

    stem = options.name[len("spectral-") :] if options.name.startswith("spectral-") else options.name
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", stem) or stem.endswith("-pass"):
        parser.error(f"'{options.name}' must be a verb and its object in kebab-case, such as fuse-feature-map")
    cls = "".join(part.capitalize() for part in stem.split("-"))
    source = f"lib/{options.folder}/{cls}.cpp"
    test = f"test/{options.folder}/{stem}.mlir"
    for path in (source, test):
        if os.path.exists(os.path.join(options.root, path)):
            parser.error(f"{path} exists already")

    td = os.path.join(options.root, "lib/Passes.td")
    with open(td, encoding="utf-8") as f:
        passes = f.read()
    if f'"spectral-{stem}"' in passes:
        parser.error(f"lib/Passes.td has spectral-{stem} already")
    head, marker, tail = passes.rpartition("#endif")
    if not marker:
        sys.exit("new-pass: lib/Passes.td has no '#endif' to insert the entry before")

    names = {"cls": cls, "flag": f"spectral-{stem}", "upper": cls.upper()}
    title = f"//===- {cls}.cpp - one line about it "
    names["header"] = title + "-" * (75 - len(title)) + "===//"
    write(options.root, source, SOURCE.format(**names))
    write(options.root, test, TEST.format(**names))
    with open(td, "w", encoding="utf-8") as f:
        f.write(head + ENTRY.format(**names) + marker + tail)
    print("== add the entry at the end of lib/Passes.td; move it to its phase")
    print(f"next: make test FILTER={stem}")


if __name__ == "__main__":
    main()
