"""Two major versions of CUDA in one environment: told where two programs share what differs, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.facts import FoundSoftware, Need
from gpuprobe.judging.mixed_releases import EXTENSIONS_OF_TORCH, of_environments
from gpuprobe.survey.frameworks import FRAMEWORKS
from tests.unit.test_software_notes import SITE, a_geforce, framework, noted

CUDNN = f"{SITE}/nvidia/cudnn/lib/libcudnn.so.9"
DNN_12 = FoundSoftware("libcudnn", CUDNN, "wheel", "CUDA", "9.1", "12", distribution="nvidia-cudnn-cu12", site=SITE)


def needing(name: str, *names: str, release: str | None = None) -> FoundSoftware:
    return framework(name, "sm_89", release=release, needs=tuple(Need(each, f"{SITE}/nvidia/x/lib/{each}") for each in names))


TORCH_13 = needing("torch", "libcublas.so.13", release="13.0")


def test_an_extension_for_another_cuda_than_torchs_is_told_with_what_each_takes() -> None:
    (note,) = noted(a_geforce(), a_geforce(pci_id="0000:02:00.0"), software=(TORCH_13, needing("xformers", "libcudart.so.12")))

    assert note == (
        f"in `{SITE}` torch 1.0 is for CUDA 13 (libcublas.so.13), and xformers 1.0, which runs inside it, for CUDA 12 "
        "(libcudart.so.12): that can fail; install the one for CUDA 13"
    )


def test_what_the_libraries_do_not_say_the_release_does() -> None:
    software = (needing("torch", release="12.8"), needing("flash-attn", release="13"))

    (note,) = of_environments(software)

    assert "torch 1.0 is for CUDA 12, and flash-attn 1.0, which runs inside it, for CUDA 13:" in note


@pytest.mark.parametrize(
    "other",
    [
        needing("JAX", "libcublas.so.12"),
        needing("xformers", "libcudart.so.13", release="12"),
        needing("xformers", "libcudart.so.13.0"),
        needing("vLLM"),
        needing("xformers", "libcudart.so.12")._replace(site="/other/site-packages"),
        DNN_12._replace(name="libcublas", path=f"{SITE}/nvidia/cublas/lib/libcublas.so.12"),
    ],
    ids=[
        "another framework",
        "the same version",
        "with a minor version",
        "version not known",
        "another environment",
        "a library nobody takes",
    ],
)
def test_versions_that_do_not_meet_are_ordinary(other: FoundSoftware) -> None:
    assert list(of_environments((TORCH_13, other))) == []


def test_cudnn_for_another_cuda_is_told_to_whoever_takes_it() -> None:
    torch = TORCH_13._replace(needs=(*TORCH_13.needs, Need("libcudnn.so.9", CUDNN)))

    assert list(of_environments((torch, DNN_12))) == [
        f"in `{SITE}` torch 1.0 is for CUDA 13 and takes libcudnn.so.9 from nvidia-cudnn-cu12, which is for CUDA 12: what "
        "needs it can fail"
    ]
    assert list(of_environments((torch, DNN_12._replace(release="13")))) == []
    assert list(of_environments((torch, DNN_12._replace(damage="two packages wrote it")))) == []
    elsewhere = TORCH_13._replace(needs=(*TORCH_13.needs, Need("libcudnn.so.9", "/usr/lib/libcudnn.so.9")))
    assert list(of_environments((elsewhere, DNN_12))) == []


def test_every_extension_is_a_framework_that_is_looked_for() -> None:
    assert {row.name for row in FRAMEWORKS} >= EXTENSIONS_OF_TORCH


def test_programs_without_a_version_are_named_all_the_same() -> None:
    torch, other = TORCH_13._replace(version=None), needing("vLLM", "libcudart.so.12")._replace(version=None, problem="get it")

    assert list(of_environments((torch, other))) == [
        f"in `{SITE}` torch is for CUDA 13 (libcublas.so.13), and vLLM, which runs inside it, for CUDA 12 (libcudart.so.12): "
        "that can fail; get it"
    ]


@pytest.mark.parametrize(
    "fields", [{"site": None}, {"library": None}, {"library": "ROCm"}], ids=["no environment", "for the CPU", "for AMD's cards"]
)
def test_what_has_no_cuda_of_its_own_mixes_nothing(fields: dict[str, Any]) -> None:
    other = needing("xformers", "libcudart.so.12")

    assert list(of_environments((TORCH_13, other._replace(**fields)))) == []
    assert list(of_environments((TORCH_13._replace(**fields), other._replace(**fields)))) == []


def test_without_torch_or_its_release_nothing_is_said_of_extensions() -> None:
    other = needing("xformers", "libcudart.so.12")

    assert list(of_environments((other, needing("vLLM", "libcudart.so.13")))) == []
    assert list(of_environments((needing("torch"), other))) == []


def test_cudnn_without_a_package_is_nobody_s_damage() -> None:
    torch = TORCH_13._replace(needs=(*TORCH_13.needs, Need("libcudnn.so.9", CUDNN)))

    assert list(of_environments((torch, DNN_12._replace(distribution=None)))) == []
    assert list(of_environments((torch._replace(needs=torch.needs[1:], release=None), DNN_12))) == []
    assert list(of_environments((torch._replace(needs=(*torch.needs[:1], Need("libcudnn.so.9", None))), DNN_12))) == []
