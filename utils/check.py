"""Runs every test of the project and ends with one line that counts them: N passed, N failed, N skipped.

Suites: the checks of utils/, the lit tests, the programs registered with ctest, the golden cases that are committed
and those beside the tree, each once, and the tests of the Python package. Called by `make check`; --suite picks some.
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SKIPPED = 77


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []

    def count(self, outcome, name=""):
        if outcome == "passed":
            self.passed += 1
        elif outcome == "skipped":
            self.skipped += 1
        else:
            self.failed += 1
            self.failures.append(name)


def banner(text):
    print(f"== {text}", flush=True)


def stream(command, **kwargs):
    """Runs a command, passing its output through as it comes; returns status and output."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs)
    lines = []
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        lines.append(line)
    return process.wait(), "".join(lines)


def run_house(options, totals):
    banner("house checks (utils/check-*)")
    extra = {
        "check-docs.py": ["--bin", os.path.join(options.build_dir, "bin")],
        "check-symbols.py": ["--build-dir", options.build_dir],
    }
    names = sorted(
        name
        for name in os.listdir(os.path.join(ROOT, "utils"))
        if re.fullmatch(r"check-[\w-]+\.(py|sh)", name) and name != "check-tidy.sh"
    )
    for name in names:
        interpreter = [sys.executable] if name.endswith(".py") else ["bash"]
        run = subprocess.run(
            interpreter + [os.path.join(ROOT, "utils", name)] + extra.get(name, []),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        outcome = {0: "passed", SKIPPED: "skipped"}.get(run.returncode, "failed")
        reason = run.stdout.strip().splitlines()[-1] if outcome == "skipped" and run.stdout.strip() else ""
        print(f"{outcome.upper()[:4]}: {name} {reason}".rstrip())
        if outcome == "failed":
            print(run.stdout.rstrip())
        sys.stdout.flush()
        totals.count(outcome, f"utils/{name}")


def cache_value(build_dir, name):
    with open(os.path.join(ROOT, build_dir, "CMakeCache.txt"), encoding="utf-8") as cache:
        match = re.search(r"^" + name + r":\w+=(.*)$", cache.read(), re.M)
    return match[1] if match else None


def run_lit(options, totals):
    banner("lit tests")
    lit = cache_value(options.build_dir, "BOCHNER_LIT")
    result = os.path.join(ROOT, options.build_dir, "test", "lit.json")
    if os.path.exists(result):
        os.remove(result)
    command = [sys.executable, lit, "-v", "--no-progress-bar", "-j", str(options.jobs), "-o", result]
    if options.filter:
        command += ["--filter", options.filter]
    status, _ = stream(command + [os.path.join(ROOT, options.build_dir, "test")])
    if not os.path.exists(result):
        # lit found no test, or died.
        totals.count("failed", f"lit (status {status}, no result file)")
        return
    with open(result, encoding="utf-8") as f:
        tests = json.load(f)["tests"]
    for test in tests:
        code, name = test["code"], test["name"]
        if code == "EXCLUDED":
            continue  # by --filter
        if code in ("PASS", "FLAKYPASS", "XFAIL"):
            totals.count("passed")
        elif code in ("UNSUPPORTED", "SKIPPED"):
            reason = (test["output"].strip().splitlines() or ["excluded by its configuration"])[-1]
            print(f"SKIP: {name} {reason}")
            totals.count("skipped")
        else:
            totals.count("failed", name)


def run_ctest(options, totals):
    banner("test programs (ctest)")
    result = os.path.join(ROOT, options.build_dir, "test", "ctest.xml")
    if os.path.exists(result):
        os.remove(result)
    folder = os.path.join(ROOT, options.build_dir)
    command = ["ctest", "--test-dir", folder, "--output-on-failure", "--no-tests=ignore", "-j", str(options.jobs)]
    status, _ = stream(command + ["--output-junit", result])
    if not os.path.exists(result):
        if status:
            totals.count("failed", f"ctest (status {status})")
        return
    for case in ElementTree.parse(result).getroot().iter("testcase"):
        skipped = case.find("skipped")
        state = case.get("status")
        if skipped is not None or state in ("notrun", "disabled"):
            reason = skipped.get("message") if skipped is not None else state
            # A program that was not found or not built is a failure, not a skip.
            if reason and ("Unable to find" in reason or "NOT_FOUND" in reason or "not found" in reason.lower()):
                totals.count("failed", f"{case.get('name')}: {reason}")
            else:
                print(f"SKIP: {case.get('name')} {reason}")
                totals.count("skipped")
        else:
            totals.count("passed" if state == "run" else "failed", case.get("name"))


def golden_files(folder):
    """Case -> content of its file."""
    files = {}
    with open(os.path.join(ROOT, folder, "index.json"), encoding="utf-8") as f:
        for case in json.load(f)["cases"]:
            with open(os.path.join(ROOT, folder, case["file"]), "rb") as file:
                files[json.dumps(case, sort_keys=True)] = file.read()
    return files


def run_golden(options, totals):
    folders = [os.path.join("test", "golden", "public"), options.golden_dir]
    folders = [folder for folder in folders if os.path.exists(os.path.join(ROOT, folder, "index.json"))]
    if len(folders) == 2 and golden_files(folders[0]).items() <= golden_files(folders[1]).items():
        print(f"== the golden cases in {folders[0]} are among those in {folders[1]}")
        folders = folders[1:]
    for folder in folders:
        run_golden_folder(options, totals, folder, [])


def run_golden_folder(options, totals, folder, arguments):
    what = " ".join([f"golden cases in {folder}", *arguments])
    banner(what)
    log = os.path.join(options.build_dir, "test", f"golden-{os.path.basename(os.path.normpath(folder))}.txt")
    command = [sys.executable, os.path.join("test", "golden", "run.py"), "--bin", f"{options.build_dir}/bin"]
    status, output = stream(
        command + ["--jobs", str(options.jobs), "--quiet", "--log", log, *arguments, folder], cwd=ROOT
    )
    count_line(totals, what, output, status, r"^(\d+) passed, (\d+) failed, (\d+) skipped$")


def count_line(totals, what, output, status, pattern):
    """Adds the totals that a program has printed."""
    match = re.search(pattern, output, re.M)
    if not match:
        totals.count("failed", f"{what} (status {status}, no totals)")
        return
    totals.passed += int(match[1])
    totals.skipped += int(match[3])
    totals.failed += int(match[2])
    if int(match[2]):
        totals.failures.append(f"{what} ({match[2]})")


def run_gpu(options, totals):
    """Gates of every kernel, and the committed golden cases on the simulated device; lit tests have the rest."""
    banner("gates of GPU kernels (utils/gpu-gates.py)")
    command = [sys.executable, os.path.join("utils", "gpu-gates.py"), "--bin", f"{options.build_dir}/bin"]
    status, output = stream(command, cwd=ROOT)
    if status == SKIPPED:
        print(f"SKIP: gpu-gates.py {output.strip()}")
        totals.count("skipped")
    else:
        count_line(totals, "gates of GPU kernels", output, status, r"^(\d+) passed, (\d+) failed, (\d+) skipped$")
    banner("removed barriers of GPU kernels, a sample (utils/gpu-mutations.py)")
    command = [sys.executable, os.path.join("utils", "gpu-mutations.py"), "--bin", f"{options.build_dir}/bin"]
    status, output = stream(command + ["--filter", "^causal$"], cwd=ROOT)
    count_line(totals, "removed barriers", output, status, r"^(\d+) passed, (\d+) failed, (\d+) skipped$")
    run_golden_folder(options, totals, os.path.join("test", "golden", "public"), ["--routes", "sim-f32"])


def run_python(options, totals):
    banner("Python package (pytest)")
    package = os.path.join(ROOT, options.build_dir, "python")
    if not glob.glob(os.path.join(package, "bochner", "_core.*.so")):
        print("SKIP: python, the package is not part of this build (needs nanobind, and no sanitizers)")
        totals.count("skipped")
        return
    result = os.path.join(ROOT, options.build_dir, "test", "pytest.xml")
    if os.path.exists(result):
        os.remove(result)
    environment = dict(os.environ, PYTHONPATH=package, GOLDEN_DIR=os.path.join(ROOT, options.golden_dir))
    environment.setdefault("BOCHNER_CACHE_DIR", os.path.join(ROOT, options.build_dir, "test", "python-cache"))
    command = [sys.executable, "-m", "pytest", "-r", "s", "--junit-xml", result, "python/tests"]
    status, _ = stream(command, cwd=ROOT, env=environment)
    if not os.path.exists(result):
        totals.count("failed", f"pytest (status {status}, no result file)")
        return
    for case in ElementTree.parse(result).getroot().iter("testcase"):
        outcome = "skipped" if case.find("skipped") is not None else "passed"
        if case.find("failure") is not None or case.find("error") is not None:
            outcome = "failed"
        totals.count(outcome, f"{case.get('classname')}.{case.get('name')}")


SUITES = {
    "house": run_house,
    "lit": run_lit,
    "ctest": run_ctest,
    "golden": run_golden,
    "gpu": run_gpu,
    "python": run_python,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build-dir", default="build/release")
    parser.add_argument("--golden-dir", default=os.environ.get("GOLDEN_DIR", "../shared/golden"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--suite", action="append", choices=sorted(SUITES), help="run only this suite (repeatable)")
    parser.add_argument("--filter", metavar="REGEX", help="only lit tests whose name matches")
    options = parser.parse_args()
    start, totals = time.monotonic(), Totals()
    for name, run in SUITES.items():
        if options.suite is None or name in options.suite:
            run(options, totals)
    banner(f"all suites took {time.monotonic() - start:.0f} s")
    for name in totals.failures:
        print(f"FAILED: {name}")
    print(f"{totals.passed} passed, {totals.failed} failed, {totals.skipped} skipped")
    sys.exit(1 if totals.failed or not totals.passed else 0)


if __name__ == "__main__":
    main()
