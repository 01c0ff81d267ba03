"""Every environment variable that gpuprobe reads, sets or explains: one row each, in the order of the manual."""

from collections.abc import Iterable, Iterator, Mapping

from gpuprobe.libraries import LIBRARIES, Library
from gpuprobe.record_classes import NamedTuple

_TRUE = {"1", "t", "T", "true", "TRUE", "True"}
_FALSE = {"0", "f", "F", "false", "FALSE", "False"}

VISIBILITY = "visibility"  # hides devices from a library
OVERRIDE = "override"  # changes what a device is taken for, or the order of devices
SEARCH = "search"  # says where libraries and drivers are looked for
CONSUMER = "consumer"  # read by Ollama or llama.cpp; gpuprobe explains what it makes of it
ENGINE = "engine"  # read by llama.cpp and other engines; gpuprobe says what it does there
PLACE = "place"  # tells which kind of container or subsystem this is
OWN = "own"  # obeyed or set by gpuprobe itself; says nothing about the machine


class Variable(NamedTuple):
    name: str
    kind: str
    owner: str  # who reads it
    takes: str
    effect: str  # one sentence: what it does
    per_device: bool = False  # also read with `_<number>` behind its name


_CONTAINER_RUNTIME = "the NVIDIA container runtime"
_VULKAN_LOADER, _LEVEL_ZERO_LOADER = "the Vulkan loader", "the Level Zero loader"
_OLLAMA = "Ollama"
_LLAMA_CPP = "llama.cpp's programs"
_GGML_CUDA = "the CUDA backend of llama.cpp"
_NUMBERS, _DRIVERS, _DIRECTORIES = "list of numbers", "list of driver manifests", "list of directories"
_SHARED_LIBRARIES, _PATH = "list of libraries", "path"
_PATTERNS, _BOOLEAN = "list of file name patterns", "boolean"
_MESA_LAYER = "Mesa's device selection layer"
_LAYERS = "a layer may reorder, change or hide devices"

