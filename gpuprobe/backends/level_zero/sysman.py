"""Level Zero's system management half, Sysman: the only one that knows how much memory is free, for every process together.

It has two starts that exclude each other (Intel's SYSMAN.md). The old one is a variable that the driver reads while the core
starts; then the core's handles serve here too, but not for cards after the Data Center GPU Max, nor under the xe kernel driver.
The new one is a call, and a card is found again by its UUID, which loaders can look up since 1.16.
"""

from __future__ import annotations

import os
from ctypes import byref, c_uint8, c_uint32, c_void_p

from gpuprobe.backends import calling
from gpuprobe.backends.level_zero import structs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import CDLL

    from gpuprobe.backends.level_zero.session import Session

    Problems = dict[str, str]

_FIELD = "free_memory"
_LEGACY = "ZES_ENABLE_SYSMAN"
_ON_DEVICE = 1  # ZES_MEM_LOC_DEVICE


def choose_start(library: CDLL) -> None:
    """Before the core starts: sets the variable where only the old start can be used, and takes it away else."""
    if calling.optional(library, "zesDriverGetDeviceByUuidExp") is None:
        os.environ[_LEGACY] = "1"
    else:
        os.environ.pop(_LEGACY, None)


class Sysman:
    """Asked last and for each device by itself. Whatever it cannot tell is unknown; `problems` keeps why."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.problem: Problems = {}
        self.drivers: list[c_void_p] | None = None if _LEGACY in os.environ else self._started()

    def free_memory(self, handle: c_void_p, uuid: bytes, integrated: bool, problems: Problems) -> int | None:
        """Bytes; for an integrated device of the system's memory, as the driver counts it."""
        sysman, tile = (handle, None) if self.drivers is None else self._found(uuid, problems)
        if sysman is None:
            return None
        states = [self._state(module, tile, integrated, problems) for module in self._modules(sysman, problems)]
        figures = [state for state in states if state is not None]
        if _FIELD in problems or not figures:
            return None
        free, size = sum(free for free, _ in figures), sum(size for _, size in figures)
        # i915_drm.h and xe_drm.h: an account without CAP_PERFMON is told that everything is free. A card is never that empty,
        # because its kernel driver keeps rings and tables there.
        if free >= size and not integrated:
            problems[_FIELD] = "the kernel tells how much is free only to accounts with CAP_PERFMON"
            return None
        return free

    def _started(self) -> list[c_void_p]:
        if not self.session.answers(self.problem, _FIELD, "zesInit", c_uint32(0)):
            return []
        return self._handles("zesDriverGet", self.problem)

    def _found(self, uuid: bytes, problems: Problems) -> tuple[c_void_p | None, int | None]:
        """The device's handle on this side, and the number of the sub-device where it is one."""
        problems.update(self.problem)
        if not any(uuid):
            problems[_FIELD] = "Sysman finds a device by its UUID, and this one has none"
            return None, None
        for driver in self.drivers or ():
            found, is_tile, tile = c_void_p(), c_uint8(0), c_uint32(0)
            wanted = structs.ZesUuid.from_buffer_copy(uuid)
            refused: Problems = {}
            asked = (driver, wanted, byref(found), byref(is_tile), byref(tile))
            if self.session.answers(refused, _FIELD, "zesDriverGetDeviceByUuidExp", *asked) and found:
                problems.pop(_FIELD, None)
                return found, tile.value if is_tile.value else None
            problems.update(refused)
        return None, None

    def _modules(self, sysman: c_void_p, problems: Problems) -> list[c_void_p]:
        return self._handles("zesDeviceEnumMemoryModules", problems, sysman)

    def _handles(self, function: str, problems: Problems, *of: c_void_p) -> list[c_void_p]:
        count = c_uint32(0)
        if not self.session.answers(problems, _FIELD, function, *of, byref(count), None):
            return []
        handles = (c_void_p * min(count.value, 256))()
        count = c_uint32(len(handles))
        if not handles or not self.session.answers(problems, _FIELD, function, *of, byref(count), handles):
            return []
        return [c_void_p(handle) for handle in handles[: count.value]]

    def _state(self, module: c_void_p, tile: int | None, integrated: bool, problems: Problems) -> tuple[int, int] | None:
        """(free, size) in bytes; None: it is another tile's memory or the system's, or the driver did not say."""
        about, state = structs.answered(structs.ZesMemProperties)[0], structs.answered(structs.ZesMemState)[0]
        if not self.session.answers(problems, _FIELD, "zesMemoryGetProperties", module, byref(about)):
            return None
        others = tile is not None and about.onSubdevice == 1 and about.subdeviceId != tile
        if others or (about.location != _ON_DEVICE and not integrated):
            return None
        if not self.session.answers(problems, _FIELD, "zesMemoryGetState", module, byref(state)):
            return None
        if calling.known(state.free) is None or not calling.known(state.size):
            problems[_FIELD] = "`zesMemoryGetState` reported success but wrote nothing"
            return None
        return state.free, state.size
