"""Why a process computes on the CPU: the cause that what was read proves, and none that it rules out."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.cpu_reasons import Cause
from gpuprobe.doctor.judged_process import Judged, Where
from gpuprobe.doctor.process_surroundings import Surroundings
from gpuprobe.facts import DeviceNode
from tests.records import a_device
from tests.running_records import BIN, GGML, NOBODY_TELLS, SERVER, WITH_CUDA, a_card, a_process, around, verdict_of

DOCKER = "0::/system.slice/docker-" + "c0ffee" * 10 + "abcd.scope\n"


def on_the_cpu(log: str | None = None, machine: Surroundings | None = None, **fields: Any) -> Judged:
    found = verdict_of(a_process(**{"nodes": (), **fields}), NOBODY_TELLS, log, machine=machine)
    assert found.where is Where.ON_THE_CPU
    return found


@pytest.mark.parametrize(
    ("words", "quoted"),
    [
        (("-ngl", "0"), "-ngl 0"),
        (("--n-gpu-layers", "0"), "--n-gpu-layers 0"),
        (("--gpu-layers=0",), "--gpu-layers=0"),
        (("-ngl", "99", "-ngl", "0"), "-ngl 0"),
        (("--device", "none"), "--device none"),
        (("-dev", "none"), "-dev none"),
    ],
)
def test_an_option_that_asks_for_no_layer_is_named_as_it_was_given(words: tuple[str, ...], quoted: str) -> None:
    found = on_the_cpu(command=(*SERVER, *words))

    assert (found.cause, found.advice) == (Cause.ASKED, f"start it without `{quoted}`")


def test_a_variable_that_asks_for_no_layer_is_named_and_an_option_outweighs_it() -> None:
    zero = {"LLAMA_ARG_N_GPU_LAYERS": "0"}

    assert "`LLAMA_ARG_N_GPU_LAYERS=0`" in on_the_cpu(environ=zero).because
    assert on_the_cpu(environ=zero, command=(*SERVER, "-ngl", "99")).cause is not Cause.ASKED


@pytest.mark.parametrize("value", ["-1", "", "7", "GPU-99999999", "1,0"])
def test_its_own_environment_that_hides_the_card_is_named(value: str) -> None:
    expected = Cause.HIDDEN if value != "1,0" else Cause.UNKNOWN

    assert on_the_cpu(environ={"CUDA_VISIBLE_DEVICES": value}).cause is expected


def test_where_a_variable_is_set_says_where_to_take_it_out() -> None:
    hidden = {"CUDA_VISIBLE_DEVICES": "-1"}
    service = "0::/system.slice/ollama.service\n"

    assert "sudo systemctl edit ollama.service" in str(on_the_cpu(environ=hidden, control_group=service).advice)
    assert "its container's variables" in str(on_the_cpu(environ=hidden, control_group=DOCKER).advice)


def test_numbers_are_not_compared_where_gpuprobe_itself_counts_under_a_list() -> None:
    under_a_list = around(environ={"CUDA_VISIBLE_DEVICES": "1"})

    assert on_the_cpu(machine=under_a_list, environ={"CUDA_VISIBLE_DEVICES": "1"}).cause is not Cause.HIDDEN


def test_a_variable_that_hides_one_card_of_two_explains_nothing() -> None:
    other = a_card(number=1, ordinal=1, pci_id="0000:02:00.0", uuid="GPU-2")

    assert on_the_cpu(machine=around(a_card(), other), environ={"CUDA_VISIBLE_DEVICES": "1"}).cause is not Cause.HIDDEN


def test_a_build_without_anything_for_a_gpu_is_named() -> None:
    found = on_the_cpu(mapped=GGML, beside=())

    assert found.cause is Cause.NO_BUILD
    assert found.because.endswith("its build of ggml has nothing for a GPU")


def test_a_backend_that_lies_there_and_was_not_loaded_is_named() -> None:
    found = on_the_cpu(mapped=GGML)

    assert (found.cause, f"`{BIN}/libggml-cuda.so` is there and was not loaded" in found.because) == (Cause.NOT_MAPPED, True)


def test_no_advice_runs_a_library_that_may_be_another_accounts() -> None:
    """`ldd` may run what it is asked about."""
    advice = on_the_cpu(mapped=GGML).advice or ""

    assert "ldd" not in advice
    assert f"`readelf -d {BIN}/libggml-cuda.so`" in advice


@pytest.mark.parametrize(
    "fields", [{"mapped": (*GGML, f"{BIN}/libggml-hip.so")}, {"mapped": GGML, "beside": (f"{BIN}/libggml-hip.so",)}]
)
def test_a_build_for_another_vendors_cards_is_named(fields: dict[str, Any]) -> None:
    found = on_the_cpu(**fields)

    assert found.cause is Cause.OTHER_BUILD
    assert "its build computes through ROCm, and what is usable here is CUDA" in found.because


def test_torch_for_the_cpu_is_told_from_torch_that_has_not_begun() -> None:
    lib = "/venv/lib/python3.12/site-packages/torch/lib"
    known: dict[str, Any] = {"name": "python3", "command": ("python3", "-m", "comfy")}
    cpu = on_the_cpu(**known, mapped=(f"{lib}/libtorch_cpu.so",), beside=())
    cuda = on_the_cpu(**known, mapped=(f"{lib}/libtorch_cpu.so", f"{lib}/libtorch_cuda.so"))

    assert (cpu.cause, cuda.cause) == (Cause.NO_BUILD, Cause.NOT_BEGUN)


def test_a_process_that_is_older_than_the_drivers_device_file_is_to_be_restarted() -> None:
    found = on_the_cpu(started_at=999.0)

    assert (found.cause, found.advice) == (Cause.BEFORE_THE_DRIVER, "restart it")


def test_a_driver_that_was_replaced_under_a_running_program_is_named() -> None:
    found = on_the_cpu(replaced=(WITH_CUDA[-2],))

    assert found.cause is Cause.REPLACED


def test_an_account_that_may_not_open_the_device_file_is_named_with_the_group_that_may() -> None:
    closed = around(nodes=(DeviceNode("/dev/nvidiactl", 0o660, 0, 44, 195, 255, True, "video"),))

    found = on_the_cpu(machine=closed)

    assert found.cause is Cause.NO_PERMISSION
    assert found.advice == "run `sudo usermod -aG video anna`, and restart it"
    assert on_the_cpu(machine=closed, groups=(44,)).cause is not Cause.NO_PERMISSION
    assert on_the_cpu(machine=closed, user=0).cause is not Cause.NO_PERMISSION


def test_a_container_without_a_device_file_is_told_how_to_get_one() -> None:
    found = on_the_cpu(control_group=DOCKER, root_nodes=())

    assert found.cause is Cause.NO_NODE
    assert "its container (docker c0ffeec0ffee) has no device file of a GPU" in found.because
    assert "--gpus all" in str(found.advice)
    assert on_the_cpu(control_group=DOCKER, root_nodes=("/dev/nvidiactl",)).cause is not Cause.NO_NODE
    assert on_the_cpu(control_group=DOCKER, root_nodes=None).cause is not Cause.NO_NODE


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("ggml_cuda: cudaMalloc failed: out of memory", Cause.NO_MEMORY),
        ("ggml_cuda_init: failed to initialize CUDA: unknown error", Cause.SAID_SO),
    ],
)
def test_a_line_of_its_log_that_says_why_is_quoted(line: str, cause: Cause) -> None:
    found = on_the_cpu(f"{line}\nload_tensors:   CPU_Mapped model buffer size = 4403.49 MiB\n")

    assert found.cause is cause
    assert f'"{line}"' in found.because


def test_where_nothing_proves_a_cause_none_is_named() -> None:
    found = on_the_cpu()

    assert (found.cause, found.because.endswith("nothing that could be read says why")) == (Cause.UNKNOWN, True)


def test_a_list_of_vulkans_that_shows_ggml_nothing_is_named() -> None:
    card = a_device("Vulkan", pci_id="0000:03:00.0", ordinal=0)
    mapped = (*GGML, f"{BIN}/libggml-vulkan.so")

    found = on_the_cpu(machine=around(card), mapped=mapped, environ={"GGML_VK_VISIBLE_DEVICES": "-1"})

    assert (found.cause, "`GGML_VK_VISIBLE_DEVICES=-1`" in found.because) == (Cause.HIDDEN, True)
