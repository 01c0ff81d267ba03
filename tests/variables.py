"""The variables that real libraries read, against the table of `environment.py`: `python -m tests.variables [LIBRARY…]`.

Names are looked for in the text of the libraries: what has the form of a variable's name and begins as theirs do. Each is in
the table, or below with the reason why it is not. Without arguments: the libraries that are installed here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gpuprobe import environment

_LONGEST = 64
_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")


class Reader(NamedTuple):
    """A library, and how the names of the variables begin that it reads; what else looks so is no variable."""

    file: str  # with `*` for any text
    beginnings: tuple[str, ...]
    no_variables: tuple[str, ...] = ()  # beginnings of other texts


READERS = (
    Reader("libvulkan.so.1", ("VK_", "XDG_"), ("VK_LAYER_LUNARG_",)),
    Reader("libVkLayer_MESA_device_select.so", ("MESA_", "DRI_")),
    Reader("libvulkan_*.so", ("MESA_VK_", "RADV_FORCE_", "LVP_", "DRI_")),
    Reader("libze_loader.so.1", ("ZE_ENABLE_", "ZEL_")),
    Reader("libze_intel_gpu*.so.1", ("ZE_", "ZEX_"), ("ZE_RESULT_", "ZE_STRUCTURE_", "ZE_BIT")),
    Reader("libamdhip64.so.*", ("HIP_VISIBLE", "HIP_HIDDEN", "CUDA_", "GPU_DEVICE", "ROC_ENABLE_", "ROCR_V")),
    Reader("libhsa-runtime64.so.1", ("ROCR_V", "HSA_OVERRIDE", "HSA_MODEL", "HSA_XNACK", "HSA_CU_MASK")),
    Reader("libhsakmt.so.1", ("HSA_OVERRIDE", "HSA_ZFB")),
)

NOT_IN_THE_TABLE = {
    "VK_LOADER_DEBUG": "only what the loader prints",
    "VK_LOADER_DISABLE_INST_EXT_FILTER": "which extensions of an instance are offered; devices are the same",
    "VK_LOADER_DISABLE_DYNAMIC_LIBRARY_UNLOADING": "when libraries are closed",
    "MESA_VK_WSI_DEBUG": "windows",
    "MESA_VK_WSI_PRESENT_MODE": "windows",
    "MESA_VK_ABORT_ON_DEVICE_LOSS": "what happens after a device was lost",
    "MESA_VK_ENABLE_SUBMIT_THREAD": "which thread submits",
    "MESA_VK_MAX_TIMEOUT": "how long a wait may last",
    "MESA_VK_IGNORE_CONFORMANCE_WARNING": "only what is printed",
    "MESA_VK_TRACE": "writes a trace",
    "MESA_VK_TRACE_FRAME": "writes a trace",
    "MESA_VK_TRACE_TRIGGER": "writes a trace",
    "RADV_FORCE_VRS": "drawing",
    "RADV_FORCE_VRS_CONFIG_FILE": "drawing",
    "LVP_POISON_MEMORY": "what fresh memory of lavapipe holds",
    "ZE_ENABLE_LOADER_INTERCEPT": "through which functions calls go",
    "ZE_ENABLE_TRACING_LAYER": "a layer that tells tools of calls",
    "ZE_ENABLE_VALIDATION_LAYER": "a layer that checks calls",
    "HIP_HIDDEN_FREE_MEM": "how much of the free memory is kept for the driver itself, which changes no device",
    "HSA_CU_MASK_SKIP_INIT": "which compute units queues use",
    "HSA_XNACK": "whether the card may fault on pages",
    "HSA_ZFB": "how a card without memory of its own is emulated",
    "ROC_ENABLE_LARGE_BAR": "how copies are made",
}


def names_in(library: Path, reader: Reader) -> list[str]:
    """The texts of a library that are names of variables as this reader's are."""
    beginnings = "|".join(reader.beginnings)
    form = re.compile(rf"(?<=\0)(?:{beginnings})[A-Z0-9_]{{1,{_LONGEST}}}(?=\0)".encode())
    found = {each.decode() for each in form.findall(library.read_bytes())}
    return sorted(name for name in found if not name.startswith(reader.no_variables or ("\0",)) and not name.endswith("_"))


def installed() -> Iterator[tuple[Path, Reader]]:
    for reader in READERS:
        for folder in map(Path, _FOLDERS):
            yield from ((path, reader) for path in sorted(folder.glob(reader.file)) if path.is_file())


def readers_of(library: Path) -> list[Reader]:
    return [reader for reader in READERS if library.match(reader.file)]


def unknown(library: Path, reader: Reader) -> list[str]:
    """The variables that this library reads and of which nothing is said anywhere."""
    return [name for name in names_in(library, reader) if environment.variable(name) is None and name not in NOT_IN_THE_TABLE]


def main(libraries: Sequence[str]) -> int:
    named = [(Path(text), reader) for text in libraries for reader in readers_of(Path(text))]
    missing = 0
    for path, reader in named or installed():
        names, open_ones = names_in(path, reader), unknown(path, reader)
        missing += len(open_ones)
        sys.stdout.write(f"{path}: {len(names)} variables{''.join(f', {name} is in no table' for name in open_ones)}\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
