"""Shows how IR changed from one dump to the next, and only where it did.

    ir-diff.py DIR           the files of a --dump-dir or of --mlir-print-ir-tree-dir, in order
    ir-diff.py LOG           output of --mlir-print-ir-after-all (or -after-change)
    ir-diff.py A.mlir B.mlir two files

SSA names are renumbered by every pass; --ignore-names compares lines without them.
"""
import argparse
import difflib
import os
import re
import sys

HEADER = re.compile(r"^// -----// IR Dump (?:Before|After) (.*?) //----- //$", re.M)
NAME = re.compile(r"%[\w$.#-]+")


def natural(text):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def snapshots(inputs):
    """(title, text) in the order in which the IR came about."""
    if len(inputs) > 1:
        return [(path, read(path)) for path in inputs]
    if os.path.isdir(inputs[0]):
        paths = [
            os.path.join(folder, name)
            for folder, _, names in os.walk(inputs[0])
            for name in names
            if name.endswith((".mlir", ".ll", ".ptx", ".s"))
        ]
        # A tree of passes numbers its files from 0 in each folder; the number is the order.
        paths.sort(key=lambda p: (natural(os.path.dirname(p)), natural(os.path.basename(p))))
        return [(os.path.relpath(path, inputs[0]), read(path)) for path in paths]
    pieces = HEADER.split(read(inputs[0]))
    return list(zip(pieces[1::2], pieces[2::2])) or sys.exit(f"ir-diff: {inputs[0]} holds no dump of IR")


def show(mark, lines):
    for line in lines:
        print(f"{mark} {line}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="+", metavar="DIR|LOG|FILE")
    parser.add_argument("--ignore-names", action="store_true", help="SSA names do not count as a change")
    parser.add_argument("--context", type=int, default=3, help="unchanged lines around a change (default: 3)")
    options = parser.parse_args()
    for path in options.inputs:
        if not os.path.exists(path):
            parser.error(f"'{path}' does not exist")

    key = (lambda line: NAME.sub("%", line)) if options.ignore_names else (lambda line: line)
    steps = snapshots(options.inputs)
    for (_, old), (title, new) in zip(steps, steps[1:]):
        old_lines, new_lines = old.strip().splitlines(), new.strip().splitlines()
        keys = [[key(line) for line in lines] for lines in (old_lines, new_lines)]
        matcher = difflib.SequenceMatcher(None, *keys, autojunk=False)
        groups = list(matcher.get_grouped_opcodes(options.context))
        print(f"== {title}" + ("" if groups else ": no change"))
        for group in groups:
            print(f"@@ {group[0][3] + 1} @@")
            for tag, i1, i2, j1, j2 in group:
                if tag == "equal":
                    show(" ", new_lines[j1:j2])
                else:
                    show("-", old_lines[i1:i2])
                    show("+", new_lines[j1:j2])


if __name__ == "__main__":
    main()
