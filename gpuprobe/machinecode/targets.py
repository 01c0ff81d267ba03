"""What machine code in a file was compiled for, as its own headers say it.

Names are spelled as `judging/architecture.py` reads them: "sm_90a", "compute_120", "gfx942:sramecc+:xnack-", "gfx9-4-generic".
Intel's are the numbers of a generation of its graphics: "12.60.7".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gpuprobe.enumerations import Enum


class Vendor(str, Enum):
    NVIDIA = "NVIDIA"
    AMD = "AMD"
    INTEL = "Intel"


class Kind(str, Enum):
    CODE = "machine code"  # runs as it is
    PORTABLE = "portable"  # PTX, SPIR-V: the driver compiles it


class Container(str, Enum):
    """How the code is packed."""

    CUDA_FATBIN = "CUDA fat binary"
    HIP_BUNDLE = "HIP bundle"
    SYCL = "SYCL image"


class Target(NamedTuple):
    """One architecture. Equal targets are equal tuples, so that they can be counted and sorted."""

    vendor: Vendor
    name: str  # "sm_90a" is code and "compute_90a" PTX; "gfx942:sramecc+:xnack-"; "spir64", "12.60.7"
    kind: Kind
    number: int | None = None  # compute capability times 10; None: not NVIDIA's
    suffix: str = ""  # NVIDIA: "a" for exactly this one, "f" for its family
    features: tuple[str, ...] = ()  # AMD: ("sramecc+", "xnack-"), what the card's own switches must be
    generic: bool = False  # AMD: for a group of architectures, "gfx11-generic"


class Image(NamedTuple):
    """One piece of code for one target, as a reader meets it."""

    target: Target
    compression: str | None = None  # "LZ4", "zstd", "zlib"
    ptx: tuple[int, int] | None = None  # the version of the language that PTX is written in


class Module(NamedTuple):
    """Kernels that were compiled together: the runtime loads one of the `targets` for all of them.

    `times`: how many modules of the file have this very set. A file's modules often differ: one source is compiled for 9.0a
    alone, the others for everything else, so that a target of the file need not be one of each kernel.
    """

    targets: tuple[Target, ...]
    times: int = 1


def in_order(targets: Iterable[Target]) -> tuple[Target, ...]:
    """Sorted by vendor, kind, number and name."""
    return tuple(sorted(targets, key=lambda target: (target.vendor, target.kind, target.number or 0, target.name)))


class Targets(NamedTuple):
    """What is in one file. Nothing found and nothing unread: it has no section with code for a GPU.

    That is no proof of there being none: cuFFT 12.5 has 18,000 fat binaries among its data, where nobody's lister finds them.
    """

    path: str
    containers: tuple[Container, ...] = ()  # every kind that is in the file
    modules: tuple[Module, ...] = ()  # each set of targets once, the most frequent first
    unread: str | None = None  # why there can be more than `modules` says: a clause; what could be read before is kept
    compressions: tuple[str, ...] = ()  # "LZ4", "zstd", "zlib": what the driver or runtime must be able to unpack
    ptx: tuple[int, int] | None = None  # the newest version of PTX's language in it, (9, 2): CUDA 13.2's drivers compile it

    @property
    def targets(self) -> tuple[Target, ...]:
        """All of the file's, each once, sorted by number and name; see `Module` for what this does not say."""
        every = {target for module in self.modules for target in module.targets}
        return in_order(every)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(target.name for target in self.targets)
