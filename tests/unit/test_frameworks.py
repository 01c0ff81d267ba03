"""Frameworks that are found by their files alone, with what their code was compiled for and the libraries that they need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.facts import FoundSoftware, Need
from gpuprobe.survey import code_files, elf
from gpuprobe.survey.distributions import Distribution, distributions, normalised
from gpuprobe.survey.frameworks import FRAMEWORKS, LM_STUDIO, NODE
from gpuprobe.survey.host import read_host
from gpuprobe.survey.tree import Tree
from tests.environments import SITE, VENV, installed, library
from tests.file_trees import ELF_X86_64, LIBC6_X86_64, RTX_4090, RX_7900, Function, linker_cache, machine, shared_library

CARD = {"0000:01:00.0": RTX_4090}
TORCH_13 = "__version__ = '2.14.1+cu130'\ncuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n"


def found(root: str, *named: str, **environ: str) -> tuple[FoundSoftware, ...]:
    host = read_host(root, environ, platform="linux", machine="x86_64", software_dirs=named)
    return tuple(each for each in host.software or () if not each.is_runtime)


def only(root: str, **environ: str) -> FoundSoftware:
    (software,) = found(root, **(environ or VENV))
    return software


def architectures(software: FoundSoftware) -> dict[str, tuple[str, ...]]:
    return {file.path.rpartition("/")[2]: file.architectures for file in software.files}


def test_a_framework_is_named_with_its_package_and_the_code_of_each_file(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "onnxruntime/__init__.py": "raise SystemExit('imported')",
        "onnxruntime/capi/libonnxruntime_providers_cuda.so": library("sm_75", "sm_90a", needs=("libcudart.so.13",)),
    }

    software = only(machine(tmp_path, installed("onnxruntime_gpu-1.31.1", files=files), CARD))

    assert (software.name, software.library, software.version) == ("ONNX Runtime", "CUDA", "1.31.1")
    assert (software.distribution, software.release, software.path) == ("onnxruntime-gpu", "13", f"{SITE}/onnxruntime")
    assert architectures(software) == {"libonnxruntime_providers_cuda.so": ("sm_75", "sm_90a")}
    assert software.problem is None


def test_each_library_that_a_framework_computes_through_is_one(tmp_path: Path) -> None:
    capi = "onnxruntime/capi/libonnxruntime_providers_"
    files = {f"{capi}rocm.so": library("gfx90a", "gfx1100"), f"{capi}migraphx.so": library(), f"{capi}openvino.so": library()}

    software = found(machine(tmp_path, installed("onnxruntime_migraphx-1.27.1", files=files), CARD), **VENV)

    assert [(each.library, each.through, each.compiles) for each in software] == [
        ("ROCm", None, False),
        ("ROCm", "MIGraphX", True),
        ("Level Zero", "OpenVINO", True),
    ]


def test_a_framework_without_a_part_for_gpus_computes_on_the_cpu_alone(tmp_path: Path) -> None:
    software = only(machine(tmp_path, installed("onnxruntime-1.31.1", files={"onnxruntime/__init__.py": ""}), CARD))

    assert (software.library, software.version, software.damage) == (None, "1.31.1", None)


def test_a_package_for_gpus_without_its_library_is_damaged(tmp_path: Path) -> None:
    software = only(machine(tmp_path, installed("onnxruntime_gpu-1.31.1", files={"onnxruntime/__init__.py": ""}), CARD))

    assert software.library is None
    assert "`onnxruntime-gpu` is installed, and its library for GPUs is not there" in (software.damage or "")


def test_two_packages_that_write_the_same_files_are_told(tmp_path: Path) -> None:
    files = {"onnxruntime/capi/libonnxruntime_providers_cuda.so": library("sm_75")}
    tree = installed("onnxruntime-1.30.0", "onnxruntime_gpu-1.31.1", files=files)

    software = only(machine(tmp_path, tree, CARD))

    assert "onnxruntime 1.30.0 and onnxruntime-gpu 1.31.1 write the same files" in (software.damage or "")


def test_what_has_the_same_files_for_all_is_told_apart_by_the_code_in_them(tmp_path: Path) -> None:
    """TensorFlow's library has one name with and without CUDA, as FAISS's has."""
    core = "tensorflow/libtensorflow_cc.so.2"
    with_code, without = tmp_path / "with", tmp_path / "without"
    gpu = only(machine(with_code, installed("tensorflow-2.21.0", files={core: library("sm_60", "compute_90")}), CARD))
    cpu = only(machine(without, installed("tensorflow_cpu-2.21.0", files={core: library()}), CARD))

    assert (gpu.library, architectures(gpu)) == ("CUDA", {"libtensorflow_cc.so.2": ("sm_60", "compute_90")})
    assert (cpu.library, cpu.files) == (None, ())


def test_a_part_of_torch_can_lack_what_the_rest_has(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "torch/version.py": TORCH_13,
        "torch/lib/libtorch_cuda.so": library("sm_75", "sm_80"),
        "torch/lib/libtorch_cuda_linalg.so": library("sm_80"),
        "torch/lib/libtorch_python.so": shared_library(b"\0sm_75 sm_80 sm_120\0"),
    }

    torch = only(machine(tmp_path, installed("torch-2.14.1+cu130", files=files), CARD))

    assert [(file.path.rpartition("/")[2], file.main) for file in torch.files] == [
        ("libtorch_cuda.so", True),
        ("libtorch_cuda_linalg.so", False),
    ]
    assert torch.architectures == ()  # its own list is not asked where its code was read


def test_torch_for_intel_gpus_is_no_torch_for_the_cpu(tmp_path: Path) -> None:
    files = {"torch/version.py": "__version__ = '2.9.0+xpu'\ncuda = None\nhip = None\nxpu: Optional[str] = '20250101'\n"}

    assert only(machine(tmp_path, installed("torch-2.9.0+xpu", files=files), CARD)).library == "Level Zero"


@pytest.mark.parametrize(
    ("release", "chosen"),
    [("13.0", "cuda130"), ("13.1", "cuda130"), ("12.9", "cuda128"), ("12.1", "cuda124"), ("11.8", None)],
)
def test_of_one_library_per_release_the_one_for_torch_is_judged(tmp_path: Path, release: str, chosen: str | None) -> None:
    """bitsandbytes 0.50: torch's own release, else the next lower of its major version, else the next higher."""
    files = {
        f"bitsandbytes/libbitsandbytes_{each}.so": library("sm_80") for each in ("cuda124", "cuda128", "cuda130", "cuda132")
    }
    files |= {"bitsandbytes/libbitsandbytes_rocm72.so": library("gfx90a")}
    torch = {"torch/version.py": TORCH_13.replace("'13.0'", f"'{release}'")}
    tree = installed("bitsandbytes-0.50.2", "torch-2.14.1", files={**files, **torch})

    software = [each for each in found(machine(tmp_path, tree, CARD), **VENV) if each.name == "bitsandbytes"]

    names = [name.removeprefix("libbitsandbytes_").removesuffix(".so") for each in software for name in architectures(each)]
    assert names == ([chosen] if chosen else [])
    assert [each.library for each in software] == (["CUDA"] if chosen else [None])


