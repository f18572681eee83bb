"""Tests of examples/listops: the data, a run, runs that are killed and resumed, damaged and foreign checkpoints.

usage: ListOps.py LISTOPS BOCHNER_GEN FOLDER CASE [SEED], where CASE is one of the functions below without "test_" and
SEED chooses when it kills runs.
"""
import fcntl
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

LISTOPS, GENERATOR, FOLDER = sys.argv[1:4]
# A model and expressions so small that a step takes about a millisecond.
TINY = ["--layers", "1", "--width", "16", "--heads", "2", "--feed-forward", "16", "--max-length", "24", "--min-length",
        "4", "--batch", "16", "--held-out-size", "64", "--train-size", "2000", "--seed", "3", "--map", "gmm_prf",
        "--features", "16"]


def command(*arguments):
    return [LISTOPS, "--bochner-gen", GENERATOR, *arguments]


def run(*arguments, fails=False):
    """Standard output, or standard error of a run that must fail."""
    done = subprocess.run(command(*arguments), capture_output=True, text=True)
    if (done.returncode != 0) != fails or (fails and done.returncode != 1):
        sys.exit(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stderr if fails else done.stdout


def expect(condition, *what):
    if not condition:
        sys.exit(" ".join(["expected", *map(str, what)]))


def expect_failure(message, *arguments):
    printed = run(*arguments, fails=True)
    expect(message in printed, f"'{message}', but got: {printed}")


def folder(name):
    path = os.path.join(FOLDER, name)
    shutil.rmtree(path, ignore_errors=True)
    return path


def state_of(output):
    match = re.search(r"^state (\w{16}) after (\d+) steps$", output, re.M)
    expect(match, "a last line with the state, but got:", output)
    return match[1], int(match[2])


# --- the data ---


def evaluate(tokens):
    """The value of an expression: a recursive descent, unlike the program."""

    def parse(position, depth):
        expect(depth <= 10, "at most ten levels")
        if not tokens[position].startswith("["):
            expect(tokens[position] in "0123456789", "a digit, but got", tokens[position])
            return int(tokens[position]), position + 1
        operator, values = tokens[position], []
        position += 1
        while tokens[position] != "]":
            value, position = parse(position, depth + 1)
            values.append(value)
        expect(2 <= len(values) <= 10, "2 to 10 arguments, but got", len(values))
        functions = {"[MAX": max, "[MIN": min, "[SM": lambda v: sum(v) % 10}
        functions["[MED"] = lambda v: int(statistics.median(v))
        return functions[operator](values), position + 1

    value, end = parse(0, 1)
    expect(end == len(tokens), "nothing behind the expression")
    return value


def expressions(*arguments):
    for line in run(*arguments).splitlines():
        value, text = line.split("\t")
        yield int(value), text.split(" ")


def test_data():
    for arguments, shortest, longest in ((["--print-data", "400"], 125, 500),
                                         (["--print-data", "40", "--max-length", "2000"], 500, 2000),
                                         (["--print-data", "200", "--max-length", "60", "--min-length", "9"], 9, 60)):
        rows = list(expressions(*arguments))
        expect(len(rows) == int(arguments[1]), "as many expressions as asked for")
        for value, tokens in rows:
            expect(value == evaluate(tokens), "the value", evaluate(tokens), "of", tokens, "but got", value)
            expect(shortest <= len(tokens) <= longest, f"{shortest} to {longest} tokens, but got", len(tokens))
        expect(len({tuple(tokens) for _, tokens in rows}) == len(rows), "no expression twice")
    rows = list(expressions("--print-data", "2000"))
    for value in range(10):
        share = sum(row[0] == value for row in rows) / len(rows)
        expect(0.04 < share < 0.2, "each value now and then, but got", value, "with", share)
    operators = [token for _, tokens in rows for token in tokens if token.startswith("[")]
    for operator in ("[MAX", "[MIN", "[MED", "[SM"):
        share = operators.count(operator) / len(operators)
        expect(0.24 < share < 0.26, "a quarter of the operators to be", operator, "but got", share)


def test_same_data_everywhere():
    """The first expressions of seed 1, to the letter; other seeds have others."""
    first = run("--print-data", "3", "--max-length", "24", "--min-length", "8")
    expect(first == FIRST, f"{FIRST!r}, but got {first!r}")
    expect(first == run("--print-data", "3", "--max-length", "24", "--min-length", "8"), "the same again")
    expect(first != run("--print-data", "3", "--max-length", "24", "--min-length", "8", "--seed", "2"), "another seed")


# --- training ---


def csv_of(path):
    with open(os.path.join(path, "curves.csv"), encoding="utf-8") as file:
        rows = [line.strip().split(",") for line in file]
    return rows[0], rows[1:]


def test_learns():
    out = folder("learns")
    output = run("--out", out, *TINY, "--steps", "400", "--report", "100", "--learning-rate", "5e-3")
    expect("\r" not in output, "no progress bar in a pipe")
    header, rows = csv_of(out)
    losses = [float(row[header.index("train_loss")]) for row in rows]
    expect(len(rows) == 4 and losses[-1] < losses[0] - 0.3, "the loss to fall, but got", losses)
    held_out = [float(row[header.index("held_out_accuracy")]) for row in rows]
    expect(held_out[-1] > 0.3, "more than the most frequent value gives, but got", held_out)
    for name in ("curves.svg", "kernel.svg"):
        root = ElementTree.parse(os.path.join(out, name)).getroot()
        expect(root.tag == "{http://www.w3.org/2000/svg}svg", "an SVG, but got", root.tag)
        curves = [element for element in root.iter() if element.tag.endswith("polyline")]
        expect(len(curves) == {"curves.svg": 4, "kernel.svg": 8}[name], "curves, but got", len(curves))
        points = [float(n) for curve in curves for pair in curve.get("points").split() for n in pair.split(",")]
        expect(points and all(0 <= n <= 2000 for n in points), "points on the page")


def test_maps():
    """Every kind of arguments that graphs have: draws, permutations, running statistics, none at all."""
    for name, features in (("softmax", 0), ("fastfood_rks", 17), ("generator_prf", 16)):
        small = [*TINY, "--map", name, "--features", str(features), "--steps", "3"]
        output = run("--out", folder("maps"), *small)
        expect(state_of(output)[1] == 3, "three steps")


def test_threads():
    states = {state_of(run("--out", folder(f"threads{n}"), *TINY, "--steps", "40", "--threads", str(n)))
              for n in (1, 2, 3)}
    expect(len(states) == 1, "the same bits for any number of threads, but got", states)


# --- checkpoints ---

LONG = [*TINY, "--steps", "1500", "--report", "300", "--checkpoint", "7", "--dropout", "0.1"]


def start(*arguments):
    return subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, text=True)


