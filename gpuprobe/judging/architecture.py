"""Whether code that was compiled for some architectures runs on a card: native, compatible, unsupported, or not known.

Machine code runs on its own compute capability and, outside Tegra, on later minors of its major; PTX on that of its name and
everything newer; names with an `a` on exactly that one, with an `f` within their major. AMD's code runs on its own target.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from gpuprobe import knowledge
from gpuprobe import patterns as re
from gpuprobe.enumerations import Enum
from gpuprobe.libraries import library_named
from gpuprobe.model import Device
from gpuprobe.record_classes import NamedTuple
from gpuprobe.strings import Gfx, gfx_of_name, gfx_of_override

Compute = tuple[int, int]


class Answer(str, Enum):
    """How code fits a card, the best first."""

    NATIVE = "native"  # compiled for this very architecture
    COMPATIBLE = "compatible"  # runs all the same: a later minor, a generic target, PTX that the driver compiles
    UNKNOWN = "unknown"
    UNSUPPORTED = "unsupported"

    @property
    def rank(self) -> int:
        """0 for the best; unknown is better than a certain no."""
        return tuple(Answer).index(self)


class Form(str, Enum):
    """What a name in a build's list stands for; see `Compiled`."""

    CODE = "machine code"
    PTX = "PTX"
    UNSAID = "code"


NATIVE, COMPATIBLE, UNSUPPORTED, UNKNOWN = Answer.NATIVE, Answer.COMPATIBLE, Answer.UNSUPPORTED, Answer.UNKNOWN
CODE, PTX, UNSAID = Form.CODE, Form.PTX, Form.UNSAID


class Fit(NamedTuple):
    """`because` is a clause; `source` the row behind it, None: the build's own words or code."""

    answer: Answer
    because: str
    source: str | None = None
    by_compiler: bool = False  # only because the driver compiles PTX, which needs a driver of the code's own release
    toolkit: str | None = None  # with `by_compiler`: the release of CUDA whose drivers compile it, where the code says so
    doubtful: bool = False  # a row speaks against it, and nothing shows that it speaks of this very version
    for_want_of_a_driver: bool = False  # unsupported by this driver; a newer one would do


class Compiled(NamedTuple):
    """One architecture that CUDA code was compiled for. UNSAID: the list does not tell machine code from PTX."""

    compute: Compute
    kind: Form
    suffix: str = ""  # "a": for exactly this one; "f": for its family

    @property
    def name(self) -> str:
        return f"{_dotted(self.compute)}{self.suffix}"


_FORMS = (
    (re.compile(r"sm_([0-9]{2,3})([af]?)"), CODE),  # cuobjdump, torch
    (re.compile(r"compute_([0-9]{2,3})([af]?)"), PTX),
    (re.compile(r"([0-9]{2,3})([af]?)-real"), CODE),  # CMAKE_CUDA_ARCHITECTURES
    (re.compile(r"([0-9]{2,3})([af]?)-virtual"), PTX),
    (re.compile(r"([0-9]{1,2}\.[0-9])([af]?)"), UNSAID),
    (re.compile(r"([0-9]{2,4})([af]?)"), UNSAID),  # ggml: 860 is 8.6, 1210 is 12.1
)
_LOWEST_OF_GGML = 300  # 3.0; as CMake writes it, 300 would be compute capability 30.0
_GENERIC = re.compile(r"gfx([1-9][0-9]?)(?:-([0-9]))?-generic")


def of_device(device: Device, architectures: Sequence[str], source: str | None = None) -> Fit:
    """How code for these architectures, as its build names them, fits a device of a library that compiles beforehand."""
    library = library_named(device.library)
    if not library.precompiled:
        return Fit(UNKNOWN, f"{library.name} has no architectures that code is compiled for beforehand", source)
    if library.compute == "gfx":
        return of_gfx(str(device.capabilities.get("gcn_arch_name") or device.gfx_target or ""), architectures, source)
    major, minor = device.compute_major, device.compute_minor
    return of_compute(None if major is None or minor is None else (major, minor), architectures, source)


def compiled(text: str) -> Compiled | None:
    """One architecture of CUDA in any of the spellings that builds use; None: it is none."""
    text = text.strip().lower()
    for form, kind in _FORMS:
        found = form.fullmatch(text)
        if found is not None:
            compute = _compute(found[1], ggml=kind == UNSAID)
            return None if compute is None else Compiled(compute, kind, found[2])
    return None


def _compute(digits: str, ggml: bool) -> Compute | None:
    if "." in digits:
        major, _, minor = digits.partition(".")
        return int(major), int(minor)
    if ggml and int(digits) >= _LOWEST_OF_GGML:
        if not digits.endswith("0"):
            return None
        digits = digits[:-1]
    return (int(digits[:-1]), int(digits[-1])) if len(digits) in (2, 3) and digits[0] != "0" else None


def _all_compiled(architectures: Iterable[str]) -> Iterator[Compiled]:
    for text in architectures:
        one = compiled(text.strip().lower().removesuffix("+ptx"))
        if one is not None:
            yield one
            if text.strip().lower().endswith("+ptx"):
                yield one._replace(kind=PTX)


def of_compute(compute: Compute | None, architectures: Sequence[str], source: str | None = None) -> Fit:
    """How CUDA code fits a compute capability."""
    return _of_compute(compute, tuple(architectures), source)


