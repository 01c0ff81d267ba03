"""Layers of attention and a feed-forward part: one description for each architecture, one way to build them all."""

from __future__ import annotations

from typing import NamedTuple

from gpuprobe.planning.blocks import Builder
from gpuprobe.planning.experts import experts
from gpuprobe.planning.graph import Node, each, multiply_matrices, unary


class Traits(NamedTuple):
    """How an architecture differs from Llama. Norms, biases, gates and shared experts follow from the file's tensors."""

    rms: bool = True
    scaled_embedding: bool = False
    query_scaled: bool = False
    norm_before_heads: bool = False  # query and key are normed before they are cut into heads
    rotates: bool = True
    rotation_by_file: bool = False  # a key says whether it rotates
    rotates_in_windows: bool = False  # beside layers with windows, those that see everything know no positions
    unrotated_step: int = 0  # the last of so many layers knows no positions
    parallel: bool = False  # attention and feed-forward part both start from the layer's input
    feed_forward_norm: str = "ffn_norm"
    feed_forward_fused: bool = False  # gate and up are one tensor
    residual_first: bool = False  # the order of the layer's last addition
    experts_normed: bool = True
    experts_late: bool = False
    last_rows_after: bool = False  # all tokens pass the last layer


TRAITS: dict[str, Traits] = {
    "llama": Traits(),
    "mistral3": Traits(),
    "qwen2": Traits(),
    "qwen3": Traits(),
    "qwen2moe": Traits(experts_normed=False),
    "qwen3moe": Traits(),
    "internlm2": Traits(),
    "gemma": Traits(scaled_embedding=True, query_scaled=True),
    "gemma2": Traits(scaled_embedding=True, query_scaled=True),
    "gemma3": Traits(scaled_embedding=True, query_scaled=True),
    "phi3": Traits(query_scaled=True, feed_forward_fused=True, residual_first=True),
    "starcoder2": Traits(rms=False),
    "command-r": Traits(rms=False, parallel=True),
    "cohere2": Traits(rms=False, parallel=True, rotates_in_windows=True),
    "olmo2": Traits(norm_before_heads=True),
    "olmoe": Traits(norm_before_heads=True, experts_normed=False),
    "qwen2vl": Traits(),
    "dots1": Traits(experts_normed=False),
    "bailingmoe2": Traits(experts_normed=False),
    "ernie4_5-moe": Traits(),
    "smollm3": Traits(unrotated_step=4),
    "glm4": Traits(feed_forward_fused=True),
    "ernie4_5": Traits(),
    "exaone4": Traits(rotates_in_windows=True),
    "minimax-m2": Traits(norm_before_heads=True),
    "granite": Traits(rotation_by_file=True),
    "granitemoe": Traits(rotation_by_file=True),
    "gpt-oss": Traits(feed_forward_norm="post_attention_norm", experts_late=True, experts_normed=False, last_rows_after=True),
    "glm4moe": Traits(feed_forward_norm="post_attention_norm"),
    "seed_oss": Traits(feed_forward_norm="post_attention_norm"),
}


def build(builder: Builder, traits: Traits) -> Node:
    """The whole graph, up to what is computed for the wanted tokens."""
    node = builder.embedding()
    if traits.scaled_embedding:
        node = each("SCALE", node)
    for layer in builder.layers:
        builder.layer = layer
        node = _layer(builder, traits, node, last=layer == builder.numbers.layers - 1)
    if traits.last_rows_after:
        (node,) = builder.last_rows(node)
    return finish(builder, node, rms=traits.rms)


def finish(builder: Builder, node: Node, *, rms: bool = True, norm: str = "output_norm") -> Node:
    """The output: norm, vocabulary, and what is done to the scores."""
    node = builder.norm(node, norm, rms=rms, end=True)
    node = builder.linear(builder.output_weight(), node, builder.weight("output.bias"))
    if builder.numbers.real("logit_scale"):
        node = each("SCALE", node)
    if builder.numbers.real("final_logit_softcapping"):
        node = each("SCALE", unary(each("SCALE", node)))
    return builder.graph.expand(node)


def _layer(builder: Builder, traits: Traits, node: Node, *, last: bool) -> Node:
    start = node
    if builder.own("attn_norm") is not None:
        node = builder.norm(node, "attn_norm", rms=traits.rms)
    normed = node
    node = attention(builder, traits, node)
    cut = last and not traits.last_rows_after
    if traits.parallel:
        if cut:
            node, start, normed = builder.last_rows(node, start, normed)
        result = builder.feed_forward(normed)
        return each("ADD", each("ADD", result, start), node)
    if cut:
        node, start = builder.last_rows(node, start)
    if traits.feed_forward_norm != "post_attention_norm" and builder.own("post_attention_norm") is not None:
        node = builder.norm(node, "post_attention_norm", rms=traits.rms)
    node = residual(builder, node, start)
    middle = node
    if builder.own(traits.feed_forward_norm) is not None:
        node = builder.norm(node, traits.feed_forward_norm, rms=traits.rms)
    node = feed_forward(builder, traits, node)
    if builder.own("post_ffw_norm") is not None:
        node = builder.norm(node, "post_ffw_norm", rms=traits.rms)
    if builder.numbers.real("residual_scale"):
        node = each("SCALE", node)
    return each("ADD", middle, node) if traits.residual_first else each("ADD", node, middle)


def residual(builder: Builder, node: Node, start: Node) -> Node:
    if builder.numbers.real("residual_scale"):
        node = each("SCALE", node)
    return each("ADD", node, start)


def attention(builder: Builder, traits: Traits, node: Node) -> Node:
    query, key, value = builder.heads(node, traits.rms, flat_norm=traits.norm_before_heads)
    if _rotates(builder, traits):
        query, key = builder.rotated(query), builder.rotated(key)
    if traits.query_scaled:
        query = each("SCALE", query)
    return builder.attention(
        query,
        key,
        value,
        sinks=builder.own("attn_sinks"),
        soft_cap=bool(builder.numbers.real("attn_logit_softcapping")),
    )


def knows_positions(traits: Traits, layer: int) -> bool:
    return traits.rotates and (not traits.unrotated_step or (layer + 1) % traits.unrotated_step != 0)


def _rotates(builder: Builder, traits: Traits) -> bool:
    layer, windows = builder.layer, builder.windows
    if traits.rotation_by_file and not builder.numbers.flag("rope.scaling.finetuned", True):
        return False
    if traits.rotates_in_windows and windows.width and not windows.windowed[layer]:
        return False
    return knows_positions(traits, layer)


def feed_forward(builder: Builder, traits: Traits, node: Node) -> Node:
    """Dense, or experts with the shared ones beside them, as the layer's tensors say."""
    if builder.own("ffn_gate_inp") is None:
        return builder.feed_forward(node, fused=traits.feed_forward_fused)
    scale = builder.numbers.real("expert_weights_scale")
    mixed = experts(
        builder,
        node,
        normed=builder.numbers.flag("expert_weights_norm", traits.experts_normed),
        scaled=scale not in {0.0, 1.0},
        late=traits.experts_late,
    )
    if builder.own("ffn_up_shexp") is None:
        return mixed
    gate = builder.own("ffn_gate_inp_shexp")
    if gate is None:
        return each("ADD", mixed, builder.feed_forward(node, "_shexp"))
    opened = multiply_matrices(gate, node)
    opened = each("DIV", unary(opened), opened)
    return each("ADD", mixed, each("MUL", builder.feed_forward(node, "_shexp"), opened))
