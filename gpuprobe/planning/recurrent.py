"""Layers that keep a state of fixed size instead of a cache: Mamba, short convolutions, gated delta rules, and hybrids."""

from __future__ import annotations

from typing import NamedTuple

from gpuprobe.planning.blocks import Builder, Missing
from gpuprobe.planning.delta_chunks import delta_net_in_chunks
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
from gpuprobe.planning.kv_cache import state_rows


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


class Sizes(NamedTuple):
    """A state space's dimensions, and the batch's."""

    kernel: int
    inner: int
    state: int
    rank: int  # of the time step; the number of heads where there are heads
    groups: int
    tokens: int  # of each sequence
    sequences: int

    @property
    def rows(self) -> int:
        return self.tokens * self.sequences

    @property
    def channels(self) -> int:
        """What the convolution goes over, where query and key are in it."""
        return self.inner + 2 * self.groups * self.state

    @property
    def head(self) -> int:
        return self.inner // self.rank


def sizes(builder: Builder) -> Sizes:
    numbers, sequences = builder.numbers, builder.work.sequences
    return Sizes(
        kernel=numbers.number("ssm.conv_kernel"),
        inner=numbers.number("ssm.inner_size"),
        state=numbers.number("ssm.state_size"),
        rank=max(1, numbers.number("ssm.time_step_rank")),
        groups=max(1, numbers.number("ssm.group_count")),
        tokens=builder.work.tokens // sequences,
        sequences=sequences,
    )


def _through(builder: Builder, states: States, node: Node, of: Sizes, channels: int, *, past: Node, memory: Node) -> Node:
    """A convolution over the tokens before and those of the batch; the last ones are kept for the next batch."""
    window = join(past, transpose(node))
    states.write(strided(window, channels * of.sequences, of.kernel - 1, channels, of.sequences), memory)
    result = convolve(window, builder.needed("ssm_conv1d"))
    bias = builder.own("ssm_conv1d", "bias")
    return unary(each("ADD", result, bias) if bias is not None else result)


def mamba(builder: Builder, states: States, node: Node) -> Node:
    """A selective state space layer of the first kind."""
    of = sizes(builder)
    memory = states.memory(0)
    past = reshape(states.read(memory), of.kernel - 1, of.inner, of.sequences)
    both = multiply_matrices(builder.needed("ssm_in"), reshape(node, node.shape[0], of.tokens, of.sequences))
    x, z = (strided(both, of.rows, of.inner, of.tokens, of.sequences) for _ in range(2))
    x = _through(builder, states, x, of, of.inner, past=past, memory=memory)
    step, first, second = _selection(builder, x, of)
    heads = reshape(x, 1, of.inner, of.tokens, of.sequences)
    result = _scanned(builder, states, heads, step, first, second)
    y = view(result, of.inner, of.tokens, of.sequences, contiguous=True)
    y = each("ADD", y, each("MUL", x, _plain(builder, "ssm_d")))
    out = multiply_matrices(builder.needed("ssm_out"), gated(contiguous(z), y))
    return reshape(out, out.shape[0], of.rows)


def _selection(builder: Builder, x: Node, of: Sizes) -> tuple[Node, Node, Node]:
    """What Mamba makes of its input to choose by: the time step and two vectors."""
    parts = multiply_matrices(builder.needed("ssm_x"), x)
    step = strided(parts, of.rows, of.rank, of.tokens, of.sequences)
    first, second = (strided(parts, of.rows, of.state, 1, of.tokens, of.sequences) for _ in range(2))
    if builder.own("ssm_dt_norm") is not None:
        step, first = builder.norm(step, "ssm_dt_norm"), builder.norm(first, "ssm_b_norm")
        second = builder.norm(second, "ssm_c_norm")
    else:
        step = contiguous(step)
    step = each("ADD", multiply_matrices(builder.needed("ssm_dt"), step), builder.needed("ssm_dt", "bias"))
    return step, first, second


def _scanned(builder: Builder, states: States, x: Node, step: Node, *vectors: Node) -> Node:
    """The state space run over the batch; the new states are written."""
    memory = states.memory(1)
    cleared = states.cleared(memory)
    shaped = reshape(cleared, vectors[0].shape[0], x.shape[0], x.shape[1], builder.room.sequences)
    result = builder.graph.expand(scan(shaped, x, step, _plain(builder, "ssm_a"), *vectors, states.rows))
    states.keep_others(memory, cleared)
    states.write(view(result, memory.shape[0] * builder.work.sequences), memory)
    return result