@lru_cache(maxsize=256)  # unfinished evidence is judged after each answer: 300 times for eight cards in three builds
def _of_compute(compute: Compute | None, architectures: tuple[str, ...], source: str | None) -> Fit:
    known = list(_all_compiled(architectures))
    if compute is None or not known:
        lacks = "the card's compute capability" if compute is None else "what it was compiled for"
        return Fit(UNKNOWN, f"{lacks} is not known", source)
    runs = {one: _runs(one, compute) for one in known}
    best = max((one for one in known if runs[one]), key=lambda one: _nearness(one, compute), default=None)
    if best is not None:
        return _fitting(best, compute, source)
    if None in runs.values():
        names = ", ".join(sorted({one.name for one in known if runs[one] is None}))
        because = f"it has code for {names}, which runs on {_dotted(compute)} only if it is PTX, and the file does not say so"
        return Fit(UNKNOWN, because, source)
    lacks = ", and no PTX" if all(one.kind is CODE for one in known) and min(known).compute < compute else ""
    return Fit(UNSUPPORTED, f"it has code for {_names(known)}, none of which runs on {_dotted(compute)}{lacks}", source)


def _runs(one: Compiled, compute: Compute) -> bool | None:
    """None: that depends on what the build does not say."""
    later_minor = one.compute[0] == compute[0] and one.compute[1] <= compute[1]
    if one.suffix:
        return later_minor if one.suffix == "f" else one.compute == compute
    as_ptx = one.compute <= compute
    as_code = one.compute == compute or (later_minor and not _tegra(one.compute) and not _tegra(compute))
    if one.kind == UNSAID:
        return as_ptx if as_ptx == as_code else None
    return as_ptx if one.kind == PTX else as_code


def _nearness(one: Compiled, compute: Compute) -> tuple[bool, bool, Compute, bool]:
    return one.compute == compute, one.kind != PTX, one.compute, one.suffix == ""


def _fitting(one: Compiled, compute: Compute, source: str | None) -> Fit:
    if one.kind == PTX:
        because = f"it has PTX for {one.name}, which the driver compiles for {_dotted(compute)}"
        return Fit(COMPATIBLE, because, source, by_compiler=True)
    if one.compute == compute:
        return Fit(NATIVE, f"it has {one.kind.value} for {one.name}", source)
    return Fit(COMPATIBLE, f"it has {one.kind.value} for {one.name}, which runs on {_dotted(compute)} too", source)


def _tegra(compute: Compute) -> bool:
    return any(row.tegra and row.compute == _dotted(compute) for row in knowledge.capabilities())


def _dotted(compute: Compute) -> str:
    return f"{compute[0]}.{compute[1]}"


def _names(known: Iterable[Compiled]) -> str:
    ordered = sorted(set(known), key=lambda one: (one.compute, one.suffix))
    return ", ".join(dict.fromkeys(one.name for one in ordered))


def of_gfx(card: str, targets: Sequence[str], source: str | None = None) -> Fit:
    """How AMD code fits a card's architecture, with the features behind its name where they are known."""
    gfx = gfx_of_name(card)
    known = [target.strip().lower() for target in targets]
    known = [target for target in known if gfx_of_name(target) or _generic(target)]
    if gfx is None or not known:
        lacks = "the card's architecture" if gfx is None else "what it was compiled for"
        return Fit(UNKNOWN, f"{lacks} is not known", source)
    answers = {target: _takes(gfx, target) for target in known}
    own = next((target for target, answer in answers.items() if answer and not _generic(target)), None)
    if own is not None:
        return Fit(NATIVE, f"it has code for {own}", source)
    generic = next((target for target, answer in answers.items() if answer), None)
    if generic is not None:
        return Fit(COMPATIBLE, f"it has code for {generic}, which {gfx.name} takes too", source)
    doubtful = next((target for target, answer in answers.items() if answer is None), None)
    if doubtful is not None:
        return Fit(UNKNOWN, f"it has code for {doubtful}, and whether {gfx.name} takes that is not known", source)
    has = ", ".join(dict.fromkeys(known))
    return Fit(UNSUPPORTED, f"it has code for {has}, and none for {gfx.name}{_way_out(gfx, known)}", source)


def _takes(gfx: Gfx, target: str) -> bool | None:
    """None: the target is generic and in no row, or wants a switch of the card in a position that the card's name does not
    tell."""
    named, *wanted = target.split(":")
    generic = _GENERIC.fullmatch(named)
    if generic is not None:
        taken = _takes_generic(gfx, named, generic)
    else:
        other = gfx_of_name(named)
        taken = other is not None and other.name == gfx.name
    if not taken:
        return taken
    told = {feature[:-1]: feature for feature in gfx.features}
    if any(told.get(feature[:-1], feature) != feature for feature in wanted):
        return False
    return None if any(feature[:-1] not in told for feature in wanted) else True


def _generic(target: str) -> bool:
    return _GENERIC.fullmatch(target.partition(":")[0]) is not None


def _takes_generic(gfx: Gfx, target: str, form: re.Match[str]) -> bool | None:
    """By the compiler's own map; a target that is newer than it may fit what is called alike."""
    row = next((row for row in knowledge.generics() if row.name == target), None)
    if row is not None:
        return gfx.name in row.targets
    alike = int(form[1]) == gfx.major and form[2] in (None, f"{gfx.minor:x}")
    return None if alike else False


def _way_out(gfx: Gfx, targets: Iterable[str]) -> str:
    """The override that is known to work, where the build has the code that would then be taken."""
    row = next((row for row in knowledge.targets() if row.gfx == gfx.name), None)
    taken = gfx_of_override(row.override) if row and row.override else None
    if row is None or taken is None or taken.name not in {target.partition(":")[0] for target in targets}:
        return ""
    caution = f" ({row.caution})" if row.caution else ""
    return f"; on Linux `HSA_OVERRIDE_GFX_VERSION={row.override}` makes it take that for {taken.name}, known to work{caution}"
