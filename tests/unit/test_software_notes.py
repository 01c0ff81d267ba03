"""What is said of installed software beside the cards of a machine, in plain sentences."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor import notes
from gpuprobe.facts import CodeFile, CodeSet, FoundEngine, FoundSoftware, Need
from gpuprobe.judging.compatibility import of_device
from gpuprobe.judging.rules import judge
from gpuprobe.judging.software_notes import named
from gpuprobe.model import Device, Reason, Request
from tests.records import AMD, INTEL, a_card, a_device, a_host, evidence_of

SITE = "/venv/site-packages"
CARD = "0000:01:00.0"


def a_geforce(compute: tuple[int, int] = (8, 9), **fields: Any) -> Device:
    known = {"compute_major": compute[0], "compute_minor": compute[1], "kernel_version": "595.45.04", "api_version": "13.2"}
    return a_device("CUDA", **{**known, "pci_id": CARD, **fields})


def framework(name: str, *architectures: str, library: str | None = "CUDA", **fields: Any) -> FoundSoftware:
    """One with a single file of code, if it has architectures."""
    folder = f"{SITE}/{name.lower().replace(' ', '')}"
    files = (CodeFile(f"{folder}/lib{name[:4].lower()}.so", architectures),) if architectures else ()
    known = {"version": "1.0", "distribution": name.lower(), "site": SITE, "files": files}
    return FoundSoftware(name, folder, "wheel", library, **{**known, **fields})


def noted(*devices: Device, software: tuple[FoundSoftware, ...] = (), **host: Any) -> list[str]:
    known = {"pci": (a_card(),), "software": software, **host}
    return list(notes.of_inventory(judge(evidence_of(*devices, host=a_host(**known)), Request())))


def test_a_new_card_with_a_wheel_that_has_neither_its_code_nor_ptx_is_told() -> None:
    """B200 and onnxruntime-gpu 1.31.1."""
    wheel = framework("ONNX Runtime", "sm_75", "sm_80", "sm_86", "sm_89", "sm_90a", "sm_120a", release="13")

    (note,) = noted(a_geforce((10, 0)), software=(wheel,))

    assert note == (
        f"ONNX Runtime 1.0 of `{SITE}/onnxruntime` cannot use CUDA:0: it has code for 7.5, 8.0, 8.6, 8.9, 9.0a, 12.0a, none of "
        "which runs on 10.0, and no PTX"
    )
    assert noted(a_geforce((8, 9)), software=(wheel,)) == []


def test_a_part_that_lacks_what_the_rest_has_is_told() -> None:
    """Turing and torch 2.14.1+cu130."""
    files = (
        CodeFile(f"{SITE}/torch/lib/libtorch_cuda.so", ("sm_75", "sm_80")),
        CodeFile(f"{SITE}/torch/lib/libtorch_cuda_linalg.so", ("sm_80", "sm_90"), main=False),
        CodeFile(f"{SITE}/torch/lib/libtorch_cuda_special.so", ("sm_90a",), main=False),
    )
    torch = framework("torch", release="13.0", files=files)

    (note,) = noted(a_geforce((7, 5)), software=(torch,))

    assert note.startswith(
        f"torch 1.0 of `{SITE}/torch` runs on CUDA:0 in part: `libtorch_cuda_linalg.so` in it has no code for 7.5"
    )
    assert noted(a_geforce((8, 0)), software=(torch,)) == []


def test_a_wheel_for_one_card_only_is_told() -> None:
    wheel = framework("xformers", "sm_90a")

    assert "it has code for 9.0a, none of which runs on 8.9" in noted(a_geforce(), software=(wheel,))[0]
    assert noted(a_geforce((9, 0)), software=(wheel,)) == []


def test_what_could_not_be_read_to_its_end_is_never_told_to_lack_something() -> None:
    files = (CodeFile(f"{SITE}/faiss/libfaiss.so", ("sm_90",), unread="it ends in the middle"),)
    faiss = framework("FAISS", files=files)

    (answer,) = of_device(a_geforce(), evidence_of(host=a_host(software=(faiss,)))) or ()

    assert answer.fit.answer == "unknown"
    assert noted(a_geforce(), software=(faiss,)) == []


def test_few_kernels_for_a_card_are_told_where_the_answer_is() -> None:
    sets = (CodeSet(("sm_80",), 90), CodeSet(("sm_80", "sm_90"), 10))
    mixed = framework("FAISS", files=(CodeFile(f"{SITE}/faiss/libfaiss.so", ("sm_80", "sm_90"), sets=sets),))

    (old,) = of_device(a_geforce((8, 0)), evidence_of(host=a_host(software=(mixed,)))) or ()
    (new,) = of_device(a_geforce((9, 0)), evidence_of(host=a_host(software=(mixed,)))) or ()

    assert "modules" not in old.fit.because
    assert new.fit.because == "it has machine code for 9.0; only 10 of its 100 modules have"


def test_missing_libraries_are_one_sentence_for_an_environment() -> None:
    software = (
        framework("FAISS", "sm_89", needs=(Need("libcudart.so.12", None, ("13",)), Need("libcublas.so.12", "/x"))),
        framework("CuPy", "sm_89", needs=(Need("libcublas.so.13"), Need("libcurand.so.10"))),
        framework("ONNX Runtime", through="TensorRT", compiles=True, needs=(Need("libnvinfer.so.10"),)),
    )

    assert noted(a_geforce(), software=software) == [
        f"in `{SITE}` FAISS 1.0 needs libcudart.so.12 (13 is there), CuPy 1.0 needs libcublas.so.13 and libcurand.so.10: "
        "not found there or by the loader"
    ]


def test_packages_that_overwrite_each_other_are_told() -> None:
    both = framework("ONNX Runtime", "sm_89", damage="a and b write the same files")

    assert noted(a_geforce(), software=(both,)) == [f"ONNX Runtime 1.0 of `{SITE}/onnxruntime`: a and b write the same files"]


def test_two_packages_of_nvidia_with_one_file_are_told() -> None:
    cudnn = FoundSoftware("libcudnn", f"{SITE}/nvidia/cudnn/lib/libcudnn.so.9", "wheel", "CUDA", "9.1", "12", distribution="x")
    cudnn = cudnn._replace(site=SITE, damage="nvidia-cudnn-cu13 is installed too and writes the same files")

    assert "writes the same files" in noted(a_geforce(), software=(cudnn,))[0]


def test_a_framework_for_another_vendors_cards_computes_on_the_cpu() -> None:
    """`pip install torch` on a machine with AMD's card alone."""
    torch = framework("torch", "sm_80", version="2.14.1+cu130")
    radeon = a_device("ROCm", pci_id=CARD)

    (note,) = noted(radeon, software=(torch,), pci=(a_card(vendor=AMD, driver="amdgpu"),))

    assert note.startswith(
        f"torch 2.14.1+cu130 of `{SITE}/torch` computes through CUDA, and this machine shows no card of NVIDIA"
    )
    assert "`pip install torch --index-url https://download.pytorch.org/whl/rocm7.2` installs one for ROCm" in note


