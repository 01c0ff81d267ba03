"""The ROCm backend in a real child, against doubles of HIP and rocBLAS: what a validation proves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpuprobe.backends.rocm import results
from tests.backends.talk import Talk, request, talk
from tests.doubles import Variables, described, hip_runtime, rocm_install, script

CARD = "8b5ac29c9e8f1a2b"
FIRST = described(name="Radeon", uuid=CARD, gfx="gfx1100", pci="0000:03:00.0", memory=24 << 30, free=20 << 30)
SECOND = described(name="Graphics", gfx="gfx1036", pci="0000:0e:00.0", memory=8 << 30)
ALONE = {"uuid": f"GPU-{CARD}", "number": 0, "copy": 0, "alone": True}
SEEN_ALONE: Variables = {"ROCR_VISIBLE_DEVICES": f"GPU-{CARD}"}


def validated(device: dict[str, Any], *lines: str, library: Path | None = None, rocblas: str = "", **environ: str) -> Talk:
    asked = request(library or rocm_install(), "rocm", purpose="validate", device=device)
    return talk(asked, {"FAKE_HIP": script(*lines), "FAKE_ROCBLAS": rocblas, **environ})


def test_a_context_and_then_rocblas_prove_that_a_card_computes() -> None:
    answer = validated(ALONE, FIRST, SECOND, **SEEN_ALONE)

    assert answer.all("passed") == [{"depth": "rocBLAS"}]
    assert answer.calls[-7:] == [
        "hipSetDevice",
        "hipFree",
        "hipMemGetInfo",
        "load librocblas.so.4",
        "rocblas_initialize",
        "rocblas_create_handle",
        "rocblas_destroy_handle",
    ]
    assert (answer.facts["free_memory"], answer.facts["total_memory"]) == (20 << 30, 24 << 30)
    assert answer.facts["rocblas"] == str(rocm_install().with_name("librocblas.so.4"))


def test_a_card_that_rocblas_has_no_kernels_for_ends_the_child() -> None:
    answer = validated(ALONE, FIRST, SECOND, rocblas="targets gfx900 gfx11000", **SEEN_ALONE)

    assert answer.exit_code == -6
    assert answer.calls[-1] == "rocblas_initialize"
    assert b"GPU arch : gfx1100" in answer.stderr
    assert answer.all("passed") == []


def test_a_card_that_is_seen_alone_does_not_die_of_another_one() -> None:
    both = validated({"uuid": f"GPU-{CARD}"}, FIRST, SECOND, rocblas="targets gfx1100")
    alone = validated(ALONE, FIRST, SECOND, rocblas="targets gfx1100", **SEEN_ALONE)

    assert both.exit_code == -6
    assert alone.all("passed") == [{"depth": "rocBLAS"}]


def test_without_rocblas_the_context_is_the_proof_and_it_is_said() -> None:
    answer = validated(ALONE, FIRST, library=hip_runtime())

    assert answer.all("passed") == [{"depth": "context"}]
    assert answer.facts["rocblas"] is None
    assert "only a context was made" in answer.facts["rocblas_problem"]
    assert "librocblas.so.4" in answer.facts["rocblas_problem"]


@pytest.mark.parametrize(("version", "name"), [(50221153, "3"), (60342134, "4"), (70110000, "5")])
def test_only_the_rocblas_of_the_same_release_is_looked_for(version: int, name: str) -> None:
    """One of another release would load a second HIP into the process."""
    steps = validated(ALONE, FIRST, f"version {version}", library=hip_runtime()).calls

    assert [step for step in steps if "rocblas" in step] == [f"load librocblas.so.{name}"]


@pytest.mark.parametrize(
    ("code", "status"), [(2, "unsupported"), (5, "busy"), (6, "call_failed"), (15, "unsupported"), (77, "call_failed")]
)
def test_what_rocblas_answers_says_what_that_proves(code: int, status: str) -> None:
    failed = validated(ALONE, FIRST, rocblas=f"error rocblas_create_handle {code}").failed

    assert failed is not None
    assert (failed["status"], failed["code"]) == (status, code)


@pytest.mark.parametrize("device", [{"uuid": f"GPU-{CARD}"}, {"uuid": f"GPU-{CARD.upper()}"}, {"pci_id": "0000:03:00.0"}])
def test_the_same_card_is_used_in_whatever_order_it_is_listed(tmp_path: Path, device: dict[str, Any]) -> None:
    log = tmp_path / "log"

    for order in ("", "reverse"):
        validated({**device, "number": 1}, FIRST, SECOND, FAKE_ORDER=order, FAKE_LOG=str(log))

    assert log.read_text().splitlines() == ["context 0000:03:00.0"] * 2


def test_of_partitions_the_one_that_is_seen_alone_is_used(tmp_path: Path) -> None:
    log = tmp_path / "log"
    partitions = [described(uuid=CARD, gfx="gfx942", pci=f"0000:05:00.{number}") for number in range(3)]

    answer = validated(ALONE, *partitions, ROCR_VISIBLE_DEVICES="2", FAKE_LOG=str(log))

    assert answer.all("passed") == [{"depth": "rocBLAS"}]
    assert log.read_text() == "context 0000:05:00.2\n"


def test_a_child_that_should_see_one_card_and_sees_two_proves_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"

    failed = validated(ALONE, FIRST, SECOND, FAKE_LOG=str(log)).failed

    assert failed is not None
    assert failed["status"] == "device_missing"
    assert "sees 2" in failed["message"]
    assert not log.exists()


@pytest.mark.parametrize("device", [{"uuid": "GPU-ffffffffffffffff"}, {"pci_id": "0000:99:00.0"}, {"number": 5}])
def test_a_card_that_is_gone_is_missing_and_no_other_is_taken(device: dict[str, Any]) -> None:
    failed = validated(device, FIRST, SECOND).failed

    assert failed is not None
    assert failed["status"] == "device_missing"


@pytest.mark.parametrize("function", ["hipSetDevice", "hipFree", "hipMemGetInfo"])
@pytest.mark.parametrize(("code", "status"), [(2, "busy"), (209, "unsupported"), (719, "call_failed")])
def test_a_context_that_cannot_be_used_says_what_that_proves(function: str, code: int, status: str) -> None:
    failed = validated(ALONE, FIRST, f"error {function} {code}").failed

    assert failed is not None
    assert (failed["status"], failed["code"], failed["name"]) == (status, code, results.NAMES[code])


def test_success_without_an_answer_proves_no_context() -> None:
    failed = validated(ALONE, FIRST, "silent hipMemGetInfo").failed

    assert failed is not None
    assert failed["status"] == "call_failed"
