"""Engines of ggml that are not asked, and what the files of builds say: their code, their toolkit, the rocBLAS beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpuprobe.facts import FoundEngine, FoundSoftware, Host
from gpuprobe.libraries import ENGINES, LIBRARIES
from gpuprobe.survey.host import read_host
from tests.environments import library
from tests.file_trees import ELF_X86_64, RTX_4090, RX_7900, Content, machine

OLLAMA = "/usr/lib/ollama"
BASE: dict[str, Content] = {f"{OLLAMA}/libggml-base.so": ELF_X86_64}


def survey(root: str, *lib_dirs: str) -> Host:
    return read_host(root, {}, platform="linux", machine="x86_64", lib_dirs=lib_dirs)


def builds_of(root: str, *lib_dirs: str) -> tuple[FoundSoftware, ...]:
    return tuple(each for each in survey(root, *lib_dirs).software or () if each.where == "build")


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_every_engine_that_is_not_asked_is_found_in_a_named_directory(tmp_path: Path, engine: object) -> None:
    kind, name = getattr(engine, "kind", ""), getattr(engine, "name", "")

    host = survey(machine(tmp_path, {f"/opt/mine/libggml-{kind}.so": ELF_X86_64}), "/opt/mine")

    (found,) = host.engines
    assert (found.name, found.path, found.where) == (name, f"/opt/mine/libggml-{kind}.so", "--lib-dir")
    assert host.builds == ()
    assert host.empty_places == ()  # it holds something, though nothing that is asked


def test_a_wheels_engine_with_a_checksum_in_its_name_is_one(tmp_path: Path) -> None:
    (found,) = survey(machine(tmp_path, {"/opt/wheel/libggml-sycl-1a2b3c4d.so": ELF_X86_64}), "/opt/wheel").engines

    assert found == FoundEngine("SYCL", "/opt/wheel/libggml-sycl-1a2b3c4d.so", "--lib-dir", "Intel GPUs", "llama.cpp")


def test_engines_beside_builds_do_not_rename_those(tmp_path: Path) -> None:
    files = {**BASE, f"{OLLAMA}/cuda_v13/libggml-cuda.so": ELF_X86_64, f"{OLLAMA}/cuda_v13/libggml-blas.so": ELF_X86_64}

    host = survey(machine(tmp_path, files))

    assert [build.name for build in host.builds] == ["cuda_v13"]
    assert [engine.name for engine in host.engines] == ["BLAS"]


def test_no_engine_is_asked_and_listed_as_not_asked() -> None:
    assert not {engine.kind for engine in ENGINES} & {library.ggml for library in LIBRARIES}


def test_a_builds_code_and_the_toolkit_beside_it_are_read(tmp_path: Path) -> None:
    folder = f"{OLLAMA}/cuda_v12"
    files = {**BASE, f"{folder}/libggml-cuda.so": library("sm_75", "compute_75"), f"{folder}/libcudart.so.12.8.90": ELF_X86_64}
    links = {f"{folder}/libcudart.so.12": "libcudart.so.12.8.90"}

    (build,) = builds_of(machine(tmp_path, files, {"0000:01:00.0": RTX_4090}, links=links))

    assert (build.name, build.library, build.release) == ("cuda_v12", "CUDA", "12.8")
    assert [file.architectures for file in build.files] == [("sm_75", "compute_75")]


def test_a_toolkit_that_lies_above_a_build_counts_too(tmp_path: Path) -> None:
    files = {**BASE, f"{OLLAMA}/cuda_v12/libggml-cuda.so": library("sm_75"), f"{OLLAMA}/libcudart.so.12.2.140": ELF_X86_64}

    (build,) = builds_of(machine(tmp_path, files, {"0000:01:00.0": RTX_4090}))

    assert build.release == "12.2"


def test_the_rocblas_beside_a_build_is_read(tmp_path: Path) -> None:
    folder = f"{OLLAMA}/rocm"
    files: dict[str, Content] = {
        **BASE,
        f"{folder}/libggml-hip.so": library("gfx906", "gfx1100"),
        f"{folder}/rocblas/library/TensileLibrary_lazy_gfx906.dat": "",
        f"{folder}/librocblas.so.4": ELF_X86_64,
        f"{folder}/libamdhip64.so.6.3.60300": ELF_X86_64,
    }

    build, rocblas = builds_of(machine(tmp_path, files, {"0000:03:00.0": RX_7900}))

    assert (build.release, [file.architectures for file in build.files]) == ("6.3", [("gfx1100", "gfx906")])
    assert (rocblas.name, rocblas.path, rocblas.architectures) == ("rocBLAS", f"{folder}/librocblas.so.4", ("gfx906",))


def test_a_build_for_another_kind_of_machine_has_no_code_that_counts(tmp_path: Path) -> None:
    root = machine(tmp_path, {**BASE, f"{OLLAMA}/cuda_v12/libggml-cuda.so": ""}, {"0000:01:00.0": RTX_4090})
    aarch64 = tmp_path / "usr/lib/ollama/cuda_v12/libggml-cuda.so"
    aarch64.write_bytes(library("sm_75")[:18] + b"\xb7\x00" + library("sm_75")[20:])

    assert builds_of(root) == ()


def test_without_a_card_no_build_is_read(tmp_path: Path) -> None:
    assert survey(machine(tmp_path, {**BASE, f"{OLLAMA}/cuda_v12/libggml-cuda.so": library("sm_75")})).software is None


def test_a_named_place_with_an_engine_further_down_is_not_called_empty(tmp_path: Path) -> None:
    host = survey(machine(tmp_path, {"/opt/llama/build/bin/libggml-sycl.so": ELF_X86_64}), "/opt/llama")

    assert [engine.name for engine in host.engines] == ["SYCL"]
    assert host.empty_places == ()
