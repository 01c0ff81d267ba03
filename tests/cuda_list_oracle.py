"""What a process under `CUDA_VISIBLE_DEVICES` sees: against it the maps that we write are held."""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe.judging.device_lists import parse_list


def cuda_selects(value: str | None, uuids: Sequence[str | None]) -> tuple[int, ...]:
    """Which of the machine's NVIDIA GPUs a process under `CUDA_VISIBLE_DEVICES=value` sees, as positions in `uuids`.

    `uuids` are those of all GPUs in CUDA's order; `value` None: the variable is not set. Slices cannot be counted here.
    Source: CUDA Programming Guide, `CUDA_VISIBLE_DEVICES`. It does not say what a repeated entry does, nor numbers
    beside UUIDs: drivers show nothing for the first and stop where the kind changes, as PyTorch's own parser records.
    """
    if value is None:
        return tuple(range(len(uuids)))
    tokens = parse_list(value)
    seen: list[int] = []
    for token in tokens:
        position = _position(token, uuids)
        if position is None or token[:4].isdigit() != tokens[0][:4].isdigit():
            break
        if position in seen:
            return ()
        seen.append(position)
    return tuple(seen)


def _position(token: str, uuids: Sequence[str | None]) -> int | None:
    """None: there is no such GPU, or the beginning of a UUID fits several."""
    if token.isdigit():
        return int(token) if int(token) < len(uuids) else None
    fitting = [position for position, uuid in enumerate(uuids) if uuid is not None and uuid.startswith(token)]
    return fitting[0] if len(fitting) == 1 else None
