"""What keeps containers from cards that work on the machine itself; it is no fault of a card."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.findings import Finding, Severity
from gpuprobe.doctor.whole_machine import containers_here
from gpuprobe.facts import Host, Listing, Reading
from gpuprobe.facts.system_facts import Package, SystemFacts
from gpuprobe.judging.rules import judge
from gpuprobe.model import Request
from tests.doctor.nvidia_machines import (
    DOCKER,
    VERSION,
    commands,
    cuda,
    evidence,
    ids,
    nvidia_host,
    nvml,
    passed,
    refused,
    texts,
)
from tests.records import an_outcome

ENGINE, TOOLKIT = Package("docker-ce", "28.0", "dpkg"), Package("nvidia-container-toolkit", "1.19.0-1", "dpkg")
PODMAN = Package("podman", "5.0", "dpkg")
WORKS = (an_outcome(cuda()), an_outcome(nvml()), passed(cuda()))
NO_FILES = {"/etc/cdi": Listing((), "absent"), "/var/run/cdi": Listing((), "absent")}


def told(host: Host, *outcomes: object) -> list[Finding]:
    inventory = judge(evidence(host, *(outcomes or WORKS)), Request())  # type: ignore[arg-type]
    return [finding for check in containers_here.CHECKS for finding in check(inventory)]


def with_packages(*packages: Package, distribution: str = "ubuntu", **facts: object) -> Host:
    system = SystemFacts(packages=packages, package_lists={"dpkg": None}, **facts)  # type: ignore[arg-type]
    return nvidia_host(system=system, texts=texts({}, distribution))


def test_docker_without_the_toolkit_gives_containers_no_card() -> None:
    (found,) = told(with_packages(ENGINE))

    assert (found.id, found.severity) == ("ctr-toolkit-missing", Severity.INFO)
    assert "apt install nvidia-container-toolkit" in commands(found)
    assert "nvidia-ctk runtime configure --runtime=docker" in commands(found)


@pytest.mark.parametrize(
    "host",
    [
        with_packages(ENGINE, TOOLKIT),
        with_packages(ENGINE, programs={"nvidia-ctk": "/usr/local/bin/nvidia-ctk"}),  # installed, and from no package
        with_packages(),
        nvidia_host(),
        with_packages(ENGINE)._replace(texts=texts(DOCKER)),
    ],
)
def test_with_the_toolkit_without_docker_or_unseen_nothing_is_said(host: Host) -> None:
    assert told(host) == []


def test_where_the_card_itself_does_not_work_containers_are_no_matter() -> None:
    assert told(with_packages(ENGINE), refused(999), an_outcome(nvml())) == []


def test_docker_as_a_snap_is_replaced() -> None:
    snap = Package("docker", "28.1", "snap")

    assert ids(told(with_packages(snap, TOOLKIT))) == ["ctr-docker-snap"]
    assert ids(told(with_packages(snap, ENGINE, TOOLKIT))) == []


def described(version: str) -> Host:
    file = {"/etc/cdi/nvidia.yaml": Reading(f"hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.{version}\n")}
    return with_packages(TOOLKIT, files=file)


def test_a_description_of_an_earlier_driver_is_renewed() -> None:
    (found,) = told(described("570.169"))

    assert (found.id, found.severity) == ("ctr-cdi-missing-or-stale", Severity.DEGRADED)
    assert "570.169" in found.because and VERSION in found.because
    assert told(described(VERSION)) == []


def test_podman_without_a_description_gets_one() -> None:
    (found,) = told(with_packages(PODMAN, TOOLKIT, listings=NO_FILES))

    assert found.id == "ctr-cdi-missing-or-stale"
    assert told(with_packages(PODMAN, TOOLKIT)) == []
    assert told(with_packages(PODMAN, TOOLKIT, listings=NO_FILES, daemons={"dockerd": 7})) == []
