"""What Linux's own files say of AMD cards: architecture, memory, whether they are integrated, and how they are cut up.

KFD's topology has a node for every processor and for every card or partition that computes; `amdgpu` has its files in the
card's PCI folder. Variables such as `ROCR_VISIBLE_DEVICES` and `HSA_OVERRIDE_GFX_VERSION` change neither.
"""

from collections.abc import Iterator, Sequence

from gpuprobe.facts import Host, PciFunction
from gpuprobe.machine.surroundings import exists, is_uncertain, text_of
from gpuprobe.model import Device, DeviceType, GiB, Partition
from gpuprobe.once import once
from gpuprobe.record_classes import NamedTuple
from gpuprobe.strings import Gfx, gfx_of_kfd
from gpuprobe.vendors import AMD

SOURCE = "sysfs"

_NODES, _FUNCTIONS = "/sys/class/kfd/kfd/topology/nodes/", "/sys/bus/pci/devices/"
_VIDEO_MEMORY = (1, 2)  # heap_type of KFD's memory banks: visible to the processor, and not


class Pool(NamedTuple):
    """Bytes; `used` by everybody together, None where it is not known."""

    total: int
    used: int | None = None


class AmdCard(NamedTuple):
    """An AMD card, or one partition of one, as the kernel knows it. Unknown is None."""

    pci_id: str
    device_id: int | None = None
    node: int | None = None  # KFD's number, processors counted: the one of HSA_OVERRIDE_GFX_VERSION_<node>
    gfx: Gfx | None = None  # the real architecture, whatever is overridden
    unique_id: str | None = None  # 16 digits; all partitions of a card share it
    render_node: str | None = None
    vram: Pool | None = None
    whole_vram: int | None = None  # bytes of the whole card, also where this is a partition of it
    gtt: Pool | None = None  # the system's memory that the card may use
    type: DeviceType = DeviceType.UNKNOWN
    partition: Partition | None = None
    memory_partition: str | None = None  # "nps4": its memory is cut too, into this many parts
    copy: int = 0  # counts the partitions of one card


class _Node(NamedTuple):
    number: int
    values: dict[str, int]
    memory: int  # bytes of video memory in its banks

    def place(self) -> tuple[int, int]:
        """(domain, bus and device): the rest of location_id numbers the partitions, in its lowest or its highest bits."""
        return self.values.get("domain", 0), self.values.get("location_id", 0) >> 3 & 0x1FFF


@once
def amd_cards(host: Host) -> tuple[AmdCard, ...]:
    """Every AMD card that `amdgpu` drives, in the order of the bus; for one that is cut, its partitions in KFD's order."""
    nodes = tuple(_nodes(host))
    functions = [function for function in host.pci if AMD.made(function.vendor) and function.driver in AMD.drivers]
    return tuple(card for function in functions for card in _cards_at(host, function, nodes))


def _nodes(host: Host) -> Iterator[_Node]:
    """KFD's nodes that are GPUs, by number; processors have no architecture."""
    paths = (path for path in host.texts if path.startswith(_NODES) and path.count("/") == _NODES.count("/") + 1)
    numbers = (path.split("/")[-2] for path in paths)
    for number in sorted(int(number) for number in numbers if _is_number(number)):
        values = _values(text_of(host, f"{_NODES}{number}/properties"))
        if values.get("gfx_target_version"):
            yield _Node(number, values, _video_memory(host, number))


def _values(text: str) -> dict[str, int]:
    pairs = (line.split(" ") for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and _is_number(pair[1])}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 20


def _video_memory(host: Host, node: int) -> int:
    place = f"{_NODES}{node}/mem_banks/"
    banks = [_values(text_of(host, path)) for path in host.texts if path.startswith(place)]
    return sum(bank.get("size_in_bytes", 0) for bank in banks if bank.get("heap_type") in _VIDEO_MEMORY)


def _cards_at(host: Host, function: PciFunction, nodes: Sequence[_Node]) -> Iterator[AmdCard]:
    domain, bus, rest = function.address.split(":")
    place = int(domain, 16), int(bus, 16) << 5 | int(rest.partition(".")[0], 16)
    here = [node for node in nodes if node.place() == place]
    card = _card(host, function)
    if len(here) < 2:
        yield _computing(card, here[0]) if here else card
        return
    kind = text_of(host, f"{_FUNCTIONS}{function.address}/current_compute_partition").lower() or "cpx"
    for copy, node in enumerate(here):
        part = _computing(card, node)
        parent = f"GPU-{part.unique_id}" if part.unique_id else function.address
        # The files of the card speak of all partitions together.
        memory = Pool(node.memory) if node.memory else None
        yield part._replace(vram=memory, gtt=None, partition=Partition(kind, parent), copy=copy)


