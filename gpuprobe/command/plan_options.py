"""The options that only `plan` has, and what they ask for once they are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from gpuprobe.exits import WrongUsage

if TYPE_CHECKING:
    from gpuprobe.planning.engines.engine_records import Wish
    from gpuprobe.planning.records import FlashAttention
    from gpuprobe.planning.what_if import WhatIf

CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
ENGINES = ("llama.cpp", "ollama", "vllm")

Models = Annotated[
    list[str],
    typer.Argument(
        metavar="MODEL...",
        help="A GGUF file (of a split one the first), a directory of safetensors, or a model's name in Ollama's store.",
        show_default=False,
    ),
]
Context = Annotated[
    str | None,
    typer.Option("--context", metavar="TOKENS", help="Tokens of context: 8192 or 32k; with --compare several: 4k,32k."),
]
Parallel = Annotated[
    str | None, typer.Option("--parallel", metavar="N", help="How many requests at once, each with its own cache.")
]
CacheTypeK = Annotated[
    str | None, typer.Option("--cache-type-k", metavar="TYPE", help="Type of the K cache: f16, q8_0, q4_0 and the like.")
]
CacheTypeV = Annotated[
    str | None,
    typer.Option("--cache-type-v", metavar="TYPE", help="Type of the V cache; a quantised one needs flash attention."),
]
FlashAttn = Annotated[
    str | None, typer.Option("--flash-attn", metavar="on|off|auto", help="Flash attention; without it the engine decides.")
]
Ubatch = Annotated[
    str | None, typer.Option("--ubatch", metavar="N", help="Tokens computed at a time: more need a larger buffer.")
]
Devices = Annotated[
    list[str] | None,
    typer.Option("--devices", metavar="DEVICE", help="Only on these: `--devices CUDA:0,CUDA:1`, or the option several times."),
]
Split = Annotated[
    str | None,
    typer.Option("--split", metavar="SHARES", help="Shares of the devices: `--split 3,1`; without it by free memory."),
]
Layers = Annotated[
    str | None, typer.Option("--layers", metavar="N", help="How many layers go on devices; the output layer counts.")
]
CpuMoe = Annotated[
    str | None, typer.Option("--cpu-moe", metavar="N", help="The experts of the first N layers stay on the host.")
]
Reserve = Annotated[
    str | None,
    typer.Option("--reserve", metavar="SIZE", help="Leave this much free on each device for others: `2GiB`."),
]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="Plan for llama.cpp, ollama or vllm; without it, for what the model suits.",
    ),
]
GpuOnly = Annotated[bool, typer.Option("--gpu-only", help="Exit 5 if a part would stay on the host.")]
WhatIfs = Annotated[
    list[str] | None,
    typer.Option(
        "--what-if",
        metavar="DEVICE",
        help="A device as it might be, or one that is not installed: 'CUDA:0 total=24GiB free=20GiB', 'host free=64GiB'.",
    ),
]
Own = Annotated[bool, typer.Option("--own", help="Use only gpuprobe's own arithmetic, and ask no installed engine.")]
Compare = Annotated[
    bool, typer.Option("--compare", help="One line for each model and each context, instead of one plan in full.")
]


class PlanOptions(NamedTuple):
    """As they were given."""

    context: str | None = None
    parallel: str | None = None
    cache_type_k: str | None = None
    cache_type_v: str | None = None
    flash_attn: str | None = None
    ubatch: str | None = None
    devices: tuple[str, ...] = ()
    split: str | None = None
    layers: str | None = None
    cpu_moe: str | None = None
    reserve: str | None = None
    engine: str | None = None
    gpu_only: bool = False
    what_if: tuple[str, ...] = ()
    own: bool = False
    compare: bool = False


class PlanRequest(NamedTuple):
    """As they are meant. `contexts`: None in it is the engine's choice."""

    wish: Wish
    contexts: tuple[int | None, ...]
    engine: str | None
    what_ifs: tuple[WhatIf, ...]
    devices: tuple[str, ...]


