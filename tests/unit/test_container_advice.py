"""A container gets its own cure: the host's does nothing inside, and each kind of container is given cards in its own way."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.card_status import card_statuses
from gpuprobe.doctor.reasons import Why
from gpuprobe.facts import DeviceNode, Host, Reading
from gpuprobe.judging.rules import judge
from gpuprobe.model import Evidence, Request
from tests.records import AMD, INTEL, NVIDIA, a_card, a_host

RENDER = "/dev/dri/renderD128"
MOORE_THREADS = 0x1ED5

INSIDE: dict[str, dict[str, object]] = {
    "docker": {"texts": {"/.dockerenv": Reading("")}},
    "podman": {"texts": {"/run/.containerenv": Reading("")}},
    "kubernetes": {"environ": {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}},
    "lxc": {"environ": {"container": "lxc"}},
    "apptainer": {"environ": {"APPTAINER_CONTAINER": "/x.sif"}},
    "snap": {"environ": {"SNAP_NAME": "ollama"}},
    "flatpak": {"texts": {"/.flatpak-info": Reading("")}},
    "systemd-nspawn": {"texts": {"/run/systemd/container": Reading("systemd-nspawn")}},
}
DRIVERS = {NVIDIA: "nvidia", AMD: "amdgpu", INTEL: "xe", MOORE_THREADS: "mtgpu"}


def reason(kind: str, vendor: int, *nodes: DeviceNode) -> Why:
    card = a_card(vendor=vendor, driver=DRIVERS[vendor], drm=("card0", "renderD128"))
    host: Host = a_host(pci=(card,), nodes=nodes, **INSIDE.get(kind, {}))
    (status,) = card_statuses(judge(Evidence(host, (), "2026-11-21T09:00:00Z"), Request()))
    assert status.why is not None
    return status.why


def denied(gid: int = 992) -> DeviceNode:
    return DeviceNode(RENDER, 0o660, 0, gid, 226, 128, False)


@pytest.mark.parametrize(
    ("kind", "vendor", "told"),
    [
        (
            "docker",
            NVIDIA,
            "`--gpus all`, or in Compose with `deploy.resources.reservations.devices` (the host needs",
        ),
        ("docker", AMD, "start the container with `--device /dev/kfd --device /dev/dri`"),
        ("docker", INTEL, "start the container with `--device /dev/dri`"),
        ("docker", MOORE_THREADS, "start the container with `--device /dev/dri`"),
        ("podman", NVIDIA, "`--device nvidia.com/gpu=all`"),
        ("podman", AMD, "start the container with `--device /dev/kfd --device /dev/dri`"),
        ("kubernetes", NVIDIA, "`resources.limits: nvidia.com/gpu: 1`"),
        ("kubernetes", AMD, "`resources.limits: amd.com/gpu: 1`"),
        ("kubernetes", INTEL, "request it for the pod in `resources.limits`"),
        ("lxc", NVIDIA, "`dev0: /dev/nvidia0`, `dev1: /dev/nvidiactl`, `dev2: /dev/nvidia-uvm`"),
        ("lxc", AMD, f"`dev0: /dev/kfd`, `dev1: {RENDER}`"),
        ("lxc", INTEL, f"`dev0: {RENDER}`"),
        ("apptainer", NVIDIA, "start the container with `--nv`"),
        ("apptainer", AMD, "start the container with `--rocm`"),
        ("snap", INTEL, "`sudo snap connect NAME:opengl`"),
        ("flatpak", AMD, "`flatpak override --user --device=all APP`"),
        ("systemd-nspawn", AMD, "start the container with `/dev/kfd` and `/dev/dri` passed through to it"),
    ],
)
def test_a_container_is_given_a_card_in_its_own_way(kind: str, vendor: int, told: str) -> None:
    found = reason(kind, vendor)

    assert found.reason == "no_device_node"
    assert f"this {kind} container was started without it" in found.because
    assert told in str(found.advice)


@pytest.mark.parametrize("kind", sorted(set(INSIDE) - {"docker"}))
@pytest.mark.parametrize("vendor", sorted(DRIVERS))
def test_no_other_container_is_told_dockers_option_for_nvidia_cards(kind: str, vendor: int) -> None:
    assert "--gpus" not in str(reason(kind, vendor).advice)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("docker", "start the container with `--group-add 992`"),
        ("podman", "start the container with `--group-add 992`"),
        ("kubernetes", "give the pod that group: `securityContext.supplementalGroups: [992]`"),
        ("lxc", f"`dev0: {RENDER},gid=GROUP`"),
        ("apptainer", 'run `sudo usermod -aG render,video "$USER"` on the host'),
        ("snap", "`sudo snap connect NAME:opengl`"),
        ("flatpak", "`flatpak override --user --device=all APP`"),
        ("systemd-nspawn", "start the container with the group 992 among those of its user"),
    ],
)
def test_a_node_that_may_not_be_opened_in_a_container_needs_the_containers_cure(kind: str, told: str) -> None:
    found = reason(kind, AMD, denied())

    assert found.reason == "no_permission"
    assert told in str(found.advice)


@pytest.mark.parametrize(
    ("kind", "told"), [("podman", "`--group-add keep-groups`"), ("docker", '`KERNEL=="renderD128", MODE="0666"`')]
)
def test_a_group_without_a_number_in_here_cannot_be_added_by_number(kind: str, told: str) -> None:
    advice = str(reason(kind, AMD, denied(65534)).advice)

    assert told in advice
    assert "65534" not in advice


def test_on_the_host_itself_the_user_joins_the_group() -> None:
    assert str(reason("", AMD, denied()).advice).startswith('run `sudo usermod -aG render,video "$USER"`')
