"""What a ggml build lists and how it fails, over builds of our own: all four layouts, every way into a build, every ending."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from gpuprobe.model import DeviceType, Probe, Purpose, Status
from gpuprobe.probing.answers import Answers
from tests.backends.talk import Talk
from tests.doubles import described, nvml_driver
from tests.ggml_world import double

GiB = 1 << 30
RTX = described(
    name="NVIDIA GeForce RTX 4090", memory=24 * GiB, free=20 * GiB, pci="0000:01:00.0", cc="8.9", id="GPU-" + "1" * 36
)
GTX = described(
    name="NVIDIA GeForce GTX 1080", memory=8 * GiB, free=7 * GiB, pci="0000:02:00.0", cc="6.1", id="GPU-" + "2" * 36
)
ORIN = described(name="Orin", memory=30 * GiB, free=29 * GiB, type=2, cc="8.7", integrated=1, id="GPU-" + "3" * 36)

LAYOUTS = ["LLAMA_1", "LLAMA_2", "OLLAMA_1", "OLLAMA_2"]


def the(key: str, answer: Talk) -> list[Any]:
    return [device[key] for device in answer.devices]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_name_and_memory(layout: str, tmp_path: Path) -> None:
    answer = double(tmp_path, RTX, GTX, defines=(f"LAYOUT={layout}",)).talk()

    assert answer.is_done
    assert the("number", answer) == [0, 1]
    assert the("name", answer) == ["NVIDIA GeForce RTX 4090", "NVIDIA GeForce GTX 1080"]
    assert the("description", answer) == ["CUDA0", "CUDA1"]
    assert the("total_memory", answer) == [24 * GiB, 8 * GiB]
    assert the("free_memory", answer) == [20 * GiB, 7 * GiB]


@pytest.mark.parametrize(
    ("layout", "pci_id", "uuid", "compute_major"),
    [
        ("LLAMA_1", None, None, None),
        ("LLAMA_2", "0000:01:00.0", None, None),
        ("OLLAMA_1", None, "GPU-" + "1" * 36, None),
        ("OLLAMA_2", "0000:01:00.0", "GPU-" + "1" * 36, 8),
    ],
)
def test_each_layout_is_read_as_what_it_is(
    layout: str, pci_id: str | None, uuid: str | None, compute_major: int | None, tmp_path: Path
) -> None:
    (device,) = double(tmp_path, RTX, defines=(f"LAYOUT={layout}",)).talk().devices

    assert device["pci_id"] == pci_id
    assert device.get("uuid") == uuid
    assert device["compute_major"] == compute_major


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_card_whose_memory_is_all_free_does_not_confuse_the_layouts(layout: str, tmp_path: Path) -> None:
    """In Ollama's older layout the free memory then stands where llama.cpp has the same number as its total."""
    empty = described(name="Empty", memory=8 * GiB, free=8 * GiB, id="GPU-" + "1" * 36, pci="0000:01:00.0")

    (device,) = double(tmp_path, empty, defines=(f"LAYOUT={layout}",)).talk().devices

    assert device.get("uuid") == ("GPU-" + "1" * 36 if layout.startswith("OLLAMA") else None)
    assert device["pci_id"] == ("0000:01:00.0" if layout.endswith("2") else None)


@pytest.mark.parametrize(("layout", "kind"), [("LLAMA_1", "unknown"), ("LLAMA_2", "integrated"), ("OLLAMA_2", "integrated")])
def test_an_integrated_gpu_is_known_where_the_interface_has_a_word_for_it(layout: str, kind: str, tmp_path: Path) -> None:
    answer = double(tmp_path, ORIN, defines=(f"LAYOUT={layout}",)).talk()

    assert the("type", answer) == [kind]


@pytest.mark.parametrize(("library", "kind"), [("CUDA", "unknown"), ("ROCm", "unknown"), ("Vulkan", "discrete")])
def test_what_cuda_and_hip_builds_call_a_gpu_may_be_integrated(library: str, kind: str, tmp_path: Path) -> None:
    answer = double(tmp_path, RTX, library=library).talk()

    assert the("type", answer) == [kind]


def test_ollamas_own_numbers_are_no_uuids(tmp_path: Path) -> None:
    counted = described(name="AMD Radeon", memory=8 * GiB, id="0")

    (device,) = double(tmp_path, counted, library="ROCm", defines=("LAYOUT=OLLAMA_2",)).talk().devices

    assert "uuid" not in device


def test_what_a_build_was_compiled_for_is_told_of_it_and_of_its_devices(tmp_path: Path) -> None:
    answer = double(tmp_path, "archs 500,610,700", "feature USE_GRAPHS 1", RTX).talk()

    features = {"ARCHS": "500,610,700", "USE_GRAPHS": "1"}
    known = {"ggml_version": "0.25.1", "architectures": ["500", "610", "700"], "features": features}
    assert answer.facts == {**known, "ggml_commit": "0ad4a86"}
    assert the("capabilities", answer) == [known]


