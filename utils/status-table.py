"""Writes the table of README.md that says what works, from runs: each cell is what `bochner-run --check` says.

A row is an option, tried with each of its feature maps on small shapes, in each direction and element type. A type
stands in a cell if all results of all maps agree with the route `decompose` in f64. It does not if bochner-gen or the
compiler refuses a graph; the table then has the diagnostic as a note. A result that differs is an error, not a cell.

Without options every cell is run and compared with README.md: exit status 1 if the page says something else. --update
writes the page. --part K runs one cell in twelve, another one of each row for each K, and compares these.
"""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import tempfile

import house
import measure

BEGIN, END = "<!-- status: begin -->", "<!-- status: end -->"
DTYPES = ("f64", "f32", "bf16", "f16")
DIRECTIONS = ("none", "causal", "anticausal")
PARTS = len(DTYPES) * len(DIRECTIONS)

POSITIVE, TRIGONOMETRIC = ["--map", "gmm_prf", "--features", "16"], ["--map", "rff", "--features", "17"]
BOTH = (POSITIVE, TRIGONOMETRIC)
GENERATOR = ["--map", "generator_rks", "--features", "17", "--noise-dims", "8,16"]
KV_HEADS, FLOOR, WEIGHTS = ["--kv-heads", "2"], ["--floor", "20"], ["--weights", "0.7,0.3"]
# Graphs that go on from a state are causal when bochner-gen prints them; the direction is put in afterwards.
STATE = ["--decode", "--form", "chunked"]
MAPS = "maps"  # stands for every map that bochner-gen lists

# What stands in the table, the graphs' first options, their further options, options of bochner-run.
ROWS = [
    ("linear attention, positive and trigonometric maps", BOTH, [], []),
    ("each map of `bochner-gen --help` but alacarte", MAPS, [], []),
    ("`--cpu x86-64-v3`: AVX2", BOTH, [], ["--cpu", "x86-64-v3"]),
    ("`--cpu x86-64`: baseline", BOTH, [], ["--cpu", "x86-64"]),
    ("`--lengths`: number of keys of each batch entry", BOTH, ["--lengths"], []),
    ("`--mask`: of keys", BOTH, ["--mask"], []),
    ("`--packed`: sequences one behind another", BOTH, ["--packed"], []),
    ("`--kv-heads`: query heads share keys and values", BOTH, KV_HEADS, []),
    ("`--lengths --mask --kv-heads`", BOTH, ["--lengths", "--mask", *KV_HEADS], []),
    ("`--packed --mask --kv-heads`", BOTH, ["--packed", "--mask", *KV_HEADS], []),
    ("state in and out", BOTH, STATE, []),
    ("state in and out, `--lengths --mask --kv-heads`", BOTH, [*STATE, "--lengths", "--mask", *KV_HEADS], []),
    ("`--decode`: one token from a state", BOTH, ["--decode"], []),
    ("`--decode --kv-heads`", BOTH, ["--decode", *KV_HEADS], []),
    ("`--decode --state-dtype bf16`", BOTH, ["--decode", "--state-dtype", "bf16"], []),
    ("`--no-normalize`", BOTH, ["--no-normalize"], []),
    ("`--denominator clamp`", (TRIGONOMETRIC,), ["--denominator", "clamp", *FLOOR], []),
    ("`--denominator count`", (TRIGONOMETRIC,), ["--denominator", "count", *FLOOR], []),
    ("`--form quadratic`", BOTH, ["--form", "quadratic"], []),
    ("`--form quadratic --lengths --mask --kv-heads`", BOTH,
     ["--form", "quadratic", "--lengths", "--mask", *KV_HEADS], []),
    ("`--form quadratic --packed`", BOTH, ["--form", "quadratic", "--packed"], []),
    ("`--form chunked`", BOTH, ["--form", "chunked"], []),
    ("`--form recurrent`", BOTH, ["--form", "recurrent"], []),
    ("`--stabilize`", (POSITIVE,), ["--stabilize"], []),
    ("`--sample --orthogonal`: draws in the graph", BOTH, ["--sample", "--orthogonal"], []),
    ("`--combine sum`", ([*POSITIVE, "--map", "favor"],), ["--combine", "sum", *WEIGHTS], []),
    ("`--combine product`", (["--map", "favor", "--features", "4", "--map", "elu"],), ["--combine", "product"], []),
    ("`--prepare`: parameters once", (GENERATOR,), ["--prepare"], []),
    ("`--attention mixture`, alacarte", (["--map", "alacarte", "--features", "9", "--components", "3"],),
     ["--attention", "mixture"], []),
    ("`--attention generalized`", ([*POSITIVE, "--map", "elu"],), ["--attention", "generalized"], []),
    ("`--attention softmax`", ([],), ["--attention", "softmax"], []),
    ("softmax, `--lengths --mask --kv-heads`", ([],),
     ["--attention", "softmax", "--lengths", "--mask", *KV_HEADS], []),
    ("softmax, `--packed --kv-heads`", ([],), ["--attention", "softmax", "--packed", *KV_HEADS], []),
    ("`--attention gaussian_kernel`", ([],), ["--attention", "gaussian_kernel"], []),
    ("Gaussian kernel, `--lengths --mask --kv-heads`", ([],),
     ["--attention", "gaussian_kernel", "--lengths", "--mask", *KV_HEADS], []),
    ("Gaussian kernel, `--packed --kv-heads`", ([],),
     ["--attention", "gaussian_kernel", "--packed", *KV_HEADS], []),
    ("`--grad`: gradients", BOTH, ["--grad"], []),
    ("`--grad --lengths --mask --kv-heads`", BOTH, ["--grad", "--lengths", "--mask", *KV_HEADS], []),
    ("`--grad --packed`", BOTH, ["--grad", "--packed"], []),
    ("`--grad` of generators", (GENERATOR,), ["--grad"], []),
    ("`--grad --attention generalized`", ([*POSITIVE, "--map", "elu"],), ["--grad", "--attention", "generalized"], []),
    ("`--grad --attention softmax`", ([],), ["--grad", "--attention", "softmax"], []),
]  # fmt: skip