def read(given: PlanOptions, models: Sequence[str]) -> PlanRequest:
    """WrongUsage for what cannot be meant."""
    from gpuprobe.planning.engines.engine_records import Wish

    contexts = _contexts(given)
    if not given.compare and (len(models) > 1 or len(contexts) > 1):
        what = "models" if len(models) > 1 else "contexts"
        raise WrongUsage(f"several {what} need `--compare`", "for example `gpuprobe plan --compare a.gguf b.gguf`")
    wish = Wish(
        context=contexts[0],
        parallel=_number("--parallel", given.parallel, "--parallel 4"),
        cache_type_k=_cache_type("--cache-type-k", given.cache_type_k),
        cache_type_v=_cache_type("--cache-type-v", given.cache_type_v),
        flash_attention=_flash(given.flash_attn),
        ubatch=_number("--ubatch", given.ubatch, "--ubatch 1024"),
        layers=_number("--layers", given.layers, "--layers 20", least=0),
        split=_split(given.split),
        cpu_moe=_number("--cpu-moe", given.cpu_moe, "--cpu-moe 20", least=0) or 0,
        reserve=_size("--reserve", given.reserve),
        gpu_only=given.gpu_only,
        devices_are_named=bool(given.devices),
    )
    named = tuple(each.strip() for text in given.devices for each in text.split(",") if each.strip())
    return PlanRequest(wish, contexts, _engine(given.engine), tuple(map(_what_if, given.what_if)), named)


_LARGEST = 10**9


def _number(option: str, text: str | None, example: str, least: int = 1) -> int | None:
    if text is None:
        return None
    found = re.fullmatch(r"[0-9]{1,9}", text.strip(), re.ASCII)
    if found is None or int(found[0]) < least:
        above = "0 or more" if least == 0 else "1 or more"
        raise WrongUsage(f"`{option} {text}`: it takes a whole number, {above}", f"for example `{example}`")
    return int(found[0])


def _contexts(given: PlanOptions) -> tuple[int | None, ...]:
    if given.context is None:
        return (None,)
    return tuple(dict.fromkeys(_tokens(part) for part in given.context.split(",")))


def _tokens(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,9})(k?)", text.strip().lower(), re.ASCII)
    tokens = int(found[1]) * (1024 if found[2] else 1) if found else 0
    if not 0 < tokens <= _LARGEST:
        raise WrongUsage(f"`--context {text}`: it takes a number of tokens", "for example `--context 8192` or `--context 32k`")
    return tokens


def _cache_type(option: str, text: str | None) -> str | None:
    if text is None:
        return None
    if text.lower() not in CACHE_TYPES:
        raise WrongUsage(f"`{option} {text}`: the types are {', '.join(CACHE_TYPES)}", f"for example `{option} q8_0`")
    return text.upper()


def _flash(text: str | None) -> FlashAttention | None:
    from gpuprobe.planning.records import FlashAttention

    if text is None:
        return None
    if text.lower() not in list(FlashAttention):
        raise WrongUsage(f"`--flash-attn {text}`: it takes on, off or auto", "for example `--flash-attn on`")
    return FlashAttention(text.lower())


def _split(text: str | None) -> tuple[float, ...]:
    if text is None:
        return ()
    parts = [part.strip() for part in text.replace("/", ",").split(",")]
    if not all(re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", part, re.ASCII) for part in parts) or len(parts) > 64:
        raise WrongUsage(f"`--split {text}`: it takes a share for each device", "for example `--split 3,1`")
    shares = tuple(float(part) for part in parts)
    if not any(shares):
        raise WrongUsage(f"`--split {text}`: at least one share must be above 0", "for example `--split 3,1`")
    return shares


def _size(option: str, text: str | None) -> int | None:
    from gpuprobe.judging.requirement import size_of

    if text is None:
        return None
    size = size_of(text.strip())
    if size is None:
        raise WrongUsage(f"`{option} {text}`: it takes a size in GiB, GB, MiB, MB or bytes", f"for example `{option} 2GiB`")
    return size


def _engine(text: str | None) -> str | None:
    if text is None:
        return None
    spelled: Callable[[str], str] = lambda name: re.sub(r"[^a-z]", "", name.lower())  # noqa: E731
    found = next((name for name in ENGINES if spelled(name) == spelled(text)), None)
    if found is None:
        raise WrongUsage(f"`--engine {text}`: the engines are {', '.join(ENGINES)}", "for example `--engine ollama`")
    return found


def _what_if(text: str) -> WhatIf:
    from gpuprobe.planning.what_if import EXAMPLE, WhatIfError, parse

    try:
        return parse(text)
    except WhatIfError as problem:
        raise WrongUsage(f"--what-if: {problem}", f"for example `--what-if '{EXAMPLE}'`") from problem
