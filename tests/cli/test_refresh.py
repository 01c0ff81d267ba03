"""`refresh` as installed: drivers whose memory, count and version change between two commands."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli import machines
from tests.cli.documents import checked
from tests.cli.machines import captured
from tests.cli.terminal import on_terminal, piped
from tests.doubles import Variables, cuda_driver, described, nvml_driver, script
from tests.records import an_outcome
from tests.vulkan_world import World, world

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the doubles are Linux shared libraries")

A, B = "GPU-00000000-0000-0000-0000-00000000000a", "GPU-00000000-0000-0000-0000-00000000000b"
GIB = 1 << 30
HANGS = "hang nvmlInitWithFlags"


def card(uuid: str = A, pci: str = "0000:01:00.0", free: int = 20) -> str:
    return described(name="NVIDIA GeForce RTX 4090", uuid=uuid, pci=pci, memory=24 * GIB, free=free * GIB)


def second(free: int = 23) -> str:
    return card(B, "0000:02:00.0", free)


def nvidia(cache: Path, *lines: str, witness: bool = True, nvml: str = "") -> Variables:
    libraries = [cuda_driver().parent, *([nvml_driver().parent] if witness else [])]
    return {
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        "FAKE_CUDA": script(*lines),
        "FAKE_NVML": nvml,
        "XDG_CACHE_HOME": str(cache),
        "OLLAMA_VULKAN": "0",
    }


def radeon(free: int = 20, **fields: object) -> str:
    known = {"type": "discrete", "name": "AMD Radeon RX 7900 XTX", "vendor": "0x1002", "pci": "0000:03:00.0", "driver_id": 3}
    return described(
        **{**known, "uuid": f"GPU-{'c' * 8}-0000-0000-0000-{'c' * 12}", "memory": 24 * GIB, "free": free * GIB, **fields}
    )


def refreshed(*arguments: str, code: int = 0, **variables: str) -> dict[str, Any]:
    ran = piped("refresh", "--json", *arguments, **variables)
    assert ran.code == code, (ran.out, ran.err)
    return checked("refresh", ran.out)


def free(document: dict[str, Any]) -> list[int]:
    return [device["free_memory_bytes"] // GIB for device in document["devices"]]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def test_the_witness_tells_what_is_free_now_and_no_context_is_made(cache: Path) -> None:
    piped("list", **nvidia(cache, card(), second()))
    log = cache.parent / "log"

    document = refreshed(**nvidia(cache, card(free=3), second(free=9)), FAKE_LOG=str(log))

    assert free(document) == [3, 9]
    assert {(each["memory_source"], each["stale"], each["because"]) for each in document["devices"]} == {("NVML", False, None)}
    assert document["discovery"]["anew"] is False
    assert [probe["library"] for probe in document["probes"]] == ["NVML"]
    assert not log.exists()  # where CUDA would have noted its contexts


def test_each_card_gets_its_own_figure_whatever_order_the_driver_lists_in(cache: Path) -> None:
    piped("list", **nvidia(cache, card(), second()))

    assert free(refreshed(**nvidia(cache, second(free=9), card(free=3)))) == [3, 9]
    assert free(refreshed(**nvidia(cache, card(free=3), second(free=9)), FAKE_ORDER="reverse")) == [3, 9]


def test_without_a_witness_a_context_tells(cache: Path) -> None:
    piped("list", **nvidia(cache, card(), second(), witness=False))

    document = refreshed(**nvidia(cache, card(free=3), second(free=9), witness=False))

    assert free(document) == [3, 9]
    assert {each["memory_source"] for each in document["devices"]} == {"CUDA"}


def test_where_the_witness_fails_the_library_is_asked(cache: Path) -> None:
    piped("list", **nvidia(cache, card()))

    document = refreshed(**nvidia(cache, card(free=3), nvml="error nvmlInitWithFlags 999"))

    assert (free(document), document["devices"][0]["memory_source"]) == ([3], "CUDA")
    assert [(probe["library"], probe["purpose"]) for probe in document["probes"]] == [("NVML", "list"), ("CUDA", "validate")]


def test_a_library_that_tells_when_it_lists_is_asked_once(cache: Path, tmp_path: Path) -> None:
    vulkan = world(tmp_path).icd(radeon())
    variables = {**vulkan.environment(), "XDG_CACHE_HOME": str(cache)}
    piped("list", **variables)
    told(vulkan, radeon(free=5))

    document = refreshed(**variables)

    assert free(document) == [5]
    assert [(probe["library"], probe["purpose"]) for probe in document["probes"]] == [("Vulkan", "list")]


def told(vulkan: World, *lines: str) -> None:
    """What the first driver of this world says from now on."""
    Path(f"{vulkan.directory}/libfake_vulkan0.so.script").write_text(script(*lines))


@pytest.mark.parametrize("limit", [["--deadline", "1"], ["--timeout", "1"]])
def test_a_driver_that_hangs_leaves_the_old_figure_marked_as_stale(cache: Path, limit: list[str]) -> None:
    piped("list", **nvidia(cache, card(free=20)))
    hanging = nvidia(cache, card(free=3), "hang cuInit", nvml=HANGS)

    began = time.monotonic()
    document = refreshed(*limit, code=6, **hanging)

    (device,) = document["devices"]
    assert (device["free_memory_bytes"], device["stale"], device["memory_source"]) == (20 * GIB, True, "NVML")
    assert device["measured_at"] == document["discovery"]["discovered_at"]
    assert device["because"]
    assert time.monotonic() - began < 20
    text = piped("refresh", *limit, **hanging)
    assert text.code == 6
    assert text.out.splitlines()[0] == "1 device, no new reading"
    assert "CUDA:0: no new reading: " in text.out


def test_three_seconds_are_the_limit_where_nothing_is_said(cache: Path) -> None:
    piped("list", **nvidia(cache, card()))

    document = refreshed(code=6, **nvidia(cache, card(), nvml=HANGS))

    assert [(probe["library"], probe["status"]) for probe in document["probes"]] == [("NVML", "timed_out"), ("CUDA", "skipped")]
    assert document["devices"][0]["because"] == "NVML: no answer within 3 s (in `nvmlInitWithFlags`)"


def test_one_library_that_hangs_does_not_keep_another_from_telling(cache: Path, tmp_path: Path) -> None:
    vulkan = world(tmp_path).icd(radeon())
    variables = {**vulkan.environment(), **nvidia(cache, card()), "OLLAMA_VULKAN": "1"}
    piped("list", **variables)
    told(vulkan, radeon(free=5))

    document = refreshed("--deadline", "2", code=6, **{**variables, "FAKE_NVML": HANGS})

    assert [(each["library"], each["stale"]) for each in document["devices"]] == [("CUDA", True), ("Vulkan", False)]
    assert document["devices"][1]["free_memory_bytes"] == 5 * GIB


def test_a_card_that_is_no_longer_listed_is_said_and_a_discovery_offered(cache: Path) -> None:
    piped("list", **nvidia(cache, card(), second()))

    document = refreshed(**nvidia(cache, second(free=9)))
    text = piped("refresh", **nvidia(cache, second(free=9)), COLUMNS="200")

    assert [(each["id"], each["stale"]) for each in document["devices"]] == [(A, True), (B, False)]
    assert document["devices"][0]["because"] == "CUDA no longer lists it"
    assert "CUDA:0 (NVIDIA GeForce RTX 4090) has disappeared; run `gpuprobe list` to look again" in document["warnings"]
    assert "note: CUDA:0 (NVIDIA GeForce RTX 4090) has disappeared; run `gpuprobe list` to look again" in text.out


def test_another_card_in_the_place_of_one_does_not_lend_it_its_figure(cache: Path) -> None:
    piped("list", **nvidia(cache, card(A)))

    (device,) = refreshed(**nvidia(cache, card(B, free=9)))["devices"]

    assert (device["id"], device["free_memory_bytes"], device["stale"]) == (A, 20 * GIB, True)


def test_a_device_that_is_new_in_a_listing_is_said_and_a_discovery_offered(cache: Path) -> None:
    piped("list", **nvidia(cache, card()))

    document = refreshed(**nvidia(cache, second(), card(free=3)))

    assert free(document) == [3]
    assert f"NVML now lists NVIDIA GeForce RTX 4090 ({B}); run `gpuprobe list` to look again" in document["warnings"]


def test_diff_says_what_changed_since_the_saved_discovery(cache: Path) -> None:
    piped("list", **nvidia(cache, card(), second()))

    document = refreshed("--diff", **nvidia(cache, card(free=3), second(), nvml="kernel 590.44.01"))

    assert [(each["text"], each["before"], each["after"]) for each in document["changes"]] == [
        ("CUDA driver 580.95.05 → 590.44.01", "580.95.05", "590.44.01"),
        ("CUDA:0 free 20.0 → 3.0 GiB", 20 * GIB, 3 * GIB),
    ]
    assert "CUDA driver 580.95.05 → 590.44.01; run `gpuprobe list` to look again" in document["warnings"]
    assert document["compared_with"] == document["discovery"]["discovered_at"]
    text = piped("refresh", "--diff", **nvidia(cache, card(free=3), second()), COLUMNS="200")
    assert f"since {document['compared_with']}: CUDA:0 free 20.0 → 3.0 GiB\n" in text.out
    same = piped("refresh", "--diff", **nvidia(cache, card(), second()), COLUMNS="200")
    assert f"nothing changed since {document['compared_with']}\n" in same.out


def test_what_a_variable_of_the_users_hides_is_said_with_what_is_seen_without_it(cache: Path) -> None:
    hidden = {**nvidia(cache, card(), second()), "CUDA_VISIBLE_DEVICES": "1"}
    piped("list", **hidden)

    document = refreshed(**hidden)

    assert (document["discovery"]["anew"], [device["id"] for device in document["devices"]]) == (False, [B])
    assert f"`CUDA_VISIBLE_DEVICES=1` hides 1 of 2 devices from CUDA: NVIDIA GeForce RTX 4090 ({A})" in document["warnings"]


def test_without_diff_nothing_is_compared(cache: Path) -> None:
    piped("list", **nvidia(cache, card()))

    assert "changes" not in refreshed(**nvidia(cache, card()))


def test_diff_after_a_change_that_makes_the_discovery_unfit_compares_two_discoveries(cache: Path) -> None:
    """A changed library file: an update of the driver without a restart."""
    copy = cache.parent / "libraries"
    copy.mkdir()
    for library in (cuda_driver(), nvml_driver()):
        (copy / library.name).write_bytes(library.read_bytes())
    variables = {**nvidia(cache, card(), second()), "LD_LIBRARY_PATH": str(copy)}
    piped("list", **variables)
    os.utime(copy / "libcuda.so.1", ns=(1, 1))

    document = refreshed("--diff", **{**variables, "FAKE_CUDA": script(card(free=3))})

    assert document["discovery"]["because"] == "the saved results no longer fit: the library `libcuda.so.1` changed"
    assert [each["text"] for each in document["changes"]] == [
        "CUDA:0 free 20.0 → 3.0 GiB",
        "CUDA:1 (NVIDIA GeForce RTX 4090) has disappeared",
    ]


def test_without_a_saved_discovery_it_says_so_discovers_and_saves(cache: Path) -> None:
    first, second_time = (piped("refresh", **nvidia(cache, card())) for _ in range(2))

    assert first.out.splitlines()[0] == "1 device, read just now"
    assert "note: devices were detected again: no results are saved\n" in first.out
    assert "discovered anew" not in second_time.out


def test_an_option_that_asks_for_something_else_discovers_and_saves_nothing(cache: Path) -> None:
    piped("list", **nvidia(cache, card()))
    before = (cache / "gpuprobe" / "discovery.json").read_bytes()

    document = refreshed("--library", "cuda", **nvidia(cache, card(free=3)))

    assert document["discovery"]["because"] == "the saved results were made with other options"
    assert free(document) == [3]
    assert (cache / "gpuprobe" / "discovery.json").read_bytes() == before


@pytest.mark.parametrize("damage", [b"{", b'{"kind": "gpuprobe saved discovery", "schema_version": 2}'])
def test_a_damaged_file_is_named_and_replaced(cache: Path, damage: bytes) -> None:
    piped("list", **nvidia(cache, card()))
    file = cache / "gpuprobe" / "discovery.json"
    file.write_bytes(damage)

    document = refreshed(**nvidia(cache, card(free=3)))

    assert free(document) == [3]
    assert str(file) in document["discovery"]["because"]
    assert refreshed(**nvidia(cache, card(free=3)))["discovery"]["anew"] is False


def test_with_nothing_usable_it_answers_as_list_does(cache: Path) -> None:
    ran = piped("refresh", **nvidia(cache, "error cuInit 100"))

    assert ran.code == 0
    assert ran.out.startswith("No GPU found") or ran.out.startswith("0 of ")
    assert refreshed(**nvidia(cache, "error cuInit 100"))["devices"] == []


def test_a_device_that_nobody_tells_the_memory_of_is_not_called_measured(tmp_path: Path) -> None:
    silent = machines.a_radeon_of_vulkan(free_memory=None, used_memory=None)
    host = machines.a_workstation(pci=(machines.an_amd_card(),), libraries=machines.VULKAN_LOADER)
    machine = machines.evidence(an_outcome(silent), machines.passed(silent), host=host)

    ran = piped("refresh", "--from", machines.captured(machine, tmp_path))

    assert ran.out.splitlines()[0] == "1 device, no new reading"
    assert ran.out.splitlines()[2].split()[-1] == "-"


def test_a_capture_gives_the_figures_that_it_holds(tmp_path: Path) -> None:
    path = captured(machines.two_geforces(), tmp_path)

    document = refreshed("--from", path)

    assert document["discovery"]["because"] == "this is a capture, whose machine cannot be read now"
    assert {(each["measured_at"], each["stale"]) for each in document["devices"]} == {(document["timestamp"], False)}


@pytest.mark.parametrize("columns", [40, 60, 80, 160])
def test_the_table_fits_the_terminal(cache: Path, columns: int) -> None:
    piped("list", **nvidia(cache, card(), second()))

    seen = on_terminal("refresh", "--timeout", "1", columns=columns, **nvidia(cache, card(free=3)))

    assert max(len(line) for line in seen.lines) <= columns
    assert any("3.0 GiB" in line for line in seen.lines)
    assert "stale" in seen.text
