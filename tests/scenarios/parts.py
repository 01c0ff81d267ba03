"""What machines are put together from: computers, cards as sysfs shows them, device nodes and drivers' scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.doubles import described, script
from tests.file_trees import RTX_4090, RX_7900, Function
from tests.scenarios.staging import RENDER, Driver, Node

GiB = 1 << 30
VIDEO = 44

NVIDIA_DRIVER = "580.95.05"
CUDA_AND_NVML = {"libcuda.so.1": f"libcuda.so.{NVIDIA_DRIVER}", "libnvidia-ml.so.1": f"libnvidia-ml.so.{NVIDIA_DRIVER}"}
VULKAN_LOADER = {"libvulkan.so.1": "libvulkan.so.1.3.239"}
ROCM_6 = {"libamdhip64.so.6": "libamdhip64.so.6.3.60304", "librocblas.so.4": "librocblas.so.4.3.60304"}
NVIDIA_MANIFEST, RADV_MANIFEST, INTEL_MANIFEST = "nvidia_icd.json", "radeon_icd.x86_64.json", "intel_icd.x86_64.json"
LAVAPIPE = {"lvp_icd.x86_64.json": Driver("libvulkan_lvp.so")}

FIRST, SECOND = "0000:01:00.0", "0000:41:00.0"
A, B = "GPU-11111111-2222-3333-4444-555555555555", "GPU-99999999-2222-3333-4444-555555555555"
GEFORCE = "NVIDIA GeForce RTX 4090"

PRODUCTS = """#
1002  Advanced Micro Devices, Inc. [AMD/ATI]
\t744c  Navi 31 [Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M]
10de  NVIDIA Corporation
\t1b80  GP104 [GeForce GTX 1080]
\t20b0  GA100 [A100 SXM4 40GB]
\t22a3  GH100 [H100 NVSwitch]
\t2330  GH100 [H100 SXM5 80GB]
\t2684  AD102 [GeForce RTX 4090]
\t28e0  AD107M [GeForce RTX 4060 Max-Q / Mobile]
8086  Intel Corporation
\ta7a0  Raptor Lake-P [Iris Xe Graphics]
"""

_RYZEN = (
    "model name\t: AMD Ryzen 9 7950X 16-Core Processor\nsiblings\t: 32\ncpu cores\t: 16\n"
    "flags\t\t: sse4_2 avx fma avx2 f16c bmi2 avx512f avx512_vnni avx512_bf16\n"
)


def computer(
    name: str = "Ubuntu 24.04.3 LTS",
    kernel: str = "6.8.0-48-generic",
    cpuinfo: str = _RYZEN,
    threads: int = 32,
    memory: int = 64,
    maker: str = "ASUS",
    **more: str,
) -> dict[str, str]:
    """The files of a Linux computer with so many GiB of memory, three quarters of them available."""
    kilobytes = memory << 20
    return {
        "/etc/os-release": f'PRETTY_NAME="{name}"\n',
        "/proc/sys/kernel/osrelease": f"{kernel}\n",
        "/proc/cpuinfo": cpuinfo,
        "/sys/devices/system/cpu/online": f"0-{threads - 1}\n",
        "/proc/meminfo": f"MemTotal: {kilobytes} kB\nMemAvailable: {kilobytes * 3 // 4} kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
        "/proc/self/cgroup": "0::/user.slice/user-1000.slice/session-2.scope\n",
        "/sys/class/dmi/id/sys_vendor": f"{maker}\n",
        "/usr/share/misc/pci.ids": PRODUCTS,
        **more,
    }


def intel(name: str, cores: int, threads: int, flags: str) -> str:
    """/proc/cpuinfo of an Intel processor."""
    return f"model name\t: Intel(R) {name}\nsiblings\t: {threads}\ncpu cores\t: {cores}\nflags\t\t: {flags}\n"


def arm(part: str, features: str = "") -> str:
    return f"Features\t: fp asimd asimddp asimdhp fphp{features}\nCPU implementer\t: 0x41\nCPU part\t: {part}\n"


def virtual_computer(**more: str) -> dict[str, str]:
    cpuinfo = intel("Xeon(R) Gold 6338", 4, 4, "sse4_2 avx avx2 fma hypervisor")
    return computer(cpuinfo=cpuinfo, threads=4, memory=16, maker="QEMU", **more)


def kernel_module(models: Mapping[str, str], version: str = NVIDIA_DRIVER) -> dict[str, str]:
    """NVIDIA's kernel driver as /proc and /sys show it; `models`: address → the name it gives the card."""
    cards = {f"/proc/driver/nvidia/gpus/{address}/information": f"Model: \t\t {name}\n" for address, name in models.items()}
    return {
        "/proc/driver/nvidia/version": f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}\n",
        "/sys/module/nvidia/version": f"{version}\n",
        "/sys/module/nvidia/initstate": "live\n",
        **cards,
    }


UVM_MODULE = {"/sys/module/nvidia_uvm/initstate": "live\n"}


def nvidia_nodes(count: int = 1, uvm: bool = True) -> dict[str, Node]:
    cards = {f"/dev/nvidia{number}": Node(0o666, 0, 195, number) for number in range(count)}
    more = {"/dev/nvidia-uvm": Node(0o666, 0, 508, 0), "/dev/nvidia-uvm-tools": Node(0o666, 0, 508, 1)} if uvm else {}
    return {"/dev/nvidiactl": Node(0o666, 0, 195, 255), **cards, **more}


