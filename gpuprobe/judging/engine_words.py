"""What engines say in their logs of where a model is: layers, buffers, devices, and the lines where they fall back to the CPU.

Of llama.cpp from 2023 to b11434, of Ollama's engines and of vLLM and ComfyUI. A log may hold several loads of a model: the
last one counts. Nothing here decides: a buffer that is named outweighs "offloaded n/m layers to GPU", which llama.cpp prints
for a machine without any device, too (seen with b10434: `-ngl 5` and no device says "offloaded 5/19 layers to GPU").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from gpuprobe.enumerations import Enum
from gpuprobe.libraries import ENGINES, LIBRARIES
from gpuprobe.model import GiB, MiB

_LONGEST = 2000  # characters of a line that are looked at
_MOST_LINES = 200_000


class Words(str, Enum):
    """Why an engine says that it does not use a GPU, or not all of it."""

    NO_BACKEND = "no_backend"
    NO_DEVICE = "no_device"
    DRIVER = "driver"
    NO_MEMORY = "no_memory"
    TIMED_OUT = "timed_out"
    ON_THE_CPU = "on_the_cpu"


class Buffer(NamedTuple):
    device: str  # "CUDA0", "CPU_Mapped", "Vulkan_Host"
    kind: str  # "weights", "cache", "compute"
    size: int  # bytes

    @property
    def on_device(self) -> bool:
        return is_device(self.device)


class Complaint(NamedTuple):
    words: Words
    line: str


class Said(NamedTuple):
    """What a log says of the last model that was loaded. None: it does not say."""

    offloaded: int | None = None
    layers: int | None = None  # the output layer counted
    buffers: tuple[Buffer, ...] = ()
    devices: tuple[tuple[str, str], ...] = ()  # what the engine calls a device → its name
    complaints: tuple[Complaint, ...] = ()
    line: str | None = None  # the one with the layers
    model: str | None = None

    @property
    def weights(self) -> tuple[Buffer, ...]:
        return tuple(buffer for buffer in self.buffers if buffer.kind == "weights")

    @property
    def remote(self) -> str | None:
        """The device of another process that holds weights: `RPC0[192.168.1.2:50052]`."""
        return next((buffer.device for buffer in self.weights if buffer.device.startswith(_REMOTE)), None)

    @property
    def uses_a_device(self) -> bool | None:
        """By its buffers; None: it names none."""
        return any(buffer.on_device for buffer in self.weights) if self.weights else None

    @property
    def says_anything(self) -> bool:
        return self != Said()


_DEVICES = tuple(
    dict.fromkeys(
        (
            *(library.ggml_devices for library in LIBRARIES if library.ggml_devices),
            *(engine.name for engine in ENGINES if engine.is_gpu),
            "Metal",
            "HIP",
        )
    )
)

_REMOTE = tuple(engine.name for engine in ENGINES if engine.remote)


def is_device(name: str) -> bool:
    """`CUDA0`, `Vulkan1`, `RPC0[127.0.0.1:50052]`; not `CPU`, `CPU_REPACK`, nor `CUDA_Host`, which is the machine's memory."""
    return re.match(rf"(?:{'|'.join(map(re.escape, _DEVICES))})(?![A-Za-z])", name) is not None and "_Host" not in name


