"""`fleet` as installed: what it prints of forty machines, its exit codes, and what it makes of files that are none."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.documents import checked
from tests.cli.machines import HOSTILE
from tests.cli.terminal import COMMAND, Ran, environment, on_terminal, piped
from tests.fleet import forty
from tests.fleet.forms import FORMS
from tests.vulkan_world import missing

CLUSH = str(Path(sys.executable).with_name("clush"))
ALL = ("--expect", "n[01-40]")
TEXTS = {name: forty.text_of(name) for name in forty.NAMES}

TABLE = """\
289 of 290 GPUs usable on 37 machines; 3 of 40 gave no answer
MACHINES                    USABLE     GPU                      DRIVER
n[01-06,08-11,13-18,20-22,24-30,32-37,39-40]
                            8 of 8     NVIDIA H100 80GB HBM3    580.95.05
n07                         8 of 8     NVIDIA H100 80GB HBM3    570.86.15
n12                         7 of 8     NVIDIA H100 80GB HBM3    580.95.05
    0000:5d:00.0: CUDA does not work on it
n19                         no answer
    Segmentation fault (core dumped)
n23                         2 of 2     NVIDIA GeForce RTX 4090  580.95.05
n[31,38]                    no answer
    it left nothing
odd: n07: driver 570.86.15, the other 35 have 580.95.05
odd: n23: cards 2 x NVIDIA GeForce RTX 4090, the other 36 have 8 x NVIDIA H100
80GB HBM3
"""


def from_stdin(text: str, *arguments: str, **variables: str) -> Ran:
    done = subprocess.run(
        [*COMMAND, "fleet", *arguments],
        cwd="/",
        env=environment(**variables),
        input=text.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Ran(done.stdout.decode(), done.stderr.decode(), done.returncode)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("answers")
    for name, text in FORMS["named_files"](TEXTS).files.items():
        (folder / name).write_text(text)
    yield folder


def test_forty_machines_are_one_table_with_the_odd_ones_named(answers: Path) -> None:
    assert piped("fleet", str(answers)) == Ran(TABLE, "", 0)


def test_pipes_and_sockets_in_a_folder_are_no_machines(answers: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(answers, tmp_path / "answers")
    os.mkfifo(folder / "n50.json")
    (folder / "n51.json").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{folder}/n52.json")

        assert piped("fleet", str(folder)) == Ran(TABLE, "", 0)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_what_a_shell_hands_over_as_a_pipe_is_read_until_its_writer_ends(answers: Path) -> None:
    """Longer than a pipe holds, and with a pause in it."""
    script = 'exec "$@" <(cat "$0"; sleep 1; cat "$0")'
    command = ["bash", "-c", script, str(answers / "n01.json"), *COMMAND, "fleet", "--json"]
    done = subprocess.run(command, env=environment(), cwd="/", capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert checked("fleet", done.stdout)["summary"]["cards"] == 16


def test_a_pipe_into_which_nobody_writes_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    commands = (("fleet",), ("list", "--from"), ("doctor", "--log"), ("plan",))
    with ThreadPoolExecutor() as pool:  # each waits ten seconds for a writer
        ran = list(pool.map(lambda command: piped(*command, str(tmp_path / "pipe")), commands))

    assert [(each.code, each.out) for each in ran] == [(2, "")] * len(commands)
    assert all("nobody writes into this pipe" in each.err for each in ran[:3])
    assert "pipe is not a file" in ran[3].err


@pytest.mark.parametrize(("path", "because"), [("/dev/zero", "it is a device and not a file"), ("/none", "No such file")])
def test_what_is_no_file_is_named(path: str, because: str) -> None:
    ran = piped("fleet", path)

    assert (ran.code, ran.out) == (2, "")
    assert because in ran.err


def test_what_clush_pipes_is_the_same_table() -> None:
    assert from_stdin(FORMS["clush_lines"](TEXTS).text, *ALL).out == TABLE
    assert from_stdin(forty.ANSWERS.read_text(), *ALL, "-").out == TABLE


REMOTE = """#!/bin/sh
case "$1" in
n3) echo "ssh: connect to host n3 port 22: Connection refused" >&2; exit 255 ;;
n4) echo "bash: gpuprobe: command not found" >&2; exit 127 ;;
n5) echo rubbish ;;
n6) ;;
*) cat "$(dirname "$0")/document" ;;
esac
"""


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is run for each machine in the place of ssh."""
    program = tmp_path_factory.mktemp("remote") / "remote"
    program.write_text(REMOTE)
    program.chmod(0o755)
    program.with_name("document").write_text(TEXTS["n01"] + "\n")
    return program


