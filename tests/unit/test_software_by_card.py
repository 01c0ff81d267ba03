"""A card of each generation against real wheels, as one table: `--bless` writes it again, and it is read in review.

`software_of_wheels.json` is what the survey read of those wheels from PyPI on 28 November 2026 (paths shortened), but for torch
2.14.1+cu130 and TensorFlow 2.21.0, whose architectures were written down from a reading of 27 November.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpuprobe.facts import FoundSoftware
from gpuprobe.judging import architecture
from gpuprobe.judging.compatibility import Compatibility, of_device
from gpuprobe.model import Device
from gpuprobe.wire import from_json
from tests.records import a_device, a_host, evidence_of

WHEELS = Path(__file__).with_name("software_of_wheels.json")
TABLE = Path(__file__).with_name("software-by-card.txt")
SIGNS = {"native": "N", "compatible": "c", "unknown": "?", "unsupported": "-"}

# The newest driver that each has: the 580 branch is the last with Maxwell, Pascal and Volta.
OLD, NEW = ("580.95.05", "13.0"), ("620.12.01", "13.5")
NVIDIA = {
    **dict.fromkeys(("5.2", "6.1", "7.0"), OLD),
    **dict.fromkeys(("7.5", "8.0", "8.6", "8.7", "8.9", "9.0", "10.0", "10.3", "10.7", "11.0", "12.0", "12.1"), NEW),
}
AMD = ("900", "906", "908", "90a", "942", "950", "1010", "1030", "1031", "1100", "1101", "1103", "1151", "1200", "1201")


def software() -> tuple[FoundSoftware, ...]:
    return tuple(from_json(FoundSoftware, each) for each in json.loads(WHEELS.read_text(encoding="utf-8")))


def a_geforce(compute: str) -> Device:
    major, minor = map(int, compute.split("."))
    driver, offers = NVIDIA[compute]
    return a_device("CUDA", compute_major=major, compute_minor=minor, kernel_version=driver, api_version=offers)


def answers(device: Device) -> tuple[Compatibility, ...]:
    return of_device(device, evidence_of(host=a_host(software=software()))) or ()


def lines(library: str, cards: dict[str, Device]) -> Iterator[str]:
    found = {name: answers(device) for name, device in cards.items()}
    yield " ".join([f"{library:26}", *(f"{name:>5}" for name in cards)])
    for place, each in enumerate(next(iter(found.values()))):
        through = f" ({each.software.through})" if each.software.through else ""
        title = f"{each.software.name} {each.software.version}{through}"
        yield " ".join([f"{title[:26]:26}", *(f"{sign(found[name][place]):>5}" for name in cards)])


def sign(answer: Compatibility) -> str:
    """The answer, with `*` where a part of it lacks what the whole has."""
    parts = [fit for file, fit in answer.files if not file.main and fit.answer == "unsupported"]
    return SIGNS[answer.fit.answer.value] + ("*" if parts and answer.fit.answer != "unsupported" else "")


def table() -> str:
    nvidia = {name: a_geforce(name) for name in NVIDIA}
    amd = {f"{name}": a_device("ROCm", gfx_target=f"gfx{name}") for name in AMD}
    key = "N native, c compatible, - unsupported, ? unknown; *: a part of it has no code for the card\n"
    return "\n".join([key, *lines("CUDA", nvidia), "", *lines("ROCm, gfx", amd)]) + "\n"


def test_each_generation_of_cards_gets_the_same_answers_as_before(bless: bool) -> None:
    now = table()
    if bless:
        TABLE.write_text(now, encoding="utf-8")

    assert now == TABLE.read_text(encoding="utf-8")


@pytest.mark.parametrize("compute", NVIDIA)
def test_no_answer_is_without_a_reason(compute: str) -> None:
    assert [each.software.name for each in answers(a_geforce(compute)) if not each.fit.because] == []


@pytest.mark.parametrize("compute", NVIDIA)
def test_the_answer_of_a_file_is_that_of_its_own_code_alone(compute: str) -> None:
    """Never of the union of a package: torch's linear algebra has no code for Turing, and the rest has."""
    device = a_geforce(compute)

    for each in answers(device):
        for file, fit in each.files:
            assert fit.answer == architecture.of_device(device, file.architectures).answer
