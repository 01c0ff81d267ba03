"""The AMDGPU backend in a real child: the module `pyamdgpuinfo`, real where there is no card, and a double of it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from gpuprobe.probing.asking import binding_path
from tests.backends.talk import Talk, request, talk
from tests.doubles import BINDINGS, described, script

RADEON = described(name="AMD Radeon RX 7900 XTX", pci="0000:03:00.0", vram=24 << 30, used=1 << 30, gtt=31 << 30, shared=5)
SECOND = described(name="AMD Radeon Graphics", pci="0000:0e:00.0", vram=1 << 29, used=1 << 27, gtt=31 << 30, shared=7)


def listed(*lines: str, paths: tuple[str, ...] = (str(BINDINGS),), **environ: str) -> Talk:
    return talk(request("pyamdgpuinfo", "amdgpu", paths=list(paths)), {"FAKE_AMDGPU": script(*lines), **environ})


def failed(*lines: str) -> dict[str, Any]:
    answer = listed(*lines)
    assert answer.exit_code == 0
    assert answer.failed is not None
    return answer.failed


def test_every_field_of_a_card_comes_from_the_module() -> None:
    answer = listed(RADEON, SECOND)

    assert answer.devices[0] == {
        "number": 0,
        "vendor_id": 0x1002,
        "name": "AMD Radeon RX 7900 XTX",
        "pci_id": "0000:03:00.0",
        "total_memory": 24 << 30,
        "used_memory": 1 << 30,
        "free_memory": 23 << 30,
        "capabilities": {"gtt_total_bytes": 31 << 30, "gtt_used_bytes": 5},
    }
    assert answer.devices[1]["number"] == 1
    assert answer.calls == ["load pyamdgpuinfo", "detect_gpus", "get_gpu", "get_gpu"]
    assert answer.is_done


def test_a_machine_without_drm_nodes_is_a_finding_and_no_crash() -> None:
    found = failed("raise detect_gpus FileNotFoundError [Errno 2] No such file or directory: /dev/dri/")

    assert found["status"] == "no_devices"
    assert "`/dev/dri` does not exist" in found["message"]


def test_nodes_that_may_not_be_opened_are_a_finding() -> None:
    found = failed()

    assert found["status"] == "no_devices"
    assert "permissions" in found["message"]


@pytest.mark.parametrize("problem", ["OSError", "PermissionError", "RuntimeError", "UnicodeError", "MemoryError"])
def test_whatever_the_module_raises_is_told_in_its_words(problem: str) -> None:
    found = failed(f"raise detect_gpus {problem} no driver")

    assert found["status"] == "call_failed"
    assert f"{problem}: no driver" in found["message"]


def test_a_card_that_cannot_be_asked_keeps_its_number_and_hides_no_other() -> None:
    first, second = listed(RADEON, SECOND, "raise get_gpu@0 RuntimeError GPU id 0 not found").devices

    assert first == {"number": 0, "vendor_id": 0x1002, "problems": {"card": "RuntimeError: GPU id 0 not found"}}
    assert second["pci_id"] == "0000:0e:00.0"


def test_memory_in_use_that_cannot_be_told_leaves_free_memory_unknown() -> None:
    (card,) = listed(RADEON, "raise query_vram_usage RuntimeError ioctl failed").devices

    assert (card["total_memory"], card["used_memory"], card["free_memory"]) == (24 << 30, None, None)
    assert card["problems"] == {"used_memory": "RuntimeError: ioctl failed"}


def test_a_card_whose_node_has_no_name_by_path_and_is_unknown_to_sysfs_has_no_address() -> None:
    (card,) = listed(described(name="Radeon", path="/dev/dri/renderD999", vram=1)).devices

    assert card["pci_id"] is None


def test_a_missing_module_is_named_with_the_distribution_that_brings_it() -> None:
    answer = listed(paths=())

    assert answer.failed is not None
    assert answer.failed["status"] == "not_loadable"
    assert "install the distribution `pyamdgpuinfo`" in answer.failed["message"]


def test_a_damaged_module_is_a_finding_too(tmp_path: Path) -> None:
    (tmp_path / "pyamdgpuinfo.py").write_text("raise KeyError('libdrm_amdgpu.so')")

    answer = listed(paths=(str(tmp_path),))

    assert answer.failed is not None
    assert "KeyError: 'libdrm_amdgpu.so'" in answer.failed["message"]


@pytest.mark.skipif(find_spec("pyamdgpuinfo") is None, reason="pyamdgpuinfo is not made for this kind of machine")
@pytest.mark.skipif(Path("/dev/dri").exists(), reason="there are DRM nodes here")
def test_the_real_module_without_drm_nodes_is_a_finding() -> None:
    where = binding_path("pyamdgpuinfo")
    assert where is not None

    answer = listed(paths=(where,))

    assert answer.failed is not None
    assert (answer.failed["status"], answer.exit_code) == ("no_devices", 0)
    assert "`/dev/dri` does not exist" in answer.failed["message"]
