"""Why Vulkan does not show a card: no loader, no driver of its vendor, one that does not load or shows nothing."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from posixpath import basename

from gpuprobe.doctor import installing
from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, Step, run
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.situation import Situation
from gpuprobe.doctor.ways import answers, own_libraries, weight_if_lost
from gpuprobe.facts import Host
from gpuprobe.libraries import ROCM, VULKAN
from gpuprobe.machine.distribution import distribution
from gpuprobe.machine.permissions import opens
from gpuprobe.machine.vulkan_drivers import drivers
from gpuprobe.model import DeviceType, Outcome, Status
from gpuprobe.record_classes import NamedTuple
from gpuprobe.vendors import VENDORS, Vendor, vendor_of

# The Vulkan loader on its standard error, 1.3.239: the dynamic linker's words, then the manifest's library.
_MISSING = re.compile(r"([\w.+-]{1,120}): cannot open shared object file")
_IGNORED = re.compile(r"Failed loading library associated with ICD JSON ([^\s.]{1,200}[\w./+-]{0,200}?)\. Ignoring")
# Which package of Debian's and Ubuntu's has what drivers of Mesa and NVIDIA need and small images lack.
_PACKAGES = {
    "libGLdispatch": "libglvnd0 libgl1 libglx0 libegl1",
    "libGL": "libgl1",
    "libEGL": "libegl1",
    "libX11": "libx11-6",
    "libXext": "libxext6",
    "libxcb": "libxcb1",
    "libdrm": "libdrm2 libdrm-amdgpu1",
    "libwayland-client": "libwayland-client0",
    "libelf": "libelf1",
    "libxshmfence": "libxshmfence1",
}
# Images whose Mesa has the driver that others lack.
_IMAGES = {"libvulkan_asahi": "quay.io/ramalama/asahi"}

_WITHOUT = {ROCM.name: "rocm-hsa-runtime-missing"}

_library = partial(cause, rung=Rung.LIBRARY, library=VULKAN)


class Driver(NamedTuple):
    """A driver of the card's vendor as its manifest names it."""

    manifest: str
    library: str


def nothing_installed(situation: Situation) -> Iterator[Finding]:
    """Neither the library of the card's vendor is there nor Vulkan's loader, which does as well."""
    maker, asked = vendor_of(situation.card.vendor_id), situation.listing(VULKAN.name)
    driven = situation.card.driver is not None and situation.card.kind in ("pci", "platform", "board")
    if situation.kept or situation.drops or maker is None or not maker.in_mesa or not driven or asked is None:
        return
    own = own_libraries(situation)[:1]
    names = [name for each in (*own, VULKAN) for name in each.sonames["linux"]]
    if not asked.status.not_there or any(answers(situation, each) for each in own) or _is_found(situation.host, names):
        return
    first = own[0] if own else VULKAN
    looked_for = " nor ".join(f"{each.name}'s (`{each.sonames['linux'][0]}`)" for each in (*own, VULKAN))
    because = (
        f"no library for it is installed: neither {looked_for}" if own else f"no library for it is installed: {looked_for}"
    )
    ways = [installing.vulkan_driver(situation.host, maker)]
    ways += [_or(installing.library(situation.host, each)) for each in own]
    yield _library(
        _WITHOUT.get(first.name, "vk-loader-missing"),
        severity=Severity.BLOCKER,
        because=because,
        brief="no library for it is installed",
        reason=asked.status,
        evidence=(*(Observed(each.sonames["linux"][0], "not found") for each in (*own, VULKAN)), _driven(situation)),
        fix=tuple(ways),
    )


def _or(step: Step) -> Step:
    return step._replace(text=f"or {step.text}")


def _is_found(host: Host, names: list[str]) -> bool:
    """What lies there and did not load is a fault of its own."""
    return any(each.name in names for each in host.libraries)


