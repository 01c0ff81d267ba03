"""What versions, architectures, sizes and names look like: to read what drivers say, and to show it to people."""

from gpuprobe import patterns as re
from gpuprobe.libraries import library_named
from gpuprobe.model import Device, GiB, MiB
from gpuprobe.patterns import is_time
from gpuprobe.record_classes import NamedTuple

KiB = 1024
_FEBRUARY = 2
TiB = 1024 * GiB


class Gfx(NamedTuple):
    """An AMD architecture. `features` are the switches behind the name: ("sramecc+", "xnack-")."""

    major: int
    minor: int
    stepping: int
    features: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """ "gfx90a": major in decimal, minor and stepping one hexadecimal digit each, without features."""
        return f"gfx{self.major}{self.minor:x}{self.stepping:x}"


# The last two characters are always minor and stepping: gfx1100 is 11, 0, 0, and gfx90a is 9, 0, 10.
_GFX = r"gfx([1-9][0-9]?)([0-9a-f])([0-9a-f])((?::[a-z0-9_]+[+-])*)"
_OVERRIDE = r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{1,2})"


def gfx_of_name(text: str) -> Gfx | None:
    """The architecture that HIP or a kernel file names: "gfx942:sramecc+:xnack-", any case. None: no such name."""
    found = re.fullmatch(_GFX, text.strip().lower())
    if found is None:
        return None
    major, minor, stepping, features = found.groups()
    return Gfx(int(major), int(minor, 16), int(stepping, 16), tuple(features.split(":")[1:]))


def gfx_of_kfd(number: int) -> Gfx | None:
    """KFD's `gfx_target_version`: major · 10000 + minor · 100 + stepping, so 90010 is gfx90a. None: 0, a CPU node."""
    return _gfx(number // 10000, number // 100 % 100, number % 100) if number > 0 else None


def gfx_of_override(text: str) -> Gfx | None:
    """What `HSA_OVERRIDE_GFX_VERSION` asks for: "10.3.0", parts up to 15 behind the first, or a name. None: neither."""
    found = re.fullmatch(_OVERRIDE, text.strip())
    if found is None:
        return gfx_of_name(text)
    major, minor, stepping = (int(part) for part in found.groups())
    return _gfx(major, minor, stepping)


def _gfx(major: int, minor: int, stepping: int) -> Gfx | None:
    return Gfx(major, minor, stepping) if 0 < major < 100 and minor < 16 and stepping < 16 else None


def compute_string(device: Device) -> str | None:
    """What people call the device's compute generation: "gfx1100" with ROCm, "8.9" else. None: unknown."""
    if library_named(device.library).compute == "gfx":
        gfx = gfx_of_name(device.gfx_target or "")
        return gfx.name if gfx else None
    major, minor = device.compute_major, device.compute_minor
    if major is None or minor is None or major < 1 or minor < 0:
        return None
    return f"{major}.{minor}"


def build_key(path: str) -> tuple[tuple[int, ...], str]:
    """What builds of one library are compared by: the numbers in the last element of `path`, then that element.

    `cuda_v9` comes before `cuda_v13` and `rocm_v7_2` before `rocm_v7_10`; a parent such as `x86_64` plays no part.
    """
    # File names end at 255 characters; int() refuses texts of more than 4300 digits.
    name = path.replace("\\", "/").rstrip("/").rpartition("/")[2][:255]
    digits = "".join(letter if letter in "0123456789" else " " for letter in name)
    return tuple(int(part) for part in digits.split()), name


def seconds_between(earlier: str, later: str) -> float | None:
    """Between two times like "2026-11-21T09:00:00Z"; below 0 where they are the other way round. None: no such times."""
    before, after = _seconds_since_year_0(earlier), _seconds_since_year_0(later)
    if before is not None and after is not None:
        return float(after - before)
    from datetime import datetime

    try:
        then, now = (datetime.fromisoformat(text) for text in (earlier, later))
        return (now - then).total_seconds()
    except (ValueError, TypeError):  # the second: one of them without its zone
        return None


def _seconds_since_year_0(text: str) -> int | None:
    """Of a time as gpuprobe writes it, whole seconds of UTC: `datetime` would be 2 ms of each start. None: it is to tell."""
    if len(text) != len("2026-11-21T09:00:00Z") or not is_time(text):
        return None
    year, month, day = int(text[:4]), int(text[5:7]), int(text[8:10])
    hour, minute, second = int(text[11:13]), int(text[14:16]), int(text[17:19])
    longest = 28 if month == _FEBRUARY else 30 + (month + month // 8) % 2
    if not (year and 1 <= month <= 12 and 1 <= day <= longest and hour < 24 and minute < 60 and second < 60):
        return None
    years, months = (year, month - 3) if month > _FEBRUARY else (year - 1, month + 9)  # since the last first of March
    days = 365 * years + years // 4 - years // 100 + years // 400 + (153 * months + 2) // 5 + day
    return ((days * 24 + hour) * 60 + minute) * 60 + second


def age_between(earlier: str, later: str) -> float | None:
    """Seconds; None also where the later one is the earlier: the clock was set back, and nobody knows by how much."""
    seconds = seconds_between(earlier, later)
    return None if seconds is None or seconds < 0 else seconds


_AGES = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def age_text(seconds: float) -> str:
    """How long something is ago, for people: "3 hours", "1 minute"."""
    size, unit = next(((size, unit) for size, unit in _AGES if seconds >= size), (1, "second"))
    count = max(0, int(seconds // size))
    return f"{count} {unit}{'' if count == 1 else 's'}"


_UNITS = ((TiB, "TiB", 1), (GiB, "GiB", 1), (MiB, "MiB", 0), (KiB, "KiB", 0))


def size_text(size: int) -> str:
    """A size in bytes for people: "23.6 GiB", "457 MiB", "12 bytes"."""
    for unit, name, digits in _UNITS:
        # Rounded first, so that a byte less than 1 GiB reads "1.0 GiB" and not "1024 MiB".
        if 2 * size > unit and round(size / unit, digits + 1) >= 1:
            return f"{size / unit:.{digits}f} {name}"
    return f"{size} bytes"


def is_lone(text: str) -> bool:
    """Whether a lone surrogate is in it: a byte of a path that is not UTF-8, which no document can hold as it is."""
    return not text.isascii() and any(0xD800 <= ord(character) < 0xE000 for character in text)


def printable(text: str) -> str:
    r"""A name from a driver or a user, made safe for a terminal, a table and one line.

    Control and format characters (escape sequences, line breaks, bidirectional overrides), separators other than the
    blank and lone surrogates are shown as `\x1b`, `\u202e`; everything else is kept. Markup is the renderer's business.
    """
    return text if text.isprintable() else "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    code = ord(character)
    if character.isprintable():
        return character
    if code >> 16:
        return f"\\U{code:08x}"
    return f"\\u{code:04x}" if code >> 8 else f"\\x{code:02x}"


def of_signal(number: int | None) -> str:
    """A signal that ended a process, with what it says where the number alone would help nobody. None: which is not known."""
    if number is None:
        return "a signal"
    return f"signal {number}{_SIGNALS.get(number, '')}"


# SIGILL, on every system. A library compiled with `-march=native` dies of it on another processor, and a trap is one too.
_SIGNALS = {4: ": an illegal instruction, as of a build for another processor"}