def mamba2(builder: Builder, states: States, node: Node) -> Node:
    """A selective state space layer of the second kind, with heads and groups."""
    of = sizes(builder)
    memory = states.memory(0)
    past = reshape(states.read(memory), of.kernel - 1, of.channels, of.sequences)
    whole = multiply_matrices(builder.needed("ssm_in"), reshape(node, node.shape[0], of.tokens, of.sequences))
    z = strided(whole, of.rows, of.head, of.rank, of.tokens, of.sequences)
    mixed = strided(whole, of.rows, of.channels, of.tokens, of.sequences)
    step = strided(whole, of.rows, of.rank, of.tokens, of.sequences)
    mixed = _through(builder, states, mixed, of, of.channels, past=past, memory=memory)
    x = strided(mixed, of.rows, of.head, of.rank, of.tokens, of.sequences)
    first, second = (strided(mixed, of.rows, of.state, of.groups, of.tokens, of.sequences) for _ in range(2))
    step = each("ADD", contiguous(step), builder.needed("ssm_dt", "bias"))
    result = _scanned(builder, states, x, step, first, second)
    y = view(result, of.head, of.rank, of.tokens, of.sequences, contiguous=True)
    y = each("ADD", y, each("MUL", x, _plain(builder, "ssm_d")))
    y = gated(contiguous(z), y)
    if builder.own("ssm_norm") is not None:
        y = builder.norm(reshape(y, of.inner // of.groups, of.groups, of.tokens, of.sequences), "ssm_norm")
    out = multiply_matrices(builder.needed("ssm_out"), reshape(y, of.inner, of.tokens, of.sequences))
    return reshape(out, out.shape[0], of.rows)


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
    of = sizes(builder)
    mixed, z = _query_key_value_gate(builder, node, of)
    gate, beta = _decay(builder, node, of)
    memory = states.memory(0)
    past = reshape(states.read(memory), of.kernel - 1, of.channels, of.sequences)
    window = join(past, transpose(mixed))
    states.write(strided(window, of.channels * of.sequences, of.kernel - 1, of.channels, of.sequences), memory)
    memory = states.memory(1)
    state = reshape(states.read(memory), of.head, of.head, of.rank, of.sequences)
    mixed = unary(convolve(window, builder.needed("ssm_conv1d")))
    query, key = (
        _spread(each("L2_NORM", strided(mixed, of.rows, of.state, of.groups, of.tokens, of.sequences)), of) for _ in range(2)
    )
    value = strided(mixed, of.rows, of.head, of.rank, of.tokens, of.sequences)
    output, state = _ruled(builder, query, key, value, gate, beta, state)
    states.write(state, memory)
    opened = unary(reshape(z, of.head, of.rank, of.tokens, of.sequences))
    normed = each("MUL", builder.norm(output, "ssm_norm"), opened)
    out = multiply_matrices(builder.needed("ssm_out"), reshape(normed, of.inner, of.tokens, of.sequences))
    builder.graph.expand(out)
    return reshape(out, builder.numbers.width, of.rows)


def _ruled(builder: Builder, *sources: Node) -> tuple[Node, Node]:
    """The results and the new states, in one step or in many."""
    if not builder.work.delta_fused:
        return delta_net_in_chunks(*sources)
    head, heads, tokens, sequences = sources[2].shape
    result = delta_net(*sources)
    builder.fused.append((builder.layer, result))
    return view(result, head, heads, tokens, sequences, contiguous=True), view(result, head, head, heads, sequences)


def _decay(builder: Builder, node: Node, of: Sizes) -> tuple[Node, Node]:
    """How much of the state each token keeps, and how much it writes."""
    share = of.rank // of.groups
    scales = multiply_matrices(builder.needed("ssm_ba"), node)
    scales = reshape(scales, 2 * share, of.groups, of.tokens, of.sequences)
    beta, alpha = (view(scales, share, of.groups, of.tokens, of.sequences) for _ in range(2))
    beta = unary(contiguous(beta))
    alpha = each("ADD", contiguous(alpha, of.rank, of.tokens, of.sequences), builder.needed("ssm_dt", "bias"))
    gate = each("MUL", unary(alpha), _plain(builder, "ssm_a"))
    shape = (1, of.rank, of.tokens, of.sequences)
    return reshape(gate, *shape), reshape(beta, *shape)


def _spread(node: Node, of: Sizes) -> Node:
    """Queries and keys of groups, repeated for every head."""
    if of.groups == of.rank:
        return node
    single = reshape(node, of.state, 1, of.groups, of.rows)
    every = repeat(single, of.state, of.rank // of.groups, of.groups, of.rows)
    return reshape(every, of.state, of.rank, of.tokens, of.sequences)


def _query_key_value_gate(builder: Builder, node: Node, of: Sizes) -> tuple[Node, Node]:
    """Query, key and value side by side, and the gate; from one weight or from two."""
    fused = builder.own("attn_qkv")
    if fused is not None:
        mixed = multiply_matrices(fused, node)
        return reshape(mixed, mixed.shape[0], of.tokens, of.sequences), multiply_matrices(builder.needed("attn_gate"), node)
    whole = multiply_matrices(builder.needed("ssm_in"), node)
    share = of.rank // of.groups * of.head
    whole = reshape(whole, 2 * of.state + 2 * share, of.groups, of.tokens, of.sequences)
    query, key = (view(whole, of.state, of.groups, of.tokens, of.sequences) for _ in range(2))
    value, gate = (view(whole, share, of.groups, of.tokens, of.sequences) for _ in range(2))
    gate = contiguous(gate)
    flat = [contiguous(part, part.shape[0] * of.groups, of.tokens, of.sequences) for part in (query, key, value)]
    return join(join(flat[0], flat[1]), flat[2]), gate
