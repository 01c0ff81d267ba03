"""Whether runtime libraries load: real files, through the real child."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gpuprobe.facts import FoundSoftware
from gpuprobe.probing.runtime_loading import Loads, loads
from gpuprobe.survey.tree import Tree
from gpuprobe.survey.trust import why_others
from tests.doubles import c_compiler

CRASHES = "#include <stdlib.h>\n__attribute__((constructor)) static void begin(void) { abort(); }\n"
HANGS = "#include <unistd.h>\n__attribute__((constructor)) static void begin(void) { for (;;) pause(); }\n"
WRITES = '#include <stdio.h>\n__attribute__((constructor)) static void begin(void) { puts("{\\"done\\": true}"); }\n'


def compiled(folder: Path, name: str, source: str = "int answer(void) { return 42; }\n", *options: str) -> str:
    (folder / "source.c").write_text(source)
    path = folder / name
    subprocess.run([c_compiler(), "-shared", "-fPIC", "-o", str(path), str(folder / "source.c"), *options], check=True)
    return str(path)


def found(path: str, **fields: object) -> FoundSoftware:
    known = {"name": "libcudart", "path": path, "where": "toolkit", "library": "CUDA"}
    return FoundSoftware(**{**known, **fields})  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if why_others(Tree(), str(tmp_path)) is not None:
        pytest.skip("the temporary directory of the tests can be written by others")
    return tmp_path


def test_a_library_that_loads_does(folder: Path) -> None:
    path = compiled(folder, "libcudart.so.12.8.90")

    assert loads([found(path)]) == {path: Loads(True)}


def test_the_loaders_own_words_say_why_one_does_not(folder: Path) -> None:
    path = str(folder / "libcudart.so.13")
    Path(path).write_text("no library")

    answer = loads([found(path)])[path]

    assert answer.answer is False
    assert "invalid ELF header" in (answer.because or "") or "file too short" in (answer.because or "")


def test_a_missing_half_is_named_and_one_beside_it_is_found(folder: Path) -> None:
    half = compiled(folder, "libcublasLt.so.12")
    path = compiled(folder, "libcublas.so.12", "int answer(void); int twice(void) { return 2 * answer(); }\n", half)

    subprocess.run(["sh", "-c", 'mv "$1" "$1.away"', "sh", half], check=True)
    without = loads([found(path)])[path]
    subprocess.run(["sh", "-c", 'mv "$1.away" "$1"', "sh", half], check=True)

    assert without.answer is False
    assert "libcublasLt.so.12" in (without.because or "")
    assert loads([found(path)])[path] == Loads(True)


def test_one_that_crashes_while_it_is_loaded_is_a_finding(folder: Path) -> None:
    path = compiled(folder, "libnccl.so.2", CRASHES)

    assert loads([found(path)])[path] == Loads(False, "the process that loaded it was ended by signal 6")


def test_one_that_hangs_is_ended_and_not_decided(folder: Path) -> None:
    path = compiled(folder, "libnccl.so.2", HANGS)

    answer = loads([found(path)], seconds=0.5)[path]

    assert answer.answer is None
    assert "0.5 s" in (answer.because or "")


def test_what_a_library_prints_is_no_answer(folder: Path) -> None:
    path = compiled(folder, "libcudart.so.12", WRITES)

    assert loads([found(path)]) == {path: Loads(True)}


def test_many_are_tried_each_once(folder: Path) -> None:
    paths = [compiled(folder, f"libcudart.so.{number}") for number in range(6)]

    assert loads([found(path) for path in paths]) == dict.fromkeys(paths, Loads(True))


def test_what_is_no_shared_library_is_not_tried() -> None:
    torch = found("/venv/torch", name="torch")

    assert loads([torch, found("/venv/libfor.so", library=None)]) == {}


def test_a_library_that_others_can_replace_is_not_loaded(folder: Path) -> None:
    path = compiled(folder, "libcudart.so.12", CRASHES)
    os.chmod(path, 0o777)

    answer = loads([found(path)])[path]

    assert answer.answer is None
    assert answer.because == f"not loaded: everybody may write to `{path}`"


def test_a_folder_that_others_may_write_to_counts_too(folder: Path) -> None:
    path = compiled(folder, "libcudart.so.12")
    os.chmod(folder, 0o777)

    open_to_all = why_others(Tree(), path)
    os.chmod(folder, 0o1777)
    sticky = why_others(Tree(), path)
    os.chmod(folder, 0o755)

    # The sticky bit keeps others from replacing the library, not from adding another that the loader finds beside it.
    assert open_to_all == sticky == f"everybody may write to `{folder}`"
    assert why_others(Tree(), path) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_accounts_library_is_not_loaded_as_root(folder: Path) -> None:
    path = compiled(folder, "libcudart.so.12", CRASHES)
    os.chown(path, 12345, 0)

    assert loads([found(path)])[path] == Loads(None, f"not loaded: `{path}` belongs to user 12345")
