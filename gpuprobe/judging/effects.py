"""What each variable that is set does on this machine, in a sentence."""

from collections.abc import Collection, Iterator, Mapping

from gpuprobe import environment
from gpuprobe.judging.device_lists import ggml_positions, parse_list
from gpuprobe.libraries import LIBRARIES, Library
from gpuprobe.record_classes import NamedTuple
from gpuprobe.strings import gfx_of_override, printable

_TELLING = (environment.VISIBILITY, environment.OVERRIDE, environment.CONSUMER, environment.ENGINE)
_QUOTES = "\"'"
_KNOWN_BOOLEANS = ("1", "t", "true", "0", "f", "false")


class Effect(NamedTuple):
    """A variable that is set and matters: its value as it is set, and what it does here (sentences joined by "; ")."""

    name: str
    value: str
    effect: str


def effects(environ: Mapping[str, str], vendors: Collection[int], platform: str) -> tuple[Effect, ...]:
    """The variables of `environ` that hide or change devices or steer Ollama, in the order of the table.

    `vendors` are the PCI vendors of the cards in this machine: whether `CUDA_VISIBLE_DEVICES` also hides an AMD card
    depends on there being one. Variables with a number per device follow their plain form.
    """
    rows = {row.name: position for position, row in enumerate(environment.VARIABLES)}
    found = []
    for name, value in environ.items():
        row = environment.variable(name)
        if row is not None and row.kind in _TELLING:
            sentences = _sentences(row, name, environ, vendors, platform)
            found.append((rows[row.name], name, Effect(name, value, "; ".join(sentences))))
    return tuple(effect for *_, effect in sorted(found))


def _sentences(
    row: environment.Variable, name: str, environ: Mapping[str, str], vendors: Collection[int], platform: str
) -> Iterator[str]:
    value = environ[name]
    if row.kind == environment.CONSUMER:
        yield from _for_ollama(row, value)
        return
    if row.name == "HSA_OVERRIDE_GFX_VERSION":
        yield from _override(row, name, value, platform)
        return
    if (elsewhere := _only_on(row.name, platform)) is not None:
        yield f"it has an effect on {elsewhere} only"
        return
    yield row.effect
    yield from _selected(row, value)
    yield from _ignored(row, environ)
    yield from _elsewhere(row, environ, vendors)


_SYSTEMS = {"linux": "Linux", "win32": "Windows", "darwin": "macOS"}


def _only_on(name: str, platform: str) -> str | None:
    """The systems on which a library chooses devices by this variable, where this is none of them; None: it counts here.

    There is no CUDA for macOS, and HIP on Windows stands on no ROCr.
    """
    there = {
        each
        for library in LIBRARIES
        for each, selection in library.selections.items()
        if selection.variable == name or name in library.stacked
    }
    if not there or platform in there:
        return None
    return " and ".join(text for each, text in _SYSTEMS.items() if each in there)


def _for_ollama(row: environment.Variable, value: str) -> Iterator[str]:
    """With the two surprises: quotes are dropped, and text that is no boolean counts as true."""
    cleaned = environment.cleaned(value)
    if not cleaned:
        yield "set to nothing, which counts as not set"
        return
    yield row.effect
    if row.takes == "boolean":
        yield "it is on" if environment.truth(value) else "it is off"
        if cleaned.lower() not in _KNOWN_BOOLEANS:
            yield f"`{printable(cleaned)}` is no boolean, and Ollama takes any such text for true"
    if row.takes == "number of bytes" and not (cleaned.isascii() and cleaned.isdigit()):
        yield f"`{printable(cleaned)}` is no number, so Ollama leaves none free"
    if cleaned != value:
        yield f"Ollama takes it for `{printable(cleaned)}`, without the quotes and blanks around it"


def _override(row: environment.Variable, name: str, value: str, platform: str) -> Iterator[str]:
    number = name.removeprefix(row.name + "_") if name != row.name else None
    cards = "every AMD card" if number is None else f"the AMD card that is KFD node {number} (processors are counted too)"
    gfx = gfx_of_override(value)
    if platform != "linux":
        yield "it has an effect on Linux only"
    elif gfx is None:
        yield f"`{printable(value)}` is not a version such as 10.3.0, so it is not known what {cards} is taken for"
    else:
        yield f"{cards} is taken for {gfx.name}; kernels of a wrong architecture crash or compute rubbish"


def _selected(row: environment.Variable, value: str) -> Iterator[str]:
    """What a list of devices comes to, for the variables by which libraries choose devices."""
    selecting = [each for library in LIBRARIES for each in library.selections.values() if each.variable == row.name]
    if not selecting and not any(row.name in library.stacked for library in LIBRARIES):
        return
    if not value and any(not selection.empty_hides for selection in selecting):
        yield "set to nothing, which counts as not set"
        return
    raw = any(selection.takes == "raw" for selection in selecting)
    chosen = [str(each) for each in ggml_positions(value)] if raw else list(parse_list(value))
    if chosen:
        yield f"here it selects {printable(', '.join(chosen))}"
        return
    yield "here it hides every device"
    if value.strip()[:1] in tuple(_QUOTES):
        yield "the quotes are part of the value, and no device is named so"


def _ignored(row: environment.Variable, environ: Mapping[str, str]) -> Iterator[str]:
    if row.name == "VK_ICD_FILENAMES" and "VK_DRIVER_FILES" in environ:
        yield "here it is ignored, because `VK_DRIVER_FILES` is set"
    if row.name == "ROCR_VISIBLE_DEVICES" and environ.get("HIP_VISIBLE_DEVICES"):
        yield "`HIP_VISIBLE_DEVICES` is set too and counts within what this one leaves"


def _elsewhere(row: environment.Variable, environ: Mapping[str, str], vendors: Collection[int]) -> Iterator[str]:
    """A variable meant for one vendor's cards that another vendor's library obeys too."""
    owners = [library for library in LIBRARIES if _chooses_by(library, row.name)]
    for other in LIBRARIES:
        foreign = owners and other not in owners and row.name in other.filters and other.stacked
        if not foreign or not set(other.vendor_ids) & set(vendors):
            continue
        own = [name for name in other.stacked if name in other.filters and environ.get(name)]
        if own:
            yield f"{other.name} reads `{own[0]}` instead, which is set"
        else:
            instead = f"`{other.stacked[0]}`, where set, is read instead"
            yield f"{other.name} reads it too, so it also hides {other.name}'s cards here; {instead}"


def _chooses_by(library: Library, variable: str) -> bool:
    return any(selection.variable == variable for selection in library.selections.values())