_DESCRIBED = (
    Variable(
        "CUDA_VISIBLE_DEVICES",
        VISIBILITY,
        "CUDA, and HIP on AMD cards",
        "list of UUIDs or numbers",
        "only these devices are seen, in this order; -1 or an unknown one hides itself and all that follow",
    ),
    Variable(
        "HIP_VISIBLE_DEVICES",
        VISIBILITY,
        "HIP",
        _NUMBERS,
        "only these of the devices that ROCR_VISIBLE_DEVICES leaves are seen; -1 hides all",
    ),
    Variable(
        "ROCR_VISIBLE_DEVICES",
        VISIBILITY,
        "the ROCm runtime on Linux",
        "list of UUIDs or numbers",
        "only these devices are seen; HIP numbers what is left from 0",
    ),
    Variable(
        "GGML_VK_VISIBLE_DEVICES",
        VISIBILITY,
        "the Vulkan backend of Ollama and llama.cpp",
        _NUMBERS,
        "only these positions of Vulkan's raw device list are used, software renderers counted; -1 hides all",
    ),
    Variable(
        "GPU_DEVICE_ORDINAL",
        VISIBILITY,
        "OpenCL on AMD cards",
        _NUMBERS,
        "only these devices are seen by OpenCL; HIP does not read it, though AMD's documentation says so",
    ),
    Variable(
        "ZE_AFFINITY_MASK",
        VISIBILITY,
        "Level Zero",
        "list of numbers, with `.n` for a tile",
        "only these devices or tiles are seen",
    ),
    Variable(
        "ZE_ENABLE_ALT_DRIVERS",
        VISIBILITY,
        "the Level Zero loader",
        _SHARED_LIBRARIES,
        "only these driver libraries are loaded, in place of Intel's",
    ),
    Variable(
        "NVIDIA_VISIBLE_DEVICES",
        VISIBILITY,
        _CONTAINER_RUNTIME,
        "list of UUIDs or numbers, `all`, `none` or `void`",
        "says at the start of a container which cards get into it; changing it inside has no effect",
    ),
    Variable(
        "NVIDIA_DRIVER_CAPABILITIES",
        VISIBILITY,
        _CONTAINER_RUNTIME,
        "list such as `compute,utility`, or `all`",
        "says at the start of a container which of the driver's libraries get into it",
    ),
    Variable(
        "VK_DRIVER_FILES",
        VISIBILITY,
        _VULKAN_LOADER,
        _DRIVERS,
        "only these drivers are loaded; set to nothing, it leaves no driver at all",
    ),
    Variable(
        "VK_ICD_FILENAMES",
        VISIBILITY,
        _VULKAN_LOADER,
        _DRIVERS,
        "the older name of VK_DRIVER_FILES, ignored where that one is set",
    ),
    Variable(
        "VK_ADD_DRIVER_FILES",
        SEARCH,
        _VULKAN_LOADER,
        _DRIVERS,
        "these drivers are loaded before those found; ignored where VK_DRIVER_FILES is set",
    ),
    Variable(
        "VK_LOADER_DRIVERS_SELECT",
        VISIBILITY,
        _VULKAN_LOADER,
        _PATTERNS,
        "only drivers whose manifest is named so are loaded",
    ),
    Variable(
        "VK_LOADER_DRIVERS_DISABLE",
        VISIBILITY,
        _VULKAN_LOADER,
        _PATTERNS,
        "drivers whose manifest is named so are not loaded, unless VK_LOADER_DRIVERS_SELECT names them too",
    ),
    *(
        Variable(
            f"VK_LOADER_{what}_ID_FILTER",
            VISIBILITY,
            _VULKAN_LOADER,
            "list of numbers or ranges such as 0x1002 or 10-20",
            f"only devices with such a {what.lower()} id are listed, by loaders of 2024 and newer",
        )
        for what in ("VENDOR", "DEVICE", "DRIVER")
    ),
    Variable(
        "VK_LOADER_DEVICE_SELECT",
        OVERRIDE,
        _VULKAN_LOADER,
        "`vendor:device` in hexadecimal",
        "this device comes first in Vulkan's list",
    ),
    Variable(
        "VK_LOADER_DISABLE_SELECT",
        OVERRIDE,
        _VULKAN_LOADER,
        _BOOLEAN,
        "1: Vulkan's list is in the order of the drivers; unset, the loader sorts it by type and PCI address",
    ),
    *(
        Variable(name, OVERRIDE, _VULKAN_LOADER, "list of layer name patterns", f"{what}; {_LAYERS}")
        for name, what in (
            ("VK_LOADER_LAYERS_DISABLE", "layers named so are not loaded"),
            ("VK_LOADER_LAYERS_ENABLE", "layers named so are loaded into every program"),
            ("VK_LOADER_LAYERS_ALLOW", "layers named so are loaded although VK_LOADER_LAYERS_DISABLE names them"),
        )
    ),
    Variable(
        "VK_INSTANCE_LAYERS",
        OVERRIDE,
        _VULKAN_LOADER,
        "list of layer names",
        f"these layers are loaded into every program; {_LAYERS}",
    ),
    *(
        Variable(name, OVERRIDE, _VULKAN_LOADER, _DIRECTORIES, f"{what}; {_LAYERS}")
        for name, what in (
            ("VK_LAYER_PATH", "layers that a program or VK_INSTANCE_LAYERS names are looked for here alone"),
            ("VK_ADD_LAYER_PATH", "layers that a program or VK_INSTANCE_LAYERS names are looked for here too"),
            ("VK_IMPLICIT_LAYER_PATH", "layers that load by themselves are looked for here alone, such as Mesa's"),
            ("VK_ADD_IMPLICIT_LAYER_PATH", "layers that load by themselves are looked for here too"),
        )
    ),
    Variable(
        "MESA_VK_DEVICE_SELECT",
        OVERRIDE,
        _MESA_LAYER,
        "`vendor:device` in hexadecimal",
        "this device comes first in Vulkan's list; newer releases of Mesa list no other where a `!` stands behind it",
    ),
    Variable(
        "MESA_VK_DEVICE_SELECT_FORCE_DEFAULT_DEVICE",
        OVERRIDE,
        _MESA_LAYER,
        _BOOLEAN,
        "1: only the device that would be the first is left in Vulkan's list",
    ),
    Variable(
        "DRI_PRIME",
        OVERRIDE,
        _MESA_LAYER,
        "`vendor:device`, `pci-0000_01_00_0` or a number",
        "another device than the usual one comes first in Vulkan's list: with `vendor:device` that one; newer releases of Mesa "
        "obey the other forms too, and list no other device where a `!` stands behind it",
    ),
    Variable(
        "NODEVICE_SELECT",
        OVERRIDE,
        _VULKAN_LOADER,
        _BOOLEAN,
        "set, Mesa's device selection layer is not loaded, which otherwise puts the display's card first in Vulkan's list",
    ),
    Variable(
        "RADV_FORCE_FAMILY",
        OVERRIDE,
        "Mesa's driver for AMD",
        "name of an AMD architecture",
        "shows an AMD card of this architecture that is not there, in place of those that are",
    ),
    Variable(
        "HSA_OVERRIDE_GFX_VERSION",
        OVERRIDE,
        "the ROCm runtime",
        "version such as 10.3.0",
        "AMD cards are taken for this architecture; kernels of a wrong one crash or compute rubbish",
        per_device=True,
    ),
    Variable(
        "CUDA_DEVICE_ORDER",
        OVERRIDE,
        "CUDA",
        "`FASTEST_FIRST` or `PCI_BUS_ID`",
        "decides what a device number means; unset, the fastest card is 0, unlike in nvidia-smi",
    ),
    Variable(
        "ROC_ENABLE_PRE_VEGA",
        VISIBILITY,
        "HIP",
        _BOOLEAN,
        "1: AMD cards older than Vega are listed too, where HIP has code for them",
    ),
    Variable(
        "ZE_ENABLE_PCI_ID_DEVICE_ORDER",
        OVERRIDE,
        "Level Zero",
        "boolean",
        "1: device numbers follow PCI addresses; unset, discrete cards come before integrated ones",
    ),
    Variable(
        "ZE_FLAT_DEVICE_HIERARCHY",
        OVERRIDE,
        "Level Zero",
        "`FLAT`, `COMBINED` or `COMPOSITE`",
        "decides whether a number means a tile or a whole card",
    ),
    *(
        Variable(name, OVERRIDE, _LEVEL_ZERO_LOADER, takes, effect)
        for name, takes, effect in (
            ("ZE_ENABLE_NULL_DRIVER", _BOOLEAN, "1: a driver without a card is loaded, and lists one"),
            ("ZEL_DRIVERS_ORDER", "list of driver names or numbers", "the drivers are listed in this order"),
            ("ZEL_LIBRARY_PATH", "path", "drivers, layers and the loader's own parts are looked for in this directory"),
            ("ZE_ENABLE_LOADER_DRIVER_DDI_PATH", _BOOLEAN, "decides how calls reach several drivers"),
        )
    ),
    Variable(
        "JETSON_JETPACK",
        OVERRIDE,
        "Ollama on a Jetson",
        "number such as 6 or 6.2",
        "the JetPack release, where it cannot be read: in containers",
    ),
    Variable(
        "OLLAMA_LLM_LIBRARY",
        CONSUMER,
        _OLLAMA,
        "name of a build directory",
        "only this build is used, and only this one is asked by gpuprobe; a name that none has is an error",
    ),
    Variable(
        "OLLAMA_LIBRARY_PATH",
        CONSUMER,
        _OLLAMA,
        _DIRECTORIES,
        "directories that builds are loaded from, searched by gpuprobe before the usual places",
    ),
    Variable(
        "OLLAMA_VULKAN",
        CONSUMER,
        _OLLAMA,
        "boolean",
        "false: Ollama does not use Vulkan, and gpuprobe asks it only where llama.cpp has a build for it",
    ),
    Variable(
        "OLLAMA_IGPU_ENABLE",
        CONSUMER,
        _OLLAMA,
        "boolean",
        "whether integrated GPUs are used; gpuprobe lists them either way",
    ),
    Variable(
        "OLLAMA_GPU_OVERHEAD",
        CONSUMER,
        _OLLAMA,
        "number of bytes",
        "memory left free on each GPU",
    ),
    Variable(
        "OLLAMA_FLASH_ATTENTION",
        CONSUMER,
        _OLLAMA,
        "boolean",
        "forces flash attention on or off",
    ),
    Variable(
        "OLLAMA_KV_CACHE_TYPE",
        CONSUMER,
        _OLLAMA,
        "`f16`, `q8_0` or `q4_0`",
        "type of the K/V cache; a quantised one needs flash attention",
    ),
    Variable(
        "OLLAMA_CONTEXT_LENGTH",
        CONSUMER,
        _OLLAMA,
        "number of tokens",
        "the context where neither a request nor a model sets one; by the memory of all GPUs without it",
    ),
    Variable(
        "OLLAMA_NUM_PARALLEL",
        CONSUMER,
        _OLLAMA,
        "number",
        "requests at once to one model, each with a cache of its own",
    ),
    Variable(
        "LLAMA_ARG_FIT_TARGET",
        CONSUMER,
        "llama.cpp, and Ollama's",
        "number of MiB, one for each device",
        "memory that is left free on each device when layers are placed",
    ),
    Variable(
        "OLLAMA_SCHED_SPREAD",
        CONSUMER,
        _OLLAMA,
        "boolean",
        "models are spread over all GPUs even where one would do",
    ),
    Variable(
        "HSA_ENABLE_DXG_DETECTION",
        OVERRIDE,
        "the ROCm runtime in WSL",
        "boolean",
        "1: the card is looked for behind /dev/dxg, as WSL shows it; before ROCm 7.13 it is not found there without",
    ),
    Variable(
        "ONEAPI_DEVICE_SELECTOR",
        ENGINE,
        "SYCL: llama.cpp's backend for it, torch on Intel GPUs",
        "list such as `level_zero:0`",
        "only these devices are seen by SYCL; gpuprobe's own answers, which ask Level Zero, do not change",
    ),
    Variable(
        "SYCL_DEVICE_FILTER",
        ENGINE,
        "older releases of SYCL",
        "list such as `level_zero:gpu:0`",
        "the older form of ONEAPI_DEVICE_SELECTOR; gpuprobe's own answers do not change",
    ),
    Variable(
        "CUDA_MPS_PIPE_DIRECTORY",
        OVERRIDE,
        "CUDA",
        "path",
        "programs compute through the MPS daemon that has its pipes there, and not at all where none answers",
    ),
    *(
        Variable(
            name, OVERRIDE, "CUDA", _BOOLEAN, f"1: {what}, so that a program without code for the very card does not start"
        )
        for name, what in (
            ("CUDA_DISABLE_PTX_JIT", "PTX in programs is not compiled for the card"),
            ("CUDA_DISABLE_JIT", "nothing is compiled for the card when a program runs"),
        )
    ),
    Variable(
        "GGML_CUDA_DEVICES",
        OVERRIDE,
        _GGML_CUDA,
        "number",
        "so many virtual devices are made of the cards, each with its part of the memory and the card's PCI address",
    ),
    Variable(
        "GGML_METAL_DEVICES",
        OVERRIDE,
        "the Metal backend of llama.cpp",
        "number",
        "so many virtual devices are made of the one GPU, which share its memory",
    ),
    Variable(
        "GGML_DISABLE_VULKAN",
        ENGINE,
        _LLAMA_CPP,
        "anything",
        "a llama.cpp with Vulkan built in does not use it, whatever the value; one that loads backends from files still does",
    ),
    Variable(
        "GGML_BACKEND_PATH",
        ENGINE,
        _LLAMA_CPP,
        "path of a library",
        "this backend is loaded after those that lie beside the program",
    ),
    Variable(
        "GGML_CUDA_ENABLE_UNIFIED_MEMORY",
        OVERRIDE,
        _GGML_CUDA,
        "anything",
        "models may spill into the machine's memory, and the free memory that the backend reports is the machine's; slow",
    ),
    Variable(
        "GGML_CUDA_P2P",
        ENGINE,
        _GGML_CUDA,
        "anything",
        "cards copy to each other directly, which on some boards hangs or gives wrong results",
    ),
    Variable(
        "GGML_VK_PREFER_HOST_MEMORY",
        ENGINE,
        "the Vulkan backend of llama.cpp",
        "anything",
        "models are kept in the machine's memory, which a discrete card reads slowly",
    ),
    Variable(
        "GGML_VK_ALLOW_SYSMEM_FALLBACK",
        ENGINE,
        "the Vulkan backend of llama.cpp",
        "anything",
        "what does not fit on the card goes into the machine's memory, without a word and slowly",
    ),
    Variable(
        "GGML_OPENCL_PLATFORM",
        ENGINE,
        "the OpenCL backend of llama.cpp",
        "number or part of a name",
        "only this platform's devices are used",
    ),
    Variable(
        "GGML_OPENCL_DEVICE",
        ENGINE,
        "the OpenCL backend of llama.cpp",
        "number or part of a name",
        "only this device is used",
    ),
    Variable(
        "GGML_OPENVINO_DEVICE",
        ENGINE,
        "the OpenVINO backend of llama.cpp",
        "name such as `GPU` or `NPU`",
        "this device is used; one that is not there ends the program",
    ),
    Variable(
        "GGML_HEXAGON_DEVICES",
        ENGINE,
        "the Hexagon backend of llama.cpp",
        "number, or list of devices",
        "which of Qualcomm's NPUs are used",
    ),
    Variable(
        "LLAMA_ARG_DEVICE",
        ENGINE,
        _LLAMA_CPP,
        "list such as `CUDA0,Vulkan1`, or `none`",
        "only these devices are used, named as `llama-server --list-devices` does; none: the CPU alone",
    ),
    Variable(
        "LLAMA_ARG_N_GPU_LAYERS",
        ENGINE,
        _LLAMA_CPP,
        "number, `auto` or `all`",
        "so many layers go to the GPUs; 0: everything is computed on the CPU",
    ),
    Variable(
        "LLAMA_ARG_SPLIT_MODE",
        ENGINE,
        _LLAMA_CPP,
        "`none`, `layer`, `row` or `tensor`",
        "how a model is spread over several GPUs; none: one GPU takes all of it",
    ),
    Variable(
        "LLAMA_ARG_MAIN_GPU",
        ENGINE,
        _LLAMA_CPP,
        "number",
        "which of the devices takes the model where it is not split",
    ),
    Variable(
        "LLAMA_ARG_TENSOR_SPLIT",
        ENGINE,
        _LLAMA_CPP,
        "list of numbers",
        "how much of the model each device takes",
    ),
    Variable(
        "LLAMA_ARG_FIT",
        ENGINE,
        _LLAMA_CPP,
        "`on` or `off`",
        "off: layers and context are not made smaller to fit the free memory",
    ),
    Variable(
        "BNB_CUDA_VERSION",
        ENGINE,
        "bitsandbytes",
        "digits such as 126",
        "the library for this release of CUDA is loaded, also where it does not fit torch's",
    ),
    Variable(
        "BNB_ROCM_VERSION",
        ENGINE,
        "bitsandbytes",
        "digits such as 72",
        "the library for this release of ROCm is loaded, also where it does not fit torch's",
    ),
    Variable("LD_LIBRARY_PATH", SEARCH, "the dynamic loader", _DIRECTORIES, "searched before the system's directories"),
    Variable("LD_PRELOAD", SEARCH, "the dynamic loader", _SHARED_LIBRARIES, "loaded into every program first"),
    Variable("DYLD_LIBRARY_PATH", SEARCH, "the macOS loader", _DIRECTORIES, "searched before the system's directories"),
    Variable("HOME", SEARCH, _VULKAN_LOADER, "path", "holds `.config` and `.local/share`, which may name drivers"),
    Variable("XDG_CONFIG_HOME", SEARCH, _VULKAN_LOADER, "path", "searched for driver manifests before XDG_CONFIG_DIRS"),
    Variable("XDG_CONFIG_DIRS", SEARCH, _VULKAN_LOADER, _DIRECTORIES, "searched for driver manifests"),
    Variable("XDG_DATA_HOME", SEARCH, _VULKAN_LOADER, "path", "searched for driver manifests before XDG_DATA_DIRS"),
    Variable("XDG_DATA_DIRS", SEARCH, _VULKAN_LOADER, _DIRECTORIES, "searched for driver manifests"),
    Variable("HIP_PATH", SEARCH, "HIP on Windows", "path", "where the HIP SDK is installed"),
    Variable("SYSTEMROOT", SEARCH, "Windows", "path", "where Windows is installed"),
    Variable("PROGRAMFILES", SEARCH, "Windows", "path", "where older NVIDIA drivers keep NVML"),
    Variable("container", PLACE, "systemd", "name", "set by LXC, systemd-nspawn and podman to their own name"),
    Variable("KUBERNETES_SERVICE_HOST", PLACE, "Kubernetes", "address", "set in every pod"),
    Variable("APPTAINER_CONTAINER", PLACE, "Apptainer", "path", "set inside; GPUs need --nv or --rocm"),
    Variable("SINGULARITY_CONTAINER", PLACE, "Singularity", "path", "set inside; GPUs need --nv or --rocm"),
    Variable("SNAP_NAME", PLACE, "snapd", "name", "set inside a snap"),
    Variable("WSL_DISTRO_NAME", PLACE, "WSL", "name", "set inside the Windows Subsystem for Linux"),
    Variable("GPUPROBE_CHILD", OWN, "gpuprobe", "random mark", "set in every child, so that its descendants are found"),
    Variable("GGML_NO_BACKTRACE", OWN, "ggml", "boolean", "set in every child, so that a crash starts no debugger"),
    Variable("XDG_CACHE_HOME", OWN, "gpuprobe", "path", "holds the saved discovery"),
    Variable("LOCALAPPDATA", OWN, "gpuprobe", "path", "holds the saved discovery on Windows"),
    Variable(
        "VIRTUAL_ENV", OWN, "Python", "path", "its packages are looked through for frameworks; nothing of them is imported"
    ),
    Variable("CONDA_PREFIX", OWN, "conda", "path", "likewise"),
    Variable("PATH", OWN, "the shell", _DIRECTORIES, "the packages of the first `python3` in it are looked through likewise"),
    Variable("NO_COLOR", OWN, "gpuprobe", "anything", "output without colours"),
    Variable("FORCE_COLOR", OWN, "gpuprobe", "anything", "colours also where the output is no terminal"),
    Variable("COLUMNS", OWN, "gpuprobe", "number", "width of the output"),
    Variable("SHELL", OWN, "gpuprobe", "path", "the form that `env` prints by default"),
)

