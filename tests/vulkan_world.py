"""A Vulkan installation of a test's own: driver manifests, drivers and a layer, and the variables that make the real loader
use these and nothing of the machine's."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from ctypes.util import find_library
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests import temporary
from tests.doubles import DRIVERS, Variables, c_compiler, compile_double, script

LAYER = "VK_LAYER_GPUPROBE_identity"
_MANIFESTS = Path("/usr/share/vulkan/icd.d")


def missing(what: str) -> NoReturn:
    """Skips the test, or fails it under GPUPROBE_CI=1, where everything is to be installed."""
    if os.environ.get("GPUPROBE_CI") == "1":
        pytest.fail(f"{what} is not installed")
    pytest.skip(f"{what} is not installed")


class World:
    """Each method adds one thing, in the order in which the loader is to see it, and gives the world itself."""

    def __init__(self, directory: Path) -> None:
        if find_library("vulkan") is None:
            missing("the Vulkan loader (`libvulkan1`)")
        self.directory = directory / "vulkan"
        self.directory.mkdir()
        self.manifests: list[Path] = []
        self.variables: dict[str, str] = {}

    def icd(self, *lines: str, is_portability_driver: bool = False) -> World:
        """A driver of ours that acts by this script; see tests/drivers/fake_vulkan_icd.c."""
        driver = self.directory / f"libfake_vulkan{len(self.manifests)}.so"
        shutil.copy(_double("fake_vulkan_icd.c"), driver)
        Path(f"{driver}.script").write_text(script(*lines))
        return self.driver(driver, is_portability_driver=is_portability_driver)

    def lavapipe(self) -> World:
        """Mesa's real software driver."""
        self.manifests.append(_mesa_manifest("lvp_icd"))
        return self

    def second_lavapipe(self) -> World:
        """The same driver from another file: for the loader a different one, with the same UUID."""
        return self.driver(_copied(json.loads(_mesa_manifest("lvp_icd").read_text())["ICD"]["library_path"]))

    def wrapped(self, *lines: str) -> World:
        """Mesa's software driver inside one of ours that acts by this script; see tests/drivers/wrapped_vulkan.c."""
        if not has_headers():
            missing("the Vulkan headers (`libvulkan-dev`)")
        real = json.loads(_mesa_manifest("lvp_icd").read_text())["ICD"]["library_path"]
        self.variables["FAKE_WRAPPED"] = script(f"driver {real}", *lines)
        return self.driver(_double("wrapped_vulkan.c"))

    def radv(self, family: str) -> World:
        """Mesa's real AMD driver with a made-up card of this family, which has no memory."""
        self.manifests.append(_mesa_manifest("radeon_icd"))
        self.variables["RADV_FORCE_FAMILY"] = family
        return self

    def mock(self) -> World:
        """Khronos' mock driver: every call succeeds, and no command does anything."""
        return self.driver(_of_chromium("libVkICD_mock_icd.so"))

    def swiftshader(self) -> World:
        """Google's real software driver."""
        return self.driver(_of_chromium("libvk_swiftshader.so"))

    def identity(self, *lines: str) -> World:
        """The layer that gives the devices behind it other identities; see tests/drivers/identity_layer.c."""
        if not has_headers():
            missing("the Vulkan headers (`libvulkan-dev`)")
        layer = {
            "name": LAYER,
            "type": "INSTANCE",
            "library_path": str(_double("identity_layer.c")),
            "api_version": "1.3.230",
            "implementation_version": "1",
            "description": "scripted identities",
        }
        layers = self.directory / "layers"
        layers.mkdir()
        (layers / "identity.json").write_text(json.dumps({"file_format_version": "1.2.0", "layer": layer}))
        self.variables.update(VK_LAYER_PATH=str(layers), VK_INSTANCE_LAYERS=LAYER, FAKE_IDENTITY=script(*lines))
        return self

    def driver(self, library: Path, **more: Any) -> World:
        """A manifest that names this library, whether it is there or not."""
        icd = {"library_path": str(library), "api_version": "1.3.230", **more}
        return self.manifest(json.dumps({"file_format_version": "1.0.0", "ICD": icd}))

    def manifest(self, text: str) -> World:
        path = self.directory / f"icd{len(self.manifests)}.json"
        path.write_text(text)
        self.manifests.append(path)
        return self

    def environment(self, *, only: int | None = None) -> Variables:
        """The variables for a child; `only`: the place of the one manifest that is asked alone."""
        chosen = self.manifests if only is None else self.manifests[only : only + 1]
        files = os.pathsep.join(map(str, chosen)) or str(self.directory / "none.json")
        # Mesa's own layer puts the devices in an order that depends on the display.
        return {"VK_DRIVER_FILES": files, "NODEVICE_SELECT": "1", **self.variables}


def world(directory: Path) -> World:
    return World(directory)


def changed_loader(change: str) -> Path:
    """The machine's loader with one thing changed; see tests/drivers/changed_vulkan_loader.c."""
    if find_library("vulkan") is None:
        missing("the Vulkan loader (`libvulkan1`)")
    return _double("changed_vulkan_loader.c", change)


@functools.cache
def has_headers() -> bool:
    program = "#include <vulkan/vulkan.h>\n#include <vulkan/vk_layer.h>\n"
    command = [c_compiler(), "-fsyntax-only", "-x", "c", "-"]
    return subprocess.run(command, input=program, text=True, capture_output=True, check=False).returncode == 0


def _mesa_manifest(name: str) -> Path:
    found = sorted(_MANIFESTS.glob(f"{name}*.json"))
    return found[0] if found else missing("Mesa's Vulkan drivers (`mesa-vulkan-drivers`)")


def _of_chromium(name: str) -> Path:
    """A driver that Chromium brings, in the directory (of an unpacked `chromium-common`) that GPUPROBE_VULKAN_DRIVERS names."""
    directory = os.environ.get("GPUPROBE_VULKAN_DRIVERS") or pytest.skip(f"GPUPROBE_VULKAN_DRIVERS names no place of `{name}`")
    return Path(directory) / name


@functools.cache
def _double(source: str, *defines: str) -> Path:
    name = "-".join([f"lib{Path(source).stem}", *defines])
    return compile_double(DRIVERS / source, _made_once(), f"{name}.so", defines=defines)


@functools.cache
def _copied(library: str) -> Path:
    source = Path(library) if os.path.isabs(library) else next(Path("/usr/lib").glob(f"*/{library}"))
    return Path(shutil.copy(source, _made_once() / f"copy_of_{source.name}"))


@functools.cache
def _made_once() -> Path:
    return temporary.folder("vulkan")
