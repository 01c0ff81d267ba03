"""What keeps a card of whatever vendor from being used."""

from collections.abc import Callable, Iterator

from gpuprobe.doctor.findings import Finding
from gpuprobe.doctor.situation import Situation

CHECKS: tuple[Callable[[Situation], Iterator[Finding]], ...] = ()
