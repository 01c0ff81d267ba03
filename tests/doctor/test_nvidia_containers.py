"""What a container was given of the cards and of the driver."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.findings import Place
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.facts import FoundLibrary, Host
from tests.doctor.nvidia_machines import (
    BOTH,
    DOCKER,
    LXC,
    NODES,
    VERSION,
    absent,
    commands,
    cuda,
    findings,
    headline,
    ids,
    is_certain,
    nvidia_host,
    nvml,
    passed,
    texts,
)
from tests.records import a_card, an_outcome

NO_CUDA = (absent("libcuda.so.1"), absent("libnvidia-ml.so.1"))
PODMAN = {"/run/.containerenv": ""}


def empty(changed: dict[str, str | None], **environ: str) -> Host:
    """A container without a node or a library of the driver."""
    return nvidia_host(nodes=(), libraries=(), texts=texts(changed), environ=environ)


@pytest.mark.parametrize(
    ("changed", "environ", "finding", "cure"),
    [
        (dict(DOCKER), {"NVIDIA_VISIBLE_DEVICES": "all"}, "ctr-no-gpu-flag", "`--gpus all`"),
        (dict(DOCKER), {}, "ctr-no-gpu-flag", "`--gpus all`"),
        (PODMAN, {}, "ctr-no-gpu-flag", "--device nvidia.com/gpu=all"),
        (dict(LXC), {}, "ctr-no-gpu-flag", "`dev0: /dev/nvidia0`"),
        ({}, {"APPTAINER_CONTAINER": "/x.sif"}, "ctr-no-gpu-flag", "`--nv`"),
        ({}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "k8s-no-gpu-request", "nvidia.com/gpu: 1"),
        (
            {},
            {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "NVIDIA_VISIBLE_DEVICES": "void"},
            "k8s-no-gpu-request",
            "nvidia.com/gpu: 1",
        ),
        (dict(DOCKER), {"NVIDIA_VISIBLE_DEVICES": "void"}, "ctr-visible-devices-void", "NVIDIA_VISIBLE_DEVICES=all"),
        (dict(DOCKER), {"NVIDIA_VISIBLE_DEVICES": ""}, "ctr-visible-devices-void", "NVIDIA_VISIBLE_DEVICES=all"),
    ],
)
def test_a_container_without_the_gpu_is_started_with_it_in_its_own_way(
    changed: dict[str, str | None], environ: dict[str, str], finding: str, cure: str
) -> None:
    found = findings(empty(changed, **environ), *NO_CUDA)

    assert (found[0].id, found[0].reason, is_certain(found[0])) == (finding, CardReason.NO_DEVICE_NODE, True)
    assert cure in commands(found[0])
    assert {step.where for step in found[0].fix} == {Place.HOST}
    assert not {"nv-driver-not-installed", "nv-dev-nodes-missing"} & set(ids(found))


def test_a_machine_of_its_own_is_no_container_without_the_gpu() -> None:
    assert "ctr-no-gpu-flag" not in ids(findings(nvidia_host(nodes=()), *NO_CUDA))


def test_one_that_has_the_nodes_was_started_with_the_gpu() -> None:
    host = nvidia_host(texts=texts(DOCKER))

    assert findings(host, an_outcome(cuda()), an_outcome(nvml()), passed(cuda())) == ()


def given_a_part(capabilities: str | None) -> Host:
    environ = {} if capabilities is None else {"NVIDIA_DRIVER_CAPABILITIES": capabilities}
    return nvidia_host(libraries=BOTH[1:], texts=texts(DOCKER), environ=environ)


@pytest.mark.parametrize("capabilities", ["utility", "graphics,display"])
def test_a_container_with_another_part_of_the_driver_is_told_which(capabilities: str) -> None:
    found = headline(given_a_part(capabilities), NO_CUDA[0], an_outcome(nvml()))

    assert (found.id, is_certain(found)) == ("ctr-driver-capabilities-missing", True)
    assert f"`{capabilities}`" in found.because
    assert "install" not in commands(found)


@pytest.mark.parametrize("capabilities", [None, "all", "compute,utility"])
def test_what_was_asked_for_is_not_blamed(capabilities: str | None) -> None:
    found = headline(given_a_part(capabilities), NO_CUDA[0], an_outcome(nvml()))

    assert found.id == "nv-libcuda-missing"
    assert "ubuntu-drivers" not in commands(found)


def test_an_lxc_container_gets_the_hosts_version_of_the_libraries() -> None:
    found = headline(nvidia_host(libraries=(), nodes=NODES, texts=texts(LXC)), *NO_CUDA)

    assert found.id == "nv-libcuda-missing"
    assert VERSION in commands(found)


def test_a_snap_is_connected_to_the_driver() -> None:
    found = headline(nvidia_host(libraries=(), environ={"SNAP_NAME": "ollama"}), *NO_CUDA)

    assert (found.id, is_certain(found), found.settle) == ("snap-confinement", False, "snap connections ollama")
    assert "snap connect ollama:opengl" in commands(found)
    assert "ubuntu-drivers" not in commands(found)


@pytest.mark.parametrize("driver", ["nvidia", None])
@pytest.mark.parametrize("libraries", [BOTH, ()])
def test_a_snap_is_to_be_connected_where_the_card_has_its_driver_and_the_snap_lacks_the_libraries(
    driver: str | None, libraries: tuple[FoundLibrary, ...]
) -> None:
    host = nvidia_host(pci=(a_card(driver=driver),), libraries=libraries, environ={"SNAP_NAME": "ollama"})

    assert ("snap-confinement" in ids(findings(host, *NO_CUDA))) is (driver == "nvidia" and not libraries)


def flatpak(extension: str) -> Host:
    return nvidia_host(texts=texts({"/.flatpak-info": f"[Instance]\nruntime-extensions={extension}=abc\n"}), libraries=())


def test_a_flatpak_needs_the_extension_of_the_hosts_version() -> None:
    older, own = ("org.freedesktop.Platform.GL.nvidia-" + version for version in ("570-169", "580-95-05"))

    assert headline(flatpak(older), *NO_CUDA).id == "flatpak-missing-gl-extension"
    assert VERSION in headline(flatpak(older), *NO_CUDA).because
    assert "flatpak-missing-gl-extension" not in ids(findings(flatpak(own), *NO_CUDA))