_TAKES = {"uuid": "list of UUIDs or numbers", "number": _NUMBERS, "raw": _NUMBERS}


def of_libraries(libraries: Iterable[Library]) -> Iterator[Variable]:
    """Rows of the variables that only a library's record names: what that says is all there is to say."""
    described = {row.name for row in _DESCRIBED}
    for library in libraries:
        takes = {selection.variable: _TAKES[selection.takes] for selection in library.selections.values()}
        for name in dict.fromkeys((*takes, *library.filters)):
            if name not in described:
                effect = (
                    f"only these devices are seen by {library.name}" if name in takes else f"hides devices from {library.name}"
                )
                yield Variable(name, VISIBILITY, library.name, takes.get(name, "list"), effect)


VARIABLES = (*_DESCRIBED, *of_libraries(LIBRARIES))

_BY_NAME = {row.name: row for row in VARIABLES}
_ASKED = tuple(row.name for row in VARIABLES if row.kind != OWN)
_PER_DEVICE = tuple(row.name + "_" for row in VARIABLES if row.per_device)
_NAME_FILES = {_PATH, "path of a library", _DRIVERS, _DIRECTORIES, _SHARED_LIBRARIES}


def names_files(name: str) -> bool:
    """Whether code may be loaded from where its value says."""
    row = variable(name)
    return row is not None and row.takes in _NAME_FILES


