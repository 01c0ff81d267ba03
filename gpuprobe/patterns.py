"""`re`, loaded when the first pattern is asked for: 3 ms with what it needs, and where all is well a start needs none.

What every start looks at is told without patterns; the forms of that stand here too.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import *  # noqa: F403 - as it is

_DIGITS, _HEX = frozenset("0123456789"), frozenset("0123456789abcdef")
_TO_ZEROS = str.maketrans("123456789", "0" * 9)
_HEX_TO_ZEROS = str.maketrans("123456789abcdef", "0" * 15)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        import re

        found = globals()[name] = getattr(re, name)
        return found


def is_digits(text: str, most: int) -> bool:
    """Whether it is `[0-9]{1,most}`."""
    return 0 < len(text) <= most and _DIGITS.issuperset(text)


def is_hex(text: str, most: int) -> bool:
    """Whether it is `[0-9a-f]{1,most}`."""
    return 0 < len(text) <= most and _HEX.issuperset(text)


def is_numbered(name: str, stem: str, most: int = 255) -> bool:
    """Whether a name is this stem and then `[0-9]{1,most}`: `card0`, `renderD128`, `gi2`."""
    return name.startswith(stem) and is_digits(name[len(stem) :], most)


def is_pci_address(text: str) -> bool:
    """As sysfs writes it, in lower case: `[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]`."""
    domain, _, rest = text.translate(_HEX_TO_ZEROS).partition(":")
    return rest == "00:00.0" and 4 <= len(domain) <= 8 and not domain.strip("0") and text[-1] in "01234567"


def is_time(text: str) -> bool:
    """ISO 8601 with a zone, as documents have it: `2026-11-21T09:00:00Z`, `2026-11-21T09:00:00.25+01:00`."""
    form = text.translate(_TO_ZEROS)
    whole, rest = form[:19], form[19:]
    if rest.startswith("."):
        fraction = rest[1:]
        rest = fraction.lstrip("0")
        if not 1 <= len(fraction) - len(rest) <= 9:
            return False
    return whole == "0000-00-00T00:00:00" and rest in ("Z", "+00:00", "-00:00")
