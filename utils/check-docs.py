"""Checks the documentation: complete, in one order, and true.

- Every op has the sections of its description in the order below, and a sentence for each operand and result.
- Every pass has a summary, a description with an example, and a sentence for each option.
- Every ```mlir block in .td files and pages parses (parts between lines `==>` one by one).
- Every ```console block of a page is executed: `$ command` must succeed and print the lines below it, in order; a line
  `...` stands for any others. Blocks of one page share a folder; the tools and this Python (as python3, with NumPy) are
  on PATH, $BOCHNER is the tree.
- Every `make TARGET` in a ```sh block exists.
- Links between pages lead somewhere.
- docs/generated is what the TableGen files say.
"""
import importlib
import os
import re
import subprocess
import sys
import tempfile

import house
import llvmtools

SECTIONS = ["Formula:", "Numerics:", "Constraints:", "Dynamic dimensions:", "Example:", "Lowering:"]
FENCE = re.compile(r"^([ \t]*)```(\w+)[ \t]*\n(.*?)^[ \t]*```[ \t]*$", re.M | re.S)
OPS = "dialect/SpectralOps.td"
PASSES = "lib/Passes.td"


def dedent(text, indent):
    return "\n".join(line[len(indent) :] if line.startswith(indent) else line for line in text.split("\n"))


def first_sentence(description):
    paragraph = description.strip().split("\n\n")[0].strip()
    return paragraph if paragraph.endswith((".", ":")) else None