BITSANDBYTES = {
    **{f"bitsandbytes/libbitsandbytes_{each}.so": library("sm_80") for each in ("cuda124", "cuda128", "cuda130")},
    "bitsandbytes/libbitsandbytes_rocm72.so": library("gfx90a"),
}


def a_bitsandbytes(root: Path, torch: str | None, **environ: str) -> list[FoundSoftware]:
    beside = {} if torch is None else {"torch/version.py": torch}
    packages = ("bitsandbytes-0.50.2", *(("torch-2.14.1",) if torch else ()))
    tree = installed(*packages, files={**BITSANDBYTES, **beside})
    return [each for each in found(machine(root, tree, CARD), **VENV, **environ) if each.name == "bitsandbytes"]


def test_the_file_that_a_variable_names_is_judged_also_where_it_does_not_fit_torch(tmp_path: Path) -> None:
    (software,) = a_bitsandbytes(tmp_path, TORCH_13, BNB_CUDA_VERSION="124", BNB_ROCM_VERSION="72")

    assert list(architectures(software)) == ["libbitsandbytes_cuda124.so"]
    assert not software.loads_one
    assert software.problem == "`BNB_CUDA_VERSION=124` chose its library, and `unset BNB_CUDA_VERSION` lets it choose by torch"


@pytest.mark.parametrize("value", ["999", "", "13.0"])
def test_a_variable_that_names_no_file_is_told_as_the_reason(tmp_path: Path, value: str) -> None:
    (software,) = a_bitsandbytes(tmp_path, TORCH_13, BNB_CUDA_VERSION=value)

    assert (software.library, software.files) == (None, ())
    assert f"`BNB_CUDA_VERSION={value}` makes it load `libbitsandbytes_cuda{value}.so`, which is not" in (software.damage or "")


