"""The machines that are staged with doubles of their drivers, by the name of their scenario."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.doubles import described
from tests.environments import installed, library
from tests.file_trees import RTX_4090, shared_library
from tests.scenarios.ordinary import in_docker, one_geforce, one_radeon, two_geforces
from tests.scenarios.parts import (
    CUDA_AND_NVML,
    FIRST,
    GEFORCE,
    LAVAPIPE,
    SECOND,
    UVM_MODULE,
    VULKAN_LOADER,
    A,
    B,
    GiB,
    computer,
    cuda_card,
    drm_nodes,
    geforce,
    kernel_module,
    lines,
    nvidia_nodes,
    nvidia_vulkan,
    radv,
    virtual_computer,
)
from tests.scenarios.radeons import beside_integrated, overridden
from tests.scenarios.special import eight_cards, front_page, hostile, integrated_in_a_container, jetson, laptop, mig_slices, wsl
from tests.scenarios.staging import Driver, Staged

VIRTIO = {**RTX_4090, "vendor": "0x1af4\n", "device": "0x1050\n", "driver": "virtio-pci", "drm": "card0"}
NVK = described(
    type="discrete",
    name="NVIDIA GeForce RTX 4090 (NVK AD102)",
    vendor="0x10de",
    device="0x2684",
    pci=FIRST,
    uuid="d" * 8 + "-0000-0000-0000-" + "d" * 12,
    memory=24 * GiB,
    free=23 * GiB,
    driver_id=24,
    driver_name="NVK",
    driver_info="Mesa 25.0.7",
    api="1.4.305",
)
NEWER = {"libcuda.so.1": "libcuda.so.580.105.08", "libnvidia-ml.so.1": "libnvidia-ml.so.580.105.08"}
PASCAL = "NVIDIA GeForce GTX 1080"
SITE = "/opt/chat/lib/python3.12/site-packages"
CUDA_13_AND_TORCH: dict[str, str | bytes] = {
    "/usr/local/cuda-13.0/lib64/libcudart.so.13.0.96": "",
    "/usr/local/cuda-13.0/lib64/libcublas.so.13.0.2.14": "",
    f"{SITE}/torch/version.py": "__version__ = '2.15.0+cu132'\ncuda: Optional[str] = '13.2'\nhip: Optional[str] = None\n",
    f"{SITE}/torch/lib/libtorch_python.so": shared_library(b"\0sm_75 sm_80 sm_86 sm_90 sm_100 sm_120\0"),
    f"{SITE}/nvidia_nccl_cu13-2.30.7.dist-info/METADATA": "",
    f"{SITE}/nvidia/nccl/lib/libnccl.so.2": "",
}

# As today's wheels of PyPI are compiled, but for their code: see tests/unit/software_of_wheels.json.
WHEELS = installed(
    *("onnxruntime_gpu-1.31.1", "torch-2.14.1+cu130", "faiss_gpu-1.15.1"),
    *("nvidia_cuda_runtime-13.0.96", "nvidia_cublas-13.1.0.3"),
    site=SITE,
    files={
        "torch/version.py": "__version__ = '2.14.1+cu130'\ncuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n",
        "torch/lib/libtorch_cuda.so": library("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"),
        "torch/lib/libtorch_cuda_linalg.so": library("sm_80", "sm_86", "sm_90", "sm_100", "sm_120"),
        "onnxruntime/capi/libonnxruntime_providers_cuda.so": library(
            *("sm_75", "sm_80", "sm_86", "sm_89", "sm_90a", "sm_120a"), needs=("libcublas.so.13", "libcudart.so.13")
        ),
        "faiss/libfaiss.so": library("sm_70", "sm_75", "sm_80", "sm_90", "sm_100", needs=("libcublas.so.12",)),
        "nvidia/cu13/lib/libcudart.so.13": "",
        "nvidia/cu13/lib/libcublas.so.13": library("sm_75", "sm_80", "sm_90", "sm_100", "sm_120"),
    },
)
B200, TURING = "NVIDIA B200", "NVIDIA GeForce RTX 2080 Ti"

CUDA_13 = {path: content for path, content in CUDA_13_AND_TORCH.items() if path.startswith("/usr/local/")}
BUSY_LINK: dict[str, Any] = {"grip": 310 << 20, "gen": 4, "gen_idle": 1, "gen_max": 4, "width": 16, "width_max": 16}

LAPTOP_3050 = "NVIDIA GeForce RTX 3050 Laptop GPU"
# What Fedora's package `ollama` brings: the program, and ggml for processors alone.
OLLAMA_WITHOUT_GPU = {
    "/usr/bin/ollama": "",
    **{f"/usr/lib/ollama/libggml-{name}.so": "" for name in ("base", "cpu-haswell", "cpu-skylakex", "cpu-x64")},
}

STAGED: dict[str, Callable[[], Staged]] = {
    "nothing-at-all": lambda: Staged(files=virtual_computer(), pci={"0000:00:01.0": VIRTIO}, nodes=drm_nodes()),
    "two-identical-nvidia": lambda: two_geforces(
        installed={**CUDA_AND_NVML, **VULKAN_LOADER}, manifests=nvidia_vulkan((FIRST, A), (SECOND, B))
    ),
    "second-card-chosen-by-user": lambda: two_geforces(environ={"CUDA_VISIBLE_DEVICES": "1"}),
    "hidden-from-cuda-not-from-vulkan": lambda: two_geforces(
        environ={"CUDA_VISIBLE_DEVICES": "1"},
        installed={**CUDA_AND_NVML, **VULKAN_LOADER},
        manifests=nvidia_vulkan((FIRST, A), (SECOND, B)),
    ),
    "nouveau-with-nvk": lambda: Staged(
        files={**computer("Fedora Linux 42 (Workstation Edition)"), "/sys/module/nouveau/initstate": "live\n"},
        pci={FIRST: geforce(driver="nouveau")},
        nodes=drm_nodes(),
        installed=VULKAN_LOADER,
        manifests={**LAVAPIPE, "nouveau_icd.x86_64.json": Driver("libvulkan_nouveau.so", NVK)},
    ),
    "docker-without-gpus": in_docker,
    "amd-vulkan-only": one_radeon,
    "amd-no-permission": lambda: one_radeon(
        groups=(1000,), amdgpu="", manifests={**LAVAPIPE, "radeon_icd.x86_64.json": Driver("libvulkan_radeon.so", "")}
    ),
    "rocm-beside-integrated": beside_integrated,
    "rocm-overridden": overridden,
    "laptop-asleep": laptop,
    "crashing-vulkan-driver": lambda: one_radeon(
        manifests={"amd_icd64.json": Driver("amdvlk64.so", "crash vkEnumeratePhysicalDevices"), **LAVAPIPE, **radv()}
    ),
    "cuda-times-out": lambda: one_geforce(cuda=lines(cuda_card(), "hang cuInit"), limit=2.0),
    "cuda-init-999": lambda: one_geforce(
        files={**computer(), **kernel_module({FIRST: GEFORCE})},
        nodes={**nvidia_nodes(uvm=False), **drm_nodes()},
        cuda=lines(cuda_card(), "error cuInit 999"),
    ),
    "driver-library-mismatch": lambda: one_geforce(
        installed=NEWER,
        cuda=lines(cuda_card(), "error cuInit 803"),
        nvml=lines(cuda_card(), "error nvmlInitWithFlags 18"),
    ),
    "mig-slices": mig_slices,
    "mixed-front-page": front_page,
    "jetson-orin": jetson,
    "wsl2": wsl,
    "hostile-names": hostile,
    "cuda-refuses-vulkan-works": lambda: one_geforce(
        installed={**CUDA_AND_NVML, **VULKAN_LOADER},
        manifests=nvidia_vulkan((FIRST, A)),
        cuda=lines(cuda_card(), "error cuDevicePrimaryCtxRetain 209"),
    ),
    "integrated-in-a-container": integrated_in_a_container,
    "eight-cards": eight_cards,
    "pascal-beside-ada": lambda: two_geforces(
        files={**computer(), **kernel_module({FIRST: GEFORCE, SECOND: PASCAL}), **UVM_MODULE},
        pci={FIRST: geforce(), SECOND: {**geforce(1), "device": "0x1b80\n"}},
        cuda=lines(cuda_card(), cuda_card(SECOND, B, name=PASCAL, memory=8 * GiB, free=7 * GiB, cc="6.1", id="0x1b8010de")),
        environ={"OLLAMA_KV_CACHE_TYPE": "q8_0"},
    ),
    "software-that-does-not-run": lambda: two_geforces(
        files={**computer(), **kernel_module({FIRST: GEFORCE, SECOND: PASCAL}), **UVM_MODULE, **CUDA_13_AND_TORCH},
        pci={FIRST: geforce(current_link_width="4\n"), SECOND: {**geforce(1), "device": "0x1b80\n"}},
        cuda=lines(cuda_card(), cuda_card(SECOND, B, name=PASCAL, memory=8 * GiB, free=7 * GiB, cc="6.1", id="0x1b8010de")),
        environ={"VIRTUAL_ENV": "/opt/chat"},
    ),
    "wheels-that-lack-a-card": lambda: two_geforces(
        files={**computer(), **kernel_module({FIRST: B200, SECOND: TURING}), **UVM_MODULE, **WHEELS},
        pci={FIRST: {**geforce(), "device": "0x2901\n"}, SECOND: {**geforce(1), "device": "0x1e04\n"}},
        cuda=lines(
            cuda_card(name=B200, memory=180 * GiB, free=178 * GiB, cc="10.0", id="0x290110de"),
            cuda_card(SECOND, B, name=TURING, memory=11 * GiB, free=10 * GiB, cc="7.5", id="0x1e0410de"),
        ),
        environ={"VIRTUAL_ENV": "/opt/chat"},
    ),
    "one-of-two-computes-wrongly": lambda: two_geforces(
        files={**computer(), **kernel_module({FIRST: GEFORCE, SECOND: GEFORCE}), **UVM_MODULE, **CUDA_13},
        cuda=lines(cuda_card(**BUSY_LINK), cuda_card(SECOND, B, spoil=777_777, **BUSY_LINK)),
        proved=True,
    ),
    "ollama-without-a-gpu-build": lambda: one_geforce(
        files={
            **computer("Fedora Linux 44 (Workstation Edition)", "6.19.8-200.fc44.x86_64", memory=16, maker="LENOVO"),
            **kernel_module({FIRST: LAPTOP_3050}),
            **UVM_MODULE,
            **OLLAMA_WITHOUT_GPU,
        },
        pci={FIRST: {**geforce(), "device": "0x25a2\n"}},
        cuda=cuda_card(name=LAPTOP_3050, memory=4 * GiB, free=3 * GiB, cc="8.6", id="0x25a210de"),
        environ={"PATH": "/usr/bin"},
    ),
    "reserved-for-a-vm": lambda: two_geforces(
        files={**computer(), **kernel_module({FIRST: GEFORCE}), **UVM_MODULE},
        pci={FIRST: geforce(), SECOND: geforce(driver="vfio-pci", driver_override="vfio-pci\n", drm="")},
        nodes={**nvidia_nodes(), **drm_nodes()},
        cuda=cuda_card(),
    ),
}
