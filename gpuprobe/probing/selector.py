"""What waits for several pipes at once."""

from __future__ import annotations

import selectors


def a_selector() -> selectors.BaseSelector:
    """The system's best; where it refuses the descriptor or the memory for that, one that needs neither."""
    try:
        return selectors.DefaultSelector()
    except OSError:
        if not hasattr(selectors, "PollSelector"):
            raise
        return selectors.PollSelector()
