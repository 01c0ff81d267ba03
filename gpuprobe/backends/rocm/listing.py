"""ROCm: ask AMD's HIP runtime which cards it can compute on; make a context on one of them and start rocBLAS there.

rocBLAS aborts the process on a card that it has no kernels for, and starts on every card that it sees: the parent lets the
validating child see one card alone, and the abort is then the answer about that card.
"""

from __future__ import annotations

from ctypes import byref, c_int, c_uint

from gpuprobe.backends import calling
from gpuprobe.backends.rocm import blas, results
from gpuprobe.backends.rocm.card import NO_INT, Card

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from ctypes import CDLL
    from typing import Any

    from gpuprobe.backends.calling import Announce, Facts

    Json = dict[str, Any]


def load(candidates: Sequence[str], paths: Sequence[str]) -> CDLL:
    """AMD's HIP runtime; Failed("not_loadable") where none of the candidates is one."""
    return calling.load(candidates, needs="hipInit")


def devices(library: CDLL, announce: Announce, facts: Facts) -> Iterator[Json]:
    """Every device in HIP's numbering, as ROCr's and HIP's own variables leave it. Free memory needs a context: not asked.

    The partitions of an Instinct card share one UUID; that, and nothing else, tells them from whole cards.
    """
    versions = start(library, announce, facts)
    cards = [Card(library, announce, number) for number in range(_counted(library, announce))]
    uuids = [card.uuid() for card in cards]
    for card, uuid in zip(cards, uuids, strict=True):
        yield card.described(uuid, versions, is_partition=uuid is not None and uuids.count(uuid) > 1)


def validate(library: CDLL, announce: Announce, facts: Facts, device: Json) -> str:
    """Make a context on the wanted device, then start rocBLAS where there is one: "rocBLAS", else "context".

    `facts` gets the memory in bytes, and as "rocblas" the file, or why the context alone had to do.
    """
    versions = start(library, announce, facts)
    free, total = find(library, announce, device).make_context()
    facts({"free_memory": free, "total_memory": total})
    return blas.validate(library, announce, facts, versions["runtime_version"])


def find(library: CDLL, announce: Announce, device: Json) -> Card:
    """The device with the wanted identity; Failed("device_missing") where it is not there, or not alone though it should be."""
    cards = [Card(library, announce, number) for number in range(_counted(library, announce))]
    if device.get("alone") and len(cards) != 1:
        words = f"the child was to see this device alone and sees {len(cards)}"
        raise calling.Failed("device_missing", f"{words}: the runtime does not obey the variable that hides the others")
    return cards[calling.chosen(device, [card.number for card in cards if card.is_wanted(device)])]


def start(library: CDLL, announce: Announce, facts: Facts) -> dict[str, str | None]:
    """Starts the runtime and asks its versions. Without a card it answers 101 to this call and 100 to the next (HIP 5.2)."""
    announce("hipInit")
    code = calling.required(library, "hipInit")(c_uint(0))
    if code:
        none = code in (results.NO_DEVICE, results.INVALID_DEVICE)
        raise results.failure("no_devices" if none else "init_failed", "hipInit", code)
    versions = {
        "api_version": _version(library, announce, "hipDriverGetVersion"),
        "runtime_version": _version(library, announce, "hipRuntimeGetVersion"),
    }
    facts({name: version for name, version in versions.items() if version is not None})
    return versions


def _version(library: CDLL, announce: Announce, function: str) -> str | None:
    """HIP's own formula: major · 10^7 + minor · 10^5 + patch. By CUDA's, ROCm 6.3 would read 60342.13."""
    ask, number = calling.optional(library, function), c_int(NO_INT)
    announce(function)
    if ask is None or ask(byref(number)) or number.value < 10**7:
        return None
    return f"{number.value // 10**7}.{number.value // 10**5 % 100}.{number.value % 10**5}"


def _counted(library: CDLL, announce: Announce) -> int:
    count = c_int(NO_INT)
    announce("hipGetDeviceCount")
    code = calling.required(library, "hipGetDeviceCount")(byref(count))
    if code:
        status = "no_devices" if code == results.NO_DEVICE else "call_failed"
        raise results.failure(status, "hipGetDeviceCount", code, library)
    if count.value < 0:
        raise calling.Failed("call_failed", "`hipGetDeviceCount` reported success but wrote no number of devices")
    if count.value == 0:
        raise calling.Failed("no_devices", "`hipGetDeviceCount` counts no device; compare with `rocminfo`")
    return count.value
