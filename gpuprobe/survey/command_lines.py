"""Of a server's command line what decides about GPUs: names of models, addresses and keys stand there too, and are left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_ABOUT_GPUS = re.compile(
    r"-ngl|--n-?gpu-layers|--gpu-layers|-dev|--device|-sm|--split-mode|-ts|--tensor-split|-mg|--main-gpu|--fit|-fit|-fitt|--fit-target"
    r"|-nkvo|--no-kv-offload|-ot|--override-tensor|-cmoe|--cpu-moe|-ncmoe|--n-cpu-moe|-fa|--flash-attn|-ctk|--cache-type-k|-ctv"
    r"|--cache-type-v|--no-mmap|--mlock|-c|--ctx-size|-np|--parallel|--rpc|--tensor-parallel-size|-tp|--pipeline-parallel-size|-pp"
    r"|--gpu-memory-utilization|--max-model-len|--dtype|--quantization|--enforce-eager|--gpu|--gpus|--cpu|--lowvram|--novram"
    r"|--directml|--cuda-device|--usecublas|--usevulkan|--gpulayers|--num-shard|--sharded|--base-gpu-id|--no-op-offload|-nopo"
)
_VALUE = re.compile(r"[\w.,:=*|^$+\\()-]{1,120}")
_COMMANDS = frozenset({"serve", "runner", "run", "start", "worker"})
_MOST = 64


def about_gpus(words: Sequence[str]) -> tuple[str, ...]:
    """The subcommand, and options about GPUs, each with its value."""
    return tuple(word for _, word in zip(range(_MOST), _kept(words), strict=False))


def _kept(words: Sequence[str]) -> Iterator[str]:
    for number, word in enumerate(words[:512]):
        option, equals, value = word.partition("=")
        if number == 0 and word in _COMMANDS:
            yield word
        elif _ABOUT_GPUS.fullmatch(option):
            yield word if not equals or _VALUE.fullmatch(value) else option
            following = "".join(words[number + 1 : number + 2])
            if not equals and _is_value(following):
                yield following


def _is_value(word: str) -> bool:
    """A number, or a name; options begin with a letter behind their dash."""
    return _VALUE.fullmatch(word) is not None and not re.match("-{1,2}[A-Za-z]", word)
