"""Every library gpuprobe knows, most preferred first, with what is ours to decide about it.

A library's place in `LIBRARIES` is its rank: the earlier one keeps a card that several report. No other module compares
a library's name with a text; what differs between libraries is a field here.
"""

from gpuprobe.model import MiB
from gpuprobe.record_classes import NamedTuple
from gpuprobe.vendors import AMD, APPLE, INTEL, NVIDIA, Vendor


class Selection(NamedTuple):
    """How one variable of a library chooses devices."""

    variable: str
    takes: str  # "uuid": the UUID where there is one, else the number; "number"; "raw": position in the raw list
    hide_all: str  # the value that hides every device
    source: str
    numbered_under: tuple[str, ...] = ()  # variables that decide what a number means
    keeps_order: bool = True  # False: the value is a set, and devices keep the library's own order
    empty_hides: bool = True  # False: set to nothing, it counts as not set


class Drivers(NamedTuple):
    """How a library that loads drivers of its own is made to load one of them alone."""

    variable: str  # a list of them: paths of manifests, or names of libraries
    separators: dict[str, str]  # platform → what stands between two
    others: tuple[str, ...] = ()  # variables that would bring in more, and are unset beside it
    names: dict[str, tuple[str, ...]] = {}  # platform → the libraries it looks for by name; empty: it reads manifests

    def only(self, driver: str) -> tuple[tuple[str, str | None], ...]:
        """What a child changes so that this driver is the only one."""
        return ((self.variable, driver), *((name, None) for name in self.others))


class Library(NamedTuple):
    name: str
    backend: str | None  # module in gpuprobe/backends; None: this version can judge its devices but not ask it
    sonames: dict[str, tuple[str, ...]]  # platform → names, most preferred first; none: its binding is all it needs
    vendors: tuple[Vendor, ...] = ()  # whose cards it lists; empty: any vendor's
    witness: bool = False  # knows that a card is there, computes nothing: no device of its own
    binding: str | None = None  # Python module that the backend needs
    minimum_memory: int = 457 * MiB
    selections: dict[str, Selection] = {}  # platform → how devices are chosen there
    filters: tuple[str, ...] = ()  # variables that hide devices from it when the user has set them
    stacked: tuple[str, ...] = ()  # to be unset beside its own selection, because they would, or are said to, filter again
    flash_attention: str = "unknown"  # rule in flash_attention.py
    compute: str = "major.minor"  # or "gfx"
    one_slice: bool = False  # of all slices of cut cards it shows a process one
    validated_alone: bool = False  # its validating child is shown one device, by the variable of its selection
    init_calls: tuple[str, ...] = ()  # how the names of its calls begin that start it, before it looks for devices
    context_calls: tuple[str, ...] = ()  # and of those that use a device it has found
    numbered_as: str | None = None  # what documents call its numbers; None: nobody calls a card by them
    counted_by: str | None = None  # what people call the numbering, where that is not its name
    beneath: str | None = None  # the layer below it, which counts cards before its own variables do
    opens_every_node: bool = False  # asking it opens the DRM nodes of other vendors' cards too, which wakes them
    crash_prone: bool = False  # initialising a card that it does not support ends the process
    drivers: Drivers | None = None  # None: it is the driver, or its drivers cannot be told apart
    switch: str | None = None  # Ollama's variable that turns it off
    refreshes: bool = True  # False: what it calls free is what the asking process does not hold
    list_seconds: float = 30.0
    validate_seconds: float = 30.0
    ggml: str | None = None  # what ggml calls its backend for it: `libggml-<this>.so`; None: there is none that is asked
    ggml_devices: str | None = None  # how ggml's programs call its devices, before the number: `CUDA0`
    ggml_events: bool = False  # that backend copies beside computing: several devices then hold inputs several times
    builds_bring_it: bool = False  # a build carries a library of its own, which may work where the system's does not
    prove_seconds: float = 60.0  # every stage: cuBLAS alone is 500 MB to be read
    blas: str | None = None  # which of the software that is looked for a full validation multiplies with
    advice: str = ""  # what to do where its vendor's card is there and the library is not
    packages: dict[str, str] = {}  # package manager → what brings it
    precompiled: bool = False  # code for it is compiled for architectures beforehand, and not by the driver for its card
    by_release: bool = False  # what is made with a release of its toolkit needs a driver that is new enough for that
    frameworks: bool = False  # torch and its like compute through it, and are looked for
    counts_page_cache: bool = False  # of integrated GPUs it counts the system's page cache as used memory
    numbers_partitions: bool = False  # it gives partitions of one card the functions of its PCI address

    @property
    def vendor_ids(self) -> tuple[int, ...]:
        """The PCI ids of those vendors."""
        return tuple(number for vendor in self.vendors for number in vendor.pci_ids)


