"""The whole road, as installed: real loaders and drivers below, the command's own output above."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.documents import checked
from tests.cli.terminal import Ran, piped
from tests.doubles import cuda_driver, described, nvml_driver, script
from tests.vulkan_world import World, world

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the drivers and the doubles are Linux shared libraries")

A, B = "GPU-00000000-0000-0000-0000-00000000000a", "GPU-00000000-0000-0000-0000-00000000000b"
FIRST, SECOND = "0000:01:00.0", "0000:02:00.0"
GEFORCE = "NVIDIA GeForce RTX 4090"
TWO_CUDA = (
    described(name=GEFORCE, uuid=A, pci=FIRST, memory=24 << 30, free=20 << 30),
    described(name=GEFORCE, uuid=B, pci=SECOND, memory=24 << 30, free=23 << 30),
)
TWO_VULKAN = tuple(
    described(type="discrete", name=GEFORCE, vendor="0x10de", uuid=uuid, pci=pci, memory=24 << 30, driver_id=4)
    for uuid, pci in ((A, FIRST), (B, SECOND))
)
RADEON = described(
    type="discrete",
    name="AMD Radeon RX 7900 XTX",
    vendor="0x1002",
    uuid="GPU-" + "c" * 8 + "-0000-0000-0000-" + "c" * 12,
    pci="0000:03:00.0",
    memory=24 << 30,
    driver_id=3,
)


def nvidia(*lines: str) -> dict[str, str]:
    return {"LD_LIBRARY_PATH": f"{cuda_driver().parent}:{nvml_driver().parent}", "FAKE_CUDA": script(*lines)}


def answered(*arguments: str, **variables: str) -> dict[str, Any]:
    ran = piped(*arguments, "--json", **variables)
    assert ran.code in (0, 3, 4, 5, 6), ran.err
    return checked(arguments[0], ran.out)


def kept(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(device["library"], device["id"]) for device in document["devices"]]


@pytest.fixture
def vulkan(tmp_path: Path) -> World:
    return world(tmp_path)


def test_lavapipe_is_seen_and_does_not_count(vulkan: World) -> None:
    variables = vulkan.lavapipe().environment()

    ran = piped("list", **variables)
    document = answered("list", **variables)

    assert ran.code == 0
    assert ran.out.startswith("No GPU found")
    assert "llvmpipe" in ran.out
    assert "software renderer" in ran.out
    assert document["devices"] == []
    assert [drop["reason"] for drop in document["dropped"]] == ["software_renderer"]


def test_lavapipe_is_a_device_that_validates_where_software_is_allowed(vulkan: World) -> None:
    document = answered("list", "--allow-software", **vulkan.lavapipe().environment())

    (device,) = document["devices"]
    assert device["type"] == "software"
    assert (device["validation"]["verdict"], device["validation"]["depth"]) == ("supported", "context")


def test_two_cards_seen_by_cuda_and_vulkan_are_two_cuda_devices(vulkan: World) -> None:
    variables = {**nvidia(*TWO_CUDA), **vulkan.icd(*TWO_VULKAN).environment()}

    document = answered("list", **variables)

    assert kept(document) == [("CUDA", A), ("CUDA", B)]
    assert [(drop["view"]["library"], drop["reason"], drop["instead"]["id"]) for drop in document["dropped"]] == [
        ("Vulkan", "same_card", A),
        ("Vulkan", "same_card", B),
    ]
    assert [device["free_memory_bytes"] for device in document["devices"]] == [20 << 30, 23 << 30]


def test_env_selects_by_uuid_and_hides_what_is_not_selected(vulkan: World) -> None:
    variables = {**nvidia(*TWO_CUDA), **vulkan.icd(*TWO_VULKAN).environment()}

    assert piped("env", "CUDA:1", **variables).out.splitlines() == [
        f"export CUDA_VISIBLE_DEVICES='{B}'",
        "export GGML_VK_VISIBLE_DEVICES='-1'",
    ]


def test_env_for_one_library_hides_the_cards_from_the_others_too(vulkan: World) -> None:
    variables = {**nvidia(*TWO_CUDA), **vulkan.icd(*TWO_VULKAN).environment()}

    lines = piped("env", "--library", "vulkan", "Vulkan:0", **variables).out.splitlines()

    assert "export CUDA_VISIBLE_DEVICES='-1'" in lines
    assert "export GGML_VK_VISIBLE_DEVICES='0'" in lines


def test_with_the_users_own_list_the_right_card_is_validated_and_the_other_explained(vulkan: World, tmp_path: Path) -> None:
    log = tmp_path / "log"
    variables = {**nvidia(*TWO_CUDA), "CUDA_VISIBLE_DEVICES": "1", "FAKE_LOG": str(log)}

    document = answered("list", **variables)

    assert kept(document) == [("CUDA", B)]
    assert [line for line in log.read_text().splitlines() if line.startswith("retain")] == [f"retain {B}"]
    assert any("`CUDA_VISIBLE_DEVICES=1` hides 1 of 2 devices from CUDA" in line for line in document["warnings"])
    (hidden,) = [card for card in document["cards"] if card["pci_id"] == FIRST]
    assert hidden["why"]["reason"] == "hidden_by_variable"


def test_a_crashing_vulkan_driver_takes_neither_the_good_one_nor_cuda_along(vulkan: World) -> None:
    drivers = vulkan.icd("crash vkEnumeratePhysicalDevices").icd(RADEON)
    variables = {**nvidia(*TWO_CUDA), **drivers.environment()}

    document = answered("list", **variables)

    assert [device["name"] for device in document["devices"]] == [GEFORCE, GEFORCE, "AMD Radeon RX 7900 XTX"]
    radeon = document["devices"][2]
    assert radeon["visible"]["VK_DRIVER_FILES"] == str(drivers.manifests[1])
    crashed = [probe for probe in document["probes"] if probe["status"] == "crashed"]
    assert {(probe["library"], probe["last_step"], probe["signal"]) for probe in crashed} == {
        ("Vulkan", "vkEnumeratePhysicalDevices", 11)
    }


MISDEEDS = ["crash", "abort", "hang", "exit", "orphan", "print", "rubbish"]
AT = ["load", "vkCreateInstance", "vkEnumeratePhysicalDevices", "vkGetPhysicalDeviceProperties2", "vkCreateDevice"]
REST = {"exit": " 7", "print": " 1000000"}


# exit() in a constructor deadlocks in the loader itself: that is the case of a hang.
CASES = [(misdeed, step) for misdeed in MISDEEDS for step in AT if (misdeed, step) != ("exit", "load")]


@pytest.mark.parametrize(("misdeed", "step"), CASES)
def test_whatever_a_vulkan_driver_does_cuda_answers(vulkan: World, misdeed: str, step: str) -> None:
    drivers = vulkan.icd(RADEON, f"{misdeed} {step}{REST.get(misdeed, '')}")

    document = answered("list", "--timeout", "2", **nvidia(*TWO_CUDA), **drivers.environment())

    assert [device["id"] for device in document["devices"] if device["library"] == "CUDA"] == [A, B]
    radeons = [device for device in document["devices"] if device["library"] == "Vulkan"]
    assert bool(radeons) is (misdeed in ("orphan", "print"))
    if not radeons:
        assert any(probe["library"] == "Vulkan" and probe["status"] != "ok" for probe in document["probes"])


def test_two_runs_give_the_same_bytes_whatever_order_the_driver_lists_in(vulkan: World) -> None:
    variables = {**nvidia(*TWO_CUDA), **vulkan.icd(RADEON, *TWO_VULKAN).environment()}

    answers = [
        timeless(piped("list", "--json", **variables, FAKE_ORDER=order)) for order in ("as-is", "reverse", "shuffled", "as-is")
    ]

    assert answers[0] == answers[3]
    assert answers[0]["devices"] != []
    for other in answers[1:3]:
        assert without_numbers(other) == without_numbers(answers[0])
    texts = [re.sub(r"[0-9.]+ GiB of", "? GiB of", piped("list", **variables).out) for _ in range(2)]
    assert texts[0] == texts[1]


def timeless(ran: Ran) -> Any:
    """The document without what may differ between two runs: times and the system's own memory."""
    return _cleaned(json.loads(ran.out))


