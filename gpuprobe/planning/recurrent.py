"""Layers that keep a state of fixed size instead of a cache: Mamba, short convolutions, gated delta rules; and their hybrids."""

from __future__ import annotations

from gpuprobe.planning.blocks import Builder, Missing
from gpuprobe.planning.graph import (
    I32,
    Node,
    contiguous,
    convolve,
    copy,
    delta_net,
    each,
    gated,
    get_rows,
    given,
    held,
    join,
    multiply_matrices,
    repeat,
    reshape,
    scan,
    strided,
    transpose,
    unary,
    view,
)
from gpuprobe.planning.kv_cache import recurrent, state_rows
from gpuprobe.planning.transformers import Traits, attention, feed_forward, finish, residual


class States:
    """The states of all sequences: read at the start of a layer, written at its end."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        rows = given((builder.room.sequences,), I32)
        self.rows = view(rows, builder.work.sequences, contiguous=True)
        self.no_rows = view(rows, builder.room.sequences - builder.work.sequences)
        self.sizes = state_rows(builder.numbers)

    def memory(self, which: int) -> Node:
        """Where the layer's states are: 0 for the convolution's, 1 for the other."""
        builder = self.builder
        size = self.sizes[which]
        sequences = builder.room.sequences
        return held((size, sequences), size * sequences * 4, builder.cache_home(), weight=False)

    def read(self, memory: Node) -> Node:
        """The states of the batch's sequences, gathered."""
        states = self.cleared(memory)
        result = self.builder.graph.expand(get_rows(states, self.rows))
        self.keep_others(memory, states)
        return result

    def cleared(self, memory: Node) -> Node:
        states = reshape(memory, *memory.shape[:2])
        zero = view(states, 0)
        self.builder.graph.expand(Node("SCALE", zero.shape, zero.element, [zero], memory))
        return states

    def keep_others(self, memory: Node, states: Node) -> None:
        """States of sequences outside the batch are moved along; at the reservation there are none."""
        others = get_rows(states, self.no_rows)
        self.builder.graph.expand(copy(others, view(memory, memory.shape[0], 0)))

    def write(self, node: Node, memory: Node) -> None:
        self.builder.graph.expand(copy(node, view(memory, *memory.shape)))


def mamba(builder: Builder, states: States, node: Node) -> Node:
    """A selective state space layer of the first kind."""
    numbers, graph = builder.numbers, builder.graph
    kernel, inner = numbers.number("ssm.conv_kernel"), numbers.number("ssm.inner_size")
    size, rank = numbers.number("ssm.state_size"), numbers.number("ssm.time_step_rank")
    sequences = builder.work.sequences
    tokens = builder.work.tokens // sequences
    convolution, memory = states.memory(0), states.memory(1)
    past = reshape(states.read(convolution), kernel - 1, inner, sequences)
    both = multiply_matrices(builder.needed("ssm_in"), reshape(node, node.shape[0], tokens, sequences))
    x, z = (strided(both, tokens * sequences, inner, tokens, sequences) for _ in range(2))
    window = join(past, transpose(x))
    states.write(strided(window, inner * sequences, kernel - 1, inner, sequences), convolution)
    x = convolve(window, builder.needed("ssm_conv1d"))
    x = unary(each("ADD", x, builder.needed("ssm_conv1d", "bias")))
    parts = multiply_matrices(builder.needed("ssm_x"), x)
    step = strided(parts, tokens * sequences, rank, tokens, sequences)
    first, second = (strided(parts, tokens * sequences, size, 1, tokens, sequences) for _ in range(2))
    if builder.own("ssm_dt_norm") is not None:
        step, first = builder.norm(step, "ssm_dt_norm"), builder.norm(first, "ssm_b_norm")
        second = builder.norm(second, "ssm_c_norm")
    else:
        step = contiguous(step)
    step = each("ADD", multiply_matrices(builder.needed("ssm_dt"), step), builder.needed("ssm_dt", "bias"))
    heads = reshape(x, 1, inner, tokens, sequences)
    cleared = states.cleared(memory)
    shaped = reshape(cleared, size, 1, inner, builder.room.sequences)
    result = graph.expand(scan(shaped, heads, step, _plain(builder, "ssm_a"), first, second, states.rows))
    states.keep_others(memory, cleared)
    states.write(view(result, size * inner * sequences), memory)
    y = view(result, inner, tokens, sequences)
    y = each("ADD", y, each("MUL", x, _plain(builder, "ssm_d")))
    y = gated(contiguous(z), y)
    out = multiply_matrices(builder.needed("ssm_out"), y)
    return reshape(out, out.shape[0], tokens * sequences)


