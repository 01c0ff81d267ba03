"""The machines that are staged with doubles of their drivers, by the name of their scenario."""

from __future__ import annotations

from tests.doubles import described
from tests.machines import RTX_4090
from tests.scenarios.parts import (
    CUDA_AND_NVML,
    FIRST,
    GEFORCE,
    IRIS,
    LAVAPIPE,
    NAVI_31,
    RADEON,
    RADEON_WITNESSED,
    ROCM_6,
    SECOND,
    UVM_MODULE,
    VULKAN_LOADER,
    A,
    B,
    GiB,
    anv,
    computer,
    cuda_card,
    drm_nodes,
    geforce,
    kernel_module,
    kfd_nodes,
    lines,
    nvidia_nodes,
    nvidia_vulkan,
    radeon_files,
    radv,
    virtual_computer,
)
from tests.scenarios.staging import Driver, Node, Staged

VIRTIO = {**RTX_4090, "vendor": "0x1af4\n", "device": "0x1050\n", "driver": "virtio-pci", "drm": "card0"}
TWO = (cuda_card(), cuda_card(SECOND, B, free=4 * GiB))


def one_geforce(**changed: object) -> Staged:
    """A server with one card and NVIDIA's driver for computing, without Vulkan."""
    found: dict[str, object] = {
        "files": {**computer(), **kernel_module({FIRST: GEFORCE}), **UVM_MODULE},
        "pci": {FIRST: geforce()},
        "nodes": {**nvidia_nodes(), **drm_nodes()},
        "installed": CUDA_AND_NVML,
        "cuda": cuda_card(),
    }
    return Staged(**{**found, **changed})  # type: ignore[arg-type]


def two_geforces(**changed: object) -> Staged:
    found: dict[str, object] = {
        "files": {**computer(), **kernel_module({FIRST: GEFORCE, SECOND: GEFORCE}), **UVM_MODULE},
        "pci": {FIRST: geforce(), SECOND: geforce(1)},
        "nodes": {**nvidia_nodes(2), **drm_nodes(2)},
        "installed": CUDA_AND_NVML,
        "cuda": lines(TWO),
    }
    return Staged(**{**found, **changed})  # type: ignore[arg-type]


def one_radeon(**changed: object) -> Staged:
    """A desktop with Mesa and no ROCm, as distributions install it."""
    found: dict[str, object] = {
        "files": {**computer(), "/sys/module/amdgpu/initstate": "live\n", **kfd_nodes(NAVI_31)},
        "pci": {"0000:03:00.0": {**RADEON, **radeon_files()}},
        "nodes": {"/dev/kfd": Node(0o660, 992, 511, 0), **drm_nodes()},
        "installed": VULKAN_LOADER,
        "manifests": {**LAVAPIPE, **radv()},
        "amdgpu": RADEON_WITNESSED,
    }
    return Staged(**{**found, **changed})  # type: ignore[arg-type]


