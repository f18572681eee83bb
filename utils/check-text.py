"""Checks text hygiene: white space, line length, absolute paths of a machine, markers of unfinished work."""
import re

import house

SUFFIXES = (".cpp", ".h", ".c", ".td", ".py", ".md", ".mlir", ".test", ".sh", ".txt", ".cmake", ".in", ".json", ".yaml")
LENGTH_CHECKED = (".cpp", ".h", ".c", ".td", ".py", ".sh", ".cmake", "CMakeLists.txt")
MAX_LENGTH = 120

# /usr, /etc, /proc and /dev are the same everywhere; a home or a scratch folder is not, but for invented users. The
# pattern is assembled so that this file does not match itself.
MACHINE_PATH = re.compile(
    r"(?<![\w./%}-])/(?:" + "|".join(["work", "home(?!/(?:me|user)\\b)", "root", "farm", "tmp", "Users"]) + r")/\w"
)
MARKER = re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")


def main():
    options = house.parser(__doc__).parse_args()
    report = house.Report("check-text")
    for path in house.project_files(options.root):
        if not path.endswith(SUFFIXES) and "/" in path and "." in path.rsplit("/", 1)[1]:
            continue
        if path.startswith(("test/golden/public/", "docs/generated/")) or path == "LICENSE":
            continue
        text = house.read(options.root, path)
        if "\0" in text:
            continue
        if text and not text.endswith("\n"):
            report.add(path, text.count("\n") + 1, "no newline at the end of the file")
        for number, line in enumerate(text.split("\n"), 1):
            if line.endswith("\r"):
                report.add(path, number, "line ends in a carriage return")
            elif line != line.rstrip():
                report.add(path, number, "white space at the end of the line")
            if "\t" in line and not path.endswith(("Makefile", ".npz")):
                report.add(path, number, "tab; use spaces")
            if path.endswith(LENGTH_CHECKED) and len(line) > MAX_LENGTH:
                report.add(path, number, f"line of {len(line)} columns; {MAX_LENGTH} at most")
            if MACHINE_PATH.search(line):
                report.add(path, number, "absolute path of a machine; use a relative path, a variable or %t")
            if MARKER.search(line):
                report.add(path, number, "marker of unfinished work; do it, or file an issue and say nothing here")
    report.finish()


if __name__ == "__main__":
    main()
