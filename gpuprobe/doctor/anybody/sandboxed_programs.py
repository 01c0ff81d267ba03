"""Flatpak brings a driver of its own for a card: one whose version is not the host's does not work with it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, run
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.machine.kernel_modules import version_loaded
from gpuprobe.machine.surroundings import text_of
from gpuprobe.vendors import vendor_of

_INFO, _EXTENSION = "/.flatpak-info", "org.freedesktop.Platform.GL."
_VERSION = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){1,2}")


def extension_missing(situation: Situation) -> Iterator[Finding]:
    """The kernel module names a version, and the program's runtime has no extension of that version."""
    maker, card = vendor_of(situation.card.vendor_id), situation.card
    if situation.kept or situation.container != "flatpak" or maker is None or card.driver not in maker.drivers:
        return
    version = version_loaded(situation.host, card.driver or "") or ""
    wanted = f"{_EXTENSION}{card.driver}-{version.replace('.', '-')}"
    if maker.in_mesa or not _VERSION.fullmatch(version) or wanted in text_of(situation.host, _INFO):
        return
    yield cause(
        "flatpak-missing-gl-extension",
        rung=Rung.LIBRARY,
        severity=Severity.BLOCKER,
        because=f"the Flatpak runtime has no driver of the host's version ({version})",
        brief="the Flatpak runtime lacks its driver",
        reason=CardReason.DRIVER_FAULT,
        evidence=(Observed(_INFO, f"no {wanted}"), Observed(f"/sys/module/{card.driver}/version", version)),
        fix=(run("bring the runtime up to date:", "flatpak update", where=Place.HOST),),
    )


CHECKS = (extension_missing,)
