"""`pynvml` is imported with stand-ins for four modules, which answer what the real ones do, and then are gone."""

from __future__ import annotations

import functools
import string
import subprocess
import sys
import threading
from ctypes.util import find_library
from pathlib import Path

from gpuprobe.backends.nvml import binding

PACKAGES = str(Path(binding.__file__).parents[3])
IMPORTING = """
import sys, ctypes
sys.path += sys.argv[1:]
from gpuprobe.backends.nvml import binding
before = set(sys.modules)
try:
    print(*binding.imported().ANSWERS)
except KeyError as problem:
    print(problem)
print(*sorted(set(sys.modules) - before - {"pynvml"}))
print(hasattr(ctypes, "util"))
"""


def imported(folder: Path, source: str) -> list[str]:
    """Of a module `pynvml`, under the child's options: its ANSWERS, what stays loaded besides, whether ctypes has `util`."""
    (folder / "pynvml.py").write_text(source)
    command = [sys.executable, "-I", "-S", "-c", IMPORTING, PACKAGES, str(folder)]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()


def test_what_is_given_is_what_the_real_modules_give() -> None:
    for text in ("invalid argument", "  GPU  is lost ", "", "ÄRGER ß"):
        assert binding._capwords(text) == string.capwords(text)
    for text in ("NVML_ERROR__IN_USE", "_", "no separator"):
        assert binding._capwords(text, "_") == string.capwords(text, "_")
    assert binding._find_library("c") == find_library("c")
    assert type(binding._GIVEN["threading"]["Lock"]()) is type(threading.Lock())


def test_a_function_that_wraps_another_looks_like_it_as_with_functools() -> None:
    def wrapped(count: int) -> str:
        """Says so."""
        return str(count)

    wrapped.told = "an attribute"  # type: ignore[attr-defined]

    def outside(*_: object) -> None: ...
    def ours(*_: object) -> None: ...

    real, own = functools.wraps(wrapped)(outside), binding._wraps(wrapped)(ours)

    same = (*functools.WRAPPER_ASSIGNMENTS, "__dict__", "__wrapped__", "__annotations__")
    assert {name: getattr(own, name, None) for name in same} == {name: getattr(real, name, None) for name in same}
    assert binding._wraps(wrapped, assigned=("__doc__",))(lambda: None).__name__ == "<lambda>"
    assert binding._wraps(functools.partial(wrapped, 1))(ours).__wrapped__.args == (1,)  # type: ignore[attr-defined]


def test_a_binding_that_wants_only_what_is_given_loads_none_of_the_four(tmp_path: Path) -> None:
    asks = "import string, threading\nfrom ctypes.util import find_library\nfrom functools import wraps\n"

    said = imported(tmp_path, f"{asks}ANSWERS = string.capwords('a_b', '_'), threading.Lock().locked()\n")

    assert said == ["A_B False", "", "False"]


def test_a_binding_that_wants_more_gets_it_from_the_real_modules(tmp_path: Path) -> None:
    asks = "import ctypes.util, string, threading\nfrom functools import *\n"
    answers = "ctypes.util.find_library('c'), string.digits, threading.current_thread().name, reduce(max, [1, 2])"

    answered, loaded, _ = imported(tmp_path, f"{asks}ANSWERS = {answers}\n")

    assert answered == f"{find_library('c')} 0123456789 MainThread 2"
    assert set(binding._GIVEN) <= set(loaded.split())


def test_a_binding_that_is_imported_in_vain_leaves_no_stand_in(tmp_path: Path) -> None:
    said = imported(tmp_path, "import ctypes.util, functools, string, threading\nraise KeyError('damaged')\n")

    assert said == ["'damaged'", "", "False"]


def test_a_real_module_that_is_there_already_stays() -> None:
    before = {name: sys.modules[name] for name in binding._GIVEN}

    binding.imported()

    assert {name: sys.modules[name] for name in binding._GIVEN} == before
