"""The stages on the whole road, as installed: drivers that compute below, what `validate` says above."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from gpuprobe.discovery import gather
from gpuprobe.model import Outcome, Purpose, Request, Status, ValidationScope
from gpuprobe.survey.host import read_host
from tests.cli.documents import checked
from tests.cli.terminal import Ran, on_terminal, piped
from tests.doubles import Variables, cuda_driver, described, nvml_driver, script
from tests.vulkan_world import World, world

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the doubles are Linux shared libraries")

GiB, MiB = 1 << 30, 1 << 20


def card(number: int, **changed: object) -> str:
    known: dict[str, object] = {
        "name": "NVIDIA GeForce RTX 4090",
        "uuid": f"GPU-00000000-0000-0000-0000-{number:012x}",
        "pci": f"0000:{number:02x}:00.0",
        "memory": 24 * GiB,
        "free": 1 * GiB,  # so that timed copies are small
        "grip": 300 * MiB,
    }
    return described(**{**known, **changed})


def nvidia(*lines: str, **more: str) -> Variables:
    path = f"{cuda_driver().parent}:{nvml_driver().parent}"
    return {"LD_LIBRARY_PATH": path, "FAKE_CUDA": script(*lines), **more}


def proved(*arguments: str, library: str = "cuda", **variables: str) -> tuple[dict[str, Any], Ran]:
    ran = piped("validate", "--library", library, "--json", *arguments, **variables)
    return checked("validate", ran.out), ran


def test_a_healthy_card_is_proved_to_its_last_rung() -> None:
    document, ran = proved(**nvidia(card(1, gen=4, width=16, gen_max=4, width_max=16)))

    (view,) = document["views"]
    assert (ran.code, view["verdict"], view["depth"]) == (0, "supported", "bandwidth")
    assert [rung["result"] for rung in view["rungs"] if rung["name"] != "blas"] == ["passed"] * 8
    assert view["link"]["bytes_per_second"] == 31507692308
    assert document["seconds"] > 0


def test_a_step_ends_the_climb_early() -> None:
    document, ran = proved("--step", "copy", **nvidia(card(1, spoil=5)))

    (view,) = document["views"]
    assert (ran.code, view["depth"], view["rungs"][-1]["name"]) == (0, "copy", "copy")


def test_a_card_that_computes_wrongly_fails_and_shows_the_element() -> None:
    document, ran = proved("--step", "kernel", **nvidia(card(1), card(2, spoil=777_777)))

    good, bad = sorted(document["views"], key=lambda view: view["number"])
    assert ran.code == 4
    assert (good["verdict"], bad["verdict"]) == ("supported", "unsupported")
    assert (bad["wrong"]["compared"], bad["wrong"]["different"]) == (1 << 20, 1)
    assert bad["wrong"]["first"][0]["index"] == 777_777
    assert bad["because"].startswith("the kernel: 1 of 1048576 elements are wrong; the first is number 777777: ")


def test_a_full_card_is_undecided_and_names_who_holds_it() -> None:
    document, ran = proved(**nvidia(card(1, free=100 * MiB, processes=f"{os.getpid()}:23000")))

    (view,) = document["views"]
    assert (ran.code, view["verdict"]) == (6, "inconclusive")
    assert f"process {os.getpid()} (" in view["because"]
    assert "holds 23000 MiB" in view["because"]


def test_a_card_that_fails_now_and_then_fails(tmp_path: Path) -> None:
    document, ran = proved("--step", "kernel", "--repeat", "4", **nvidia(card(1, wears=str(tmp_path / "launches"))))

    (view,) = document["views"]
    assert (ran.code, view["attempts"]) == (4, ["supported", "unsupported"] * 2)
    assert view["because"].startswith("2 of 4 attempts passed; it fails now and then, ")
    assert view["wrong"]["first"][0]["index"] == 0


@pytest.fixture
def vulkan(tmp_path: Path) -> World:
    return world(tmp_path)


def test_a_healthy_cuda_view_covers_a_vulkan_view_that_fails_unless_all_must_pass(vulkan: World) -> None:
    """The exit codes of the specification."""
    twin = described(
        type="discrete",
        name="NVIDIA GeForce RTX 4090",
        vendor="0x10de",
        uuid="GPU-00000000-0000-0000-0000-000000000001",
        pci="0000:01:00.0",
        memory=24 * GiB,
        driver_id=4,
    )
    drivers = vulkan.icd("error vkCreateDevice -3", twin)
    variables = {**nvidia(card(1)), **drivers.environment()}

    document, plain = proved("--step", "context", library="cuda,vulkan", **variables)
    _, strict = proved("--step", "context", "--strict", library="cuda,vulkan", **variables)

    verdicts = {view["library"]: view["verdict"] for view in document["views"]}
    assert verdicts == {"CUDA": "supported", "Vulkan": "unsupported"}
    assert (plain.code, strict.code) == (0, 4)


@pytest.mark.parametrize(
    ("devices", "code", "ending"),
    [
        (["CUDA:0", "Vulkan:0"], 4, "; the card works, but `Vulkan:0` failed"),
        (["0000:01:00.0", "vulkan"], 4, "; the card works, but `vulkan` failed"),
        (["0000:01:00.0"], 0, "; the card works"),
        (["CUDA:0"], 0, "; the card works"),
        (["Vulkan:0"], 4, "; 1 of 1 card failed"),
    ],
)
def test_a_view_that_was_named_must_pass_itself(vulkan: World, devices: list[str], code: int, ending: str) -> None:
    uuid = "GPU-00000000-0000-0000-0000-000000000001"
    twin = described(type="discrete", name="RTX", vendor="0x10de", uuid=uuid, pci="0000:01:00.0", memory=24 * GiB, driver_id=4)
    drivers = vulkan.icd("error vkCreateDevice -3", twin)

    document, ran = proved(*devices, "--step", "context", library="cuda,vulkan", **nvidia(card(1)), **drivers.environment())

    assert ran.code == code
    assert document["summary"]["text"].endswith(ending)


def lines_of(log: Path, *kinds: str) -> list[tuple[str, str]]:
    said = [line.split(" ") for line in log.read_text().splitlines()]
    return [(kind, uuid) for kind, uuid in said if kind in kinds]


def prove(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, **request: Any) -> list[Outcome]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    evidence = gather(read_host(), Request(libraries=("CUDA",), validate=ValidationScope.PROVED, **request))
    return [outcome for outcome in evidence.outcomes if outcome.probe.purpose is Purpose.PROVE]


def test_copies_are_timed_on_one_card_at_a_time_and_beside_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = tmp_path / "log"

    outcomes = prove(nvidia(*map(card, (1, 2, 3)), FAKE_LOG=str(log)), monkeypatch)

    assert [outcome.depth for outcome in outcomes] == ["bandwidth"] * 3
    timed = lines_of(log, "times", "timed")
    assert [kind for kind, _ in timed] == ["times", "timed"] * 3
    assert all(begun[1] == ended[1] for begun, ended in zip(timed[::2], timed[1::2], strict=True))
    kinds = [kind for kind, _ in lines_of(log, "retain", "times")]
    assert kinds == ["retain"] * 3 + ["times"] * 3


def test_nothing_more_is_begun_while_a_card_waits_to_time_its_copies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log = tmp_path / "log"

    prove(nvidia(card(1), card(2), FAKE_LOG=str(log)), monkeypatch, repeat=2)

    once = ["retain", "retain", "times", "timed", "times", "timed"]
    assert [kind for kind, _ in lines_of(log, "retain", "times", "timed")] == once * 2


def test_a_card_that_hangs_delays_the_others_copies_and_spoils_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for a turn is no time of one's own: the limit waits too."""
    outcomes = prove(nvidia(card(1), card(2), card(3, hangs=1)), monkeypatch, seconds=6.0)

    assert [outcome.status for outcome in outcomes] == [Status.OK, Status.OK, Status.TIMED_OUT]
    assert [outcome.stages[-1].name for outcome in outcomes] == ["bandwidth", "bandwidth", "kernel"]


