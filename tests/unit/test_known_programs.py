"""What a command line says: which program it is, which model it was given, and what was asked of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gpuprobe.machine.known_programs import asked_of, is_known, program_of, serves

BLOB = "/usr/share/ollama/.ollama/models/blobs/sha256-" + "a" * 64


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("/usr/local/bin/ollama serve", "Ollama"),
        (f"/usr/local/bin/ollama runner --ollama-engine --model {BLOB} --port 40001", "Ollama's runner"),
        ("/tmp/ollama1/runners/cuda_v12/ollama_llama_server --model x", "Ollama's runner"),
        ("/opt/llama/bin/llama-server -m x.gguf", "llama-server"),
        ("/usr/local/lib/ollama/llama-server --model x --port 1", "Ollama's runner"),
        ("./llama-cli -m x.gguf", "llama-cli"),
        ("koboldcpp-linux-x64 --model x", "KoboldCpp"),
        ("/venv/bin/python3 /venv/bin/vllm serve meta/llama", "vLLM"),
        ("python -m vllm.entrypoints.openai.api_server --model x", "vLLM"),
        ("VLLM::EngineCore", "vLLM"),
        ("python3.12 -m sglang.launch_server --model-path x", "SGLang"),
        ("sglang::scheduler", "SGLang"),
        ("python -u /home/a/ComfyUI/main.py --listen", "ComfyUI"),
        ("python3 -m llama_cpp.server --model x.gguf", "llama-cpp-python"),
        ("text-generation-launcher --model-id x", "text-generation-inference"),
        ("python3 /venv/bin/uvicorn vllm.entrypoints.openai.api_server:app --port 1", "vLLM"),
        ("python3 /venv/bin/lmdeploy serve api_server x", "LMDeploy"),
        ("trtllm-serve x", "TensorRT-LLM"),
        ("python3 /home/a/tabbyAPI/main.py", "TabbyAPI"),
    ],
)
def test_a_program_that_runs_models_is_known_by_its_command_line(line: str, name: str) -> None:
    program = program_of(line.split(" "))

    assert program is not None and program.name == name


OTHERS = "ollama run llama3|ollama ps|vi llama-server|python3 -m http.server|bash|llama-quantize a b|python3 x.py -m vllm|"


@pytest.mark.parametrize("line", OTHERS.split("|"))
def test_what_only_speaks_of_one_is_none(line: str) -> None:
    assert not is_known(line.split(" "))


@pytest.mark.parametrize(
    "line", ["llama-swap --config x", "/opt/lm-studio", "python3 -m open_webui", "python3 /venv/bin/gpustack start"]
)
def test_what_starts_engines_or_speaks_to_one_serves_and_computes_nothing(line: str) -> None:
    command = line.split(" ")

    assert (serves(command), is_known(command)) == (True, False)


@pytest.mark.parametrize("line", OTHERS.split("|"))
def test_what_only_speaks_of_a_server_is_none(line: str) -> None:
    assert not serves(line.split(" "))


@pytest.mark.parametrize(
    ("line", "model", "layers"),
    [
        ("llama-server -m a.gguf -ngl 20", "a.gguf", 20),
        ("llama-server --model=a.gguf --gpu-layers=all", "a.gguf", None),
        ("llama-server -hf ggml-org/x-GGUF", "ggml-org/x-GGUF", None),
        (f"ollama runner --model {BLOB} --n-gpu-layers 33", BLOB, 33),
        ("vllm serve meta/llama --port 1", "meta/llama", None),
        ("python3 -m vllm.entrypoints.openai.api_server --model meta/llama", "meta/llama", None),
        ("python3 -m sglang.launch_server --model-path /m/llama", "/m/llama", None),
        ("llama-server -m", None, None),
        ("vllm serve", None, None),
        ("llama-server -ngl -1", None, None),
    ],
)
def test_model_and_layers_are_read_in_every_way_to_say_them(line: str, model: str | None, layers: int | None) -> None:
    command = line.split(" ")

    asked = asked_of(program_of(command), command, {})

    assert (asked.model, asked.layers) == (model, layers)


def test_python_that_is_told_to_use_the_cpu_says_so() -> None:
    command = ["python3", "/x/ComfyUI/main.py", "--cpu"]

    assert asked_of(program_of(command), command, {}).cpu_by == "--cpu"


@given(some.lists(some.text(max_size=20), max_size=8))
def test_no_command_line_is_too_odd(command: list[str]) -> None:
    asked_of(program_of(command), command, {})