# Of builds, whatever the library: as `init_calls` and `context_calls`.
BUILD_INIT_CALLS = ("ggml_log_set", "ggml_backend_score", "ggml_backend_load", "ggml_backend_init", "ggml_backend_reg_by_name")
BUILD_CONTEXT_CALLS = ("ggml_backend_dev_init", "ggml_backend_free")

CUDA_SELECTION = Selection(
    variable="CUDA_VISIBLE_DEVICES",
    takes="uuid",
    hide_all="-1",
    source="CUDA C++ Programming Guide, CUDA environment variables: an invalid index hides it and all that follow",
    numbered_under=("CUDA_DEVICE_ORDER",),
)
_ROCR = Selection(
    variable="ROCR_VISIBLE_DEVICES",
    takes="uuid",
    hide_all="-1",
    source=(
        "ROCm documentation, GPU isolation techniques: indices or UUIDs up to the first unknown one; seen with ROCr 5.2.3: -1,"
        " nothing, GPU-XX and the beginning of several UUIDs hide all"
    ),
)
_HIP = Selection(
    variable="HIP_VISIBLE_DEVICES",
    takes="number",
    hide_all="-1",
    source=(
        "ROCm documentation, GPU isolation techniques; HIP on Windows has no ROCr underneath; seen with HIP 5.2.3: -1 hides"
        " all, set to nothing it is not set, and CUDA_VISIBLE_DEVICES is read instead"
    ),
    empty_hides=False,
)
# What leaves out devices of drivers that are loaded: the loader's own filters, and what Mesa's device selection layer reads.
_VULKAN_DEVICE_FILTERS = (
    *("VK_LOADER_VENDOR_ID_FILTER", "VK_LOADER_DEVICE_ID_FILTER", "VK_LOADER_DRIVER_ID_FILTER"),
    *("MESA_VK_DEVICE_SELECT", "MESA_VK_DEVICE_SELECT_FORCE_DEFAULT_DEVICE", "DRI_PRIME", "RADV_FORCE_FAMILY"),
)
_VULKAN = Selection(
    variable="GGML_VK_VISIBLE_DEVICES",
    takes="raw",
    hide_all="-1",
    source=(
        "Ollama documents -1 to disable Vulkan; seen with ggml 0.25.1: raw positions of vkEnumeratePhysicalDevices, nothing and"
        " a number out of range (which -1 is) hide all"
    ),
    numbered_under=(
        *("VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES"),
        *("VK_LOADER_DRIVERS_SELECT", "VK_LOADER_DRIVERS_DISABLE"),
        *_VULKAN_DEVICE_FILTERS,
        *("VK_LOADER_DEVICE_SELECT", "VK_LOADER_DISABLE_SELECT", "NODEVICE_SELECT"),
        *("VK_LOADER_LAYERS_DISABLE", "VK_LOADER_LAYERS_ENABLE", "VK_LOADER_LAYERS_ALLOW", "VK_INSTANCE_LAYERS"),
        *("VK_LAYER_PATH", "VK_ADD_LAYER_PATH", "VK_IMPLICIT_LAYER_PATH", "VK_ADD_IMPLICIT_LAYER_PATH"),
    ),
)
_LEVEL_ZERO = Selection(
    variable="ZE_AFFINITY_MASK",
    takes="number",
    # The loader (1.8.12, 1.26.3) does not read it; each driver library does by itself and counts its own devices.
    hide_all="-1",
    source="Intel compute runtime 22.43 to 26.31, ExecutionEnvironment::parseAffinityMask: entries are read as by std::stoul "
    "(-1 is 4294967295), a number without a device selects none, and with none left zeInit answers 0x78000001",
    numbered_under=(
        *("ZE_FLAT_DEVICE_HIERARCHY", "ZE_ENABLE_PCI_ID_DEVICE_ORDER", "ZE_ENABLE_ALT_DRIVERS"),
        *("ZEL_DRIVERS_ORDER", "ZEL_LIBRARY_PATH", "ZE_ENABLE_NULL_DRIVER"),
    ),
    keeps_order=False,
    empty_hides=False,
)

