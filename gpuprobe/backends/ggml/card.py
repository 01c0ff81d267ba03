"""One device of a build, put to work: the tensors on it, and how they are written and read."""

from __future__ import annotations

from ctypes import create_string_buffer

from gpuprobe.backends import calling
from gpuprobe.backends.ggml.build import ContextParameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.backends.ggml.build import Build

_F32, FLOAT_BYTES = 0, 4
COPIED = (1024, 1024)  # elements: 4 MiB there and back

# The two factors have rows of the same length; ggml answers their rows' products, `ROWS` wide and `COLUMNS` high.
LENGTH, ROWS, COLUMNS = 64, 32, 16

_DESCRIBED = 16  # tensors and graphs that a context has room for; five are needed


class Card:
    """One device, the backend that was started on it, and the tensors there."""

    def __init__(self, build: Build, device: int, backend: int) -> None:
        self.build, self.device, self.backend = build, device, backend
        self.buffer: int = 0
        described = build.call("ggml_tensor_overhead") * _DESCRIBED + build.call("ggml_graph_overhead")
        self.context: int = build.call("ggml_init", ContextParameters(described, None, True))
        if not self.context:
            raise calling.Failed("call_failed", "`ggml_init` made no context for a few tensors")
        self.copied = self._tensor(*COPIED)
        self.one, self.other = self._tensor(LENGTH, ROWS), self._tensor(LENGTH, COLUMNS)
        self.product: int | None = None
        if build.has("ggml_mul_mat"):  # before the memory is taken: it is then taken for the result too
            self.product = build.call("ggml_mul_mat", self.context, self.one, self.other)

    def _tensor(self, width: int, height: int) -> int:
        made: int = self.build.call("ggml_new_tensor_2d", self.context, _F32, width, height)
        return made

    def write(self, tensor: int, content: bytes) -> None:
        self.build.call("ggml_backend_tensor_set", tensor, content, 0, len(content))

    def read(self, tensor: int, size: int) -> bytes:
        room = create_string_buffer(bytes([calling.SENTINEL]) * size, size)
        self.build.call("ggml_backend_tensor_get", tensor, room, 0, size)
        return room.raw

    def give_back(self) -> None:
        for name, what in (("ggml_backend_buffer_free", self.buffer), ("ggml_free", self.context)):
            if what and self.build.has(name):
                self.build.call(name, what)
