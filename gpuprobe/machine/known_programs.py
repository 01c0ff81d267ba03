"""Programs that run models, known by their command lines: what each is called, its model, and what was asked of it.

A command line is only a hint, which any process can write. It names a row; what the row says is decided by what the process
has open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from gpuprobe.enumerations import Enum


class Family(str, Enum):
    """Which options and words a program has in common with others."""

    OLLAMA = "ollama"
    OLLAMA_RUNNER = "ollama_runner"
    GGML = "ggml"
    VLLM = "vllm"
    SGLANG = "sglang"
    PYTHON = "python"
    OTHER = "other"


class Program(NamedTuple):
    name: str  # as people call it
    family: Family
    doctor: str | None = None  # what `doctor --for` calls it


OLLAMA = Program("Ollama", Family.OLLAMA, "ollama")
RUNNER = Program("Ollama's runner", Family.OLLAMA_RUNNER, "ollama")
VLLM = Program("vLLM", Family.VLLM, "vllm")
SGLANG = Program("SGLang", Family.SGLANG)
COMFY = Program("ComfyUI", Family.PYTHON, "torch")
WEBUI = Program("text-generation-webui", Family.PYTHON, "torch")
TGI = Program("text-generation-inference", Family.PYTHON, "torch")
LMDEPLOY = Program("LMDeploy", Family.PYTHON, "torch")
TENSORRT_LLM = Program("TensorRT-LLM", Family.PYTHON, "torch")
TABBY_API = Program("TabbyAPI", Family.PYTHON, "torch")

# The name of the program's file, as a regular expression for all of it.
_BY_FILE = (
    (re.compile(r"ollama_llama_server|ollama_runner"), RUNNER),
    (
        re.compile(r"(llama-[a-z0-9-]{1,40}|llamafile|whisper-(?:server|cli)|sd-server|ggml-rpc-server|rpc-server)(?:\.exe)?"),
        None,
    ),
    (re.compile(r"koboldcpp[\w.-]{0,40}"), Program("KoboldCpp", Family.GGML, "llama.cpp")),
    (re.compile(r"local-ai"), Program("LocalAI", Family.OTHER, "llama.cpp")),
    (re.compile(r"mistralrs[\w-]{0,20}"), Program("mistral.rs", Family.OTHER)),
    (re.compile(r"text-generation-(?:launcher|router|server)"), TGI),
    (re.compile(r"tritonserver"), Program("Triton Inference Server", Family.OTHER)),
    (re.compile(r"vllm"), VLLM),
    (re.compile(r"sglang"), SGLANG),
    (re.compile(r"comfyui"), COMFY),
    (re.compile(r"lmdeploy"), LMDEPLOY),
    (re.compile(r"trtllm-(?:serve|llmapi-launch)"), TENSORRT_LLM),
)
# These start an engine or speak to one: their account and settings decide for it, and they compute nothing themselves.
_IN_FRONT = re.compile(
    r"llama-swap|lms|lm-studio|LM Studio|tabby|ramalama|lemonade[\w.-]{0,20}|gpustack|[Jj]an|open[-_]webui", re.ASCII
)
# How a process that renames itself begins.
_BY_TITLE = (("VLLM::", VLLM), ("sglang::", SGLANG), ("ray::vllm", VLLM), ("ray::sglang", SGLANG))
# For a Python: the module behind `-m`, or what a script's path ends with.
_BY_MODULE = (
    ("vllm", VLLM),
    ("sglang", SGLANG),
    ("llama_cpp.server", Program("llama-cpp-python", Family.GGML, "llama.cpp")),
    ("text_generation_server", TGI),
    ("comfy", COMFY),
    ("comfyui", COMFY),
    ("lmdeploy", LMDEPLOY),
    ("tensorrt_llm", TENSORRT_LLM),
)
_BY_SCRIPT = (
    ("ComfyUI/main.py", COMFY),
    ("text-generation-webui/server.py", WEBUI),
    ("koboldcpp.py", Program("KoboldCpp", Family.GGML, "llama.cpp")),
    ("tabbyAPI/main.py", TABBY_API),
    ("/vllm", VLLM),
    ("/sglang", SGLANG),
    ("/comfyui", COMFY),
    ("/lmdeploy", LMDEPLOY),
    ("/trtllm-serve", TENSORRT_LLM),
)
_SERVES_A_MODULE = ("uvicorn", "gunicorn")  # "uvicorn vllm.entrypoints.openai.api_server:app"
_OLLAMAS_FOLDER = "lib/ollama"
_PYTHON = re.compile(r"python[0-9.]{0,8}(?:\.exe)?")
_LLAMA_TOOLS = re.compile(r"llama-(?:quantize|gguf|gguf-split|gguf-hash|imatrix|tokenize|export-lora)(?:\.exe)?")


def program_of(command: Sequence[str]) -> Program | None:
    """None: not one of these."""
    if not command:
        return None
    title = next((program for start, program in _BY_TITLE if command[0].startswith(start)), None)
    file = _file(command[0])
    if title is not None or file in ("ollama", "ollama.exe"):
        return title or {"runner": RUNNER, "serve": OLLAMA}.get("".join(command[1:2]))
    if _PYTHON.fullmatch(file):
        return _of_python(command[1:])
    return _by_file(command[0], file)


def _by_file(path: str, file: str) -> Program | None:
    if f"/{_OLLAMAS_FOLDER}/" in path and file.startswith("llama-server"):
        return RUNNER  # since 2026 Ollama starts llama.cpp's own server
    if _LLAMA_TOOLS.fullmatch(file) or _IN_FRONT.fullmatch(file):
        return None
    found = next(((program, file) for shape, program in _BY_FILE if shape.fullmatch(file)), None)
    return None if found is None else found[0] or Program(file.removesuffix(".exe"), Family.GGML, "llama.cpp")


def is_known(command: Sequence[str]) -> bool:
    return program_of(command) is not None


def serves(command: Sequence[str]) -> bool:
    """Whether models run in it or behind it, so that how it stands decides about GPUs."""
    return is_known(command) or any(_IN_FRONT.fullmatch(_file(word)) for word in _named(command))


def _named(command: Sequence[str]) -> Iterator[str]:
    """The program; of a Python its script, or the module behind `-m`."""
    yield from command[:1]
    if command and _PYTHON.fullmatch(_file(command[0])):
        rest = [word for word in command[1:16] if word == "-m" or not word.startswith("-")]
        yield from rest[1:2] if rest[:1] == ["-m"] else rest[:1]


def _file(word: str) -> str:
    return word.replace("\\", "/").rpartition("/")[2][:80]


def _of_python(words: Sequence[str]) -> Program | None:
    for place, word in enumerate(words[:16]):
        if word == "-m":
            return _of_module("".join(words[place + 1 : place + 2]))
        if not word.startswith("-"):
            script = word.replace("\\", "/")
            if _file(script) in _SERVES_A_MODULE:
                return next(filter(None, (_of_module(each.partition(":")[0]) for each in words[place + 1 : place + 9])), None)
            return next((program for end, program in _BY_SCRIPT if f"/{script}".endswith(end)), None)
    return None


def _of_module(module: str) -> Program | None:
    return next((program for start, program in _BY_MODULE if module == start or module.startswith(f"{start}.")), None)


# Every way to say it, of llama.cpp's programs, Ollama's runners, vLLM, SGLang and KoboldCpp.
_MODEL_OPTIONS = ("-m", "--model", "--model-path", "-hf", "--hf-repo", "-hfr")
_LAYER_OPTIONS = ("-ngl", "--gpu-layers", "--n-gpu-layers", "--gpulayers")
_DEVICE_OPTIONS = ("-dev", "--device")
_CONTEXT_OPTIONS, _PARALLEL_OPTIONS = ("-c", "--ctx-size"), ("-np", "--parallel")
_KEEPING_BACK = ("-cmoe", "--cpu-moe", "-ncmoe", "--n-cpu-moe", "-ot", "--override-tensor", "-nkvo", "--no-kv-offload")
_CPU_OPTIONS = ("--cpu", "--usecpu")


class Asked(NamedTuple):
    """What a program was told. `layers_by` and `cpu_by` quote what told it."""

    model: str | None = None
    layers: int | None = None
    layers_by: str | None = None
    cpu_by: str | None = None  # it was told to use no GPU at all
    kept_back: str | None = None  # an option that keeps a part of each layer on the CPU, experts above all
    context: int | None = None  # tokens
    parallel: int | None = None  # requests at once


def asked_of(program: Program | None, command: Sequence[str], environ: Mapping[str, str]) -> Asked:
    """An option outweighs a variable, as llama.cpp has it."""
    if program is None:
        return Asked()
    layers = _value(command, _LAYER_OPTIONS) or _variable(environ, "LLAMA_ARG_N_GPU_LAYERS", program)
    device = _value(command, _DEVICE_OPTIONS) or _variable(environ, "LLAMA_ARG_DEVICE", program)
    number = int(layers[1]) if layers and re.fullmatch("-?[0-9]{1,6}", layers[1], re.ASCII) else None
    flag = next((word for word in command if word in _CPU_OPTIONS), None) if program.family is Family.PYTHON else None
    told_cpu = device[0] if device and device[1].strip().lower() in ("none", "cpu") else flag
    zero = layers[0] if number == 0 and layers else None
    return Asked(
        model=_model(program, command, environ),
        layers=number if number is not None and number >= 0 else None,
        layers_by=layers[0] if layers else None,
        cpu_by=told_cpu or zero,
        kept_back=next((word for word in command if word.partition("=")[0] in _KEEPING_BACK), None),
        context=_count(_value(command, _CONTEXT_OPTIONS)),
        parallel=_count(_value(command, _PARALLEL_OPTIONS)),
    )


def _count(told: tuple[str, str] | None) -> int | None:
    """None where it was not said, or left to the engine."""
    found = re.fullmatch("[0-9]{1,9}", told[1], re.ASCII) if told else None
    return int(found[0]) or None if found else None


def _model(program: Program, command: Sequence[str], environ: Mapping[str, str]) -> str | None:
    told = _value(command, _MODEL_OPTIONS)
    if told is None and program.family is Family.VLLM and "serve" in command:
        rest = command[command.index("serve") + 1 :]
        return next((word for word in rest[:1] if not word.startswith("-")), None)
    if told is None:
        told = _variable(environ, "LLAMA_ARG_MODEL", program) or _variable(environ, "LLAMA_ARG_HF_REPO", program)
    return told[1] if told else None


def _value(command: Sequence[str], names: Iterable[str]) -> tuple[str, str] | None:
    """(as it stands there, the value); the last one counts. `-m` of a Python is its own."""
    wanted, found = tuple(names), None
    first = 3 if list(command[1:2]) == ["-m"] and _PYTHON.fullmatch(_file(command[0])) else 1
    for place in range(first, len(command)):
        name, equals, value = command[place].partition("=")
        if name in wanted and equals:
            found = command[place], value
        elif command[place] in wanted and place + 1 < len(command):
            found = f"{command[place]} {command[place + 1]}", command[place + 1]
    return found


def _variable(environ: Mapping[str, str], name: str, program: Program) -> tuple[str, str] | None:
    if program.family not in (Family.GGML, Family.OLLAMA_RUNNER) or not environ.get(name):
        return None
    return f"{name}={environ[name]}", environ[name]
