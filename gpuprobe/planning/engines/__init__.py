"""How each engine would place a model on a machine: its own rules, and what to paste for it. Pure."""

from __future__ import annotations

from collections.abc import Callable

from gpuprobe.planning.engines import llama_cpp, ollama, vllm
from gpuprobe.planning.engines.records import Answer, Machine, Subject, Wish

ENGINES: dict[str, Callable[[Subject, Machine, Wish], Answer]] = {
    llama_cpp.NAME: llama_cpp.plan,
    ollama.NAME: ollama.plan,
    vllm.NAME: vllm.plan,
}
