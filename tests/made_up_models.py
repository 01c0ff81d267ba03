"""Models without weights: a true header on a file with a hole, forty kilobytes on disk for forty gigabytes.

Every one has the shape of a model that people run, or of a small relative of it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path

Value = str | int | float | bool | list[int]
Dimensions = tuple[int, ...]

NUMBERS = {
    "F32": (0, 1, 4),
    "F16": (1, 1, 2),
    "Q8_0": (8, 32, 34),
    "Q4_K": (12, 256, 144),
    "Q6_K": (14, 256, 210),
    "MXFP4": (39, 32, 17),
}
ALIGNMENT = 32


class MadeUp:
    """A model being written: metadata and tensors, in the order of the file."""

    def __init__(self, architecture: str, layers: int, width: int, vocabulary: int, context: int) -> None:
        self.architecture = architecture
        self.layers, self.width, self.vocabulary = layers, width, vocabulary
        self.metadata: dict[str, Value] = {"general.architecture": architecture, "general.name": "made up"}
        self.tensors: list[tuple[str, Dimensions, str]] = []
        self.set(block_count=layers, embedding_length=width, context_length=context, vocab_size=vocabulary)
        self.metadata["tokenizer.ggml.model"] = "none"

    def set(self, **values: Value) -> MadeUp:
        """Keys of the architecture; two underscores stand for a full stop."""
        self.metadata |= {f"{self.architecture}.{key.replace('__', '.')}": value for key, value in values.items()}
        return self

    def matrix(self, name: str, *dimensions: int, type_: str = "Q4_K") -> None:
        """A quantised weight; a row that fills no whole block of 256 is stored in a simpler type, as llama.cpp does."""
        if dimensions[0] % NUMBERS[type_][1]:
            type_ = "Q8_0" if dimensions[0] % 32 == 0 else "F16"
        self.tensors.append((f"{name}.weight", dimensions, type_))

    def vector(self, name: str, *dimensions: int, end: str = "weight") -> None:
        self.tensors.append((f"{name}.{end}" if end else name, dimensions, "F32"))

    def ends(self, *, tied: bool = False, bias: bool = False, norm: str = "output_norm") -> None:
        """Word embedding, last norm and output."""
        self.matrix("token_embd", self.width, self.vocabulary)
        self.vector(norm, self.width)
        if bias:
            self.vector(norm, self.width, end="bias")
        if not tied:
            self.matrix("output", self.width, self.vocabulary, type_="Q6_K")

    def attention(
        self,
        layer: int,
        heads: int,
        kept: int,
        head: int,
        *,
        bias: str = "",
        fused: bool = False,
        norms: int = 0,
        norm_bias: bool = False,
        first_norm: bool = True,
    ) -> None:
        """`bias` names the parts that have one; `norms` is the length of the norms of query and key."""
        part = f"blk.{layer}."
        if first_norm:
            self.vector(f"{part}attn_norm", self.width)
            if norm_bias:
                self.vector(f"{part}attn_norm", self.width, end="bias")
        if fused:
            self.matrix(f"{part}attn_qkv", self.width, (heads + 2 * kept) * head)
        else:
            for name, count in (("q", heads), ("k", kept), ("v", kept)):
                self.matrix(f"{part}attn_{name}", self.width, count * head)
                if name in bias:
                    self.vector(f"{part}attn_{name}", count * head, end="bias")
        self.matrix(f"{part}attn_output", heads * head, self.width)
        if "o" in bias:
            self.vector(f"{part}attn_output", self.width, end="bias")
        for name in ("q", "k") if norms else ():
            self.vector(f"{part}attn_{name}_norm", norms if norms > 0 else (heads if name == "q" else kept) * head)

    def dense(
        self,
        layer: int,
        inner: int,
        *,
        gate: bool = True,
        fused: bool = False,
        bias: bool = False,
        norm: str = "ffn_norm",
        suffix: str = "",
    ) -> None:
        part = f"blk.{layer}."
        if norm:
            self.vector(f"{part}{norm}", self.width, end="" if self.architecture == "falcon-h1" else "weight")
            if bias:
                self.vector(f"{part}{norm}", self.width, end="bias")
        if gate:
            self.matrix(f"{part}ffn_gate{suffix}", self.width, inner)
        self.matrix(f"{part}ffn_up{suffix}", self.width, inner * 2 if fused else inner)
        self.matrix(f"{part}ffn_down{suffix}", inner, self.width, type_="Q6_K" if layer % 3 == 0 else "Q4_K")
        if bias:
            self.vector(f"{part}ffn_up{suffix}", inner, end="bias")
            self.vector(f"{part}ffn_down{suffix}", self.width, end="bias")

    def experts(
        self, layer: int, count: int, inner: int, *, type_: str = "Q4_K", bias: bool = False, norm: str = "ffn_norm"
    ) -> None:
        part = f"blk.{layer}."
        if norm:
            self.vector(f"{part}{norm}", self.width)
        self.vector(f"{part}ffn_gate_inp", self.width, count)
        for name, dimensions in (
            ("gate", (self.width, inner, count)),
            ("up", (self.width, inner, count)),
            ("down", (inner, self.width, count)),
        ):
            self.matrix(f"{part}ffn_{name}_exps", *dimensions, type_=type_)
            if bias:
                self.vector(f"{part}ffn_{name}_exps", dimensions[1], count, end="bias")
        if bias:
            self.vector(f"{part}ffn_gate_inp", count, end="bias")

    def write(self, path: Path) -> Path:
        path.write_bytes(header(self.metadata, self.tensors))
        size = sum(padded(_bytes(dimensions, type_)) for _, dimensions, type_ in self.tensors)
        with path.open("r+b") as file:
            file.truncate(padded(path.stat().st_size) + size)
        return path


def padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _bytes(dimensions: Dimensions, type_: str) -> int:
    _, block, size = NUMBERS[type_]
    elements = 1
    for length in dimensions:
        elements *= length
    return elements // block * size


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: Value) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, list):
        kind, code = (7, "?") if isinstance(value[0], bool) else (5, "i")
        return struct.pack(f"<IIQ{len(value)}{code}", 9, kind, len(value), *value)
    return struct.pack("<I", 8) + text(value)


def header(metadata: Mapping[str, Value], tensors: list[tuple[str, Dimensions, str]], version: int = 3) -> bytes:
    parts = [b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))]
    parts += [text(key) + _value(value) for key, value in metadata.items()]
    offset = 0
    for name, dimensions, type_ in tensors:
        parts.append(text(name) + struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions))
        parts.append(struct.pack("<IQ", NUMBERS[type_][0], offset))
        offset += padded(_bytes(dimensions, type_))
    data = b"".join(parts)
    return data + bytes(-len(data) % ALIGNMENT)


def _heads(
    model: MadeUp, heads: int, kept: int | list[int], head: int, *, epsilon: str = "attention__layer_norm_rms_epsilon"
) -> None:
    model.set(
        attention__head_count=heads, attention__head_count_kv=kept, attention__key_length=head, attention__value_length=head
    )
    model.set(rope__freq_base=10000.0, rope__dimension_count=head, **{epsilon: 1e-5})


def dense(
    architecture: str,
    layers: int,
    width: int,
    vocabulary: int,
    heads: int,
    kept: int,
    head: int,
    inner: int,
    *,
    context: int = 32768,
    tied: bool = False,
    bias: str = "",
    norms: int = 0,
    fused: bool = False,
    post: bool = False,
    pre: bool = True,
    keys: Mapping[str, Value] | None = None,
) -> MadeUp:
    """Attention and a gated feed-forward part in each layer."""
    model = MadeUp(architecture, layers, width, vocabulary, context)
    _heads(model, heads, kept, head)
    model.set(feed_forward_length=inner, **(keys or {}))
    model.ends(tied=tied)
    for layer in range(layers):
        model.attention(layer, heads, kept, head, bias=bias, norms=norms, fused=fused, first_norm=pre)
        if post:
            model.vector(f"blk.{layer}.post_attention_norm", width)
            model.vector(f"blk.{layer}.post_ffw_norm", width)
        model.dense(layer, inner, gate=not fused, fused=fused, norm="ffn_norm" if pre else "")
    return model


def mixture(
    architecture: str,
    layers: int,
    width: int,
    vocabulary: int,
    heads: int,
    kept: int,
    head: int,
    experts: int,
    used: int,
    inner: int,
    *,
    norms: int = 0,
    bias: str = "",
    shared: int = 0,
    shared_gate: bool = False,
    keys: Mapping[str, Value] | None = None,
) -> MadeUp:
    model = MadeUp(architecture, layers, width, vocabulary, 32768)
    _heads(model, heads, kept, head)
    model.set(feed_forward_length=inner, expert_count=experts, expert_used_count=used, expert_feed_forward_length=inner)
    model.set(**(keys or {}))
    model.ends()
    for layer in range(layers):
        model.attention(layer, heads, kept, head, norms=norms, bias=bias)
        model.experts(layer, experts, inner)
        if shared:
            model.dense(layer, shared, norm="", suffix="_shexp")
        if shared_gate:
            model.vector(f"blk.{layer}.ffn_gate_inp_shexp", width)
    return model


def starcoder2() -> MadeUp:
    model = MadeUp("starcoder2", 32, 4608, 49152, 16384)
    _heads(model, 36, 4, 128, epsilon="attention__layer_norm_epsilon")
    model.set(feed_forward_length=18432)
    model.ends(bias=True)
    for layer in range(32):
        model.attention(layer, 36, 4, 128, bias="qkvo", norm_bias=True)
        model.dense(layer, 18432, gate=False, bias=True)
    return model


def command_r(architecture: str = "command-r", window: int = 0) -> MadeUp:
    model = MadeUp(architecture, 24, 4096, 256000, 131072)
    _heads(model, 32, 8, 128, epsilon="attention__layer_norm_epsilon")
    model.set(feed_forward_length=14336, logit_scale=0.0625)
    if window:
        model.set(attention__sliding_window=window)
    model.ends(tied=True)
    for layer in range(24):
        model.attention(layer, 32, 8, 128)
        model.dense(layer, 14336, norm="")
    return model


def gpt_oss() -> MadeUp:
    model = MadeUp("gpt-oss", 24, 2880, 201088, 131072)
    _heads(model, 64, 8, 64)
    model.set(expert_count=32, expert_used_count=4, expert_feed_forward_length=2880, attention__sliding_window=128)
    model.ends()
    for layer in range(24):
        model.attention(layer, 64, 8, 64, bias="qkvo")
        model.vector(f"blk.{layer}.post_attention_norm", 2880)
        model.vector(f"blk.{layer}.attn_sinks", 64)
        model.experts(layer, 32, 2880, type_="MXFP4", bias=True, norm="")
    return model


MODELS: dict[str, Callable[[], MadeUp]] = {
    "llama-8b": lambda: dense("llama", 32, 4096, 128256, 32, 8, 128, 14336, context=131072),
    "llama-1b-tied": lambda: dense("llama", 16, 2048, 128256, 32, 8, 64, 8192, tied=True),
    "llama-mixture": lambda: mixture("llama", 16, 4096, 32000, 32, 8, 128, 8, 2, 14336),
    "qwen2-7b": lambda: dense("qwen2", 28, 3584, 152064, 28, 4, 128, 18944, bias="qkv"),
    "qwen3-0.6b-tied": lambda: dense("qwen3", 28, 1024, 151936, 16, 8, 128, 3072, norms=128, tied=True),
    "qwen3moe-30b": lambda: mixture("qwen3moe", 48, 2048, 151936, 32, 4, 128, 128, 8, 768, norms=128),
    "qwen2moe-14b": lambda: mixture(
        "qwen2moe",
        24,
        2048,
        151936,
        16,
        16,
        128,
        60,
        4,
        1408,
        bias="qkv",
        shared=5632,
        shared_gate=True,
        keys={"expert_shared_feed_forward_length": 5632},
    ),
    "gemma2-9b": lambda: dense(
        "gemma2",
        42,
        3584,
        256000,
        16,
        8,
        256,
        14336,
        tied=True,
        post=True,
        keys={"attention__sliding_window": 4096, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0},
    ),
    "gemma3-4b": lambda: dense(
        "gemma3",
        34,
        2560,
        262208,
        8,
        4,
        256,
        10240,
        context=131072,
        tied=True,
        post=True,
        norms=256,
        keys={"attention__sliding_window": 1024},
    ),
    "gemma-2b": lambda: dense("gemma", 18, 2048, 256000, 8, 1, 256, 16384, tied=True),
    "phi3-mini": lambda: dense("phi3", 32, 3072, 32064, 32, 32, 96, 8192, fused=True),
    "starcoder2-7b": starcoder2,
    "command-r7": command_r,
    "cohere2-7b": lambda: command_r("cohere2", 4096),
    "olmo2-7b": lambda: dense("olmo2", 32, 4096, 100352, 32, 32, 128, 11008, norms=-1, post=True, pre=False),
    "internlm2-7b": lambda: dense("internlm2", 32, 4096, 92544, 32, 8, 128, 14336),
    "granite-8b": lambda: dense(
        "granite",
        36,
        4096,
        49152,
        32,
        8,
        128,
        12800,
        tied=True,
        keys={"embedding_scale": 12.0, "residual_scale": 0.22, "logit_scale": 16.0, "attention__scale": 0.0078},
    ),
    "granitemoe-3b": lambda: mixture(
        "granitemoe",
        32,
        1536,
        49152,
        24,
        8,
        64,
        40,
        8,
        512,
        keys={"embedding_scale": 12.0, "residual_scale": 0.22, "logit_scale": 6.0, "attention__scale": 0.0156},
    ),
    "gpt-oss-20b": gpt_oss,
    "olmoe-7b": lambda: mixture("olmoe", 16, 2048, 50304, 16, 16, 128, 64, 8, 1024, norms=-1),
}


def deepseek(name: str, *, rank: int = 0, groups: int = 0, compressed: bool = True) -> MadeUp:
    """DeepSeek-V2-Lite, or with a rank for the query a small V3."""
    layers, width, heads, inner, experts, used = (27, 2048, 16, 1408, 64, 6) if not rank else (12, 3584, 32, 1024, 64, 8)
    model = MadeUp("deepseek2", layers, width, 102400, 163840)
    _heads(model, heads, 1 if compressed else heads, 576 if compressed else 192)
    model.set(rope__dimension_count=64, attention__kv_lora_rank=512, leading_dense_block_count=1, feed_forward_length=10944)
    model.set(attention__value_length=512 if compressed else 128)
    if compressed:
        model.set(attention__key_length_mla=192, attention__value_length_mla=128)
    if rank:
        model.set(attention__q_lora_rank=rank, expert_gating_func=2, expert_weights_norm=True, expert_weights_scale=2.5)
        model.set(expert_group_count=groups, expert_group_used_count=groups // 2)
    model.set(expert_count=experts, expert_used_count=used, expert_feed_forward_length=inner, expert_shared_count=2)
    model.ends()
    for layer in range(layers):
        part = f"blk.{layer}."
        model.vector(f"{part}attn_norm", width)
        model.vector(f"{part}attn_kv_a_norm", 512)
        if rank:
            model.vector(f"{part}attn_q_a_norm", rank)
            model.matrix(f"{part}attn_q_a", width, rank)
            model.matrix(f"{part}attn_q_b", rank, heads * 192)
        else:
            model.matrix(f"{part}attn_q", width, heads * 192)
        model.matrix(f"{part}attn_kv_a_mqa", width, 576)
        if compressed:
            model.matrix(f"{part}attn_k_b", 128, 512, heads)
            model.matrix(f"{part}attn_v_b", 512, 128, heads)
        else:
            model.matrix(f"{part}attn_kv_b", 512, heads * 256)
        model.matrix(f"{part}attn_output", heads * 128, width)
        if not layer:
            model.dense(layer, 10944)
            continue
        model.experts(layer, experts, inner)
        if rank:
            model.vector(f"{part}exp_probs_b", experts, end="bias")
        model.dense(layer, inner * 2, norm="", suffix="_shexp")
    return model


def _space(model: MadeUp, inner: int, state: int, rank: int, groups: int = 0, kernel: int = 4) -> None:
    model.set(ssm__conv_kernel=kernel, ssm__inner_size=inner, ssm__state_size=state, ssm__time_step_rank=rank)
    if groups:
        model.set(ssm__group_count=groups)


def _mamba_layer(model: MadeUp, layer: int, inner: int, state: int, rank: int, *, norms: bool = False) -> None:
    part, width = f"blk.{layer}.", model.width
    model.matrix(f"{part}ssm_in", width, 2 * inner)
    model.vector(f"{part}ssm_conv1d", 4, inner)
    model.vector(f"{part}ssm_conv1d", inner, end="bias")
    model.matrix(f"{part}ssm_x", inner, rank + 2 * state)
    model.matrix(f"{part}ssm_dt", rank, inner)
    model.vector(f"{part}ssm_dt", inner, end="bias")
    model.vector(f"{part}ssm_a", state, inner, end="")
    model.vector(f"{part}ssm_d", inner, end="")
    model.matrix(f"{part}ssm_out", inner, width)
    for name, length in (("dt", rank), ("b", state), ("c", state)) if norms else ():
        model.vector(f"{part}ssm_{name}_norm", length)


def _mamba2_layer(model: MadeUp, layer: int, inner: int, state: int, heads: int, groups: int, *, norm: bool = True) -> None:
    part, channels = f"blk.{layer}.", inner + 2 * groups * state
    model.matrix(f"{part}ssm_in", model.width, 2 * inner + 2 * groups * state + heads)
    model.vector(f"{part}ssm_conv1d", 4, channels)
    model.vector(f"{part}ssm_conv1d", channels, end="bias")
    model.vector(f"{part}ssm_dt", heads, end="bias")
    model.vector(f"{part}ssm_a", 1, heads, end="")
    model.vector(f"{part}ssm_d", 1, heads, end="")
    if norm:
        model.vector(f"{part}ssm_norm", inner // groups, groups)
    model.matrix(f"{part}ssm_out", inner, model.width)


def mamba(second: bool = False) -> MadeUp:
    model = MadeUp("mamba2" if second else "mamba", 48, 2048, 50280, 1048576)
    model.set(attention__layer_norm_rms_epsilon=1e-5, feed_forward_length=0, attention__head_count=0)
    inner, state, rank, groups = (4096, 128, 64, 1) if second else (4096, 16, 128, 0)
    _space(model, inner, state, rank, groups)
    model.ends(tied=True)
    for layer in range(48):
        model.vector(f"blk.{layer}.attn_norm", 2048)
        if second:
            _mamba2_layer(model, layer, inner, state, rank, groups)
        else:
            _mamba_layer(model, layer, inner, state, rank)
    return model


def jamba() -> MadeUp:
    layers, width = 16, 4096
    model = MadeUp("jamba", layers, width, 65536, 262144)
    kept = [8 if layer % 8 == 4 else 0 for layer in range(layers)]
    model.set(attention__head_count=32, attention__head_count_kv=kept, attention__layer_norm_rms_epsilon=1e-6)
    model.set(feed_forward_length=14336, expert_count=16, expert_used_count=2)
    _space(model, 8192, 16, 256)
    model.ends()
    for layer in range(layers):
        if kept[layer]:
            model.attention(layer, 32, 8, 128)
        else:
            model.vector(f"blk.{layer}.attn_norm", width)
            _mamba_layer(model, layer, 8192, 16, 256, norms=True)
        if layer % 2:
            model.experts(layer, 16, 14336)
        else:
            model.dense(layer, 14336)
    return model


def falcon_h1() -> MadeUp:
    model = MadeUp("falcon-h1", 36, 2560, 65024, 131072)
    _heads(model, 20, 4, 128)
    model.set(feed_forward_length=7680)
    _space(model, 3072, 128, 24, 1)
    model.ends()
    for layer in range(36):
        model.attention(layer, 20, 4, 128)
        _mamba2_layer(model, layer, 3072, 128, 24, 1, norm=False)
        model.dense(layer, 7680)
    return model


def granite_hybrid(*, rotates: bool = True) -> MadeUp:
    layers, width = 40, 1536
    model = MadeUp("granitehybrid", layers, width, 100352, 131072)
    kept = [4 if layer % 10 == 5 else 0 for layer in range(layers)]
    _heads(model, 12, kept, 128)
    model.set(feed_forward_length=512, expert_count=64, expert_used_count=6, expert_shared_feed_forward_length=1024)
    model.set(embedding_scale=12.0, residual_scale=0.22, logit_scale=6.0, attention__scale=0.0078)
    _space(model, 3072, 128, 48, 1)
    if not rotates:
        model.set(rope__scaling__finetuned=False)
    model.ends(tied=True)
    for layer in range(layers):
        if kept[layer]:
            model.attention(layer, 12, 4, 128)
        else:
            model.vector(f"blk.{layer}.attn_norm", width)
            _mamba2_layer(model, layer, 3072, 128, 48, 1)
        model.experts(layer, 64, 512)
        model.dense(layer, 1024, norm="", suffix="_shexp")
    return model


def lfm2(*, experts: bool = False) -> MadeUp:
    layers, width = 16, 2048
    model = MadeUp("lfm2moe" if experts else "lfm2", layers, width, 65536, 128000)
    kept = [8 if layer in {2, 5, 8, 10, 12, 14} else 0 for layer in range(layers)]
    _heads(model, 32, kept, 64)
    model.set(feed_forward_length=8192, shortconv__l_cache=3)
    if experts:
        model.set(expert_count=32, expert_used_count=4, expert_feed_forward_length=1792, expert_gating_func=2)
        model.set(leading_dense_block_count=2)
    model.ends(tied=True, norm="token_embd_norm")
    for layer in range(layers):
        if kept[layer]:
            model.attention(layer, 32, 8, 64, norms=64)
        else:
            model.vector(f"blk.{layer}.attn_norm", width)
            model.vector(f"blk.{layer}.shortconv.conv", 3, width)
            model.matrix(f"blk.{layer}.shortconv.in_proj", width, 3 * width)
            model.matrix(f"blk.{layer}.shortconv.out_proj", width, width)
        if experts and layer >= 2:
            model.experts(layer, 32, 1792)
            model.vector(f"blk.{layer}.exp_probs_b", 32, end="bias")
        else:
            model.dense(layer, 8192)
    return model


def qwen3next(*, together: bool = False) -> MadeUp:
    """`together`: as it was first converted, with query, key, value and gate in one weight."""
    layers, width, experts, inner = 24, 2048, 128, 512
    model = MadeUp("qwen3next", layers, width, 151936, 262144)
    _heads(model, 16, 2, 256)
    model.set(rope__dimension_count=64, feed_forward_length=5120, expert_count=experts, expert_used_count=10)
    model.set(expert_feed_forward_length=inner, expert_shared_feed_forward_length=inner)
    _space(model, 4096, 128, 32, 16)
    model.ends()
    for layer in range(layers):
        part = f"blk.{layer}."
        model.vector(f"{part}attn_norm", width)
        model.vector(f"{part}post_attention_norm", width)
        if (layer + 1) % 4 == 0:
            model.matrix(f"{part}attn_q", width, 16 * 256 * 2)
            model.matrix(f"{part}attn_k", width, 512)
            model.matrix(f"{part}attn_v", width, 512)
            model.matrix(f"{part}attn_output", 4096, width)
            model.vector(f"{part}attn_q_norm", 256)
            model.vector(f"{part}attn_k_norm", 256)
        else:
            if together:
                model.matrix(f"{part}ssm_in", width, 12288)
            else:
                model.matrix(f"{part}attn_qkv", width, 8192)
                model.matrix(f"{part}attn_gate", width, 4096)
            model.vector(f"{part}ssm_conv1d", 4, 8192)
            model.vector(f"{part}ssm_dt", 32, end="bias")
            model.vector(f"{part}ssm_a", 32, end="")
            model.matrix(f"{part}ssm_ba", width, 64)
            model.vector(f"{part}ssm_norm", 128)
            model.matrix(f"{part}ssm_out", 4096, width)
        model.experts(layer, experts, inner, norm="")
        model.dense(layer, inner, norm="", suffix="_shexp")
        model.vector(f"{part}ffn_gate_inp_shexp", width)
    return model


MODELS |= {
    "deepseek2-lite": lambda: deepseek("lite"),
    "deepseek2-lite-long": lambda: deepseek("long", compressed=False),
    "deepseek3-small": lambda: deepseek("small", rank=1536, groups=8),
    "mamba-1.4b": mamba,
    "mamba2-1.3b": lambda: mamba(second=True),
    "jamba-mini": jamba,
    "falcon-h1-3b": falcon_h1,
    "granite-hybrid-7b": granite_hybrid,
    "granite-hybrid-unrotated": lambda: granite_hybrid(rotates=False),
    "lfm2-1.2b": lfm2,
    "qwen3next-small": qwen3next,
    "qwen3next-first": lambda: qwen3next(together=True),
}


def glm4moe() -> MadeUp:
    """With a block that predicts the token after the next, which is not loaded and counts as a layer all the same."""
    layers, width = 24, 4096
    model = MadeUp("glm4moe", layers, width, 151552, 131072)
    _heads(model, 96, 8, 128)
    model.set(feed_forward_length=10944, expert_count=64, expert_used_count=8, expert_feed_forward_length=1408)
    model.set(expert_shared_count=1, leading_dense_block_count=1, expert_weights_norm=True, expert_weights_scale=1.0)
    model.set(nextn_predict_layers=1)
    model.ends()
    for layer in range(layers):
        model.attention(layer, 96, 8, 128, bias="qkv")
        model.vector(f"blk.{layer}.post_attention_norm", width)
        if not layer:
            model.dense(layer, 10944, norm="")
        else:
            model.experts(layer, 64, 1408, norm="")
            model.vector(f"blk.{layer}.exp_probs_b", 64, end="bias")
            model.dense(layer, 1408, norm="", suffix="_shexp")
        if layer == layers - 1:
            model.matrix(f"blk.{layer}.nextn.eh_proj", 2 * width, width)
            for name in ("enorm", "hnorm", "shared_head_norm"):
                model.vector(f"blk.{layer}.nextn.{name}", width)
    return model


def seed_oss() -> MadeUp:
    model = MadeUp("seed_oss", 24, 5120, 155136, 524288)
    _heads(model, 80, 8, 128)
    model.set(feed_forward_length=27648)
    model.ends()
    for layer in range(24):
        model.attention(layer, 80, 8, 128, bias="qkv")
        model.dense(layer, 27648, norm="post_attention_norm")
    return model


MODELS |= {
    "glm4moe-small": glm4moe,
    "seed-oss-small": seed_oss,
    "mistral3-8b": lambda: dense("mistral3", 34, 4096, 131072, 32, 8, 128, 14336),
}


def minimax_m2() -> MadeUp:
    model = mixture("minimax-m2", 16, 3072, 200064, 48, 8, 128, 64, 8, 1536, norms=-1, keys={"expert_gating_func": 2})
    for layer in range(16):
        model.vector(f"blk.{layer}.exp_probs_b", 64, end="bias")
    return model


def glm4() -> MadeUp:
    model = MadeUp("glm4", 40, 4096, 151552, 32768)
    _heads(model, 32, 2, 128)
    model.set(feed_forward_length=13696)
    model.ends()
    for layer in range(40):
        model.attention(layer, 32, 2, 128, bias="qkv")
        model.vector(f"blk.{layer}.post_attention_norm", 4096)
        model.dense(layer, 13696, gate=False, fused=True)
        model.vector(f"blk.{layer}.post_ffw_norm", 4096)
    return model


MODELS |= {
    "lfm2moe-8b": lambda: lfm2(experts=True),
    "smollm3-3b": lambda: dense("smollm3", 36, 2048, 128256, 16, 4, 128, 11008, tied=True),
    "glm4-9b": glm4,
    "ernie4.5-0.3b": lambda: dense("ernie4_5", 18, 1024, 103424, 16, 2, 128, 3072, tied=True),
    "exaone4-32b": lambda: dense(
        "exaone4",
        64,
        5120,
        102400,
        40,
        8,
        128,
        27392,
        norms=128,
        post=True,
        pre=False,
        keys={"attention__sliding_window": 4096},
    ),
    "minimax-m2-small": minimax_m2,
}


def led_by_dense(
    architecture: str,
    *,
    norms: int = 0,
    keys: Mapping[str, Value] | None = None,
    chosen: bool = True,
    fused: bool = False,
    kept: int = 4,
) -> MadeUp:
    """One dense layer, then experts with shared ones beside them."""
    layers, width = 20, 2048
    model = MadeUp(architecture, layers, width, 152064, 32768)
    _heads(model, 16, kept, 128)
    model.set(feed_forward_length=10944, expert_count=64, expert_used_count=6, expert_feed_forward_length=1408)
    model.set(expert_shared_count=2, leading_dense_block_count=1, **(keys or {}))
    model.ends()
    for layer in range(layers):
        model.attention(layer, 16, kept, 128, norms=norms, fused=fused)
        if not layer:
            model.dense(layer, 10944)
            continue
        model.experts(layer, 64, 1408)
        if chosen:
            model.vector(f"blk.{layer}.exp_probs_b", 64, end="bias")
        model.dense(layer, 2816, norm="", suffix="_shexp")
    return model


_SIGMOID: Mapping[str, Value] = {"expert_gating_func": 2, "expert_weights_norm": True, "expert_weights_scale": 2.5}

MODELS |= {
    "qwen2vl-7b": lambda: dense(
        "qwen2vl", 28, 3584, 152064, 28, 4, 128, 18944, bias="qkv", keys={"rope__dimension_sections": [16, 24, 24, 0]}
    ),
    "dots1-small": lambda: led_by_dense("dots1", norms=128, kept=16, keys=_SIGMOID),
    "bailingmoe2-small": lambda: led_by_dense(
        "bailingmoe2", norms=128, fused=True, keys={**_SIGMOID, "expert_shared_feed_forward_length": 1408}
    ),
    "ernie4.5-21b": lambda: led_by_dense(
        "ernie4_5-moe", keys={"expert_shared_feed_forward_length": 2816, "interleave_moe_layer_step": 1}
    ),
}
