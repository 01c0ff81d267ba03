"""What waits for several pipes at once."""

from __future__ import annotations

from gpuprobe.probing.spawning import DefaultSelector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from selectors import PollSelector


def a_selector() -> DefaultSelector | PollSelector:
    """The system's best; where it refuses the descriptor or the memory for that, one that needs neither."""
    try:
        return DefaultSelector()
    except OSError:
        import selectors

        if not hasattr(selectors, "PollSelector"):
            raise
        return selectors.PollSelector()
