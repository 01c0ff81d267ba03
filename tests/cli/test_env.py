"""What `env` selects, how it is used in shells and in front of a program, and what it answers where it cannot."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gpuprobe.model import DeviceType, Evidence, GiB
from tests.cli import machines
from tests.cli.documents import checked
from tests.cli.machines import captured
from tests.cli.terminal import COMMAND, environment, piped
from tests.doubles import cuda_driver, described, nvml_driver, script
from tests.records import a_device, an_outcome
from tests.shells import SHELLS
from tests.vulkan_world import World, world

A, B, C = (f"GPU-00000000-0000-0000-0000-00000000000{letter}" for letter in "abc")
GEFORCE = "NVIDIA GeForce RTX 4090"
CARDS = (
    described(name=GEFORCE, uuid=A, pci="0000:01:00.0", memory=24 << 30, free=20 << 30),
    described(name=GEFORCE, uuid=B, pci="0000:02:00.0", memory=24 << 30, free=23 << 30),
    described(name=GEFORCE, uuid=C, pci="0000:03:00.0", memory=24 << 30, free=9 << 30),
)


def nvidia(*lines: str) -> dict[str, str]:
    return {"LD_LIBRARY_PATH": f"{cuda_driver().parent}:{nvml_driver().parent}", "FAKE_CUDA": script(*lines)}


def without_vulkan(folder: Path) -> dict[str, str]:
    return {"VK_DRIVER_FILES": str(folder / "none.json")}


@pytest.fixture
def three(tmp_path: Path) -> dict[str, str]:
    """A machine with three cards and no Vulkan driver."""
    return {**nvidia(*CARDS), **without_vulkan(tmp_path)}


@pytest.fixture
def two(tmp_path: Path) -> str:
    return captured(machines.two_geforces(), tmp_path)


# --- which devices


def selection(*arguments: str, **variables: str) -> list[str]:
    document = checked("env", piped("env", "--json", *arguments, **variables).out)
    (value,) = [each["value"] for each in document["variables"] if each["name"] == "CUDA_VISIBLE_DEVICES"]
    assert [device["id"] for device in document["devices"]] == value.split(",")
    return [str(token) for token in value.split(",")]


def test_count_takes_those_with_most_free_memory_in_that_order(three: dict[str, str]) -> None:
    assert selection("--count", "2", **three) == [B, A]
    assert selection("--count", "1", "CUDA:0", "CUDA:2", **three) == [A]
    assert selection(**three) == [A, B, C]


def test_min_free_leaves_out_what_has_less(three: dict[str, str]) -> None:
    assert selection("--min-free", "20GiB", **three) == [A, B]
    assert selection("--min-free", "23 GB", **three) == [B]
    assert selection("--min-free", "8GiB", "--count", "2", **three) == [B, A]


def test_gb_and_gib_differ(three: dict[str, str]) -> None:
    assert selection("--min-free", "24GB", **three) == [B]
    assert piped("env", "--min-free", "24GiB", **three).code == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--count", "4"), "not enough devices: 4 needed, 3 usable devices"),
        (
            ("--count", "3", "--min-free", "20GiB"),
            "not enough devices: 3 needed, 2 of 3 usable devices with 20.0 GiB free",
        ),
        (
            ("CUDA:2", "--min-free", "10GiB"),
            "not enough devices: 1 needed, none of 1 usable device with 10.0 GiB free",
        ),
    ],
)
def test_too_few_is_3_and_says_how_many_there_are(arguments: tuple[str, ...], said: str, three: dict[str, str]) -> None:
    ran = piped("env", *arguments, **three)
    document = checked("env", piped("env", "--json", *arguments, **three).out)

    assert (ran.code, ran.out, ran.err) == (3, "", f"Error: {said}\n")
    assert (document["summary"]["text"], document["summary"]["exit_code"]) == (said, 3)
    assert (document["devices"], document["variables"]) == ([], [])


def test_a_device_whose_free_memory_is_unknown_is_not_selected_and_leaves_a_doubt(tmp_path: Path) -> None:
    known = machines.a_geforce()
    silent = machines.a_geforce(number=1, pci_id=machines.SECOND, uuid="GPU-2", free_memory=None)
    machine = machines.evidence(
        an_outcome(known, silent), machines.passed(known), machines.passed(silent), host=machines.with_driver()
    )
    path = captured(machine, tmp_path)

    assert selection("--min-free", "1GiB", "--from", path) == [known.uuid]
    ran = piped("env", "--min-free", "1GiB", "--count", "2", "--from", path)
    assert (ran.code, ran.out) == (6, "")
    assert ran.err.endswith("1 of 2 usable devices with 1.0 GiB free; how much is free on 1 of them is unknown\n")
    assert piped("env", "--min-free", "1GiB", "--count", "3", "--from", path).code == 3


def test_too_few_while_a_card_is_in_doubt_cannot_be_decided(tmp_path: Path) -> None:
    first, second = machines.a_geforce(), machines.a_geforce(number=1, pci_id=machines.SECOND, uuid="GPU-2")
    machine = machines.evidence(
        an_outcome(first, second), machines.passed(first), machines.hung(second), host=machines.with_driver()
    )
    path = captured(machine, tmp_path)

    assert piped("env", "--count", "2", "--from", path).code == 6
    assert piped("env", "--count", "1", "--from", path).code == 0
    assert piped("env", "CUDA:0", "--count", "2", "--from", path).code == 3


def test_integrated_ones_come_after_discrete_ones_however_much_is_free(tmp_path: Path) -> None:
    small = a_device("Vulkan", name="one", pci_id="0000:01:00.0", uuid=A, free_memory=2 * GiB)
    big = a_device(
        "Vulkan", name="two", number=1, pci_id="0000:00:02.0", uuid=B, type=DeviceType.INTEGRATED, free_memory=60 * GiB
    )
    host = machines.a_workstation(libraries=machines.VULKAN_LOADER)
    machine = machines.evidence(an_outcome(small, big), machines.passed(small), machines.passed(big), host=host)

    ran = piped("env", "--count", "1", "--from", captured(machine, tmp_path))

    assert ran.out == "export GGML_VK_VISIBLE_DEVICES='0'\n"


def a_radeon_beside_a_geforce() -> Evidence:
    geforce = machines.a_geforce()
    good = a_device("ROCm", pci_id=machines.RADEON, uuid="GPU-aaaaaaaaaaaaaaaa")
    bad = a_device("ROCm", number=1, pci_id="0000:0c:00.0", uuid="GPU-bbbbbbbbbbbbbbbb")
    host = machines.a_workstation(
        libraries=(*machines.NVIDIA_DRIVER, *machines.installed("libamdhip64.so.6")),
        environ={"HIP_VISIBLE_DEVICES": "0,1"},
    )
    outcomes = (machines.passed(geforce), machines.passed(good), machines.refused(bad))
    return machines.evidence(an_outcome(geforce), an_outcome(good, bad), *outcomes, host=host)


@pytest.fixture
def mixed(tmp_path: Path) -> str:
    return captured(a_radeon_beside_a_geforce(), tmp_path)


def test_required_says_only_what_keeps_a_library_from_a_card_that_crashes_it(mixed: str) -> None:
    everything = piped("env", "--from", mixed).out.splitlines()
    required = piped("env", "--required", "--from", mixed).out.splitlines()

    assert [line for line in everything if line.startswith("export CUDA_VISIBLE_DEVICES=")]
    assert "export ROCR_VISIBLE_DEVICES='GPU-aaaaaaaaaaaaaaaa'" in required
    assert not [line for line in required if "CUDA" in line]
    assert {line.split()[1].partition("=")[0] for line in required} == {
        "ROCR_VISIBLE_DEVICES",
        "HIP_VISIBLE_DEVICES",
        "GPU_DEVICE_ORDINAL",
    }


def test_required_hides_all_of_a_crash_prone_library_whose_devices_are_not_chosen(mixed: str) -> None:
    assert "export ROCR_VISIBLE_DEVICES='-1'" in piped("env", "CUDA:0", "--required", "--from", mixed).out.splitlines()


def test_where_no_library_is_crash_prone_nothing_is_required(two: str) -> None:
    ran = piped("env", "--required", "--from", two)

    assert (ran.code, ran.out, ran.err) == (0, "", "note: none of these devices needs a variable\n")
    assert piped("env", "--required", "-q", "--from", two).err == ""


# --- forms


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        (("--shell", "fish"), "set -gx CUDA_VISIBLE_DEVICES 'GPU-9"),
        (("--shell", "tcsh"), "setenv CUDA_VISIBLE_DEVICES 'GPU-9"),
        (("--shell", "pwsh"), "$env:CUDA_VISIBLE_DEVICES = 'GPU-9"),
        (("--shell", "cmd"), 'set "CUDA_VISIBLE_DEVICES=GPU-9'),
        (("--format", "dotenv"), "CUDA_VISIBLE_DEVICES=GPU-9"),
        (("--format", "docker"), "CUDA_VISIBLE_DEVICES=GPU-9"),
        (("--format", "compose"), 'environment:\n  CUDA_VISIBLE_DEVICES: "GPU-9'),
        (("--format", "systemd"), '[Service]\nEnvironment="CUDA_VISIBLE_DEVICES=GPU-9'),
    ],
)
def test_each_form_is_written_where_it_is_asked_for(arguments: tuple[str, ...], first: str, two: str) -> None:
    ran = piped("env", "CUDA:1", *arguments, "--from", two)

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(first)


def test_the_users_own_shell_is_the_default(two: str) -> None:
    assert piped("env", "--from", two, SHELL="/usr/bin/fish").out.startswith("set -gx ")
    assert piped("env", "--from", two, SHELL="/bin/ksh").out.startswith("export ")
    assert piped("env", "--shell", "sh", "--from", two, SHELL="/usr/bin/fish").out.startswith("export ")


def test_a_file_that_cannot_unset_a_variable_says_so_on_standard_error(mixed: str) -> None:
    for form in ("dotenv", "docker", "compose"):
        ran = piped("env", "ROCm:0", "--required", "--format", form, "--from", mixed)

        assert ran.code == 0
        assert "GPU_DEVICE_ORDINAL" not in ran.out
        assert "cannot unset" in ran.err and "`GPU_DEVICE_ORDINAL`" in ran.err
    assert "UnsetEnvironment=GPU_DEVICE_ORDINAL" in piped("env", "ROCm:0", "--format", "systemd", "--from", mixed).out


@pytest.mark.parametrize("form", [("--shell", "csh"), ("--shell", "powershell"), ("--shell", "cmd"), ("--format", "docker")])
def test_a_value_that_a_form_cannot_carry_is_wrong_usage_and_prints_nothing(tmp_path: Path, form: tuple[str, str]) -> None:
    path = captured(machines.a_hostile_machine(), tmp_path)

    ran = piped("env", "CUDA:0", *form, "--from", path)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert "the value of `CUDA_VISIBLE_DEVICES` has a " in ran.err
    assert "\x1b" not in ran.err


# --- undoing


def test_unset_undoes_everything_that_can_have_been_set_and_asks_nothing() -> None:
    ran = piped("env", "--unset", LD_LIBRARY_PATH=str(cuda_driver().parent), FAKE_CUDA="hang load", VK_DRIVER_FILES="/nowhere")

    names = [line.removeprefix("unset ") for line in ran.out.splitlines()]
    assert (ran.code, ran.err) == (0, "")
    assert set(names) >= {
        "CUDA_VISIBLE_DEVICES",
        "ROCR_VISIBLE_DEVICES",
        "HIP_VISIBLE_DEVICES",
        "GPU_DEVICE_ORDINAL",
        "ZE_AFFINITY_MASK",
        "GGML_VK_VISIBLE_DEVICES",
        "VK_DRIVER_FILES",
    }
    assert len(set(names)) == len(names)


def test_unset_covers_what_is_set_on_a_machine_with_everything(mixed: str, two: str) -> None:
    undone = {line.split()[1] for line in piped("env", "--unset").out.splitlines()}

    for path in (mixed, two):
        document = checked("env", piped("env", "--json", "--from", path).out)
        assert {each["name"] for each in document["variables"]} <= undone


def test_unset_can_be_of_one_library_and_is_a_document_too() -> None:
    assert piped("env", "--unset", "--library", "cuda").out == "unset CUDA_VISIBLE_DEVICES\n"
    assert piped("env", "--unset", "--shell", "fish", "--library", "cuda").out == "set -e CUDA_VISIBLE_DEVICES\n"
    document = checked("env", piped("env", "--unset", "--json", "--library", "cuda").out)
    assert document["variables"] == [{"name": "CUDA_VISIBLE_DEVICES", "value": None, "action": "unset"}]


def test_a_form_that_cannot_unset_cannot_undo() -> None:
    ran = piped("env", "--unset", "--format", "dotenv")

    assert (ran.code, ran.out) == (2, "")
    assert "a dotenv file can only set variables" in ran.err


# --- in real shells


def in_shell(shell: str, script_: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    return SHELLS[shell].run(script_, cwd, **{**environment(), **variables})


def program(*arguments: str) -> str:
    return shlex.join([*COMMAND, "env", *arguments])


@pytest.mark.parametrize("use", ["evaluate", "source"])
@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_that_evaluates_it_has_the_devices_and_nothing_of_the_users_left(
    shell: str, use: str, three: dict[str, str], tmp_path: Path
) -> None:
    command = program("CUDA:2", "CUDA:0", "--shell", shell)
    file = tmp_path / "lines"
    first = f"{command} > {file}\n" if use == "source" else ""

    done = in_shell(
        shell,
        f"{first}{getattr(SHELLS[shell], use).format(program=command, file=file)}\nprintenv CUDA_VISIBLE_DEVICES",
        tmp_path,
        **three,
        CUDA_VISIBLE_DEVICES="0,1,2",
    )

    assert (done.stdout.decode(), done.stderr, done.returncode) == (f"{C},{A}\n", b"", 0)


@pytest.mark.parametrize("shell", [name for name in SHELLS if name != "fish"])
def test_the_advised_use_stops_a_script_where_nothing_is_usable(shell: str, tmp_path: Path) -> None:
    command = program("--library", "cuda", "--shell", shell)

    done = in_shell(shell, f"{SHELLS[shell].evaluate.format(program=command)}\necho went on", tmp_path)

    assert (done.stdout, done.returncode) == (b"", 3)
    assert done.stderr.startswith(b"Error: No GPU found")


def test_the_uses_that_are_tested_are_those_that_the_help_shows() -> None:
    shown = piped("env", "--help", COLUMNS="200").out

    assert SHELLS["sh"].evaluate.format(program="gpuprobe env") in shown
    assert SHELLS["fish"].evaluate.format(program="gpuprobe env --shell fish") in shown
    assert SHELLS["csh"].evaluate.format(program="gpuprobe env --shell csh") in "\n".join(map(str.strip, shown.splitlines()))


# --- in front of a program


def test_a_program_is_run_under_the_variables_and_its_code_is_returned(three: dict[str, str]) -> None:
    ran = piped("env", "CUDA:1", "--", "sh", "-c", 'printf %s "$CUDA_VISIBLE_DEVICES"; echo words >&2; exit 7', **three)

    assert (ran.out, ran.err, ran.code) == (B, "words\n", 7)


def test_what_stands_behind_the_dashes_is_the_programs_whatever_it_looks_like(three: dict[str, str]) -> None:
    ran = piped("env", "CUDA:1", "--", "printf", "%s|", "--json", "-v", "--", "--shell", **three)

    assert (ran.out, ran.code) == ("--json|-v|--|--shell|", 0)


def test_an_error_in_front_of_the_dashes_is_not_told_in_json_because_the_program_likes_json(three: dict[str, str]) -> None:
    ran = piped("env", "CUDA:9", "--", "printf", "--json", **three)

    assert (ran.out, ran.code) == ("", 2)
    assert ran.err.startswith("Error: ")


def test_what_the_user_had_set_is_replaced_or_gone_for_the_program(tmp_path: Path) -> None:
    variables = {**nvidia(*CARDS), **without_vulkan(tmp_path), "CUDA_VISIBLE_DEVICES": "2,0", "OTHER": "kept"}

    ran = piped("env", "CUDA:0", "--", "sh", "-c", 'echo "$CUDA_VISIBLE_DEVICES $OTHER"', **variables)

    assert ran.out == f"{A} kept\n"


def test_the_program_gets_our_streams_and_no_descriptor_of_ours(three: dict[str, str]) -> None:
    listing = "import os; print([int(each) for each in os.listdir('/proc/self/fd')])"
    done = subprocess.run(
        [*COMMAND, "env", "--", sys.executable, "-c", listing], env=environment(**three), capture_output=True, check=True
    )

    assert sorted(eval(done.stdout)) == [0, 1, 2, 3]  # the fourth is the listing's own


def test_the_program_takes_our_place_so_that_signals_reach_it(three: dict[str, str]) -> None:
    process = subprocess.Popen(
        [*COMMAND, "env", "--", "sh", "-c", "echo $$; exec sleep 60"], env=environment(**three), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    number = int(process.stdout.readline())
    process.stdout.close()

    os.kill(process.pid, signal.SIGTERM)

    assert number == process.pid
    assert process.wait(timeout=10) == -signal.SIGTERM


def test_the_program_ends_at_a_closed_pipe_as_it_would_without_us(three: dict[str, str]) -> None:
    """Python ignores SIGPIPE, and what is ignored would stay so."""
    ran = piped("env", "--", "sh", "-c", "yes | head -1; kill -PIPE $$; echo went on", **three)

    assert (ran.out, ran.code) == ("y\n", -signal.SIGPIPE)


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("no-such-program", 127, "Error: `no-such-program` was not found in any directory of `PATH`\n"),
        ("./no-such-program", 127, "Error: `./no-such-program` was not found\n"),
        ("/etc/passwd", 126, "Error: `/etc/passwd` cannot be run: Permission denied\n"),
        ("/etc/passwd/x", 127, "Error: `/etc/passwd/x` was not found\n"),
        ("/", 126, "Error: `/` cannot be run: Permission denied\n"),
    ],
)
def test_a_program_that_cannot_be_run_is_answered_as_a_shell_does(
    three: dict[str, str], name: str, code: int, said: str
) -> None:
    ran = piped("env", "--", name, **three)

    assert (ran.code, ran.out, ran.err) == (code, "", said)


def test_nothing_is_run_where_nothing_is_usable(tmp_path: Path) -> None:
    ran = piped("env", "--library", "cuda", "--", "touch", str(tmp_path / "file"))

    assert (ran.code, ran.out) == (3, "")
    assert list(tmp_path.iterdir()) == []


# --- proof


@pytest.fixture
def vulkan(tmp_path: Path) -> World:
    return world(tmp_path)


def test_check_proves_in_a_child_under_the_variables_that_exactly_the_chosen_are_seen(vulkan: World) -> None:
    matches = [
        described(type="discrete", name=GEFORCE, vendor="0x10de", uuid=uuid, pci=pci, memory=24 << 30, driver_id=4)
        for uuid, pci in ((A, "0000:01:00.0"), (B, "0000:02:00.0"))
    ]
    variables = {**nvidia(*CARDS), **vulkan.icd(*matches).environment()}

    ran = piped("env", "CUDA:2", "CUDA:0", "--check", **variables)
    document = checked("env", piped("env", "CUDA:2", "CUDA:0", "--check", "--json", **variables).out)

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"export CUDA_VISIBLE_DEVICES='{C},{A}'\n")
    assert [(each["library"], each["answer"], each["seen"]) for each in document["check"]] == [
        ("CUDA", True, [C, A]),
        ("Vulkan", True, []),
    ]


def test_check_of_vulkan_counts_as_ggml_does(vulkan: World) -> None:
    cards = [
        described(type="discrete", name=name, vendor="0x1002", uuid=uuid, pci=pci, memory=8 << 30, driver_id=3)
        for name, uuid, pci in (("one", A, "0000:01:00.0"), ("two", B, "0000:02:00.0"))
    ]

    ran = piped("env", "Vulkan:1", "--check", "--json", **vulkan.lavapipe().icd(*cards).environment())

    document = checked("env", ran.out)
    (check,) = document["check"]
    assert (ran.code, check["answer"]) == (0, True)
    assert check["seen"] == check["expected"] == [document["devices"][0]["id"]]


def test_check_names_every_difference_and_prints_no_lines(tmp_path: Path) -> None:
    variables = {**nvidia(*CARDS, "obeys 0"), **without_vulkan(tmp_path)}

    ran = piped("env", "CUDA:1", "--check", **variables)
    document = checked("env", piped("env", "CUDA:1", "--check", "--json", **variables).out)

    assert (ran.code, ran.out) == (4, "")
    assert ran.err == (
        "Error: under these variables not exactly the chosen devices are seen: "
        f"CUDA also shows {GEFORCE} ({A}); CUDA also shows {GEFORCE} ({C})\n"
    )
    assert (document["summary"]["exit_code"], document["check"][0]["answer"]) == (4, False)


def test_nothing_is_run_where_the_check_fails(tmp_path: Path) -> None:
    variables = {**nvidia(*CARDS, "obeys 0"), **without_vulkan(tmp_path)}

    assert piped("env", "CUDA:1", "--check", "--", "echo", "ran", **variables)[::2] == ("", 4)
    assert piped("env", "--check", "--", "echo", "ran", **variables)[::2] == ("ran\n", 0)


def test_devices_that_have_nothing_to_be_told_by_cannot_be_checked(tmp_path: Path) -> None:
    nameless = (described(name="one", memory=24 << 30), described(name="two", memory=24 << 30))
    variables = {**nvidia(*nameless), "LD_LIBRARY_PATH": str(cuda_driver().parent), **without_vulkan(tmp_path)}

    ran = piped("env", "CUDA:1", "--check", **variables)

    assert (ran.code, ran.out) == (6, "")
    assert ran.err.startswith("Error: it cannot be told whether these variables show exactly the chosen devices: CUDA shows 1")


def test_a_library_that_crashes_under_the_variables_leaves_a_doubt_even_where_it_should_show_nothing(vulkan: World) -> None:
    """Whatever program loads that library would crash there too."""
    variables = {**nvidia(*CARDS), **vulkan.icd("crash vkEnumeratePhysicalDevices").lavapipe().environment()}

    ran = piped("env", "CUDA:1", "--check", **variables)

    assert (ran.code, ran.out) == (6, "")
    assert "Vulkan cannot be told: crashed in `vkEnumeratePhysicalDevices` (signal 11)" in ran.err


# --- wrong usage


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--shell", "nu"), "`--shell nu`: --shell takes `sh`, `bash`, `zsh`, `dash`, `fish`, `csh`, `powershell`, `cmd`"),
        (("--format", "toml"), "`--format toml`: --format takes `dotenv`, `docker`, `compose`, `systemd`"),
        (("--shell", "sh", "--format", "dotenv"), "`--shell` and `--format` exclude each other"),
        (("--count", "0"), "`--count 0`: --count takes a whole number above 0"),
        (("--count", "two"), "`--count two`"),
        (("--count", "²"), "`--count ²`"),
        (("--count", "9" * 5000), "--count takes a whole number above 0"),
        (("--min-free", "plenty"), "`--min-free plenty`: --min-free takes a size with its unit"),
        (("--unset", "CUDA:0"), "`--unset` and `DEVICE` exclude each other"),
        (("--unset", "--check"), "`--unset` and `--check` exclude each other"),
        (("--unset", "--count", "1"), "`--unset` and `--count` exclude each other"),
        (("--unset", "--", "ls"), "`--unset` and `-- COMMAND` exclude each other"),
        (("--from", "CAPTURE", "--check"), "`--check` and `--from` exclude each other: it needs the machine itself"),
        (("--from", "CAPTURE", "--unset"), "`--unset` and `--from` exclude each other"),
        (("--from", "CAPTURE", "--", "ls"), "`-- COMMAND` and `--from` exclude each other"),
        (("--shell", "sh", "--", "ls"), "`-- COMMAND` and `--shell` exclude each other"),
        (("--format", "compose", "--", "ls"), "`-- COMMAND` and `--format` exclude each other"),
        (("--",), "no command after `--`"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(arguments: tuple[str, ...], said: str, two: str) -> None:
    ran = piped("env", *(two if each == "CAPTURE" else each for each in arguments))

    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("more", [("--shell", "sh"), ("--format", "compose"), ("--", "ls")])
def test_json_has_no_other_form_and_says_so_as_a_document(more: tuple[str, ...]) -> None:
    ran = piped("env", "--json", *more)

    assert ran.code == 2
    assert "`--json`" in checked("error", ran.out)["error"]["message"]
