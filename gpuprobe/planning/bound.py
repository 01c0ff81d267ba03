"""An upper bound of the compute buffer where the graph is not known: every result of the widest layer kept, twice.

The engine gives memory back after a tensor's last use and keeps less than that: for graphs that are known the bound is two
to five times what they take.
"""

from __future__ import annotations

from gpuprobe.planning.compute import Subject
from gpuprobe.planning.records import Settings

RESULT = 4  # bytes of one number that is computed
TWICE = 2  # norms, rotations, gates and additions write results of the same size again
COPIES = 16  # of what goes from one device to the next: up to four tensors, four times each
RESIDUALS = 6  # activations of the model's width that live through a layer


def compute_bound(subject: Subject, settings: Settings, *, flash: bool) -> list[int]:
    """Bytes for each device and, last, the host."""
    numbers, room = subject.numbers, subject.room
    tokens = -(-min(room.context, settings.ubatch) // room.sequences) * room.sequences
    mask = room.full * tokens * RESULT * 2
    activations = tokens * numbers.width * RESULT * (RESIDUALS + (COPIES if subject.homes.host > 1 else 0))
    scores = 0
    if not flash:
        scores = room.full * tokens * RESULT * max(numbers.heads) * TWICE
    widest = max(_layers(subject, tokens), default=0)
    vocabulary = max((tensor.dimensions[1] for tensor in subject.tensors.values() if len(tensor.dimensions) == 2), default=0)
    whole = widest * TWICE + activations + mask + scores + vocabulary * room.sequences * RESULT
    moved = _largest_on_host(subject)
    return [whole + (moved if place < subject.homes.host else 0) for place in range(subject.homes.host + 1)]


def _layers(subject: Subject, tokens: int) -> list[int]:
    """For each layer the bytes of what its weights make of a batch."""
    sums: dict[int, int] = {}
    used = max(1, subject.numbers.experts_used)
    for tensor in subject.tensors.values():
        group = subject.weights.groups[subject.weights.group_of[tensor.name]]
        if group.layer is None or group.layer >= subject.numbers.layers_in_all or len(tensor.dimensions) < 2:
            continue
        times = used if group.expert else tensor.dimensions[2] if len(tensor.dimensions) > 2 else 1
        sums[group.layer] = sums.get(group.layer, 0) + tensor.dimensions[1] * times * tokens * RESULT
    return list(sums.values())


def _largest_on_host(subject: Subject) -> int:
    """What is copied to a device for one operation, at most two weights at a time."""
    homes, weights = subject.homes, subject.weights
    sizes = [
        tensor.size
        for tensor in subject.tensors.values()
        if tensor.name.startswith("blk.") and weights.home(tensor.name, homes) == homes.host
    ]
    return sum(sorted(sizes)[-2:])