def driver_missing(situation: Situation) -> Iterator[Finding]:
    """The loader answers, and no manifest names a driver of the card's vendor."""
    maker, severity = vendor_of(situation.card.vendor_id), weight_if_lost(situation, VULKAN)
    if severity is None or maker is None or not maker.in_mesa or not _is_reachable(situation) or _chosen(situation):
        return
    if tuple(_drivers_of(situation, maker)) or _understands_too_little(situation.host):
        return
    others = ", ".join(basename(each.path) for each in situation.host.manifests)
    software = f"; only a software renderer is there (`{others}`)" if _only_software(situation) else ""
    what = f"has no driver for cards of {maker.name}" if others else "finds no driver at all"
    yield _library(
        "vk-no-icd",
        severity=severity,
        because=f"Vulkan's loader {what}{software}",
        brief="no Vulkan driver for it is installed",
        reason=_status(situation),
        evidence=(Observed("driver manifests", others or "none"), _driven(situation)),
        fix=(installing.vulkan_driver(situation.host, maker),),
    )


def driver_does_not_load(situation: Situation) -> Iterator[Finding]:
    """The manifest is there and its library, or one that this needs, is not: by the survey, or by the loader's own words."""
    maker, severity = vendor_of(situation.card.vendor_id), weight_if_lost(situation, VULKAN)
    if severity is None or maker is None or not _is_reachable(situation):
        return
    for driver in _drivers_of(situation, maker):
        missing = _missing_of(situation, driver)
        if missing is None:
            continue
        itself = missing == basename(driver.library)
        because = f"Vulkan: the driver of `{basename(driver.manifest)}` does not load: `{missing}` is missing"
        fix = installing.vulkan_driver(situation.host, maker) if itself else _bringing(situation.host, missing)
        yield _library(
            "vk-driver-does-not-load",
            severity=severity,
            because=because,
            brief=f"its Vulkan driver needs `{missing}`",
            reason=_status(situation),
            evidence=(
                Observed(driver.manifest, driver.library),
                Observed(driver.library, "not found" if itself else f"needs {missing}"),
            ),
            fix=(fix,),
        )
        return


def _missing_of(situation: Situation, driver: Driver) -> str | None:
    """The library that is not there; None: all are, or nobody looked."""
    known = next((each for each in drivers(situation.host) or () if each.manifest == driver.manifest), None)
    if known is not None and known.library is not None and known.problem is None:
        return basename(known.library) if known.path is None else next(iter(known.missing or ()), None)
    lines = "\n".join(outcome.stderr for outcome in answers(situation, VULKAN)).splitlines()
    for before, line in pairwise(lines):
        ignored, missing = _IGNORED.search(line), _MISSING.search(before)
        if ignored and missing and basename(ignored[1]) == basename(driver.library):
            return missing[1]
    return None


def _bringing(host: Host, library: str) -> Step:
    stem, here = library.partition(".so")[0], distribution(host)
    manager = "rpm-ostree" if here.is_image else here.manager  # which takes names of packages alone
    stem = stem if stem in _PACKAGES else next((each for each in _PACKAGES if stem.startswith(each)), stem)
    if stem in _PACKAGES and manager in ("apt", None):
        named = _PACKAGES[stem]
        if manager is None:
            return Step(f"install the package that brings `{library}` (Debian and Ubuntu: `sudo apt install {named}`)")
        return run("install what is missing:", f"sudo apt install {named}")
    if manager == "dnf":
        return run("install what is missing:", f"sudo dnf install {shlex.quote(f'*/{library}')}")
    return Step(f"install the package that brings `{library}`")


