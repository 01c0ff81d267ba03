"""What a machine says of itself before any library is asked: cards, device nodes, libraries and builds, as they lie there."""

from gpuprobe.facts.small_file import Listing as Listing
from gpuprobe.facts.small_file import Reading as Reading
from gpuprobe.record_classes import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.facts.system_facts import SystemFacts


class Bar(NamedTuple):
    """A window of a PCI function in the machine's address space."""

    number: int
    start: int  # 0: the firmware and the kernel found no place for it
    size: int  # bytes


class PciFunction(NamedTuple):
    """One PCI function as sysfs shows it, uninterpreted. Its `config` is never read: that would wake a sleeping card."""

    address: str  # "0000:01:00.0", lower case
    vendor: int | None = None
    device: int | None = None
    class_code: int | None = None  # 24 bits: class, subclass, interface
    driver: str | None = None  # the bound kernel driver; None: none is bound
    driver_override: str | None = None
    runtime_status: str | None = None  # "active", "suspended"…
    numa_node: int | None = None  # None: unknown or not applicable (sysfs says -1)
    current_link_speed: str | None = None
    current_link_width: int | None = None
    max_link_speed: str | None = None
    max_link_width: int | None = None
    drm: tuple[str, ...] = ()  # "card0", "renderD128"
    product: str | None = None  # from the machine's pci.ids, where it has one
    bars: tuple[Bar, ...] | None = None  # those that the function has; None: not read


class DrmDevice(NamedTuple):
    """A device with nodes under /dev/dri that is no PCI function, as sysfs shows it, uninterpreted."""

    name: str  # "1002000000.v3d", "virtio0"
    driver: str | None = None  # the bound kernel driver
    drm: tuple[str, ...] = ()  # "card0", "renderD128"
    compatible: tuple[str, ...] = ()  # what the device tree says it is: "brcm,2712-v3d"


class DeviceNode(NamedTuple):
    """One file under /dev. It is never opened: opening can wake a card."""

    path: str
    mode: int
    uid: int
    gid: int
    major: int | None
    minor: int | None
    accessible: bool  # may this process read and write it, by the permission bits
    group: str | None = None  # the name of `gid`; None: it has none here


class FoundLibrary(NamedTuple):
    """A shared library as the loader would find it, looked for without loading anything."""

    name: str  # the name it was looked for by: "libcuda.so.1"
    path: str
    real_path: str  # symbolic links resolved: often ends in the driver's version
    where: str  # "LD_LIBRARY_PATH", "linker cache", "default directory", "known place"


class Manifest(NamedTuple):
    """A Vulkan driver manifest: the path and the text, or why it could not be read."""

    path: str
    reading: Reading


class FoundBuild(NamedTuple):
    """One backend of an Ollama or llama.cpp install, looked for without loading anything; see survey/builds.py."""

    name: str  # "cuda_v13": unique on this machine
    library: str  # whose devices it lists, named as in libraries.py
    path: str  # the backend: ".../cuda_v13/libggml-cuda.so"
    before: tuple[str, ...]  # libraries to load first, in this order
    directories: tuple[str, ...]  # what the program puts first on the loader's search path
    where: str  # "--lib-dir", "OLLAMA_LIBRARY_PATH", "Ollama", "llama.cpp"
    problem: str | None = None  # why no child is started for it: a sentence
    refused: bool = False  # the problem is one of security
    product: str | None = None  # "ollama", "llama.cpp": which of them is laid out so

    @property
    def folder(self) -> str:
        """The last element of its directory, which is the name that Ollama knows it by."""
        return self.path.replace("\\", "/").rpartition("/")[0].rpartition("/")[2]


CPU_ONLY = "holds CPU backends only"  # of a folder of Ollama's or llama.cpp's that has no build for a GPU


class NamedPlace(NamedTuple):
    """A directory that the user named for builds and that holds none that could be found."""

    path: str
    where: str  # as in FoundBuild
    problem: str  # a clause: "does not exist", "may not be read", "holds no build"


class CodeSet(NamedTuple):
    """How many modules of a file, each of kernels that were compiled together, are for these very architectures."""

    architectures: tuple[str, ...]
    modules: int = 1


