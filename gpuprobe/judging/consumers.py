"""The programs that `env --for` knows: what each reads of the variables, what else it reads, and what it cannot do.

Each record says what was read in that program's source, and in which version; the tests run those that can be installed.
"""

from gpuprobe.libraries import CUDA, LEVEL_ZERO, METAL, ROCM, VULKAN, Selection
from gpuprobe.record_classes import NamedTuple


class Consumer(NamedTuple):
    """`selections` are, by library, what it reads in the place of the library's own variable, on Linux."""

    name: str  # as `--for` takes it
    said: str  # as a sentence names it
    source: str
    aliases: tuple[str, ...] = ()
    computes_through: tuple[str, ...] = ()  # libraries; empty: each that works
    only_these: bool = False  # programs under it read no other library's variable
    one_library: bool = False  # it computes through one library at a time, and the variables of others may break it
    selections: dict[str, Selection] = {}
    witnessed: dict[str, str] = {}  # library → the witness whose numbers it takes for the cards
    fixed: dict[str, tuple[tuple[str, str | None], ...]] = {}  # library → what it needs besides a selection there
    device_list: str | None = None  # its own variable that names devices as ggml does
    product: str | None = None  # its builds among those that are found on this machine
    for_integrated: tuple[tuple[str, str], ...] = ()  # what it needs before it uses an integrated GPU
    switches: bool = False  # it obeys the variable that a library's record names as its switch
    form: str | None = None  # what is written instead of variables: a key of render/carriers.py
    limits: tuple[str, ...] = ()  # what it cannot do: a clause each
    limits_of_slices: tuple[str, ...] = ()  # the same, where a slice of a card is chosen

    @property
    def takes_variables(self) -> bool:
        return self.form is None

    @property
    def besides(self) -> tuple[str, ...]:
        """The variables that are set for it and that no library's selection sets."""
        listed = (self.device_list,) if self.device_list else ()
        fixed = (name for pairs in self.fixed.values() for name, _ in pairs)
        return tuple(dict.fromkeys((*listed, *fixed, *(name for name, _ in self.for_integrated))))


# HIP's numbers, counted behind a list of ROCr's that is set already.
_HIP = ROCM.selections["win32"]._replace(numbered_under=("ROCR_VISIBLE_DEVICES",))
_FRAMEWORKS = (CUDA.name, ROCM.name, LEVEL_ZERO.name)

OLLAMA = Consumer(
    name="ollama",
    said="Ollama",
    source="discover/ and envconfig/config.go, 0.32",
    computes_through=(CUDA.name, ROCM.name, METAL.name, VULKAN.name),
    only_these=True,
    for_integrated=(("OLLAMA_IGPU_ENABLE", "1"),),
    switches=True,
    limits=("a server that runs already keeps its own variables: set them where it is started, and start it again",),
)
LLAMA_CPP = Consumer(
    name="llama.cpp",
    said="llama.cpp",
    source="common/arg.cpp, `--device`, b11434; seen with b10434",
    aliases=("llamacpp", "llama", "llamaserver"),
    device_list="LLAMA_ARG_DEVICE",
    product="llama.cpp",
)
VLLM = Consumer(
    name="vllm",
    said="vLLM",
    source="vllm/platforms/: before 0.24 every entry of CUDA_VISIBLE_DEVICES is read as a number of NVML's; "
    "rocm.py refuses HIP_VISIBLE_DEVICES beside another CUDA_VISIBLE_DEVICES",
    computes_through=_FRAMEWORKS,
    only_these=True,
    one_library=True,
    selections={ROCM.name: _HIP},
    witnessed={CUDA.name: "NVML"},
    fixed={CUDA.name: (("CUDA_DEVICE_ORDER", "PCI_BUS_ID"),), ROCM.name: (("CUDA_VISIBLE_DEVICES", None),)},
    limits_of_slices=("vLLM before 0.24 does not start on a slice, which only a UUID can name",),
)
TORCH = Consumer(
    name="torch",
    said="torch",
    source="torch/cuda/__init__.py, _parse_visible_devices, 2.14: ROCR_VISIBLE_DEVICES=-1 counts as one device",
    aliases=("pytorch",),
    computes_through=_FRAMEWORKS,
    only_these=True,
    selections={ROCM.name: _HIP},
)
RAY = Consumer(
    name="ray",
    said="Ray",
    source="ray/_private/accelerators/, 2.60: a list of nothing is no device, and -1 is one; the first vendor "
    "that has a GPU is taken",
    computes_through=(ROCM.name, LEVEL_ZERO.name, CUDA.name),
    one_library=True,
    selections={
        CUDA.name: CUDA.selections["linux"]._replace(hide_all=""),
        ROCM.name: _HIP._replace(hide_all=""),
        LEVEL_ZERO.name: LEVEL_ZERO.selections["linux"]._replace(hide_all=""),
    },
    limits=(
        "set them where `ray start` runs: a node's GPUs are counted once",
        "Ray uses one vendor's GPUs on a node: AMD's before Intel's before NVIDIA's",
    ),
)
DOCKER = Consumer(
    name="docker",
    said="Docker",
    source="docker/cli, opts/gpus.go: a field with a comma is quoted as in CSV",
    form="docker",
    limits=("the variables of this shell do not reach a container",),
)
KUBERNETES = Consumer(
    name="kubernetes",
    said="Kubernetes",
    source="device plugins of NVIDIA, AMD and Intel: a pod asks for a number of a resource",
    aliases=("k8s",),
    form="kubernetes",
    limits=("a pod cannot name a card: the device plugin gives it any of the node's, those that do not work included",),
)
SLURM = Consumer(
    name="slurm",
    said="Slurm",
    source="gres.conf(5), 22.05 and newer",
    form="slurm",
    limits=("Slurm sets the variables of a job itself, by these lines",),
)

CONSUMERS = (OLLAMA, LLAMA_CPP, VLLM, TORCH, RAY, SLURM, DOCKER, KUBERNETES)


def consumer_named(text: str) -> Consumer | None:
    """The program that is meant, in any case, with or without its punctuation; None: none of these."""
    wanted = _folded(text)
    return next((each for each in CONSUMERS if wanted in (_folded(each.name), *each.aliases)), None)


def _folded(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
