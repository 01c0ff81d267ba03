"""CUDA: ask NVIDIA's driver library which cards it can compute on, and make a context on one of them.

Only the driver library is asked, never the CUDA runtime, whose structures change with every major version.
"""

from __future__ import annotations

from ctypes import byref, c_int, c_uint

from gpuprobe.backends import calling
from gpuprobe.backends.cuda import results
from gpuprobe.backends.cuda.card import NO_INT, Card, check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from ctypes import CDLL
    from typing import Any

    from gpuprobe.backends.calling import Announce, Facts

    Json = dict[str, Any]


def load(candidates: Sequence[str], paths: Sequence[str]) -> CDLL:
    """NVIDIA's driver library; Failed("not_loadable") where none of the candidates is one."""
    return calling.load(candidates, needs="cuInit")


def devices(library: CDLL, announce: Announce, facts: Facts) -> Iterator[Json]:
    """Every device in CUDA's numbering, as `CUDA_VISIBLE_DEVICES` leaves it. Free memory needs a context: not asked."""
    api_version = start(library, announce, facts)
    for number in range(_counted(library, announce)):
        try:
            card = Card(library, announce, number)
        except calling.Failed as failed:  # one broken card must not hide the others
            yield {"number": number, "problems": {"device": failed.message}}
        else:
            yield card.described(api_version)


def validate(library: CDLL, announce: Announce, facts: Facts, device: Json) -> str:
    """Make the wanted device's primary context, ask its memory, give it back: "context"; `facts` gets the memory in bytes."""
    start(library, announce, facts)
    _use(find(library, announce, device), facts)
    return "context"


def find(library: CDLL, announce: Announce, device: Json) -> Card:
    """The device with the wanted identity, looked for first where it was listed: a broken card elsewhere is not touched."""
    numbers = list(range(_counted(library, announce)))
    copies = device.get("copy") or 0
    if not copies:
        numbers.sort(key=lambda number: number != device.get("number"))
    problem: calling.Failed | None = None
    for number in numbers:
        try:
            card = Card(library, announce, number)
        except calling.Failed as failed:
            problem = problem or failed
            continue
        if card.is_wanted(device):
            if not copies:
                return card
            copies -= 1
    raise problem or calling.missing(device)


def start(library: CDLL, announce: Announce, facts: Facts) -> str | None:
    """Starts the driver and gives its CUDA version, "13.0"; the version is told first, because it is known even where the
    start fails."""
    version = c_int(0)
    ask = calling.optional(library, "cuDriverGetVersion")
    announce("cuDriverGetVersion")
    api_version = None
    if ask is not None and ask(byref(version)) == 0 and version.value > 0:
        api_version = f"{version.value // 1000}.{version.value % 1000 // 10}"
        facts({"api_version": api_version})
    announce("cuInit")
    code = calling.required(library, "cuInit")(c_uint(0))
    if code:
        raise results.failure("no_devices" if code == results.NO_DEVICE else "init_failed", "cuInit", code)
    return api_version


def _counted(library: CDLL, announce: Announce) -> int:
    count = c_int(NO_INT)
    check(library, announce, "cuDeviceGetCount", byref(count))
    if count.value < 0:
        raise calling.Failed("call_failed", "`cuDeviceGetCount` reported success but wrote no number of devices")
    if count.value == 0:
        raise calling.Failed("no_devices", "`cuDeviceGetCount` counts no device; compare with `nvidia-smi -L`")
    return count.value


def _use(card: Card, facts: Facts) -> None:
    card.make_context()
    free, total = card.memory()
    facts({"free_memory": free, "total_memory": total})
    card.check("cuDevicePrimaryCtxRelease_v2", card.handle, judge=results.context_status)
