"""What keeps a usable card below what it could do: software that does not run on it, and a link with too few lanes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gpuprobe.facts import FoundSoftware
from gpuprobe.judging import theoretical_bandwidth
from gpuprobe.judging.card_status import card_statuses
from gpuprobe.model import Inventory


def remarks(inventory: Inventory) -> Iterator[str]:
    yield from _unfit_software(inventory)
    yield from _narrow_links(inventory)


def _unfit_software(inventory: Inventory) -> Iterator[str]:
    """One sentence for each reason, with all that shares it: a toolkit has several libraries, and cards come in pairs."""
    if not inventory.evidence.host.software:
        return
    from gpuprobe.judging import architecture, compatibility

    found: dict[str, tuple[list[FoundSoftware], list[str]]] = {}
    for device in inventory.kept:
        for each in compatibility.of_device(device, inventory.evidence) or ():
            if each.fit.answer == architecture.UNSUPPORTED and each.software.where != compatibility.BUILD:
                software, devices = found.setdefault(each.fit.because, ([], []))
                software.append(each.software)
                devices.append(f"{device.library}:{device.ordinal}")
    for because, (software, devices) in found.items():
        yield f"{_named(software)} cannot use {', '.join(dict.fromkeys(devices))}: {because}"


def _named(software: Iterable[FoundSoftware]) -> str:
    """Folder by folder: `libcublas, libcudart 13.0.96 of `/usr/local/cuda/lib64`, torch 2.9 of `/venv/…/torch``."""
    folders: dict[str, dict[str, None]] = {}
    for each in software:
        folder, _, file = each.path.rpartition("/")
        name = f"{each.name} {each.version}" if each.version else each.name
        folders.setdefault(folder if ".so" in file else each.path, {})[name] = None
    return ", ".join(f"{', '.join(names)} of `{folder}`" for folder, names in folders.items())


def _narrow_links(inventory: Inventory) -> Iterator[str]:
    """Fewer lanes than the card has. The speed is no matter: an idle card lowers it, and keeps its lanes."""
    for status in card_statuses(inventory):
        card = status.card
        lanes, most = card.current_link_width, card.max_link_width
        if status.why is None and lanes and most and lanes < most:
            now, best = (theoretical_bandwidth.of_link(card.max_link_speed, width).bytes_per_second for width in (lanes, most))
            figures = f": at best {now / 1e9:.1f} of {best / 1e9:.1f} GB/s" if now and best else ""
            advice = "another slot, its seat, a riser or the firmware's sharing of lanes may be the reason"
            yield f"{card.pci_id} uses {lanes} of its {most} PCIe lanes{figures}; {advice}"
