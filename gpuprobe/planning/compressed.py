"""DeepSeek's layers: attention over one compressed vector for all heads, dense layers first, then experts."""

from __future__ import annotations

from gpuprobe.planning.blocks import Builder
from gpuprobe.planning.experts import experts
from gpuprobe.planning.graph import Node, contiguous, each, join, multiply_matrices, permute, repeat, reshape, strided
from gpuprobe.planning.kv_cache import is_compressed
from gpuprobe.planning.transformers import finish


def build(builder: Builder) -> Node:
    numbers = builder.numbers
    dense = numbers.number("leading_dense_block_count")
    node = builder.embedding()
    for layer in builder.layers:
        builder.layer = layer
        start = node
        node = attention(builder, builder.norm(node, "attn_norm"))
        if layer == numbers.layers - 1:
            node, start = builder.last_rows(node, start)
        node = each("ADD", node, start)
        middle = node
        node = builder.norm(node, "ffn_norm")
        node = builder.feed_forward(node) if layer < dense else _experts(builder, node)
        node = each("ADD", node, middle)
    return finish(builder, node)


def _experts(builder: Builder, node: Node) -> Node:
    numbers = builder.numbers
    mixed = experts(
        builder,
        node,
        normed=bool(numbers.value("expert_weights_norm")),
        scaled=numbers.real("expert_weights_scale") not in {0.0, 1.0},
    )
    return each("ADD", mixed, builder.feed_forward(node, "_shexp"))


def attention(builder: Builder, node: Node) -> Node:
    numbers, tokens = builder.numbers, builder.work.tokens
    heads = numbers.heads[builder.layer]
    compressed = is_compressed(numbers)
    key_length = numbers.number("attention.key_length_mla", numbers.key_length) or numbers.key_length
    rotated, rank = numbers.rope_length, numbers.number("attention.kv_lora_rank")
    plain = key_length - rotated
    query = _query(builder, node)
    query = reshape(query, key_length, heads, tokens)
    both = multiply_matrices(builder.needed("attn_kv_a_mqa"), node)
    vector = strided(both, tokens, rank, tokens)
    key_rotated = strided(both, tokens, rotated, 1, tokens)
    positions = builder.positions()
    if compressed:
        query_plain = strided(query, heads * tokens, plain, heads, tokens)
        query_rotated = each("ROPE", strided(query, heads * tokens, rotated, heads, tokens), positions)
        key_rotated = each("ROPE", key_rotated, positions)
        vector = builder.norm(vector, "attn_kv_a_norm")
        absorbed = multiply_matrices(builder.needed("attn_k_b"), permute(query_plain))
        query = join(permute(absorbed), query_rotated)
        vector = reshape(vector, rank, 1, tokens)
        key = join(vector, key_rotated)
        return builder.attention(query, key, vector, compressed=builder.needed("attn_v_b"))
    return _long(builder, query, vector, key_rotated, plain)


def _query(builder: Builder, node: Node) -> Node:
    direct = builder.own("attn_q")
    if direct is not None:
        return multiply_matrices(direct, node)
    small = builder.norm(multiply_matrices(builder.needed("attn_q_a"), node), "attn_q_a_norm")
    return multiply_matrices(builder.needed("attn_q_b"), small)


def _long(builder: Builder, query: Node, vector: Node, key_rotated: Node, plain: int) -> Node:
    """Models converted before the compressed form: keys and values of full length."""
    numbers, tokens, rotated = builder.numbers, builder.work.tokens, key_rotated.shape[0]
    heads, value_length = numbers.heads[builder.layer], numbers.value_length
    positions = builder.positions()
    query_plain = strided(query, heads * tokens, plain, heads, tokens)
    query_rotated = each("ROPE", strided(query, heads * tokens, rotated, heads, tokens), positions)
    key_rotated = each("ROPE", key_rotated, positions)
    vector = builder.norm(vector, "attn_kv_a_norm")
    whole = multiply_matrices(builder.needed("attn_kv_b"), vector)
    key_plain = strided(whole, heads * tokens, plain, heads, tokens)
    value = contiguous(strided(whole, heads * tokens, value_length, heads, tokens))
    query = join(query_plain, query_rotated)
    key = join(key_plain, repeat(key_rotated, rotated, heads, tokens))
    return builder.attention(query, key, value)
