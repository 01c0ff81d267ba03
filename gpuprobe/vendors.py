"""Every vendor gpuprobe knows, one record each: no other module compares a vendor with a name or a number.

What differs between vendors is a field of their record. The libraries name the vendors that they are made for.
"""

from gpuprobe.record_classes import NamedTuple


class Vendor(NamedTuple):
    """Who makes GPUs, or what may be taken for one. What is left out: there is nothing of the kind.

    Numbers and names of PCI are those of pci.ids, 2026-08-22.
    """

    name: str  # as documents say it
    pci_ids: tuple[int, ...]  # the first one stands for its GPUs that are no PCI functions

    # What its PCI functions of a display's, an accelerator's or a bridge's class are instead of GPUs.
    instead: str | None = None  # all of them: it makes no GPU
    other_devices: dict[int, str] = {}  # by device id
    other_drivers: dict[str, str] = {}  # by the kernel driver that is bound
    other_classes: dict[int, str] = {}  # by class and subclass

    # The kernel's side.
    drivers: tuple[str, ...] = ()  # the kernel drivers of its cards through which its libraries work
    lesser_drivers: dict[str, str] = {}  # kernel drivers that own a card and keep a library from it → that library
    modules: tuple[str, ...] = ()  # kernel modules whose version and state are read
    off_the_bus: dict[str, str] = {}  # kernel driver of its GPUs that are no PCI functions → what these are called
    nodes: tuple[str, ...] = ()  # what its nodes directly under /dev begin with
    node_folders: tuple[str, ...] = ()  # and the directories that hold others
    node_of: dict[str, str] = {}  # kernel driver → the node that its libraries open, where that is no render node

    # What serves its cards, beside the libraries that name it in their record.
    computes_through: str | None = None  # what its own programs use, and gpuprobe asks not: "MUSA"
    in_mesa: bool = False  # Mesa has a Vulkan driver for its GPUs
    vulkan_drivers: tuple[str, ...] = ()  # how the files of its Vulkan drivers begin, which the manifests name
    has_toolkits: bool = False  # programs for its cards are made with releases of a toolkit, which are looked for
    integrated_at: str | None = None  # how the PCI address of the graphics inside its processors ends, if they have a fixed one

    # Other systems.
    computers: tuple[tuple[str, str], ...] = ()  # platform and machine, as in the survey, of computers that have its GPU
    device_tree: str | None = None  # how an entry of `compatible` begins on a board with its GPU
    board_driver: str | None = None  # the kernel driver of that GPU
    board_on_the_bus: str | None = None  # the entry of a board whose GPU is a PCI function
    wsl_drivers: str | None = None  # regular expression: how the directories of its Windows drivers begin, in lower case
    wsl_cure: str | None = None  # what takes a driver for Linux out of WSL

    # What to do. Every clause ends a sentence that says what is wrong.
    driver_advice: str | None = None  # no kernel driver, or a lesser one, is bound to the card
    node_advice: str | None = None  # the driver is there, its node is not
    container_nodes: tuple[str, ...] = ("/dev/dri",)  # what a container must be given
    container_advice: dict[str, str] = {}  # kind of container → how, where not by handing over those nodes
    # Package manager → what it installs; "debian" goes before "apt" there.
    vulkan_packages: dict[str, str] = {}  # its Vulkan driver and the loader
    firmware_packages: dict[str, str] = {}  # what the kernel loads into its cards

    # How others are told of single cards of it.
    docker_driver: str | None = None  # Docker's driver that takes its UUIDs; None: its nodes are handed over
    pod_resources: dict[str, str] = {}  # kernel driver, or "" for any → what its device plugin calls one card
    slurm_flag: str | None = None  # gres.conf, `Flags=`: the job gets this vendor's variable and no other

    @property
    def pci_id(self) -> int:
        return self.pci_ids[0]

    def made(self, pci_id: int | None) -> bool:
        return pci_id in self.pci_ids


_MESA = {
    "apt": "mesa-vulkan-drivers libvulkan1",
    "dnf": "mesa-vulkan-drivers vulkan-loader",
    "tdnf": "mesa-vulkan-drivers vulkan-loader",
}

