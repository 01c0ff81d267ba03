"""Where a fact of the survey stands, whichever depth it was read at, and whether anybody asked for it at all."""

from __future__ import annotations

from gpuprobe.facts import Host, Listing, Reading

ABSENT = "absent"


def reading(host: Host, path: str) -> Reading | None:
    """The file at this path as it was found; None: it was not asked for."""
    system = host.system
    places = (host.texts, system.texts if system else None, system.files if system else None)
    return next((place[path] for place in places if place is not None and path in place), None)


def text(host: Host, path: str) -> str | None:
    """What stands in it, trimmed; None: not asked, absent or not readable. `reading` tells them apart."""
    found = reading(host, path)
    return None if found is None or found.text is None else found.text.strip()


def is_there(host: Host, path: str) -> bool | None:
    """Whether there is such a file, readable or not; None: not asked, or nobody could tell."""
    found = reading(host, path)
    if found is None or (found.problem is not None and found.problem.startswith("error")):
        return None
    return found.problem != ABSENT


def listing(host: Host, path: str) -> Listing | None:
    """The directory at this path; None: it was not asked for."""
    listings = host.system.listings if host.system else None
    return listings.get(path) if listings is not None else None


def names_in(host: Host, path: str) -> tuple[str, ...] | None:
    """The names in a directory, () where it is not there; None: not asked or not readable."""
    found = listing(host, path)
    if found is None:
        return None
    return () if found.problem == ABSENT else found.names


def has_program(host: Host, name: str) -> bool | None:
    """Whether a program that cures are made with is installed: "dracut", "akmods"; None: not asked."""
    known = host.system.programs if host.system else None
    return None if known is None else name in known


def number(host: Host, path: str) -> int | None:
    """A file that holds one number; None: any other, or none."""
    said = text(host, path) or ""
    digits = said.removeprefix("-")
    return int(said) if digits.isascii() and digits.isdigit() and len(digits) <= 20 else None
