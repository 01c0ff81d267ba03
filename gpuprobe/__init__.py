"""gpuprobe: which GPUs inference can really use, and what became of the others.

The public names are looked up when they are used: this file runs in every child too, which must not pay for them.
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.discovery import discover, gather
    from gpuprobe.judging.rules import judge
    from gpuprobe.model import Device, Drop, Evidence, Inventory, Outcome, Probe, Request
    from gpuprobe.probing.start import NotStarted

_HOMES = {
    "discover": "gpuprobe.discovery",
    "gather": "gpuprobe.discovery",
    "judge": "gpuprobe.judging.rules",
    "NotStarted": "gpuprobe.probing.start",
    **dict.fromkeys(("Device", "Drop", "Evidence", "Inventory", "Outcome", "Probe", "Request"), "gpuprobe.model"),
}

__all__ = [
    "Device",
    "Drop",
    "Evidence",
    "Inventory",
    "NotStarted",
    "Outcome",
    "Probe",
    "Request",
    "discover",
    "gather",
    "judge",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
