"""The runner as a process: its protocol, what libraries do to it, and how it ends with its parent."""

from __future__ import annotations

import fcntl
import json
import os
import re
import resource
import subprocess
import sys
from ctypes.util import find_library
from pathlib import Path

import pynvml
import pytest

from gpuprobe import runner
from gpuprobe.probing import start
from tests.backends.talk import CHILD, request, started, talk, wait_until
from tests.doubles import compile_double, cuda_driver, described, nvml_driver, script

CARD = described(name="NVIDIA GeForce RTX 4090", uuid="GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", pci="0000:01:00.0")
OTHER = described(name="NVIDIA GeForce RTX 3060", uuid="GPU-11111111-2222-3333-4444-555555555555", pci="0000:02:00.0")
BINDING = str(Path(pynvml.__file__).parent)


def scripted(*lines: str) -> dict[str, str]:
    return {"FAKE_CUDA": script(CARD, *lines)}


def test_every_line_is_one_json_object_and_done_is_the_last() -> None:
    answer = talk(request(cuda_driver()), scripted())

    assert answer.said.endswith("\n")
    assert all(isinstance(line, dict) for line in answer.lines)
    assert [line for line in answer.lines if "done" in line] == [answer.lines[-1]]
    assert answer.exit_code == 0


def test_what_a_library_prints_is_evidence_and_never_the_answer() -> None:
    answer = talk(request(cuda_driver()), scripted("print cuInit 1000000"))

    assert answer.is_done
    assert len(answer.stderr) == 2 * 1_000_000


def test_what_a_library_left_in_its_buffer_is_not_lost(tmp_path: Path) -> None:
    source = tmp_path / "buffered.c"
    source.write_text('#include <stdio.h>\nint cuInit(unsigned flags) { printf("last words"); return flags ? 1 : 999; }\n')

    answer = talk(request(compile_double(source, tmp_path, "buffered.so")))

    assert answer.failed is not None
    assert b"last words" in answer.stderr


@pytest.mark.parametrize(("line", "exit_code"), [("crash", -11), ("abort", -6), ("exit", 7)])
def test_a_library_that_ends_the_process_leaves_what_was_said_before(line: str, exit_code: int) -> None:
    answer = talk(request(cuda_driver()), scripted(OTHER, f"{line} cuDeviceGetName@2 7"))

    assert answer.exit_code == exit_code
    assert answer.calls[-1] == "cuDeviceGetName"
    assert len(answer.devices) == 1
    assert not answer.is_done


def test_a_crash_while_the_library_is_loaded_names_the_loading() -> None:
    answer = talk(request(cuda_driver()), scripted("crash load"))

    assert (answer.exit_code, answer.calls) == (-11, [f"load {cuda_driver()}"])


def test_a_library_that_writes_to_every_descriptor_makes_the_answer_unreadable() -> None:
    answer = talk(request(cuda_driver()), scripted("rubbish cuInit"))

    assert "no JSON {" in answer.said.splitlines()


def test_a_child_leaves_no_core_file() -> None:
    with started(request(cuda_driver()), scripted("hang cuInit")) as (child, _):
        child.wait_for('"cuInit"')
        limits = Path(f"/proc/{child.process.pid}/limits").read_text()

    found = re.search(r"Max core file size +(\d+)", limits)
    assert found is not None
    assert int(found[1]) <= 1


def test_a_child_ends_at_a_polite_request() -> None:
    with started(request(cuda_driver()), scripted("sleep cuInit 60000")) as (child, _):
        child.wait_for('"cuInit"')
        child.process.terminate()

        assert child.process.wait(30) == -15


@pytest.mark.parametrize("where", ["load", "cuInit", "cuDeviceGetAttribute"])
def test_a_hanging_child_ends_when_its_parent_is_gone(where: str) -> None:
    """In `load` too: the interpreter's lock must be free while the loader runs the library's own start."""
    step = "load" if where == "load" else where
    with started(request(cuda_driver()), scripted(f"hang {where}")) as (child, _):
        child.wait_for(f'"{step}')
        assert child.process.poll() is None

        child.leave()

        child.process.wait(30)