def drm_nodes(count: int = 1) -> dict[str, Node]:
    cards = {f"/dev/dri/card{number}": Node(0o660, VIDEO, 226, number) for number in range(count)}
    return {**cards, **{f"/dev/dri/renderD{128 + n}": Node(0o660, RENDER, 226, 128 + n) for n in range(count)}}


def geforce(number: int = 0, **more: str) -> Function:
    return {**RTX_4090, "drm": f"card{number} renderD{128 + number}", **more}


RADEON: Function = {**RX_7900, "drm": "card0 renderD128"}
RADEON_WITNESSED = described(
    name="AMD Radeon RX 7900 XTX", pci="0000:03:00.0", vram=24 * GiB, used=GiB, gtt=31 * GiB, shared=GiB // 16
)
IRIS: Function = {**RTX_4090, "vendor": "0x8086\n", "device": "0xa7a0\n", "driver": "i915", "drm": "card0 renderD128"}


def cuda_card(address: str | None = FIRST, uuid: str = A, **more: object) -> str:
    place = {} if address is None else {"pci": address}
    return described(**{"name": GEFORCE, "uuid": uuid, **place, "memory": 24 * GiB, "free": 21 * GiB, **more})


def nvidia_vulkan(*places: tuple[str, str], name: str = GEFORCE, memory: int = 24 * GiB) -> dict[str, Driver]:
    """NVIDIA's own Vulkan driver with these cards (address, UUID)."""
    cards = [
        described(
            type="discrete",
            name=name,
            vendor="0x10de",
            uuid=uuid,
            pci=address,
            memory=memory,
            free=memory - GiB,
            driver_id=4,
            driver_name="NVIDIA",
            driver_info=NVIDIA_DRIVER,
            api="1.4.312",
        )
        for address, uuid in places
    ]
    return {NVIDIA_MANIFEST: Driver("libGLX_nvidia.so.0", script(*cards))}


def radv(*lines: str, address: str = "0000:03:00.0") -> dict[str, Driver]:
    """Mesa's AMD driver with one card and whatever else its script says."""
    card = described(
        type="discrete",
        name="AMD Radeon RX 7900 XTX (RADV NAVI31)",
        vendor="0x1002",
        device="0x744c",
        uuid="00000000-0300-0000-0000-000000000000",
        pci=address,
        memory=24 * GiB,
        free=23 * GiB,
        driver_id=3,
        driver_name="radv",
        driver_info="Mesa 25.0.7",
        api="1.4.305",
    )
    return {RADV_MANIFEST: Driver("libvulkan_radeon.so", script(card, *lines))}


def radeon_files(total: int = 24 * GiB, used: int = GiB, unique: str = "8b5ac29c9e8f1a2b", **more: str) -> Function:
    """What `amdgpu` says of a card with memory of its own, in bytes."""
    return {
        "mem_info_vram_total": f"{total}\n",
        "mem_info_vram_used": f"{used}\n",
        "mem_info_vis_vram_total": f"{total}\n",
        "mem_info_gtt_total": f"{31 * GiB}\n",
        "mem_info_gtt_used": f"{GiB // 16}\n",
        "mem_info_vram_vendor": "samsung\n",
        "unique_id": f"{unique}\n",
        **more,
    }


def kfd_nodes(*nodes: Mapping[str, int]) -> dict[str, str]:
    """KFD's topology: node 0 is the processor; `memory` is the size of a node's bank, the rest are its properties."""
    place = "/sys/class/kfd/kfd/topology/nodes"
    files = {f"{place}/0/properties": "cpu_cores_count 32\nsimd_count 0\ngfx_target_version 0\nlocation_id 0\n"}
    for number, node in enumerate(nodes, start=1):
        properties = {"cpu_cores_count": 0, "simd_count": 192, "vendor_id": 4098, "domain": 0, **node}
        memory = properties.pop("memory", 24 * GiB)
        files[f"{place}/{number}/properties"] = "".join(f"{key} {value}\n" for key, value in properties.items())
        files[f"{place}/{number}/mem_banks/0/properties"] = f"heap_type 1\nsize_in_bytes {memory}\nflags 0\nwidth 384\n"
    return files


NAVI_31 = {
    "gfx_target_version": 110000, "location_id": 768, "drm_render_minor": 128, "device_id": 29772,
    "unique_id": 0x8B5AC29C9E8F1A2B,
}  # fmt: skip


def anv() -> dict[str, Driver]:
    """Mesa's Intel driver with a laptop's graphics."""
    card = described(
        type="integrated",
        name="Intel(R) Iris(R) Xe Graphics (RPL-P)",
        vendor="0x8086",
        device="0xa7a0",
        uuid="86800000-a7a0-0000-0000-000000000000",
        pci="0000:00:02.0",
        memory=12 * GiB,
        free=11 * GiB,
        driver_id=6,
        driver_name="Intel open-source Mesa driver",
        driver_info="Mesa 25.0.7",
        api="1.4.305",
    )
    return {INTEL_MANIFEST: Driver("libvulkan_intel.so", script(card))}


def lines(*parts: str | Sequence[str]) -> str:
    return script(*(line for part in parts for line in ([part] if isinstance(part, str) else part)))
