"""What keeps Intel's cards from being used, a module per part of the machine."""

from collections.abc import Callable, Iterator

from gpuprobe.doctor.findings import Finding
from gpuprobe.doctor.situation import Situation
from gpuprobe.vendors import INTEL

VENDOR = INTEL
CHECKS: tuple[Callable[[Situation], Iterator[Finding]], ...] = ()
