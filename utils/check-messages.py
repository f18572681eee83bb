"""Checks the style of diagnostics: they start in lower case and end without a period or a line break.

Looks at the literals handed to emitError and its relatives in the compiler, and to the makers of status objects in the
runtime. A message that starts with a name is fine (`MLIR`, `q`, `NaN`): only a capitalized plain word is not.
"""
import re

import cxxtext
import house

CALL = re.compile(
    r"\b(emitOpError|emitError|emitWarning|emitRemark|emitOptionalError|attachNote|notifyMatchFailure|"
    r"createStringError|invalidArgument|invalidModule|internalError|userError|concat|fail|warn)\s*\("
)
CAPITALIZED = re.compile(r"[A-Z][a-z]+\b")
# Words that keep their capital anywhere in a sentence.
NAMES = {"Bochner", "Debian", "Gaussian", "Hadamard", "Philox"}


def problems(pieces):
    literals = [p for p in pieces if p is not None]
    if not literals:
        return
    first = pieces[0] if pieces[0] is not None else None
    if first is None and len(pieces) > 1:
        # emitError(loc) << "..." and fail(loc, "..."): the operand in front is the location.
        first = pieces[1]
    word = CAPITALIZED.match(first or "")
    if word and word[0] not in NAMES:
        yield f"starts with a capital: \"{first[:60]}\""
    last = pieces[-1]
    if last and last.endswith("\\n"):
        yield f"ends in a line break: \"...{last[-40:]}\""
    elif last and last.endswith(".") and not last.endswith("..."):
        yield f"ends in a period: \"...{last[-40:]}\""


def main():
    options = house.parser(__doc__).parse_args()
    report = house.Report("check-messages")
    for path in house.project_files(options.root, ".cpp", ".h", ".c", under=house.CODE_FOLDERS):
        text = cxxtext.without_comments(house.read(options.root, path))
        for match in CALL.finditer(text):
            for problem in problems(cxxtext.statement_pieces(text, match.end() - 1)):
                report.add(path, house.line_of(text, match.start()), f"the message {problem}")
    report.finish("diagnostics start in lower case and end without a period")


if __name__ == "__main__":
    main()
