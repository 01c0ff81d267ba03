"""What happens at the edges of the program: a reader that leaves, a full disk, Ctrl-C, a bug, a library that hangs."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import time
from io import BytesIO, StringIO, TextIOWrapper
from json import loads
from pathlib import Path

import pytest

from gpuprobe import knowledge
from gpuprobe.command import refreshing
from gpuprobe.command.exiting import run
from gpuprobe.render.screen import Screen
from tests.cli import machines
from tests.cli.documents import checked
from tests.cli.machines import captured
from tests.cli.terminal import COMMAND, environment, on_terminal, piped
from tests.doubles import Variables, cuda_driver
from tests.records import an_outcome


def hanging() -> Variables:
    """Variables under which CUDA never gets past its first call."""
    return {"LD_LIBRARY_PATH": str(cuda_driver().parent), "FAKE_CUDA": "hang cuInit"}


def shell(script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a line of sh in which "$@" is the command."""
    return subprocess.run(
        ["bash", "-c", script, "bash", *COMMAND, *arguments],
        cwd="/",
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("arguments", [("list", "--all"), ("list", "--json"), ("--help",), ("env",)], ids=" ".join)
def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    more = () if "--help" in arguments else ("--from", captured(machines.two_geforces(), tmp_path))

    done = shell('"$@" | true; echo "${PIPESTATUS[0]}"', *arguments, *more)

    assert done.stderr == ""
    assert done.stdout in ("0\n", "1\n" if "--help" in arguments else "0\n")


def test_a_reader_of_one_line_gets_it(tmp_path: Path) -> None:
    done = shell('"$@" | head -1', "list", "--all", "--from", captured(machines.two_geforces(), tmp_path))

    assert (done.stdout, done.stderr) == ("2 of 2 GPUs usable\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("arguments", [("list",), ("list", "--json"), ("env",)], ids=" ".join)
def test_an_answer_that_cannot_be_written_is_said_and_is_code_1(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    path = captured(machines.two_geforces(), tmp_path)

    done = shell('"$@" > /dev/full', *arguments, "--from", path)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    if "--json" not in arguments:
        assert "could not be written" in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_closed_standard_output_is_said_and_is_code_1(tmp_path: Path) -> None:
    done = shell('"$@" >&-', "list", "--from", captured(machines.two_geforces(), tmp_path))

    assert done.returncode == 1
    assert done.stderr == "Error: standard output is closed; there is nowhere to write the answer\n"


def test_a_closed_standard_error_and_input_change_nothing(tmp_path: Path) -> None:
    done = shell('"$@" 2>&- <&-', "list", "--from", captured(machines.two_geforces(), tmp_path))

    assert done.returncode == 0
    assert done.stdout.startswith("2 of 2 GPUs usable\n")


@pytest.mark.parametrize("json", [(), ("--json",)])
def test_ctrl_c_ends_the_children_and_leaves_with_130(json: tuple[str, ...]) -> None:
    child = subprocess.Popen(
        [*COMMAND, "list", *json],
        env=environment(**hanging()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    children = _wait_for_children(child.pid)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)

    assert child.returncode == 130
    assert "Traceback" not in err
    assert not [pid for pid in children if _is_alive(pid)]
    if json:
        assert checked("error", out)["error"]["code"] == "interrupted"
    else:
        assert (out, err.count("\n")) == ("", 1)


def _wait_for_children(parent: int) -> list[int]:
    """The children of a command that has started asking."""
    for _ in range(300):
        pids = [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
        if any(b"child.py" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids):
            return pids
        time.sleep(0.02)
    raise AssertionError("no child was started")


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_long_wait_shows_on_a_terminal_what_is_being_asked_and_erases_it() -> None:
    seen = on_terminal("list", "--timeout", "2", **hanging())

    drawn = re.findall(r"\r\x1b\[K([^\r]*)", seen.raw)
    assert any("CUDA" in line for line in drawn)
    assert drawn[-1].splitlines()[0] == "" or "No GPU found, but that is not certain" in drawn[-1]
    assert seen.lines[0].startswith("No GPU found")


@pytest.mark.parametrize("quiet", [("-q",), ()])
def test_the_progress_line_stays_away_from_pipes_and_from_those_who_want_quiet(quiet: tuple[str, ...]) -> None:
    if quiet:
        assert "\x1b[K" not in on_terminal("list", "--timeout", "1.5", *quiet, **hanging()).raw
    else:
        assert piped("list", "--timeout", "1.5", **hanging()).err == ""


def broken(options: object, devices: object = (), *, diff: bool = False) -> None:
    raise ZeroDivisionError("a figure was 0")


@pytest.mark.parametrize("line", [["refresh"], ["refresh", "--diff"]], ids=["plain", "by Typer"])
def test_a_bug_is_one_line_that_says_how_to_report_it(monkeypatch: pytest.MonkeyPatch, line: list[str]) -> None:
    monkeypatch.setattr(refreshing, "refresh", broken)

    out, err = StringIO(), StringIO()
    code = run(line, Screen(out, err, {}))

    said = err.getvalue()
    assert code == 1
    assert said.startswith("Error: this is a bug in gpuprobe: ZeroDivisionError: a figure was 0; report it")
    assert said.count("\n") == 1
    assert "gpuprobe capture" in said
    assert out.getvalue() == ""


@pytest.mark.parametrize("line", [["refresh"], ["refresh", "--diff"]], ids=["plain", "by Typer"])
def test_a_bug_with_json_is_a_document_and_with_v_a_traceback_beside_it(
    monkeypatch: pytest.MonkeyPatch, line: list[str]
) -> None:
    monkeypatch.setattr(refreshing, "refresh", broken)

    out, err = StringIO(), StringIO()
    run([*line, "--json", "-v"], Screen(out, err, {}))

    assert checked("error", out.getvalue())["error"]["code"] == "bug"
    assert "Traceback" in err.getvalue()


REFUSED = [
    MemoryError(),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    ImportError("/usr/lib/python3/_struct.so: failed to map segment from shared object"),
    ImportError(
        "/usr/lib/python3/_struct.so: cannot apply additional memory protection after relocation: Cannot allocate memory"
    ),
]


@pytest.mark.parametrize("problem", REFUSED, ids=lambda problem: type(problem).__name__)
def test_memory_that_was_refused_is_no_bug(monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    def refused(options: object, devices: object = (), *, diff: bool = False) -> None:
        raise problem

    monkeypatch.setattr(refreshing, "refresh", refused)

    out, err = StringIO(), StringIO()
    code = run(["refresh", "--json"], Screen(out, err, {}))

    told = checked("error", out.getvalue())["error"]
    assert (code, told["code"]) == (1, "no_memory")
    assert "`ulimit -v`" in told["hint"]


@pytest.mark.parametrize("written", [None, b"[[packages", b"\xff"], ids=["missing", "half", "no text"])
def test_a_table_of_its_own_that_cannot_be_read_is_named_and_no_bug(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: bytes | None
) -> None:
    machine = machines.evidence(an_outcome(machines.a_geforce()), host=machines.with_driver())
    monkeypatch.setattr(knowledge, "__file__", str(tmp_path / "knowledge.py"))
    for each in vars(knowledge).values():  # other tests have read what is in the tables
        if hasattr(each, "cache_clear"):
            each.cache_clear()
    if written is not None:
        for file in ("causes", "cuda", "packages", "rocm"):
            (tmp_path / f"{file}.toml").write_bytes(written)

    out, err = StringIO(), StringIO()
    code = run(["doctor", "--json", "--from", captured(machine, tmp_path)], Screen(out, err, {}))

    told = checked("error", out.getvalue())["error"]
    assert (code, told["code"]) == (1, "damaged")
    assert told["message"].startswith(f"gpuprobe's own file {tmp_path}")
    assert "install gpuprobe again" in told["hint"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_no_encoding_of_the_output_is_a_reason_to_fail(tmp_path: Path, encoding: str) -> None:
    device = machines.a_geforce(name="显卡 Ω \udcff")
    machine = machines.evidence(
        an_outcome(device), machines.witnessed(device), machines.passed(device), host=machines.with_driver()
    )
    path = captured(machine, tmp_path)

    for arguments in (("list", "--all"), ("list", "--json"), ("validate",), ("env",)):
        ran = piped(*arguments, "--from", path, PYTHONIOENCODING=encoding)

        assert (ran.code, ran.err) == (0, "")
        assert ran.out


def test_the_path_in_a_variable_keeps_its_bytes() -> None:
    """A manifest whose name is not UTF-8 must be named to the Vulkan loader as the file system knows it."""
    written = BytesIO()
    out = TextIOWrapper(written, encoding="ascii")

    Screen(out, StringIO(), {}).write_exactly("export A='/\udcff'\n")

    assert written.getvalue() == b"export A='/\xff'\n"


def test_the_child_can_be_run_by_hand(tmp_path: Path) -> None:
    request = '{"backend": "vulkan", "purpose": "list", "candidates": ["libnothing.so"], "paths": [], "device": null}\n'

    done = subprocess.run(
        [*COMMAND, "runner"],
        input=request,
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    first, last = (loads(line) for line in done.stdout.splitlines())
    assert first["call"] == "load libnothing.so"
    assert last["failed"]["status"] == "not_loadable"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_on_a_full_disk_are_no_bug(option: str) -> None:
    done = shell('"$@" > /dev/full', option)

    assert done.returncode == 1
    assert (
        done.stderr == "Error: the answer could not be written: No space left on device; make room there, or write elsewhere\n"
    )


def test_a_capture_that_cannot_be_written_is_no_wrong_usage() -> None:
    done = shell('"$@"', "capture", "/dev/full")

    assert (done.returncode, done.stderr.split(":")[1]) == (1, " `/dev/full` could not be written")


def test_a_capture_is_read_from_standard_input(tmp_path: Path) -> None:
    file = captured(machines.two_geforces(), tmp_path)

    done = shell(f'"$@" < {file}', "list", "--from", "-")

    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "2 of 2 GPUs usable")
