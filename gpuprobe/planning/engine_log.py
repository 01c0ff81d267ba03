"""What llama.cpp's programs say about the memory of a model that they have not loaded (b10434 to b11434). Pure.

`llama-server` at `--log-verbosity 4` says:  `… | - CUDA0 (RTX 4090) | 24081 = 23600 + (20969 = 20017 + 656 + 296) + … |`
`llama-fit-params --fit-print on`, on standard output:  `CUDA0 20017 656 296`, and the like for `Host`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gpuprobe.model import MiB
from gpuprobe.planning.engines.fit import Part, Share

END = "fitting params to free memory took"  # the last line before weights are loaded
HOST = "Host"
_TABLE = "breakdown_print"
_MiB, _SUM = r"[0-9]{1,9}", r"(?P<model>[0-9]{1,9}) \+\s*(?P<context>[0-9]{1,9}) \+\s*(?P<compute>[0-9]{1,9})"
_NAME = r"(?P<name>[A-Za-z_]+[0-9]*)"
_ROW = re.compile(
    rf"memory_breakdown_print: \|\s+- {_NAME}(?: \(.*\))?\s*\|"
    rf"(?:\s*(?P<total>{_MiB}) =\s+(?P<free>{_MiB}) \+ \()?\s*{_MiB} =\s*{_SUM}"
)
_PRINTED = re.compile(rf"{_NAME} (?P<model>{_MiB}) (?P<context>{_MiB}) (?P<compute>{_MiB})\s*")
_CONTEXT = re.compile(r"context size reduced from [0-9]+ to ([0-9]{1,10}) ")
_LAYERS = re.compile(
    r"fit_impl:\s+- (\S+) \(.*\):\s+([0-9]{1,5}) layers(?: \(\s*([0-9]{1,5}) overflowing\))?,\s+[0-9]+ MiB used"
)
_PART = re.compile(r"ngl_per_device\[([0-9]{1,3})\]\.\(n_layer, n_part, overflow_type\)=\([0-9]+, [0-9]+, (ATTN|UP|GATE)\)")
_PARTS = {"ATTN": Part.ATTENTION, "UP": Part.UP, "GATE": Part.GATE}
_UNCHANGED = ("no changes needed",)
_REDUCED_IS_ENOUGH = "entire model can be fit by reducing context"
_FAILED = ("failed to fit params", "encountered an error while trying to fit params")


class Row(NamedTuple):
    """Bytes, of which an engine tells whole MiB, cut off. `total` and `free` None: it does not tell."""

    name: str
    model: int
    context: int
    compute: int
    total: int | None = None
    free: int | None = None


class Choice(NamedTuple):
    """What fit chose. None: it changed nothing there. `shares` are by the order of the devices."""

    context: int | None = None
    shares: tuple[tuple[str, Share], ...] | None = None
    failed: str | None = None


def rows_of(lines: Iterable[str]) -> tuple[Row, ...]:
    """The first table: the layout that the program was started with. What is repacked for the processor is the host's.

    The row of the host comes last, but for other buffers of its memory.
    """
    found: list[Row] = []
    for line in lines:
        row = _ROW.search(line) or _PRINTED.fullmatch(line)
        if row is None:
            if any(each.name == HOST for each in found):
                break
            continue
        sizes = {key: int(value) * MiB for key, value in row.groupdict().items() if key != "name" and value is not None}
        found.append(Row(row["name"], **sizes))
    return _with_repacked(found)


def _with_repacked(rows: Sequence[Row]) -> tuple[Row, ...]:
    kept = [row for row in rows if row.name == HOST or any(letter.isdigit() for letter in row.name)]
    others = [row for row in rows if row not in kept]
    return tuple(
        row._replace(
            model=row.model + sum(each.model for each in others),
            context=row.context + sum(each.context for each in others),
            compute=row.compute + sum(each.compute for each in others),
        )
        if row.name == HOST
        else row
        for row in kept
    )


def choice_of(lines: Sequence[str]) -> Choice:
    """What fit decided, from its own lines."""
    failed = next((line for line in lines if any(text in line for text in _FAILED)), None)
    if failed is not None:
        return Choice(failed=failed.rpartition(": ")[2].strip() or "it failed")
    contexts = [int(found[1]) for line in lines if (found := _CONTEXT.search(line))]
    context = contexts[-1] if contexts else None
    done = any(_REDUCED_IS_ENOUGH in line or any(text in line for text in _UNCHANGED) for line in lines)
    layers = {found[1]: (int(found[2]), int(found[3] or 0)) for line in lines if (found := _LAYERS.search(line))}
    if done or not layers:
        return Choice(context)
    # Devices are filled from the last to the first, so that they first appear in the opposite order.
    names = list(dict.fromkeys(found[1] for line in lines if (found := _LAYERS.search(line))))[::-1]
    parts = {int(found[1]): _PARTS[found[2]] for line in lines if (found := _PART.search(line))}
    dense_only = any("filling dense-only layers" in line for line in lines) and not any(
        "converting dense-only" in line for line in lines
    )
    shares = []
    for number, name in enumerate(names):
        count, partial = layers[name]
        if dense_only:
            partial = max(0, count - 1) if number == len(names) - 1 else count
        shares.append((name, Share(count, partial, parts.get(number, Part.DENSE) if partial else Part.DENSE)))
    return Choice(context, tuple(shares))


def is_whole(lines: Sequence[str]) -> bool:
    """Whether the first table has been heard to its end, of a program that goes on behind it."""
    if len(lines) < 2 or _TABLE in lines[-1] or _TABLE not in lines[-2]:
        return False  # asked of every line: to look at all of them each time took minutes of a program that says much
    return any(row.name == HOST for row in rows_of(lines))
