"""rocBLAS: which of its releases fits a HIP runtime, and what starting it says of the one card that this process sees."""

from __future__ import annotations

import os
from ctypes import byref, c_void_p

from gpuprobe.backends import calling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from ctypes import CDLL

    from gpuprobe.backends.calling import Announce, Facts

# ROCm 7 brings rocBLAS 5, 6 brings 4, 5.7 brings 3, and before that it was 0. One of another release would load a second HIP
# into the process.
LIBRARIES = {7: ("librocblas.so.5",), 6: ("librocblas.so.4",), 5: ("librocblas.so.3", "librocblas.so.0")}
_ON_WINDOWS = ("rocblas.dll",)

# rocblas_status, as rocBLAS's documentation numbers it.
NAMES = {
    1: "rocblas_status_invalid_handle",
    2: "rocblas_status_not_implemented",
    3: "rocblas_status_invalid_pointer",
    4: "rocblas_status_invalid_size",
    5: "rocblas_status_memory_error",
    6: "rocblas_status_internal_error",
    11: "rocblas_status_invalid_value",
    14: "rocblas_status_excluded_from_build",
    15: "rocblas_status_arch_mismatch",
}
_STATUS = {2: "unsupported", 5: "busy", 14: "unsupported", 15: "unsupported"}


def validate(hip: CDLL, announce: Announce, facts: Facts, version: str | None) -> str:
    """Starts the rocBLAS that fits HIP's version and gives it back: "rocBLAS"; without one the context was all: "context".

    `facts` gets its file as "rocblas"; where it is None, "rocblas_problem" says why. On a card that it has no kernels for
    rocBLAS prints that and aborts: the child's end is the answer then.
    """
    try:
        library = found(hip, announce, version)
    except calling.Failed as refused:
        # No proof against the card: builds of Ollama and llama.cpp bring a rocBLAS of their own.
        facts({"rocblas": None, "rocblas_problem": f"only a context was made: {refused.message}"})
        return "context"
    facts({"rocblas": calling.loaded_path(library)})
    check(library, announce, "rocblas_destroy_handle", handle(library, announce))
    return "rocBLAS"


def found(hip: CDLL, announce: Announce, version: str | None, others: Sequence[str] = ()) -> CDLL:
    """The rocBLAS that fits HIP's version, `others` by its name last; Failed("not_loadable") without one."""
    names = _names(version)
    elsewhere = [path for path in others if os.path.basename(path) in names]  # noqa: PTH119
    announce(f"load {names[0]}")
    return calling.load([*beside(hip, names), *names, *elsewhere], needs="rocblas_create_handle")


def handle(library: CDLL, announce: Announce) -> c_void_p:
    """Starts it. On a card that it has no kernels for it prints that and aborts."""
    initialize = calling.optional(library, "rocblas_initialize")
    if initialize is not None:
        announce("rocblas_initialize")
        initialize()
    made = c_void_p()
    check(library, announce, "rocblas_create_handle", byref(made))
    return made


def check(library: CDLL, announce: Announce, function: str, *arguments: object) -> None:
    announce(function)
    code = calling.required(library, function)(*arguments)
    if code:
        raise _failure(function, code)


def _names(version: str | None) -> tuple[str, ...]:
    if os.name == "nt":
        return _ON_WINDOWS
    every = tuple(name for names in LIBRARIES.values() for name in names)
    return LIBRARIES.get(int(version.partition(".")[0]), every) if version else every


def beside(hip: CDLL, names: Sequence[str]) -> list[str]:
    """Where these libraries of the same install would lie: two may stand side by side, and only one is the loader's."""
    path = calling.loaded_path(hip)
    return [os.path.join(os.path.dirname(path), name) for name in names] if path else []  # noqa: PTH118, PTH120


def _failure(function: str, code: int) -> calling.Failed:
    name = NAMES.get(code)
    words = f"`{function}` failed with {name or 'an unknown error'} ({code})"
    what = "multiply" if function == "rocblas_sgemm" else "start"
    because = f"rocBLAS does not {what} on this card, and no model computes with ROCm without it"
    return calling.Failed(_STATUS.get(code, "call_failed"), f"{words}: {because}", code, name)
