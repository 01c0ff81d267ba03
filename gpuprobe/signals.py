"""`signal` without the enumerations that it makes of its numbers: those are 3 ms of a start with what they need."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import *  # noqa: F403 - as it is
else:
    try:
        from _signal import *  # noqa: F403 - what `signal` itself is made of
    except ImportError:
        from signal import *  # noqa: F403

    def __getattr__(name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        import signal

        return getattr(signal, name)