def test_a_package_that_calls_itself_gpu_is_told_on_a_machine_without_one() -> None:
    """Looked for because the environment was named."""
    (note,) = [each for each in noted(software=(framework("FAISS", "sm_80"),), pci=()) if "FAISS" in each]

    assert note.endswith(
        "computes through CUDA, and this machine shows no card of NVIDIA: here it computes on the CPU or not at all"
    )


@pytest.mark.parametrize(
    "software",
    [
        (framework("Triton", compiles=True), framework("Triton", library="ROCm", compiles=True)),
        (framework("OpenVINO", library="Level Zero", through="OpenCL"),),
        (framework("llama-cpp-python", "sm_80"), framework("llama-cpp-python", library="Vulkan")),
        (FoundSoftware("libcudart", "/usr/local/cuda/lib64/libcudart.so.13", "toolkit", "CUDA", "13.0", "13.0"),),
    ],
)
def test_what_serves_the_cards_in_another_way_is_no_note(software: tuple[FoundSoftware, ...]) -> None:
    radeon = a_device("ROCm", pci_id=CARD)

    assert noted(radeon, software=software, pci=(a_card(vendor=AMD, driver="amdgpu"),)) == []


def test_software_is_judged_where_it_may_be_why_a_card_does_not_work() -> None:
    """The machine of `rocblas-without-gfx906`."""
    radeon = a_device("ROCm", pci_id=CARD, gfx_target="gfx906")
    rocblas = FoundSoftware("rocBLAS", "/opt/rocm-6.4.0/lib/librocblas.so.4", "ROCm", "ROCm", None, "6.4.0", ("gfx1030",))
    host = a_host(pci=(a_card(vendor=AMD, driver="amdgpu"),), software=(rocblas,))
    failed = evidence_of(radeon, host=host)
    inventory = judge(failed, Request())
    dropped = inventory._replace(kept=(), drops=(a_drop(inventory.kept[0]),))

    (note,) = [each for each in notes.of_inventory(dropped) if "rocBLAS" in each]

    assert note == (
        "rocBLAS (ROCm 6.4.0) of `/opt/rocm-6.4.0/lib` cannot use ROCm:0: it has code for gfx1030, and none for gfx906; that "
        "of ROCm 6.3 was the last that had"
    )


