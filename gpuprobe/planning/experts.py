"""A mixture of experts, as llama.cpp builds it: who is chosen for each token, what they compute, and its weighted sum."""

from __future__ import annotations

from gpuprobe.planning.blocks import Builder
from gpuprobe.planning.graph import (
    Node,
    contiguous,
    each,
    gated,
    get_rows,
    largest,
    multiply_experts,
    reshape,
    set_rows,
    soft_max,
    sum_rows,
    unary,
    view,
)


def experts(builder: Builder, node: Node, *, normed: bool = False, scaled: bool = False, late: bool = False) -> Node:
    """A mixture: `late` takes the soft maximum over the chosen experts alone."""
    numbers, graph = builder.numbers, builder.graph
    width, tokens = node.shape[0], node.shape[1]
    count, used = numbers.experts, numbers.experts_used
    logits = builder.linear(builder.needed("ffn_gate_inp"), node, builder.own("ffn_gate_inp", "bias"))
    # Or a sigmoid, which takes the same memory.
    chances = logits if late else soft_max(logits)
    ranked = chances
    bias = builder.own("exp_probs_b", "bias") or builder.own("exp_probs_b")
    if bias is not None:
        ranked = each("ADD", chances, bias)
    ranked = _in_groups(builder, ranked, count, tokens)
    chosen = largest(ranked, used)
    shares = get_rows(reshape(chances, 1, count, tokens), chosen)
    if late:
        shares = reshape(soft_max(reshape(shares, used, tokens)), 1, used, tokens)
    if normed:
        flat = reshape(shares, used, tokens)
        shares = reshape(each("DIV", flat, each("CLAMP", sum_rows(flat))), 1, used, tokens)
    if scaled:
        shares = each("SCALE", shares)
    graph.expand(shares)
    result = _run_experts(builder, reshape(node, width, 1, tokens), chosen)
    result = graph.expand(each("MUL", result, shares))
    parts = [graph.expand(view(result, width, tokens)) for _ in range(used)]
    total = parts[0]
    for part in parts[1:]:
        total = graph.expand(each("ADD", total, part))
    return contiguous(total) if used == 1 else total


def _in_groups(builder: Builder, ranked: Node, count: int, tokens: int) -> Node:
    """Experts in groups: the best groups first, the others masked out."""
    groups, used = builder.numbers.number("expert_group_count"), builder.numbers.number("expert_group_used_count")
    if groups <= 1:
        return ranked
    size = count // groups
    grouped = reshape(ranked, size, groups, tokens)
    best = get_rows(reshape(grouped, 1, size, groups, tokens), largest(grouped, 2))
    scores = reshape(sum_rows(reshape(best, 2, groups, tokens)), groups, tokens)
    chosen = largest(scores, used)
    kept = get_rows(grouped, chosen)
    return reshape(set_rows(each("FILL", grouped), kept, chosen), count, tokens)


def _run_experts(builder: Builder, node: Node, chosen: Node) -> Node:
    def biased(result: Node, name: str) -> Node:
        bias = builder.own(name, "bias")
        return each("ADD_ID", result, bias, chosen) if bias is not None else result

    both = builder.own("ffn_gate_up_exps")
    if both is not None:
        whole = biased(multiply_experts(both, node, chosen), "ffn_gate_up_exps")
        half = whole.shape[0] // 2
        first, second = (view(whole, half, *whole.shape[1:]) for _ in range(2))
        result = gated(first, second)
    else:
        up = biased(multiply_experts(builder.needed("ffn_up_exps"), node, chosen), "ffn_up_exps")
        gate = builder.own("ffn_gate_exps")
        result = unary(up) if gate is None else gated(biased(multiply_experts(gate, node, chosen), "ffn_gate_exps"), up)
    return biased(multiply_experts(builder.needed("ffn_down_exps"), result, chosen), "ffn_down_exps")
