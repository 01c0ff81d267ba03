"""ggml: the loaded libraries of one build, where its functions are found, and what it says in its log meanwhile.

What a build exports differs between releases; every function is looked for by name, and nothing is read from its structures
but what `structs` knows the layouts of.
"""

from __future__ import annotations

import os
from ctypes import CFUNCTYPE, POINTER, Structure, c_bool, c_char_p, c_int, c_int64, c_size_t, c_void_p

from gpuprobe.backends import calling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from ctypes import CDLL
    from typing import Any

    from gpuprobe.backends.calling import Announce

_SIZES = POINTER(c_size_t)
_HEARS = CFUNCTYPE(None, c_int, c_char_p, c_void_p)


class ContextParameters(Structure):
    """`struct ggml_init_params` of ggml.h: where tensors are described, which `no_alloc` keeps apart from what they hold."""

    _fields_ = (("mem_size", c_size_t), ("mem_buffer", c_void_p), ("no_alloc", c_bool))


# ggml-backend.h and ggml.h: what each answers, and what it is given.
FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "ggml_log_set": (None, _HEARS, c_void_p),
    "ggml_version": (c_char_p,),
    "ggml_commit": (c_char_p,),
    "ggml_backend_score": (c_int,),
    "ggml_backend_init": (c_void_p,),
    "ggml_backend_load": (c_void_p, c_char_p),
    "ggml_backend_cuda_reg": (c_void_p,),
    "ggml_backend_vk_reg": (c_void_p,),
    "ggml_backend_metal_reg": (c_void_p,),
    "ggml_backend_sycl_reg": (c_void_p,),
    "ggml_backend_reg_by_name": (c_void_p, c_char_p),
    "ggml_backend_reg_dev_count": (c_size_t, c_void_p),
    "ggml_backend_reg_dev_get": (c_void_p, c_void_p, c_size_t),
    "ggml_backend_reg_get_proc_address": (c_void_p, c_void_p, c_char_p),
    "ggml_backend_dev_name": (c_char_p, c_void_p),
    "ggml_backend_dev_description": (c_char_p, c_void_p),
    "ggml_backend_dev_memory": (None, c_void_p, _SIZES, _SIZES),
    "ggml_backend_dev_get_props": (None, c_void_p, c_void_p),
    "ggml_backend_dev_init": (c_void_p, c_void_p, c_char_p),
    "ggml_backend_free": (None, c_void_p),
    "ggml_tensor_overhead": (c_size_t,),
    "ggml_graph_overhead": (c_size_t,),
    "ggml_init": (c_void_p, ContextParameters),
    "ggml_free": (None, c_void_p),
    "ggml_new_tensor_2d": (c_void_p, c_void_p, c_int, c_int64, c_int64),
    "ggml_mul_mat": (c_void_p, c_void_p, c_void_p, c_void_p),
    "ggml_new_graph": (c_void_p, c_void_p),
    "ggml_build_forward_expand": (None, c_void_p, c_void_p),
    "ggml_backend_dev_supports_op": (c_bool, c_void_p, c_void_p),
    "ggml_backend_alloc_ctx_tensors": (c_void_p, c_void_p, c_void_p),
    "ggml_backend_buffer_get_size": (c_size_t, c_void_p),
    "ggml_backend_buffer_free": (None, c_void_p),
    "ggml_backend_tensor_set": (None, c_void_p, c_char_p, c_size_t, c_size_t),
    "ggml_backend_tensor_get": (None, c_void_p, c_void_p, c_size_t, c_size_t),
    "ggml_backend_graph_compute": (c_int, c_void_p, c_void_p),
}
_MOST_SAID = 1 << 16  # bytes of the log that are kept
_CONTENT = "load_backend: loaded "


class Build:
    """`before` are the libraries that the backend needs, in the order in which they were loaded."""

    def __init__(self, path: str, backend: CDLL, before: Sequence[CDLL], library: str) -> None:
        self.path, self.backend, self.before, self.library = path, backend, before, library
        self.said = b""
        self.announce: Announce = lambda name: None
        self._hears = _HEARS(self._hear)  # C keeps the pointer only: without this reference it would dangle

    def has(self, name: str) -> bool:
        return self._found(name) is not None

    def call(self, name: str, *given: Any) -> Any:
        """The answer of a function, announced; Failed("call_failed") where the build has no such function."""
        function = self._found(name)
        if function is None:
            words = f"the build has no function `{name}`"
            raise calling.Failed("call_failed", f"{words}: it is damaged, or of a release that gpuprobe does not know")
        self.announce(name)
        return function(*given)

    def text(self, name: str, *given: Any) -> str | None:
        """Like `call`, for a function that answers a text; None where there is no such function or it has nothing to say."""
        return calling.text(self.call(name, *given) or b"") if self.has(name) else None

    def listen(self) -> None:
        """Has the build's log told to us. ggml writes it to stderr otherwise, and it stays evidence there."""
        if self.has("ggml_log_set"):
            self.call("ggml_log_set", self._hears, None)

    def last_words(self) -> str | None:
        """The last line of the log that has words in it, and is not that of `ggml_backend_load` about its own success: it
        is content with a backend without devices."""
        lines = [line.strip() for line in self.said.decode(errors="replace").splitlines()]
        return next((line for line in reversed(lines) if line and not line.startswith(_CONTENT)), None)

    def _found(self, name: str) -> Callable[..., Any] | None:
        for library in (self.backend, *reversed(self.before)):
            function: Any = calling.optional(library, name)
            if function is not None:
                function.restype, function.argtypes = FUNCTIONS[name][0], FUNCTIONS[name][1:]
                return function  # type: ignore[no-any-return]
        return None

    def _hear(self, level: int, words: bytes | None, _: Any) -> None:
        os.write(2, words or b"")
        self.said = (self.said + (words or b""))[-_MOST_SAID:]
