"""What a person is told that was seen of a process: each in one line, with the place where it was read."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.judging.engine_words import Said, said_by
from gpuprobe.judging.held_memory import Held, Holding
from gpuprobe.judging.mapped_libraries import GGML, Part, gpu_parts, mapped
from gpuprobe.judging.process_evidence import claim_text, evidence_of
from gpuprobe.machine.known_programs import Asked
from gpuprobe.machine.process_records import Gathered, Interface, LogText, Process
from gpuprobe.model import GiB
from tests.running_records import ALL, BIN, CUDA_NODES, NOBODY_TELLS, NUMBER, WITH_CUDA, a_process, holds
from tests.running_records import GGML as OF_GGML

PROC = f"/proc/{NUMBER}"


NOTHING_SAID, NOTHING_ASKED = Said(), Asked()


def told(
    process: Process,
    holding: Holding = NOBODY_TELLS,
    said: Said = NOTHING_SAID,
    asked: Asked = NOTHING_ASKED,
    **gathered: Any,
) -> list[tuple[str, str, str]]:
    found = evidence_of(Gathered(process, **gathered), holding, mapped(process.mapped or ()), said, asked)
    return [(each.source, each.place, each.said) for each in found]


def test_what_the_kernel_shows_of_a_process_comes_first_and_what_it_was_asked_for_last() -> None:
    found = told(
        a_process(),
        holds(5 * GiB),
        asked=Asked(layers_by="-ngl 99", cpu_by="--device none"),
        interfaces=(Interface(8080, "/props", "llama"),),
    )

    assert found == [
        ("kernel", f"{PROC}/fd", f"open: {', '.join(CUDA_NODES)}"),
        ("driver", "NVML", "CUDA:0: 5.0 GiB held"),
        ("maps", f"{PROC}/maps", "mapped: libggml-cuda.so, libcuda.so.580.95.05"),
        ("interface", "http://127.0.0.1:8080/props", "it says that it serves llama"),
        ("command line", PROC, "-ngl 99"),
        ("command line", PROC, "--device none"),
    ]
    assert told(a_process(), asked=Asked(layers_by="-ngl 0", cpu_by="-ngl 0"))[2:] == [("command line", PROC, "-ngl 0")]


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        (None, "cannot be read by this account"),
        ((), "no device file of a GPU is open"),
        (tuple("abcdef"), "open: a, b, c, d, e, f"),
        (tuple("abcdefg"), "open: a, b, c, d, e, f and 1 more"),
    ],
)
def test_open_device_files_are_named_the_first_six_of_them(nodes: tuple[str, ...] | None, said: str) -> None:
    assert told(a_process(nodes=nodes))[0] == ("kernel", f"{PROC}/fd", said)


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (None, "cannot be read by this account"),
        ((), "nothing is mapped that computes on a GPU"),
        (OF_GGML, "nothing is mapped that computes on a GPU (ggml is loaded)"),
        (WITH_CUDA, "mapped: libggml-cuda.so, libcuda.so.580.95.05"),
    ],
)
def test_mapped_files_that_compute_are_named(paths: tuple[str, ...] | None, said: str) -> None:
    assert told(a_process(mapped=paths))[1] == ("maps", f"{PROC}/maps", said)


def test_files_that_were_replaced_since_the_start_are_named() -> None:
    assert ("maps", f"{PROC}/maps", "replaced since it was started: /a.so, /b.so") in told(
        a_process(replaced=("/a.so", "/b.so"))
    )


@pytest.mark.parametrize(
    ("holding", "teller", "said"),
    [
        (Holding((Held("CUDA:0", None, "NVML"),)), "NVML", "CUDA:0: uses it; how much it holds is not told"),
        (Holding((), (("a", "NVML"), ("b", "KFD"), ("c", "NVML")), True), "NVML, KFD", "it lists nothing of this process"),
        (Holding((), (), True), "the driver", "it lists nothing of this process"),
    ],
)
def test_what_the_driver_tells_is_told_with_who_tells_it(holding: Holding, teller: str, said: str) -> None:
    assert told(a_process(), holding)[1] == ("driver", teller, said)


def test_where_not_every_driver_tells_nothing_held_is_not_said_to_be_nothing() -> None:
    assert [source for source, *_ in told(a_process(), Holding((), (("CUDA:0", "NVML"),)))] == ["kernel", "maps"]


def of_log(text: str | None, problem: str | None = None) -> list[str]:
    log = LogText("/var/log/x.log", text, problem)
    found = told(a_process(), said=said_by((text or "").splitlines()), logs=(log,))
    assert {place for source, place, _ in found if source == "log"} == {"/var/log/x.log"}
    return [said for source, _, said in found if source == "log"]


def test_of_a_log_its_weights_its_layers_and_its_first_complaints_are_told() -> None:
    complaints = "".join(f"{word}: out of memory\n" for word in "abcde")

    assert of_log(ALL) == ["weights: CUDA0 4.3 GiB", "load_tensors: offloaded 33/33 layers to GPU"]
    assert of_log(complaints) == [f"{word}: out of memory" for word in "abcd"]
    assert of_log("out of memory " + "x" * 300) == ["out of memory " + "x" * 186]
    assert of_log("hello") == ["it says nothing about layers, buffers or a GPU"]
    assert of_log("load_tensors: CPU model buffer size = 1.00 MiB") == ["weights: CPU 1 MiB"]


@pytest.mark.parametrize(
    ("problem", "said"), [("denied", "cannot be read by this account"), (None, "not read"), ("absent", "absent")]
)
def test_a_log_that_could_not_be_read_says_why(problem: str | None, said: str) -> None:
    assert of_log(None, problem) == [said]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"problem": "refused"}, "refused"),
        ({}, "it says that it serves a model"),
        ({"model": "m", "size": 3 * GiB, "on_gpu": GiB}, "it says that 33 % of m are on a GPU"),
        ({"model": "m", "size": GiB, "on_gpu": 0}, "it says that 0 % of m are on a GPU"),
        ({"size": GiB, "on_gpu": 2 * GiB}, "it says that 100 % of a model are on a GPU"),
        ({"model": "m", "size": GiB}, "it says that it serves m"),
        ({"model": "m", "size": 0, "on_gpu": 0}, "it says that it serves m"),
    ],
)
def test_what_an_interface_claims_is_told_as_its_claim(fields: dict[str, Any], said: str) -> None:
    assert claim_text(Interface(8080, "/", **fields)) == said


def test_backends_drivers_and_engines_are_known_by_their_files() -> None:
    site = "/venv/lib/python3.12/site-packages"
    torch = (f"{site}/torch/lib/libtorch_cpu.so", f"{site}/torch/lib/libtorch_cuda.so")

    found = mapped((*WITH_CUDA, *torch, f"{BIN}/other/libggml-cuda.so", f"{BIN}/libggml-vulkan.so.0.9"))

    assert found.engine == GGML
    assert found.engines == ("ggml", "torch")
    assert found.drivers == (Part("CUDA", "CUDA", "/usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05"),)
    assert found.backends == (
        Part("ggml", "CUDA", f"{BIN}/libggml-cuda.so"),
        Part("torch", "CUDA", f"{site}/torch/lib/libtorch_cuda.so"),
        Part("ggml", "Vulkan", f"{BIN}/libggml-vulkan.so.0.9"),
    )
    assert mapped(()).engine is None
    assert gpu_parts((f"{site}/torch/lib/libtorch_nvshmem.so",)) == ()  # which computes nothing by itself


@pytest.mark.parametrize("kind", ["cpu", "blas", "rpc", "base"])
def test_a_backend_for_no_gpu_of_this_machine_is_no_part(kind: str) -> None:
    assert gpu_parts((f"{BIN}/libggml-{kind}.so",)) == ()


def test_a_backend_that_gpuprobe_does_not_ask_is_a_part_by_its_own_name() -> None:
    assert gpu_parts((f"{BIN}/libggml-sycl.so",)) == (Part("ggml", "SYCL", f"{BIN}/libggml-sycl.so"),)