HEADS, HEAD_DIM, VALUE_DIM, QUERIES, KEYS, LENGTHS = 4, 16, 8, 37, 53, (29, 5)
COMMON = ["--head-dim", str(HEAD_DIM), "--value-dim", str(VALUE_DIM), "--heads", str(HEADS)]


class Refused(Exception):
    """A graph that bochner-gen or the compiler does not take; the text is the diagnostic."""


class Wrong(Exception):
    """A result that differs from the reference, or a run that failed for another reason than the graph."""


def diagnostic(text):
    """The first error of a tool, without the place in a graph that nobody sees; None if it said none."""
    found = re.search(r"error: (?:\S+\.mlir:\d+:\d+: )?(.*)", text)
    return found[1].strip() if found else None


class Runner:
    def __init__(self, bin_dir, work):
        self.bin, self.work = bin_dir, work
        self.lengths = os.path.join(work, "lengths.npy")
        self.environment = dict(os.environ, BOCHNER_CACHE_DIR=os.path.join(work, "cache"))
        measure.save_npy(self.lengths, "<i8", (len(LENGTHS),), b"".join(n.to_bytes(8, "little") for n in LENGTHS))

    def call(self, tool, *words):
        command = [os.path.join(self.bin, tool), *words]
        return subprocess.run(command, capture_output=True, text=True, env=self.environment)

    def refuse(self, tool, run, words):
        """A graph is refused with a diagnostic; anything else is a failure."""
        message = diagnostic(run.stderr)
        if run.returncode == 1 and message:
            raise Refused(message)
        raise Wrong(f"{tool} {' '.join(words)}: status {run.returncode}: {run.stderr.strip()}")

    def maps(self):
        """First options of a small graph of each map that bochner-gen lists; a la carte needs a mixture."""
        listed = re.search(r"^feature maps:\n((?: +.*\n)+)", self.call("bochner-gen", "--help").stdout, re.M)
        sizes = dict.fromkeys(("elu", "fastfood_prf", "fastfood_rks"), [])
        sizes.update(dict.fromkeys(("generator_prf", "generator_rks"), GENERATOR[2:]))
        sizes.update(dict.fromkeys(("gmm_rks", "gauss_rks", "rff"), TRIGONOMETRIC[2:]))
        return [["--map", m, *sizes.get(m, POSITIVE[2:])] for m in listed[1].split() if m != "alacarte"]

    def graph(self, name, direction, words):
        given = [f"--{direction}"] if direction != "none" and "--decode" not in words else []
        run = self.call("bochner-gen", *words, *given)
        if run.returncode:
            self.refuse("bochner-gen", run, words)
        text, path = run.stdout, os.path.join(self.work, f"{name}.mlir")
        if "--decode" in words:
            text = text.replace("#spectral.causality<causal>", f"#spectral.causality<{direction}>")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def inputs(self, words, direction, queries):
        """Random rows; the number of keys differs from that of queries where it may."""
        same = direction != "none" or "--packed" in words or "--decode" in words
        keys = queries if same else queries + KEYS - QUERIES
        batch = 1 if "--packed" in words else len(LENGTHS)
        heads = 2 if "--kv-heads" in words else HEADS
        given = [f"--in=q=random:{batch}x{HEADS}x{queries}x{HEAD_DIM}:1"]
        given.append(f"--in=k=random:{batch}x{heads}x{keys}x{HEAD_DIM}:2")
        given.append(f"--in=v=random:{batch}x{heads}x{keys}x{VALUE_DIM}:3")
        return given + ([f"--in=lengths={self.lengths}"] if "--lengths" in words else [])

    def check(self, graph, compile_words, *words):
        result = f"{graph}.json"
        words = [*compile_words, *words]
        run = self.call("bochner-run", graph, "--threads", "1", "--check", "--json", result, *words)
        if run.returncode == 0:
            return
        what = " ".join(["bochner-run", os.path.basename(graph), "--check", *words])
        if run.returncode == 2:
            with open(result, encoding="utf-8") as f:
                results = json.load(f)["check"]["results"]
            wrong = {name: r for name, r in results.items() if not r["passed"]}
            texts = [f"'{name}' has error {r['max_rel']}, limit {r['limit']}" for name, r in wrong.items()]
            raise Wrong(f"{what}: {'; '.join(texts)}")
        alone = self.call("bochner-run", graph, "--emit", f"{graph}.bochner", *compile_words)
        if alone.returncode == 1:  # whatever it is called with
            self.refuse("bochner-run", alone, words)
        raise Wrong(f"{what}: status {run.returncode}: {run.stderr.strip()}")

    def run(self, name, direction, words, compile_words):
        """Returns if all results of the graph are right."""
        graph, state = self.graph(name, direction, words), os.path.join(self.work, f"{name}.npz")
        if "--prepare" in words:
            self.check(graph, ["--entry", "attention.prepare"], "--out-npz", state)
            rows = self.inputs(words, direction, QUERIES)
            self.check(graph, ["--entry", "attention"], "--npz", state, *rows)
        elif "--decode" in words:  # earlier rows make the state that later ones go on from
            later = QUERIES if "chunked" in words else 1
            self.check(graph, compile_words, *self.inputs(words, direction, QUERIES), "--out-npz", state)
            self.check(graph, compile_words, *self.inputs(words, direction, later), "--npz", state)
        else:
            self.check(graph, compile_words, *self.inputs(words, direction, QUERIES))


