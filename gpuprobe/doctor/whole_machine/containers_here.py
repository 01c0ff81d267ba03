"""What keeps containers on this machine from its NVIDIA cards, which programs outside of them use."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpuprobe import machine
from gpuprobe.doctor.card_status import card_statuses
from gpuprobe.doctor.findings import Finding, Observed, Rung, Severity, Step, run
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.facts import Host
from gpuprobe.libraries import CUDA
from gpuprobe.machine.asked import names_in
from gpuprobe.machine.container_settings import descriptions, has_toolkit
from gpuprobe.machine.distribution import distribution
from gpuprobe.machine.installed_packages import are_known, packages
from gpuprobe.machine.nvidia import module_version
from gpuprobe.machine.services import runs
from gpuprobe.model import Inventory

_TOOLKIT = re.compile(r"nvidia-container-toolkit(?:-base)?|nvidia-docker2|libnvidia-container.*")
_DOCKER = re.compile(r"docker|docker-ce|docker\.io|moby-engine")
_PODMAN = re.compile("podman")
_SPECIFICATIONS = ("/etc/cdi", "/var/run/cdi")
_RENEW = "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
_INSTALL = {
    "apt": "sudo apt install nvidia-container-toolkit",
    "dnf": "sudo dnf install nvidia-container-toolkit",
    "zypper": "sudo zypper install nvidia-container-toolkit",
    "pacman": "sudo pacman -S nvidia-container-toolkit",
}
_CONFIGURE = "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"


def _hosts_cards(inventory: Inventory) -> bool:
    """A machine of its own on which CUDA's cards work: what is wrong otherwise is wrong for programs too."""
    host = inventory.evidence.host
    if machine.container(host) != machine.NONE or machine.wsl(host) is not None:
        return False
    mine = [status for status in card_statuses(inventory) if status.card.vendor_id in CUDA.vendor_ids]
    return any(device.library == CUDA.name for status in mine for device in status.devices)


def toolkit_missing(inventory: Inventory) -> Iterator[Finding]:
    """Docker hands cards over by a program of NVIDIA's, which is a package of its own."""
    host = inventory.evidence.host
    if not _hosts_cards(inventory) or not are_known(host) or packages(host, _TOOLKIT) or has_toolkit(host):
        return
    docker = [each for each in packages(host, _DOCKER) if each.source != "snap"]
    if not docker:
        return
    command = _INSTALL.get(distribution(host).manager or "")
    source = "install NVIDIA's container toolkit from its own repository"
    yield _told(
        "ctr-toolkit-missing",
        "containers of Docker get none of the cards: NVIDIA's container toolkit is not installed",
        "no container toolkit",
        (Observed("packages", f"{' '.join(filter(None, docker[0][:2]))}, no nvidia-container-toolkit"),),
        (run(f"{source} with", command) if command else Step(source, needs_root=True), run("then", _CONFIGURE)),
    )


def docker_of_a_snap(inventory: Inventory) -> Iterator[Finding]:
    """That Docker is confined, and does not take what the toolkit configures."""
    host = inventory.evidence.host
    is_snap = any(each.source == "snap" for each in packages(host, _DOCKER)) or bool(names_in(host, "/snap/docker"))
    others = [each for each in packages(host, _DOCKER) if each.source != "snap"]
    if not _hosts_cards(inventory) or not is_snap or others:
        return
    yield _told(
        "ctr-docker-snap",
        "Docker is installed as a snap, which does not take the settings of NVIDIA's container toolkit",
        "Docker is a snap",
        (Observed("/snap/docker", "there"),),
        (
            run("remove it with", "sudo snap remove docker"),
            Step("and install Docker by its own packages (`docker-ce`)", needs_root=True),
        ),
    )


def description_of_another_driver(inventory: Inventory) -> Iterator[Finding]:
    """A CDI file names the driver's libraries by their version, and is not renewed by itself everywhere."""
    host = inventory.evidence.host
    described, version = _described(host), module_version(host)
    old = next(((path, each) for path, each in described if version is not None and each != version), None)
    if not _hosts_cards(inventory) or old is None:
        return
    yield _told(
        "ctr-cdi-missing-or-stale",
        f"`{old[0]}` gives containers the libraries of driver {old[1]}, and the driver is {version}",
        "the CDI file is of another driver",
        (Observed(old[0], f"libcuda.so.{old[1]}"), Observed("/sys/module/nvidia/version", version or "")),
        (run("renew it with", _RENEW), run("have it renewed with", "sudo systemctl enable --now nvidia-cdi-refresh.path")),
    )._replace(severity=Severity.DEGRADED)


def _described(host: Host) -> list[tuple[str, str]]:
    """Path and driver version of each CDI file that names one."""
    return [(each.path, each.versions[0]) for each in descriptions(host) or () if each.versions]


def no_description(inventory: Inventory) -> Iterator[Finding]:
    """Podman takes cards by a CDI file alone."""
    host = inventory.evidence.host
    folders = [names_in(host, folder) for folder in _SPECIFICATIONS]
    if not _hosts_cards(inventory) or not packages(host, _PODMAN) or any(each is None or each for each in folders):
        return
    if runs(host, "dockerd"):
        return  # whoever uses Docker need not know of Podman
    yield _told(
        "ctr-cdi-missing-or-stale",
        "containers of Podman get none of the cards: no CDI file describes them",
        "no CDI file",
        tuple(Observed(folder, "no file") for folder in _SPECIFICATIONS),
        (run("write one with", _RENEW), Step("then start containers with `--device nvidia.com/gpu=all`")),
    )


def _told(
    slug: str,
    because: str,
    brief: str,
    evidence: tuple[Observed, ...],
    fix: tuple[Step, ...],
) -> Finding:
    return cause(
        slug,
        rung=Rung.BUILD,
        severity=Severity.INFO,
        because=because,
        brief=brief,
        reason=CardReason.NOT_GIVEN,
        evidence=evidence,
        fix=fix,
        library=CUDA,
    )


CHECKS = (toolkit_missing, docker_of_a_snap, description_of_another_driver, no_description)
