"""ggml: the four layouts of the properties of a device, which one name hides, and what a build says in them.

Ollama puts fields of its own between those of llama.cpp. No number tells the two apart: the place of the total memory does.
"""

from __future__ import annotations

from ctypes import c_int32, c_uint64, create_string_buffer, string_at

from gpuprobe.backends import calling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import Array, c_char
    from typing import Any

    Json = dict[str, Any]

# llama.cpp: `struct ggml_backend_dev_props` of ggml-backend.h, seen filled by ggml 0.12, 0.20 and 0.25. Ollama: the patches
# of its releases 0.9.6 to 0.12.3 (API 1) and 0.12.6 to 0.24 (API 2); later releases build llama.cpp as it is. Offsets in bytes.
LLAMA_1 = {"type": 32}
LLAMA_2 = {"type": 32, "device_id": 40}
OLLAMA_1 = {"type": 40, "identifier": 16}
OLLAMA_2 = {"type": 40, "identifier": 24, "device_id": 48, "compute_major": 68, "compute_minor": 72, "integrated": 76}

SIZE = 512  # bytes; the largest of the four has 104
_UPSTREAM_TOTAL, _OLLAMA_TOTAL = 24, 32
_GPU, _INTEGRATED_GPU = 1, 2  # from API 2 on; before, 2 was an accelerator
_LONGEST = 256


class Properties:
    """What `ggml_backend_dev_get_props` wrote into `room`, once it is known in which layout."""

    def __init__(self) -> None:
        self.room: Array[c_char] = create_string_buffer(bytes([calling.SENTINEL]) * SIZE, SIZE)
        self.layout: dict[str, int] = {}

    def recognise(self, api_version: int, total: int) -> None:
        """By the total that `ggml_backend_dev_memory` told. Ollama's place is looked at first: where llama.cpp has a small
        number there, Ollama's older layout can have free memory equal to the total in llama.cpp's place."""
        if self._long(_OLLAMA_TOTAL) == total:
            self.layout = OLLAMA_1 if api_version < 2 else OLLAMA_2
        elif self._long(_UPSTREAM_TOTAL) == total:
            self.layout = LLAMA_1 if api_version < 2 else LLAMA_2

    def known(self, api_version: int) -> Json:
        """The "type" ("integrated", "gpu"), "pci_id", "identifier" and "compute" (major, minor); None: unknown or not told."""
        return {
            "type": self._type(api_version),
            "pci_id": calling.pci_id(self._text("device_id") or ""),
            "identifier": self._text("identifier"),
            "compute": self._compute(),
        }

    def _type(self, api_version: int) -> str | None:
        # Before API 2 every GPU was of one type, and the next number was an accelerator.
        if self._int("integrated") == 1 or (api_version >= 2 and self._int("type") == _INTEGRATED_GPU):
            return "integrated"
        return "gpu" if api_version >= 2 and self._int("type") == _GPU else None

    def _compute(self) -> tuple[int, int] | None:
        major, minor = self._int("compute_major"), self._int("compute_minor")
        return (major, minor) if major is not None and minor is not None and 0 < major < 100 and 0 <= minor < 100 else None

    def _int(self, field: str) -> int | None:
        return c_int32.from_buffer(self.room, self.layout[field]).value if field in self.layout else None

    def _long(self, offset: int) -> int:
        return c_uint64.from_buffer(self.room, offset).value

    def _text(self, field: str) -> str | None:
        address = calling.known(self._long(self.layout[field])) if field in self.layout else None
        return calling.text(string_at(address)[:_LONGEST]) if address else None