_CHANGING = {"timestamp", "seconds", "measured_at", "memory", "steps", "figures"}


def _cleaned(value: Any, leave_out: frozenset[str] = frozenset(_CHANGING)) -> Any:
    if isinstance(value, dict):
        return {key: _cleaned(item, leave_out) for key, item in value.items() if key not in leave_out}
    return [_cleaned(item, leave_out) for item in value] if isinstance(value, list) else value


def without_numbers(document: Any) -> Any:
    """The library's own ordinal of a card is the one thing that follows its order."""
    return _cleaned(document, frozenset({*_CHANGING, "numbers"}))


def test_a_capture_gives_the_same_answers_as_the_machine(vulkan: World, tmp_path: Path) -> None:
    variables = {**nvidia(*TWO_CUDA), **vulkan.icd(RADEON, "crash vkCreateDevice").lavapipe().environment()}
    file = str(tmp_path / "machine.json")
    assert piped("capture", file, **variables).code == 0

    for line in ("list", "list --allow-software", "list --quick", "validate", "flash-attn", "env", "env CUDA:0"):
        here = piped(*line.split(), "--json", **variables)
        there = piped(*line.split(), "--json", "--from", file)
        assert (line, placeless(there), there.code) == (line, placeless(here), here.code)


def placeless(ran: Ran) -> Any:
    """Nor directories, for which a capture has pseudonyms, nor the name of the host, which it has not."""
    document = json.loads(re.sub(r"/(?:[\w.+=-]+/)+", "/", ran.out))
    document.get("host", {}).pop("name", None)
    return _cleaned(document)


