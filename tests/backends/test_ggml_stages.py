"""How a ggml build proves itself: memory, copies and one matrix product, and each of them failing in turn."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from gpuprobe.backends.stages import STAGE_NAMES
from tests.backends.talk import Talk
from tests.doubles import described
from tests.ggml_world import Build, double

CARDS = tuple(described(name=f"Card {number}", pci=f"0000:0{number}:00.0", memory=8 << 30) for number in (1, 2))
SECOND = {"pci_id": "0000:02:00.0", "number": 0}


def stages(answer: Talk) -> list[str]:
    return [str(name) for name in answer.all("stage")]


def failed(answer: Talk) -> dict[str, Any]:
    assert answer.failed is not None
    assert not answer.is_done
    return answer.failed


def a_build(directory: Path, *lines: str, base: tuple[str, ...] = (), base_lines: tuple[str, ...] = ()) -> Build:
    build = double(directory, *CARDS, *lines, base=base)
    Path(f"{build.before[0]}.script").write_text("\n".join(base_lines))
    return build


def test_a_validation_starts_the_backend_on_the_wanted_device_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"

    answer = a_build(tmp_path).talk({"FAKE_LOG": str(log)}, purpose="validate", device=SECOND)

    assert answer.all("passed") == [{"depth": "context"}]
    assert answer.calls[-3:] == ["ggml_backend_dev_init", "ggml_backend_dev_memory", "ggml_backend_free"]
    assert log.read_text() == "init CUDA1\n"


@pytest.mark.parametrize("wanted", [{"number": 1}, {"number": 0, "pci_id": "0000:02:00.0"}])
def test_a_device_is_found_again_by_its_address_and_else_by_its_number(wanted: dict[str, Any], tmp_path: Path) -> None:
    log = tmp_path / "log"

    a_build(tmp_path).talk({"FAKE_LOG": str(log)}, purpose="validate", device=wanted)

    assert log.read_text() == "init CUDA1\n"


def test_a_device_is_found_again_by_ollamas_uuid(tmp_path: Path) -> None:
    cards = [described(name="Twin", id="GPU-" + digit * 36, memory=8 << 30) for digit in "12"]
    wanted = {"uuid": "GPU-" + "2" * 36, "number": 0}

    answer = double(tmp_path, *cards, defines=("LAYOUT=OLLAMA_1",)).talk(
        {"FAKE_LOG": str(tmp_path / "log")}, purpose="validate", device=wanted
    )

    assert answer.is_done
    assert (tmp_path / "log").read_text() == "init CUDA1\n"


@pytest.mark.parametrize("wanted", [{"number": 2}, {"pci_id": "0000:03:00.0"}])
def test_a_device_that_is_gone_is_missing(wanted: dict[str, Any], tmp_path: Path) -> None:
    answer = a_build(tmp_path).talk(purpose="validate", device=wanted)

    assert failed(answer)["status"] == "device_missing"


@pytest.mark.parametrize(
    ("words", "status"), [("no kernels for it", "unsupported"), ("cudaMalloc failed: out of memory", "busy")]
)
def test_a_device_that_the_backend_does_not_start_on_is_unsupported_or_full(words: str, status: str, tmp_path: Path) -> None:
    starts_not = described("start", log=words), "error ggml_backend_dev_init 1"

    answer = failed(a_build(tmp_path, *starts_not).talk(purpose="validate", device=SECOND))

    assert answer["status"] == status
    assert words in answer["message"]


def test_the_last_stage_ends_with_a_product_that_is_right(tmp_path: Path) -> None:
    answer = a_build(tmp_path).talk(purpose="prove", device=SECOND)

    assert answer.is_done
    assert stages(answer) == ["load", "init", "list", "context", "allocate", "copy", "product"]
    assert answer.all("passed") == [{"depth": "product"}]
    assert answer.all("figures")[0]["allocated_bytes"] >= 4 << 20
    assert answer.calls[-3:] == ["ggml_backend_buffer_free", "ggml_free", "ggml_backend_free"]


@pytest.mark.parametrize("until", [stage for stage in STAGE_NAMES if stage not in ("kernel", "blas", "bandwidth")])
def test_the_validation_ends_where_it_is_wanted_to(until: str, tmp_path: Path) -> None:
    answer = a_build(tmp_path).talk(purpose="prove", device=SECOND, until=until)

    assert answer.is_done
    assert stages(answer)[-1] == until
    assert answer.all("passed") == [{"depth": until}]


@pytest.mark.parametrize("index", [0, 137, 511])
def test_one_wrong_element_of_the_product_is_found(index: int, tmp_path: Path) -> None:
    answer = a_build(tmp_path, base_lines=(f"spoil {index}",)).talk(purpose="prove", device=SECOND)

    wrong = failed(answer)["wrong"]
    assert failed(answer)["status"] == "wrong_result"
    assert (wrong["compared"], wrong["different"], wrong["first"][0]["index"]) == (512, 1, index)
    assert wrong["first"][0]["found"] == wrong["first"][0]["expected"] + 1
    assert stages(answer)[-1] == "product"


def test_memory_that_keeps_nothing_is_found_before_anything_is_computed(tmp_path: Path) -> None:
    answer = a_build(tmp_path, base_lines=("keeps 0",)).talk(purpose="prove", device=SECOND)

    assert failed(answer)["status"] == "wrong_result"
    assert failed(answer)["wrong"]["compared"] == 1 << 20
    assert stages(answer)[-1] == "copy"


def test_a_device_without_memory_for_it_is_busy(tmp_path: Path) -> None:
    answer = a_build(tmp_path, base_lines=("error ggml_backend_alloc_ctx_tensors 1",)).talk(purpose="prove", device=SECOND)

    assert failed(answer)["status"] == "busy"
    assert stages(answer)[-1] == "allocate"


@pytest.mark.parametrize("code", [-1, 1])
def test_a_graph_that_fails_gives_its_number(code: int, tmp_path: Path) -> None:
    spoiled = a_build(tmp_path, base_lines=(f"error ggml_backend_graph_compute {code}",))

    answer = failed(spoiled.talk(purpose="prove", device=SECOND))

    assert (answer["status"], answer["code"]) == ("call_failed", code)
    assert answer["message"].startswith(f"`ggml_backend_graph_compute` failed with {code}: ")


def test_a_crash_in_the_product_is_on_its_stage(tmp_path: Path) -> None:
    answer = a_build(tmp_path, base_lines=("crash ggml_backend_graph_compute",)).talk(purpose="prove", device=SECOND)

    assert answer.exit_code == -signal.SIGSEGV
    assert stages(answer)[-1] == "product"
    assert answer.calls[-1] == "ggml_backend_graph_compute"


@pytest.mark.parametrize(
    ("base", "lines", "because"),
    [
        (("WITHOUT_PRODUCT",), (), "`ggml_mul_mat`"),
        ((), ("refuses 1",), "computes no matrix product of 32-bit floats"),
    ],
)
def test_a_product_that_the_build_does_not_offer_is_not_possible_and_no_failure(
    base: tuple[str, ...], lines: tuple[str, ...], because: str, tmp_path: Path
) -> None:
    answer = a_build(tmp_path, base=base, base_lines=lines).talk(purpose="prove", device=SECOND)

    (said,) = answer.all("not_possible")
    assert because in said["because"]
    assert answer.all("passed") == [{"depth": "copy"}]
    assert answer.is_done
    assert answer.calls[-1] == "ggml_backend_free"


def test_a_build_without_buffers_of_its_own_is_proved_as_far_as_a_context(tmp_path: Path) -> None:
    answer = a_build(tmp_path, base=("WITHOUT_BUFFERS",)).talk(purpose="prove", device=SECOND)

    (said,) = answer.all("not_possible")
    assert "`ggml_backend_alloc_ctx_tensors`" in said["because"]
    assert answer.all("passed") == [{"depth": "context"}]
    assert answer.calls[-1] == "ggml_backend_free"
