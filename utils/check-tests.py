"""Checks that what can go wrong has a test: a test beside each pass, a test of each message of the verifiers.

- lib/Transforms/FuseFeatureMap.cpp, if it defines a pass, has test/Transforms/fuse-feature-map.mlir (or .test).
- Every message that an op's verifier or parser in dialect/ can print stands in a test as expected-error or CHECK.
"""
import os
import re

import cxxtext
import house

PASS_FOLDERS = ("lib/Transforms", "lib/Conversion", "lib/Target")
VERIFIER_CALL = re.compile(r"\b(emitOpError|emitError|emitOptionalError)\s*\(")
EXPECTATION = re.compile(r"expected-(?:error|warning|remark|note)(?:-re)?[^{\n]*\{\{(.*?)\}\}|CHECK[\w-]*:(.*)", re.S)


def kebab(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


def check_passes(root, report):
    files = house.project_files(root, ".mlir", ".test", under=("test",))
    tests = {os.path.splitext(os.path.basename(p))[0] for p in files}
    for path in house.project_files(root, ".cpp", under=PASS_FOLDERS):
        if "GEN_PASS_DEF_" not in house.read(root, path):
            continue
        stem = kebab(os.path.splitext(os.path.basename(path))[0])
        if stem not in tests:
            folder = path.split("/")[1]
            report.add(path, 0, f"no test of the same stem; add test/{folder}/{stem}.mlir")


def mark_of(text, call):
    """The longest literal part of a message, by which a test is recognized; None if it has no telling one."""
    literals = [p.replace("\\n", "\n").replace('\\"', '"').strip() for p in cxxtext.statement_pieces(text, call) if p]
    mark = max(literals, key=len, default="")
    return mark if len(mark) >= 8 else None


def check_messages(root, report):
    expected = []
    for path in house.project_files(root, ".mlir", ".test", under=("test",)):
        text = house.read(root, path)
        expected += [m[1] or m[2] for m in EXPECTATION.finditer(text)]
    # FileCheck and expected-error escape quotes and brackets; compare without them and without white space.
    squeeze = lambda s: re.sub(r"[\s\\]|\{\{.*?\}\}", "", s)
    haystack = squeeze("\n".join(expected))
    for path in house.project_files(root, ".cpp", under=("dialect",)):
        text = cxxtext.without_comments(house.read(root, path))
        for match in VERIFIER_CALL.finditer(text):
            mark = mark_of(text, match.end() - 1)
            if mark and squeeze(mark) not in haystack:
                report.add(path, house.line_of(text, match.start()), f"no test expects the message \"...{mark}...\"")


def main():
    options = house.parser(__doc__).parse_args()
    report = house.Report("check-tests")
    check_passes(options.root, report)
    check_messages(options.root, report)
    report.finish()


if __name__ == "__main__":
    main()