def mamba2(builder: Builder, states: States, node: Node) -> Node:
    """A selective state space layer of the second kind, with heads and groups."""
    numbers, graph = builder.numbers, builder.graph
    kernel, inner = numbers.number("ssm.conv_kernel"), numbers.number("ssm.inner_size")
    size, heads = numbers.number("ssm.state_size"), numbers.number("ssm.time_step_rank")
    groups = numbers.number("ssm.group_count")
    head = inner // heads
    sequences = builder.work.sequences
    tokens = builder.work.tokens // sequences
    channels = inner + 2 * groups * size
    convolution, memory = states.memory(0), states.memory(1)
    past = reshape(states.read(convolution), kernel - 1, channels, sequences)
    whole = multiply_matrices(builder.needed("ssm_in"), node)
    whole = reshape(whole, whole.shape[0], tokens, sequences)
    rows = tokens * sequences
    z = strided(whole, rows, head, heads, tokens, sequences)
    mixed = strided(whole, rows, channels, tokens, sequences)
    step = strided(whole, rows, heads, tokens, sequences)
    window = join(past, transpose(mixed))
    states.write(strided(window, channels * sequences, kernel - 1, channels, sequences), convolution)
    mixed = convolve(window, builder.needed("ssm_conv1d"))
    bias = builder.own("ssm_conv1d", "bias")
    mixed = unary(each("ADD", mixed, bias) if bias is not None else mixed)
    x = strided(mixed, rows, head, heads, tokens, sequences)
    first, second = (strided(mixed, rows, size, groups, tokens, sequences) for _ in range(2))
    step = each("ADD", contiguous(step), builder.needed("ssm_dt", "bias"))
    cleared = states.cleared(memory)
    shaped = reshape(cleared, size, head, heads, builder.room.sequences)
    result = graph.expand(scan(shaped, x, step, _plain(builder, "ssm_a"), first, second, states.rows))
    states.keep_others(memory, cleared)
    states.write(view(result, size * inner * sequences), memory)
    y = view(result, head, heads, tokens, sequences)
    y = each("ADD", y, each("MUL", x, _plain(builder, "ssm_d")))
    y = gated(contiguous(z), y)
    if builder.own("ssm_norm") is not None:
        y = builder.norm(reshape(y, inner // groups, groups, tokens, sequences), "ssm_norm")
    out = multiply_matrices(builder.needed("ssm_out"), reshape(y, inner, tokens, sequences))
    return reshape(out, out.shape[0], tokens * sequences)


def _plain(builder: Builder, name: str) -> Node:
    """A tensor of the layer whose name has no ending."""
    node = builder.weight(f"blk.{builder.layer}.{name}")
    if node is None:
        raise Missing(name)
    return node


def short_convolution(builder: Builder, states: States, node: Node) -> Node:
    width = builder.numbers.width
    past_length = builder.numbers.number("shortconv.l_cache") - 1
    sequences = builder.work.sequences
    tokens = builder.work.tokens // sequences
    parts = multiply_matrices(builder.needed("shortconv.in_proj"), reshape(node, width, tokens, sequences))
    first, second, x = (strided(parts, tokens * sequences, width, tokens, sequences) for _ in range(3))
    mixed = transpose(each("MUL", first, x))
    memory = states.memory(0)
    past = reshape(states.read(memory), past_length, width, sequences)
    window = join(past, mixed)
    states.write(strided(window, width * sequences, past_length, width, sequences), memory)
    result = each("MUL", second, convolve(window, builder.needed("shortconv.conv")))
    out = multiply_matrices(builder.needed("shortconv.out_proj"), result)
    return reshape(out, out.shape[0], tokens * sequences)


def delta_rule(builder: Builder, states: States, node: Node) -> Node:
    """The linear attention of Qwen3-Next: a convolution over query, key and value, then a gated delta rule."""
    numbers, graph = builder.numbers, builder.graph
    size, groups = numbers.number("ssm.state_size"), numbers.number("ssm.group_count")
    heads, inner = numbers.number("ssm.time_step_rank"), numbers.number("ssm.inner_size")
    head = inner // heads
    sequences = builder.work.sequences
    tokens = builder.work.tokens // sequences
    channels, rows = inner + 2 * groups * size, tokens * sequences
    mixed, z = _query_key_value_gate(builder, node, head, heads, size, groups, tokens, sequences)
    scales = multiply_matrices(builder.needed("ssm_ba"), node)
    scales = reshape(scales, 2 * heads // groups, groups, tokens, sequences)
    beta, alpha = (view(scales, heads // groups, groups, tokens, sequences) for _ in range(2))
    beta = unary(contiguous(beta))
    alpha = each("ADD", contiguous(alpha, heads, tokens, sequences), builder.needed("ssm_dt", "bias"))
    gate = each("MUL", unary(alpha), _plain(builder, "ssm_a"))
    beta = reshape(beta, 1, heads, tokens, sequences)
    gate = reshape(gate, 1, heads, tokens, sequences)
    convolution, memory = states.memory(0), states.memory(1)
    kernel = builder.needed("ssm_conv1d")
    past = reshape(states.read(convolution), kernel.shape[0] - 1, channels, sequences)
    window = join(past, transpose(mixed))
    states.write(strided(window, channels * sequences, kernel.shape[0] - 1, channels, sequences), convolution)
    state = reshape(states.read(memory), head, head, heads, sequences)
    mixed = unary(convolve(window, kernel))
    query, key = (each("L2_NORM", strided(mixed, rows, size, groups, tokens, sequences)) for _ in range(2))
    value = strided(mixed, rows, head, heads, tokens, sequences)
    if groups != heads:
        query, key = (
            reshape(
                repeat(reshape(part, size, 1, groups, tokens * sequences), size, heads // groups, groups, tokens * sequences),
                size,
                heads,
                tokens,
                sequences,
            )
            for part in (query, key)
        )
    result = delta_net(query, key, value, gate, beta, state)
    builder.fused.append((builder.layer, result))
    states.write(view(result, head, head, heads, sequences), memory)
    output = view(result, head, heads, tokens, sequences)
    normed = each("MUL", builder.norm(output, "ssm_norm"), unary(reshape(z, head, heads, tokens, sequences)))
    out = multiply_matrices(builder.needed("ssm_out"), reshape(normed, head * heads, tokens, sequences))
    graph.expand(out)
    return reshape(out, numbers.width, tokens * sequences)


def _query_key_value_gate(
    builder: Builder, node: Node, head: int, heads: int, size: int, groups: int, tokens: int, sequences: int
) -> tuple[Node, Node]:
    """Query, key and value side by side, and the gate; from one weight or from two."""
    fused = builder.own("attn_qkv")
    if fused is not None:
        mixed = multiply_matrices(fused, node)
        return reshape(mixed, mixed.shape[0], tokens, sequences), multiply_matrices(builder.needed("attn_gate"), node)
    whole = multiply_matrices(builder.needed("ssm_in"), node)
    share = heads // groups * head
    whole = reshape(whole, 2 * size + 2 * share, groups, tokens, sequences)
    query, key = (view(whole, size, groups, tokens, sequences) for _ in range(2))
    value, gate = (view(whole, share, groups, tokens, sequences) for _ in range(2))
    gate = contiguous(gate)
    flat = [contiguous(part, part.shape[0] * groups, tokens, sequences) for part in (query, key, value)]
    return join(join(flat[0], flat[1]), flat[2]), gate


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


HYBRIDS: dict[str, Traits] = {
    "jamba": Traits(rotates=False, experts_normed=False),
    "falcon-h1": Traits(),
    "granitehybrid": Traits(rotates=False),
    "lfm2": Traits(),
    "qwen3next": Traits(feed_forward_norm="post_attention_norm", last_rows_after=True),
}


def build_hybrid(builder: Builder, traits: Traits) -> Node:
    numbers, name = builder.numbers, builder.numbers.architecture
    node = builder.embedding()
    if numbers.real("embedding_scale"):
        node = each("SCALE", node)
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
    return finish(builder, node, norm="token_embd_norm" if name == "lfm2" else "output_norm")


def _mixed(builder: Builder, states: States, traits: Traits, node: Node, keeps_state: bool) -> Node:
    """The part of a layer that looks at other tokens."""
    name = builder.numbers.architecture
    if not keeps_state:
        return gated_attention(builder, node) if name == "qwen3next" else attention(builder, traits, node)
    if name == "lfm2":
        return short_convolution(builder, states, node)
    if name == "qwen3next":
        return delta_rule(builder, states, node)
    return mamba(builder, states, node) if name == "jamba" else mamba2(builder, states, node)


def _rest(builder: Builder, traits: Traits, node: Node, start: Node) -> Node:
    """The additions and the feed-forward part; the order of additions differs from one architecture to the next."""
    name = builder.numbers.architecture
    first = name in {"jamba", "lfm2"}
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