def test_an_orphan_in_a_session_of_its_own_ends_with_the_child() -> None:
    with started(request(cuda_driver()), scripted("orphan cuInit", "hang cuDeviceGetCount")) as (child, _):
        child.wait_for('"cuDeviceGetCount"')
        assert len(child.family()) == 2

        child.leave()

        child.process.wait(30)
        wait_until(lambda: not child.family(), "no process carries the mark")


def test_a_child_ends_with_its_parent_only_and_not_with_its_request() -> None:
    """Run by hand, stdin ends right behind the request; without a mark nobody watches it."""
    answer = talk(request(cuda_driver()), scripted("sleep cuInit 300"), mark=False)

    assert answer.is_done


def test_other_processes_than_its_own_are_left_alone() -> None:
    with (
        started(request(cuda_driver()), scripted("hang cuInit")) as (stays, _),
        started(request(cuda_driver()), scripted("hang cuInit")) as (goes, _),
    ):
        stays.wait_for('"cuInit"')
        goes.wait_for('"cuInit"')

        goes.leave()

        goes.process.wait(30)
        assert stays.process.poll() is None


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        (b"not JSON\n", "JSON"),
        (b"\n", "JSON"),
        (b"[" * 100_000 + b"\n", "JSON"),
        (b"[]\n", "object"),
        (b"\xff\n", "JSON"),
        (request("x", "opencl"), "opencl"),
        (request("x", "calling"), "calling"),
        (request("x", "../runner"), "../runner"),
        (request("x", purpose="hack"), "purpose"),
        (request("x", candidates=[]), "candidates"),
        (request("x", candidates="libcuda.so.1"), "candidates"),
        (request("x", candidates=["a\0b"]), "candidates"),
        (request("x", paths=[1]), "paths"),
        (request("x", device="GPU-1"), "device"),
        (request("x", device={}), "device"),
        (request("x", device={"number": -1}), "device"),
        (request("x", device={"number": 0, "copy": "1"}), "device"),
        (request("x", purpose="validate"), "device"),
        (request("x", repeat="yes"), "repeat"),
        (request("x", quiet=-1), "quiet"),
        (request("x", "nvml", purpose="validate", device={"number": 0}), "nvml"),
    ],
)
def test_a_malformed_request_is_refused_in_one_line(asked: object, word: str) -> None:
    answer = talk(asked)

    assert answer.exit_code == 2
    assert answer.said == ""
    assert answer.stderr.count(b"\n") == 1
    assert word in answer.stderr.decode()


def test_a_child_that_is_to_repeat_answers_once_more_for_each_line_and_loads_once() -> None:
    with started(request(cuda_driver(), repeat=True), scripted()) as (child, _):
        for times in (1, 2, 3):
            wait_until(lambda times=times: child.said().count('"done"') == times, f"{times} answers")
            assert child.process.stdin is not None
            child.process.stdin.write(b"\n")
            child.process.stdin.flush()

        assert (child.said().count('"loaded"'), child.process.poll()) == (1, None)
        child.leave()
        assert child.process.wait(20) is not None
        assert child.family() == []


def test_a_later_answer_is_said_quietly_for_as_long_as_the_pipe_takes_it_and_in_order() -> None:
    """A pipe of one page takes some of it; the rest is said aloud, and nothing twice."""
    near, far = os.pipe()
    fcntl.fcntl(far, fcntl.F_SETPIPE_SZ, 4096)
    cards = [CARD.replace("ed9f6", f"ed{number:03x}").replace(":01:", f":{number:02x}:") for number in range(1, 33)]
    asked = request(cuda_driver(), repeat=True, quiet=far)
    with started(asked, {"FAKE_CUDA": script(*cards)}, descriptors=(far,)) as (child, _):
        child.wait_for('"done"')
        first = child.said()
        assert child.process.stdin is not None
        child.process.stdin.write(b"\n")
        child.process.stdin.flush()
        wait_until(lambda: child.said().count('"done"') == 2, "the second answer")
        quiet, aloud = os.read(near, 1 << 20).decode(), child.said().removeprefix(first)
    os.close(near)
    os.close(far)

    def uuids(text: str) -> list[str]:
        return [json.loads(line)["device"]["uuid"] for line in text.splitlines() if line.startswith('{"device"')]

    assert 0 < len(uuids(quiet)) < len(cards)
    assert uuids(quiet) + uuids(aloud) == uuids(first)
    assert "cuDeviceGetName" in quiet.splitlines()


