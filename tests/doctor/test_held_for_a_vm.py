"""A card that is kept for a virtual machine."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.reasons import CardReason
from gpuprobe.facts import Reading
from gpuprobe.facts.system_facts import SystemFacts
from tests.doctor.nvidia_machines import card, commands, findings, headline, ids, nvidia_host, texts
from tests.records import AMD

HELD = card(driver="vfio-pci")


@pytest.mark.parametrize("pci", [HELD, card(driver=None, driver_override="vfio-pci"), card(driver="vfio-pci", vendor=AMD)])
def test_a_card_that_vfio_holds_is_no_fault_of_any_driver(pci: tuple[object, ...]) -> None:
    found = headline(nvidia_host(pci=pci))

    assert (found.id, found.reason) == ("bound-to-vfio", CardReason.RESERVED_FOR_A_VM)
    assert "sudo update-initramfs -u" in commands(found)


def test_the_line_that_reserves_it_is_named() -> None:
    files = {"/etc/modprobe.d/vfio.conf": Reading("options vfio-pci ids=10de:2684,10de:22ba\n")}
    told = {"/proc/cmdline": "vfio-pci.ids=10de:2684\n"}

    assert "`/etc/modprobe.d/vfio.conf`" in commands(headline(nvidia_host(pci=HELD, system=SystemFacts(files=files))))
    assert "the boot loader's settings" in commands(headline(nvidia_host(pci=HELD, texts=texts(told))))


def test_a_card_of_its_own_driver_is_held_for_nobody() -> None:
    assert "bound-to-vfio" not in ids(findings(nvidia_host()))