NVIDIA = Vendor(
    name="NVIDIA",
    pci_ids=(0x10DE,),
    other_classes={0x0680: "NVIDIA NVSwitch bridge"},
    drivers=("nvidia",),
    lesser_drivers={"nouveau": "CUDA", "nova_core": "CUDA"},
    modules=("nvidia", "nvidia_uvm", "nouveau", "nvgpu"),
    nodes=("nvidia", "nvmap", "nvhost"),
    node_folders=("/dev/nvidia-caps", "/dev/nvgpu/igpu0"),
    node_of={"nvidia": "/dev/nvidiactl"},
    vulkan_drivers=("libGLX_nvidia", "libEGL_nvidia", "libvulkan_nouveau", "libnvidia-vulkan"),
    has_toolkits=True,
    device_tree="nvidia,tegra",
    board_driver="nvgpu",
    board_on_the_bus="nvidia,tegra264",  # Thor
    wsl_drivers="nv",
    wsl_cure="sudo apt purge 'nvidia-driver-*' 'libnvidia-compute-*'",
    driver_advice="install the NVIDIA driver of your distribution (Ubuntu: `sudo ubuntu-drivers install`), then reboot",
    node_advice="run `sudo nvidia-modprobe -u -c=0`, which creates it; if that fails, look at `sudo dmesg`",
    container_nodes=("/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm"),
    container_advice={
        "docker": "start the container with `--gpus all`, or in Compose with `deploy.resources.reservations.devices` (the "
        "host needs the NVIDIA container toolkit)",
        "podman": "start the container with `--device nvidia.com/gpu=all`; the host describes its cards with "
        "`sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`",
        "kubernetes": "request it for the pod: `resources.limits: nvidia.com/gpu: 1` (the node needs NVIDIA's device plugin, "
        "and the pod `runtimeClassName: nvidia` where that is not the default)",
        "apptainer": "start the container with `--nv`",
    },
    docker_driver="nvidia",
    pod_resources={"": "nvidia.com/gpu"},
    slurm_flag="nvidia_gpu_env",
)
AMD = Vendor(
    name="AMD",
    pci_ids=(0x1002,),
    # Server management chips that carry a graphics vendor's id.
    other_devices={0x515E: "ATI ES1000 management display", 0x4752: "ATI Rage XL management display"},
    drivers=("amdgpu",),
    modules=("amdgpu",),
    nodes=("kfd",),
    in_mesa=True,
    vulkan_drivers=("libvulkan_radeon", "amdvlk", "amdgpu"),
    has_toolkits=True,
    wsl_drivers="u0[0-9]|amd",
    driver_advice="load it with `sudo modprobe amdgpu`, and look at `sudo dmesg | grep -i amdgpu` if that fails",
    container_nodes=("/dev/kfd", "/dev/dri"),
    container_advice={
        "kubernetes": "request it for the pod: `resources.limits: amd.com/gpu: 1` (the node needs AMD's device plugin)",
        "apptainer": "start the container with `--rocm`",
    },
    pod_resources={"": "amd.com/gpu"},
    slurm_flag="amd_gpu_env",
    vulkan_packages={
        **_MESA,
        "pacman": "vulkan-icd-loader vulkan-radeon",
        "zypper": "libvulkan1 libvulkan_radeon",
        "apk": "vulkan-loader mesa-vulkan-ati",
    },
    firmware_packages={
        "apt": "linux-firmware",
        "debian": "firmware-amd-graphics",
        "dnf": "amd-gpu-firmware",
        "pacman": "linux-firmware-amdgpu",
        "zypper": "kernel-firmware-amdgpu",
        "apk": "linux-firmware-amdgpu",
    },
)
# Linux, drivers/accel/ivpu/ivpu_drv.h: neural processors share class 1200 with GPUs that have no display.
_NPUS = (0x7D1D, 0xAD1D, 0x643E, 0xB03E, 0xFD3E, 0xD71D)
INTEL = Vendor(
    name="Intel",
    pci_ids=(0x8086,),
    has_toolkits=True,
    integrated_at=":00:02.0",
    other_devices=dict.fromkeys(_NPUS, "Intel NPU"),
    other_drivers={"intel_vpu": "Intel NPU", "dfl-pci": "Intel FPGA card"},
    other_classes={0x0B40: "Intel coprocessor (QuickAssist or Xeon Phi)"},
    drivers=("xe", "i915"),
    modules=("i915", "xe"),
    in_mesa=True,
    vulkan_drivers=("libvulkan_intel",),
    wsl_drivers="iigd|igdlh|intcgfx",
    driver_advice="load it with `sudo modprobe xe` or `sudo modprobe i915`; a new card needs a new kernel",
    pod_resources={"i915": "gpu.intel.com/i915", "xe": "gpu.intel.com/xe"},
    slurm_flag="intel_gpu_env",
    vulkan_packages={
        **_MESA,
        "pacman": "vulkan-icd-loader vulkan-intel",
        "zypper": "libvulkan1 libvulkan_intel",
        "apk": "vulkan-loader mesa-vulkan-intel",
    },
    firmware_packages={
        "apt": "linux-firmware",
        "debian": "firmware-intel-graphics firmware-misc-nonfree",
        "dnf": "intel-gpu-firmware",
        "pacman": "linux-firmware-intel",
        "zypper": "kernel-firmware-i915",
        "apk": "linux-firmware-i915",
    },
)
APPLE = Vendor(
    name="Apple",
    pci_ids=(0x106B,),
    off_the_bus={"asahi": "AGX"},
    in_mesa=True,
    vulkan_drivers=("libvulkan_asahi",),
    computers=(("darwin", "arm64"),),
    device_tree="apple,t",
    vulkan_packages={**_MESA, "pacman": "vulkan-icd-loader vulkan-asahi"},
)