def test_as_many_cards_as_are_allowed_are_proved_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log = tmp_path / "log"

    prove(nvidia(*map(card, (1, 2, 3)), FAKE_LOG=str(log)), monkeypatch, jobs=1, until="kernel")

    assert [kind for kind, _ in lines_of(log, "retain", "release")] == ["retain", "release"] * 3


def test_a_deadline_ends_a_climb_that_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = prove(nvidia(card(1), card(2), "hang cuMemHostAlloc"), monkeypatch, deadline=4.0)

    assert [outcome.status for outcome in outcomes] == [Status.TIMED_OUT] * 2
    assert sorted(outcome.stages[-1].name for outcome in outcomes) == ["bandwidth", "blas"]


def test_a_capture_holds_the_whole_ladder_and_is_judged_by_it(tmp_path: Path) -> None:
    file = tmp_path / "machine.json"
    variables = nvidia(card(1), card(2, spoil=3))
    captured = piped("capture", str(file), "--library", "cuda", **variables)
    assert captured.code == 0, captured.err

    document, ran = proved("--from", str(file))
    shorter, _ = proved("--from", str(file), "--step", "copy")
    listed = checked("list", piped("list", "--json", "--from", str(file)).out)

    assert (ran.code, sorted(view["verdict"] for view in document["views"])) == (4, ["supported", "unsupported"])
    assert [view["depth"] for view in shorter["views"]] == ["copy", "copy"]
    assert [device["validation"]["depth"] for device in listed["devices"]] == ["context", "context"]