def run_by(*tool: str) -> str:
    if shutil.which(tool[0]) is None:
        missing(f"`{tool[0]}`")
    """Both streams as a terminal shows them; pdsh's behind each other, because a complaint of it may cut a document in two."""
    apart = tool[0] == "pdsh"
    errors = subprocess.PIPE if apart else subprocess.STDOUT
    done = subprocess.run(tool, stdout=subprocess.PIPE, stderr=errors, text=True, timeout=60, check=False)
    return done.stdout + (done.stderr if apart else "")


@pytest.mark.parametrize(
    "tool",
    [(CLUSH,), (CLUSH, "-b"), (CLUSH, "-B"), (CLUSH, "-L"), ("pdsh",)],
    ids=lambda tool: " ".join((Path(tool[0]).name, *tool[1:])),
)
def test_a_real_tool_s_output_tells_every_machine_from_the_others(remote: Path, tool: tuple[str, ...]) -> None:
    text = run_by(*tool, "-R", "exec", "-w", "n[1-6]", str(remote), "%h")

    machines = checked("fleet", from_stdin(text, "--json", "--expect", "n[1-6]").out)["machines"]
    assert {each["name"]: each.get("usable") or each["problem"]["because"] for each in machines} == {
        "n1": 8,
        "n2": 8,
        "n3": "ssh: connect to host n3 port 22: Connection refused",
        "n4": "bash: gpuprobe: command not found",
        "n5": "rubbish",
        "n6": "it left nothing",
    }


def test_the_committed_answers_are_those_of_the_forty_machines() -> None:
    """`python -m tests.fleet.forty` writes them again."""
    assert forty.ANSWERS.read_text() == forty.folded()


def test_a_requirement_of_all_names_who_fails_and_who_is_silent(answers: Path) -> None:
    ran = piped("fleet", "--require", "count>=8", str(answers))

    lines = ran.out.splitlines()
    assert lines[0] == "requirement met by 35 of 40 machines, 2 do not meet it, 3 gave no answer"
    assert lines[-4:] == [
        "not met: n12: 7 usable devices, 8 needed (0000:5d:00.0: CUDA does not work on",
        "it)",
        "not met: n23: 2 usable devices, 8 needed",
        "no answer: n[19,31,38]",
    ]
    assert ran.code == 6


@pytest.mark.parametrize(
    ("require", "names", "code"),
    [("count>=2", ("n01", "n23"), 0), ("count>=8", ("n01", "n23"), 5), ("count>=8", ("n01", "n19", "n23"), 6)],
)
def test_it_ends_with_5_where_a_machine_fails_and_with_6_where_one_is_silent(
    require: str, names: tuple[str, ...], code: int
) -> None:
    text = FORMS["clush_lines"]({name: TEXTS[name] for name in names}).text

    ran = from_stdin(text, "--require", require, "--json")

    assert ran.code == code == checked("fleet", ran.out)["summary"]["exit_code"]


def test_without_a_requirement_it_has_answered() -> None:
    assert from_stdin("", "-").code == from_stdin("rubbish").code == 0


