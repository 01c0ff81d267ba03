"""Absent, denied and empty are different: where the machine could not be looked at, nobody says that it has no GPU."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gpuprobe import machine
from gpuprobe.doctor import card_status, notes
from gpuprobe.judging.rules import judge
from gpuprobe.model import Evidence, Request
from tests.cli import machines
from tests.cli.machines import captured
from tests.cli.terminal import COMMAND, environment, piped
from tests.records import a_card, a_host

FINE = dict.fromkeys(
    ("sys_problem", "pci_problem", "drm_problem", "kfd_problem", "dev_problem", "dri_problem", "proc_problem"), None
)


def nothing_found(tmp_path: Path, **facts: str | None) -> str:
    return captured(machines.evidence(host=machines.a_workstation(facts={**FINE, **facts})), tmp_path)


UNREAD = [
    ("sys_problem", "absent", "`/sys/bus` is not there"),
    ("sys_problem", "denied", "`/sys/bus` cannot be listed by this user"),
    ("pci_problem", "denied", "`/sys/bus/pci/devices` cannot be listed by this user"),
    ("pci_problem", "error: Input/output error", "could not be listed (error: Input/output error)"),
    ("drm_problem", "denied", "`/sys/class/drm` cannot be"),
    ("kfd_problem", "denied", "topology/nodes` cannot be"),
    ("dev_problem", "denied", "`/dev` cannot be"),
    ("dri_problem", "denied", "`/dev/dri` cannot be"),
    ("proc_problem", "absent", "`/proc/self` is not there"),
]


@pytest.mark.parametrize(("fact", "problem", "said"), UNREAD)
@pytest.mark.parametrize("command", ["env", "validate", "list --require count>=1", "flash-attn"])
def test_what_could_not_be_looked_at_is_said_and_leaves_with_6(
    tmp_path: Path, fact: str, problem: str, said: str, command: str
) -> None:
    ran = piped(*command.split(), "--from", nothing_found(tmp_path, **{fact: problem}))

    assert ran.code == 6
    assert "shows none" not in ran.out + ran.err


@pytest.mark.parametrize(("fact", "problem", "said"), UNREAD)
def test_the_first_line_does_not_say_none(tmp_path: Path, fact: str, problem: str, said: str) -> None:
    ran = piped("list", "--from", nothing_found(tmp_path, **{fact: problem}))

    assert ran.code == 0
    assert "but that is not certain" in " ".join(ran.out.split())
    assert said in " ".join(ran.out.split())


@pytest.mark.parametrize("fact", ["pci_problem", "drm_problem", "kfd_problem", "dri_problem"])
def test_what_many_machines_do_not_have_is_merely_absent(tmp_path: Path, fact: str) -> None:
    assert piped("env", "--from", nothing_found(tmp_path, **{fact: "absent"})).code == 3


def test_a_machine_that_was_looked_at_and_has_none_is_3(tmp_path: Path) -> None:
    assert piped("env", "--from", nothing_found(tmp_path)).code == 3


def test_a_part_of_what_is_away_altogether_is_not_named_again() -> None:
    host = a_host(facts={"sys_problem": "absent", "pci_problem": "error: x", "drm_problem": "absent"})

    assert [each.place for each in machine.unread(host)] == ["/sys/bus"]


def test_a_node_below_a_closed_directory_is_not_called_missing() -> None:
    card = a_card(machines.RADEON, vendor=0x1002, driver="amdgpu", drm=("card0", "renderD128"))
    host = machines.a_workstation(pci=(card,), facts={**FINE, "dri_problem": "denied"})
    inventory = judge(Evidence(host, (), "2026-11-21T09:00:00Z"), Request())

    (status,) = card_status.card_statuses(inventory)
    assert status.why is not None
    assert "does not exist" not in status.why.because
    assert "`/dev/dri` cannot be listed by this user, so it is not known whether" in status.why.because
    assert card_status.undecided(inventory)
    assert any("`/dev/dri` cannot be listed" in note for note in notes.of_inventory(inventory))


@pytest.mark.parametrize("place", ["/sys", "/proc"])
def test_a_whole_machine_without_it_says_so(place: str) -> None:
    own = ["--map-root-user"] if os.geteuid() else []
    masked = f'mount -t tmpfs none {place} && exec "$@"'
    ran = subprocess.run(
        ["unshare", *own, "--mount", "sh", "-c", masked, "sh", *COMMAND, "env"],
        env=environment(VK_DRIVER_FILES="/none", LD_LIBRARY_PATH=""),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (ran.returncode, ran.stdout) == (6, "")
    assert "but that is not certain" in ran.stderr
    assert f"`{place}/" in ran.stderr