def test_a_build_that_does_not_know_its_version_is_listed_all_the_same(tmp_path: Path) -> None:
    answer = double(tmp_path, RTX, base=("WITHOUT_VERSION",)).talk()

    assert answer.facts == {}
    assert the("capabilities", answer) == [{}]
    assert answer.is_done


@pytest.mark.parametrize(
    ("log", "known"),
    [
        ("  Device 0: NVIDIA GeForce RTX 4090, compute capability 8.9, VMM: yes, VRAM: 24564 MiB", (8, 9, None)),
        ("  Device 0: Odd, compute capability name, compute capability 12.1, VMM: yes", (12, 1, None)),
        ("  Device 0: AMD Radeon RX 7900 XTX, gfx1100 (0x1100), VMM: no, Wave Size: 32", (None, None, "gfx1100")),
        ("  Device 0: AMD Instinct, gfx942:sramecc+:xnack- (0x942), VMM: no", (None, None, "gfx942:sramecc+:xnack-")),
        ("  Device 1: NVIDIA GeForce RTX 4090, compute capability 8.9, VMM: yes", (None, None, None)),
        ("  Device 0: compute capability unknown", (None, None, None)),
    ],
)
def test_what_only_the_log_tells_is_taken_from_the_log(
    log: str, known: tuple[int | None, int | None, str | None], tmp_path: Path
) -> None:
    (device,) = double(tmp_path, described("load", log=log), RTX).talk().devices

    assert (device["compute_major"], device["compute_minor"], device["gfx_target"]) == known


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("llvmpipe (LLVM 15.0.6, 256 bits)", "software"),
        ("SwiftShader Device (Subzero)", "software"),
        ("Quadro llvmpipe", "discrete"),
    ],
)
def test_a_software_renderer_is_known_by_its_name_because_ggml_calls_it_a_gpu(name: str, kind: str, tmp_path: Path) -> None:
    answer = double(tmp_path, described(name=name, memory=2 * GiB), library="Vulkan").talk()

    assert the("type", answer) == [kind]


def test_memory_that_the_build_cannot_tell_is_unknown_and_not_nothing(tmp_path: Path) -> None:
    answer = double(tmp_path, described(name="Null", memory=0, pci="0000:01:00.0")).talk()

    assert the("total_memory", answer) == the("free_memory", answer) == [None]


def test_more_free_memory_than_there_is_says_nothing(tmp_path: Path) -> None:
    answer = double(tmp_path, described(name="Shared", memory=GiB, free=20 * GiB)).talk()

    assert (the("total_memory", answer), the("free_memory", answer)) == ([GiB], [None])


def test_figures_that_the_build_does_not_write_are_unknown(tmp_path: Path) -> None:
    silent = "silent ggml_backend_dev_memory", "silent ggml_backend_dev_get_props"

    (device,) = double(tmp_path, RTX, *silent).talk().devices

    assert device["total_memory"] is device["free_memory"] is device["pci_id"] is None
    assert device["name"] == "NVIDIA GeForce RTX 4090"


@pytest.mark.parametrize("function", ["ggml_backend_cuda_reg", "ggml_backend_init"])
def test_a_build_without_plug_ins_is_entered_by_its_own_registry(function: str, tmp_path: Path) -> None:
    """llama.cpp is built so by default; HIP builds keep CUDA's name for the function."""
    answer = double(tmp_path, RTX, library="ROCm", defines=(f"OWN_REGISTRY={function}",)).talk()

    assert function in answer.calls
    assert the("name", answer) == ["NVIDIA GeForce RTX 4090"]


def test_one_library_that_holds_all_of_ggml_is_asked_for_the_registry_by_name(tmp_path: Path) -> None:
    answer = double(tmp_path, RTX, library="Metal", defines=('BY_NAME="MTL"',)).talk()

    assert "ggml_backend_reg_by_name" in answer.calls
    assert the("description", answer) == ["Metal0"]


def test_each_call_is_announced_before_it_is_made(tmp_path: Path) -> None:
    answer = double(tmp_path, RTX, "crash ggml_backend_dev_memory").talk()

    assert answer.exit_code == -signal.SIGSEGV
    assert answer.calls[-1] == "ggml_backend_dev_memory"


def test_a_crash_while_the_build_starts_is_named(tmp_path: Path) -> None:
    answer = double(tmp_path, RTX, "abort ggml_backend_init").talk()

    assert answer.exit_code == -signal.SIGABRT
    assert answer.calls[-1] == "ggml_backend_init"


def failed(answer: Talk) -> dict[str, Any]:
    assert answer.failed is not None
    assert not answer.is_done
    return answer.failed


def test_a_build_that_starts_nothing_fails_with_its_own_last_words(tmp_path: Path) -> None:
    answer = failed(double(tmp_path, RTX, "error ggml_backend_init 1").talk())

    assert answer["status"] == "init_failed"
    assert answer["message"] == "`ggml_backend_init` gave no devices of CUDA: it gives no reason"