_OFFLOADED = re.compile(r"offload(?:ed|ing) ([0-9]{1,5})/([0-9]{1,5}) layers")
_BUFFER = re.compile(
    r"(?P<device>[A-Za-z][\w.:\[\]]{0,60})[ \t]{1,8}(?P<kind>model |KV |RS |compute |output )?"
    r"(?:buffer|self) size[ \t]{0,8}=[ \t]{0,8}(?P<size>[0-9]{1,9}(?:\.[0-9]{1,4})?) MiB"
)
_KINDS = {"KV ": "cache", "RS ": "cache", "compute ": "compute", "output ": "compute", "model ": "weights"}
# Ollama's own engine: msg="model weights" device=CUDA0 size="4.3 GiB"; `buffer=` in 2025's first half.
_OWN_BUFFER = re.compile(
    r'msg="(?P<kind>model weights|kv cache|compute graph)" (?:device|buffer)=(?P<device>[^\s"]{1,60}) '
    r'size="(?P<size>[0-9]{1,9}(?:\.[0-9]{1,4})?) (?P<unit>[KMGT]i?B|B)"'
)
_OWN_KINDS = {"model weights": "weights", "kv cache": "cache", "compute graph": "compute"}
_UNITS = {"B": 1, "KiB": 1024, "MiB": MiB, "GiB": GiB, "TiB": 1024 * GiB, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
# Ollama's scheduler until 2026: msg=offload library=cuda layers.requested=-1 layers.model=33 layers.offload=12
_SCHEDULED = re.compile(r"layers\.model=([0-9]{1,5}) layers\.offload=([0-9]{1,5})")
_IN_A_LIST = re.compile(r"- (?P<device>[A-Za-z]{1,20}[0-9]{1,3}) ?: (?P<name>.{1,200}?) \([0-9]{1,9} MiB, ")
_IN_USE = re.compile(r"using device (?P<device>[A-Za-z]{1,20}[0-9]{1,3}) \((?P<name>.{1,200}?)\) (?:\(|- )")
_LOADING = (
    "load_model: loading model",
    "llama_model_loader: loaded meta data",
    "llama.cpp: loading model from",
    'msg="starting runner"',
    'msg="starting llama server"',
    'msg="starting llama-server"',
)
_MODEL = re.compile(r"(?:loading model|loaded meta data with .{1,80} from) '?([^'\n]{1,600}?)'?(?: \(version.*)?$")

# What a line contains, in the order in which they are looked for; the first one decides.
_COMPLAINTS: tuple[tuple[Words, tuple[str, ...]], ...] = (
    (
        Words.NO_BACKEND,
        (
            "no usable GPU found",
            "not compiled with GPU offload support",
            "compiled without GPU support",
            "compiled without support for GPU offload",
            "Torch not compiled with CUDA enabled",
            "no backends are loaded",
        ),
    ),
    (
        Words.NO_MEMORY,
        (
            "out of memory",
            "ErrorOutOfDeviceMemory",
            "insufficient VRAM to load any model layers",
            "not enough vram available",
            "No available memory for the cache blocks",
        ),
    ),
    (
        Words.NO_DEVICE,
        (
            "no CUDA-capable device is detected",
            "no ROCm-capable device is detected",
            "No devices found",
            "no compatible GPUs were discovered",
            "No CUDA GPUs are available",
            "Found no NVIDIA driver on your system",
            "no GPU detected",
            "no nvidia devices detected",
            "no compatible amdgpu devices detected",
        ),
    ),
    (
        Words.DRIVER,
        (
            "failed to initialize CUDA",
            "failed to initialize ROCm",
            "CUDA driver version is insufficient",
            "CUDA unknown error",
            "no kernel image is available",
            "unable to load CUDA driver",
            "cuda driver library init failure",
            "cuda driver library failed to get device context",
            "NVIDIA driver too old",
            "old CUDA driver detected",
            "rocm unsupported",
            "amdgpu is not supported",
            "runner crashed",
        ),
    ),
    (Words.TIMED_OUT, ("failed to finish discovery before timeout", "gpu VRAM usage didn't recover within timeout")),
    (
        Words.ON_THE_CPU,
        ("detected platform cpu", "UnspecifiedPlatform", "id=cpu library=cpu", "Device: cpu", "offload library=cpu"),
    ),
)
_MOST_COMPLAINTS = 16


def said_by(lines: Iterable[str], mark: str | None = None) -> Said:
    """What the last load says. `mark`: text of the line that begins the load of one runner among several, such as its port."""
    chosen = list(_bounded(lines))
    if mark is not None:
        chosen = _of_one_runner(chosen, mark)
    before = _last_load(chosen)
    load = chosen[before:]
    layers, line = _layers(load)
    return Said(
        offloaded=layers[0] if layers else None,
        layers=layers[1] if layers else None,
        buffers=tuple(_buffers(load)),
        devices=tuple(dict(_devices(chosen)).items()),
        complaints=tuple(complaints(chosen))[:_MOST_COMPLAINTS],
        line=line,
        model=next((found[1] for each in load if (found := _MODEL.search(each))), None),
    )


def complaints(lines: Iterable[str]) -> Iterator[Complaint]:
    """Each line that says that a GPU is not used, or not all of it, once."""
    seen = set[str]()
    for line in lines:
        words = next((words for words, texts in _COMPLAINTS if any(text in line for text in texts)), None)
        # A line comes again with another time before it.
        same = re.sub("[0-9]+", "", line)
        if words is not None and same not in seen:
            seen.add(same)
            yield Complaint(words, line.strip())


def _bounded(lines: Iterable[str]) -> Iterator[str]:
    for _, line in zip(range(_MOST_LINES), lines, strict=False):
        yield line[:_LONGEST]


def _of_one_runner(lines: Sequence[str], mark: str) -> list[str]:
    """From the last line that starts it to the one that starts another."""
    starts = [place for place, line in enumerate(lines) if any(text in line for text in _LOADING[3:])]
    own = [place for place in starts if mark in lines[place]]
    if not own:
        return list(lines)
    end = next((place for place in starts if place > own[-1]), len(lines))
    return list(lines[own[-1] : end])


def _last_load(lines: Sequence[str]) -> int:
    """Where the last load begins: several lines in a row may say that it does, as long as nothing was placed between."""
    begins, placed = 0, True
    for place, line in enumerate(lines):
        if any(text in line for text in _LOADING):
            begins, placed = (place if placed else begins), False
        elif _OFFLOADED.search(line) or _BUFFER.search(line):
            placed = True
    return begins


def _layers(lines: Sequence[str]) -> tuple[tuple[int, int] | None, str | None]:
    for line in reversed(lines):
        if found := _OFFLOADED.search(line):
            return (int(found[1]), int(found[2])), line.strip()
    for line in reversed(lines):
        if found := _SCHEDULED.search(line):
            return (int(found[2]), int(found[1])), line.strip()
    return None, None


def _buffers(lines: Iterable[str]) -> Iterator[Buffer]:
    for line in lines:
        if "size" not in line:
            continue
        if found := _OWN_BUFFER.search(line):
            size = int(float(found["size"]) * _UNITS[found["unit"]])
            yield Buffer(found["device"], _OWN_KINDS[found["kind"]], size)
        elif found := _BUFFER.search(line):
            # llm_load_tensors of 2024 leaves out `model`.
            kind = _KINDS.get(found["kind"] or "model ", "weights")
            yield Buffer(found["device"], kind, int(float(found["size"]) * MiB))


def _devices(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        if "using device" in line or " MiB free)" in line:
            found = _IN_USE.search(line) or _IN_A_LIST.search(line)
            if found is not None and is_device(found["device"]):
                yield found["device"], found["name"].strip()