def may_be_searched(name: str) -> bool:
    """Whether a file of it without a directory is one of the system's."""
    row = variable(name)
    return row is not None and row.takes == _SHARED_LIBRARIES


def variable(name: str) -> Variable | None:
    """The row of a variable, also by its form for one device (`HSA_OVERRIDE_GFX_VERSION_1`); None: not ours."""
    return _BY_NAME.get(name) or _BY_NAME.get(_without_number(name))


def known(environ: Mapping[str, str]) -> dict[str, str]:
    """What is set of the variables that bear on GPUs, gpuprobe's own left out, under the names of the table.

    Values are as they are set, escape codes and stand-ins for bytes that are not UTF-8 included.
    """
    return {name: environ[name] for name in (*_ASKED, *_numbered(environ)) if name in environ}


def cleaned(value: str) -> str:
    """A value as Ollama takes it: trimmed, then without quotes around it."""
    return value.strip().strip("\"'")


def truth(value: str | None) -> bool | None:
    """What Ollama makes of a boolean: any text that it does not know, even `no` and `off`, is true. None: not set."""
    text = cleaned(value or "")
    return text in _TRUE or text not in _FALSE if text else None


def _numbered(environ: Mapping[str, str]) -> Iterator[str]:
    return (name for name in environ if name.startswith(_PER_DEVICE) and _without_number(name) != name)


def _without_number(name: str) -> str:
    stem, _, number = name.rpartition("_")
    return stem if stem + "_" in _PER_DEVICE and number.isascii() and number.isdigit() else name