def test_a_descriptor_that_there_is_not_ends_the_child_before_it_loads_anything() -> None:
    answer = talk(request(cuda_driver(), repeat=True, quiet=99))

    assert (answer.exit_code, answer.said) == (1, "")
    assert b"no thread or pipe" in answer.stderr
    assert answer.stderr.count(b"\n") == 1


def test_a_child_that_rests_or_hangs_between_two_answers_ends_with_its_parent() -> None:
    for lines in ((), ("hang cuDeviceGetName@2",)):
        with started(request(cuda_driver(), repeat=True), scripted(*lines)) as (child, _):
            child.wait_for('"done"')
            assert child.process.stdin is not None
            child.process.stdin.write(b"\n" if lines else b"")
            child.process.stdin.flush()
            child.leave()

            assert child.process.wait(20) is not None
            assert child.family() == []


def test_a_child_whose_library_closes_stdin_answers_and_leaves() -> None:
    """Nobody can ask it again; that is no mistake of ours."""
    with started(request(cuda_driver(), repeat=True), scripted("chaos cuDeviceGetName close-standard")) as (child, _):
        child.wait_for('"done"')

        assert child.process.wait(20) == runner.CANNOT_HEAR == start.CANNOT_HEAR


def test_a_mistake_of_ours_is_a_traceback_and_no_failure_of_the_library(tmp_path: Path) -> None:
    (tmp_path / "pynvml.py").write_text("NVMLError = KeyError\n")

    answer = talk(request(nvml_driver(), "nvml", paths=[str(tmp_path)]))

    assert answer.exit_code == 1
    assert b"Traceback" in answer.stderr
    assert answer.failed is None


OF_EVERY_CHILD = {
    "__future__",
    "_json",
    "gc",
    "gpuprobe",
    "gpuprobe.backends",
    "gpuprobe.backends.calling",
    "gpuprobe.json_texts",
    "gpuprobe.runner",
    "resource",
}


def test_a_child_imports_the_backend_and_nothing_that_costs_time() -> None:
    answer = talk(request(cuda_driver()), scripted(), options=("-X", "importtime"))

    assert answer.is_done
    assert _imported(answer.stderr) - _imported_by("import ctypes") == {
        *OF_EVERY_CHILD,
        "gpuprobe.backends.cuda",
        "gpuprobe.backends.cuda.card",
        "gpuprobe.backends.cuda.listing",
        "gpuprobe.backends.cuda.results",
    }


def test_a_child_for_nvml_imports_the_binding_and_nothing_that_the_binding_does_not_use() -> None:
    answer = talk(request(nvml_driver(), "nvml", paths=[BINDING]), scripted(), options=("-X", "importtime"))

    assert answer.is_done
    assert _imported(answer.stderr) - _imported_by("import ctypes") == {
        *OF_EVERY_CHILD,
        "gpuprobe.backends.nvml",
        "gpuprobe.backends.nvml.binding",
        "gpuprobe.backends.nvml.card",
        "gpuprobe.backends.nvml.listing",
        "gpuprobe.backends.nvml.results",
        "pynvml",
    }