def a_drop(device: Device) -> Any:
    from gpuprobe.model import Drop

    return Drop(device, Reason.FAILED_VALIDATION, "its child crashed")


def test_what_runs_is_no_note() -> None:
    software = (
        framework("torch", "sm_89", release="13.0"),
        framework("Triton", compiles=True),
        framework("FAISS", "compute_80"),
    )

    assert noted(a_geforce(), software=software) == []


def test_a_build_for_the_cpu_is_told_with_the_index_that_has_one_for_the_card() -> None:
    spark = a_geforce((12, 1))
    cpu = framework("torch", library=None, version="2.9.1+cpu")

    (note,) = noted(spark, software=(cpu,), machine="aarch64")

    assert note.endswith(
        "`pip install torch --index-url https://download.pytorch.org/whl/cu130` installs one with code for Blackwell"
    )


def test_what_the_address_would_install_is_not_named_again() -> None:
    own = framework("torch", "sm_80", "sm_90", version="2.9.1+cu130")

    (note,) = noted(a_geforce((11, 0)), software=(own,), machine="aarch64")

    assert "pip install" not in note


def test_ptx_that_is_newer_than_the_driver_is_of_no_use_whatever_its_package_is_called() -> None:
    """A wheel for "CUDA 13" with PTX of 13.2, under a driver of 13.0."""
    file = CodeFile(f"{SITE}/faiss/libfaiss.so", ("compute_80",), ptx="9.2")
    faiss = framework("FAISS", release="13", files=(file,))
    old = a_geforce(kernel_version="580.95.05", api_version="13.0")

    (note,) = noted(old, software=(faiss,))

    assert "PTX of CUDA 13.2 needs 595.45.04" in note
    assert noted(a_geforce(), software=(faiss,)) == []


# --- engines that are not asked ------------------------------------------------------------------------------------------

SYCL = FoundEngine("SYCL", "/opt/llama/libggml-sycl.so", "llama.cpp", "Intel GPUs", "llama.cpp")


@pytest.mark.parametrize(
    ("engine", "vendor", "told"),
    [
        (SYCL, INTEL, True),
        (SYCL, AMD, False),
        (SYCL._replace(where="--lib-dir"), AMD, True),
        (SYCL._replace(name="BLAS", where="--lib-dir"), AMD, False),
        (SYCL._replace(name="RPC"), INTEL, False),
        (SYCL._replace(name="another"), INTEL, False),
    ],
)
def test_an_engine_that_is_not_asked_is_told_where_it_concerns_somebody(engine: FoundEngine, vendor: int, told: bool) -> None:
    found = noted(pci=(a_card(vendor=vendor),), engines=(engine,))

    assert any("gpuprobe cannot ask it" in note for note in found) == told


# --- virtual devices -----------------------------------------------------------------------------------------------------


def test_virtual_devices_of_one_card_are_not_listed_twice() -> None:
    views = [a_geforce(number=number, name=f"NVIDIA GeForce RTX 4090 (dev p0/v{number})", build="b") for number in range(3)]
    host = a_host(pci=(a_card(),), environ={"GGML_CUDA_DEVICES": "3"})

    inventory = judge(evidence_of(*views, host=host), Request())

    assert len(inventory.kept) == 1
    assert [drop.reason for drop in inventory.drops] == [Reason.VIRTUAL_DEVICE] * 2
    assert "`GGML_CUDA_DEVICES=3` makes several of one card" in inventory.drops[0].because


def test_a_device_that_only_looks_virtual_is_a_card_of_its_own() -> None:
    one, other = a_geforce(name="A (dev p0/v0)"), a_geforce(name="A (dev p0/v1)", pci_id="0000:02:00.0", number=1)

    assert len(judge(evidence_of(one, other), Request()).kept) == 2


def test_a_part_with_code_does_not_make_up_for_the_main_library_without() -> None:
    files = (CodeFile("/v/torch/liba.so", ("sm_80",)), CodeFile("/v/torch/libb.so", ("sm_75",), main=False))

    (answer,) = of_device(a_geforce((7, 5)), evidence_of(host=a_host(software=(framework("torch", files=files),)))) or ()

    assert answer.fit.answer == "unsupported"


