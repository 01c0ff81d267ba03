"""What the compute driver of AMD cards counts for each process: bytes of each card's memory (`/sys/class/kfd/kfd/proc`)."""

from __future__ import annotations

import re

from gpuprobe.machine.process_records import Share
from gpuprobe.survey.tree import ABSENT, Tree

KFD = "/sys/class/kfd/kfd"
TELLER = "KFD"
_MOST = 4096


def kfd_shares(root: str = "/") -> dict[int, tuple[Share, ...]] | None:
    """By process number, as the first PID namespace counts. None: this kernel does not tell, or not to us."""
    tree = Tree(root)
    listed = tree.listed(f"{KFD}/proc")
    if listed.problem is not None:
        return None
    cards = _cards(tree)
    found: dict[int, tuple[Share, ...]] = {}
    for name in listed.names[:_MOST]:
        if re.fullmatch("[1-9][0-9]{0,9}", name, re.ASCII):
            found[int(name)] = tuple(_shares(tree, f"{KFD}/proc/{name}", cards))
    return found


def _shares(tree: Tree, place: str, cards: dict[str, str]) -> list[Share]:
    shares = []
    for name in tree.names(place)[:_MOST]:
        card = re.fullmatch("vram_([0-9]{1,10})", name, re.ASCII)
        reading = tree.read(f"{place}/{name}") if card else None
        if card and reading is not None and reading.problem != ABSENT:
            text = (reading.text or "").strip()
            size = int(text) if re.fullmatch("[0-9]{1,18}", text, re.ASCII) else None
            shares.append(Share(cards.get(card[1]), size, TELLER))
    return shares


def _cards(tree: Tree) -> dict[str, str]:
    """KFD's own number of a card → its PCI address. A processor's number is 0."""
    cards = {}
    for node in tree.names(f"{KFD}/topology/nodes")[:512]:
        place = f"{KFD}/topology/nodes/{node}"
        number = tree.line(f"{place}/gpu_id")
        values = dict(re.findall(r"(?m)^(\w+) ([0-9]{1,20})$", tree.read(f"{place}/properties").text or ""))
        if number and number != "0" and "location_id" in values:
            at, domain = int(values["location_id"]), int(values.get("domain", "0"))
            cards[number] = f"{domain:04x}:{at >> 8 & 0xFF:02x}:{at >> 3 & 0x1F:02x}.0"
    return cards
