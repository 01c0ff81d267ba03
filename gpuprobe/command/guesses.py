"""What people type where they mean something else: the words of other tools, and slips of the finger."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_WATCH = "`gpuprobe refresh --watch` shows memory, load and processes, again and again"
_WHY = "`gpuprobe doctor` says why a GPU is not used, and `gpuprobe validate` tests each one"
_LIST = "`gpuprobe list` shows the GPUs"
_PROGRAMS = ("ollama", "llama.cpp", "llama-server", "torch", "pytorch", "vllm")
PROGRAMS = {name: f"`gpuprobe doctor --for {name}` says whether it computes on a GPU here" for name in _PROGRAMS}
COMMANDS = {
    **dict.fromkeys(("watch", "top", "monitor", "live"), _WATCH),
    **dict.fromkeys(("why", "check", "diagnose", "explain"), _WHY),
    **dict.fromkeys(("test", "verify", "bench", "benchmark"), "`gpuprobe validate` tests each GPU, and times copies"),
    **dict.fromkeys(("status", "info", "show", "devices", "gpus", "ls", "detect", "scan"), _LIST),
    **dict.fromkeys(("export", "environment", "vars"), "`gpuprobe env` prints the variables that select the GPUs that work"),
    **dict.fromkeys(("memory", "free"), "`gpuprobe refresh` shows how much memory is free"),
    **dict.fromkeys(("ps", "processes"), "`gpuprobe running` says whether what runs now is on the GPU"),
    **PROGRAMS,
}
OPTIONS = {
    "--list": "`gpuprobe list` shows the GPUs",
    "--format": "`--json` prints one JSON document",
    "--output": "`--json` prints one JSON document",
    "-o": "`--json` prints one JSON document",
    "-j": "`--json` prints one JSON document",
    "--watch": _WATCH,
    "-l": _WATCH,
    "-a": "`--all` shows every view and every library",
}
_CLOSE = 0.7  # of 1: `vaildate` is, `--bogus` beside `--verbose` is not


def close(word: str, names: Iterable[str]) -> str | None:
    """The name that was meant, if one is close enough that it helps."""
    found = get_close_matches(word, list(names), n=1, cutoff=_CLOSE)
    return found[0] if found else None


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """ "did you mean `copy`? ", or nothing."""
    name = close(word.lower(), names)
    return f"did you mean `{name}`? " if name else ""


def is_a_program(word: str) -> bool:
    """Whether a shell would run this word."""
    return shutil.which(word) is not None


def before_a_program(words: Sequence[str]) -> str | None:
    """What to say where a program stands among the DEVICEs of `env`; None: none of them is one."""
    place = next((place for place, word in enumerate(words) if is_a_program(word)), None)
    if place is None:
        return None
    before, command = "".join(f"{word} " for word in words[:place]), " ".join(words[place:])
    return f"put `--` before a command: `gpuprobe env {before}-- {command}`"