@pytest.mark.parametrize(
    ("torch", "because"),
    [
        (TORCH_13.replace("'13.0'", "'11.8'"), "it has no library for the CUDA 11.8 of the torch beside it"),
        (TORCH_13.replace("'13.0'", "None"), "the torch beside it is for the CPU alone, and so none"),
    ],
)
def test_a_torch_for_which_it_has_no_file_is_the_reason_and_not_a_build_for_the_cpu(
    tmp_path: Path, torch: str, because: str
) -> None:
    (software,) = a_bitsandbytes(tmp_path, torch)

    assert software.library is None
    assert (software.damage or "").startswith(because)


def test_without_torch_it_is_not_known_which_file_is_loaded(tmp_path: Path) -> None:
    assert [(each.library, each.loads_one) for each in a_bitsandbytes(tmp_path, None)] == [("CUDA", True), ("ROCm", False)]


def test_what_optional_parts_are_linked_with_is_neither_needed_nor_the_release_of_the_whole(tmp_path: Path) -> None:
    """torchao: a part for CUDA 13 that does not load is left out, and Triton computes all the same."""
    files = {"torchao/_C_mxfp8.so": library("sm_100", needs=("libcudart.so.13",))}
    software = only(machine(tmp_path, installed("torchao-0.18.0", files=files), CARD))

    assert (software.needs, software.release, software.compiles) == ((), None, True)


def test_the_folder_of_a_framework_is_named_only_where_it_is(tmp_path: Path) -> None:
    software = only(machine(tmp_path, installed("jax_cuda12_plugin-0.10.2"), CARD))

    assert (software.name, software.path) == ("JAX", software.site)


def test_what_compiles_its_kernels_is_said_to(tmp_path: Path) -> None:
    files = {"triton/backends/nvidia/driver.py": "", "triton/backends/amd/driver.py": ""}

    software = found(machine(tmp_path, installed("triton-3.9.0", files=files), CARD), **VENV)

    assert [(each.library, each.compiles, each.files) for each in software] == [("CUDA", True, ()), ("ROCm", True, ())]


def test_needed_libraries_are_looked_for_beside_it_in_nvidias_wheels_and_by_the_loader(tmp_path: Path) -> None:
    needs = ("libcublas.so.12", "libcudart.so.13", "libcudnn.so.9", "libnccl.so.2", "libc.so.6", "libcuda.so.1")
    files: dict[str, bytes | str] = {
        "faiss/libfaiss.so": library("sm_80", needs=needs, runpath="$ORIGIN/../faiss_gpu.libs"),
        "faiss_gpu.libs/libcudnn.so.9": "",
        "nvidia/cublas/lib/libcublas.so.12": "",
        "nvidia/cuda_runtime/lib/libcudart.so.12": "",
    }
    real = "/usr/lib/x86_64-linux-gnu/libnccl.so.2"
    tree = {
        **installed("faiss_gpu-1.15.1", files=files),
        real: ELF_X86_64,
        "/etc/ld.so.cache": linker_cache([(LIBC6_X86_64, "libnccl.so.2", real)]),
    }

    software = only(machine(tmp_path, tree, CARD))

    assert software.needs == (
        Need("libcublas.so.12", f"{SITE}/nvidia/cublas/lib/libcublas.so.12"),
        Need("libcudart.so.13", None, ("12",)),
        Need("libcudnn.so.9", f"{SITE}/faiss/../faiss_gpu.libs/libcudnn.so.9".replace("/faiss/..", "")),
        Need("libnccl.so.2", real),
    )


def test_libraries_that_are_loaded_later_are_found_in_its_texts(tmp_path: Path) -> None:
    core = library("sm_80", texts=("a text", "libcublas.so.12", "libnccl.so.2", "see libcudnn.so.9 there"))

    software = only(
        machine(tmp_path, installed("ctranslate2-4.8.5", files={"ctranslate2.libs/libctranslate2-a1.so.4": core}), CARD)
    )

    assert [need.name for need in software.needs] == ["libcublas.so.12"]
    assert software.release == "12"


