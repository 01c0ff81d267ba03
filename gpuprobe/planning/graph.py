"""A compute graph as ggml sees it: shapes, sizes, sources and order, without a value in it.

Operations have ggml's names and its shape rules (ggml.h), because where a tensor may overwrite another follows from them.
"""

from __future__ import annotations

from collections.abc import Iterable

Shape = tuple[int, int, int, int]

F32, F16, I32, I64 = 4, 2, 4, 8

VIEWS = frozenset(("VIEW", "RESHAPE", "PERMUTE", "TRANSPOSE"))
# An operation of these may write over its first fitting source (`ggml_op_can_inplace`).
OVERWRITING = frozenset(
    ("FILL", "SCALE", "ADD", "ADD_ID", "SUB", "MUL", "DIV", "SQR", "SQRT", "UNARY", "ROPE", "RMS_NORM", "CLAMP", "SOFT_MAX")
)


class Node:
    """One tensor. `home` is the place that holds it before the graph runs (weights, cache), None for what is computed."""

    __slots__ = (
        "allocated",
        "backend",
        "buffer",
        "children",
        "contiguous",
        "copies",
        "element",
        "forced",
        "home",
        "is_input",
        "is_kept",
        "is_weight",
        "offset",
        "op",
        "reached",
        "root",
        "shape",
        "size",
        "sources",
        "views",
    )

    def __init__(  # noqa: PLR0917 (called a thousand times for each plan: keywords cost a third more)
        self,
        op: str,
        shape: Shape,
        element: float,
        sources: list[Node],
        root: Node | None = None,
        contiguous: bool = True,
    ) -> None:
        self.op = op
        self.shape = shape
        self.element = element  # bytes; a fraction where blocks are quantised
        self.sources = sources
        self.root = root  # the tensor whose memory this is a view of
        self.contiguous = contiguous
        self.home: int | None = None
        self.is_weight = False
        self.is_input = False
        self.is_kept = False  # not freed and not overwritten
        self.forced: int | None = None  # the place that an engine insists on
        self.reached = False
        self.backend = -1
        self.copies: dict[int, list[Node]] | None = None
        self.children = self.views = 0
        self.allocated = False
        self.buffer = 0
        self.offset = 0
        self.size = int(shape[0] * shape[1] * shape[2] * shape[3] * element)


def count(shape: Shape) -> int:
    return shape[0] * shape[1] * shape[2] * shape[3]


