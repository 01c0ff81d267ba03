"""What a laptop's power saving, its switch or its dock says of a card that is not there: settings that turned it off."""

from __future__ import annotations

import re

from gpuprobe.facts import Host
from gpuprobe.machine.asked import names_in, text
from gpuprobe.record_classes import NamedTuple

_OFF = re.compile("^1$")
_SAYS = (
    ("/etc/prime-discrete", re.compile("^(?:off|intel)$")),
    ("/var/lib/ubuntu-drivers-common/prime-mode", re.compile("^(?:intel|off)$")),
    ("/etc/supergfxd.conf", re.compile(r'"mode"\s{0,9}:\s{0,9}"(?:Integrated|AsusMuxDgpu_off|Vfio)"')),
    ("/proc/acpi/bbswitch", re.compile(r"\bOFF\b")),
    ("/sys/devices/platform/asus-nb-wmi/dgpu_disable", _OFF),
    ("/sys/class/firmware-attributes/asus-armoury/attributes/dgpu_disable/current_value", _OFF),
)
_FILES = (
    ("/etc/udev/rules.d", re.compile(r"[\w.-]{0,80}remove-nvidia[\w.-]{0,80}\.rules")),
    ("/etc/modprobe.d", re.compile(r"blacklist-nvidia\.conf")),
)


class TurnedOff(NamedTuple):
    path: str
    said: str


def turned_off(host: Host) -> tuple[TurnedOff, ...]:
    """Each setting that says that the discrete card is off; EnvyControl's by the files that it writes."""
    said = [(path, text(host, path) or "", pattern) for path, pattern in _SAYS]
    found = [TurnedOff(path, match[0]) for path, written, pattern in said if (match := pattern.search(written))]
    for folder, pattern in _FILES:
        found += [TurnedOff(f"{folder}/{name}", name) for name in names_in(host, folder) or () if pattern.fullmatch(name)]
    return tuple(found)


def waiting_docks(host: Host) -> tuple[str, ...]:
    """Thunderbolt and USB4 devices that nobody has authorised, by name or number."""
    place = "/sys/bus/thunderbolt/devices"
    names = names_in(host, place) or ()
    waiting = (name for name in names if text(host, f"{place}/{name}/authorized") == "0")
    return tuple(text(host, f"{place}/{name}/device_name") or name for name in waiting)
