"""Asking a llama.cpp that is installed: programs of ours in its place, that answer, hang, drown us, crash, or lie."""

from __future__ import annotations

import os
import stat
import sys
import time
from pathlib import Path

import pytest

from gpuprobe.model import MiB
from gpuprobe.planning.engine_log import Row
from gpuprobe.probing.engine_asking import Asked, chosen, measured
from gpuprobe.probing.termination import marked
from gpuprobe.survey.builds import builds
from gpuprobe.survey.engine_programs import EngineProgram, engine_programs
from gpuprobe.survey.tree import Tree
from tests.unit.test_engine_log import DENSE, TABLE

ANSWER = f"print({chr(10).join(TABLE)!r}, flush=True)\n"


def a_program(folder: Path, body: str, name: str = "llama-server") -> EngineProgram:
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport os, signal, socket, subprocess, sys, time\n{body}")
    path.chmod(0o755)
    return EngineProgram(str(path), name, "CUDA", (str(folder),))


def test_the_figures_of_a_program_that_answers_are_taken(tmp_path: Path) -> None:
    asked = measured(a_program(tmp_path, ANSWER), ("-m", "x"))

    assert asked.problem is None
    assert asked.rows[0] == Row("CUDA0", 20017 * MiB, 656 * MiB, 296 * MiB, 24576 * MiB, 24500 * MiB)


def test_it_is_ended_as_soon_as_it_has_answered_and_loads_nothing(tmp_path: Path) -> None:
    loading = tmp_path / "loading"
    program = a_program(tmp_path, f"{ANSWER}time.sleep(30)\nopen({str(loading)!r}, 'w')\n")
    began = time.monotonic()
    asked = measured(program, ())

    assert asked.problem is None and not loading.exists()
    assert time.monotonic() - began < 15


def test_a_program_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    orphan = f"subprocess.Popen([{sys.executable!r}, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
    asked = measured(a_program(tmp_path, f"{orphan}time.sleep(600)\n"), (), seconds=1)

    assert asked == Asked(problem="no answer within 1 s")
    assert [process for process in marked("") if "sleep(600)" in _command_of(process)] == []


def _command_of(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def test_a_flood_of_noise_ends(tmp_path: Path) -> None:
    asked = measured(a_program(tmp_path, "while True: sys.stdout.write('x' * 65536)\n"), ())

    assert asked.problem is not None and asked.rows == ()


@pytest.mark.parametrize(
    ("number", "said"),
    [("SIGABRT", "signal 6"), ("SIGILL", "signal 4: an illegal instruction, as of a build for another processor")],
)
def test_a_program_that_crashes_leaves_its_signal_and_its_last_words(tmp_path: Path, number: str, said: str) -> None:
    body = f"print('ggml-backend.cpp:930: cannot run the operation', flush=True)\nos.kill(os.getpid(), signal.{number})\n"

    assert measured(a_program(tmp_path, body), ()).problem == (
        f"it was ended by {said}, before it said what the model takes: ggml-backend.cpp:930: cannot run the operation"
    )


def test_a_program_that_ends_by_itself_leaves_its_last_words(tmp_path: Path) -> None:
    asked = measured(a_program(tmp_path, "sys.exit('error: unknown model architecture')\n"), ())

    assert asked.problem == "it does not say what the model takes: error: unknown model architecture"


def test_a_program_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    program = a_program(tmp_path, "")
    Path(program.path).write_text("#!/nonexistent/interpreter\n")

    assert "it cannot be started" in (measured(program, ()).problem or "")


def test_what_fit_has_chosen_is_heard_to_its_last_line(tmp_path: Path) -> None:
    asked = chosen(a_program(tmp_path, f"print({chr(10).join((*TABLE, *DENSE))!r}, flush=True)\ntime.sleep(30)\n"), ())

    assert asked.choice.context == 17920


def test_a_choice_that_is_cut_off_is_none(tmp_path: Path) -> None:
    asked = chosen(a_program(tmp_path, f"print({chr(10).join(DENSE[:3])!r}, flush=True)\n"), ())

    assert asked.problem is not None


def test_it_has_no_shell_no_port_and_none_of_the_users_settings_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_ARG_CTX_SIZE", "7")
    said = tmp_path / "said"
    body = f"open({str(said)!r}, 'w').write(repr((sys.argv, dict(os.environ), os.getcwd())))\n{ANSWER}"
    measured(a_program(tmp_path, body), ("-m", "$(touch x); a b"))
    arguments, environ, folder = eval(said.read_text())

    assert arguments[1:3] == ["-m", "$(touch x); a b"]
    assert "LLAMA_ARG_CTX_SIZE" not in environ
    host = arguments[arguments.index("--host") + 1]
    assert host == f"{folder}/socket.sock" and "--port" not in arguments
    assert not Path(folder).exists()


def test_fit_params_is_asked_to_print_and_needs_no_socket(tmp_path: Path) -> None:
    body = "assert sys.argv[-2:] == ['--fit-print', 'on'] and '--host' not in sys.argv\n"
    body += "print('CUDA0 4403 512 112 \\nHost 281 0 20 ')"
    asked = measured(a_program(tmp_path, body, "llama-fit-params"), ())

    assert [row.name for row in asked.rows] == ["CUDA0", "Host"]


def a_build(folder: Path) -> Path:
    folder.mkdir()
    for name in ("libggml-base.so", "libggml.so", "libggml-cuda.so"):
        (folder / name).write_bytes(b"")
    return folder


def found(folder: Path) -> list[EngineProgram]:
    survey = builds(Tree(), {}, "linux", "x86_64", named=(str(folder),), uid=os.geteuid())
    mine = [build for build in survey.builds if build.path.startswith(str(folder))]
    return list(engine_programs([build._replace(problem=None) for build in mine], ["CUDA"], "linux"))


def test_the_program_beside_a_build_is_found_and_the_smaller_one_first(tmp_path: Path) -> None:
    folder = a_build(tmp_path / "llama")
    a_program(folder, "")
    assert [program.name for program in found(folder)] == ["llama-server"]

    a_program(folder, "", "llama-fit-params")
    assert [program.name for program in found(folder)] == ["llama-fit-params"]


def test_a_build_without_a_program_has_none(tmp_path: Path) -> None:
    assert found(a_build(tmp_path / "llama")) == []


def test_a_program_that_may_not_be_run_says_so(tmp_path: Path) -> None:
    folder = a_build(tmp_path / "llama")
    Path(a_program(folder, "").path).chmod(0o644)

    (program,) = found(folder)
    assert "may not be run" in (program.problem or "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs what others could replace")
def test_as_root_a_program_that_others_could_replace_is_not_run(tmp_path: Path) -> None:
    folder = a_build(tmp_path / "llama")
    path = Path(a_program(folder, "").path)
    path.chmod(path.stat().st_mode | stat.S_IWOTH)

    (program,) = found(folder)
    assert "as root it is not run" in (program.problem or "")
