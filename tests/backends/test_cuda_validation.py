"""The CUDA backend in a real child, against a double of NVIDIA's driver library: what a validation proves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpuprobe.backends.cuda import results
from tests.backends.talk import Talk, request, talk
from tests.doubles import cuda_driver, described, script

FIRST = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
SECOND = "GPU-11111111-2222-3333-4444-555555555555"
THIRD = "GPU-7a3b0c2d-1111-5222-8333-444455556666"
TWO = (
    described(uuid=FIRST, pci="0000:01:00.0", memory=24 << 30, free=20 << 30),
    described(uuid=SECOND, pci="10000:C1:00.0", memory=8 << 30, free=1 << 30),
)


def validated(device: dict[str, Any], *lines: str, **environ: str) -> Talk:
    asked = request(cuda_driver(), purpose="validate", device=device)
    return talk(asked, {"FAKE_CUDA": script(*lines), **environ})


@pytest.mark.parametrize("order", ["", "reverse", "shuffled"])
@pytest.mark.parametrize("identity", [{"uuid": SECOND}, {"uuid": SECOND.upper()}, {"pci_id": "10000:c1:00.0"}])
def test_validation_uses_the_same_card_in_whatever_order_it_is_listed(
    tmp_path: Path, order: str, identity: dict[str, str]
) -> None:
    third = described(uuid=THIRD, pci="0000:02:00.0")
    log = tmp_path / "log"

    answer = validated({**identity, "number": 0}, *TWO, third, FAKE_ORDER=order, FAKE_LOG=str(log))

    assert log.read_text().split("\n")[:2] == [f"retain {SECOND}", f"release {SECOND}"]
    assert answer.all("passed") == [{"depth": "context"}]
    assert answer.is_done


def test_a_card_without_an_identity_is_validated_by_its_number() -> None:
    plain, other = described(memory=1 << 30), described(memory=2 << 30)

    assert validated({"number": 1}, plain, other).facts["total_memory"] == 2 << 30


def test_of_cards_with_one_identity_the_wanted_copy_is_validated() -> None:
    matches = described(uuid=FIRST, memory=1 << 30), described(uuid=FIRST, memory=2 << 30)

    assert validated({"uuid": FIRST, "copy": 1}, *matches).facts["total_memory"] == 2 << 30


def test_validation_tells_the_free_memory_in_bytes() -> None:
    facts = validated({"uuid": FIRST}, *TWO).facts

    assert (facts["free_memory"], facts["total_memory"]) == (20 << 30, 24 << 30)


@pytest.mark.parametrize("device", [{"uuid": THIRD}, {"pci_id": "0000:99:00.0"}, {"number": 2}, {"uuid": FIRST, "copy": 1}])
def test_a_card_that_is_gone_is_missing_and_no_other_is_taken(tmp_path: Path, device: dict[str, Any]) -> None:
    log = tmp_path / "log"

    failed = validated(device, *TWO, FAKE_LOG=str(log)).failed

    assert failed is not None
    assert failed["status"] == "device_missing"
    assert not log.exists()


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (2, "busy"),
        (46, "busy"),
        (808, "busy"),
        (34, "unsupported"),
        (102, "unsupported"),
        (209, "unsupported"),
        (801, "unsupported"),
        (803, "unsupported"),
        (804, "unsupported"),
        (101, "call_failed"),
        (214, "call_failed"),
        (304, "call_failed"),
        (800, "call_failed"),
        (802, "call_failed"),
        (999, "call_failed"),
        (4711, "call_failed"),
    ],
)
def test_only_a_definite_error_makes_a_card_unsupported(code: int, status: str) -> None:
    assert results.context_status(code) == status


@pytest.mark.parametrize("function", ["cuDevicePrimaryCtxRetain", "cuCtxSetCurrent", "cuMemGetInfo_v2"])
@pytest.mark.parametrize(("code", "status"), [(2, "busy"), (46, "busy"), (209, "unsupported"), (802, "call_failed")])
def test_a_context_that_cannot_be_used_says_what_that_proves(function: str, code: int, status: str) -> None:
    answer = validated({"uuid": FIRST}, *TWO, f"error {function} {code}")

    assert answer.failed is not None
    assert (answer.failed["status"], answer.failed["code"]) == (status, code)
    assert answer.all("passed") == []


@pytest.mark.parametrize("function", ["cuDevicePrimaryCtxRetain", "cuMemGetInfo_v2"])
def test_success_without_an_answer_proves_no_context(function: str) -> None:
    failed = validated({"uuid": FIRST}, *TWO, f"silent {function}").failed

    assert failed is not None
    assert failed["status"] == "call_failed"


def test_a_driver_that_does_not_start_validates_nothing() -> None:
    failed = validated({"uuid": FIRST}, *TWO, "error cuInit 803").failed

    assert failed is not None
    assert (failed["status"], failed["code"]) == ("init_failed", 803)