@pytest.mark.parametrize(
    ("log", "status"),
    [
        ("ggml_cuda_init: failed to initialize CUDA: no CUDA-capable device is detected", "init_failed"),
        ("ggml_vulkan: No devices found.", "no_devices"),
    ],
)
def test_a_build_without_devices_says_why_in_its_own_words(log: str, status: str, tmp_path: Path) -> None:
    answer = failed(double(tmp_path, described("load", log=log)).talk())

    assert answer["status"] == status
    assert answer["message"] == f"the build lists no device: {log}"


def test_a_build_for_another_processor_is_not_started(tmp_path: Path) -> None:
    answer = double(tmp_path, RTX, defines=("SCORE=0",)).talk()

    assert failed(answer)["status"] == "init_failed"
    assert "this processor cannot run it" in failed(answer)["message"]
    assert "ggml_backend_init" not in answer.calls


def test_a_missing_base_library_is_named(tmp_path: Path) -> None:
    build = double(tmp_path, RTX)
    build.before[0].unlink()

    answer = failed(build.talk())

    assert answer["status"] == "not_loadable"
    assert "libggml-base.so" in answer["message"]


def test_a_backend_that_is_not_told_its_base_library_finds_it_beside_itself(tmp_path: Path) -> None:
    answer = double(tmp_path, RTX).talk(before=[])

    assert the("name", answer) == ["NVIDIA GeForce RTX 4090"]


def test_a_backend_in_a_folder_of_its_own_needs_the_base_library_before_it(tmp_path: Path) -> None:
    build = double(tmp_path, RTX)
    (folder := tmp_path / "cuda_v12").mkdir()
    moved = build._replace(path=Path(shutil.move(build.path, folder)))

    assert moved.talk().is_done
    assert failed(moved.talk(before=[]))["status"] == "not_loadable"


def test_an_empty_directory_holds_no_build(tmp_path: Path) -> None:
    answer = failed(double(tmp_path)._replace(path=tmp_path / "empty" / "libggml-cuda.so").talk())

    assert answer["status"] == "not_loadable"
    assert "empty/libggml-cuda.so` did not load" in answer["message"]


@pytest.mark.parametrize("rubbish", [b"", b"no library", b"\x7fELF" + b"\0" * 60])
def test_a_file_of_rubbish_is_no_build(rubbish: bytes, tmp_path: Path) -> None:
    build = double(tmp_path, RTX)
    build.path.write_bytes(rubbish)

    answer = failed(build.talk())

    assert answer["status"] == "not_loadable"
    assert "libggml-cuda.so` did not load" in answer["message"]


def test_a_library_without_ggmls_functions_is_no_build(tmp_path: Path) -> None:
    build = double(tmp_path, RTX)._replace(path=nvml_driver())

    answer = failed(build.talk())

    assert answer["status"] == "not_loadable"
    assert "has none of the functions" in answer["message"]


def test_a_base_library_of_another_version_is_named_by_what_it_lacks(tmp_path: Path) -> None:
    answer = failed(double(tmp_path, RTX, defines=("NEEDS=ggml_of_tomorrow",)).talk())

    assert answer["status"] == "not_loadable"
    assert "undefined symbol: ggml_of_tomorrow" in answer["message"]
    assert "libraries of different releases are mixed" in answer["message"]


def test_a_base_library_that_is_another_one_is_found_out(tmp_path: Path) -> None:
    """The backend then has its registry, and nobody has the functions to read it."""
    build = double(tmp_path, RTX)
    build.before[0].write_bytes(nvml_driver().read_bytes())

    answer = failed(build.talk(before=[]))

    assert answer["status"] == "call_failed"
    assert "the build has no function `ggml_backend_reg_dev_count`" in answer["message"]


@pytest.mark.parametrize("before", ["libggml-base.so", [""], [1], {}])
def test_a_request_with_a_wrong_list_of_libraries_is_malformed(before: object, tmp_path: Path) -> None:
    answer = double(tmp_path, RTX).talk(before=before)

    assert answer.exit_code == 2
    assert b"no fitting `before`" in answer.stderr


def test_the_parent_reads_a_build_s_answer(tmp_path: Path) -> None:
    probe = Probe("CUDA", Purpose.LIST, build="cuda_v12")
    answers = Answers(probe)

    for line in double(tmp_path, "archs 500,610", RTX, ORIN, defines=("LAYOUT=OLLAMA_2",)).talk().said.splitlines():
        answers.take(line.encode())

    outcome = answers.outcome(status=Status.OK)
    assert outcome.status is Status.OK
    assert [device.build for device in outcome.devices] == ["cuda_v12"] * 2
    assert [device.type for device in outcome.devices] == [DeviceType.UNKNOWN, DeviceType.INTEGRATED]
    assert [device.uuid_space for device in outcome.devices] == ["nvidia"] * 2
    assert outcome.facts["architectures"] == ["500", "610"]
    assert outcome.library_path == str(tmp_path / "libggml-cuda.so")