def test_the_document_holds_every_machine(answers: Path) -> None:
    document = checked("fleet", piped("fleet", "--json", "--require", "count>=8", str(answers)).out)

    by_name = {machine["name"]: machine for machine in document["machines"]}
    assert list(by_name) == list(forty.NAMES)
    assert by_name["n12"]["reasons"] == ["0000:5d:00.0: CUDA does not work on it"]
    assert by_name["n19"]["problem"] == {"reason": "no_document", "because": forty.RUBBISH_TEXT}
    assert document["requirement"]["not_met"] == ["n12", "n23"]
    assert document["requirement"]["no_answer"] == ["n19", "n31", "n38"]
    assert [each["machines"] for each in document["odd"]] == [["n07"], ["n23"]]
    assert document["groups"][0]["machines"] == 34


def test_the_document_is_the_same_bytes_as_any_other_would_be(answers: Path) -> None:
    """It is written piece by piece, so that ten thousand machines are never whole in memory."""
    line, shown = piped("fleet", "--json", str(answers)).out, on_terminal("fleet", "--json", str(answers), columns=200).raw

    assert line == json.dumps(json.loads(line)) + "\n"
    assert shown.replace("\r\n", "\n") == json.dumps(json.loads(line), indent=2) + "\n"


def test_a_narrow_terminal_gets_a_block_for_each_row(answers: Path) -> None:
    lines = piped("fleet", str(answers), COLUMNS="59").out.splitlines()

    assert "n07: 8 of 8 NVIDIA H100 80GB HBM3, driver 570.86.15" in lines
    assert max(map(len, lines)) <= 59


def test_many_rows_are_written_as_few_are(tmp_path: Path) -> None:
    """Above some hundreds they are drawn without colours, which is the same text."""
    texts = {f"n{number:03d}": TEXTS["n01"].replace("580.95.05", f"580.{number}") for number in range(250)}
    few = {name: texts[name] for name in list(texts)[:150]}

    many, some = (from_stdin(FORMS["clush_lines"](each).text).out.splitlines() for each in (texts, few))

    assert many[1:150] == some[1:150]
    assert len(many) == 252


def test_no_name_or_word_of_a_machine_reaches_the_terminal_as_a_code(tmp_path: Path) -> None:
    document = json.loads(TEXTS["n12"])
    document["cards"][3]["why"]["brief"] = HOSTILE
    document["host"]["name"] = HOSTILE
    document["devices"][0]["driver"]["kernel_version"] = HOSTILE
    (tmp_path / "a.json").write_text(json.dumps(document))
    (tmp_path / "b\x1b[31m.json").write_text("\x1b[31mrubbish")

    for arguments in ((), ("--json",), ("--format", "csv"), ("--format", "prometheus"), ("--require", "count>=9")):
        ran = piped("fleet", *arguments, str(tmp_path))
        assert ran.code in (0, 6)
        assert "\x1b" not in ran.out + ran.err
    assert "\x1b[31m" not in on_terminal("fleet", "--no-color", str(tmp_path)).raw


def test_a_file_that_is_not_there_is_wrong_usage() -> None:
    ran = piped("fleet", "/nonexistent/answers")

    assert (ran.out, ran.code) == ("", 2)
    assert ran.err == "Error: `/nonexistent/answers`: No such file or directory; as in `gpuprobe fleet answers/`\n"


def test_without_files_a_terminal_is_not_waited_for() -> None:
    seen = on_terminal("fleet", columns=200)

    assert seen.code == 2
    assert "standard input is a terminal" in seen.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--group", "colour"), "`--group colour`: it takes all, machine, gpu, driver, why"),
        (("--sort", "free"), "`--sort free`: it takes machine, usable, driver, why"),
        (("--format", "xml"), "`--format xml`: it takes csv, prometheus"),
        (("--json", "--format", "csv"), "`--json` and `--format` exclude each other"),
        (("--expect", "n[1-"), "`--expect n[1-`: these are not names of machines"),
        (("--require", "vram>1"), "did you mean `total` or `free`?"),
    ],
)
def test_what_cannot_be_meant_is_answered_with_what_can(arguments: tuple[str, ...], said: str) -> None:
    ran = piped("fleet", *arguments, "/")

    assert ran.code == 2
    assert said in ran.out + ran.err


