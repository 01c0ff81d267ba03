"""`gpuprobe doctor` as a person meets it: through pipes and on a terminal, with logs, and with values that are wrong."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import COMMAND, REPOSITORY, SECONDS, environment, on_terminal, piped

SCENARIOS = REPOSITORY / "tests" / "scenarios"


def of(machine: str) -> tuple[str, str]:
    return "--from", str(SCENARIOS / machine / "capture.json")


def document(*arguments: str) -> Any:
    return json.loads(piped("doctor", "--json", *arguments).out)


def with_log(text: bytes, machine: str = "amd-vulkan-only") -> str:
    done = subprocess.run(
        [*COMMAND, "doctor", "--log", "-", *of(machine)],
        cwd="/",
        env=environment(),
        input=text,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    return done.stdout.decode()


@pytest.mark.parametrize(
    ("machine", "code"), [("amd-vulkan-only", 0), ("nothing-at-all", 0), ("cuda-init-999", 4), ("cuda-times-out", 6)]
)
def test_the_exit_code_says_whether_a_gpu_is_blocked_or_nobody_can_tell(machine: str, code: int) -> None:
    assert piped("doctor", *of(machine)).code == code


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("machine", ["mixed-front-page", "hostile-names", "wheels-that-lack-a-card"])
def test_no_line_is_longer_than_the_terminal(machine: str, columns: int) -> None:
    ran = piped("doctor", *of(machine), COLUMNS=str(columns))

    assert max(map(len, ran.out.splitlines())) <= columns
    assert "\x1b" not in ran.out


def test_a_terminal_shows_the_same_words_as_a_pipe() -> None:
    seen = on_terminal("doctor", *of("cuda-init-999"), columns=80)

    assert seen.text.split() == piped("doctor", *of("cuda-init-999"), COLUMNS="80").out.split()
    assert seen.code == 4


def test_a_symptom_is_not_told_beside_its_cause() -> None:
    said = piped("doctor", *of("docker-without-gpus")).out

    assert said.count("docker container started without it") == 2  # the first line, and the ladder
    assert "CUDA did not load (by ctr-no-gpu-flag)" in said


def test_a_better_library_that_fell_away_is_a_finding() -> None:
    (found,) = document(*of("cuda-refuses-vulkan-works"))["findings"]

    assert (found["id"], found["severity"], found["library"]) == ("better-library-lost", "degraded", "CUDA")
    assert "CUDA_ERROR_NO_BINARY_FOR_GPU (209)" in found["sentence"]


def test_what_list_notes_is_not_lost_in_doctor_and_not_told_twice() -> None:
    said = piped("doctor", *of("laptop-asleep")).out

    assert "note: 0000:01:00.0 was asleep" in said
    assert "note:" not in piped("doctor", *of("cuda-refuses-vulkan-works")).out
    assert "note:" not in piped("doctor", "--skip", "I", *of("laptop-asleep")).out


def test_the_names_of_a_card_stand_in_verbose_text_and_in_the_document() -> None:
    (card,) = document(*of("amd-vulkan-only"))["identities"]

    names = {each["by"]: each for each in card["names"]}

    assert set(names) >= {"Vulkan raw", "Vulkan listed", "DRM", "llama.cpp"}
    assert (names["DRM"]["number"], names["llama.cpp"]["name"]) == (128, "Vulkan0")
    assert "llama.cpp 0: Vulkan0" in piped("doctor", "-v", *of("amd-vulkan-only")).out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('msg="inference compute" id=cpu library=cpu total="62.7 GiB"', "the program chose the CPU"),
        ("routes.go:1021: no GPU detected", "the program found no GPU"),
        ('msg="no compatible GPUs were discovered"', "the program found no GPU"),
        ('msg="failure during GPU discovery" error="failed to finish discovery before timeout"', "did not answer in time"),
        ("cuda driver library init failure: 999", "the driver failed"),
        ("warning: no usable GPU found, --gpu-layers option will be ignored", "built without a GPU backend"),
        ("ggml_cuda_init: failed to initialize CUDA: no CUDA-capable device is detected", "the program found no GPU"),
        ("cudaMalloc failed: out of memory", "memory was not enough"),
        ("load_tensors: offloaded 0/33 layers to GPU", "none of 33 layers"),
        ("load_tensors: offloaded 20/33 layers to GPU", "20 of 33 layers"),
        ("load_tensors: offloaded 33/33 layers to GPU", "all 33 layers are on a GPU"),
    ],
)
def test_a_log_of_every_generation_is_understood(line: str, said: str) -> None:
    assert said in " ".join(with_log(line.encode()).split())


@pytest.mark.parametrize("rubbish", [b"", b"\x00\xff\x1b[31m" * 2000, b"a" * 3_000_000, b"offloaded 99999/0 layers\n" * 9])
def test_a_log_that_says_nothing_is_said_to_and_nothing_of_it_reaches_the_terminal(rubbish: bytes) -> None:
    said = with_log(rubbish)

    assert said.startswith("1 of 1 GPU usable")
    assert "\x1b" not in said and "Traceback" not in said


def test_one_complaint_in_two_lines_is_told_once() -> None:
    said = with_log(b"warning: no usable GPU found, x\nwarning: llama.cpp was compiled without GPU support\n")

    assert "Also seen" not in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("--only", "nonsense"),
        ("--skip", "Z"),
        ("--fail-on", "info"),
        ("--as", "nobody-of-this-name"),
        ("--log", "/nonexistent"),
        ("--log", "/"),
        ("--explain", "nv-xid"),
        ("--as", "1", *of("wsl2")),
        ("CUDA:9", *of("wsl2")),
    ],
)
def test_a_wrong_value_is_an_error_of_usage_with_a_hint(arguments: tuple[str, ...]) -> None:
    ran = piped("doctor", *arguments)

    assert ran.code == 2
    assert "; " in ran.err and ran.out == ""


def test_fail_on_degraded_makes_a_slower_card_a_failure() -> None:
    assert piped("doctor", "--fail-on", "degraded", *of("cuda-refuses-vulkan-works")).code == 4
    assert piped("doctor", *of("cuda-refuses-vulkan-works")).code == 0


def test_skipping_the_cause_leaves_its_symptom_and_only_leaves_it_alone() -> None:
    skipped = document("--skip", "nv-uvm-not-loaded", *of("cuda-init-999"))["findings"]
    only = document("--only", "B", *of("cuda-init-999"))["findings"]

    assert [each["id"] for each in skipped] == ["init-failed"]
    assert [each["id"] for each in only] == ["nv-uvm-not-loaded"]


def test_markdown_cannot_be_broken_out_of_by_a_name() -> None:
    said = piped("doctor", "--markdown", *of("hostile-names")).out

    assert said.startswith("**2 of 2 GPUs usable**")
    assert "[bold]" not in said.replace("\\[bold\\]", "")


@pytest.mark.parametrize("program", ["ollama", "llama.cpp", "torch", "something-else"])
def test_a_program_that_is_not_here_is_said_not_to_be(program: str) -> None:
    assert f"{document('--for', program, *of('amd-vulkan-only'))['programs'][0]['computes']}" == "None"


def test_list_leads_on_and_q_and_json_do_not() -> None:
    usable, blocked = of("amd-vulkan-only"), of("cuda-init-999")

    assert piped("list", *usable).out.splitlines()[-1].endswith("`gpuprobe doctor --for ollama`")
    assert piped("list", *blocked).out.splitlines()[-1].endswith("`gpuprobe doctor`")
    assert "gpuprobe doctor" not in piped("list", "-q", *usable).out + piped("list", "--json", *usable).out
    assert "gpuprobe doctor" not in piped("list", *of("nothing-at-all")).out


def test_the_process_of_another_with_other_variables_is_told_apart(tmp_path: Path) -> None:
    sleeper = subprocess.Popen(["sleep", "60"], env=environment(CUDA_VISIBLE_DEVICES="-1"), cwd=tmp_path)
    try:
        found = document("--as", str(sleeper.pid), "--timeout", "5")["findings"]
    finally:
        sleeper.kill()
        sleeper.wait()

    told = [each for each in found if each["id"] == "ollama-env-not-in-service"]
    assert "`CUDA_VISIBLE_DEVICES` is `-1` there and not set here" in told[0]["sentence"]
