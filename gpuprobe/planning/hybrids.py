"""Models whose layers keep a state, all of them or some of them beside layers with attention."""

from __future__ import annotations

from gpuprobe.planning.blocks import Builder
from gpuprobe.planning.graph import Node, contiguous, each, multiply_matrices, reshape, strided, unary
from gpuprobe.planning.kv_cache import recurrent
from gpuprobe.planning.recurrent import States, delta_rule, mamba, mamba2, short_convolution
from gpuprobe.planning.transformers import Traits, attention, feed_forward, finish, residual


def build_states_alone(builder: Builder) -> Node:
    """Mamba of either kind: no attention and no feed-forward part."""
    kind = mamba2 if builder.numbers.architecture == "mamba2" else mamba
    node = builder.embedding()
    states = States(builder)
    for layer in builder.layers:
        builder.layer = layer
        start = node
        node = kind(builder, states, builder.norm(node, "attn_norm"))
        if layer == builder.numbers.layers - 1:
            node, start = builder.last_rows(node, start)
        node = each("ADD", node, start)
    return finish(builder, node)


SHORT = frozenset(("lfm2", "lfm2moe"))  # short convolutions in the place of attention
DELTA_RULE = frozenset(("qwen3next",))
HYBRIDS: dict[str, Traits] = {
    "jamba": Traits(rotates=False, experts_normed=False),
    "falcon-h1": Traits(),
    "granitehybrid": Traits(rotation_by_file=True),
    "lfm2": Traits(),
    "lfm2moe": Traits(),
    "qwen3next": Traits(feed_forward_norm="post_attention_norm", last_rows_after=True),
}


def build_hybrid(builder: Builder, traits: Traits) -> Node:
    numbers, name = builder.numbers, builder.numbers.architecture
    node = builder.embedding()
    states = States(builder)
    flags = recurrent(numbers)
    for layer in builder.layers:
        builder.layer = layer
        last = layer == numbers.layers - 1 and not traits.last_rows_after
        start = node
        node = builder.norm(node, "attn_norm")
        if name == "qwen3next":
            builder.graph.expand(node)
        if name == "falcon-h1":
            attended = attention(builder, traits, node)
            node = each("ADD", attended, mamba2(builder, states, builder.norm(start, "attn_norm")))
            start = middle = each("ADD", node, start)
            if last:
                node, middle = builder.last_rows(node, middle)
            node = feed_forward(builder, traits, builder.norm(middle, "ffn_norm"))
            node = each("ADD", node, middle)
            continue
        node = _mixed(builder, states, traits, node, flags[layer])
        if last:
            node, start = builder.last_rows(node, start)
        node = _rest(builder, traits, node, start)
    if traits.last_rows_after:
        node = builder.norm(node, "output_norm", end=True)
        (node,) = builder.last_rows(node)
        node = multiply_matrices(builder.output_weight(), node)
        return builder.graph.expand(node)
    return finish(builder, node, norm="token_embd_norm" if name in SHORT else "output_norm")


def _mixed(builder: Builder, states: States, traits: Traits, node: Node, keeps_state: bool) -> Node:
    """The part of a layer that looks at other tokens."""
    name = builder.numbers.architecture
    if not keeps_state:
        return gated_attention(builder, node) if name == "qwen3next" else attention(builder, traits, node)
    if name in SHORT:
        return short_convolution(builder, states, node)
    if name == "qwen3next":
        return delta_rule(builder, states, node)
    return mamba(builder, states, node) if name == "jamba" else mamba2(builder, states, node)


def _rest(builder: Builder, traits: Traits, node: Node, start: Node) -> Node:
    """The additions and the feed-forward part; the order of additions differs from one architecture to the next."""
    name = builder.numbers.architecture
    first = name == "jamba" or name in SHORT
    node = each("ADD", start, node) if first else residual(builder, node, start)
    middle = node
    node = feed_forward(builder, traits, builder.norm(node, traits.feed_forward_norm))
    if builder.numbers.real("residual_scale"):
        node = each("SCALE", node)
    return each("ADD", middle, node) if first else each("ADD", node, middle)


def gated_attention(builder: Builder, node: Node) -> Node:
    """Attention whose query brings a gate for the result with it."""
    numbers, tokens, layer = builder.numbers, builder.work.tokens, builder.layer
    head, heads, kept = numbers.key_length, numbers.heads[layer], numbers.cache_heads[layer]
    both = reshape(multiply_matrices(builder.needed("attn_q"), node), head * 2, heads, tokens)
    key = reshape(multiply_matrices(builder.needed("attn_k"), node), head, kept, tokens)
    value = reshape(multiply_matrices(builder.needed("attn_v"), node), head, kept, tokens)
    query, gate = (strided(both, heads * tokens, head, heads, tokens) for _ in range(2))
    query, key = builder.norm(query, "attn_q_norm"), builder.norm(key, "attn_k_norm")
    result = builder.attention(builder.rotated(query), builder.rotated(key), value, output=None)
    result = each("MUL", result, unary(contiguous(gate, head * heads, tokens)))
    return multiply_matrices(builder.needed("attn_output"), result)
