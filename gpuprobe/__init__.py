"""gpuprobe: which GPUs inference can really use, and what became of the others.

`report()` gives the answer of `gpuprobe list` as the document of `--json`, `discover()` as records with the same names. These
names are what stays; the modules below are gpuprobe's own and may change with any version.

The public names are looked up when they are used: this file runs in every child too, which must not pay for them.
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.from_python import discover, report
    from gpuprobe.probing.start import NotStarted
    from gpuprobe.python_records import Card, Device, Dropped, Inventory, Why

_HOMES = {
    **dict.fromkeys(("discover", "report"), "gpuprobe.from_python"),
    "NotStarted": "gpuprobe.probing.start",
    **dict.fromkeys(("Card", "Device", "Dropped", "Inventory", "Why"), "gpuprobe.python_records"),
}

__all__ = ["Card", "Device", "Dropped", "Inventory", "NotStarted", "Why", "discover", "report"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