def only_software(situation: Situation) -> Iterator[Finding]:
    """The vendor's driver is installed and loads, Vulkan answers, and shows what computes on the processor alone."""
    maker, severity = vendor_of(situation.card.vendor_id), weight_if_lost(situation, VULKAN)
    if severity is None or maker is None or not _only_software(situation) or not _is_reachable(situation):
        return
    mine = tuple(_drivers_of(situation, maker))
    if not mine or _chosen(situation) or any(_missing_of(situation, each) for each in mine):
        return
    manifest = basename(mine[0].manifest)
    yield _library(
        "vk-software-only",
        severity=severity,
        because=f"Vulkan shows a software renderer alone: the driver of `{manifest}` starts and finds no card that it knows",
        brief="Vulkan shows a software renderer alone",
        reason=_status(situation),
        evidence=(Observed(mine[0].manifest, mine[0].library), Observed("Vulkan", _named(situation))),
        fix=tuple(_newer_driver(situation, maker, mine[0])),
    )


def _newer_driver(situation: Situation, maker: Vendor, driver: Driver) -> Iterator[Step]:
    """A driver that finds nothing is older than the chip or its kernel driver."""
    image = _IMAGES.get(basename(driver.library).partition(".so")[0])
    if image is not None:
        yield Step(f"use an image whose Mesa drives this chip, such as `{image}`", where=Place.HOST)
    newer = installing.vulkan_driver(situation.host, maker)
    yield newer._replace(text=newer.text.replace("install the", "install a newer release of the", 1))


def _only_software(situation: Situation) -> bool:
    shown = [device for outcome in answers(situation, VULKAN) for device in outcome.devices]
    return bool(shown) and all(device.type is DeviceType.SOFTWARE for device in shown)


def _named(situation: Situation) -> str:
    shown = (device.name or "a device" for outcome in answers(situation, VULKAN) for device in outcome.devices)
    return ", ".join(dict.fromkeys(shown))


def _drivers_of(situation: Situation, maker: Vendor) -> Iterator[Driver]:
    for manifest in situation.host.manifests:
        library = _library_in(manifest.reading.text)
        if library is not None and basename(library).startswith(maker.vulkan_drivers):
            yield Driver(manifest.path, library)


def _library_in(text: str | None) -> str | None:
    """What a manifest names; None: it is no manifest."""
    try:
        said = json.loads(text or "")
        named = said["ICD"]["library_path"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return named if isinstance(named, str) else None


def _understands_too_little(host: Host) -> bool:
    """Whether a manifest names a library of nobody's that is known: it may be this vendor's."""
    named = [basename(library) for each in host.manifests if (library := _library_in(each.reading.text)) is not None]
    known = tuple(start for maker in VENDORS for start in maker.vulkan_drivers) + _ELSE
    return any(not name.startswith(known) for name in named) or len(named) < len(host.manifests)


# Mesa's that are for no vendor's cards: the processor, another machine's GPU, Windows'.
_ELSE = ("libvulkan_lvp", "libvulkan_virtio", "libvulkan_dzn", "libvulkan_gfxstream", "libvk_swiftshader")


def _is_reachable(situation: Situation) -> bool:
    """Whether the kernel drives the card and its node opens: else that is the cause."""
    path = situation.card.render_node or _of_a_board(situation)
    return path is not None and opens(situation.host, path) is True


def _of_a_board(situation: Situation) -> str | None:
    """A board's GPU of which the survey saw no more than the board: whatever renders there."""
    nodes = (node.path for node in situation.host.nodes if node.path.startswith("/dev/dri/renderD"))
    return next(nodes, None) if situation.card.kind == "board" else None


def _chosen(situation: Situation) -> bool:
    """A variable says which drivers are loaded: what lies in the usual places is not what counts."""
    environ = situation.host.environ
    return any(name in environ for name in (*VULKAN.filters, "VK_ADD_DRIVER_FILES"))


def _status(situation: Situation) -> Status:
    found: Outcome | None = next(iter(answers(situation, VULKAN)), None)
    return found.status if found is not None and not found.status.answered else Status.NO_DEVICES


def _driven(situation: Situation) -> Observed:
    return Observed(situation.card.render_node or "kernel driver", f"there, driven by `{situation.card.driver}`")


CHECKS = (driver_does_not_load, driver_missing, only_software, nothing_installed)