CUDA = Library(
    name="CUDA",
    backend="cuda",
    ggml="cuda",
    ggml_devices="CUDA",
    ggml_events=True,
    sonames={"linux": ("libcuda.so.1",), "win32": ("nvcuda.dll",)},
    vendors=(NVIDIA,),
    selections={"linux": CUDA_SELECTION, "win32": CUDA_SELECTION},
    filters=("CUDA_VISIBLE_DEVICES",),
    flash_attention="compute_capability",
    one_slice=True,
    init_calls=("cuDriverGetVersion", "cuInit"),
    context_calls=("cuDevicePrimaryCtx", "cuCtx", "cuMem"),
    numbered_as="cuda",
    blas="libcublas",
    advice=NVIDIA.driver_advice or "",
    precompiled=True,
    frameworks=True,
    by_release=True,
    counts_page_cache=True,
)
ROCM = Library(
    name="ROCm",
    backend="rocm",
    ggml="hip",
    ggml_devices="ROCm",
    ggml_events=True,
    builds_bring_it=True,
    sonames={
        "linux": ("libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5", "libamdhip64.so"),
        "win32": ("amdhip64_7.dll", "amdhip64_6.dll", "amdhip64.dll"),
    },
    vendors=(AMD,),
    selections={"linux": _ROCR, "win32": _HIP},
    filters=("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"),
    # AMD documents GPU_DEVICE_ORDINAL for HIP too, but HIP 5.2.3 does not read it, nor does later source: OpenCL does.
    stacked=("HIP_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"),
    flash_attention="yes",
    compute="gfx",
    validated_alone=True,
    init_calls=("hipInit", "hipDriverGetVersion", "hipRuntimeGetVersion"),
    context_calls=("hipSetDevice", "hipFree", "hipMemGetInfo", "load librocblas", "load rocblas", "rocblas_"),
    numbered_as="rocm",
    counted_by="HIP",
    beneath="ROCr",
    blas="rocBLAS",
    crash_prone=True,
    precompiled=True,
    frameworks=True,
    numbers_partitions=True,
    advice="install AMD's ROCm runtime (`rocm-hip-runtime`) and add your user to the `render` and `video` groups",
    packages={"debian": "libamdhip64-5", "dnf": "rocm-hip", "pacman": "rocm-hip-runtime", "zypper": "rocm-hip"},
)
METAL = Library(
    name="Metal",
    backend="metal",
    ggml="metal",
    ggml_devices="MTL",
    sonames={"darwin": ("/System/Library/Frameworks/Metal.framework/Metal",)},
    vendors=(APPLE, AMD, INTEL),
    minimum_memory=512 * MiB,
    flash_attention="yes",
    refreshes=False,
    init_calls=("MTLCopyAllDevices", "load CoreGraphics", "MTLCreateSystemDefaultDevice"),
    context_calls=("newCommandQueue", "newBuffer"),
    numbered_as="metal",
    advice="update macOS: every release since 10.11 has this framework",
)
LEVEL_ZERO = Library(
    name="Level Zero",
    frameworks=True,
    backend="level_zero",
    sonames={"linux": ("libze_loader.so.1",), "win32": ("ze_loader.dll",)},
    vendors=(INTEL,),
    selections={"linux": _LEVEL_ZERO, "win32": _LEVEL_ZERO},
    filters=("ZE_AFFINITY_MASK", "ZE_ENABLE_ALT_DRIVERS"),
    drivers=Drivers(
        "ZE_ENABLE_ALT_DRIVERS",
        {"linux": ","},
        # source/loader/linux/driver_discovery_lin.cpp, loader 1.28. On Windows the registry names them.
        names={
            "linux": (
                "libze_intel_gpu.so.1",
                "libze_intel_gpu_legacy1.so.1",
                "libze_intel_vpu.so.1",
                "libze_intel_npu.so.1",
            )
        },
    ),
    numbered_as="level_zero",
    init_calls=("zeInit",),
    context_calls=("zeContext", "zeCommand", "zeMem"),
    advice="install Intel's compute runtime (Ubuntu 24.04: `sudo apt install libze1 libze-intel-gpu1`)",
    packages={
        "apt": "libze1 libze-intel-gpu1 intel-opencl-icd",
        "dnf": "intel-compute-runtime intel-level-zero oneapi-level-zero",
        "pacman": "intel-compute-runtime level-zero-loader",
    },
)
VULKAN = Library(
    name="Vulkan",
    backend="vulkan",
    ggml="vulkan",
    ggml_devices="Vulkan",
    ggml_events=True,
    sonames={
        "linux": ("libvulkan.so.1",),
        "win32": ("vulkan-1.dll",),
        "darwin": ("libvulkan.1.dylib", "libMoltenVK.dylib"),
    },
    selections={"linux": _VULKAN, "win32": _VULKAN, "darwin": _VULKAN},
    filters=(
        "VK_DRIVER_FILES",
        "VK_ICD_FILENAMES",
        "VK_LOADER_DRIVERS_SELECT",
        "VK_LOADER_DRIVERS_DISABLE",
        *_VULKAN_DEVICE_FILTERS,
    ),
    flash_attention="yes",
    drivers=Drivers(
        "VK_DRIVER_FILES",
        {"linux": ":", "win32": ";", "darwin": ":"},
        # The first selects too where the newer variable is not set, the second adds.
        others=("VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES"),
    ),
    switch="OLLAMA_VULKAN",
    init_calls=("vkEnumerateInstance", "vkCreateInstance"),
    context_calls=("vkCreateDevice", "vkGetDeviceQueue", "vkDestroy"),
    advice="install a Vulkan driver (Debian and Ubuntu: `sudo apt install mesa-vulkan-drivers libvulkan1`)",
    packages={
        "apt": "libvulkan1",
        "dnf": "vulkan-loader",
        "tdnf": "vulkan-loader",
        "pacman": "vulkan-icd-loader",
        "zypper": "libvulkan1",
        "apk": "vulkan-loader",
    },
)
NVML = Library(
    name="NVML",
    backend="nvml",
    sonames={"linux": ("libnvidia-ml.so.1",), "win32": ("nvml.dll",)},
    vendors=(NVIDIA,),
    witness=True,
    binding="pynvml",
    numbered_as="nvidia_smi",
    counted_by="nvidia-smi",
    counts_page_cache=True,
)