def test_ggml_wheels_are_found_by_their_backends(tmp_path: Path) -> None:
    files = {
        "llama_cpp/lib/libggml-cuda.so": library("sm_75", "compute_75"),
        "llama_cpp/lib/libggml-vulkan.so": library(),
        "llama_cpp/lib/libggml-cpu.so": library(),
    }

    software = found(machine(tmp_path, installed("llama_cpp_python-0.3.36", files=files), CARD), **VENV)

    assert [(each.name, each.library) for each in software] == [("llama-cpp-python", "CUDA"), ("llama-cpp-python", "Vulkan")]


def test_engines_of_node_and_of_lm_studio_are_found_with_their_versions(tmp_path: Path) -> None:
    package = "/usr/lib/node_modules/@node-llama-cpp/linux-x64-cuda"
    engine = "/home/ada/.lmstudio/extensions/backends/llama.cpp-linux-x86_64-nvidia-cuda12-avx2-1.50.2"
    files: dict[str, bytes | str] = {
        f"{package}/package.json": '{"name": "@node-llama-cpp/linux-x64-cuda", "version": "3.22.1"}',
        f"{package}/bins/linux-x64-cuda/libggml-cuda.so": library("sm_75"),
        f"{engine}/libggml-cuda.so": library("sm_86"),
    }

    software = found(machine(tmp_path, files, CARD), HOME="/home/ada")

    assert [(each.name, each.version) for each in software] == [("node-llama-cpp", "3.22.1"), ("LM Studio", "1.50.2")]


def test_amds_wheels_bring_a_rocblas_for_a_family_of_cards(tmp_path: Path) -> None:
    kernels = f"{SITE}/_rocm_sdk_libraries_gfx110X_all/lib/rocblas/library"
    root = machine(tmp_path, {f"{kernels}/TensileLibrary_lazy_gfx1100.dat": ""}, {"0000:03:00.0": RX_7900})

    (rocblas,) = read_host(root, VENV, platform="linux", machine="x86_64").software or ()

    assert (rocblas.name, rocblas.path, rocblas.architectures) == ("rocBLAS", kernels, ("gfx1100",))


def test_a_named_environment_comes_first_and_is_looked_through_without_a_card(tmp_path: Path) -> None:
    mine = "/srv/app/lib/python3.11/site-packages"
    files = {"faiss/libfaiss.so": library("sm_80")}
    tree = {**installed("faiss_gpu-1.15.1", files=files, site=mine), **installed("faiss_cpu-1.15.1", files={"faiss/a.py": ""})}

    software = found(machine(tmp_path, tree), "/srv/app", **VENV)

    assert [(each.site, each.library) for each in software] == [(mine, "CUDA"), (SITE, None)]
    assert [each.library for each in found(machine(tmp_path / "again", tree), mine)] == ["CUDA"]


def test_a_named_directory_without_packages_is_told(tmp_path: Path) -> None:
    root = machine(tmp_path, {"/srv/empty/a.txt": ""})

    (place,) = read_host(root, {}, platform="linux", machine="x86_64", software_dirs=("/srv/empty",)).empty_places

    assert (place.path, place.where) == ("/srv/empty", "--software")


@pytest.mark.parametrize(
    ("function", "looked"),
    [
        ({"vendor": "0x8086\n", "class": "0x030000\n"}, True),
        ({"vendor": "0x1a03\n", "class": "0x030000\n"}, False),
    ],
)
def test_a_discrete_card_of_intel_is_worth_looking_for(tmp_path: Path, function: Function, looked: bool) -> None:
    root = machine(tmp_path, pci={"0000:03:00.0": function})

    assert (read_host(root, {}, platform="linux", machine="x86_64").software is not None) == looked


def test_the_graphics_of_an_intel_processor_are_not(tmp_path: Path) -> None:
    root = machine(tmp_path, pci={"0000:00:02.0": {"vendor": "0x8086\n", "class": "0x030000\n"}})

    assert read_host(root, {}, platform="linux", machine="x86_64").software is None


