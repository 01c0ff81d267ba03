"""What waits for several pipes at once."""

from __future__ import annotations

from gpuprobe.probing.spawning import DefaultSelector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from selectors import PollSelector


def a_selector() -> DefaultSelector | PollSelector:
    """The system's best; where it refuses that (a filter of system calls, memory), one that needs nothing of it. The error of
    the first, where no file can be opened any more for the other."""
    try:
        return DefaultSelector()
    except OSError as refused:
        try:
            from selectors import PollSelector
        except (ImportError, OSError):
            raise refused from None
        return PollSelector()