def test_the_text_shows_the_matrix_the_copies_and_the_time() -> None:
    seen = on_terminal("validate", "--library", "cuda", **nvidia(card(1, gen=4, width=4, gen_max=4, width_max=16)))

    assert seen.code == 0
    assert re.search(r"^1 of 1 view passed; the card works, in \d+\.\d{3} s$", seen.text, re.M)
    assert re.search(r"^CUDA:0 +ok +ok +ok +ok +ok +ok +ok +n/a +ok +passed", seen.text, re.M)
    assert "PCIe 4.0 x4 7.9" in " ".join(seen.text.split())
    assert "its link has 4 of 16 lanes" in " ".join(seen.text.split())
    assert "blas was not tested: no cuBLAS was found" in " ".join(seen.text.split())


def test_progress_names_what_is_asked() -> None:
    seen = on_terminal("validate", "--library", "cuda", "--step", "kernel", **nvidia(card(1), "sleep cuLaunchKernel 2500"))

    assert "cuLaunchKernel" in seen.raw
    assert "cuLaunchKernel" not in seen.text


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--step", "moon"), "`--step moon`: the steps are load, init, list,"),
        (("--repeat", "0"), "`--repeat 0`: --repeat takes a whole number from 1 to 1000"),
        (("--repeat", "two"), "`--repeat two`"),
        (("--jobs", "-1"), "`--jobs -1`"),
        (("--jobs", "65"), "`--jobs 65`: --jobs takes a whole number from 1 to 64"),
        (("--build", "cuda_v99", "--library", "cuda"), "`--build cuda_v99`: no build of this name"),
    ],
)
def test_what_has_no_meaning_is_wrong_usage(arguments: tuple[str, ...], word: str) -> None:
    ran = piped("validate", *arguments)

    assert ran.code == 2
    assert word in ran.err


def test_a_capture_cannot_be_asked_again() -> None:
    machine = Path(__file__).parent / "scenarios" / "eight-cards" / "capture.json"

    ran = piped("validate", "--repeat", "2", "--from", str(machine))

    assert ran.code == 2
    assert "which a capture cannot do" in ran.err


def test_a_capture_without_the_ladder_says_how_far_it_goes() -> None:
    machine = Path(__file__).parent / "scenarios" / "eight-cards" / "capture.json"

    document, ran = proved("--from", str(machine))

    assert ran.code == 0
    assert document["seconds"] is None
    assert {view["depth"] for view in document["views"]} == {"context"}
    assert "this capture has no full validation of every view; only context creation was tested" in document["warnings"]
