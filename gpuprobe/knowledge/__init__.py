"""What vendors' release notes say, as rows with a source and a day: read from the tables beside this file when first asked.

Nothing here is read, and no TOML parser imported, before a card is compared with software that was found.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path

from gpuprobe.exits import Damaged
from gpuprobe.record_classes import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Row = TypeVar("Row", bound=tuple[Any, ...])


class Release(NamedTuple):
    """The lowest drivers for everything of one CUDA toolkit; None: the platform has none of its own."""

    toolkit: str
    source: str
    checked: date
    linux: str | None = None  # None also where it is not known yet
    windows: str | None = None


class Family(NamedTuple):
    """The lowest drivers for machine code of any toolkit of this major version, and the lowest capability it has code for."""

    major: int
    linux: str
    windows: str
    compute: str
    source: str
    checked: date


class Capability(NamedTuple):
    compute: str
    architecture: str
    source: str
    checked: date
    tegra: bool = False


class DataTypes(NamedTuple):
    """The types of numbers that a compute capability has instructions for; of those named in any row it lacks the others."""

    compute: str
    types: tuple[str, ...]
    source: str
    checked: date


class Package(NamedTuple):
    """What has code of a framework for some architectures: an index of wheels, or a package by its name."""

    framework: str
    library: str  # named as in libraries.py
    install: str  # what is given to `pip install`
    source: str
    checked: date
    architectures: tuple[str, ...] = ()  # families, as in `Capability`, or capabilities; none: any card of the library
    machines: tuple[str, ...] = ()  # as in `uname -m`; none: any
    tegra: bool | None = None  # True: for chips with a GPU alone; False: not for those; None: for both


class Target(NamedTuple):
    """An AMD architecture; `override` is a value of HSA_OVERRIDE_GFX_VERSION that is known to work on it, `caution` how
    well."""

    gfx: str
    family: str
    source: str
    checked: date
    override: str | None = None
    caution: str | None = None
    rocblas_until: str | None = None  # the last ROCm whose own rocBLAS has kernels; None: today's has, or not known


class Generic(NamedTuple):
    """A target that AMD's compiler makes code for that several architectures take."""

    name: str
    targets: tuple[str, ...]
    source: str
    checked: date


class Branch(NamedTuple):
    """A branch of NVIDIA's driver, until which month NVIDIA mends it, and the lowest capability of a card that it serves."""

    branch: int
    designation: str
    until: str
    compute: str
    source: str
    checked: date


class Chip(NamedTuple):
    """The chips of one architecture by their PCI device ids, and which of NVIDIA's drivers serve them."""

    architecture: str
    ids: tuple[tuple[int, int], ...]  # ranges, both ends in them
    source: str
    checked: date
    since: int | None = None  # the first branch of the driver; None: older than any that is still met
    until: int | None = None  # the last branch; None: the newest serves them, too
    module: str | None = None  # "open" or "closed": the one flavour of the kernel module; None: both


class Ptx(NamedTuple):
    """The first toolkit with a version of the language that PTX is written in: its drivers compile it."""

    version: str
    toolkit: str
    source: str
    checked: date


class Packing(NamedTuple):
    """The lowest driver that reads builds of this toolkit or a newer one of its major version."""

    toolkit: str
    driver: str
    source: str
    checked: date
    below: str | None = None


class Build(NamedTuple):
    """What a build directory of a program holds code for, by its name without a version behind it."""

    name: str
    platform: str
    architectures: tuple[str, ...]
    source: str
    checked: date
    toolkit: str | None = None


class Cause(NamedTuple):
    """Why a GPU is not used, as the catalogue knows it: what it is, in a sentence, and the layer it belongs to ("A" to "I")."""

    id: str
    layer: str
    about: str
    source: str
    checked: date
    looked_for: bool = False  # a check can name it


@cache
def releases() -> tuple[Release, ...]:
    return _rows(Release, "cuda", "releases")


@cache
def families() -> tuple[Family, ...]:
    return _rows(Family, "cuda", "families")


@cache
def capabilities() -> tuple[Capability, ...]:
    return _rows(Capability, "cuda", "capabilities")


@cache
def causes() -> tuple[Cause, ...]:
    return _rows(Cause, "causes", "causes")


@cache
def data_types() -> tuple[DataTypes, ...]:
    return _rows(DataTypes, "cuda", "data_types")


@cache
def ptx() -> tuple[Ptx, ...]:
    return _rows(Ptx, "cuda", "ptx")


@cache
def packages() -> tuple[Package, ...]:
    return _rows(Package, "packages", "packages")


@cache
def branches() -> tuple[Branch, ...]:
    return _rows(Branch, "cuda", "branches")


@cache
def chips() -> tuple[Chip, ...]:
    return _rows(Chip, "cuda", "chips")


@cache
def generics() -> tuple[Generic, ...]:
    return _rows(Generic, "rocm", "generics")


@cache
def targets() -> tuple[Target, ...]:
    return _rows(Target, "rocm", "targets")


@cache
def packings() -> tuple[Packing, ...]:
    return _rows(Packing, "cuda", "packings")


@cache
def builds() -> tuple[Build, ...]:
    return (*_rows(Build, "cuda", "builds"), *_rows(Build, "rocm", "builds"))


def _rows(record: type[Row], file: str, name: str) -> tuple[Row, ...]:
    table = tables(file)[name]
    shared = {key: table[key] for key in ("source", "checked") if key in table}
    return tuple(record(**{**shared, **{key: _frozen(value) for key, value in row.items()}}) for row in table["rows"])


@cache
def tables(file: str) -> dict[str, Any]:
    """The tables of one file as they are written. Raises Damaged where it is missing, kept from us or no longer TOML."""
    import tomllib

    path = Path(__file__).with_name(f"{file}.toml")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:  # what is no UTF-8 and what is no TOML are both values that are wrong
        said = problem.strerror if isinstance(problem, OSError) else problem
        raise Damaged(f"gpuprobe's own file {path} cannot be read: {said}") from problem


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