class DocsCheck:
    def __init__(self, root, bin_dir):
        self.root, self.bin = root, bin_dir
        self.report = house.Report("check-docs")

    # ODS -----------------------------------------------------------------------------------------------------------

    def place(self, record):
        """The file of a record; the line is the one of its definition."""
        where = (record.get("!locs") or ["?:0"])[-1]
        file, _, line = where.rpartition(":")
        return next((p for p in self.td_files if p.endswith("/" + os.path.basename(file))), file), int(line or 0)

    def check_op(self, records, record):
        path, line = self.place(record)
        name = f"{record['opDialect']['def'].split('_')[0].lower()}.{record['opName']}"
        if not record["summary"].strip():
            self.report.add(path, line, f"{name} has no summary")
        description = record["description"]
        if not first_sentence(description):
            self.report.add(path, line, f"the description of {name} must begin with a sentence")
        position = 0
        for section in SECTIONS:
            match = re.search(r"^[ \t]*" + section, description, re.M)
            if not match:
                self.report.add(path, line, f"the description of {name} lacks '{section}'")
            elif match.start() < position:
                self.report.add(path, line, f"'{section}' of {name} is out of order; it is {', '.join(SECTIONS)}")
            else:
                position = match.start()
        if "Constraints:" in description and not re.search(r"^[ \t]*- C1: ", description, re.M):
            self.report.add(path, line, f"the constraints of {name} must be a list '- C1: ...'")
        for group in ("arguments", "results"):
            for argument, argument_name in record[group]["args"]:
                variable = records[argument["def"]]
                constraint = variable
                if "OpVariable" in variable["!superclasses"]:
                    constraint = records[variable["constraint"]["def"]]
                    if variable["summary"].strip():
                        continue
                if "TypeConstraint" in constraint["!superclasses"]:
                    self.report.add(path, line, f"'{argument_name}' of {name} has no sentence that says what it is")

    def check_pass(self, records, record):
        path, line = self.place(record)
        name = record["argument"]
        if not record["summary"].strip():
            self.report.add(path, line, f"{name} has no summary")
        if not first_sentence(record["description"]):
            self.report.add(path, line, f"the description of {name} must begin with a sentence")
        if "```mlir" not in record["description"]:
            self.report.add(path, line, f"the description of {name} has no example (```mlir)")
        for option in record["options"]:
            fields = records[option["def"]]
            if not fields["description"].strip():
                self.report.add(path, line, f"option '{fields['argument']}' of {name} has no description")

    def check_tablegen(self):
        self.td_files = house.project_files(self.root, ".td", under=("dialect", "lib"))
        for td, base, check in ((OPS, "Op", self.check_op), (PASSES, "PassBase", self.check_pass)):
            if not os.path.exists(os.path.join(self.root, td)):
                continue
            try:
                records = llvmtools.records(self.root, td)
            except RuntimeError as error:
                self.report.add(td, 0, f"TableGen fails: {error}")
                continue
            ours = set(os.path.basename(p) for p in self.td_files)
            for name in records["!instanceof"].get(base, []):
                if os.path.basename((records[name].get("!locs") or ["?:0"])[-1].rpartition(":")[0]) in ours:
                    check(records, records[name])

    def check_generated(self):
        gen_docs = importlib.import_module("gen-docs")
        try:
            for path, text in gen_docs.pages(self.root):
                if not os.path.exists(os.path.join(self.root, path)) or house.read(self.root, path) != text:
                    self.report.add(path, 0, "not what the TableGen files say; run 'make docs'")
        except RuntimeError as error:
            self.report.add("docs/generated", 0, f"TableGen fails: {error}")

    # Blocks --------------------------------------------------------------------------------------------------------

    def check_mlir(self, path, line, block):
        for part in re.split(r"^[ \t]*==>[ \t]*$", block, flags=re.M):
            command = [os.path.join(self.bin, "bochner-opt"), "-", "-o", os.devnull]
            run = subprocess.run(command, input=part, capture_output=True, text=True)
            if run.returncode:
                message = next((m for m in run.stderr.splitlines() if "error:" in m), run.stderr.strip()[:200])
                at = re.match(r"[^:]*:(\d+):", message)
                self.report.add(path, line + (int(at[1]) if at else 0), f"the example does not parse: {message}")

    def check_console(self, path, line, block, folder):
        command, expected, steps = None, [], []
        for text in block.rstrip("\n").split("\n"):
            if text.startswith("$ "):
                command, expected = text[2:], []
                steps.append((command, expected))
            elif command is not None and command.endswith("\\"):
                command += "\n" + text
                steps[-1] = (command, expected)
            else:
                expected.append(text)
        path = os.pathsep.join([self.bin, os.path.dirname(sys.executable), os.environ["PATH"]])
        environment = dict(os.environ, BOCHNER=self.root, PATH=path)
        environment["BOCHNER_CACHE_DIR"] = os.path.join(folder, "cache")
        for command, expected in steps:
            run = subprocess.run(
                ["bash", "-c", "set -o pipefail; " + command],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            if run.returncode:
                output = run.stdout.strip()[-400:]
                self.report.add(path, line, f"'{command}' failed with status {run.returncode}: {output}")
                return
            output = run.stdout
            for want in expected:
                if want.strip() in ("", "..."):
                    continue
                at = output.find(want.strip())
                if at < 0:
                    self.report.add(path, line, f"'{command}' does not print '{want.strip()}'")
                    return
                output = output[at + len(want.strip()) :]

    def check_shell(self, path, line, block):
        makefile = house.read(self.root, "Makefile")
        for target in re.findall(r"^\s*make\s+([a-z][\w-]*)", block, re.M):
            if not re.search(r"^" + re.escape(target) + r":", makefile, re.M):
                self.report.add(path, line, f"'make {target}' is not a target of the Makefile")
        for script in re.findall(r"(?<![\w/.])(utils/[\w.-]+)", block):
            if not os.path.exists(os.path.join(self.root, script)):
                self.report.add(path, line, f"'{script}' does not exist")

    def check_links(self):
        for path in house.project_files(self.root, ".md"):
            text = FENCE.sub("", house.read(self.root, path))
            for match in re.finditer(r"\]\(([^)#\s:]+)(?:#[^)]*)?\)", text):
                target = os.path.normpath(os.path.join(os.path.dirname(path), match[1]))
                if not os.path.exists(os.path.join(self.root, target)):
                    self.report.add(path, 0, f"links to '{target}', which does not exist")

    def check_blocks(self):
        sources = house.project_files(self.root, ".td", under=("dialect", "lib"))
        sources += [p for p in house.project_files(self.root, ".md") if not p.startswith("docs/generated/")]
        for path in sources:
            text = house.read(self.root, path)
            with tempfile.TemporaryDirectory() as folder:
                for match in FENCE.finditer(text):
                    line, block = house.line_of(text, match.start()), dedent(match[3], match[1])
                    if match[2] == "mlir":
                        self.check_mlir(path, line, block)
                    elif match[2] == "console":
                        self.check_console(path, line, block, folder)
                    elif match[2] == "sh":
                        self.check_shell(path, line, block)


def main():
    parser = house.parser(__doc__)
    parser.add_argument("--bin", help="folder with bochner-opt (default: build/release/bin)")
    options = parser.parse_args()
    check = DocsCheck(options.root, os.path.abspath(options.bin or os.path.join(options.root, "build/release/bin")))
    check.check_tablegen()
    check.check_generated()
    check.check_links()
    built = os.path.exists(os.path.join(check.bin, "bochner-opt"))
    if built:
        check.check_blocks()
    if not built and not check.report.findings:
        where = os.path.relpath(check.bin, options.root)
        house.skip(f"the examples were not parsed: there is no bochner-opt in {where}")
    check.report.finish()


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    main()