def radeon_beside_integrated() -> Staged:
    """A Radeon and the graphics inside the processor, which HIP lists and rocBLAS has no kernels for."""
    inside = "0000:0e:00.0"
    graphics = {**RADEON, "device": "0x164e\n", "drm": "card1 renderD129"}
    shared = {"mem_info_vram_total": f"{GiB // 2}\n", "mem_info_vram_used": f"{GiB // 8}\n"}
    shared |= {"mem_info_gtt_total": f"{31 * GiB}\n", "mem_info_gtt_used": f"{GiB // 4}\n"}
    raphael = {"gfx_target_version": 100306, "location_id": 0x0E00, "drm_render_minor": 129, "device_id": 0x164E}
    radeon = described(
        name="AMD Radeon RX 7900 XTX", uuid="8b5ac29c9e8f1a2b", gfx="gfx1100", pci="0000:03:00.0", memory=24 * GiB,
        free=23 * GiB,
    )
    second = described(name="AMD Radeon Graphics", gfx="gfx1036", pci=inside, memory=31 * GiB, free=30 * GiB, integrated=1)
    drawn = described(
        type="integrated", name="AMD Radeon Graphics (RADV RAPHAEL_MENDOCINO)", vendor="0x1002", device="0x164e", pci=inside,
        uuid="00000000-0e00-0000-0000-000000000000", memory=31 * GiB, free=30 * GiB, driver_id=3, driver_name="radv",
        driver_info="Mesa 25.0.7", api="1.4.305",
    )
    return one_radeon(
        files={**computer(), "/sys/module/amdgpu/initstate": "live\n", **kfd_nodes(NAVI_31, {**raphael, "memory": GiB // 2})},
        pci={"0000:03:00.0": {**RADEON, **radeon_files()}, inside: {**graphics, **shared}},
        nodes={"/dev/kfd": Node(0o660, 992, 511, 0), **drm_nodes(2)},
        installed={**ROCM_6, **VULKAN_LOADER},
        manifests={**LAVAPIPE, **radv(drawn)},
        hip=lines(radeon, second),
        rocblas="targets gfx900 gfx1030 gfx1100 gfx1101",
        amdgpu=lines(
            RADEON_WITNESSED,
            described(name="AMD Radeon Graphics", pci=inside, vram=GiB // 2, used=GiB // 8, gtt=31 * GiB, shared=GiB // 4),
        ),
    )


def radeon_overridden() -> Staged:
    """The owner of a Radeon for which ROCm has no kernels tells it to take the card for its bigger sister."""
    navi_22 = {**NAVI_31, "gfx_target_version": 100301, "device_id": 0x73DF, "memory": 12 * GiB}
    navi_22["unique_id"] = 0x51E2A7F00D15EA5E
    name = "AMD Radeon RX 6700 XT"
    card = described(name=name, uuid="51e2a7f00d15ea5e", gfx="gfx1031", pci="0000:03:00.0", memory=12 * GiB, free=11 * GiB)
    files = radeon_files(12 * GiB, unique="51e2a7f00d15ea5e")
    return one_radeon(
        files={**computer(), "/sys/module/amdgpu/initstate": "live\n", **kfd_nodes(navi_22)},
        pci={"0000:03:00.0": {**RADEON, "device": "0x73df\n", **files}},
        installed=ROCM_6,
        manifests={},
        hip=card,
        rocblas="targets gfx900 gfx1030 gfx1100 gfx1101",
        amdgpu=described(name=name, pci="0000:03:00.0", vram=12 * GiB, used=GiB, gtt=31 * GiB, shared=GiB // 16),
        environ={"HSA_OVERRIDE_GFX_VERSION": "10.3.0"},
    )


def laptop() -> Staged:
    asleep = {**geforce(1), "device": "0x28e0\n", "power/runtime_status": "suspended\n"}
    name = "NVIDIA GeForce RTX 4060 Laptop GPU"
    cpuinfo = (
        "model name\t: 13th Gen Intel(R) Core(TM) i7-13700H\nsiblings\t: 20\ncpu cores\t: 14\n"
        "flags\t\t: sse4_2 avx fma avx2 f16c bmi2 avx_vnni\n"
    )
    memory = 8 * GiB
    return Staged(
        files={**computer(cpuinfo=cpuinfo, threads=20, memory=32, maker="LENOVO"), **kernel_module({FIRST: name}), **UVM_MODULE},
        pci={"0000:00:02.0": IRIS, FIRST: asleep},
        nodes={**nvidia_nodes(), **drm_nodes(2)},
        installed={**CUDA_AND_NVML, **VULKAN_LOADER},
        manifests={**anv(), **nvidia_vulkan((FIRST, A), name=name, memory=memory)},
        cuda=cuda_card(name=name, memory=memory, free=memory - 6 * (GiB // 16), id="0x28e010de"),
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
    cpuinfo = "Features\t: fp asimd asimddp asimdhp fphp\nCPU implementer\t: 0x41\nCPU part\t: 0xd42\n"
    release = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed Jan  8 01:49:37 UTC 2025\n"
    files = {
        **computer("Ubuntu 22.04.5 LTS", "5.15.148-tegra", cpuinfo, threads=12, memory=30),
        "/etc/nv_tegra_release": release,
        "/proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit\0",
        "/proc/device-tree/compatible": "nvidia,p3737-0000+p3701-0005\0nvidia,tegra234\0",
        "/sys/module/nvgpu/initstate": "live\n",
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
    cpuinfo = "model name\t: 13th Gen Intel(R) Core(TM) i9-13900K\nsiblings\t: 32\ncpu cores\t: 16\nflags\t\t: sse4_2 avx avx2 fma f16c bmi2 hypervisor\n"
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
        type="discrete", name=name, vendor="0x1002", uuid="c" * 8 + "-0000-0000-0000-" + "c" * 12, pci="0000:03:00.0",
        memory=24 * GiB, driver_id=3, driver_name=name[:60], driver_info=name[:60],
    )
    return one_geforce(
        files={**computer(name=name.replace("\n", " ")), **kernel_module({FIRST: name.replace("\n", " ")}), **UVM_MODULE},
        pci={FIRST: geforce(), "0000:03:00.0": {**RADEON, "drm": "card1 renderD129"}},
        nodes={**nvidia_nodes(), **drm_nodes(2)},
        installed={**CUDA_AND_NVML, **VULKAN_LOADER},
        amdgpu="device name=\"\u001b[2J$(touch s)\" pci=0000:03:00.0",
        manifests={"radeon_icd'$(touch v).json": Driver("libvulkan_radeon.so", nvk)},
        cuda=cuda_card(name=name),
        nvml=lines(cuda_card(name=name), "kernel 580.95.05\x1b[2J$(touch u)"),
        environ={"CUDA_VISIBLE_DEVICES": f"{A},$(touch t)\x1b[31m"},
    )


def integrated_in_a_container() -> Staged:
    """DGX Spark: the GPU shares the system's memory, of which this container may have 16 GiB."""
    cpuinfo = "Features\t: fp asimd asimddp asimdhp fphp bf16 i8mm\nCPU implementer\t: 0x41\nCPU part\t: 0xd85\n"
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
    cpuinfo = (
        "model name\t: Intel(R) Xeon(R) Platinum 8480C\nsiblings\t: 112\ncpu cores\t: 56\n"
        "flags\t\t: sse4_2 avx fma avx2 f16c bmi2 avx512f avx512_vnni avx512_bf16 amx_tile amx_int8 amx_bf16\n"
    )
    cards = [
        cuda_card(place, f"GPU-{number}0000000-2222-3333-4444-555555555555", name=name, memory=80 * GiB,
                  free=(79 - 10 * (number % 3)) * GiB, cc="9.0", ecc=1, id="0x233010de")
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


def in_docker(**changed: object) -> Staged:
    """The kernel driver of the host shows in /proc; nothing of it was given to the container."""
    inside = {"/.dockerenv": "", "/proc/self/cgroup": "0::/\n"}
    return one_geforce(
        files={**computer("Debian GNU/Linux 12 (bookworm)"), **kernel_module({FIRST: GEFORCE}), **UVM_MODULE, **inside},
        nodes={},
        installed={},
        cuda="",
        **changed,
    )


NVK = described(
    type="discrete", name="NVIDIA GeForce RTX 4090 (NVK AD102)", vendor="0x10de", device="0x2684", pci=FIRST,
    uuid="d" * 8 + "-0000-0000-0000-" + "d" * 12, memory=24 * GiB, free=23 * GiB, driver_id=24, driver_name="NVK",
    driver_info="Mesa 25.0.7", api="1.4.305",
)
NEWER = {"libcuda.so.1": "libcuda.so.580.105.08", "libnvidia-ml.so.1": "libnvidia-ml.so.580.105.08"}
PASCAL = "NVIDIA GeForce GTX 1080"

STAGED = {
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
    "rocm-beside-integrated": radeon_beside_integrated,
    "rocm-overridden": radeon_overridden,
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
    "reserved-for-a-vm": lambda: two_geforces(
        files={**computer(), **kernel_module({FIRST: GEFORCE}), **UVM_MODULE},
        pci={FIRST: geforce(), SECOND: geforce(driver="vfio-pci", driver_override="vfio-pci\n", drm="")},
        nodes={**nvidia_nodes(), **drm_nodes()},
        cuda=cuda_card(),
    ),
}