def test_a_hostile_name_harms_neither_shell_nor_table_nor_json(tmp_path: Path) -> None:
    name = '"; touch x; echo "\x1b[31m[bold]\n$(touch y)'
    variables = nvidia(described(name=name, uuid=A, pci=FIRST, memory=24 << 30))

    document = answered("list", **variables)
    table = piped("list", cwd=tmp_path, **variables)
    lines = piped("env", cwd=tmp_path, **variables).out
    subprocess.run(["sh", "-c", lines], cwd=tmp_path, check=True)

    assert document["devices"][0]["name"] == name
    assert "\x1b" not in table.out
    assert r'"; touch x; echo "\x1b[31m[bold]' in piped("list", **variables, COLUMNS="200").out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("capability", "driver", "supported", "code"),
    [
        ("7.0", 13000, True, 0),
        ("7.5", 11000, True, 0),
        ("8.9", 12080, True, 0),
        ("6.1", 13000, False, 5),
        ("7.2", 13000, False, 5),
        ("7.2", 11040, False, 5),
    ],
)
def test_flash_attention_follows_the_capability_whatever_the_drivers_number(
    capability: str, driver: int, supported: bool, code: int
) -> None:
    """The original looked at the driver's CUDA version."""
    card = described(name="NVIDIA", uuid=A, pci=FIRST, memory=24 << 30, cc=capability)

    ran = piped("flash-attn", "--json", **nvidia(card, f"driver {driver}"))

    assert (checked("flash-attn", ran.out)["supported"], ran.code) == (supported, code)


def test_flash_attention_is_unknown_where_the_capability_is() -> None:
    card = described(name="NVIDIA", uuid=A, pci=FIRST, memory=24 << 30)

    alone = {"LD_LIBRARY_PATH": str(cuda_driver().parent)}  # NVML would know it
    ran = piped("flash-attn", "--json", **{**nvidia(card, "error cuDeviceGetAttribute 999"), **alone})

    assert (checked("flash-attn", ran.out)["supported"], ran.code) == (None, 6)