class Cell:
    """A row in one direction and element type: whether it works, else why not."""

    def __init__(self, row, column):
        self.row, self.direction, self.dtype = row, DIRECTIONS[column // len(DTYPES)], DTYPES[column % len(DTYPES)]
        self.works, self.note = None, None  # not known

    def run(self, runner, only=None):
        """Runs the graphs, or that of one number; the first that is refused decides."""
        title, begins, words, compile_words = ROWS[self.row]
        begins = runner.maps() if begins is MAPS else begins
        for number, begin in enumerate(begins):
            if only is not None and number != only % len(begins):
                continue
            name = f"{self.row}-{number}-{self.direction}-{self.dtype}"
            try:
                runner.run(name, self.direction, [*begin, *words, *COMMON, "--dtype", self.dtype], compile_words)
            except Refused as refusal:
                self.works, self.note = False, str(refusal)
                return
            except Wrong as wrong:
                raise Wrong(f"{title}: {self.direction}: {self.dtype}: {wrong}") from None
        self.works = True


def run_cells(runner, cells, jobs, only=None):
    """Runs cells side by side; all that is wrong is told at once."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        runs = [pool.submit(cell.run, runner, only) for cell in cells]
    wrong = [str(run.exception()) for run in runs if isinstance(run.exception(), Wrong)]
    if wrong:
        sys.exit("\n".join(wrong) + "\nstatus-table: these are not what the reference says; a table cannot show that")
    for run in runs:
        run.result()


def table_of(cells):
    """The lines of the table and its notes."""
    notes, texts = [], {}
    for row in range(len(ROWS)):
        for direction in DIRECTIONS:
            mine = [c for c in cells if c.row == row and c.direction == direction]
            types = [c.dtype for c in mine if c.works]
            text = ["all" if len(types) == len(DTYPES) else " ".join(types)] if types else []
            for note in dict.fromkeys(c.note for c in mine if not c.works):
                if note not in notes:
                    notes.append(note)
                refused = [] if not types else [c.dtype for c in mine if c.note == note]
                text.append(" ".join([*refused, f"no ({notes.index(note) + 1})"]))
            texts[row, direction] = ", ".join(text)
    titles = ["option", *DIRECTIONS]
    rows = [[title, *(texts[i, d] for d in DIRECTIONS)] for i, (title, *_) in enumerate(ROWS)]
    widths = [max(len(r[i]) for r in [titles, *rows]) for i in range(len(titles))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(r, widths)) + " |" for r in [titles, *rows]]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return lines + ["", *(f"{i}. `{note}`" for i, note in enumerate(notes, 1))] if notes else lines


def read_cells(lines):
    """What a table says: title and direction -> types that work. None if its rows are others."""
    rows = [[c.strip() for c in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    if [r[0] for r in rows] != ["option", *(title for title, *_ in ROWS)] or rows[0][1:] != list(DIRECTIONS):
        return None
    works = {}
    for row in rows[1:]:
        for direction, text in zip(DIRECTIONS, row[1:]):
            part = text.split(",")[0]
            works[row[0], direction] = [] if "no (" in part else DTYPES if part == "all" else part.split()
    return works


def compare_part(runner, part, said, jobs):
    """Runs one cell of each row, on one of its maps; on all of them if the table says that one is refused."""
    cells = [Cell(row, (row * 5 + part) % PARTS) for row in range(len(ROWS))]
    said_to_work = lambda c: c.dtype in said[ROWS[c.row][0], c.direction]
    run_cells(runner, [c for c in cells if said_to_work(c)], jobs, only=part)
    run_cells(runner, [c for c in cells if not said_to_work(c)], jobs)
    findings = 0
    for c in cells:
        if c.works != said_to_work(c):
            findings += 1
            answer = "works" if c.works else f"is refused: {c.note}"
            print(f"README.md: {ROWS[c.row][0]}: {c.direction}: {c.dtype} {answer}")
    return findings


def find_table(root):
    """The place in README.md, as a match whose first group is the table."""
    match = re.search(re.escape(BEGIN) + r"\n(.*?)\n?" + re.escape(END), house.read(root, "README.md"), re.S)
    if not match:
        sys.exit(f"README.md has no lines '{BEGIN}' and '{END}'")
    return match


def main():
    parser = house.parser(__doc__)
    parser.add_argument("--bin", help="folder of the tools (default: build/release/bin)")
    parser.add_argument("--update", action="store_true", help="write the table into README.md")
    parser.add_argument("--part", type=int, metavar="K", help="compare one cell of each row, on one of its maps")
    parser.add_argument("--rows", default="", metavar="REGEX", help="a table of these rows only")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs side by side")
    options = parser.parse_args()
    ROWS[:] = [row for row in ROWS if re.search(options.rows, row[0])]
    lines = find_table(options.root)[1].splitlines()
    remedy = "status-table: README.md is not what the tools do; run 'make status'"
    with tempfile.TemporaryDirectory() as work:
        runner = Runner(os.path.abspath(options.bin or os.path.join(options.root, "build/release/bin")), work)
        if options.part is not None:
            said = read_cells(lines)
            if said is None:
                sys.exit(f"README.md: the rows are not those of utils/status-table.py\n{remedy}")
            sys.exit(remedy if compare_part(runner, options.part, said, options.jobs) else 0)
        cells = [Cell(row, column) for row in range(len(ROWS)) for column in range(PARTS)]
        run_cells(runner, cells, options.jobs)
    table = table_of(cells)
    if options.update:
        found = find_table(options.root)  # again: the page may have changed in the meantime
        with open(os.path.join(options.root, "README.md"), "w", encoding="utf-8") as f:
            f.write("\n".join([found.string[: found.start()] + BEGIN, *table, END + found.string[found.end() :]]))
        print("== write README.md")
    elif table != lines:
        for line in (t for t in table if t not in lines):
            print(f"README.md: the tools say {line}")
        sys.exit(remedy)


if __name__ == "__main__":
    main()