class Graph:
    """Nodes in the order in which they run, and what they start from."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.leaves: list[Node] = []

    def expand(self, node: Node) -> Node:
        """Adds a node after all that it needs and that is not there yet (`ggml_build_forward_expand`)."""
        if node.reached:
            return node
        node.reached = True
        for source in node.sources:
            if not source.reached:
                self.expand(source)
        if node.op == "NONE":
            self.leaves.append(node)
        else:
            self.nodes.append(node)
        return node


def given(shape: Iterable[int], element: int = F32) -> Node:
    """What a batch brings with it: tokens, positions, masks."""
    node = Node("NONE", _shape(shape), element, [])
    node.is_input = True
    return node


def held(shape: Iterable[int], size: int, home: int, *, weight: bool) -> Node:
    """A weight or a part of the cache: memory of its own, outside the compute buffer."""
    whole = _shape(shape)
    node = Node("NONE", whole, size / max(1, count(whole)), [])
    node.home, node.is_weight, node.size = home, weight, size
    return node


def _shape(sizes: Iterable[int]) -> Shape:
    one, two, three, four = (*sizes, 1, 1, 1)[:4]
    return one, two, three, four


def view(node: Node, *shape: int, contiguous: bool = False) -> Node:
    return Node("VIEW", _shape(shape), node.element, [node], node.root or node, contiguous)


def strided(node: Node, rows: int, *shape: int) -> Node:
    """A part of each of `rows` equal rows: a copy of it takes the gaps between them along."""
    result = view(node, *shape)
    gap, own = count(node.shape) // rows, count(result.shape) // rows
    result.size = int(((rows - 1) * gap + own) * node.element)
    return result


def reshape(node: Node, *shape: int) -> Node:
    return Node("RESHAPE", _shape(shape), node.element, [node], node.root or node)


def permute(node: Node) -> Node:
    """The two middle axes change places: tokens and heads."""
    first, second, third, fourth = node.shape
    result = Node("PERMUTE", (first, third, second, fourth), node.element, [node], node.root or node, contiguous=False)
    result.size = node.size
    return result


def transpose(node: Node) -> Node:
    first, second, third, fourth = node.shape
    result = Node("TRANSPOSE", (second, first, third, fourth), node.element, [node], node.root or node, contiguous=False)
    result.size = node.size
    return result


def multiply_matrices(weights: Node, node: Node) -> Node:
    shape = (weights.shape[1], node.shape[1], node.shape[2], node.shape[3])
    return Node("MUL_MAT", shape, F32, [weights, node])


def multiply_experts(weights: Node, node: Node, chosen: Node) -> Node:
    shape = (weights.shape[1], chosen.shape[0], node.shape[2], 1)
    return Node("MUL_MAT_ID", shape, F32, [weights, node, chosen])


def each(op: str, node: Node, *others: Node) -> Node:
    """An operation whose result has the shape of its first source."""
    return Node(op, node.shape, node.element, [node, *others])


def unary(node: Node) -> Node:
    return each("UNARY", node)


def contiguous(node: Node, *shape: int) -> Node:
    return Node("CONT", _shape(shape) if shape else node.shape, node.element, [node])


def gated(gate: Node, up: Node) -> Node:
    return Node("GLU", gate.shape, F32, [gate, up])


def halved(node: Node) -> Node:
    """A gate and its values in one tensor, the first half of each row and the second."""
    return Node("GLU", (node.shape[0] // 2, *node.shape[1:]), F32, [node])


def get_rows(node: Node, rows: Node) -> Node:
    return Node("GET_ROWS", (node.shape[0], rows.shape[0], rows.shape[1], rows.shape[2]), F32, [node, rows])


def set_rows(node: Node, values: Node, rows: Node) -> Node:
    return Node("SET_ROWS", node.shape, node.element, [values, rows, node], node.root or node)


def copy(node: Node, target: Node) -> Node:
    return Node("CPY", target.shape, target.element, [node, target], target.root or target)


def join(one: Node, two: Node, axis: int = 0) -> Node:
    sizes = list(one.shape)
    sizes[axis] += two.shape[axis]
    return Node("CONCAT", _shape(sizes), one.element, [one, two])


def sum_rows(node: Node) -> Node:
    return Node("SUM_ROWS", (1, *node.shape[1:]), F32, [node])


def repeat(node: Node, *shape: int) -> Node:
    return Node("REPEAT", _shape(shape), F32, [node])


def largest(node: Node, most: int) -> Node:
    """Indices of the `most` largest of each row: sorts all of it, keeps a view of the front."""
    order = Node("ARGSORT", node.shape, I32, [node])
    return view(order, most, *node.shape[1:])


def soft_max(node: Node, *others: Node) -> Node:
    return Node("SOFT_MAX", node.shape, F32, [node, *others])


def flash_attention(query: Node, key: Node, value: Node, *others: Node) -> Node:
    """Query, key and value with heads in the third place; the result has them in the second."""
    shape = (value.shape[0], query.shape[2], query.shape[1], query.shape[3])
    return Node("FLASH_ATTN_EXT", shape, F32, [query, key, value, *others])


def convolve(node: Node, kernel: Node) -> Node:
    """A short convolution along the tokens (`ggml_ssm_conv`)."""
    shape = (node.shape[1], node.shape[0] - kernel.shape[0] + 1, node.shape[2], 1)
    return Node("SSM_CONV", shape, F32, [node, kernel])


def scan(state: Node, node: Node, *others: Node) -> Node:
    """A state space model over a batch: its results and, behind them, the new states (`ggml_ssm_scan`)."""
    sequences = others[-1].shape[0]
    rows = state.shape[0] * state.shape[1] * state.shape[2] * sequences
    return Node("SSM_SCAN", (count(node.shape) + rows, 1, 1, 1), F32, [state, node, *others])


def delta_net(query: Node, key: Node, value: Node, *others: Node) -> Node:
    """A gated delta rule over a batch: its results and, behind them, the new states (`ggml_gated_delta_net`)."""
    head, heads, tokens, sequences = value.shape
    shape = (head * heads, tokens * sequences + head * sequences, 1, 1)
    return Node("GATED_DELTA_NET", shape, F32, [query, key, value, *others])
