"""Whom the permission bits of a file let in."""

from __future__ import annotations

from collections.abc import Collection


def may_open(mode: int, owner: int, group: int, uid: int, gids: Collection[int]) -> bool:
    """Whether this user may read and write. The first class that fits decides, as in the kernel; root may always."""
    shift = 6 if uid == owner else 3 if group in gids else 0
    return uid == 0 or (mode >> shift) & 0o6 == 0o6
