"""A Level Zero installation of a test's own: drivers of ours behind the machine's real loader."""

from __future__ import annotations

import ctypes
import functools
import shutil
import subprocess
from ctypes.util import find_library
from pathlib import Path

import pytest

from tests import temporary
from tests.doubles import DRIVERS, c_compiler, compile_double, script
from tests.vulkan_world import missing

LOADER = "libze_loader.so.1"


def _has(function: str) -> bool:
    return find_library("ze_loader") is not None and hasattr(ctypes.CDLL(LOADER), function)


# Of the machine's own loader: Debian 12's (1.8.12) has neither.
START = "zeInitDrivers" if _has("zeInitDrivers") else "zeInit"
as_in_debian_12 = pytest.mark.skipif(_has("zesDriverGetDeviceByUuidExp"), reason="a newer loader goes another way")


class ZeWorld:
    """`driver` adds one, in the order in which the loader is to see it, and gives the world itself."""

    def __init__(self, directory: Path) -> None:
        if find_library("ze_loader") is None:
            missing("the Level Zero loader (`libze1`)")
        if not has_headers():
            missing("the Level Zero headers (`libze-dev`)")
        self.directory = directory / "level-zero"
        self.directory.mkdir()
        self.drivers: list[Path] = []

    def driver(self, *lines: str, defines: tuple[str, ...] = ()) -> ZeWorld:
        """A driver that acts by this script; see tests/drivers/fake_ze.c."""
        driver = self.directory / f"libfake_ze{len(self.drivers)}.so"
        shutil.copy(_double("fake_ze.c", *defines), driver)
        Path(f"{driver}.script").write_text(script(*lines))
        self.drivers.append(driver)
        return self

    def environment(self, *, only: int | None = None) -> dict[str, str]:
        """The variables for a child; `only`: the place of the one driver that is asked alone."""
        chosen = self.drivers if only is None else self.drivers[only : only + 1]
        return {"ZE_ENABLE_ALT_DRIVERS": ",".join(map(str, chosen)) or f"{self.directory}/none.so"}

    def installed(self, *names: str) -> dict[str, str]:
        """The variables for a program that finds the drivers by these names, as in a distribution's directory."""
        for name, driver in zip(names, self.drivers, strict=True):
            shutil.copy(driver, self.directory / name)
            shutil.copy(f"{driver}.script", self.directory / f"{name}.script")
        return {"LD_LIBRARY_PATH": str(self.directory)}


def newer_loader(*defines: str) -> Path:
    """The machine's loader with what newer ones have too; see tests/drivers/newer_ze_loader.c."""
    if find_library("ze_loader") is None:
        missing("the Level Zero loader (`libze1`)")
    if START == "zeInitDrivers":
        return pytest.skip("the machine's loader is newer than the one to be imitated") if defines else Path(LOADER)
    return _double("newer_ze_loader.c", *defines)


@functools.cache
def has_headers() -> bool:
    program = "#include <level_zero/ze_api.h>\n#include <level_zero/zes_ddi.h>\n"
    command = [c_compiler(), "-fsyntax-only", "-x", "c", "-"]
    return subprocess.run(command, input=program, text=True, capture_output=True, check=False).returncode == 0


@functools.cache
def _double(source: str, *defines: str) -> Path:
    name = "-".join([f"lib{Path(source).stem}", *defines])
    links = (Path(f"-l:{LOADER}"),) if source.startswith("newer") else ()
    return compile_double(DRIVERS / source, _made_once(), f"{name}.so", defines=defines, links=links)


@functools.cache
def _made_once() -> Path:
    return temporary.folder("level-zero")
