"""`refresh --require` and `--wait` as installed: they wait for memory, and initialise nothing again."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from gpuprobe.command.waiting import seconds_of
from gpuprobe.exits import WrongUsage
from tests.cli.documents import checked
from tests.cli.terminal import COMMAND, environment, piped
from tests.cli.test_watch import Machine, card
from tests.watched import lines

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the doubles are Linux shared libraries")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.has(card(free=3))
    piped("list", **found.variables)
    return found


def test_a_requirement_of_now_decides_first_line_and_exit_code(machine: Machine) -> None:
    ran = piped("refresh", "--require", "free>=20GiB", **machine.variables)
    document = checked("refresh", piped("refresh", "--json", "--require", "free>=2GiB", **machine.variables).out)

    assert ran.out.splitlines()[0] == "requirement not met: 0 of 1 usable device with free>=20GiB, 1 needed"
    assert ran.code == 5
    assert document["summary"]["exit_code"] == 0


def test_a_figure_of_before_meets_nothing(machine: Machine) -> None:
    """3 GiB were free when the discovery was saved, and nobody answers now."""
    machine.has(card(free=3), "hang cuInit")
    machine.behaves("hang nvmlDeviceGetCount_v2")

    ran = piped("refresh", "--require", "free>=2GiB", "--deadline", "1", **machine.variables)

    assert ran.out.splitlines()[0].startswith("requirement cannot be decided: 0 of 1 usable device with free>=2GiB")
    assert ran.code == 6


def test_it_waits_until_memory_is_free_and_asks_nothing_but_memory(machine: Machine) -> None:
    command = [*COMMAND, "refresh", "--json", "--require", "free>=20GiB", "--wait", "60s"]
    with subprocess.Popen(command, env=environment(**machine.variables), stdout=subprocess.PIPE, text=True) as waiting:
        time.sleep(1.0)
        assert waiting.poll() is None
        machine.has(card(free=21))
        out, _ = waiting.communicate(timeout=60)

    document = checked("refresh", out)
    assert waiting.returncode == 0
    assert document["summary"]["text"] == "requirement met: 1 of 1 usable device with free>=20GiB, 1 needed"
    assert not document["discovery"]["anew"]
    assert {probe["purpose"] for probe in document["probes"]} == {"list"}
    assert {probe["library"] for probe in document["probes"]} == {"NVML"}


def test_where_it_is_not_met_in_time_the_answer_is_no(machine: Machine) -> None:
    ran = piped("refresh", "--require", "free>=20GiB", "--wait", "0.5s", **machine.variables)

    assert ran.out.startswith("requirement not met")
    assert ran.code == 5


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("1 d", 86400)])
def test_a_duration_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-1", "ten", "1w", "31d", "1e9", "9" * 400])
def test_a_duration_that_is_none_is_wrong_usage(text: str) -> None:
    with pytest.raises(WrongUsage, match=r"it takes a time of up to 30 days"):
        seconds_of(text)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--wait", "1m"), "`--wait` needs `--require`"),
        (("--watch", "--require", "count>=1"), "`--watch` and `--require` exclude each other"),
    ],
)
def test_what_cannot_be_waited_for_is_wrong_usage(arguments: tuple[str, ...], said: str) -> None:
    ran = piped("refresh", *arguments)

    assert ran.code == 2
    assert said in ran.err


def test_a_line_of_the_watch_leaves_out_what_was_asked_where_nothing_failed(machine: Machine) -> None:
    with lines(**machine.variables) as quiet, lines("-v", **machine.variables) as verbose:
        assert "probes" not in quiet.next()
        assert verbose.next()["probes"]


def test_a_line_of_the_watch_says_what_was_asked_where_something_failed(machine: Machine) -> None:
    machine.behaves("crash nvmlDeviceGetMemoryInfo_v2@3")

    with lines(**machine.variables) as watched:
        failed = watched.until(lambda document: "probes" in document)

    assert "crashed" in {probe["status"] for probe in failed["probes"]}