def test_a_pipe_a_device_and_a_directory_in_the_place_of_a_library_hold_nothing_up(tmp_path: Path) -> None:
    root = machine(tmp_path, installed("faiss_gpu-1.15.1", "xformers-0.0.35", files={"xformers/_C.so/a": ""}), CARD)
    pipe = tmp_path / f"{SITE}/faiss/libfaiss.so".lstrip("/")
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)
    (pipe.parent / "_swigfaiss.abi3.so").symlink_to("/dev/zero")

    assert [(each.name, each.library, each.files) for each in found(root, **VENV)] == [
        ("xformers", None, ()),
        ("FAISS", None, ()),
    ]


def test_an_endless_chain_of_links_is_no_library(tmp_path: Path) -> None:
    library_path = f"{SITE}/faiss/libfaiss.so"

    root = machine(tmp_path, installed("faiss_gpu-1.15.1"), CARD, links={library_path: "libfaiss.so"})

    assert only(root).files == ()


# --- metadata ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("onnxruntime_gpu-1.31.1.dist-info", ("onnxruntime-gpu", "1.31.1")),
        ("torch-2.14.1+cu130.dist-info", ("torch", "2.14.1+cu130")),
        ("PyYAML-6.0.egg-info", ("pyyaml", "6.0")),
        ("numpy-1.24.2-py3.11.egg-info", ("numpy", "1.24.2")),
        ("a.b_c-1!2.0rc1.dist-info", ("a-b-c", "1!2.0rc1")),
        ("torch.dist-info", ("torch", "2.6.0+debian")),
        ("-1.0.dist-info", None),
        ("torch-2.0", None),
        ("torch-1\n2.dist-info", None),
    ],
)
def test_distributions_are_known_by_the_names_of_their_metadata(
    tmp_path: Path, name: str, expected: tuple[str, str] | None
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.6.0+debian\n\nVersion: 9\n")

    read = list(distributions(Tree(), str(tmp_path), [name]))

    assert [(each.name, each.version) for each in read] == ([expected] if expected else [])


@given(st.lists(st.text(max_size=80), max_size=20))
def test_any_names_in_a_directory_are_read_without_an_error(names: list[str]) -> None:
    read = list(distributions(Tree(), "/nowhere", names))

    assert all(isinstance(each, Distribution) and each.name == normalised(each.name) for each in read)


@given(st.binary(max_size=400))
def test_any_metadata_gives_a_version_or_none(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("site")
    (folder / "torch.dist-info").mkdir()
    (folder / "torch.dist-info" / "METADATA").write_bytes(content)

    (read,) = distributions(Tree(), str(folder), ["torch.dist-info"])

    assert read.version is None or (len(read.version) <= 60 and read.version.isascii() and " " not in read.version)


def test_metadata_of_a_gigabyte_is_read_to_a_bound(tmp_path: Path) -> None:
    folder = tmp_path / "torch.dist-info"
    folder.mkdir()
    with (folder / "METADATA").open("wb") as file:
        file.write(b"Metadata-Version: 2.1\nName: torch\nVersion: 2.0\n")
        file.truncate(1 << 30)

    (read,) = distributions(Tree(), str(tmp_path), ["torch.dist-info"])

    assert read.version == "2.0"


def test_a_directory_of_a_million_names_is_read_to_a_bound() -> None:
    names = (f"p{number}-1.0.dist-info" for number in range(1_000_000))

    assert len(list(distributions(Tree(), "/nowhere", names))) == 5000


# --- patterns and links -----------------------------------------------------------------------------------------------


def test_every_pattern_of_the_table_is_below_a_directory_and_every_library_is_known() -> None:
    from gpuprobe.libraries import LIBRARIES

    known = {library.name for library in LIBRARIES}
    parts = [part for row in (*FRAMEWORKS, NODE, LM_STUDIO) for part in row.parts]

    assert [part.pattern for part in parts if part.pattern.startswith("/") or ".." in part.pattern] == []
    assert {part.library for part in parts} - {None} <= known
    assert len({row.name for row in FRAMEWORKS}) == len(FRAMEWORKS)


def test_every_framework_has_a_file_without_which_it_does_not_compute() -> None:
    assert [row.name for row in FRAMEWORKS if not any(part.main for part in row.parts)] == []


@pytest.mark.parametrize("row", [row for row in FRAMEWORKS if row.folder], ids=lambda row: row.name)
def test_a_folder_of_a_framework_alone_is_no_error(tmp_path: Path, row: object) -> None:
    folder = getattr(row, "folder", "")

    software = found(machine(tmp_path, {f"{SITE}/{folder}/__init__.py": ""}, CARD), **VENV)

    assert all(each.library is None for each in software)


@given(st.text(st.characters(exclude_characters="/"), max_size=30))
def test_a_pattern_without_a_star_means_that_name_alone(name: str) -> None:
    plain = name.replace("*", "")

    assert code_files.as_form(plain).fullmatch(plain)
    assert not code_files.as_form(plain).fullmatch(plain + "x")


def test_links_are_read_as_the_loader_would(tmp_path: Path) -> None:
    (tmp_path / "a.so").write_bytes(library(needs=("libcudart.so.13", "libc.so.6"), runpath="$ORIGIN/../x::/opt/y"))

    links = elf.links(Tree(str(tmp_path)), "/a.so")

    assert links == elf.Links(("libcudart.so.13", "libc.so.6"), ("$ORIGIN/../x", "/opt/y"))


@given(st.integers(0, 300), st.binary(min_size=1, max_size=16))
def test_a_damaged_library_has_links_or_none_and_never_an_error(
    tmp_path_factory: pytest.TempPathFactory, at: int, rubbish: bytes
) -> None:
    whole = library(needs=("libcudart.so.13",), runpath="$ORIGIN")
    folder = tmp_path_factory.mktemp("elf")
    (folder / "a.so").write_bytes(whole[:at] + rubbish + whole[at + len(rubbish) :])

    links = elf.links(Tree(str(folder)), "/a.so")

    assert len(links.needed) <= 256


def test_a_needed_name_that_is_split_between_two_pieces_is_found(tmp_path: Path) -> None:
    filler = "x" * ((1 << 20) - 10)
    (tmp_path / "a.so").write_bytes(library(texts=(filler, "libcublas.so.12", "end")))
    import re

    form = re.compile(rb"\0(libcublas\.so\.[0-9]+)(?=\0)")

    assert elf.find_all(Tree(str(tmp_path)), "/a.so", b".rodata", form, 1 << 30) == (b"libcublas.so.12",)
    assert elf.find_all(Tree(str(tmp_path)), "/a.so", b".rodata", form, 1 << 10) == ()


def test_only_ordinary_files_match_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "a.so").mkdir()
    os.mkfifo(tmp_path / "b.so")
    (tmp_path / "c.so").symlink_to("/dev/zero")
    (tmp_path / "d.so").write_bytes(b"")

    assert list(code_files.matching(Tree(), str(tmp_path), "*.so")) == [f"{tmp_path}/d.so"]


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("nvidia_cudnn_cu12-9.10.0", "nvidia_cudnn_cu13-9.28.1", True),
        ("nvidia_nccl_cu12-2.30.0", "nvidia_nccl_cu13-2.32.3", True),
        ("nvidia_cublas_cu12-12.9.0", "nvidia_cublas-13.0.2", False),
    ],
)
def test_wheels_of_nvidia_that_write_one_file_are_told(tmp_path: Path, first: str, second: str, told: bool) -> None:
    files: dict[str, bytes | str] = {
        "nvidia/cudnn/lib/libcudnn.so.9": "",
        "nvidia/nccl/lib/libnccl.so.2": "",
        "nvidia/cublas/lib/libcublas.so.12": "",
        "nvidia/cu13/lib/libcublas.so.13": "",
    }
    root = machine(tmp_path, installed(first, second, files=files), CARD)

    software = read_host(root, VENV, platform="linux", machine="x86_64").software or ()

    assert software
    assert all(("writes the same files" in (each.damage or "")) == told for each in software)


def test_code_of_nvidias_own_wheels_is_read(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "nvidia/cudnn/lib/libcudnn.so.9": library(),
        "nvidia/cudnn/lib/libcudnn_ops.so.9": library("sm_75", "sm_90"),
        "nvidia/cudnn/lib/libcudnn_adv.so.9": library("sm_90a"),
    }
    root = machine(tmp_path, installed("nvidia_cudnn_cu13-9.28.1", files=files), CARD)

    (cudnn,) = read_host(root, VENV, platform="linux", machine="x86_64").software or ()

    assert (cudnn.name, cudnn.version, cudnn.release) == ("libcudnn", "9.28.1", "13")
    assert architectures(cudnn) == {"libcudnn_adv.so.9": ("sm_90a",), "libcudnn_ops.so.9": ("sm_75", "sm_90")}