def test_what_cannot_be_read_in_a_directory_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "n1.json").write_text(TEXTS["n01"])
    (tmp_path / "n2.json").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "n3.json")  # nobody writes: it would be waited for without an end
    (tmp_path / ".n4.json.swp").write_text("hidden")
    (tmp_path / "n5").write_bytes(os.urandom(4096).replace(b"\n", b""))

    machines = checked("fleet", piped("fleet", "--json", str(tmp_path)).out)["machines"]

    assert [machine["name"] for machine in machines] == ["n1", "n2", "n5"]
    assert machines[1]["problem"]["because"] == "its file cannot be read: No such file or directory"


def test_who_waits_for_files_is_told_how_far_it_is(tmp_path: Path) -> None:
    first, late = tmp_path / "n1.json", tmp_path / "late"
    first.write_text(TEXTS["n01"])
    os.mkfifo(late)
    slow = ["timeout", "60", "sh", "-c", f"sleep 2; cat {first} > {late}"]

    with subprocess.Popen(slow):
        seen = on_terminal("fleet", str(first), str(late), columns=200)

    assert "reading, 1 so far: " in seen.raw
    assert seen.lines[0] == "16 of 16 GPUs usable on 2 machines"


def test_a_document_of_this_machine_names_it_and_fleet_finds_the_name() -> None:
    document = piped("list", "--json").out

    (machine,) = checked("fleet", from_stdin(document, "--json").out)["machines"]
    assert machine["name"] == checked("list", document)["host"]["name"] == os.uname().nodename


def test_the_document_of_a_capture_names_no_machine() -> None:
    document = checked("list", piped("list", "--json", "--from", str(forty.SCENARIOS / "eight-cards" / "capture.json")).out)

    assert "name" not in document["host"]


def test_documents_of_validate_are_rows_too() -> None:
    broken = str(forty.SCENARIOS / "cuda-refuses-vulkan-works" / "capture.json")
    document = piped("validate", "--json", "--from", broken).out

    (machine,) = checked("fleet", from_stdin(f"n1: {document}", "--json").out)["machines"]
    assert (machine["document"], machine["answered"], machine["name"]) == ("validate", True, "n1")
    assert machine["reasons"]


def test_a_name_that_no_file_can_have_is_wrong_usage() -> None:
    ran = piped("fleet", "a" * 300)

    assert ran.code == 2
    assert "File name too long" in ran.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look as somebody else")
def test_a_file_that_may_not_be_looked_for_is_wrong_usage_too(tmp_path: Path) -> None:
    """`Path.is_dir` raises PermissionError where the folder is closed."""
    program = "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
    program += "from gpuprobe.exits import WrongUsage\n"
    program += f"try: list(__import__('gpuprobe.command.fleet_files').command.fleet_files.found_in(['{tmp_path}/x/y.json']))\n"
    program += "except WrongUsage as wrong: print(wrong)\n"
    (tmp_path / "x").mkdir(mode=0o700)
    preloaded = f"import gpuprobe.command.fleet_files\n{program}"

    said = subprocess.run([sys.executable, "-c", preloaded], capture_output=True, text=True, check=False)

    assert "Permission denied" in said.stdout


@pytest.mark.parametrize("rubbish", [[], {}, ["ok"], 7, None])
def test_a_requirement_is_asked_of_a_document_with_rubbish_in_it(rubbish: object) -> None:
    document = json.loads(TEXTS["n01"]) | {
        "devices": [],
        "probes": [{"status": rubbish, "purpose": rubbish, "library": rubbish}],
    }

    ran = from_stdin(json.dumps(document), "--require", "count>=1")

    assert (ran.code, ran.err) == (5, "")
