"""cuBLAS on the card of the current context: a handle and one small product, for each cuBLAS that was found.

A model's time is spent in products, and cuBLAS is the part of a toolkit that refuses a card or a driver first.
"""

from __future__ import annotations

import os
from array import array
from ctypes import byref, c_float, c_int, c_void_p

from gpuprobe.backends import calling, comparing, headroom
from gpuprobe.backends.cuda import compute
from gpuprobe.backends.small_product import SIDE, matrix, product

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import CDLL
    from typing import Any

    from gpuprobe.backends.cuda.card import Card
    from gpuprobe.backends.stages import Validation

    Json = dict[str, Any]

MiB = 1 << 20
NEEDED_BYTES = 128 * MiB  # a handle's workspace is 4 to 32 MiB (cuBLAS documentation, cublasSetWorkspace); its code the rest

_STATUS_NAMES = {
    1: "CUBLAS_STATUS_NOT_INITIALIZED",
    3: "CUBLAS_STATUS_ALLOC_FAILED",
    7: "CUBLAS_STATUS_INVALID_VALUE",
    8: "CUBLAS_STATUS_ARCH_MISMATCH",
    11: "CUBLAS_STATUS_MAPPING_ERROR",
    13: "CUBLAS_STATUS_EXECUTION_FAILED",
    14: "CUBLAS_STATUS_INTERNAL_ERROR",
    15: "CUBLAS_STATUS_NOT_SUPPORTED",
    16: "CUBLAS_STATUS_LICENSE_ERROR",
}
_MEANINGS = {
    1: "most often the driver is older than this cuBLAS needs",
    3: "the card's memory ran out",
    8: "this cuBLAS has no code for a card of this architecture",
    13: "the card could not run its code",
}
_ALLOC_FAILED, _NOT_INITIALIZED = 3, 1


def products(card: Card, validation: Validation) -> None:
    """One product with each cuBLAS that was found. The stage is passed where one of them computes it rightly; a wrong
    product is never outvoted. Failed where all that load refuse; not possible where none loads.
    """
    if validation.toolkits:
        free, _ = card.memory()
        headroom.refuse_without(NEEDED_BYTES, free, "cuBLAS was not tried")
    rows: list[Json] = []
    first: calling.Failed | None = None
    names: dict[str, str] = {}
    for path in validation.toolkits:
        row, failed = _tried(card, path, names)
        rows.append(row)
        first = first or failed
        validation.figures({"toolkits": rows})
    if any(row["result"] == "passed" for row in rows):
        return
    if first is not None:
        raise first
    loaded = "; ".join(str(row["because"]) for row in rows if row["because"])
    places = "neither in the loader's path nor below `/usr/local/cuda*`, among Python's packages or in a build's directory"
    nowhere = f"no cuBLAS was found, {places}; as root, one that another account could replace is not loaded"
    validation.not_possible(loaded or nowhere)


def _tried(card: Card, path: str, names: dict[str, str]) -> tuple[Json, calling.Failed | None]:
    """What came of one cuBLAS, and its failure; `names` are those that are in the process already, with their paths."""
    row: Json = {"path": path, "version": None, "result": "failed", "because": None}
    name = os.path.basename(path)  # noqa: PTH119 - pathlib would cost every child a fifth of its start
    if name in names:
        # The loader takes the first library of a name for every later one: its halves would be of two releases.
        because = f"{path} was not tried: {names[name]} of the same name is loaded already"
        return {**row, "result": "not_tried", "because": because}, None
    try:
        library = _loaded(card, path)
    except calling.Failed as failed:
        return {**row, "result": "not_loadable", "because": failed.message}, None
    names[name] = path
    try:
        row["version"] = _multiplied(card, library, path)
    except comparing.Wrong:
        raise
    except calling.Failed as failed:
        return {**row, "because": failed.message}, failed
    return {**row, "result": "passed"}, None


def _loaded(card: Card, path: str) -> CDLL:
    """cuBLAS with its other half from the same directory: by its bare name the loader would take any release's."""
    folder, _, name = path.rpartition("/")
    other = f"{folder}/{name.replace('libcublas.', 'libcublasLt.')}"
    if folder and os.path.exists(other):  # noqa: PTH110
        card.announce(f"load {other}")
        calling.load([other])
    card.announce(f"load {path}")
    return calling.load([path], needs="cublasCreate_v2")


def _multiplied(card: Card, library: CDLL, path: str) -> str | None:
    """Multiplies two matrices of small whole numbers, which every arithmetic of cuBLAS (TF32, bfloat16) keeps exactly; gives
    the version."""
    left, right = matrix(), matrix()
    handle, version = c_void_p(), c_int(0)
    _run(card, library, path, "cublasCreate_v2", byref(handle))
    if not handle:
        raise calling.Failed("call_failed", f"`cublasCreate_v2` of {path} reported success but gave no handle")
    ask = calling.optional(library, "cublasGetVersion_v2")
    known = ask is not None and ask(handle, byref(version)) == 0 and version.value > 0
    buffers = [compute.allocated(card, 4 * SIDE * SIDE) for _ in range(3)]
    for buffer, content in zip(buffers, (left, right, array("f", [float("nan")] * SIDE * SIDE)), strict=True):
        compute.written(card, buffer, content.tobytes())
    side, one, nothing = c_int(SIDE), c_float(1), c_float(0)
    operands = (byref(one), buffers[0], side, buffers[1], side, byref(nothing), buffers[2], side)
    _run(card, library, path, "cublasSgemm_v2", handle, c_int(0), c_int(0), side, side, side, *operands)
    card.check("cuCtxSynchronize")
    found = compute.read(card, buffers[2], 4 * SIDE * SIDE)
    comparing.same(f"the product by {path}", product(left, right).tobytes(), found, kind="f")
    _run(card, library, path, "cublasDestroy_v2", handle)
    for buffer in buffers:
        compute.freed(card, buffer)
    return _version_text(version.value) if known else None


def _run(card: Card, library: CDLL, path: str, function: str, *arguments: object) -> None:
    card.announce(function)
    code = calling.required(library, function)(*arguments)
    if code:
        name = _STATUS_NAMES.get(code)
        meaning = f": {_MEANINGS[code]}" if code in _MEANINGS else ""
        status = "busy" if code == _ALLOC_FAILED else "call_failed" if code == _NOT_INITIALIZED else "unsupported"
        message = f"`{function}` of {path} failed with {name or 'an unknown error'} ({code}){meaning}"
        raise calling.Failed(status, message, code, name)


def _version_text(number: int) -> str:
    """130002 is 13.0.2 since cuBLAS 11 (major * 10000 + minor * 100 + patch); 120804 likewise 12.8.4."""
    return f"{number // 10000}.{number % 10000 // 100}.{number % 100}"
