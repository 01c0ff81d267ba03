"""A gated delta rule in single steps, chunk by chunk: what llama.cpp does where it has no one step for it."""

from __future__ import annotations

from gpuprobe.planning.graph import (
    F32,
    Node,
    contiguous,
    each,
    multiply_matrices,
    permute,
    repeat,
    reshape,
    strided,
    transpose,
    unary,
    view,
)

CHUNK = 64  # tokens


def delta_net_in_chunks(*sources: Node) -> tuple[Node, Node]:
    """The results, heads in the second place, and the new states, from the sources of `delta_net`."""
    query, key, value, gate, beta, state = sources
    head, heads, tokens, sequences = value.shape
    chunks = -(-tokens // CHUNK)
    count = heads * sequences
    shape = (head, CHUNK, chunks, count)
    query, key, value, gate, beta = (_padded(node, chunks) for node in (each("SCALE", query), key, value, gate, beta))
    value_scaled, key_scaled = (reshape(each("MUL", node, beta), *shape) for node in (value, key))
    query, key = reshape(query, *shape), reshape(key, *shape)
    sums = each("CUMSUM", contiguous(transpose(reshape(gate, 1, CHUNK, chunks, count))))
    square = (CHUNK, CHUNK, chunks, count)
    decay = unary(each("TRI", each("SUB", repeat(reshape(sums, 1, CHUNK, chunks, count), *square), sums)))
    solved = _solved(each("TRI", each("MUL", multiply_matrices(key, key_scaled), decay)))
    scores = each("TRI", each("MUL", multiply_matrices(key, query), decay))
    value = multiply_matrices(contiguous(transpose(value_scaled)), solved)
    grown = unary(sums)
    past = multiply_matrices(each("MUL", contiguous(transpose(key_scaled)), grown), solved)
    query = each("MUL", query, contiguous(transpose(grown)))
    last = contiguous(view(sums, 1, 1, chunks, count))
    kept = transpose(unary(last))
    rest = unary(unary(each("SUB", sums, last)))
    key = contiguous(transpose(each("MUL", key, contiguous(transpose(rest)))))
    state = reshape(state, head, head, 1, count)
    columns = contiguous(transpose(value))
    for _ in range(chunks):
        new = each("SUB", _chunk(columns), multiply_matrices(_chunk(past), state))
        within = multiply_matrices(new, _chunk(scores))
        result = each("ADD", multiply_matrices(state, _chunk(query)), within)
        value = Node("SET", value.shape, F32, [value, result], value.root or value)
        state = each("ADD", each("MUL", state, _chunk(kept)), multiply_matrices(_chunk(key), new))
    output = permute(strided(value, count, head, tokens, heads, sequences))
    return output, reshape(state, head, head, heads, sequences)


def _padded(node: Node, chunks: int) -> Node:
    """Tokens in the second place, filled up to whole chunks."""
    turned = permute(node)
    first, _, third, fourth = turned.shape
    return Node("PAD", (first, chunks * CHUNK, third, fourth), F32, [turned])


def _solved(mixed: Node) -> Node:
    ones = each("FILL", view(mixed, CHUNK))
    identity = Node("DIAG", (CHUNK, CHUNK, 1, 1), F32, [ones])
    left, right = each("ADD", mixed, identity), unary(mixed)
    return each("ADD", Node("SOLVE_TRI", right.shape, F32, [left, right]), identity)


def _chunk(node: Node) -> Node:
    first, second, _, count = node.shape
    return strided(node, count, first, second, 1, count)
