"""What each layer keeps for the tokens seen so far: keys and values, one compressed vector, or a state of fixed size."""

from __future__ import annotations

from typing import NamedTuple

from gpuprobe.planning.hyperparameters import Hyperparameters
from gpuprobe.planning.records import CONTEXT_STEP, Settings, Unplannable
from gpuprobe.planning.tensor_types import BY_NAME, row_size
from gpuprobe.planning.windows import Windows

STATE_ELEMENT = 4  # states are 32-bit floats whatever the cache's type is

RECURRENT = frozenset(("mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"))
# Some layers keep a state and some a cache; which, their number of heads says.
HYBRID_BY_HEADS = frozenset(
    ("jamba", "granitehybrid", "lfm2", "lfm2moe", "plamo2", "kimi-linear", "nemotron_h", "nemotron_h_moe")
)
HYBRID_BY_INTERVAL = frozenset(("qwen3next", "qwen35", "qwen35moe"))
HYBRID_IN_EVERY_LAYER = frozenset(("falcon-h1",))
# Keep no cache: they see a text whole.
ENCODERS = frozenset(
    (
        "bert",
        "modern-bert",
        "nomic-bert",
        "nomic-bert-moe",
        "neo-bert",
        "eurobert",
        "jina-bert-v2",
        "jina-bert-v3",
        "gemma-embedding",
        "llama-embed",
        "dream",
        "llada",
        "llada-moe",
        "rnd1",
        "t5encoder",
        "wavtokenizer-dec",
    )
)
FULL_ATTENTION_INTERVAL = 4
# Names of llama.cpp's (b11434) whose layers keep keys and values for every token, or less: for them the rule is a bound.
ORDINARY_NAMES = ENCODERS | frozenset(
    (
        "afmoe",
        "apertus",
        "arcee",
        "arctic",
        "baichuan",
        "bailingmoe",
        "bailingmoe2",
        "bitnet",
        "bloom",
        "chameleon",
        "chatglm",
        "codeshell",
        "cogvlm",
        "cohere2moe",
        "dbrx",
        "deci",
        "deepseek",
        "deepseek2-ocr",
        "dots1",
        "ernie4_5",
        "ernie4_5-moe",
        "exaone",
        "exaone-moe",
        "exaone4",
        "falcon",
        "gemma3n",
        "gemma4",
        "glm4",
        "gpt2",
        "gptj",
        "gptneox",
        "granite-swa",
        "grok",
        "grovemoe",
        "hunyuan-dense",
        "hunyuan-moe",
        "hunyuan_vl",
        "jais",
        "jais2",
        "kimi-linear",
        "laguna",
        "lfm2moe",
        "llama4",
        "maincoder",
        "maple",
        "mellum",
        "mimo2",
        "minicpm",
        "minicpm3",
        "minimax-m2",
        "mistral4",
        "mpt",
        "nanbeige",
        "nemotron",
        "nemotron_h",
        "nemotron_h_moe",
        "olmo",
        "openelm",
        "orion",
        "paddleocr",
        "pangu-embedded",
        "phi2",
        "phimoe",
        "plamo",
        "plamo2",
        "plamo3",
        "plm",
        "qwen",
        "qwen2vl",
        "qwen35",
        "qwen35moe",
        "qwen3vl",
        "qwen3vlmoe",
        "refact",
        "rwkv6",
        "rwkv6qwen2",
        "rwkv7",
        "arwkv7",
        "seed_oss",
        "smallthinker",
        "smollm3",
        "stablelm",
        "starcoder",
        "step35",
        "xverse",
    )
)


class Cells(NamedTuple):
    """How many tokens there is room for, in layers that see everything and in those with a window."""

    context: int  # as used, of all sequences together
    full: int  # of each stream
    window: int
    streams: int
    sequences: int


class LayerCache(NamedTuple):
    """One layer's part, in bytes; the rows are elements for one token."""

    keys: int = 0
    values: int = 0
    convolution: int = 0
    state: int = 0
    key_row: int = 0
    value_row: int = 0
    cells: int = 0

    @property
    def size(self) -> int:
        return self.keys + self.values + self.convolution + self.state


