"""Which device runs which operation, and which tensors are copied for it: ggml's backend scheduler.

Places are numbered in the engine's order of preference; the last one is the host.
"""

from __future__ import annotations

from gpuprobe.planning.graph import VIEWS, Graph, Node

COPIES = 4  # of every input, where several devices work on several batches at once (GGML_SCHED_MAX_COPIES)
OFFLOAD_ROWS = 32  # from so many rows on an operation with host weights is worth a copy of them (all GPU backends)

# The weights of these are too small to say where the operation belongs.
_UNDECIDED_BY_WEIGHTS = frozenset(("ROPE", "FLASH_ATTN_EXT"))


class Step:
    """One tensor at its turn, and the place whose memory it takes."""

    __slots__ = ("is_copy_source", "node", "place")

    def __init__(self, node: Node, place: int, is_copy_source: bool = False) -> None:
        self.node = node
        self.place = place
        self.is_copy_source = is_copy_source


class Schedule:
    """What the allocator goes through: leaves first, then the steps."""

    def __init__(self, leaves: list[tuple[Node, int]], steps: list[Step]) -> None:
        self.leaves = leaves
        self.steps = steps


def schedule(graph: Graph, host: int, *, copies: int = 1, offload: bool = True) -> Schedule:
    """`copies` is how many batches are under way at once; `offload` is whether the host's weights are copied to a device."""
    assign(graph, host, offload=offload)
    return _split(graph, host, copies)


def assign(graph: Graph, host: int, *, offload: bool = True) -> None:
    """Gives every node its place, in `backend`."""
    nodes = graph.nodes
    for leaf in graph.leaves:
        leaf.backend = _first_choice(leaf, host, offload)
    for node in nodes:
        node.backend = node.forced if node.forced is not None else _first_choice(node, host, offload)
    working = [node for node in nodes if node.op not in VIEWS]
    _spread(working, host, hosts_too=False)
    _spread(working, host, hosts_too=True)
    _settle(nodes)


def _first_choice(node: Node, host: int, offload: bool) -> int:
    """Where a node has to be or had better be; -1 where nothing speaks for a place."""
    owner = node.root or node
    if owner.home is not None:
        return owner.home
    if node.is_input:
        return host
    if node.op in _UNDECIDED_BY_WEIGHTS:
        return -1
    for source in node.sources:
        if source.is_weight and source.home is not None:
            if source.home == host and offload and host and _worth_offloading(node):
                return 0
            return source.home
    return -1


def _worth_offloading(node: Node) -> bool:
    op, shape = node.op, node.shape
    if op == "GET_ROWS":
        return False
    if op == "MUL_MAT":
        return shape[1] >= OFFLOAD_ROWS
    if op in {"MUL_MAT_ID", "ROPE"}:
        return shape[2] >= OFFLOAD_ROWS
    return shape[1] * shape[2] * shape[3] >= OFFLOAD_ROWS


def _spread(working: list[Node], host: int, *, hosts_too: bool) -> None:
    """Neighbours of a placed node join it: devices first, downwards and then upwards."""
    for order in (working, reversed(working)):
        current = -1
        for node in order:
            if node.backend != -1:
                current = node.backend if hosts_too or node.backend != host else -1
            elif current != -1:
                node.backend = current


def _settle(nodes: list[Node]) -> None:
    """Views go where their memory is, and what is left to where it is used."""
    for node in nodes:
        if node.root is not None and node.backend == -1:
            node.backend = node.root.backend
        for source in node.sources:
            if source.backend == -1:
                source.backend = source.root.backend if source.root is not None else node.backend
        if node.backend == -1:
            node.backend = 0


class _Split:
    __slots__ = ("inputs", "nodes", "place")

    def __init__(self, place: int) -> None:
        self.place = place
        self.inputs: list[tuple[Node, list[Node]]] = []  # each with its copies here
        self.nodes: list[Node] = []


def _split(graph: Graph, host: int, copies: int) -> Schedule:
    """Runs of nodes on one place, with the tensors that each run needs from elsewhere."""
    splits = _runs(graph.nodes, copies)
    used = {id(node) for split in splits for node, _ in split.inputs}
    given = [leaf for leaf in graph.leaves if leaf.is_input and id(leaf) in used] if copies > 1 else []
    leaves: list[tuple[Node, int]] = []
    for leaf in given:
        leaf.is_kept = True
        leaves += [(leaf, host)] + [(_duplicate(leaf, kept=True), host) for _ in range(copies - 1)]
    if copies > 1:
        for split in splits:
            leaves += [(duplicate, split.place) for _, duplicates in split.inputs for duplicate in duplicates]
    leaves += [(leaf, leaf.backend) for leaf in graph.leaves]
    steps: list[Step] = []
    for split in splits:
        for node, duplicates in split.inputs:
            steps += [Step(node, node.backend, is_copy_source=True), Step(duplicates[0], split.place)]
        steps += [Step(node, node.backend) for node in split.nodes]
    return Schedule(leaves, steps)


def _runs(nodes: list[Node], copies: int) -> list[_Split]:
    first = next((node.backend for node in nodes if node.op not in VIEWS), 0)
    split = _Split(first)
    splits = [split]
    for node in nodes:
        if node.op in VIEWS:
            split.nodes.append(node)
            continue
        if node.backend != split.place or (split.inputs and _brings_weights(node, split.place)):
            split = _Split(node.backend)
            splits.append(split)
        place = split.place
        for index, source in enumerate(node.sources):
            owner = source.root or source
            if place in {source.backend, owner.home}:
                continue
            if source.copies is None:
                source.copies = {}
            if place not in source.copies:
                source.copies[place] = [_duplicate(source, kept=copies > 1) for _ in range(copies)]
                split.inputs.append((source, source.copies[place]))
            node.sources[index] = source.copies[place][0]
        split.nodes.append(node)
    return splits


def _brings_weights(node: Node, place: int) -> bool:
    """Whether weights have to be copied for a node: a new run lets them take the memory of those before."""
    return any(source.is_weight and source.home != place for source in node.sources)


def _duplicate(node: Node, *, kept: bool) -> Node:
    duplicate = Node("NONE", node.shape, node.element, [], None, node.contiguous)
    duplicate.size = node.size
    duplicate.is_input = duplicate.is_kept = kept
    return duplicate
