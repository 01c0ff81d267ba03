"""Why no build of Ollama's computes on a card that works."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.findings import Finding, Severity
from gpuprobe.facts import DeviceNode, FoundBuild, Host, Reading
from gpuprobe.model import Device
from tests.doctor.nvidia_machines import commands, cuda, findings, ids, nvidia_host, nvml, passed, texts
from tests.doctor.test_tegra import ORIN
from tests.records import a_host, an_outcome


def build(name: str) -> FoundBuild:
    folder = f"/usr/lib/ollama/{name}"
    return FoundBuild(name, "CUDA", f"{folder}/libggml-cuda.so", (), ("/usr/lib/ollama", folder), "Ollama", product="ollama")


def told(host: Host, device: Device) -> list[Finding]:
    found = findings(host, an_outcome(device), an_outcome(nvml()), passed(device), address=None)
    return [each for each in found if "ollama" in each.id or "cuda-v13" in each.id or "jetson" in each.id]


def with_builds(*names: str, **fields: object) -> Host:
    return nvidia_host(**{"builds": tuple(map(build, names)), **fields})


def test_a_driver_before_ollamas_packing_is_told_with_the_one_that_it_needs() -> None:
    old = cuda(kernel_version="535.247.01", api_version="12.2")
    (found,) = told(with_builds("cuda_v12"), old)

    assert (found.id, found.severity) == ("ollama-driver-floor", Severity.DEGRADED)
    assert "535.247.01" in found.because and "550" in found.because
    assert found.settle in (None, "ollama ps")


def test_a_new_driver_reads_it() -> None:
    assert told(with_builds("cuda_v12", "cuda_v13"), cuda(kernel_version="580.95.05", api_version="13.0")) == []


def test_code_for_an_earlier_chip_of_the_same_generation_runs_on_gb10() -> None:
    spark = cuda(compute_major=12, compute_minor=1, kernel_version="580.95.05", api_version="13.0")

    assert told(with_builds("cuda_v12"), spark) == []


def test_a_common_card_needs_no_particular_build() -> None:
    assert told(with_builds("cuda_v12"), cuda(kernel_version="580.95.05", api_version="13.0")) == []


def orin(*names: str) -> Host:
    nodes = (DeviceNode("/dev/nvmap", 0o666, 0, 44, 10, 121, True),)
    files = {**texts(ORIN), "/etc/nv_tegra_release": Reading("# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic\n")}
    return a_host(machine="aarch64", nodes=nodes, texts=files, builds=tuple(map(build, names)))


@pytest.mark.parametrize(
    ("names", "expected"), [(("cuda_v12",), ["jetson-wrong-backend"]), (("cuda_v12", "cuda_jetpack6"), [])]
)
def test_a_jetson_needs_the_build_of_its_jetpack(names: tuple[str, ...], expected: list[str]) -> None:
    chip = cuda(pci_id=None, compute_major=8, compute_minor=7, kernel_version="540.4.0", api_version="12.6", name="Orin")
    found = findings(orin(*names), an_outcome(chip), passed(chip), address=None)

    assert [each for each in ids(found) if each.startswith("jetson")] == expected
    assert "cuda_jetpack6" in "".join(each.because for each in found) or not expected
    assert not expected or "ollama.com/install.sh" in commands(found[-1])


WHERE = {"ollama": "Ollama", "llama.cpp": "llama.cpp"}
OLD = cuda(kernel_version="535.247.01", api_version="12.2")


@pytest.mark.parametrize(
    "device",
    [OLD, OLD._replace(compute_major=None), OLD._replace(kernel_version=None), OLD._replace(kernel_version="550.54.14")],
    ids=("old", "of no known chip", "of no known version", "new enough"),
)
@pytest.mark.parametrize("product", WHERE)
@pytest.mark.parametrize("library", ["CUDA", "ROCm"])
def test_the_driver_is_too_old_for_ollamas_builds_for_cuda_alone(device: Device, product: str, library: str) -> None:
    host = nvidia_host(builds=(build("cuda_v12")._replace(product=product, where=WHERE[product], library=library),))

    assert [each.id for each in told(host, device)] == (
        ["ollama-driver-floor"] if (device, product, library) == (OLD, "ollama", "CUDA") else []
    )


def test_a_build_beside_it_that_the_driver_reads_leaves_nothing_to_tell() -> None:
    assert [each.id for each in told(with_builds("cuda_v12", "cuda_v11"), OLD)] == []
    assert [each.id for each in told(with_builds("cuda_v12", "cuda_v13"), OLD)] == ["ollama-driver-floor"]


@pytest.mark.parametrize(
    ("release", "wanted"), [("R35", "cuda_jetpack5"), ("R36", "cuda_jetpack6"), ("R38", "cuda_v13"), ("R32", "")]
)
@pytest.mark.parametrize("works", [True, False])
def test_each_jetpack_has_a_build_of_its_own(release: str, wanted: str, works: bool) -> None:
    host = orin("cuda_v12")
    file = Reading(f"# {release} (release), REVISION: 4.3, GCID: 1, BOARD: generic\n")
    host = host._replace(texts={**host.texts, "/etc/nv_tegra_release": file})
    chip = cuda(pci_id=None, compute_major=8, compute_minor=7, kernel_version="540.4.0", api_version="12.6", name="Orin")
    found = findings(host, an_outcome(chip), passed(chip), address=None) if works else findings(host, address=None)

    said = "".join(each.because for each in found if each.id == "jetson-wrong-backend")
    assert (f"needs Ollama's build `{wanted}`" in said) is bool(wanted and works)