def kill(process):
    """Without warning; whether it was still running."""
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def kill_between_writes(out, arguments, chance):
    """Kills a run at a random moment, some checkpoints after its start."""
    path, seen, checkpoints = os.path.join(out, "checkpoint"), None, chance.randrange(30)
    delay = chance.uniform(0, 0.01)
    process = start(*arguments)
    while checkpoints and process.poll() is None:
        found = os.stat(path).st_ino if os.path.exists(path) else None
        checkpoints -= found not in (None, seen)
        seen = found
    time.sleep(delay)
    return kill(process)


def has_open(process, name):
    for entry in os.scandir(f"/proc/{process.pid}/fd"):
        try:
            if os.readlink(entry.path) == os.path.realpath(name):
                return True
        except FileNotFoundError:  # closed meanwhile
            pass
    return False


def kill_while_it_writes(out, arguments, chance):
    """Kills a run that has written a random part of a file, and leaves the part. A pipe that stands where the temporary
    file should lets the run write no more."""
    name = os.path.join(out, chance.choice(["checkpoint", "checkpoint", "curves.csv"]) + ".new")
    if os.path.exists(name):
        os.remove(name)
    os.mkfifo(name)
    pipe = os.open(name, os.O_RDWR)
    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)
    if name.endswith("csv.new"):
        os.write(pipe, bytes(4096))  # so that nothing fits, as short a file as it is
    process = start(*arguments)
    while not has_open(process, name):
        expect(process.poll() is None, "the run to write", name)
    part = os.read(pipe, chance.randrange(1, 4096)) if name.endswith("checkpoint.new") else b""
    was_running = kill(process)
    os.close(pipe)
    os.remove(name)
    with open(name, "wb") as file:
        file.write(part)
    return was_running


def test_survives_kill():
    seed = int(sys.argv[5]) if len(sys.argv) > 5 else 7
    chance = random.Random(seed)
    print("seed", seed)
    undisturbed, out = folder("undisturbed"), folder("killed")
    expected = state_of(run("--out", undisturbed, *LONG))
    for number, how in enumerate(3 * [kill_between_writes, kill_while_it_writes]):
        # A run that was killed before its first checkpoint starts anew.
        resume = ["--resume"] if os.path.exists(os.path.join(out, "checkpoint")) else []
        os.makedirs(out, exist_ok=True)
        was_running = how(out, ["--out", out, *LONG, *resume], chance)
        expect(was_running, "kill", number, "by", how.__name__, "to find a run")
        print("killed by", how.__name__, "with", sorted(os.listdir(out)))
    output = run("--out", out, "--resume")
    expect(state_of(output) == expected, "the state", expected, "but got", state_of(output))
    expect(not [n for n in os.listdir(out) if n.endswith(".new")], "no temporary file to stay")
    seconds = csv_of(out)[0].index("seconds")
    tables = [[row[:seconds] + row[seconds + 2:] for row in csv_of(path)[1]] for path in (undisturbed, out)]
    expect(tables[0] == tables[1], "the same curves, but got", tables)
    # Interrupted politely, it says how to go on; the time limit may change, and a finished run stays as it is.
    process = subprocess.Popen(command("--out", folder("polite"), *LONG, "--steps", "1000000"), text=True,
                               stdout=subprocess.PIPE)
    while "parameters" not in process.stdout.readline():
        pass
    time.sleep(0.2)
    process.terminate()
    rest = process.communicate()[0]
    expect(process.returncode == 0 and "interrupted after" in rest and "--resume" in rest, "a way to go on, not", rest)
    late = run("--out", os.path.join(FOLDER, "polite"), "--resume", "--minutes", "0.001")
    expect("the time is over after" in late, "an end by the clock, but got", late)
    expect(state_of(run("--out", out, "--resume")) == expected, "a finished run to stay as it is")


