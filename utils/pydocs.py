"""The reference of the Python package as Markdown, from its docstrings. Reads sources and imports nothing of them."""
import ast
import os
import re
import textwrap

import house

MODULES = ("bochner", "bochner.features", "bochner.torch", "bochner.torch.distributed", "bochner.jax")
SOURCE = "python"
SECTIONS = ("Args:", "Returns:", "Raises:", "Attributes:")


def path_of(root, module):
    base = os.path.join(SOURCE, *module.split("."))
    package = os.path.join(base, "__init__.py")
    return package if os.path.exists(os.path.join(root, package)) else base + ".py"


def parse(root, module):
    return ast.parse(house.read(root, path_of(root, module)))


def exported(root, module):
    """(name, module that defines it) of what a module offers: __all__, or its own public definitions."""
    tree = parse(root, module)
    origins = {
        (alias.asname or alias.name): node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return [(name, origins.get(name, module)) for name in ast.literal_eval(node.value)]
    public = (n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef)))
    return [(name, module) for name in public if not name.startswith("_")]


def inline(line):
    """Roles and literals of reStructuredText as Markdown has them."""
    return re.sub(r":\w+:`[~.]*([^`]+)`", r"`\1`", line).replace("``", "`")


def markdown(docstring):
    """A docstring in Google's style: sections become bold words, their entries lists, examples blocks."""
    lines, section, example = [], False, False
    for line in textwrap.dedent(docstring).strip().splitlines():
        if line.startswith((">>> ", "... ")) != example:
            example = not example
            lines.append("```text" if example else "```")
        if example:
            lines.append(line)
        elif line in SECTIONS:
            lines += [f"**{line[:-1]}**", ""]
            section = True
        elif section and re.match(r"    [\w, ]+: ", line):
            name, rest = line.strip().split(": ", 1)
            lines.append(f"- `{name}`: {inline(rest)}")
        elif section and line.startswith("        "):
            lines.append("  " + inline(line.strip()))
        else:
            lines.append(inline(line.strip()))
    return "\n".join(lines + ["```"] * example)


def signature(node):
    arguments = ast.unparse(node.args)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({arguments}){returns}"


def describe(node, prefix=""):
    """Heading, signature and docstring of a function or class, then its public methods."""
    docstring = ast.get_docstring(node) or ""
    lines = [f"{'####' if prefix else '###'} `{prefix}{node.name}`", ""]
    if isinstance(node, ast.FunctionDef):
        lines += ["```text", signature(node), "```", ""]
    else:
        bases = ", ".join(ast.unparse(b) for b in node.bases)
        init = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
        if init:
            lines += ["```text", f"{node.name}({ast.unparse(init.args).removeprefix('self, ')})", "```", ""]
        elif bases:
            lines += [f"A `{bases}`.", ""]
    lines += [markdown(docstring), ""]
    if isinstance(node, ast.ClassDef):
        for method in node.body:
            documented = isinstance(method, ast.FunctionDef) and ast.get_docstring(method)
            if documented and (not method.name.startswith("_") or method.name == "__call__"):
                lines += describe(method, f"{node.name}.")
    return lines


def reference(root):
    """The text of the page; None if there is no package."""
    if not os.path.exists(os.path.join(root, path_of(root, MODULES[0]))):
        return None
    lines = ["# Python reference", "", "[Python.md](../Python.md) tells how it goes together.", ""]
    for module in MODULES:
        lines += [f"## `{module}`", "", markdown(ast.get_docstring(parse(root, module)) or ""), ""]
        for name, origin in exported(root, module):
            if origin == f"{MODULES[0]}._core" or name.startswith("__"):
                continue
            node = next((n for n in parse(root, origin).body if getattr(n, "name", None) == name), None)
            if node is not None:
                lines += describe(node)
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(line.rstrip() for line in lines) + "\n"