def cells(numbers: Hyperparameters, windows: Windows, settings: Settings) -> Cells:
    """Raises `Unplannable` for a context or a number of sequences that cannot be."""
    context = settings.context or numbers.trained_context
    sequences = settings.parallel
    if context < 1 or sequences < 1 or context > 1 << 40:
        raise Unplannable(f"a context of {context} tokens for {sequences} sequences cannot be planned")
    if not 1 <= settings.ubatch <= 1 << 20:
        raise Unplannable(f"a batch of {settings.ubatch} tokens cannot be planned")
    streams = 1 if settings.unified else sequences
    full = _stepped(-(-context // streams) if streams == 1 else context // streams)
    wanted = windows.width * (sequences if settings.unified else 1) + settings.ubatch
    window = full if settings.swa_full else _stepped(min(full, wanted))
    return Cells(context=full * streams, full=full, window=window, streams=streams, sequences=sequences)


def _stepped(count: int) -> int:
    return max(CONTEXT_STEP, -(-count // CONTEXT_STEP) * CONTEXT_STEP)


def recurrent(numbers: Hyperparameters) -> tuple[bool, ...]:
    """Which layers keep a state."""
    name, count = numbers.architecture, numbers.layers_in_all
    if name in RECURRENT or name in HYBRID_IN_EVERY_LAYER:
        return (True,) * count
    if name in {"nemotron_h", "nemotron_h_moe"}:
        return tuple(not heads and not width for heads, width in zip(numbers.cache_heads, numbers.feed_forward, strict=True))
    if name in HYBRID_BY_HEADS:
        return tuple(not heads for heads in numbers.cache_heads)
    if name in HYBRID_BY_INTERVAL:
        interval = numbers.number("full_attention_interval", FULL_ATTENTION_INTERVAL) or FULL_ATTENTION_INTERVAL
        return tuple(layer < numbers.layers and (layer + 1) % interval != 0 for layer in range(count))
    return (False,) * count


def attentive(numbers: Hyperparameters) -> tuple[bool, ...]:
    """Which layers keep keys and values."""
    name, count = numbers.architecture, numbers.layers_in_all
    if name in ENCODERS or name in RECURRENT:
        return (False,) * count
    if name in HYBRID_IN_EVERY_LAYER:
        return (True,) * count
    states = recurrent(numbers)
    if name in {"nemotron_h", "nemotron_h_moe"}:
        return tuple(bool(heads) and not width for heads, width in zip(numbers.cache_heads, numbers.feed_forward, strict=True))
    own = numbers.layers_in_all
    if name in {"gemma3n", "gemma4"}:
        own -= numbers.number("attention.shared_kv_layers", 15 if name == "gemma3n" else 0)
    # A block that predicts further tokens has a cache of its own though its weights are not loaded (b10434; later none).
    if name in HYBRID_BY_INTERVAL:
        own = numbers.layers
    return tuple(layer < own and not states[layer] for layer in range(count))


def is_compressed(numbers: Hyperparameters) -> bool:
    """Whether one vector for all heads is kept instead of keys and values (MLA)."""
    return numbers.number("attention.key_length_mla") > 0 and numbers.number("attention.value_length_mla") > 0


def layer_caches(numbers: Hyperparameters, windows_: Windows, room: Cells, settings: Settings) -> list[LayerCache]:
    """For each layer. Raises `Unplannable` for a cache type that does not exist or does not fit a row."""
    flags = attentive(numbers)
    states = recurrent(numbers)
    compressed = is_compressed(numbers)
    widest = max((_rows(numbers, windows_, layer)[1] for layer in range(numbers.layers_in_all)), default=0)
    result = []
    for layer in range(numbers.layers_in_all):
        cache = LayerCache()
        if flags[layer]:
            key_row, value_row = _rows(numbers, windows_, layer)
            value_row = 0 if compressed else value_row if settings.flash_attention.value != "off" else widest
            held = room.window if windows_.windowed[layer] else room.full
            cache = LayerCache(
                keys=_bytes(settings.cache_type_k, key_row) * held * room.streams,
                values=_bytes(settings.cache_type_v, value_row) * held * room.streams,
                key_row=key_row,
                value_row=value_row,
                cells=held,
            )
        if states[layer]:
            convolution, state = state_rows(numbers)
            each = room.sequences * STATE_ELEMENT
            cache = cache._replace(convolution=convolution * each, state=state * each)
        result.append(cache)
    return result


def head_lengths(numbers: Hyperparameters, windows_: Windows, layer: int) -> tuple[int, int]:
    """Elements of one head's key and value."""
    key, value = numbers.key_length, numbers.value_length
    if windows_.windowed[layer]:
        key = numbers.number("attention.key_length_swa", key)
        value = numbers.number("attention.value_length_swa", value)
    return key, value


def _rows(numbers: Hyperparameters, windows_: Windows, layer: int) -> tuple[int, int]:
    key, value = head_lengths(numbers, windows_, layer)
    heads = numbers.cache_heads[layer]
    return key * heads, value * heads


def _bytes(name: str, elements: int) -> int:
    kind = BY_NAME.get(name.upper())
    if kind is None:
        raise Unplannable(f"{name} is not a type for a cache")
    if elements % kind.block:
        raise Unplannable(f"a cache of type {name} needs rows that are a multiple of {kind.block}; this model's are {elements}")
    return row_size(kind, elements)


def state_rows(numbers: Hyperparameters) -> tuple[int, int]:
    """Elements of the convolution's memory and of the state, for one sequence and layer."""
    head = numbers.number("wkv.head_size")
    if head:
        return numbers.number("token_shift_count", 2) * numbers.width, numbers.width * head
    short = numbers.number("shortconv.l_cache")
    if short:
        return numbers.width * (short - 1), 0
    delta = numbers.number("kda.head_dim")
    convolution = max(0, numbers.number("ssm.conv_kernel") - 1)
    if delta:
        inner = max(numbers.heads) * delta
        return 3 * (convolution or 3) * inner, delta * delta * max(numbers.heads)
    inner, state = numbers.number("ssm.inner_size"), numbers.number("ssm.state_size")
    groups = numbers.number("ssm.group_count")
    return convolution * (inner + 2 * groups * state), state * inner
