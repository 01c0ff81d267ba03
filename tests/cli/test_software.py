"""Software that was found, as `list` and `list DEVICE` show it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from gpuprobe.command import listing
from gpuprobe.command.options import Options
from gpuprobe.exits import Exit
from gpuprobe.facts import FoundSoftware
from gpuprobe.judging.rules import judge
from gpuprobe.model import Evidence, Request
from gpuprobe.probing.runtime_loading import Loads
from gpuprobe.render import texts
from gpuprobe.render.screen import Screen
from tests.cli import machines
from tests.cli.documents import checked
from tests.cli.machines import HOSTILE, captured
from tests.cli.terminal import on_terminal, piped
from tests.environments import installed, library
from tests.records import an_outcome

TORCH = FoundSoftware("torch", "/opt/lib/torch", "wheel", "CUDA", "2.15.0+cu132", "13.2", ("sm_75", "sm_86"))
NCCL = FoundSoftware("libnccl", "/usr/lib/libnccl.so.2", "linker cache", "CUDA", "2.27.3")
ROCBLAS = FoundSoftware("rocBLAS", "/opt/rocm/lib/rocblas/library", "ROCm", "ROCm", architectures=("gfx1100",))


def a_machine(*software: FoundSoftware, **fields: object) -> Evidence:
    device = machines.a_geforce(**fields)
    host = machines.with_driver()._replace(software=software)
    return machines.evidence(an_outcome(device), machines.witnessed(device), machines.passed(device), host=host)


def test_a_device_shows_the_software_of_its_library_with_the_answer_and_why(tmp_path: Path) -> None:
    path = captured(a_machine(TORCH, NCCL, ROCBLAS), tmp_path)

    said = piped("list", "CUDA:0", "--from", path, COLUMNS="200").out

    assert "  torch 2.15.0+cu132: compatible, wheel /opt/lib/torch\n" in said
    assert "      it has machine code for 8.6, which runs on 8.9 too; driver 580.95.05 runs machine code of" in said
    assert "  libnccl 2.27.3: unknown, linker cache /usr/lib/libnccl.so.2\n" in said
    assert "rocBLAS" not in said
    assert "it loads" not in said
    assert "whether it loads" not in said


def test_the_whole_list_shows_software_only_where_something_does_not_fit(tmp_path: Path) -> None:
    fits = piped("list", "--from", captured(a_machine(TORCH, NCCL), tmp_path)).out
    unfit = piped("list", "--from", captured(a_machine(TORCH, compute_major=6), tmp_path, "old.json"), COLUMNS="200").out

    assert "torch" not in fits
    assert "note: torch 2.15.0+cu132 of `/opt/lib/torch` cannot use CUDA:0: it has code for 7.5, 8.6" in unfit


def test_the_document_has_what_was_found_and_how_it_fits_each_device(tmp_path: Path) -> None:
    document = checked("list", piped("list", "--json", "--from", captured(a_machine(TORCH, ROCBLAS), tmp_path)).out)
    (device,) = document["devices"]

    assert [each["name"] for each in document["software"]] == ["torch", "rocBLAS"]
    assert [(each["name"], each["answer"]) for each in device["compatibility"]] == [("torch", "compatible")]
    assert "loads" not in device["compatibility"][0]


def test_where_nothing_was_looked_for_nothing_is_said(tmp_path: Path) -> None:
    document = checked("list", piped("list", "--json", "--from", captured(machines.two_geforces(), tmp_path)).out)

    assert "software" not in document
    assert all("compatibility" not in device for device in document["devices"])


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_names_in_foreign_files_are_shown_and_never_obeyed(tmp_path: Path, columns: int) -> None:
    hostile = FoundSoftware(HOSTILE, f"/opt/{HOSTILE}", HOSTILE, "CUDA", HOSTILE, HOSTILE, (HOSTILE,), HOSTILE)
    path = captured(a_machine(hostile, hostile._replace(library=None)), tmp_path)

    ran = piped("list", "CUDA:0", "--from", path, COLUMNS=str(columns))
    seen = on_terminal("list", "CUDA:0", "--from", path, "--no-color", columns=columns)
    document = checked("list", piped("list", "--json", "--from", path).out)

    assert "\x1b" not in ran.out + ran.err + seen.raw
    assert ran.code == 0
    assert len(document["devices"][0]["compatibility"]) == 2


def a_screen() -> Screen:
    return Screen(io.StringIO(), io.StringIO(), {})


def test_one_device_of_this_machine_has_its_libraries_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = judge(a_machine(TORCH, NCCL, ROCBLAS), Request())
    tried: list[tuple[str, ...]] = []

    def loads(found: list[FoundSoftware], seconds: float | None, watch: object) -> dict[str, Loads]:
        tried.append(tuple(each.name for each in found))
        return {NCCL.path: Loads(False, "libcudart.so.12: cannot open\x1b shared object file")}

    monkeypatch.setattr("gpuprobe.probing.runtime_loading.loads", loads)
    asked = Options(a_screen())
    part = listing.with_loads(listing.part_of(inventory, "CUDA:0"), inventory, asked)
    document = listing.document(inventory, part, "text", Exit.ANSWERED)
    asked.screen.show(texts.list_text(inventory, part, "text", asked, width=80, with_all=False))

    checked("list", json.dumps(document))
    (torch, nccl) = document["devices"][0]["compatibility"]
    assert tried == [("libnccl",)]
    assert "loads" not in torch
    assert (nccl["loads"], nccl["load_because"]) == (False, "libcudart.so.12: cannot open\\x1b shared object file")
    assert "it does not load: libcudart.so.12: cannot open" in asked.screen.out.getvalue()  # type: ignore[attr-defined]


def test_neither_the_whole_list_nor_a_capture_has_them_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = judge(a_machine(NCCL), Request())
    monkeypatch.setattr("gpuprobe.probing.runtime_loading.loads", None)
    whole, one = listing.part_of(inventory, None), listing.part_of(inventory, "CUDA:0")

    assert listing.with_loads(whole, inventory, Options(a_screen())) == whole
    assert listing.with_loads(one, inventory, Options(a_screen(), source="machine.json")) == one


def an_environment(root: Path) -> Path:
    """A virtual environment with FAISS for GPUs, whose code is for one old architecture."""
    site = root / "venv/lib/python3.12/site-packages"
    for path, content in installed("faiss_gpu-1.15.1", files={"faiss/libfaiss.so": library("sm_50")}, site=str(site)).items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content if isinstance(content, bytes) else content.encode())
    return root / "venv"


def test_an_environment_that_is_named_is_looked_through_on_any_machine(tmp_path: Path) -> None:
    document = checked("list", piped("list", "--json", "--software", str(an_environment(tmp_path))).out)

    (faiss,) = [each for each in document["software"] if each["name"] == "FAISS"]
    assert (faiss["version"], faiss["distribution"]) == ("1.15.1", "faiss-gpu")
    assert [file["architectures"] for file in faiss["files"]] == [["sm_50"]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--software", "/nowhere/at/all"), "`--software /nowhere/at/all`: no such directory"),
        (("--software", "/etc/passwd"), "`--software /etc/passwd`: not a directory"),
        (("--software", ""), "`--software `"),
    ],
)
def test_a_directory_that_is_none_is_wrong_usage(arguments: tuple[str, ...], said: str) -> None:
    ran = piped("list", *arguments)

    assert ran.code == 2
    assert said in ran.err


def test_an_environment_with_a_capture_is_wrong_usage(tmp_path: Path) -> None:
    ran = piped("list", "--software", str(tmp_path), "--from", captured(a_machine(), tmp_path))

    assert ran.code == 2
    assert "a capture already holds the builds and the software" in ran.err


def test_a_named_directory_without_packages_is_a_note(tmp_path: Path) -> None:
    assert "which holds no packages of Python or node" in piped("list", "--software", str(tmp_path), COLUMNS="400").out


def test_what_was_found_survives_a_capture(tmp_path: Path) -> None:
    file = tmp_path / "machine.json"

    captured_there = piped("capture", str(file), "--software", str(an_environment(tmp_path)))
    again = checked("list", piped("list", "--json", "--from", str(file)).out)

    assert captured_there.code == 0
    assert [each["version"] for each in again["software"] if each["name"] == "FAISS"] == ["1.15.1"]