class CodeFile(NamedTuple):
    """What one file's machine code was compiled for, from its own headers."""

    path: str
    architectures: tuple[str, ...] = ()  # "sm_90a", "compute_120", "gfx942:xnack-"; none and nothing unread: it holds no code
    unread: str | None = None  # why there can be more than these: a clause
    packed: tuple[str, ...] = ()  # how the code is compressed: "LZ4", "zstd"
    sets: tuple[CodeSet, ...] = ()  # modules of the file by what each was compiled for, where that differs
    ptx: str | None = None  # the newest version of the language that its PTX is written in
    main: bool = True  # False: the rest of its framework computes on a card that this file has no code for


class Need(NamedTuple):
    """A library that a framework loads, by the name that the loader looks for, and where its environment has it."""

    name: str  # "libcublas.so.13"
    path: str | None = None  # None: it was not found where it is looked for
    others: tuple[str, ...] = ()  # the same library in other major versions that are there


class FoundSoftware(NamedTuple):
    """A runtime library or a framework as its files describe it; nothing of it was loaded, imported or run."""

    name: str  # "libcudart", "libcublas", "libnccl", "rocBLAS", "torch", "ONNX Runtime"
    path: str
    where: str  # "toolkit", "wheel", "ROCm", "build", or as in FoundLibrary
    library: str | None  # the library whose devices it computes on; None: the CPU alone
    version: str | None = None
    release: str | None = None  # of CUDA or ROCm, as far as the files tell: "13.2", "12"
    architectures: tuple[str, ...] = ()  # what it says itself that it was compiled for
    problem: str | None = None  # why less is known of it than could be
    damage: str | None = None  # what is wrong with its install: a clause
    distribution: str | None = None  # the package that brought it: "onnxruntime-gpu"
    site: str | None = None  # the directory of packages that it lies in: what is found there is one environment
    files: tuple[CodeFile, ...] = ()  # those with code for a GPU
    needs: tuple[Need, ...] = ()
    compiles: bool = False  # it compiles its kernels for the card when it runs: no architecture keeps it from one
    through: str | None = None  # what it asks to compute in turn: "TensorRT", "MIGraphX"
    loads_one: bool = False  # of its files it loads a single one, and which is not known

    @property
    def is_runtime(self) -> bool:
        """Whether it is a vendor's library, which loads by itself: a framework's needs what its program has loaded before."""
        return self.where != "build" and (self.name.startswith("lib") or self.name == "rocBLAS")


class FoundEngine(NamedTuple):
    """A backend of ggml that this version does not ask: that it is there is all that is known."""

    name: str  # "SYCL"
    path: str
    where: str  # as in FoundBuild
    serves: str  # what computes with it: "Intel GPUs"
    product: str | None = None


class Host(NamedTuple):
    """What the machine says of itself without any GPU library being loaded. Nothing in it is interpreted."""

    platform: str  # sys.platform: "linux", "darwin", "win32"
    machine: str  # "x86_64", "aarch64", "arm64", "AMD64"
    kernel: str
    uid: int | None
    gids: tuple[int, ...]
    cpus_allowed: int | None  # how many this process may run on
    environ: dict[str, str]  # only variables that gpuprobe knows; see environment.py
    texts: dict[str, Reading]  # path → small text file
    links: dict[str, str]  # path → target, where the target is the fact
    pci: tuple[PciFunction, ...]
    nodes: tuple[DeviceNode, ...]
    libraries: tuple[FoundLibrary, ...]
    manifests: tuple[Manifest, ...]
    facts: dict[str, int | str | None]  # what only a system call knows, by name
    builds: tuple[FoundBuild, ...] = ()
    empty_places: tuple[NamedPlace, ...] = ()
    software: tuple[FoundSoftware, ...] | None = None  # None: not looked for, as where there is no card
    engines: tuple[FoundEngine, ...] = ()  # of ggml, that are not asked
    off_the_bus: tuple[DrmDevice, ...] = ()
    # Its records are made when one is needed: every start of the program would pay for them.
    system: "SystemFacts | None" = None  # what only a diagnosis asks; None: not asked

    def build_named(self, name: str) -> FoundBuild | None:
        return next((build for build in self.builds if build.name == name), None)
