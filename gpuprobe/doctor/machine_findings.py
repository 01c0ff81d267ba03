"""What is wrong with the machine rather than with one of its cards: the checks, and what they find, headline first."""

from collections.abc import Callable, Iterator

from gpuprobe.doctor import whole_machine
from gpuprobe.doctor.findings import Finding
from gpuprobe.doctor.precedence import place
from gpuprobe.model import Inventory

OF_THE_MACHINE: tuple[Callable[[Inventory], Iterator[Finding]], ...] = whole_machine.CHECKS


def findings_of_the_machine(inventory: Inventory) -> tuple[Finding, ...]:
    """What concerns no one card: none is there, a program or a service cannot use them."""
    return tuple(sorted((finding for check in OF_THE_MACHINE for finding in check(inventory)), key=place))
