"""The PCI functions that may be GPUs, as sysfs shows them; reading them wakes no card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpuprobe import patterns as re
from gpuprobe import vendors
from gpuprobe.facts import Bar, PciFunction
from gpuprobe.survey.tree import ABSENT, Tree

DEVICES = "/sys/bus/pci/devices"
PRODUCT_NAMES = ("/usr/share/hwdata/pci.ids", "/usr/share/misc/pci.ids", "/usr/share/pci.ids")

DISPLAY, BRIDGES = 0x03, 0x06  # classes
COMPUTE = (0x1200, 0x0B40)  # class and subclass: accelerators, coprocessors

# include/linux/ioport.h
_WINDOWS, _IS_MEMORY, _IS_UNSET, _LARGEST = 6, 0x200, 0x20000000, 2**63

_LONGEST_NAME = 512  # bytes
_MOST_NAMES = 8 * 1024 * 1024  # bytes; pci.ids had 1.5 MB in 2025

# From Linux 6.18 on, reading the state of the link resumes the card ("PCI/sysfs: Ensure devices are powered for config
# reads"). A card that is not surely awake is therefore not asked for it.
_AWAKE = ("active", "unsupported", None)


def is_awake(runtime_status: str | None) -> bool:
    """Whether a card is surely awake, given what sysfs says of its power: without management it always is."""
    return runtime_status in _AWAKE


def pci_functions(tree: Tree, named: Sequence[PciFunction] = ()) -> tuple[PciFunction, ...]:
    """Display controllers, accelerators and bridges between GPUs, by address; named where the machine has the names.

    `named`: of an earlier survey, whose names are taken over: to look them up takes longer than all the rest.
    """
    addresses = sorted(filter(is_address, tree.names(DEVICES)), key=_order)
    functions = [_read(tree, name) for name in addresses if _may_be_kept(tree, name)]
    return tuple(_named(tree, functions, named)) if functions else ()


def is_address(name: str) -> bool:
    return re.is_pci_address(name.lower())


def _order(address: str) -> tuple[int, str]:
    return len(address), address.lower()


def _may_be_kept(tree: Tree, name: str) -> bool:
    place = f"{DEVICES}/{name}"
    read = tree.read(f"{place}/class")
    kind = _number(read.text, 16, 0xFFFFFF)
    if kind is None:  # rubbish: what has a DRM device is a display controller all the same
        if read.problem is not None and read.problem != ABSENT:
            tree.unread_below(DEVICES, f"{place}/class", read.problem)
        return bool(_drm(tree, place))
    if kind >> 16 == DISPLAY or kind >> 8 in COMPUTE:
        return True
    if kind >> 16 != BRIDGES:  # most functions end here, without their vendor being read
        return False
    vendor = vendors.vendor_of(_number(tree.line(f"{place}/vendor"), 16, 0xFFFF))
    return vendor is not None and kind >> 8 in vendor.other_classes


def _read(tree: Tree, name: str) -> PciFunction:
    place = f"{DEVICES}/{name}"
    status = tree.line(f"{place}/power/runtime_status")
    awake = is_awake(status)
    override = tree.line(f"{place}/driver_override")
    vendor = tree.read(f"{place}/vendor")
    if vendor.problem is not None and vendor.problem != ABSENT:  # whoever made it: this may be a card
        tree.unread_below(DEVICES, f"{place}/vendor", vendor.problem)
    return PciFunction(
        address=name.lower(),
        vendor=_number(vendor.text, 16, 0xFFFF),
        device=_number(tree.line(f"{place}/device"), 16, 0xFFFF),
        class_code=_number(tree.line(f"{place}/class"), 16, 0xFFFFFF),
        driver=driver_of(tree, place),
        driver_override=None if override == "(null)" else override,
        runtime_status=status,
        numa_node=_number(tree.line(f"{place}/numa_node"), 10, 0xFFFF),
        current_link_speed=tree.line(f"{place}/current_link_speed") if awake else None,
        current_link_width=_number(tree.line(f"{place}/current_link_width"), 10, 64) if awake else None,
        max_link_speed=tree.line(f"{place}/max_link_speed") if awake else None,
        max_link_width=_number(tree.line(f"{place}/max_link_width"), 10, 64) if awake else None,
        drm=_drm(tree, place),
        bars=_bars(tree.read(f"{place}/resource").text),
    )


def driver_of(tree: Tree, place: str) -> str | None:
    """The bound kernel driver of a device. Where the link gives an error, its other file says it too."""
    link = tree.link(f"{place}/driver")
    if link.problem is None or link.problem == ABSENT:
        return (link.text or "").rpartition("/")[2] or None
    said = re.search(r"(?m)^DRIVER=(.+)$", tree.read(f"{place}/uevent").text or "")
    return said[1] if said else None


def _bars(resource: str | None) -> tuple[Bar, ...] | None:
    """Its windows onto memory, from the kernel's own list: lines of start, end and flags, six of which are the function's."""
    if resource is None:
        return None
    rows = [row for line in resource[:4096].split("\n") if (row := _row(line.split(" "))) is not None]
    return tuple(bar for number, row in enumerate(rows[:_WINDOWS]) if (bar := _bar(number, *row)) is not None)


def _row(words: Sequence[str]) -> tuple[int, int, int] | None:
    """Three numbers as the kernel writes them: `0x00000000f0000000`."""
    if len(words) != 3 or not all(word.startswith("0x") and re.is_hex(word[2:], 16) for word in words):
        return None
    start, end, flags = (int(word, 16) for word in words)
    return start, end, flags


def _bar(number: int, start: int, end: int, flags: int) -> Bar | None:
    if not flags & _IS_MEMORY or end < start:
        return None
    size = end - start + 1
    return Bar(number, 0 if flags & _IS_UNSET else start, size) if end < _LARGEST else None


def _drm(tree: Tree, place: str) -> tuple[str, ...]:
    return tuple(name for name in tree.names(f"{place}/drm") if re.is_numbered(name, "card") or re.is_numbered(name, "renderD"))


def _number(text: str | None, radix: int, most: int) -> int | None:
    """A number in 0…most; None for anything else, which includes the -1 that sysfs has for "not applicable"."""
    try:
        number = int(text or "", radix)
    except ValueError:
        return None
    return number if 0 <= number <= most else None


def _named(tree: Tree, functions: Sequence[PciFunction], named: Sequence[PciFunction]) -> Iterator[PciFunction]:
    products = {(function.vendor, function.device): function.product for function in named}
    kinds = {(function.vendor, function.device) for function in functions} - products.keys()  # eight equal ones once
    names = _names(tree) if kinds else b""
    products |= {kind: product_name(names, *kind) for kind in kinds}
    return (function._replace(product=products[function.vendor, function.device]) for function in functions)


def _names(tree: Tree) -> bytes:
    for path in PRODUCT_NAMES:
        try:
            return tree.content(path, _MOST_NAMES)
        except OSError:  # a machine without product names is an ordinary one
            continue
    return b""


def product_name(names: bytes, vendor: int | None, device: int | None) -> str | None:
    """The product's name from the content of pci.ids: a vendor's line, then its devices' lines, each behind one tab."""
    if vendor is None or device is None:
        return None
    start = names.find(b"\n%04x  " % vendor)
    found = names.find(b"\n\t%04x  " % device, start) if start >= 0 else -1
    if any(line[:1] not in (b"", b"\t", b"#") for line in names[start + 1 : max(found, 0)].split(b"\n")[1:]):
        return None  # another vendor's lines have begun
    line = names[found + 1 : found + _LONGEST_NAME].partition(b"\n")[0] if found >= 0 else b""
    return line[7:].decode("utf-8", "backslashreplace").strip() or None
