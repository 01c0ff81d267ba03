"""What engines say in their logs of where a model is, in the wordings of their generations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gpuprobe.judging.engine_words import Said, Words, is_device, said_by
from gpuprobe.model import GiB, MiB

B10434 = """\
0.00.095.359 I cmn  common_param:   - Vulkan0 : llvmpipe (LLVM 15.0.6, 256 bits) (2048 MiB, 2048 MiB free)
0.00.297.169 I srv    load_model: loading model '/models/gemma.gguf'
0.00.733.342 I llama_prepare_model_devices: using device Vulkan0 (llvmpipe (LLVM 15.0.6, 256 bits)) (unknown id) - 2048 MiB free
0.01.060.183 I load_tensors: offloading output layer to GPU
0.01.060.200 I load_tensors: offloading 4 repeating layers to GPU
0.01.060.200 I load_tensors: offloaded 5/19 layers to GPU
0.01.060.206 I load_tensors:   CPU_Mapped model buffer size =   220.30 MiB
0.01.060.207 I load_tensors:      Vulkan0 model buffer size =    14.86 MiB
0.01.073.254 I llama_kv_cache:        CPU KV buffer size =     1.00 MiB
0.01.077.821 I sched_reserve:    Vulkan0 compute buffer size =    17.75 MiB
0.01.077.836 I sched_reserve: Vulkan_Host compute buffer size =     5.26 MiB
"""
# The same program where no device is there at all: the words are the same, the buffers are not.
WITHOUT_A_DEVICE = """\
0.00.297.169 I srv    load_model: loading model '/models/gemma.gguf'
0.01.017.457 I load_tensors: offloaded 5/19 layers to GPU
0.01.017.465 I load_tensors:   CPU_Mapped model buffer size =   235.16 MiB
0.01.017.467 I load_tensors:   CPU_REPACK model buffer size =    12.66 MiB
"""
OF_2024 = """\
llama_model_loader: loaded meta data with 24 key-value pairs and 291 tensors from /m/7b.gguf (version GGUF V3 (latest))
llm_load_tensors: offloading 32 repeating layers to GPU
llm_load_tensors: offloaded 33/33 layers to GPU
llm_load_tensors:        CPU buffer size =    70.31 MiB
llm_load_tensors:      CUDA0 buffer size =  3847.55 MiB
llama_kv_cache_init:      CUDA0 KV buffer size =   256.00 MiB
llama_new_context_with_model:      CUDA0 compute buffer size =   164.00 MiB
"""
OF_2023 = "llama.cpp: loading model from 7b.bin\nllama_model_load_internal: offloaded 20/35 layers to GPU\n"
OLLAMA_OF_2024 = (
    'time=2024-06-01T10:00:00Z level=INFO source=memory.go:133 msg="offload to cuda" layers.requested=-1 layers.model=33 '
    'layers.offload=12 layers.split="" memory.available="[5.1 GiB]" memory.required.full="9.0 GiB"'
)
OLLAMAS_OWN_ENGINE = """\
time=2025-10-02T09:00:00.000Z level=INFO source=ggml.go:494 msg="offloaded 25/25 layers to GPU"
time=2025-10-02T09:00:00.000Z level=INFO source=device.go:240 msg="model weights" device=CUDA0 size="11.8 GiB"
time=2025-10-02T09:00:00.000Z level=INFO source=device.go:245 msg="model weights" device=CPU size="1.1 GiB"
time=2025-10-02T09:00:00.000Z level=INFO source=device.go:251 msg="kv cache" device=CUDA0 size="300.0 MiB"
time=2025-10-02T09:00:00.000Z level=INFO source=device.go:262 msg="compute graph" device=CUDA0 size="128.0 MiB"
"""


def said(text: str, mark: str | None = None) -> Said:
    return said_by(text.splitlines(), mark)


def test_todays_llama_cpp_tells_layers_buffers_and_the_name_of_its_device() -> None:
    found = said(B10434)

    assert (found.offloaded, found.layers, found.uses_a_device) == (5, 19, True)
    assert [(each.device, each.on_device, each.kind) for each in found.buffers] == [
        ("CPU_Mapped", False, "weights"),
        ("Vulkan0", True, "weights"),
        ("CPU", False, "cache"),
        ("Vulkan0", True, "compute"),
        ("Vulkan_Host", False, "compute"),
    ]
    assert found.buffers[1].size == int(14.86 * MiB)
    assert found.devices == (("Vulkan0", "llvmpipe (LLVM 15.0.6, 256 bits)"),)
    assert found.model == "/models/gemma.gguf"


def test_layers_that_are_offloaded_to_no_device_are_seen_by_their_buffers() -> None:
    found = said(WITHOUT_A_DEVICE)

    assert (found.offloaded, found.layers, found.uses_a_device) == (5, 19, False)


@pytest.mark.parametrize(
    ("text", "layers", "on_device"),
    [
        (OF_2024, (33, 33), True),
        (OF_2023, (20, 35), None),
        (OLLAMA_OF_2024, (12, 33), None),
        (OLLAMAS_OWN_ENGINE, (25, 25), True),
    ],
)
def test_older_wordings_tell_the_same(text: str, layers: tuple[int, int], on_device: bool | None) -> None:
    found = said(text)

    assert ((found.offloaded, found.layers), found.uses_a_device) == (layers, on_device)


def test_sizes_of_ollamas_engine_are_bytes() -> None:
    assert [each.size for each in said(OLLAMAS_OWN_ENGINE).weights] == [int(11.8 * GiB), int(1.1 * GiB)]


def test_of_several_loads_in_one_log_the_last_one_counts() -> None:
    assert said(OF_2024 + B10434).layers == 19
    assert [each.device for each in said(OF_2024 + WITHOUT_A_DEVICE).weights] == ["CPU_Mapped", "CPU_REPACK"]


def test_of_several_runners_that_write_to_one_log_each_finds_its_own_part() -> None:
    start = 'level=INFO source=server.go:400 msg="starting runner" cmd="/usr/bin/ollama runner --model /m/a --port {}"\n'
    log = start.format(40001) + OLLAMAS_OWN_ENGINE + start.format(40002) + WITHOUT_A_DEVICE

    assert said(log, "--port 40001").layers == 25
    assert said(log, "--port 40002").uses_a_device is False


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("warning: no usable GPU found, --gpu-layers option will be ignored", Words.NO_BACKEND),
        ("warning: not compiled with GPU offload support, --gpu-layers option will be ignored", Words.NO_BACKEND),
        ("ggml_cuda_init: failed to initialize CUDA: no CUDA-capable device is detected", Words.NO_DEVICE),
        ("ggml_cuda_init: failed to initialize CUDA: unknown error", Words.DRIVER),
        ("alloc_buffer: allocating 4403.49 MiB on device 0: cudaMalloc failed: out of memory", Words.NO_MEMORY),
        ("ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory", Words.NO_MEMORY),
        ('level=INFO source=gpu.go:386 msg="no compatible GPUs were discovered"', Words.NO_DEVICE),
        ('level=INFO source=types.go:130 msg="inference compute" id=cpu library=cpu compute="" name=cpu', Words.ON_THE_CPU),
        ('msg="failure during GPU discovery" error="failed to finish discovery before timeout"', Words.TIMED_OUT),
        ("INFO 05-01 10:00:00 [__init__.py:239] Automatically detected platform cpu.", Words.ON_THE_CPU),
        ("Device: cpu", Words.ON_THE_CPU),
    ],
)  # fmt: skip
def test_a_line_in_which_an_engine_gives_up_a_gpu_is_recognised(line: str, words: Words) -> None:
    (found,) = said(f"some line\n{line}\nanother\n{line}\n").complaints

    assert (found.words, found.line) == (words, line)


@pytest.mark.parametrize("name", ["CUDA0", "ROCm1", "Vulkan0", "SYCL0", "MTL0", "RPC0[10.0.0.2:50052]", "Metal"])
def test_these_are_devices(name: str) -> None:
    assert is_device(name)


@pytest.mark.parametrize("name", ["CPU", "CPU_Mapped", "CPU_REPACK", "CUDA_Host", "Vulkan_Host", "BLAS", "AMX", "CUDAfied"])
def test_these_are_the_machines_own_memory(name: str) -> None:
    assert not is_device(name)


@given(some.text())
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    said(text)


@pytest.mark.parametrize(
    "piece", ["offloaded 1/", "buffer size = ", "CUDA0 ", "- A0 : ", 'msg="model weights" device=', "using device A1 ("]
)
def test_a_log_that_repeats_itself_costs_no_more_than_its_length(piece: str) -> None:
    """Lines are cut off, and no pattern tries the same place twice: this ends."""
    said((piece * 200_000) + "\n" + f"{piece}\n" * 20_000)


@pytest.mark.parametrize(
    ("line", "device"),
    [
        ("using device CUDA0 (NVIDIA GeForce RTX 4090) (0000:01:00.0) - 23 MiB free", ("CUDA0", "NVIDIA GeForce RTX 4090")),
        ("using device Vulkan1 (a (b)) - 23 MiB free", ("Vulkan1", "a (b)")),
        ("  - ROCm0 : AMD Radeon (24 MiB, 23 MiB free)", ("ROCm0", "AMD Radeon")),
        ("using device CPU0 (x) - 23 MiB free", None),
        ("  - BLAS0: x (24 MiB, 23 MiB free)", None),
        ("using device CUDA0", None),
        ("- CUDA0 : x (24 MiB, 23 MiB used)", None),
    ],
)
def test_a_device_has_the_name_that_the_engine_gives_it(line: str, device: tuple[str, str] | None) -> None:
    assert said(line).devices == (() if device is None else (device,))


def test_a_log_that_says_nothing_says_nothing() -> None:
    assert not said("hello").says_anything
    assert said(OF_2023).says_anything
    assert said("hello") == Said()
    assert (said("hello").uses_a_device, said("hello").remote) == (None, None)


def test_weights_in_another_process_are_remote() -> None:
    log = "load_tensors: RPC0[10.0.0.2:50052] model buffer size = 10.00 MiB\nload_tensors: CPU model buffer size = 1.00 MiB"

    assert said(log).remote == "RPC0[10.0.0.2:50052]"
    assert said(OF_2024).remote is None


@pytest.mark.parametrize(
    ("line", "buffer"),
    [
        ("CUDA0 KV buffer size = 256.00 MiB", ("CUDA0", "cache", 256 * MiB)),
        ("CUDA0 RS buffer size = 1 MiB", ("CUDA0", "cache", MiB)),
        ("CUDA0 output buffer size = 0.50 MiB", ("CUDA0", "compute", MiB // 2)),
        ("llama_kv_cache: CUDA0 KV self size = 2.00 MiB", ("CUDA0", "cache", 2 * MiB)),
        ('msg="kv cache" device=CUDA0 size="2 KiB"', ("CUDA0", "cache", 2048)),
        ('msg="compute graph" buffer=CUDA0 size="1.5 MB"', ("CUDA0", "compute", 1_500_000)),
        ('msg="model weights" device=CPU size="3 B"', ("CPU", "weights", 3)),
        ("CUDA0 buffer size 5", None),
    ],
)
def test_a_buffer_is_told_with_its_kind_and_its_bytes(line: str, buffer: tuple[str, str, int] | None) -> None:
    assert [tuple(each) for each in said(line).buffers] == ([] if buffer is None else [buffer])


def test_the_line_with_the_layers_is_the_last_of_its_load() -> None:
    assert said("load: offloaded 1/9 layers to GPU\n  load: offloaded 2/9 layers to GPU  \nx").line == (
        "load: offloaded 2/9 layers to GPU"
    )
    assert said(OLLAMA_OF_2024).line == OLLAMA_OF_2024
    assert said("hello").line is None


def test_a_complaint_that_comes_again_with_other_numbers_is_told_once_and_sixteen_at_most() -> None:
    assert [each.line for each in said("1 out of memory\n2 out of memory").complaints] == ["1 out of memory"]
    many = "\n".join(f"{'x' * number} out of memory" for number in range(1, 20))
    assert len(said(many).complaints) == 16
    assert said("no GPU detected: out of memory").complaints[0].words is Words.NO_MEMORY


def test_lines_are_read_as_far_as_they_may_be_long() -> None:
    assert said("x" * 1987 + "out of memory").complaints != ()
    assert said("x" * 1988 + "out of memory").complaints == ()


def test_a_load_that_says_several_times_that_it_begins_begins_once() -> None:
    start = "load_model: loading model '/a'\nllama_model_loader: loaded meta data with 1 tensors from /a (version 3)\n"
    placed = "CUDA0 model buffer size = 1.00 MiB\n"

    assert said(start + placed).model == "/a"
    assert len(said(start + placed + start.replace("/a", "/b") + placed * 2).buffers) == 2
    assert said(start + placed + start.replace("/a", "/b")).model == "/b"
    assert len(said(placed + start).buffers) == 0


def test_a_runner_that_no_line_names_has_the_whole_log() -> None:
    start = 'msg="starting runner" cmd="x --port {}"\n'
    log = start.format(1) + OF_2023 + start.format(2) + "hello\n"

    assert said(log, "--port 1").layers == 35
    assert said(log, "--port 2").layers is None
    assert said(log, "--port 3").layers is None
    assert said(start.format(1) + OF_2023, "--port 3").layers == 35
