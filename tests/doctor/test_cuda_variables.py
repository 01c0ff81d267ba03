"""Variables that keep CUDA's cards from a program: a child without them proves it."""

from __future__ import annotations

import pytest

from gpuprobe.facts import Host, Reading
from gpuprobe.model import Device, Outcome, Probe, Purpose, Reason, Status
from tests.doctor.nvidia_machines import (
    NODES,
    UUID,
    commands,
    cuda,
    findings,
    headline,
    ids,
    is_certain,
    nvidia_host,
    nvml,
    refused,
    without_driver,
)
from tests.records import an_outcome

VARIABLE = "CUDA_VISIBLE_DEVICES"
NONE = refused(100, "CUDA_ERROR_NO_DEVICE", status=Status.NO_DEVICES)
WORKS = an_outcome(nvml())


def under(value: str) -> Host:
    return nvidia_host(environ={VARIABLE: value})


def without_it(*devices: Device) -> Outcome:
    status = Status.OK if devices else Status.NO_DEVICES
    return Outcome(Probe("CUDA", Purpose.UNFILTERED, variables=((VARIABLE, None),)), status, devices, seconds=0.1)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "hides every card"),
        ("-1", "hides every card"),
        ("NoDevFiles", "hides every card"),
        ("9,0", "up to the first number that no card has"),
        ("gpu0", "up to the first word that it does not know"),
    ],
)
def test_a_variable_that_hides_every_card_is_unset(value: str, words: str) -> None:
    found = headline(under(value), NONE, without_it(cuda()), WORKS)

    assert (found.id, found.reason, is_certain(found)) == ("env-cuda-visible-hides-all", Reason.HIDDEN_BY_VARIABLE, True)
    assert words in found.because
    assert f"unset {VARIABLE}" in commands(found)


def test_an_id_that_no_card_has_any_more_is_told_apart() -> None:
    found = headline(under("GPU-99999999-0000"), NONE, without_it(cuda()), WORKS)

    assert found.id == "env-cuda-visible-stale-uuid"
    assert "nvidia-smi -L" in commands(found)


def test_the_beginning_of_a_cards_own_id_is_not_stale() -> None:
    assert "env-cuda-visible-stale-uuid" not in ids(findings(under(UUID[:12]), NONE, without_it(cuda()), WORKS))


def in_wsl(value: str) -> Host:
    """Its card is Windows's, which shows no function of the bus."""
    kernel = "5.15.90.1-microsoft-standard-WSL2"
    return nvidia_host(
        pci=(),
        environ={VARIABLE: value},
        facts={"wsl_drivers": "nv_dispi.inf_amd64_5cb1f1dd1ecf5f15"},
        texts={**without_driver(), "/proc/sys/kernel/osrelease": Reading(f"{kernel}\n")},
        kernel=kernel,
        nodes=(NODES[0]._replace(path="/dev/dxg", major=10, minor=125),),
    )


def test_in_wsl_the_one_card_of_cuda_is_the_one_that_windows_shows() -> None:
    other = cuda(pci_id="0000:09:00.0", uuid="GPU-22222222-0000-0000-0000-000000000000", number=1)

    assert "env-cuda-visible-hides-all" in ids(findings(in_wsl("-1"), NONE, without_it(cuda()), address=None))
    assert "env-cuda-visible-hides-all" not in ids(findings(in_wsl("-1"), NONE, without_it(cuda(), other), address=None))


def test_without_proof_of_a_child_no_variable_is_blamed() -> None:
    found = ids(findings(under("-1"), NONE, without_it(), WORKS))

    assert not [each for each in found if each.startswith("env-")]


def test_a_variable_that_is_not_set_is_never_named() -> None:
    (first, *_) = findings(nvidia_host(), NONE, WORKS)

    assert VARIABLE not in f"{first.because} {commands(first)}"


def test_a_compiler_that_a_variable_switches_off_is_switched_on() -> None:
    found = headline(nvidia_host(), refused(223), WORKS)

    assert (found.id, is_certain(found)) == ("env-jit-disabled", True)
    assert "env-jit-disabled" not in ids(findings(nvidia_host(), refused(222), WORKS))
