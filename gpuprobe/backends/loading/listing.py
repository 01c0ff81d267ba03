"""One runtime library by itself: whether the loader takes it. Nothing of it is called, and it lists no device."""

from __future__ import annotations

from gpuprobe.backends import calling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from ctypes import CDLL
    from typing import Any

    from gpuprobe.backends.calling import Announce, Facts


def load(candidates: Sequence[str], paths: Sequence[str]) -> CDLL:
    """The library; Failed("not_loadable") with the loader's words."""
    return calling.load(candidates)


def devices(library: CDLL, announce: Announce, facts: Facts) -> Iterator[dict[str, Any]]:
    """None: that it loaded is all."""
    return iter(())
