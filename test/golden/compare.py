"""Compares arrays with those of a golden case, by the limits that the index and DESIGN say."""
import re

import numpy as np

# For arrays that the index gives no limit for (running statistics); the limit of `bochner-run --check`.
DEFAULT_FLOAT32_LIMIT = 2e-5
FLOAT64_LIMIT = 1e-10
FLOAT64_GRADIENT_LIMIT = 1e-9
# Gradients that are zero but for rounding (of the bias in front of a batch normalization) are measured against the
# largest of the inputs; stored ones are at most so large in relation to it.
ZERO_GRADIENT_LIMITS = {"f32": 1e-5, "f64": 1e-10}
ZERO = 1e-12


class CaseError(Exception):
    """A case cannot be run or compared; the text is the reason of its FAIL line."""


def largest(array):
    """The largest finite magnitude."""
    return float(np.abs(array[np.isfinite(array)]).max(initial=0.0))


def is_gradient(name):
    return name.startswith("grad_")


def largest_gradient(stored):
    """Of those of the inputs."""
    return max((largest(stored[n]) for n in ("grad_q", "grad_k", "grad_v", "grad_x") if n in stored), default=0.0)


def difference_of(got, want):
    """The largest difference; NaN unless both are finite at the same places."""
    if got.shape != want.shape:
        raise CaseError(f"expected shape {list(want.shape)}, but got {list(got.shape)}")
    got, want = got.astype(np.float64), want.astype(np.float64)
    finite = np.isfinite(want)
    if not np.array_equal(np.where(finite, 0, want), np.where(finite, 0, got), equal_nan=True):
        return float("nan")
    if not np.isfinite(got[finite]).all():
        return float("nan")
    return float(np.abs(got[finite] - want[finite]).max(initial=0.0))


def scale_of_value(case, want):
    """What the index measures errors of `out`, and so of every value, against."""
    formula = re.match(r"out:\s*(.*?)\s*(?:\.\s|\.?$)", case["tolerance"]["measure"])
    known = {
        "max|x-e| / max|e|": largest(want) or 1.0,
        "max|x-e| / max(1, max|e|)": max(1.0, largest(want)),
        "max|x-e|": 1.0,
    }
    if not formula or formula[1] not in known:
        raise CaseError(f"unknown measure '{case['tolerance']['measure']}'")
    return known[formula[1]]


def scale_of_gradient(case, want, of_inputs):
    formula = re.search(r"gradients:\s*(.*?)\s*\.?$", case["tolerance"]["measure"])
    known = {
        "max|x-e| / max(max|e|, 1e-3 * largest |gradient| among q, k, v, x)": max(largest(want), 1e-3 * of_inputs)
        or 1.0
    }
    if not formula or formula[1] not in known:
        raise CaseError(f"unknown measure '{case['tolerance']['measure']}'")
    return known[formula[1]]


def limit_of(case, stored, name, element_type):
    """The limit, and what errors are divided by before they are compared with it."""
    tolerance, want, of_inputs = case["tolerance"], stored[name], largest_gradient(stored)
    single = element_type == "f32"
    if single and name not in tolerance.get("float32", {}) and "absolute" in tolerance:
        if is_gradient(name) or name in ("out", "den"):
            return tolerance["absolute"], 1.0
    if is_gradient(name):
        if name not in tolerance.get("float32", {}) and largest(want) <= ZERO * of_inputs:
            return ZERO_GRADIENT_LIMITS[element_type], of_inputs or 1.0
        limit = tolerance.get("float32", {}).get(name, DEFAULT_FLOAT32_LIMIT) if single else FLOAT64_GRADIENT_LIMIT
        return limit, scale_of_gradient(case, want, of_inputs)
    limit = tolerance.get("float32", {}).get(name, DEFAULT_FLOAT32_LIMIT) if single else FLOAT64_LIMIT
    return limit, scale_of_value(case, want)


def compare_array(case, stored, name, results, element_type):
    """Fields of the report behind the name: those of the result that is farthest off."""
    try:
        limit, scale = limit_of(case, stored, name, element_type)
    except CaseError as failure:
        return "-", "-", "FAIL", str(failure)
    try:
        errors = [difference_of(got[name], stored[name]) / scale for got in results if name in got]
        if not errors:
            raise CaseError("the graph does not return it")
    except CaseError as failure:
        return "-", f"{limit:.2e}", "FAIL", str(failure)
    error = float(np.max(errors))  # NaN if any is
    reason = "" if error <= limit else "error above limit" if np.isfinite(error) else "not finite"
    return f"{error:.2e}", f"{limit:.2e}", "FAIL" if reason else "PASS", reason


def compare(case, stored, results, element_type, grad):
    """Yields the fields of the report behind case and route. `stored` holds the arrays of the case, `results` what its
    graphs return; `grad` says whether one of them returns gradients."""
    stored = {name: stored[name] for name in stored.files}
    returned = set().union(*results)

    def is_compared(name):
        # The denominator is an intermediate value that a graph may return; the others it must.
        if name == "den":
            return name in returned
        return name == "out" or name.startswith("buf_after_") or (grad and is_gradient(name))

    for name in sorted(filter(is_compared, stored), key=lambda n: (n != "out", is_gradient(n), n)):
        yield name, *compare_array(case, stored, name, results, element_type)
