"""Exceptions of the package: each is a kind of failure of the C API (bochner/status.h) and carries its diagnostics."""

from __future__ import annotations

from typing import NamedTuple


class Diagnostic(NamedTuple):
    """One message of the compiler."""

    severity: str  #: "error", "warning", "remark" or "note", which belongs to the diagnostic before it
    location: str  #: "file:line:column", or "" if there is none
    message: str

    def __str__(self) -> str:
        place = f"{self.location}: " if self.location else ""
        return f"{place}{self.severity}: {self.message}"


class Error(Exception):
    """A failure of the library. ``str()`` of it shows the message and all diagnostics in order.

    Attributes:
        message: what was expected, what came and what to do.
        diagnostics: all messages of the compiler, empty if it did not run.
    """

    code = "internal error"

    def __init__(self, message: str, diagnostics: tuple[Diagnostic, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.diagnostics = diagnostics

    def __str__(self) -> str:
        # The message repeats the first error with its location; say it once.
        lines = [self.message]
        for diagnostic in self.diagnostics:
            if f"{diagnostic.location}: {diagnostic.message}" != self.message:
                lines.append(f"  {diagnostic}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[type[Error], tuple[str, tuple[Diagnostic, ...]]]:
        return type(self), (self.message, self.diagnostics)


class InvalidArgumentError(Error, ValueError):
    """A wrong shape, type, stride or option. Nothing was written."""

    code = "invalid argument"


class CompileError(Error):
    """The source was refused; the diagnostics say where and why."""

    code = "compile error"


class NotFoundError(Error, LookupError):
    """No such file, function or phase."""

    code = "not found"


class InvalidModuleError(Error, ValueError):
    """The bytes are not a module, are damaged, or are of another format."""

    code = "invalid module"


class UnavailableError(Error, RuntimeError):
    """This machine lacks the compiler, the device or a CPU feature."""

    code = "unavailable"


class VersionMismatchError(Error, RuntimeError):
    """Extension, runtime and compiler are not of one release."""

    code = "version mismatch"


class InputOutputError(Error, OSError):
    """The operating system refused to read or write."""

    code = "input/output error"


class OutOfMemoryError(Error, MemoryError):
    """Memory could not be allocated. Nothing was written."""

    code = "out of memory"


class InternalError(Error, RuntimeError):
    """A defect of Bochner; please report it with the message."""

    code = "internal error"


_CLASSES: dict[str, type[Error]] = {
    cls.code: cls
    for cls in (
        InvalidArgumentError,
        CompileError,
        NotFoundError,
        InvalidModuleError,
        UnavailableError,
        VersionMismatchError,
        InputOutputError,
        OutOfMemoryError,
        InternalError,
    )
}


def make_error(code: str, message: str, diagnostics: list[tuple[str, str, str]]) -> Error:
    """The exception of a status code's name; called by the extension."""
    return _CLASSES.get(code, InternalError)(message, tuple(Diagnostic(*d) for d in diagnostics))
