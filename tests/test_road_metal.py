"""The whole road for Apple's GPUs on a host that says it is a Mac, with doubles in the place of the system's frameworks."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from gpuprobe.discovery import gather, replay
from gpuprobe.doctor.card_status import card_statuses, summary
from gpuprobe.facts import FoundLibrary, Host
from gpuprobe.judging.rules import judge
from gpuprobe.libraries import METAL
from gpuprobe.model import Inventory, Reason, Request, Status
from tests.doubles import described, metal_framework, script
from tests.records import a_host

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the doubles are compiled as Linux shared libraries")

GiB = 1 << 30
M3 = described(name="Apple M3 Max", memory=48 * GiB)


def mac(**fields: Any) -> Host:
    """The framework's name is its path, which leads nowhere here; the double is what only we know."""
    (name,) = METAL.sonames["darwin"]
    framework = str(metal_framework())
    found = FoundLibrary(name, framework, framework, "known place")
    facts = {"machdep.cpu.brand_string": "Apple M3 Max"}
    return a_host(**{"platform": "darwin", "machine": "arm64", "libraries": (found,), "facts": facts, **fields})


def judged(monkeypatch: pytest.MonkeyPatch, *lines: str, host: Host | None = None) -> Inventory:
    monkeypatch.setenv("FAKE_METAL", script(*lines))
    request = Request(libraries=("Metal",))
    return judge(gather(host or mac(), request), request)


def test_a_mac_gives_one_validated_metal_device(monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = judged(monkeypatch, M3)

    (device,) = inventory.kept
    assert (device.library, device.id, device.name, device.type.value) == ("Metal", "Metal:0", "Apple M3 Max", "integrated")
    assert (device.total_memory, device.free_memory) == (48 * GiB, None)
    assert device.validation is not None
    assert (device.validation.verdict.value, device.validation.depth) == ("supported", "context")
    assert summary(inventory).text == "1 of 1 GPU usable"
    assert device.library_path == str(metal_framework())


def test_a_replay_gives_the_same_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = judged(monkeypatch, M3)

    again = judge(replay(inventory.evidence, inventory.request), inventory.request)

    assert again.kept == inventory.kept


def test_a_working_set_below_512_mib_is_too_little(monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = judged(monkeypatch, described(name="Intel HD Graphics", memory=(512 << 20) - 1))

    assert [drop.reason for drop in inventory.drops] == [Reason.TOO_LITTLE_MEMORY]
    assert "Metal needs 512 MiB for itself" in inventory.drops[0].because


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ((M3, "silent newCommandQueue"), "`newCommandQueue` gave no queue: the device takes no commands"),
        ((M3, "abort newCommandQueue"), "crashed in `newCommandQueue` (signal 6)"),
        ((M3, "silent newBufferWithLength"), "gave no buffer of 64 KiB: the memory is used up"),
        ((M3, "crash MTLCopyAllDevices"), "crashed in `MTLCopyAllDevices` (signal 11)"),
        (("silent MTLCopyAllDevices", "silent MTLCreateSystemDefaultDevice"), "Metal has no device: neither"),
    ],
)
def test_each_step_that_fails_has_its_sentence(lines: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = judged(monkeypatch, *lines)

    (status,) = card_statuses(inventory)
    assert inventory.kept == ()
    assert status.why is not None
    assert words in status.why.because


def test_a_framework_that_does_not_load_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    (status,) = card_statuses(judged(monkeypatch, host=mac(libraries=())))

    assert status.why is not None
    assert status.why.reason is Status.NOT_LOADABLE
    assert "`/System/Library/Frameworks/Metal.framework/Metal` did not load" in status.why.because
    assert status.why.advice is not None
