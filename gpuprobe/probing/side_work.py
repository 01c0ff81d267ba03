"""Work beside what else is done: in a thread of its own, or at once where the system refuses one (`ulimit -u`, `pids.max`)."""

from __future__ import annotations

import threading
from collections.abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def started(work: Callable[..., None], *given: Any) -> threading.Thread | None:
    """A thread that nobody has to wait for; None where the system refuses another."""
    thread = threading.Thread(target=work, args=given, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread


def started_or_done(work: Callable[..., None], *given: Any) -> threading.Thread | None:
    """As `started`; what cannot be done beside is done now."""
    thread = started(work, *given)
    if thread is None:
        work(*given)
    return thread
