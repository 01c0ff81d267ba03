"""What a command line says: which program it is, which model it was given, and what was asked of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gpuprobe.machine.known_programs import Asked, asked_of, is_known, program_of, serves

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


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("llama-server -m a -c 4096 -np 2", {"model": "a", "context": 4096, "parallel": 2}),
        ("llama-server -c 0 -np x", {}),
        ("llama-server -ngl 0", {"layers": 0, "layers_by": "-ngl 0", "cpu_by": "-ngl 0"}),
        ("llama-server -ngl -1", {"layers_by": "-ngl -1"}),
        ("llama-server -ngl all", {"layers_by": "-ngl all"}),
        ("llama-server -ngl 5 --gpu-layers=7", {"layers": 7, "layers_by": "--gpu-layers=7"}),
        ("llama-server -dev none", {"cpu_by": "-dev none"}),
        ("llama-server --device=CPU", {"cpu_by": "--device=CPU"}),
        ("llama-server -dev CUDA0 -ngl 0", {"layers": 0, "layers_by": "-ngl 0", "cpu_by": "-ngl 0"}),
        ("llama-server --cpu", {}),
        ("llama-server --n-cpu-moe=5", {"kept_back": "--n-cpu-moe=5"}),
        ("python3 /x/ComfyUI/main.py --cpu", {"cpu_by": "--cpu"}),
        ("python3 -m vllm.x serve a", {"model": "a"}),
        ("vllm serve --port 1", {}),
        ("vllm serve a --model b", {"model": "b"}),
        ("llama-server serve a", {}),
    ],
)
def test_what_a_program_was_told_is_quoted_as_it_stands_there(line: str, fields: dict[str, object]) -> None:
    command = line.split(" ")

    assert asked_of(program_of(command), command, {}) == Asked(**fields)  # type: ignore[arg-type]


def test_a_variable_counts_for_llama_cpp_where_no_option_says_it() -> None:
    environ = {"LLAMA_ARG_N_GPU_LAYERS": "3", "LLAMA_ARG_DEVICE": "none", "LLAMA_ARG_MODEL": "m", "LLAMA_ARG_HF_REPO": "r"}

    def told(line: str, environ: dict[str, str]) -> Asked:
        return asked_of(program_of(line.split(" ")), line.split(" "), environ)

    assert told("llama-server", environ) == Asked("m", 3, "LLAMA_ARG_N_GPU_LAYERS=3", "LLAMA_ARG_DEVICE=none")
    assert told("llama-server -m a -ngl 5 -dev CUDA0", environ) == Asked("a", 5, "-ngl 5")
    assert told("llama-server", {"LLAMA_ARG_HF_REPO": "r", "LLAMA_ARG_MODEL": ""}).model == "r"
    assert told("ollama runner", environ).model == "m"
    assert told("vllm serve", environ) == Asked()
    assert asked_of(None, ["llama-server", "-m", "a"], environ) == Asked()


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("", None),
        ("ollama", None),
        ("ollama.exe serve", "Ollama"),
        (r"C:\\x\\llama-server.exe", "llama-server"),
        ("ray::vllm.worker", "vLLM"),
        ("python3 " + "-u " * 14 + "-m vllm", "vLLM"),
        ("python3 " + "-u " * 15 + "-m vllm", "vLLM"),
        ("python3 " + "-u " * 16 + "-m vllm", None),
        ("python3 -m", None),
        ("python3 -m vllmx", None),
        ("python3 -u", None),
        ("python3 gunicorn -w 4 vllm:app", "vLLM"),
        ("python3 gunicorn a b c d e f g vllm:app", "vLLM"),
        ("python3 gunicorn a b c d e f g h vllm:app", None),
        ("python3 uvicorn", None),
        ("python3 koboldcpp.py", "KoboldCpp"),
        ("/usr/lib/ollama/llama-cli", "llama-cli"),
        ("llama-gguf-split x", None),
        ("tabby serve", None),
    ],
)
def test_a_program_is_looked_for_in_the_first_words(line: str, name: str | None) -> None:
    program = program_of([word for word in line.split(" ") if word])

    assert (program and program.name) == name


@pytest.mark.parametrize(
    ("line", "is_served"),
    [
        ("python3 -u -m open_webui", True),
        ("python3 -u /x/gpustack start", True),
        ("python3 x.py -m open_webui", False),
        ("python3 -m http.server gpustack", False),
        ("python3 -m", False),
        ("bash gpustack", False),
        ("python3 " + "-u " * 14 + "gpustack", True),
        ("python3 " + "-u " * 15 + "gpustack", False),
    ],
)
def test_what_serves_is_the_program_or_the_script_of_a_python(line: str, is_served: bool) -> None:
    assert serves(line.split(" ")) is is_served
