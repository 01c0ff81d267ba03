"""What is wrong with a machine rather than with one of its cards: none is there, a program or a service cannot use them."""

from collections.abc import Callable, Iterator

from gpuprobe.doctor.findings import Finding
from gpuprobe.model import Inventory

CHECKS: tuple[Callable[[Inventory], Iterator[Finding]], ...] = ()