# GPUs on the bus. Vulkan may list one where the vendor's driver brings it.
_ON_THE_BUS = (
    Vendor("Moore Threads", (0x1ED5,), computes_through="MUSA"),
    Vendor("Hygon", (0x1D94,), computes_through="DTK"),
    Vendor("Iluvatar CoreX", (0x1E3E,), computes_through="CoreX"),
    Vendor("MetaX", (0x9999,), computes_through="MACA"),
    Vendor("Zhaoxin", (0x1D17,)),
    Vendor("Glenfly", (0x6766,)),
    Vendor("Jingjia Micro", (0x0731,)),
    Vendor("Fantasy", (0x1EC8,)),
    Vendor("XDX", (0x1EED,)),
    Vendor("Lisuan", (0x4C54,)),
    Vendor("Sietium", (0x8510,)),
    Vendor(
        "Loongson",
        (0x0014,),
        other_devices=dict.fromkeys((0x7A06, 0x7A36, 0x7A46), "Loongson display controller"),
    ),
)

# GPUs beside the processor, found by the kernel driver of their render node: names of Linux' platform drivers. What drives
# only a screen has no render node, or another driver (`vc4`, `rockchip-drm`).
_OFF_THE_BUS = (
    Vendor(
        "Broadcom",
        (0x14E4,),
        off_the_bus={"v3d": "V3D"},
        in_mesa=True,
        vulkan_drivers=("libvulkan_broadcom",),
        vulkan_packages={**_MESA, "pacman": "vulkan-icd-loader vulkan-broadcom"},
    ),
    Vendor(
        "Arm",
        (0x13B5,),
        off_the_bus={"panfrost": "Mali", "panthor": "Mali", "lima": "Mali"},
        in_mesa=True,
        vulkan_drivers=("libvulkan_panfrost", "libmali"),
        vulkan_packages={**_MESA, "pacman": "vulkan-icd-loader vulkan-panfrost"},
    ),
    Vendor(
        "Qualcomm",
        (0x5143, 0x17CB),
        # The display's driver registers the render node for both; without a display the GPU's own does.
        off_the_bus=dict.fromkeys(("msm", "msm_dpu", "msm_mdp", "adreno"), "Adreno"),
        in_mesa=True,
        vulkan_drivers=("libvulkan_freedreno", "libvulkan_adreno"),
        vulkan_packages={**_MESA, "pacman": "vulkan-icd-loader vulkan-freedreno"},
    ),
    Vendor(
        "Imagination",
        (0x1010,),
        off_the_bus={"powervr": "PowerVR"},
        in_mesa=True,
        vulkan_drivers=("libvulkan_powervr", "libVK_IMG"),
        vulkan_packages=_MESA,
    ),
    Vendor("Vivante", (0x10001,), off_the_bus={"etnaviv": "GC"}),  # Khronos' number: it has none of PCI
)

# No GPU that could compute, or an accelerator that is programmed otherwise than a GPU.
_NO_GPU = (
    Vendor("ASPEED", (0x1A03,), instead="ASPEED management display"),
    Vendor("Matrox", (0x102B,), instead="Matrox management display"),
    Vendor("Red Hat", (0x1AF4,), instead="virtio virtual display"),
    Vendor("Red Hat", (0x1B36,), instead="QXL virtual display"),
    Vendor("Bochs", (0x1234,), instead="Bochs virtual display"),
    Vendor("Cirrus Logic", (0x1013,), instead="Cirrus virtual display"),
    Vendor("VMware", (0x15AD,), instead="VMware virtual display"),
    Vendor("VirtualBox", (0x80EE,), instead="VirtualBox virtual display"),
    Vendor(
        "Microsoft",
        (0x1414,),
        instead="Hyper-V virtual display",
        # What WSL puts on the bus for each adapter of Windows; the adapter itself is reached through /dev/dxg.
        other_devices={0x008E: "adapter of Windows, reached through /dev/dxg"},
    ),
    Vendor("Parallels", (0x1AB8,), instead="Parallels virtual display"),
    Vendor("Huawei", (0x19E5,), instead="Huawei management display or accelerator"),
    Vendor("Habana", (0x1DA3,), instead="Habana accelerator"),
    Vendor("Tenstorrent", (0x1E52,), instead="Tenstorrent accelerator"),
    Vendor("Enflame", (0x1E36,), instead="Enflame accelerator"),
    Vendor("Cambricon", (0xCABC,), instead="Cambricon accelerator"),
    Vendor("Baidu", (0x1D22,), instead="Kunlun accelerator"),
    Vendor("Graphcore", (0x1D95,), instead="Graphcore accelerator"),
)

VENDORS = (NVIDIA, AMD, INTEL, APPLE, *_ON_THE_BUS, *_OFF_THE_BUS, *_NO_GPU)

_BY_ID = {number: vendor for vendor in VENDORS for number in vendor.pci_ids}


def vendor_of(pci_id: int | None) -> Vendor | None:
    """The vendor with this PCI id; None: unknown here."""
    return _BY_ID.get(pci_id) if pci_id is not None else None


def name_of(pci_id: int | None) -> str | None:
    """Its name as documents say it."""
    vendor = vendor_of(pci_id)
    return vendor.name if vendor else None


def driving(driver: str | None) -> Vendor | None:
    """Whose GPUs, which are no PCI functions, this kernel driver drives; None: nobody's that is known."""
    return next((vendor for vendor in VENDORS if driver in vendor.off_the_bus), None)
