"""Whether a card has room for what is tried on it, and what it means that it gives none."""

from __future__ import annotations

from gpuprobe.backends.calling import Failed

_MIB = 1 << 20
_PLENTY = 128 * _MIB  # of free memory; a card that then refuses a few MiB refuses them to everybody


def refuse_without(needed: int, free: int | None, left_out: str = "nothing was tried") -> None:
    """Raises Failed("busy") where less is free (bytes; None: unknown) than is needed, before anything is taken."""
    if free is not None and free < needed:
        words = f"{needed // _MIB} MiB are needed and {free // _MIB} MiB of the card's memory are free"
        raise Failed("busy", f"{words}: {left_out}; end programs that hold it, or ask again later")


def on_a_free_card(failed: Failed, free: int | None) -> Failed:
    """The failure to get memory: of the card itself where plenty is free, of those who hold it else."""
    if free is None or free < _PLENTY:
        return failed
    return Failed("unsupported", f"{failed.message}; {free // _MIB} MiB are free", failed.code, failed.name)
