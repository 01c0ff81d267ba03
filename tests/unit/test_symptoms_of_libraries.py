"""Which library's end is the reason of a card, to the word: the most preferred one that says anything, and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.reasons import Why
from gpuprobe.doctor.symptoms import library_failed, listing, number_of
from gpuprobe.facts import FoundLibrary, Host
from gpuprobe.judging.rules import judge
from gpuprobe.libraries import CUDA
from gpuprobe.machine import Card, cards
from gpuprobe.model import Call, Device, Drop, Inventory, Outcome, Probe, Purpose, Reason, Request, Status
from tests.records import a_card, a_device, a_host, an_outcome, evidence_of

FIRST, SECOND = "0000:01:00.0", "0000:41:00.0"


def judged(host: Host, *outcomes: Outcome, **request: Any) -> Inventory:
    return judge(evidence_of(host=host, outcomes=outcomes), Request(**request))


def only(host: Host) -> Card:
    return cards(host)[0]


def with_card(**fields: Any) -> Host:
    return a_host(pci=(a_card(FIRST, **fields),))


ENDED = {
    Status.NO_DEVICES: "found no card it can use",
    Status.ABSENT: "is not installed",
    Status.NOT_LOADABLE: "did not load",
    Status.INIT_FAILED: "did not start",
    Status.CALL_FAILED: "failed",
    Status.CRASHED: "crashed",
    Status.EXITED: "ended without an answer",
    Status.TIMED_OUT: "did not answer in time",
    Status.ABANDONED: "is stuck in the kernel",
    Status.UNREADABLE: "gave an answer that cannot be read",
    Status.NOT_STARTED: "could not be asked",
    Status.REFUSED: "was refused",
    Status.SKIPPED: "was not asked",
}


def failing(*outcomes: Outcome, drops: tuple[Drop, ...] = (), host: Host | None = None, **request: Any) -> Why | None:
    machine = host or with_card()
    return library_failed(only(machine), judged(machine, *outcomes, **request), drops)


def ended(status: Status, library: str = "CUDA", **fields: Any) -> Outcome:
    return an_outcome(library=library, status=status, message="in its own words", **fields)


@pytest.mark.parametrize("status", ENDED)
def test_how_a_library_ended_is_its_brief_and_its_words_are_the_reason(status: Status) -> None:
    found = failing(ended(status))

    assert found is not None
    assert (found.reason, found.because, found.brief) == (status, "CUDA: in its own words", f"CUDA {ENDED[status]}")


@pytest.mark.parametrize(
    ("status", "fields", "request_", "advice"),
    [
        (
            Status.TIMED_OUT,
            {},
            {},
            "give it longer (`--timeout 120`); if it hangs all the same, the end of `sudo dmesg` may say why",
        ),
        (
            Status.CRASHED,
            {},
            {},
            "reinstall the NVIDIA driver so that all its packages have one version; `gpuprobe list --all -v` shows its last "
            "output",
        ),
        (
            Status.CRASHED,
            {"library": "Vulkan"},
            {},
            "reinstall the Vulkan driver so that all its packages have one version; `gpuprobe list --all -v` shows its last "
            "output",
        ),
        (Status.SKIPPED, {}, {"wake": False}, "run it without `--no-wake`"),
        (Status.SKIPPED, {}, {"wake": True}, None),
        (Status.ABSENT, {}, {}, CUDA.advice),
        (Status.INIT_FAILED, {"code": 36}, {}, "install a newer NVIDIA driver"),
        (Status.INIT_FAILED, {}, {}, None),
    ],
)
def test_what_to_do_about_a_library_that_failed(
    status: Status, fields: dict[str, Any], request_: dict[str, Any], advice: str | None
) -> None:
    found = failing(ended(status, **fields), **request_)

    assert found is not None
    assert found.advice == advice


def test_a_library_that_does_not_load_for_want_of_another_names_that() -> None:
    words = "`libcuda.so.1` did not load: libfoo.so.2: cannot open shared object file: No such file or directory"

    found = failing(an_outcome(library="CUDA", status=Status.NOT_LOADABLE, message=words))

    assert found is not None
    assert found.advice == "install the package that brings `libfoo.so.2`"


def test_the_most_preferred_library_that_says_anything_is_the_reason() -> None:
    vulkan = ended(Status.INIT_FAILED, "Vulkan")

    def library(*outcomes: Outcome, **fields: Any) -> str | None:
        found = failing(*outcomes, **fields)
        return found.because.partition(":")[0] if found else None

    assert library(vulkan, ended(Status.CRASHED)) == "CUDA"
    assert library(vulkan, ended(Status.ABSENT)) == "Vulkan"
    assert library(vulkan, ended(Status.SKIPPED)) == "Vulkan"
    assert library(ended(Status.ABSENT), ended(Status.ABSENT, "Vulkan")) == "CUDA"
    assert library(ended(Status.ABSENT), ended(Status.SKIPPED, "Vulkan"), wake=False) == "Vulkan"
    assert library(ended(Status.ABSENT), ended(Status.SKIPPED, "Vulkan"), wake=True) == "CUDA"
    assert library(ended(Status.ABSENT), ended(Status.SKIPPED, "Vulkan"), wake=False, libraries=("CUDA",)) == "CUDA"
    assert library(ended(Status.ABSENT), ended(Status.SKIPPED, "Vulkan"), wake=False, libraries=("Vulkan",)) == "Vulkan"
    assert library(an_outcome(a_device(pci_id=SECOND)), ended(Status.ABSENT, "Vulkan")) is None
    assert library(an_outcome(a_device(pci_id=SECOND)), vulkan) == "Vulkan"
    assert library(an_outcome(a_device("Vulkan", pci_id=SECOND)), ended(Status.ABSENT)) == "CUDA"
    assert library(ended(Status.CRASHED, "NVML"), ended(Status.CRASHED, "ROCm")) is None


def test_a_library_behind_the_one_that_lists_the_card_is_no_reason_and_one_before_it_only_where_it_failed() -> None:
    def library(status: Status, view: Device, of: str) -> bool:
        drops = (Drop(view, Reason.FAILED_VALIDATION, "no"),)
        return failing(ended(status, of), drops=drops) is not None

    vulkan, cuda = a_device("Vulkan", pci_id=FIRST), a_device("CUDA", pci_id=FIRST)
    assert library(Status.CRASHED, vulkan, "CUDA")
    assert not library(Status.CRASHED, cuda, "Vulkan")
    assert not library(Status.CRASHED, cuda, "CUDA")
    assert not any(library(status, vulkan, "CUDA") for status in (Status.ABSENT, Status.SKIPPED, Status.NO_DEVICES))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"code": 100}, "error 100"),
        ({"code": 100, "code_name": "CUDA_ERROR_NO_DEVICE"}, "CUDA_ERROR_NO_DEVICE, error 100"),
        ({"code": 100, "calls": (Call("cuInit", None),)}, "`cuInit`: error 100"),
        ({"code": 0x70000001}, "error 0x70000001"),
        ({"code": 0x70000000}, "error 0x70000000"),
        ({"code": 0x6FFFFFFF}, "error 1879048191"),
        ({}, "error 0"),
    ],
)
def test_a_number_is_told_as_people_search_for_it(fields: dict[str, Any], said: str) -> None:
    assert number_of(ended(Status.INIT_FAILED, **fields)) == said


def test_the_systems_library_speaks_and_a_builds_only_in_its_absence() -> None:
    def build(seconds: float | None = 0.1) -> Outcome:
        probe = Probe("CUDA", Purpose.LIST, build="cuda_v12")
        return ended(Status.CRASHED, probe=probe, seconds=seconds)

    def chosen(*outcomes: Outcome) -> Outcome | None:
        return listing(CUDA, judged(with_card(), *outcomes))

    failed, absent = ended(Status.INIT_FAILED), ended(Status.ABSENT)
    assert chosen(build(), failed) == failed
    assert chosen(build(), absent) == build()
    assert chosen(build(None), absent) == absent
    assert chosen(build()) == build()
    assert chosen(build(None)) is None
    assert chosen(ended(Status.CRASHED, "Vulkan"), an_outcome(a_device(), probe=Probe("CUDA", Purpose.UNFILTERED))) is None


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (
            "`libcuda.so.1` did not load: libcuda.so.1: cannot map zero-fill pages",
            "raise the limit of memory of this shell, service or container (`ulimit -v`), or end what uses it up",
        ),
        (
            "`libcuda.so.1` did not load: libcuda.so.1: file too short",
            "reinstall the NVIDIA driver so that all its packages have one version",
        ),
    ],
)
def test_a_library_that_is_there_and_does_not_load_goes_before_one_that_does_not_start(words: str, advice: str) -> None:
    """It is no library that is not there, of which nobody wants to know while another one fails."""
    host = with_card()._replace(libraries=(FoundLibrary("libcuda.so.1", "/usr/lib/libcuda.so.1", "/usr/lib/x", "cache"),))
    damaged = ended(Status.NOT_LOADABLE)._replace(message=words)

    found = failing(damaged, ended(Status.INIT_FAILED, "Vulkan"), host=host)
    without = failing(damaged, ended(Status.INIT_FAILED, "Vulkan"))

    assert found is not None and without is not None
    assert (found.brief, found.because, found.advice) == ("CUDA did not load", f"CUDA: {words}", advice)
    assert without.brief == "Vulkan did not start"