AMDGPU = Library(
    name="AMDGPU",
    backend="amdgpu",
    sonames={"linux": ()},  # the binding brings its own: nothing to look for
    vendors=(AMD,),
    witness=True,
    binding="pyamdgpuinfo",
    numbers_partitions=True,
    opens_every_node=True,
)

LIBRARIES = (CUDA, ROCM, METAL, LEVEL_ZERO, VULKAN, NVML, AMDGPU)


class Engine(NamedTuple):
    """A backend of ggml that this version does not ask (llama.cpp b11434, ggml-backend-reg.cpp)."""

    kind: str  # `libggml-<this>.so`
    name: str
    serves: str  # what computes with it
    vendor: int | None = None  # PCI vendor of the cards it is for; None: no one vendor's
    is_gpu: bool = True
    remote: bool = False  # what it computes on belongs to another process, here or elsewhere


ENGINES = (
    Engine("sycl", "SYCL", "Intel GPUs", INTEL.pci_id),
    Engine("opencl", "OpenCL", "Qualcomm's Adreno and Intel's GPUs"),
    Engine("musa", "MUSA", "Moore Threads' GPUs", 0x1ED5),
    Engine("cann", "CANN", "Huawei's Ascend NPUs", 0x19E5),
    Engine("rpc", "RPC", "the GPUs of other machines", remote=True),
    Engine("virtgpu", "virtgpu", "the GPU of the machine that hosts this one"),
    Engine("openvino", "OpenVINO", "Intel's GPUs and NPUs", INTEL.pci_id),
    Engine("hexagon", "Hexagon", "Qualcomm's NPUs"),
    Engine("webgpu", "WebGPU", "any GPU, through a browser's library"),
    Engine("et", "ET", "Esperanto's processors"),
    Engine("zendnn", "ZenDNN", "AMD's processors", is_gpu=False),
    Engine("zdnn", "zDNN", "IBM's processors", is_gpu=False),
    Engine("blas", "BLAS", "the CPU", is_gpu=False),
)

_BY_NAME = {library.name: library for library in LIBRARIES}


def library_named(name: str) -> Library:
    """The record of a library by its exact name; KeyError for a name that is not in the registry."""
    return _BY_NAME[name]


def rank_of(name: str) -> int:
    """0 for the most preferred library; an unknown name ranks behind all."""
    return next((rank for rank, library in enumerate(LIBRARIES) if library.name == name), len(LIBRARIES))


def spelled(text: str) -> Library | None:
    """The library a user means: any case, with `-`, `_` or nothing for the blank; ROCm also answers to HIP."""
    wanted = _folded(text)
    return next((library for library in LIBRARIES if wanted in (_folded(library.name), *_ALIASES.get(library.name, ()))), None)


_ALIASES = {
    "ROCm": ("hip", "amd"),
    "CUDA": ("nvidia",),
    "Metal": ("apple",),
    "Level Zero": ("ze", "oneapi", "intel"),
    "Vulkan": ("vk",),
}


def _folded(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
