"""libbochner-compiler.so through runtime/CompilerInterface.h, for tests: compile(source, **request) -> Result."""
import collections
import ctypes

Result = collections.namedtuple("Result", "code module diagnostics")

STRINGS = ("source_name", "route", "device", "cpu", "element_type", "dump_dir")


class Request(ctypes.Structure):
    _fields_ = (
        [("source", ctypes.c_char_p), ("source_size", ctypes.c_size_t)]
        + [(name, ctypes.c_char_p) for name in STRINGS]
        + [("keep_phases", ctypes.c_int32), ("chip", ctypes.c_char_p), ("tf32", ctypes.c_int32)]
        + [("ptxas", ctypes.c_char_p)]
    )


class RawResult(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_int),
        ("module", ctypes.c_void_p),
        ("module_size", ctypes.c_size_t),
        ("impl", ctypes.c_void_p),
    ]


DiagnosticFn = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p)


class Interface(ctypes.Structure):
    _fields_ = [
        ("version", ctypes.c_uint32),
        ("project_version", ctypes.c_char_p),
        ("llvm_version", ctypes.c_char_p),
        (
            "compile",
            ctypes.CFUNCTYPE(
                None, ctypes.POINTER(Request), DiagnosticFn, ctypes.c_void_p, ctypes.POINTER(RawResult)
            ),
        ),
        ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(RawResult))),
    ]


class Compiler:
    def __init__(self, library):
        entry = ctypes.CDLL(library, mode=ctypes.RTLD_LOCAL).bochnerCompilerGetInterface
        entry.restype = ctypes.POINTER(Interface)
        self.interface = entry().contents

    def compile(self, source, keep_phases=0, listen=True, **strings):
        if isinstance(source, str):
            source = source.encode()
        request = Request(source=source, source_size=len(source), keep_phases=keep_phases)
        for name, value in strings.items():
            assert name in STRINGS
            setattr(request, name, value.encode())
        diagnostics = []

        @DiagnosticFn
        def note(user, severity, location, message):
            diagnostics.append((severity, location.decode(), message.decode()))

        raw = RawResult()
        self.interface.compile(
            ctypes.byref(request), note if listen else DiagnosticFn(), None, ctypes.byref(raw)
        )
        module = ctypes.string_at(raw.module, raw.module_size) if raw.module_size else b""
        result = Result(raw.code, module, diagnostics)
        self.interface.release(ctypes.byref(raw))
        assert not raw.impl and not raw.module
        return result
