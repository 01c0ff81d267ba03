"""Which part of an answer is shown."""

from __future__ import annotations

from collections.abc import Mapping

from gpuprobe.record_classes import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.doctor.card_status import CardStatus
    from gpuprobe.model import Device, Drop
    from gpuprobe.probing.runtime_loading import Loads


class Part(NamedTuple):
    """What is to be shown; `one` says that it is about a DEVICE and not about the machine."""

    kept: tuple[Device, ...]  # in the order to show
    drops: tuple[Drop, ...]
    card_statuses: tuple[CardStatus, ...]
    one: bool = False
    loads: Mapping[str, Loads] = {}  # path of a runtime library → whether it loads; only about a DEVICE of this machine
