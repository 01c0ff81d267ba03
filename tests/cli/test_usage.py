"""Wrong usage: one line that says what was given, what is accepted and an example; with --json, one document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli import machines
from tests.cli.documents import checked
from tests.cli.machines import captured
from tests.cli.terminal import piped

WRONG = {
    "an option that does not exist": ["list", "--jsno"],
    "a command that does not exist": ["lst"],
    "an option without its value": ["list", "--timeout"],
    "a value for a flag": ["list", "--all=yes"],
    "a time limit in words": ["list", "--timeout", "soon"],
    "a time limit of nothing": ["list", "--timeout", "0"],
    "a time limit that is no number": ["list", "--deadline", "nan"],
    "a time limit without end": ["list", "--deadline", "inf"],
    "an unknown library": ["list", "--library", "openxl"],
    "an empty library": ["list", "--library", ","],
    "an unknown order": ["list", "--sort", "name"],
    "a requirement in words": ["list", "--require", "plenty"],
    "one argument too many": ["list", "CUDA:0", "CUDA:1"],
    "an unknown shell": ["env", "--shell", "elvish"],
    "no file to capture into": ["capture"],
    "no shell to complete for": ["completion"],
    "a shell without a script": ["completion", "tcsh"],
    "a capture of a capture": ["capture", "a.json", "--from", "b.json"],
    "a capture that is not there": ["list", "--from", "/nonexistent.json"],
    "a capture that is a device": ["list", "--from", "/"],
    "escape codes": ["list", "\x1b[31m"],
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_wrong_usage_is_one_line_on_standard_error_and_code_2(arguments: list[str], tmp_path: Path) -> None:
    more = [] if "--from" in arguments or arguments[0] == "capture" else ["--from", captured(machines.no_gpu(), tmp_path)]

    ran = piped(*arguments[:1], *more, *arguments[1:])

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Error: ")
    assert ran.err.count("\n") == 1
    assert "\x1b" not in ran.err
    assert "`" in ran.err


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_wrong_usage_with_json_is_one_document(arguments: list[str], tmp_path: Path) -> None:
    more = [] if "--from" in arguments or arguments[0] == "capture" else ["--from", captured(machines.no_gpu(), tmp_path)]

    ran = piped("--json", *arguments[:1], *more, *arguments[1:])

    document = checked("error", ran.out)
    assert (ran.code, ran.err) == (2, "")
    assert document["error"]["code"] == "wrong_usage"
    assert document["error"]["exit_code"] == 2


def test_a_mistyped_command_is_answered_with_the_right_one() -> None:
    assert "Did you mean `validate`?" in piped("validat").err


@pytest.mark.parametrize(
    ("arguments", "accepted"),
    [
        (["lst"], "Did you mean `list`? Commands: list, validate, doctor, flash-attn, env, "),
        (["CUDA:0"], "to see one device: `gpuprobe list CUDA:0`"),
        (
            ["list", "a", "b"],
            "takes one DEVICE, and `b` is too many; usage: `gpuprobe list [OPTION]... [DEVICE]`, for example ",
        ),
        (["capture"], "usage: `gpuprobe capture [OPTION]... FILE`, for example `gpuprobe capture machine.json`; "),
        (["validate", "--jsno"], "has no option `--jsno`. Did you mean `--json`? `gpuprobe validate --help` shows the options"),
        (["env", "--library"], "`--library NAME`: ask only these libraries (cuda or nvidia"),
        (["--timeout"], "`--timeout SECONDS`: how long one library may take"),
        (["list", "--all=yes"], "`--all`: also every library"),
    ],
)
def test_a_command_line_that_cannot_be_read_is_answered_with_one_that_can(arguments: list[str], accepted: str) -> None:
    assert accepted in piped(*arguments).err


@pytest.mark.parametrize("device", ["GPU-00000000", "0000:09:00.0", "CUDA:7", "7", "GPU"])
def test_a_device_that_is_not_there_is_answered_with_those_that_are(device: str, tmp_path: Path) -> None:
    ran = piped("env", device, "--from", captured(machines.two_geforces(), tmp_path))

    assert (ran.code, ran.out) == (2, "")
    assert "there is CUDA:0, CUDA:1" in ran.err
    assert "GPU-11111111-2222-3333-4444-555555555555" not in ran.err, "ids are told by `gpuprobe list`"


@pytest.mark.parametrize(
    ("arguments", "instead"),
    [
        (["watch"], "`gpuprobe refresh --watch`"),
        (["top"], "`gpuprobe refresh --watch`"),
        (["list", "--watch"], "`gpuprobe refresh --watch`"),
        (["why"], "`gpuprobe doctor` says why a GPU is not used"),
        (["ollama"], "`gpuprobe doctor --for ollama` says whether it computes"),
        (["ps"], "`gpuprobe running` says"),
        (["status"], "`gpuprobe list` shows the GPUs"),
        (["list", "--format", "json"], "for example `gpuprobe list --json`"),
        (["env", "--format", "json"], "`gpuprobe env --json`"),
        (["validate", "--step", "copyy"], "did you mean `copy`?"),
        (["list", "--timeout", "5s"], "for example `--timeout 5`"),
        (["list", "--timeout", "1e9"], "less than 1000000"),
        (["doctor", "ollama"], "`gpuprobe doctor --for ollama` says whether it computes on a GPU here"),
        (["list", "Torch"], "`gpuprobe doctor --for torch` says"),
        (["list", "--require", "free=>20GiB"], "did you mean `free>=20GiB`?"),
        (["list", "--require", "vram>=20GiB"], "did you mean `total` or `free`?"),
        (["list", "--require", "free>=20"], "`free` needs a unit; for example `free>=20GiB`"),
        (["env", "sh", "-c", "exit"], "put `--` before a command: `gpuprobe env -- sh -c exit`"),
    ],
)
def test_what_people_type_leads_to_what_they_mean(arguments: list[str], instead: str) -> None:
    ran = piped(*arguments)

    assert ran.code == 2
    assert instead in ran.err
    assert "?;" not in ran.err


def test_a_suggestion_that_is_far_off_is_none() -> None:
    assert "Did you mean" not in piped("list", "--bogus").err


@pytest.mark.parametrize(("given", "meant"), [("CUDA0", "CUDA:0"), ("gpu1", "CUDA:1")])
def test_a_device_in_another_tools_words_is_recognised(given: str, meant: str, tmp_path: Path) -> None:
    ran = piped("list", given, "--from", captured(machines.two_geforces(), tmp_path))

    assert f"did you mean `{meant}`?" in ran.err


def test_a_program_without_the_two_dashes_is_told_where_they_go(tmp_path: Path) -> None:
    ran = piped("env", "sh", "train.sh", "--from", captured(machines.two_geforces(), tmp_path))

    assert "put `--` before a command: `gpuprobe env -- sh train.sh`" in ran.err


@pytest.mark.parametrize("step", ["CTX", "ctx", "SPEED", "Copy"])
def test_a_step_is_taken_as_the_matrix_heads_it(step: str, tmp_path: Path) -> None:
    assert piped("validate", "--step", step, "--from", captured(machines.two_geforces(), tmp_path)).code != 2


@pytest.mark.parametrize(("words", "told"), [(["help"], "Usage: gpuprobe"), (["help", "env"], "Usage: gpuprobe env")])
def test_help_is_a_word_too(words: list[str], told: str) -> None:
    ran = piped(*words)

    assert (ran.code, ran.err) == (0, "")
    assert told in ran.out


@pytest.mark.parametrize("word", ["version", "-V"])
def test_version_is_told_however_it_is_asked_for(word: str) -> None:
    assert piped(word).out == "gpuprobe 0.1.0\n"


def test_an_answer_of_json_is_refused_as_a_capture(tmp_path: Path) -> None:
    answer = tmp_path / "answer.json"
    answer.write_text(piped("--json", "--from", captured(machines.no_gpu(), tmp_path)).out)

    ran = piped("list", "--from", str(answer))

    assert ran.code == 2
    assert "an answer of `--json`" in ran.err


def test_damaged_captures_are_wrong_usage_and_never_a_traceback(tmp_path: Path) -> None:
    good = Path(captured(machines.two_geforces(), tmp_path)).read_text()
    damaged = tmp_path / "damaged.json"

    for content in (
        good[:500],
        "",
        "[]",
        "null",
        good.replace('"CUDA"', '"CUDO"'),
        good.replace('"ok"', "7"),
        "\0" * 100,
    ):
        damaged.write_text(content)
        ran = piped("list", "--json", "--from", str(damaged))

        assert ran.code == 2, content[:80]
        assert checked("error", ran.out)["error"]["exit_code"] == 2
        assert "Traceback" not in ran.err


def test_options_may_stand_before_the_command(tmp_path: Path) -> None:
    path = captured(machines.two_geforces(), tmp_path)

    assert piped("--json", "--from", path, "env").out == piped("env", "--json", "--from", path).out
    assert piped("--json", "--from", path).out == piped("list", "--from", path, "--json").out
    assert piped("--all", "--from", path).out == piped("list", "--all", "--from", path).out


@pytest.mark.parametrize("arguments", [("--version",), ("list", "--version"), ("--json", "--version")])
def test_the_version_is_told_wherever_it_is_asked_for(arguments: tuple[str, ...]) -> None:
    ran = piped(*arguments)

    assert (ran.out, ran.code) == ("gpuprobe 0.1.0\n", 0)


@pytest.mark.parametrize("command", ["list", "validate", "flash-attn", "env", "capture", "refresh"])
def test_the_help_of_every_command_says_when_to_use_it_and_shows_an_example(command: str) -> None:
    ran = piped(command, "--help")

    assert ran.code == 0
    assert "Use it " in ran.out
    assert f"gpuprobe {command}" in ran.out.partition("Example")[2]


def test_no_commands_summary_is_cut_in_the_help() -> None:
    assert [line for line in piped("--help").out.splitlines() if line.endswith("...") and "Usage" not in line] == []


def test_the_help_lists_every_exit_code_and_hides_the_child() -> None:
    ran = piped("--help")

    for code in (0, 1, 2, 3, 4, 5, 6, 130):
        assert f"\n{code:>7}  " in ran.out
    assert "runner" not in ran.out


def test_library_names_are_taken_in_any_spelling_and_from_lists(tmp_path: Path) -> None:
    path = captured(machines.two_geforces(), tmp_path)

    ran = piped("--json", "--from", path, "--library", "Level-Zero,VULKAN", "--library", "levelzero")

    asked = {probe["library"] for probe in json.loads(ran.out)["probes"] if probe["purpose"] == "list"}
    assert asked == {"Level Zero", "Vulkan"} | (asked & {"NVML"})