@pytest.mark.parametrize(
    ("second", "answer"), [(("sm_100",), "unknown"), (("sm_75",), "unsupported"), (("sm_80",), "unsupported"), ((), "unknown")]
)
def test_of_files_of_which_one_is_loaded_the_answer_is_certain_only_where_they_agree(
    second: tuple[str, ...], answer: str
) -> None:
    files = (CodeFile("/b/cuda118.so", ("sm_80",)), CodeFile("/b/cuda128.so", second))
    wheel = framework("bitsandbytes", loads_one=True)._replace(files=files)

    (judged,) = of_device(a_geforce((10, 0)), evidence_of(host=a_host(software=(wheel,)))) or ()

    assert judged.fit.answer.value == answer


def test_an_architecture_with_both_machine_code_and_ptx_is_named_once() -> None:
    """xformers 0.0.35."""
    (note,) = noted(a_geforce((6, 1)), software=(framework("xformers", "sm_75", "sm_80", "compute_80", "sm_90a"),))

    assert "it has code for 7.5, 8.0, 9.0a, none of which runs on 6.1" in note


def test_what_chose_the_file_without_code_is_told_in_place_of_another_package() -> None:
    (note,) = noted(
        a_geforce((10, 0)), software=(framework("bitsandbytes", "sm_80", problem="`BNB_CUDA_VERSION=121` chose it"),)
    )

    assert note.endswith("none of which runs on 10.0, and no PTX; `BNB_CUDA_VERSION=121` chose it")


def test_software_is_named_folder_by_folder() -> None:
    found = [
        FoundSoftware("libcublas", "/cuda/lib64/libcublas.so.13", "toolkit", "CUDA", "13.1"),
        FoundSoftware("libcudart", "/cuda/lib64/libcudart.so.13", "toolkit", "CUDA"),
        FoundSoftware("rocBLAS", "/opt/rocm/lib/librocblas.so.5", "ROCm", "ROCm", "5.0", "7.0"),
        FoundSoftware("rocBLAS", "/opt/old/lib/librocblas.so.5", "ROCm", "ROCm", "4.0"),
        FoundSoftware("torch", "/venv/torch", "wheel", "CUDA", "2.9", "13.0"),
    ]

    assert named(found) == (
        "libcublas 13.1, libcudart of `/cuda/lib64`, rocBLAS 5.0 (ROCm 7.0) of `/opt/rocm/lib`, "
        "rocBLAS 4.0 of `/opt/old/lib`, torch 2.9 of `/venv/torch`"
    )


def test_what_is_missing_is_told_with_what_is_there() -> None:
    needs = (Need("libcublas.so.13", None, ("12", "11")), Need("libcudnn.so.9", None), Need("libnccl.so.2", "/x"))
    needy, other = framework("torch", "sm_89", needs=needs), framework("JAX", "sm_89", needs=needs[1:])

    assert noted(a_geforce(), a_geforce(pci_id="0000:02:00.0"), software=(needy, other)) == [
        f"in `{SITE}` torch 1.0 needs libcublas.so.13 (12, 11 is there) and libcudnn.so.9, JAX 1.0 needs libcudnn.so.9: "
        "not found there or by the loader"
    ]
    assert noted(a_geforce(), software=(needy._replace(through="TensorRT"), needy._replace(needs=needs[2:]))) == []


def test_what_cannot_be_used_by_several_cards_is_one_sentence() -> None:
    cards = [a_geforce((7, 5), pci_id=f"0000:0{number}:00.0", number=number) for number in (1, 2)]

    (note,) = noted(*cards, software=(framework("x", "sm_90"), framework("y", "sm_90")))

    assert note == (
        f"x 1.0 of `{SITE}/x`, y 1.0 of `{SITE}/y` cannot use CUDA:0, CUDA:1: it has code for 9.0, none of which runs on 7.5"
    )


def test_a_framework_for_cards_that_are_not_here_says_whose_and_what_there_is() -> None:
    torch = framework("torch", library="ROCm")

    assert noted(a_geforce(), software=(torch,)) == [
        f"torch 1.0 of `{SITE}/torch` computes through ROCm, and this machine shows no card of AMD: here it computes on the "
        "CPU or not at all; `pip install torch --index-url https://download.pytorch.org/whl/cu126` installs one for CUDA"
    ]
    assert noted(a_geforce(), software=(torch._replace(site=None),)) == []
    assert noted(a_geforce(), software=(torch._replace(where="build"),)) == []
    assert noted(a_geforce(), software=(torch, framework("torch", "sm_89"))) == []