def test_refuses_checkpoints():
    out = folder("refused")
    run("--out", out, *TINY, "--steps", "5")
    path = os.path.join(out, "checkpoint")
    expect_failure("has the checkpoint of a run; give --resume", "--out", out, *TINY)
    expect_failure("expected --width 16 as in the checkpoint", "--out", out, "--resume", "--width", "32")
    expect_failure("expected --map gmm_prf as in the checkpoint", "--out", out, "--resume", "--map", "favor")
    run("--out", out, "--resume", "--width", "16", "--threads", "1")
    with open(path, "rb") as file:
        intact = file.read()

    def damaged(content, message):
        with open(path, "wb") as file:
            file.write(content)
        expect_failure(message, "--out", out, "--resume")

    for position in (24, len(intact) // 2, len(intact) - 1):
        damaged(intact[:position] + bytes([intact[position] ^ 1]) + intact[position + 1:], "expected the checksum of")
    damaged(intact[:-1], f"expected {len(intact) - 24} bytes in the checkpoint")
    damaged(b"PNG" + intact, "to be a checkpoint of this program")
    damaged(b"", "to be a checkpoint of this program")

    def sealed(content):
        value = 14695981039346656037
        for byte in content:
            value = (value ^ byte) * 1099511628211 % 2**64
        return intact[:8] + len(content).to_bytes(8, "little") + value.to_bytes(8, "little") + content

    damaged(sealed(intact[24:-9]), "its content ends early or late")
    damaged(sealed(intact[24:] + b"more"), "its content ends early or late")
    damaged(sealed(intact[24:].replace(b"weight-decay", b"weight-DECAY")), "to say --weight-decay")
    damaged(sealed(intact[24:].replace(b"model_head.bias", b"model_head.BIAS", 1)), "which the model does not have")
    damaged(sealed(intact[24:].replace(b"f32", b"f64", 1)), "to have the type and shape")
    graph = re.search(rb"[0-9a-f]{16}", intact[24:])[0]
    damaged(sealed(intact[24:].replace(graph, b"0" * 16, 1)), "expected the graph of the checkpoint")
    os.remove(path)
    expect_failure("to resume from, but there is none", "--out", out, "--resume")
    with open(os.path.join(FOLDER, "file"), "w", encoding="utf-8"):
        pass
    expect_failure("to be a folder, but it is something else", "--out", os.path.join(FOLDER, "file"))
    expect_failure("cannot create the folder", "--out", os.path.join(FOLDER, "a", "b", "c"))


def test_holds_its_folder():
    out = folder("held")
    first = subprocess.Popen(command("--out", out, *TINY, "--steps", "1000000"), stdout=subprocess.PIPE, text=True)
    while "parameters" not in first.stdout.readline():
        pass
    expect_failure("another process is training in", "--out", out, "--resume")
    first.kill()
    first.communicate()


# --- the command line ---


def test_options():
    help_text = run("--help")
    for option in ("--map", "--layers", "--learning-rate", "--max-length", "--minutes", "--resume", "--threads"):
        expect(option in help_text, option, "in --help")
    out = ["--out", folder("options")]
    expect_failure("expected --out DIR")
    expect_failure("unknown argument '--wdith'", *out, "--wdith", "8")
    expect_failure("expected --width W, but the value is missing", *out, "--width")
    expect_failure("expected --resume without a value", *out, "--resume=yes")
    expect_failure("expected --width to be an integer from 1 to 4096, but got 'x'", *out, "--width", "x")
    expect_failure("expected --layers to be an integer from 1 to 64, but got '0'", *out, "--layers=0")
    expect_failure("expected --learning-rate to be a number from 0 to 10, but got 'nan'", *out, "--learning-rate=nan")
    expect_failure("expected --heads to divide --width 64, but got 5", *out, "--heads", "5")
    expect_failure("expected --schedule to be cosine, rsqrt or constant", *out, "--schedule", "step")
    expect_failure("expected --min-length to be at most", *out, "--min-length", "501")
    expect_failure("expected --min-length to leave room", *out, "--min-length", "499")
    expect_failure("failed; its message stands above", *out, "--map", "fourier")
    expect_failure("give --bochner-gen FILE", *out, "--bochner-gen", os.path.join(FOLDER, "nothing"))
    expect_failure("start again with a smaller --learning-rate", "--out", folder("diverges"), *TINY, "--learning-rate",
                   "10", "--clip-norm", "0", "--warmup", "0", "--steps", "3000", "--weight-decay", "1")


FIRST = """8\t[MAX 6 2 3 8 8 3 8 7 2 ]
0\t[MIN 9 7 [SM 8 6 1 4 3 1 ] 6 8 0 7 4 ]
6\t[MED 6 0 1 8 6 8 8 ]
"""

if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    globals()["test_" + sys.argv[4]]()
