"""Staged machines that are not put together like the others: laptops, boards, servers, WSL, and a hostile one."""

from __future__ import annotations

from tests.doubles import described
from tests.file_trees import RTX_4090
from tests.scenarios.ordinary import one_geforce
from tests.scenarios.parts import (
    CUDA_AND_NVML,
    FIRST,
    GEFORCE,
    IRIS,
    LAVAPIPE,
    RADEON,
    UVM_MODULE,
    VULKAN_LOADER,
    A,
    GiB,
    anv,
    arm,
    computer,
    cuda_card,
    drm_nodes,
    geforce,
    intel,
    kernel_module,
    lines,
    nvidia_nodes,
    nvidia_vulkan,
)
from tests.scenarios.staging import Driver, Node, Staged


def laptop() -> Staged:
    asleep = {**geforce(1), "device": "0x28e0\n", "power/runtime_status": "suspended\n"}
    name = "NVIDIA GeForce RTX 4060 Laptop GPU"
    memory = 8 * GiB
    cpuinfo = intel("Core(TM) i7-13700H", 14, 20, "sse4_2 avx fma avx2 f16c bmi2 avx_vnni")
    portable = computer(cpuinfo=cpuinfo, threads=20, memory=32, maker="LENOVO")
    return Staged(
        files={**portable, **kernel_module({FIRST: name}), **UVM_MODULE},
        pci={"0000:00:02.0": IRIS, FIRST: asleep},
        nodes={**nvidia_nodes(), **drm_nodes(2)},
        installed={**CUDA_AND_NVML, **VULKAN_LOADER},
        manifests={**anv(), **nvidia_vulkan((FIRST, A), name=name, memory=memory)},
        cuda=cuda_card(name=name, memory=memory, free=memory - 6 * (GiB // 16), id="0x28e010de"),
    )


def front_page() -> Staged:
    """A desktop with a card that works by CUDA, graphics that work by Vulkan, and a card without its kernel driver."""
    cpuinfo = intel("Core(TM) i7-13700", 16, 24, "sse4_2 avx fma avx2 f16c bmi2 avx_vnni")
    return Staged(
        files={**computer(cpuinfo=cpuinfo, threads=24), **kernel_module({FIRST: GEFORCE}), **UVM_MODULE},
        pci={
            "0000:00:02.0": IRIS,
            FIRST: geforce(1),
            "0000:03:00.0": {key: value for key, value in RADEON.items() if key not in ("driver", "drm")},
        },
        nodes={**nvidia_nodes(), **drm_nodes(2)},
        installed={**CUDA_AND_NVML, **VULKAN_LOADER},
        manifests={**anv(), **nvidia_vulkan((FIRST, A)), **LAVAPIPE},
        cuda=cuda_card(),
    )


def mig_slices() -> Staged:
    name, memory = "NVIDIA A100-SXM4-40GB", 40 * GiB
    sliced = described("slice", name=f"{name} MIG 3g.20gb", memory=20 * GiB, free=19 * GiB, uuid=_slice("a"))
    other = described("slice", name=f"{name} MIG 3g.20gb", memory=20 * GiB, free=12 * GiB, uuid=_slice("b"))
    card = cuda_card(name=name, memory=memory, free=31 * GiB, cc="8.0", mig=1, ecc=1, id="0x20b010de")
    return one_geforce(
        files={**computer(maker="Supermicro", memory=512), **kernel_module({FIRST: name}), **UVM_MODULE},
        pci={FIRST: {**geforce(), "device": "0x20b0\n", "class": "0x030200\n"}},
        cuda=lines(card, sliced, other),
    )


def _slice(letter: str) -> str:
    return f"MIG-{letter * 8}-0000-5000-8000-{letter * 12}"


def jetson() -> Staged:
    """L4T keeps its libraries in a directory of its own, and the card is no PCI function."""
    files = {
        **computer("Ubuntu 22.04.5 LTS", "5.15.148-tegra", arm("0xd42"), threads=12, memory=30),
        "/etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n",
        "/proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit\0",
        "/proc/device-tree/compatible": "nvidia,p3737-0000+p3701-0005\0nvidia,tegra234\0",
        "/sys/module/nvgpu/initstate": "live\n",
        "/sys/bus/platform/drivers_autoprobe": "1\n",
    }
    del files["/sys/class/dmi/id/sys_vendor"]
    card = {"name": "Orin", "uuid": A, "cc": "8.7", "integrated": 1}
    version = "540.4.0"
    return Staged(
        files=files,
        nodes={"/dev/nvmap": Node(0o660, 44, 10, 121), "/dev/nvgpu/igpu0/ctrl": Node(0o660, 44, 504, 2)},
        installed={"libcuda.so.1": "libcuda.so.1.1", "libnvidia-ml.so.1": "libnvidia-ml.so.1"},
        cuda=lines(described(**card, memory=30 * GiB, free=5 * GiB), "driver 12060"),
        nvml=lines(described(**card, memory="none"), f"kernel {version}", f"nvml 12.{version}", "cuda 12060"),
        machine="aarch64",
        folder="/usr/lib/aarch64-linux-gnu/nvidia",
    )


def wsl() -> Staged:
    cpuinfo = intel("Core(TM) i9-13900K", 16, 32, "sse4_2 avx avx2 fma f16c bmi2 hypervisor")
    files = {
        **computer(kernel="5.15.167.4-microsoft-standard-WSL2", cpuinfo=cpuinfo, memory=32),
        "/usr/lib/wsl/drivers/nv_dispi.inf_amd64_0123456789abcdef/nvidia-smi.exe": "",
    }
    del files["/sys/class/dmi/id/sys_vendor"]
    adapter = {**RTX_4090, "vendor": "0x1414\n", "device": "0x008e\n", "class": "0x030200\n", "driver": "dxgkrnl", "drm": ""}
    return Staged(
        files=files,
        pci={"4c5e:00:00.0": adapter},
        nodes={"/dev/dxg": Node(0o666, 0, 10, 125)},
        installed={"libcuda.so.1": "libcuda.so.1.1", "libnvidia-ml.so.1": "libnvidia-ml.so.1"},
        cuda=cuda_card(),
        environ={"WSL_DISTRO_NAME": "Ubuntu"},
        folder="/usr/lib/wsl/lib",
    )


def hostile() -> Staged:
    """Every name that a driver gives is an attack on a shell, a terminal, a table or a parser."""
    name = "\"; touch x; echo \"$(touch y)`touch z`\n\x1b[31m[bold]red[/bold]' ; touch w; '"
    nvk = described(
        type="discrete",
        name=name,
        vendor="0x1002",
        uuid="c" * 8 + "-0000-0000-0000-" + "c" * 12,
        pci="0000:03:00.0",
        memory=24 * GiB,
        driver_id=3,
        driver_name=name[:60],
        driver_info=name[:60],
    )
    return one_geforce(
        files={**computer(name=name.replace("\n", " ")), **kernel_module({FIRST: name.replace("\n", " ")}), **UVM_MODULE},
        pci={FIRST: geforce(), "0000:03:00.0": {**RADEON, "drm": "card1 renderD129"}},
        nodes={**nvidia_nodes(), **drm_nodes(2)},
        installed={**CUDA_AND_NVML, **VULKAN_LOADER},
        manifests={"radeon_icd'$(touch v).json": Driver("libvulkan_radeon.so", nvk)},
        cuda=cuda_card(name=name),
        amdgpu='device name="\x1b[2J$(touch s)" pci=0000:03:00.0',
        nvml=lines(cuda_card(name=name), "kernel 580.95.05\x1b[2J$(touch u)"),
        environ={"CUDA_VISIBLE_DEVICES": f"{A},$(touch t)\x1b[31m"},
    )


def integrated_in_a_container() -> Staged:
    """DGX Spark: the GPU shares the system's memory, of which this container may have 16 GiB."""
    cpuinfo = arm("0xd85", " bf16 i8mm")
    address, name = "000f:01:00.0", "NVIDIA GB10"
    files = {
        **computer(kernel="6.11.0-1016-nvidia", cpuinfo=cpuinfo, threads=20, memory=119, maker="NVIDIA"),
        **kernel_module({address: name}),
        **UVM_MODULE,
        "/.dockerenv": "",
        "/proc/self/cgroup": "0::/\n",
        "/sys/fs/cgroup/memory.max": f"{16 * GiB}\n",
        "/sys/fs/cgroup/memory.current": f"{6 * GiB}\n",
        "/sys/fs/cgroup/memory.stat": f"inactive_file {2 * GiB}\n",
    }
    card = {"name": name, "uuid": A, "pci": address, "cc": "12.1", "integrated": 1, "id": "0x2e1210de"}
    return Staged(
        files=files,
        pci={address: {**geforce(), "device": "0x2e12\n"}},
        nodes=nvidia_nodes(),
        installed=CUDA_AND_NVML,
        cuda=described(**card, memory=119 * GiB, free=9 * GiB),
        nvml=described(**card, memory="none"),
        machine="aarch64",
        folder="/usr/lib/aarch64-linux-gnu",
    )


def eight_cards() -> Staged:
    name = "NVIDIA H100 80GB HBM3"
    places = [f"0000:{bus}:00.0" for bus in ("19", "3b", "4c", "5d", "9b", "bb", "cb", "db")]
    bridge = {**RTX_4090, "device": "0x22a3\n", "class": "0x068000\n", "driver": "nvidia-nvswitch", "drm": ""}
    flags = "sse4_2 avx fma avx2 f16c bmi2 avx512f avx512_vnni avx512_bf16 amx_tile amx_int8 amx_bf16"
    cpuinfo = intel("Xeon(R) Platinum 8480C", 56, 112, flags)
    cards = [
        cuda_card(
            place,
            f"GPU-{number}0000000-2222-3333-4444-555555555555",
            name=name,
            memory=80 * GiB,
            free=(79 - 10 * (number % 3)) * GiB,
            cc="9.0",
            ecc=1,
            id="0x233010de",
        )
        for number, place in enumerate(places)
    ]
    function = {**geforce(), "device": "0x2330\n", "class": "0x030200\n"}
    return Staged(
        files={
            **computer("Ubuntu 22.04.5 LTS", "5.15.0-1067-nvidia", cpuinfo, threads=224, memory=2015, maker="NVIDIA"),
            **kernel_module(dict.fromkeys(places, name)),
            **UVM_MODULE,
        },
        pci={
            **{place: {**function, "drm": f"card{n} renderD{128 + n}"} for n, place in enumerate(places)},
            **{f"0000:0{bus}:00.0": bridge for bus in (5, 6, 7, 8)},
        },
        nodes={**nvidia_nodes(8), **drm_nodes(8)},
        installed=CUDA_AND_NVML,
        cuda=lines(cards),
    )
