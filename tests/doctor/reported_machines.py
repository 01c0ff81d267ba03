"""Machines of public reports, staged from what their authors wrote, as evidence: each is a fault that somebody had."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gpuprobe.facts import CPU_ONLY, FoundBuild, FoundLibrary, FoundSoftware, Host, NamedPlace, Reading
from gpuprobe.facts.system_facts import Opened, Package, SystemFacts
from gpuprobe.judging.rules import judge
from gpuprobe.model import Inventory, Outcome, Probe, Purpose, Request, Status
from tests.doctor import nvidia_machines as nvidia
from tests.doctor import sick_machines as sick
from tests.records import a_card, a_manifest, a_software_renderer, an_outcome, evidence_of

FIRST = nvidia.FIRST
MISMATCH = nvidia.nvml_says(18, "NVML_ERROR_LIB_RM_VERSION_MISMATCH")


class Reported(NamedTuple):
    where: str  # the report
    cause: str  # the catalogue's id that is right
    makes: Callable[[], Inventory]
    fix: str  # what the advice must contain


def _judged(host: Host, *outcomes: Outcome, devices: tuple[Any, ...] = ()) -> Inventory:
    return judge(evidence_of(*devices, host=host, outcomes=outcomes), Request())


def _versions(module: str, library: str, code: int, name: str, more: Mapping[str, str | None] | None = None) -> Inventory:
    """The module in memory is of another release than the libraries."""
    texts = nvidia.texts({"/sys/module/nvidia/version": f"{module}\n", **(more or {})})
    libraries = tuple(nvidia.library(each, library) for each in ("libcuda.so.1", "libnvidia-ml.so.1"))
    host = nvidia.nvidia_host(texts=texts, libraries=libraries, pci=(a_card(FIRST, device=0x1B06),))
    return _judged(host, nvidia.refused(code, name), MISMATCH)


def _updated_and_not_restarted() -> Inventory:
    return _versions("580.126.09", "580.159.03", 804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE")


def _patched_module_of_another_release() -> Inventory:
    return _versions("570.124.06", "570.124.04", 803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH")


def _updated_by_the_image_at_boot() -> Inventory:
    return _versions("570.195.03", "580.95.05", 803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH")


def _proxmox_container_after_a_kernel_update() -> Inventory:
    lxc = {"/run/systemd/container": "lxc\n"}
    return _versions("580.119.02", "580.105.08", 803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", lxc)


def _docker_image_with_its_own_driver() -> Inventory:
    return _versions("470.199.02", "470.161.03", 803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", {"/.dockerenv": ""})


def _p40_with_an_older_driver() -> Inventory:
    path = "/usr/local/lib/ollama/cuda_v12/libggml-cuda.so"
    build = FoundBuild("cuda_v12", "CUDA", path, (), ("/usr/local/lib/ollama/cuda_v12",), "Ollama", product="ollama")
    old = {"/sys/module/nvidia/version": "535.288.01\n"}
    libraries = tuple(nvidia.library(each, "535.288.01") for each in ("libcuda.so.1", "libnvidia-ml.so.1"))
    host = nvidia.nvidia_host(
        texts=nvidia.texts(old), libraries=libraries, builds=(build,), pci=(a_card(FIRST, device=0x1B38),)
    )
    p40 = nvidia.cuda(name="Tesla P40", compute_major=6, compute_minor=1, api_version="12.2", kernel_version="535.288.01")
    words = "`ggml_backend_cuda_reg` found no device: CUDA driver version is insufficient for CUDA runtime version"
    listing = Outcome(
        Probe("CUDA", Purpose.LIST, build="cuda_v12"), Status.NO_DEVICES, message=words, stderr=words, seconds=0.1
    )
    return _judged(host, nvidia.passed(p40), listing, an_outcome(nvidia.nvml(name="Tesla P40")), devices=(p40,))


def _ollama_of_the_cpu(folder: str, distribution: str, packages: tuple[Package, ...]) -> Inventory:
    host = nvidia.nvidia_host(
        texts=nvidia.texts({}, distribution),
        empty_places=(NamedPlace(folder, "Ollama", CPU_ONLY),),
        system=SystemFacts(packages=packages, package_lists={"dpkg": None, "pacman": None}),
    )
    return _judged(host, nvidia.passed(nvidia.cuda()), an_outcome(nvidia.nvml()), devices=(nvidia.cuda(),))


def _ollama_with_cpu_backends() -> Inventory:
    return _ollama_of_the_cpu("/usr/local/lib/ollama", "ubuntu", ())


def _ollama_of_arch() -> Inventory:
    return _ollama_of_the_cpu("/usr/lib/ollama", "arch", (Package("ollama", "0.9.6-1", "pacman"),))


def _kfd_says(device: int, number: int, name: str, *lines: str) -> Inventory:
    """`amdgpu` has the card, KFD leaves it out, and opening the node fails."""
    host = sick.with_radeon(
        pci=(sick.a_radeon(device=device),),
        texts={"/sys/class/kfd/kfd/topology/nodes/1/properties": Reading(None, "absent")},
        system=SystemFacts(opened=(Opened(sick.KFD, number, name),), log=sick.said(*lines)),
    )
    texts = {path: text for path, text in host.texts.items() if "nodes/1" not in path}
    return _judged(host._replace(texts=texts), sick.rocm_finds_nothing())


def _pitcairn() -> Inventory:
    return _kfd_says(0x6811, 12, "ENOMEM", "kfd kfd: amdgpu: PITCAIRN  not supported in kfd")


def _slot_without_atomics() -> Inventory:
    return _kfd_says(0x67DF, 12, "ENOMEM", "kfd kfd: skipped device 1002:67df, PCI rejects atomics")


def _polaris_12() -> Inventory:
    lines = ("kfd kfd: Initialized module", "amdgpu 0000:03:00.0: kfd not supported on this ASIC")
    return _kfd_says(0x699F, 12, "ENOMEM", *lines)


def _navi_14() -> Inventory:
    lines = ("kfd kfd: DID 7340 is missing in supported_devices", "kfd kfd: kgd2kfd_probe failed")
    return _kfd_says(0x7340, 12, "ENOMEM", *lines)


def _amd_container(gid: int, *nodes: Any, libraries: tuple[FoundLibrary, ...] = (), outcomes: tuple[Outcome, ...]) -> Inventory:
    host = sick.with_radeon(
        texts={"/.dockerenv": Reading("")},
        nodes=nodes,
        uid=10001,
        gids=(10001,),
        manifests=(a_manifest(),),
        libraries=libraries,
    )
    return _judged(host, *outcomes)


def _vulkan_image() -> Inventory:
    node = sick.a_node(accessible=False, gid=110, group=None)
    return _amd_container(110, node, outcomes=(sick.not_installed("ROCm"), an_outcome(a_software_renderer())))


def _vulkan_image_of_llama_swap() -> Inventory:
    node = sick.a_node(accessible=False, gid=992, group=None)
    return _amd_container(992, node, outcomes=(sick.not_installed("ROCm"), sick.vulkan_fails()))


def _rocm_image_with_a_nameless_group() -> Inventory:
    nodes = (
        sick.a_node(accessible=False, gid=148, group=None),
        sick.a_node(sick.KFD, accessible=False, gid=148, group=None),
    )
    return _amd_container(148, *nodes, outcomes=(sick.rocm_finds_nothing(), sick.vulkan_fails()))


def _one_device_of_two() -> Inventory:
    second = nvidia.SECOND
    host = nvidia.nvidia_host(
        texts=nvidia.texts({"/.dockerenv": "", "/sys/module/nvidia/version": "535.86.10\n"}),
        libraries=tuple(nvidia.library(each, "535.86.10") for each in ("libcuda.so.1", "libnvidia-ml.so.1")),
        pci=(a_card(FIRST), a_card(second)),
        environ={"NVIDIA_VISIBLE_DEVICES": "0"},
    )
    return _judged(host, nvidia.passed(nvidia.cuda()), an_outcome(nvidia.nvml()), devices=(nvidia.cuda(),))


def _wsl(*libraries: FoundLibrary, outcomes: tuple[Outcome, ...]) -> Inventory:
    windows = FoundLibrary("libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1", "WSL")
    host = nvidia.nvidia_host(
        pci=(),
        facts={"wsl_drivers": "nv_dispi.inf_amd64_5cb1f1dd1ecf5f15"},
        texts={**nvidia.without_driver(), "/proc/sys/kernel/osrelease": Reading("5.15.90.1-microsoft-standard-WSL2\n")},
        kernel="5.15.90.1-microsoft-standard-WSL2",
        nodes=(nvidia.NODES[0]._replace(path="/dev/dxg", major=10, minor=125),),
        libraries=(*libraries, windows),
    )
    return _judged(host, *outcomes)


def _wsl_with_cuda_packages() -> Inventory:
    linux = nvidia.library("libcuda.so.1", "520.61.05")
    return _wsl(linux, outcomes=(nvidia.refused(100, "CUDA_ERROR_NO_DEVICE", status=Status.NO_DEVICES),))


def _wsl_with_nvidia_utils() -> Inventory:
    linux = (nvidia.library("libnvidia-ml.so.1", "510.108.03"), nvidia.library("libcuda.so.1", "510.108.03"))
    blocked = nvidia.nvml_says(17, "NVML_ERROR_OPERATING_SYSTEM")
    return _wsl(*linux, outcomes=(nvidia.refused(304, "CUDA_ERROR_OPERATING_SYSTEM"), blocked))


def _llama_cpp_python_of_the_cpu() -> Inventory:
    folder = "/opt/venv/lib/python3.12/site-packages/llama_cpp/lib"
    host = nvidia.nvidia_host(empty_places=(NamedPlace(folder, "llama.cpp", CPU_ONLY),))
    return _judged(host, nvidia.passed(nvidia.cuda()), an_outcome(nvidia.nvml()), devices=(nvidia.cuda(),))


def _vllm_with_the_other_pynvml() -> Inventory:
    site = "/opt/venv/lib/python3.12/site-packages"
    vllm = FoundSoftware(
        "vLLM", f"{site}/vllm", "wheel", "CUDA", version="0.6.3", site=site, damage="`pynvml` shadows `nvidia-ml-py`"
    )
    host = nvidia.nvidia_host(software=(vllm,))
    return _judged(host, nvidia.passed(nvidia.cuda()), an_outcome(nvidia.nvml()), devices=(nvidia.cuda(),))


REPORTS = (
    Reported("ollama/ollama#15918", "nv-kmod-userspace-mismatch", _updated_and_not_restarted, "reboot"),
    Reported("ollama/ollama#17290", "ollama-driver-floor", _p40_with_an_older_driver, "driver"),
    Reported("ollama/ollama#9517", "ollama-backend-missing", _ollama_with_cpu_backends, "install.sh"),
    Reported("ollama/ollama#11628", "ollama-backend-missing", _ollama_of_arch, "sudo pacman -S ollama-cuda"),
    Reported("lemonade-sdk/lemonade#2799", "container-gid-mismatch", _rocm_image_with_a_nameless_group, "--group-add 148"),
    Reported("ROCm/legacy-rocm-build#2232", "amd-kfd-node-missing", _pitcairn, "Vulkan"),
    Reported("ROCm/legacy-rocm-build#1109", "pci-atomics-missing", _slot_without_atomics, "slot"),
    Reported("ROCm/legacy-rocm-build#1318", "amd-kfd-node-missing", _navi_14, "Vulkan"),
    Reported("ROCm/rocminfo#27", "amd-kfd-node-missing", _polaris_12, "Vulkan"),
    Reported("ggml-org/llama.cpp#24651", "container-gid-mismatch", _vulkan_image, "--group-add 110"),
    Reported("mostlygeek/llama-swap#405", "container-gid-mismatch", _vulkan_image_of_llama_swap, "--group-add 992"),
    Reported("NVIDIA/k8s-device-plugin#1431", "nv-kmod-userspace-mismatch", _updated_by_the_image_at_boot, "reboot"),
    Reported(
        "tinygrad/open-gpu-kernel-modules#47", "nv-kmod-userspace-mismatch", _patched_module_of_another_release, "570.124.06"
    ),
    Reported("psalias2006/gpu-hot#48", "lxc-userspace-mismatch", _proxmox_container_after_a_kernel_update, "580.119.02"),
    Reported("NVIDIA/nvidia-container-toolkit#171", "nv-kmod-userspace-mismatch", _docker_image_with_its_own_driver, "image"),
    Reported("NVIDIA/nvidia-container-toolkit#69", "not-given", _one_device_of_two, "--gpus all"),
    Reported("microsoft/WSL#9254", "wsl-linux-driver-installed", _wsl_with_cuda_packages, "purge"),
    Reported("microsoft/WSL#9166", "wsl-linux-driver-installed", _wsl_with_nvidia_utils, "nvidia"),
    Reported(
        "abetlen/llama-cpp-python (a wheel for the CPU)",
        "llamacpp-no-gpu-backend",
        _llama_cpp_python_of_the_cpu,
        "llama-cpp-python",
    ),
    Reported("vllm-project/vllm (the other pynvml)", "vllm-no-platform", _vllm_with_the_other_pynvml, "nvidia-ml-py"),
)