def _card(host: Host, function: PciFunction) -> AmdCard:
    render = next((name for name in function.drm if name.startswith("renderD")), None)
    vram, gtt = (_pool(host, function, name) for name in ("vram", "gtt"))
    written = text_of(host, f"{_FUNCTIONS}{function.address}/unique_id").lower()
    known = len(written) == 16 and set(written) <= set("0123456789abcdef") and written.strip("0")
    return AmdCard(
        pci_id=function.address,
        device_id=function.device,
        unique_id=written if known else None,
        render_node=f"/dev/dri/{render}" if render else None,
        vram=vram,
        whole_vram=vram.total if vram else None,
        gtt=gtt,
        type=_type(host, function, vram, gtt),
        memory_partition=text_of(host, f"{_FUNCTIONS}{function.address}/current_memory_partition").lower() or None,
    )


def _computing(card: AmdCard, node: _Node) -> AmdCard:
    """The card with what KFD adds."""
    minor, unique = node.values.get("drm_render_minor"), node.values.get("unique_id")
    return card._replace(
        node=node.number,
        gfx=gfx_of_kfd(node.values["gfx_target_version"]),
        unique_id=card.unique_id or (f"{unique:016x}" if unique else None),
        render_node=f"/dev/dri/renderD{minor}" if minor else card.render_node,
        vram=card.vram or (Pool(node.memory) if node.memory else None),
    )


def _pool(host: Host, function: PciFunction, name: str) -> Pool | None:
    place = f"{_FUNCTIONS}{function.address}/mem_info_{name}"
    total, used = (text_of(host, f"{place}_{figure}") for figure in ("total", "used"))
    if not _is_number(total) or not int(total):
        return None
    return Pool(int(total), int(used) if _is_number(used) else None)


def _type(host: Host, function: PciFunction, vram: Pool | None, gtt: Pool | None) -> DeviceType:
    """Only cards with memory chips of their own name their maker. What is left is integrated where little memory is set
    aside and much is shared; an APU to which the firmware gives half of the memory stays unknown."""
    named = [f"{_FUNCTIONS}{function.address}/{file}" for file in ("mem_info_vram_vendor", "board_info")]
    if any(exists(host, path) for path in named):
        return DeviceType.DISCRETE
    if vram is None or gtt is None or any(is_uncertain(host, path) for path in named):
        return DeviceType.UNKNOWN
    shares = vram.total <= 4 * GiB and gtt.total >= 8 * GiB and gtt.total >= 4 * vram.total
    return DeviceType.INTEGRATED if shares else DeviceType.UNKNOWN


def views(host: Host) -> tuple[Device, ...]:
    """The cards as witnesses speak of them, numbered from 0; their memory in bytes.

    What a library calls the memory of an integrated card is the part set aside, the shared part or both, by its release: such
    a card has a view for each. Libraries are completed by the one whose total is theirs.
    """
    version = text_of(host, "/sys/module/amdgpu/version") or None
    found = []
    for number, card in enumerate(amd_cards(host)):
        view = _view(card, number, version)
        pools = [pool for pool in _pools(card) if pool is not None]
        found += [_with(view, pool) for pool in pools] or [view]
    return tuple(found)


def _pools(card: AmdCard) -> tuple[Pool | None, ...]:
    if card.type is DeviceType.DISCRETE or card.vram is None or card.gtt is None:
        return (card.vram,)
    known = card.vram.used is not None and card.gtt.used is not None
    used = (card.vram.used or 0) + (card.gtt.used or 0) if known else None
    return card.vram, card.gtt, Pool(card.vram.total + card.gtt.total, used)


def _with(view: Device, pool: Pool) -> Device:
    free = None if pool.used is None else max(0, pool.total - pool.used)
    return view._replace(total_memory=pool.total, used_memory=pool.used, free_memory=free)


def _view(card: AmdCard, number: int, version: str | None) -> Device:
    capabilities = {
        "kfd_node": card.node,
        "render_node": card.render_node,
        "memory_partition": card.memory_partition,
        "gtt_total_bytes": card.gtt.total if card.gtt else None,
        "gtt_used_bytes": card.gtt.used if card.gtt else None,
    }
    return Device(
        SOURCE,
        number,
        pci_id=card.pci_id,
        uuid=f"GPU-{card.unique_id}" if card.unique_id else None,
        uuid_space="rocr" if card.unique_id else None,
        vendor_id=AMD.pci_id,
        device_id=card.device_id,
        type=card.type,
        partition=card.partition,
        copy=card.copy,
        gfx_target=card.gfx.name if card.gfx else None,
        kernel_version=version,
        capabilities={name: value for name, value in capabilities.items() if value is not None},
    )
