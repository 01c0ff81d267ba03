"""What is found installed for the cards, on machines that are trees of files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.facts import FoundSoftware, Host
from gpuprobe.survey import elf
from gpuprobe.survey.host import read_host
from gpuprobe.survey.rocblas import kernel_targets
from gpuprobe.survey.torch_texts import architectures_in
from gpuprobe.survey.tree import Tree
from tests.file_trees import ELF_X86_64, LIBC6_X86_64, RTX_4090, RX_7900, linker_cache, machine, shared_library

CARD = {"0000:01:00.0": RTX_4090}
SITE = "/home/ada/venv/lib/python3.12/site-packages"
VENV = {"VIRTUAL_ENV": "/home/ada/venv"}
VERSION_OF_TORCH = """from typing import Optional

__all__ = ['__version__', 'debug', 'cuda', 'git_version', 'hip', 'rocm', 'xpu']
__version__ = '2.15.0+cu132'
debug = False
cuda: Optional[str] = '13.2'
git_version = 'd0f2af8b66b20da4baa50644c0cd3f887a2eae2e'
hip: Optional[str] = None
"""
CONSTANTS = b"some\0sm_75\0text sm_80\0sm_75 sm_80 sm_86 sm_90a compute_120\0sm_80 or so\0sm_50 sm_60\0"


def survey(root: str, **environ: str) -> Host:
    return read_host(root, environ, platform="linux", machine="x86_64")


def found(root: str, **environ: str) -> dict[str, FoundSoftware]:
    """By name and path, to say in a test which of two it means."""
    return {f"{each.name} {each.path}": each for each in survey(root, **environ).software or ()}


def test_a_survey_that_only_asks_whether_a_saved_discovery_fits_looks_for_none(tmp_path: Path) -> None:
    root = machine(tmp_path, {"/usr/local/cuda/lib64/libcudart.so.13": ""}, CARD)

    assert read_host(root, {}, platform="linux", machine="x86_64", software=False).software is None


def test_without_a_card_of_nvidia_or_amd_nothing_is_looked_for(tmp_path: Path) -> None:
    files = {"/usr/local/cuda-12.8/lib64/libcudart.so.12.8.90": "", f"{SITE}/torch/version.py": VERSION_OF_TORCH}

    assert survey(machine(tmp_path, files), **VENV).software is None


@pytest.mark.parametrize("node", ["/dev/nvidia0", "/dev/kfd", "/dev/dxg", "/dev/nvmap"])
def test_a_node_of_a_card_is_enough_where_the_bus_is_hidden(tmp_path: Path, node: str) -> None:
    assert survey(machine(tmp_path, nodes={node: 0o666})).software == ()


def test_the_libraries_of_a_toolkit_are_named_once_with_the_version_in_their_file_name(tmp_path: Path) -> None:
    lib = "/usr/local/cuda-12.8/targets/x86_64-linux/lib"
    files = {f"{lib}/libcudart.so.12.8.90": "", f"{lib}/libcublas.so.12.8.4.1": "", f"{lib}/libcublasLt.so.12.8.4.1": ""}
    links = {
        "/usr/local/cuda": "cuda-12.8",
        "/usr/local/cuda-12.8/lib64": "targets/x86_64-linux/lib",
        f"{lib}/libcudart.so.12": "libcudart.so.12.8.90",
        f"{lib}/libcudart.so": "libcudart.so.12",
    }

    software = survey(machine(tmp_path, files, CARD, links=links)).software

    assert software == (
        FoundSoftware(
            "libcublas", "/usr/local/cuda/lib64/libcublas.so.12.8.4.1", "toolkit", "CUDA", version="12.8.4.1", release="12"
        ),
        FoundSoftware(
            "libcudart", "/usr/local/cuda/lib64/libcudart.so.12.8.90", "toolkit", "CUDA", version="12.8.90", release="12.8"
        ),
    )


def test_a_file_name_with_a_major_version_alone_tells_no_more(tmp_path: Path) -> None:
    (software,) = found(machine(tmp_path, {"/usr/local/cuda/lib64/libcudart.so.13": ""}, CARD)).values()

    assert (software.version, software.release) == (None, "13")


def test_two_toolkits_are_two(tmp_path: Path) -> None:
    files = {f"/usr/local/cuda-{each}/lib64/libcudart.so.{each}.1": "" for each in ("11.8", "12.8", "13.0")}

    assert [each.release for each in found(machine(tmp_path, files, CARD)).values()] == ["11.8", "12.8", "13.0"]


def test_what_the_loader_would_take_is_found_where_it_would_find_it(tmp_path: Path) -> None:
    real = "/usr/lib/x86_64-linux-gnu/libnccl.so.2.27.3"
    cache = linker_cache([(LIBC6_X86_64, "libnccl.so.2", "/usr/lib/x86_64-linux-gnu/libnccl.so.2")])
    links = {"/usr/lib/x86_64-linux-gnu/libnccl.so.2": "libnccl.so.2.27.3"}

    (software,) = found(machine(tmp_path, {real: ELF_X86_64, "/etc/ld.so.cache": cache}, CARD, links=links)).values()

    assert (software.name, software.version, software.release) == ("libnccl", "2.27.3", None)
    assert software.where == "linker cache"


def test_a_wheel_of_nvidia_is_named_by_the_version_of_its_distribution(tmp_path: Path) -> None:
    files = {
        f"{SITE}/nvidia_cuda_runtime_cu12-12.8.90.dist-info/METADATA": "",
        f"{SITE}/nvidia/cuda_runtime/lib/libcudart.so.12": "",
        f"{SITE}/nvidia_cublas-13.0.2.14.dist-info/METADATA": "",
        f"{SITE}/nvidia/cu13/lib/libcublas.so.13": "",
        f"{SITE}/nvidia/cu13/lib/libcublasLt.so.13": "",
        f"{SITE}/nvidia_nccl_cu13-2.30.7.dist-info/METADATA": "",
        f"{SITE}/nvidia/nccl/lib/libnccl.so.2": "",
    }

    software = found(machine(tmp_path, files, CARD), **VENV).values()

    assert [(each.name, each.version, each.release, each.where) for each in software] == [
        ("libcudart", "12.8.90", "12.8", "wheel"),
        ("libcublas", "13.0.2.14", "13", "wheel"),
        ("libnccl", "2.30.7", "13", "wheel"),
    ]
    assert all(each.problem is None for each in software)


def test_a_wheel_without_its_library_is_called_damaged(tmp_path: Path) -> None:
    files = {f"{SITE}/nvidia_cublas_cu12-12.8.4.1.dist-info/METADATA": ""}

    (software,) = found(machine(tmp_path, files, CARD), **VENV).values()

    assert "damaged" in (software.damage or "")


def test_torch_says_what_it_was_compiled_for_without_being_imported(tmp_path: Path) -> None:
    """The shape of both files is that of the wheel torch 2.15.0 of PyPI."""
    files: dict[str, str | bytes] = {
        f"{SITE}/torch/version.py": VERSION_OF_TORCH,
        f"{SITE}/torch/lib/libtorch_python.so": shared_library(CONSTANTS),
        f"{SITE}/torch/__init__.py": "raise SystemExit('imported')",
    }

    (torch,) = found(machine(tmp_path, files, CARD), **VENV).values()

    assert torch == FoundSoftware(
        "torch",
        f"{SITE}/torch",
        "wheel",
        "CUDA",
        version="2.15.0+cu132",
        release="13.2",
        architectures=("sm_75", "sm_80", "sm_86", "sm_90a", "compute_120"),
        site=SITE,
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "absent"),
        (b"", "does not say"),
        (b"#!/bin/sh\nexit 1\n", "does not say"),
        (shared_library(b"nothing of the kind"), "does not say"),
        (shared_library(CONSTANTS, b".data"), "does not say"),
        (shared_library(CONSTANTS)[:-40], "does not say"),
    ],
    ids=["missing", "empty", "a script", "no list", "no such section", "cut off"],
)
def test_a_torch_that_cannot_be_read_is_found_all_the_same(tmp_path: Path, content: bytes | None, said: str) -> None:
    files: dict[str, str | bytes] = {f"{SITE}/torch/version.py": VERSION_OF_TORCH}
    if content is not None:
        files[f"{SITE}/torch/lib/libtorch_python.so"] = content

    (torch,) = found(machine(tmp_path, files, CARD), **VENV).values()

    assert (torch.release, torch.architectures) == ("13.2", ())
    assert said in (torch.problem or "")


def test_a_torch_for_rocm_and_one_for_the_cpu_are_told_apart(tmp_path: Path) -> None:
    rocm = "__version__ = '2.9.0+rocm6.4'\ncuda: Optional[str] = None\nhip: Optional[str] = '6.4.43482-0f2d60242'\n"
    plain = "__version__ = '2.9.0+cpu'\ncuda = None\nhip = None\n"
    files: dict[str, str | bytes] = {
        f"{SITE}/torch/version.py": rocm,
        f"{SITE}/torch/lib/libtorch_python.so": shared_library(b"\0gfx900 gfx90a:xnack- gfx1100\0"),
        "/home/ada/.local/lib/python3.12/site-packages/torch/version.py": plain,
    }

    first, second = found(machine(tmp_path, files, {"0000:03:00.0": RX_7900}), HOME="/home/ada", **VENV).values()

    assert (first.library, first.architectures) == ("ROCm", ("gfx900", "gfx90a:xnack-", "gfx1100"))
    assert (second.library, second.version, second.problem) == (None, "2.9.0+cpu", None)


def test_the_first_python_on_the_path_counts_and_a_relative_element_does_not(tmp_path: Path) -> None:
    files = {
        "/opt/python/bin/python3": "",
        "/opt/python/lib/python3.13t/site-packages/torch/version.py": VERSION_OF_TORCH,
        "/usr/bin/python3": "",
        "/usr/lib/python3/dist-packages/torch/version.py": VERSION_OF_TORCH,
        "/bin/python3": "",
    }
    root = machine(tmp_path, files, CARD)

    by_path = [each.path for each in found(root, PATH="bin:.:/nowhere:/opt/python/bin:/usr/bin").values()]
    by_system = [each.path for each in found(root, PATH="/usr/bin:/opt/python/bin").values()]

    assert by_path == ["/opt/python/lib/python3.13t/site-packages/torch"]
    assert by_system == ["/usr/lib/python3/dist-packages/torch"]


def test_rocblas_is_known_by_its_kernel_files(tmp_path: Path) -> None:
    kernels = "/opt/rocm-6.4.1/lib/rocblas/library"
    files = {
        f"{kernels}/TensileLibrary_lazy_gfx1030.dat": "",
        f"{kernels}/TensileLibrary_lazy_gfx1100.dat": "",
        f"{kernels}/TensileLibrary_Type_HH_Contraction_l_Ailk_Bjlk_Cijk_Dijk_gfx906.co": "",
        "/opt/rocm-6.4.1/lib/librocblas.so.4.4.60401": "",
    }
    library = "/opt/rocm-6.4.1/lib/librocblas.so"
    links = {"/opt/rocm": "rocm-6.4.1", library: "librocblas.so.4", f"{library}.4": "librocblas.so.4.4.60401"}

    (rocblas,) = found(machine(tmp_path, files, {"0000:03:00.0": RX_7900}, links=links)).values()

    assert rocblas == FoundSoftware(
        "rocBLAS",
        "/opt/rocm/lib/librocblas.so.4",  # which a full validation may load
        "ROCm",
        "ROCm",
        version="4.4.60401",
        release="6.4.1",
        architectures=("gfx1030", "gfx1100"),
    )


@pytest.mark.parametrize(
    ("library", "path"), [("librocblas.so", "/usr/lib64/librocblas.so"), ("librocblas-1.so", "/usr/lib64/rocblas/library")]
)
def test_rocblas_without_a_number_is_that_file_and_kernels_alone_are_their_folder(
    tmp_path: Path, library: str, path: str
) -> None:
    files = {"/usr/lib64/rocblas/library/TensileLibrary_gfx900.dat": "", f"/usr/lib64/{library}": ""}

    (rocblas,) = found(machine(tmp_path, files, {"0000:03:00.0": RX_7900})).values()

    assert (rocblas.path, rocblas.architectures) == (path, ("gfx900",))


@pytest.mark.parametrize(
    ("names", "targets"),
    [
        (["TensileLibrary_gfx803.co", "TensileLibrary_gfx900.dat"], ("gfx803", "gfx900")),
        (["Kernels.so-000-gfx90a-xnack-.hsaco", "Kernels.so-000-gfx90a-xnack+.hsaco"], ("gfx90a:xnack+", "gfx90a:xnack-")),
        (["TensileLibrary_lazy_gfx942.dat", "TensileLibrary_gfx900.dat"], ("gfx942",)),
        (["TensileManifest.txt", "README-gfx1100.md", "TensileLibrary.dat", "gfx1100"], ()),
        ([], ()),
    ],
)
def test_kernel_files_are_read_by_their_names(names: list[str], targets: tuple[str, ...]) -> None:
    assert kernel_targets(names) == targets


def test_a_pipe_in_the_place_of_a_file_holds_nothing_up(tmp_path: Path) -> None:
    root = machine(tmp_path, {f"{SITE}/torch/version.py": VERSION_OF_TORCH}, CARD)
    pipe = tmp_path / f"{SITE}/torch/lib/libtorch_python.so".lstrip("/")
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)

    (torch,) = found(root, **VENV).values()

    assert torch.architectures == ()
    assert torch.problem


def test_a_section_of_more_than_the_bound_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.so").write_bytes(shared_library(bytes(1000)))
    tree = Tree(str(tmp_path))

    assert elf.section(tree, "/a.so", b".rodata", 999) is None
    assert elf.section(tree, "/a.so", b".rodata", 1000) == bytes(1000)


@given(st.integers(0, 63), st.binary(min_size=1, max_size=8))
def test_a_damaged_header_is_never_an_error(tmp_path_factory: pytest.TempPathFactory, at: int, rubbish: bytes) -> None:
    whole = shared_library(CONSTANTS)
    folder = tmp_path_factory.mktemp("elf")
    (folder / "a.so").write_bytes(whole[:at] + rubbish + whole[at + len(rubbish) :])

    section = elf.section(Tree(str(folder)), "/a.so", b".rodata", 1 << 20)

    assert section is None or len(section) <= len(whole)


@given(st.binary(max_size=200))
def test_any_bytes_are_searched_for_architectures(constants: bytes) -> None:
    assert all(name.isascii() for name in architectures_in(constants))


def test_a_list_counts_only_as_a_whole_text() -> None:
    assert architectures_in(b"\0sm_80 sm_90\0") == ("sm_80", "sm_90")
    assert architectures_in(b"\0sm_80 sm_90 \0") == ()
    assert architectures_in(b"\0the list: sm_80 sm_90\0") == ()
    assert architectures_in(b"\0gfx1100 gfx11-generic\0sm_90\0") == ("gfx1100", "gfx11-generic")


def test_names_that_are_not_unicode_and_texts_with_escape_codes_stay_data(tmp_path: Path) -> None:
    hostile = "__version__ = '2.0\x1b[31m'\ncuda = '13.2; rm -rf ~'\n"
    root = machine(tmp_path, {f"{SITE}/torch/version.py": hostile}, CARD)
    odd = os.fsencode(tmp_path) + b"/usr/local/cuda-\xff/lib64"
    os.makedirs(odd)

    (torch,) = found(root, **VENV).values()

    assert (torch.version, torch.release) == ("2.0\x1b[31m", "13.2; rm -rf ~")


@pytest.mark.parametrize(
    ("file", "version", "release"),
    [
        ("libcudart.so.11.0", None, "11"),  # the name that every CUDA 11 has, up to 11.8
        ("libcudart.so.13", None, "13"),
        ("libcudart.so.11.8.89", "11.8.89", "11.8"),
        ("libcublas.so.12.8", None, "12"),
        ("libcublas.so.12.8.4.1", "12.8.4.1", "12"),
    ],
)
def test_two_numbers_behind_a_file_s_name_tell_no_release(tmp_path: Path, file: str, version: str | None, release: str) -> None:
    (software,) = found(machine(tmp_path, {f"/usr/local/cuda/lib64/{file}": ""}, CARD)).values()

    assert (software.version, software.release) == (version, release)
