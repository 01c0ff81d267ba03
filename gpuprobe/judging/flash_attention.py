"""Whether devices may use flash attention together, by which rule, and what the user's settings make of that."""

from collections.abc import Mapping, Sequence

from gpuprobe import environment
from gpuprobe.facts import Host
from gpuprobe.libraries import library_named
from gpuprobe.model import Device
from gpuprobe.record_classes import NamedTuple
from gpuprobe.strings import printable

# The only kernel for 7.2 is not compiled for it and aborts.
_XAVIER = (7, 2)
_QUANTISED = ("q8_0", "q4_0")
_PLAIN = "f16"


class FlashAnswer(NamedTuple):
    """`supported` None: unknown. `rule` is a stable slug, `because` a sentence, `device` the one that decided."""

    supported: bool | None
    rule: str
    because: str
    device: Device | None = None


class Effective(NamedTuple):
    """What the settings make of an answer. `flash_attention`: "on", "off", "auto" (used where the model allows it) or
    "unknown"; `cache_type`: "f16", "q8_0", "q4_0"; `because`: a sentence for each setting that has an effect."""

    flash_attention: str
    cache_type: str
    because: tuple[str, ...]


def of_device(device: Device) -> FlashAnswer:
    """Whether one device may use it. A driver's version plays no role: it says nothing about the kernels."""
    rule = library_named(device.library).flash_attention
    if rule == "compute_capability":
        return _by_capability(device)._replace(device=device)
    if rule == "yes":
        return FlashAnswer(True, "library", f"every device that {device.library} computes on supports it", device)
    return FlashAnswer(None, "library_unknown", f"whether {device.library} supports it is not known", device)


def _by_capability(device: Device) -> FlashAnswer:
    major, minor = device.compute_major, device.compute_minor
    if major is None or (major == _XAVIER[0] and minor is None):
        return FlashAnswer(None, "capability_unknown", f"the compute capability of {_named(device)} is not known")
    has = f"{_named(device)} has compute capability {major}.{'?' if minor is None else minor}"
    if (major, minor) == _XAVIER:
        return FlashAnswer(False, "capability_7_2", f"{has}, for which no kernel is compiled")
    if major >= 7:
        return FlashAnswer(True, "capability_7_0", f"{has} (7.0 or higher is needed)")
    if major == 6:
        return FlashAnswer(False, "capability_6", f"{has} (7.0 is needed; newer Ollama allows it)")
    return FlashAnswer(False, "capability_below_6", f"{has} (7.0 is needed)")


def _named(device: Device) -> str:
    return printable(device.name or device.id)


def of_set(devices: Sequence[Device]) -> FlashAnswer:
    """Whether all of them may use it together: no if one may not, else unknown if one is unknown. No device, so nothing
    but the CPU: yes."""
    if not devices:
        return FlashAnswer(True, "cpu", "nothing runs on a GPU, and the CPU supports it")
    answers = [of_device(device) for device in devices]
    for supported in (False, None):
        deciding = next((answer for answer in answers if answer.supported is supported), None)
        if deciding is not None:
            return deciding
    (first, *others) = answers
    every = "both" if len(answers) == 2 else f"all {len(answers)}"
    return first._replace(because=f"{every} devices support it; {first.because}") if others else first


def apart(devices: Sequence[Device], host: Host) -> str | None:
    """The clause that says why these devices cannot hold one model together; None: nothing speaks against it.

    A program loads the builds of one directory: with `cuda_v12` for an old card and `cuda_v13` for a new one it uses one.
    """
    served: dict[str, Device] = {}
    for device in devices:
        build = host.build_named(device.build)
        if build is not None:
            served.setdefault(build.path.replace("\\", "/").rpartition("/")[0], device)
    if len(served) < 2:
        return None
    by = " and ".join(f"the build {device.build} for {device.library}:{device.ordinal}" for device in served.values())
    return f"they cannot share one model: a program loads the builds of one directory, and this takes {by}"


def effective(environ: Mapping[str, str], answer: FlashAnswer) -> Effective:
    """What `OLLAMA_FLASH_ATTENTION` and `OLLAMA_KV_CACHE_TYPE` make of the answer for a set.

    The first forces it on or off whatever the hardware says; text that is no boolean counts as true. A quantised cache
    needs flash attention; without it, and for a type that Ollama does not know, the cache is f16.
    """
    state, reasons = _state(environ.get("OLLAMA_FLASH_ATTENTION"), answer)
    cache_type, more = _cache(environ.get("OLLAMA_KV_CACHE_TYPE"), state)
    return Effective(state, cache_type, (*reasons, *more))


def _state(setting: str | None, answer: FlashAnswer) -> tuple[str, tuple[str, ...]]:
    forced = environment.truth(setting)
    if forced is None:
        return {True: "auto", False: "off", None: "unknown"}[answer.supported], ()
    said = f"`OLLAMA_FLASH_ATTENTION={printable(setting or '')}` forces it {'on' if forced else 'off'}"
    if forced and answer.supported is not True:
        said += f", although {answer.because}"
    return "on" if forced else "off", (said,)


def _cache(setting: str | None, state: str) -> tuple[str, tuple[str, ...]]:
    wanted = environment.cleaned(setting or "").lower()
    if wanted in ("", _PLAIN):
        return _PLAIN, ()
    said = f"`OLLAMA_KV_CACHE_TYPE={printable(setting or '')}`"
    if wanted not in _QUANTISED:
        return _PLAIN, (f"{said} is not a type that Ollama knows (f16, q8_0, q4_0), so the cache is {_PLAIN}",)
    if state == "off":
        return _PLAIN, (f"{said} needs flash attention, which is off, so the cache is {_PLAIN}",)
    if state == "on":
        return wanted, (f"{said} is used: flash attention is on",)
    return wanted, (f"{said} is used only if flash attention turns out to be on",)
