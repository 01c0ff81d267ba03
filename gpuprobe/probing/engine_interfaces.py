"""Asking the servers that run on this machine what they have loaded: on the loopback address, and as evidence only.

The same rules as for the memory of `refresh`: the port is this process's own, its account is one that we trust, all have one
limit together, no proxy is used, and an answer has a bound.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from gpuprobe.machine.known_programs import Family, program_of
from gpuprobe.machine.process_records import Interface, Process
from gpuprobe.probing import loopback
from gpuprobe.probing.loopback import Refusal
from gpuprobe.probing.side_work import started_or_done
from gpuprobe.survey.running_servers import Server, is_its_own

SECONDS = 1.0  # for all of them
_MOST_ASKED = 16
_MOST_MODELS = 16
_LARGEST = 2**63


class _Question(NamedTuple):
    path: str
    read: Callable[[int, str, Any], list[Interface]]


def ask_interfaces(processes: Sequence[Process], seconds: float = SECONDS) -> dict[int, tuple[Interface, ...]]:
    """By process number, after `seconds` at most; nothing for a process that has no port that we may ask."""
    wanted = [
        (process, question) for process in processes if process.ports and (question := _question_for(process)) is not None
    ]
    deadline = time.monotonic() + seconds
    answers: dict[int, tuple[Interface, ...]] = {}

    def ask(process: Process, question: _Question) -> None:
        answers[process.number] = _answer(process, question, deadline)

    threads = [started_or_done(ask, *pair) for pair in wanted[:_MOST_ASKED]]
    for thread in filter(None, threads):
        thread.join(max(0.0, deadline - time.monotonic()) + 0.05)
    late = f"no answer within {seconds:.1f} s"
    for process, question in wanted[:_MOST_ASKED]:
        answers.setdefault(process.number, (Interface(process.ports[0], question.path, problem=late),))
    return dict(answers)


def _question_for(process: Process) -> _Question | None:
    program = program_of(process.command)
    return _QUESTIONS.get(program.family) if program is not None else None


def _answer(process: Process, question: _Question, deadline: float) -> tuple[Interface, ...]:
    port = process.ports[0]
    server = Server(process.number, port)
    try:
        if not is_its_own(server):
            raise Refusal("its account is not one whose servers are asked: root's, ours, or the service's")
        said = loopback.asked(port, question.path, deadline)
        # Between the look and the answer the process may have ended, and another one have taken the port.
        if not is_its_own(server):
            raise Refusal("the port is no longer its own")
        return tuple(question.read(port, question.path, said))
    except Refusal as refusal:
        return (Interface(port, question.path, problem=str(refusal)),)


def _of_ollama(port: int, path: str, said: Any) -> list[Interface]:
    """`{"models": [{"name": …, "size": bytes, "size_vram": bytes}]}`"""
    models = said.get("models") if isinstance(said, dict) else None
    if not isinstance(models, list):
        raise Refusal("its answer is not a list of models")
    return [
        Interface(port, path, _text(each.get("name")), _size(each.get("size")), _size(each.get("size_vram")))
        for each in models[:_MOST_MODELS]
        if isinstance(each, dict)
    ]


def _of_llama_server(port: int, path: str, said: Any) -> list[Interface]:
    """`{"model_path": …}` and much besides."""
    if not isinstance(said, dict):
        raise Refusal("its answer is not a description of a model")
    return [Interface(port, path, _text(said.get("model_path")))]


def _of_openai(port: int, path: str, said: Any) -> list[Interface]:
    """`{"data": [{"id": …}]}`"""
    models = said.get("data") if isinstance(said, dict) else None
    if not isinstance(models, list):
        raise Refusal("its answer is not a list of models")
    return [Interface(port, path, _text(each.get("id"))) for each in models[:_MOST_MODELS] if isinstance(each, dict)]


def _text(said: object) -> str | None:
    return said if isinstance(said, str) and 0 < len(said) < 1000 else None


def _size(said: object) -> int | None:
    return said if type(said) is int and 0 <= said < _LARGEST else None


_QUESTIONS = {
    Family.OLLAMA: _Question("/api/ps", _of_ollama),
    Family.GGML: _Question("/props", _of_llama_server),
    Family.VLLM: _Question("/v1/models", _of_openai),
    Family.SGLANG: _Question("/v1/models", _of_openai),
}
