"""What time it is, as documents and the saved discovery write it."""

from __future__ import annotations

import time


def moment() -> str:
    """Now: ISO 8601, UTC, whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
