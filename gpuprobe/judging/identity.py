"""When two views are the same card: the one place that answers it, with the evidence it used."""

from gpuprobe import patterns as re
from gpuprobe.enumerations import Enum
from gpuprobe.model import Device
from gpuprobe.once import remembered
from gpuprobe.record_classes import NamedTuple

_PCI = (8, 2, 2)  # digits at most of domain, bus and slot
_UUID = (8, 4, 4, 4, 12)  # digits
_UNIQUE_ID = (16,)  # ROCr: "GPU-" and the 64 bits of the card's unique_id
_OLD_SLICE = r"gpu-[0-9a-f-]{36}/[0-9]+/[0-9]+"  # before driver 470: MIG-GPU-<card>/<instance>/<instance>


class Match(Enum):
    SAME = "same"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


class CardMatch(NamedTuple):
    """Whether two views are one card; `evidence` is a clause."""

    answer: Match
    evidence: str

    @property
    def same(self) -> bool:
        return self.answer is Match.SAME


@remembered
def normal_pci(text: str | None) -> str | None:
    """A PCI address as "0000:01:00.0": lower case, domain of four digits or more, function 0 where none is given.

    None: no address, or all zeros, which drivers report for "unknown" (0000:00:00.0 is a bridge on every machine).
    """
    parts = _parts_of_address((text or "").strip().lower())
    if parts is None:
        return None
    domain, bus, slot, function = parts
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function}" if domain or bus or slot or function else None


def _parts_of_address(text: str) -> tuple[int, int, int, int] | None:
    """`[domain:]bus:slot[.function]`, in hexadecimal: a slot has five bits and a function three."""
    place, dot, function = text.partition(".")
    numbers = place.split(":")
    most = _PCI[-len(numbers) :]
    if len(numbers) not in (2, 3) or not all(map(re.is_hex, numbers, most)):
        return None
    if len(numbers[-1]) == 2 and numbers[-1][0] not in "01":
        return None
    if dot and (len(function) != 1 or function not in "01234567"):
        return None
    domain, bus, slot = (int(each, 16) for each in ("0", *numbers)[-3:])
    return domain, bus, slot, int(function or "0")


@remembered
def normal_uuid(text: str | None) -> str | None:
    """A UUID in lower case, without NVIDIA's and AMD's "GPU-"; a slice keeps its "mig-". None: none, or all zeros."""
    body = (text or "").strip().lower().removeprefix("gpu-")
    plain = body.removeprefix("mig-")
    groups = plain.split("-")
    lengths = tuple(map(len, groups))
    is_one = lengths in (_UUID, _UNIQUE_ID) and all(map(re.is_hex, groups, lengths))
    known = is_one and plain.strip("0-")
    return body if known or (body != plain and re.fullmatch(_OLD_SLICE, plain)) else None


def is_slice(device: Device) -> bool:
    """Whether it is a part of a card (MIG, AMD's compute partitions): a device of its own."""
    return device.partition is not None or (normal_uuid(device.uuid) or "").startswith("mig-")


def same_card(a: Device, b: Device) -> CardMatch:
    """Whether two views are the same card, or the same slice of one; the answer does not depend on their order.

    PCI addresses decide where both know theirs, except between slices. UUIDs count within one namespace only, and two that
    differ there are never one card. A slice is never its whole card, and two slices at one address are one only by their UUID.
    """
    by_address = _by_address(a, b)
    if by_address.answer is Match.DIFFERENT:
        return by_address
    if _list_of(a) == _list_of(b) and a.key == b.key:
        return CardMatch(Match.SAME, "the same entry of the same list")
    if is_slice(a) != is_slice(b):
        return CardMatch(Match.DIFFERENT, "one is a slice and the other is a whole card")
    if is_slice(a):
        return _between_slices(a, b, by_address)
    by_uuid = _by_uuid(a, b)
    return by_uuid if by_uuid.answer is Match.DIFFERENT or not by_address.same else by_address


def _list_of(device: Device) -> tuple[str, str, str | None]:
    return device.library, device.build, device.manifest


def _by_address(a: Device, b: Device) -> CardMatch:
    one, other = normal_pci(a.pci_id), normal_pci(b.pci_id)
    if one is None or other is None:
        return CardMatch(Match.UNKNOWN, "no PCI address to compare")
    if one == other:
        return CardMatch(Match.SAME, f"both are at {one}")
    return CardMatch(Match.DIFFERENT, "their PCI addresses differ")


def _by_uuid(a: Device, b: Device) -> CardMatch:
    one, other = normal_uuid(a.uuid), normal_uuid(b.uuid)
    if one is None or other is None or a.uuid_space is None or a.uuid_space != b.uuid_space:
        return CardMatch(Match.UNKNOWN, "neither PCI addresses nor UUIDs to compare")
    if one != other:
        return CardMatch(Match.DIFFERENT, "their UUIDs differ")
    # Two installs of lavapipe report one UUID, and so do the partitions of an MI300.
    if a.copy != b.copy or _listed_side_by_side(a, b):
        return CardMatch(Match.UNKNOWN, "their UUIDs are equal, but one driver repeats them in its list")
    return CardMatch(Match.SAME, f"both have the UUID {one}")


def _listed_side_by_side(a: Device, b: Device) -> bool:
    """Whether one library in one build gave both as two. Of a list by all driver manifests together and a list by one
    alone, that is not said: a card is rightly in both."""
    return (a.library, a.build) == (b.library, b.build) and (a.manifest is None) == (b.manifest is None)


def _between_slices(a: Device, b: Device, by_address: CardMatch) -> CardMatch:
    by_uuid = _by_uuid(a, b)
    if by_uuid.answer is Match.UNKNOWN and by_address.same and _list_of(a) == _list_of(b):
        return CardMatch(Match.DIFFERENT, "they are two slices in one list")
    return by_uuid


def normal_name(name: str | None) -> str:
    """A product name for comparison: "Radeon RX 7900 XTX (RADV NAVI31)" is "radeon rx 7900 xtx". Empty: unknown."""
    lower = (name or "").lower()
    without_remarks = re.sub(r"\([^()]*\)", " ", lower) if "(" in lower else lower
    return " ".join("".join(letter if letter.isalnum() else " " for letter in without_remarks).split())