BACKENDS = sorted(path.parent.name for path in CHILD.parent.glob("backends/*/listing.py"))
DEAR = {"collections", "contextlib", "enum", "functools", "inspect", "json", "re", "subprocess", "threading", "typing"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_child_imports_what_is_dear(backend: str) -> None:
    answer = talk(request("/nonexistent/library.so", backend), options=("-X", "importtime"))

    assert answer.failed is not None
    assert answer.failed["status"] == "not_loadable"
    assert f"gpuprobe.backends.{backend}.listing" in _imported(answer.stderr)
    assert _imported(answer.stderr) & DEAR == set()


def test_a_binding_that_looks_for_its_library_finds_it(tmp_path: Path) -> None:
    (tmp_path / "pynvml.py").write_text(
        "import sys\n"
        "from ctypes.util import find_library\n"
        "class NVMLError(Exception): value = 999\n"
        "def nvmlInitWithFlags(flags):\n"
        "    import ctypes.util\n"
        "    print(find_library('c'), ctypes.util.find_library('c'), file=sys.stderr)\n"
        "    raise NVMLError\n"
    )

    answer = talk(request(nvml_driver(), "nvml", paths=[str(tmp_path)]), scripted())

    assert answer.stderr.decode().split() == 2 * [find_library("c")]


def test_a_child_collects_garbage_when_the_library_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "pynvml.py").write_text(
        "import gc, sys\n"
        "class NVMLError(Exception): value = 999\n"
        "loading = gc.isenabled()\n"
        "def nvmlInitWithFlags(flags):\n"
        "    print(loading, gc.isenabled(), file=sys.stderr)\n"
        "    raise NVMLError\n"
    )

    answer = talk(request(nvml_driver(), "nvml", paths=[str(tmp_path)]), scripted())

    assert answer.stderr == b"False True\n"


def test_a_child_imports_nothing_from_the_working_directory_or_the_users_paths(tmp_path: Path) -> None:
    for name in ("json", "ctypes", "resource", "gpuprobe", "pynvml", "threading", "sitecustomize", "usercustomize"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the wrong place')\n")
    environ = {
        **scripted(),
        "PYTHONPATH": str(tmp_path),
        "PYTHONHOME": str(tmp_path),
        "PYTHONSTARTUP": str(tmp_path / "json.py"),
    }

    cuda = talk(request(cuda_driver()), environ, cwd=tmp_path)
    nvml = talk(request(nvml_driver(), "nvml", paths=[BINDING]), environ, cwd=tmp_path)

    assert cuda.is_done
    assert nvml.is_done


def test_the_bindings_directory_gives_the_binding_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "resource.py").write_text("raise SystemExit('imported from the wrong place')\n")
    (tmp_path / "threading.py").write_text("raise SystemExit('imported from the wrong place')\n")
    (tmp_path / "pynvml.py").write_text(
        "import sys, threading\n"
        "class NVMLError(Exception): value = 999\n"
        "during = list(sys.path)\n"
        "def nvmlInitWithFlags(flags):\n"
        "    print('during', *during, sep='\\n', file=sys.stderr)\n"
        "    print('after', *sys.path, sep='\\n', file=sys.stderr)\n"
        "    raise NVMLError\n"
    )

    answer = talk(request(nvml_driver(), "nvml", paths=[str(tmp_path)]))

    during, _, after = answer.stderr.decode().partition("after")
    assert answer.failed is not None
    assert during.splitlines()[-1] == str(tmp_path)
    assert str(CHILD.parents[1]) not in during.splitlines()
    assert str(tmp_path) not in after


def test_a_request_in_pieces_is_put_together() -> None:
    whole = json.dumps(request(cuda_driver())).encode()
    with started(whole[:20], scripted()) as (child, _):
        assert child.process.stdin is not None
        child.process.stdin.write(whole[20:] + b"\n")
        child.process.stdin.flush()

        assert child.process.wait(30) == 0
        assert '"done"' in child.said()


def test_a_child_whose_stdin_is_closed_says_so() -> None:
    command = [sys.executable, "-I", "-S", str(CHILD)]

    answer = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *command], capture_output=True, check=False)

    assert answer.returncode == 2
    assert answer.stderr.count(b"\n") == 1


def _imported(stderr: bytes) -> set[str]:
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines} - {"imported package"}


def _imported_by(code: str) -> set[str]:
    command = [sys.executable, "-X", "importtime", "-I", "-S", "-c", code]
    return _imported(subprocess.run(command, capture_output=True, check=True).stderr)


@pytest.mark.parametrize("problem", [PermissionError(1, "Operation not permitted"), ValueError("not allowed to raise it")])
def test_where_core_files_cannot_be_forbidden_the_library_is_asked_all_the_same(
    monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    asked: list[object] = []

    def forbidden(*limit: object) -> None:
        asked.append(limit[0])
        raise problem

    monkeypatch.setattr(resource, "setrlimit", forbidden)

    runner._leave_no_core_file()  # what it raised would end the child before a library is loaded

    assert asked == [resource.RLIMIT_CORE]
