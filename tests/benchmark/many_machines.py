"""The rows about `fleet`: documents of many machines, read beside `jq -c .summary` over the same files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.benchmark.table import Line, MiB, Unmeasured, mebibytes, milliseconds, ratio, times
from tests.benchmark.workplace import REPOSITORY, Workplace, interleaved

SIZE = 16 * 1024  # bytes of a document
COUNTS = (100, 1_000, 10_000)
BAR = 1.5  # times jq, for the most
MEMORY_BAR = 60 * MiB
CAPTURE = REPOSITORY / "tests" / "scenarios" / "two-identical-nvidia" / "capture.json"


def fleet(workplace: Workplace) -> Iterator[Line]:
    if shutil.which("jq") is None:
        raise Unmeasured("`jq` is not installed")
    document = _document(workplace)
    for count in COUNTS:
        folder = _folder(workplace, document, count)
        ours = workplace.gpuprobe("fleet", str(folder))
        others = ["/bin/sh", "-c", f"find {folder} -type f | sort | xargs jq -c .summary >/dev/null"]
        runs = min(workplace.runs, 5 if count == COUNTS[-1] else workplace.runs)
        read, jq = interleaved(workplace.here, [(argv, workplace.environment()) for argv in (ours, others)], runs)
        if f"on {count} machines" not in read[0].out:
            raise Unmeasured(f"`fleet` did not answer: {read[0].out}")
        peak = max(run.peak for run in read)
        seconds = median(run.seconds for run in read)
        remark = f"jq -c .summary; {milliseconds(seconds)}, {mebibytes(peak)}"
        if count == COUNTS[-1]:
            yield times(f"fleet, {count} machines", ratio(read, jq), BAR, remark)
            yield Line("... its memory", mebibytes(peak), mebibytes(MEMORY_BAR), peak <= MEMORY_BAR)
        else:
            yield Line(f"fleet, {count} machines", f"{ratio(read, jq):.2f} x", remark=remark)
    differing = _folder(workplace, document, COUNTS[-1], differ=True)
    (read,) = interleaved(workplace.here, [(workplace.gpuprobe("fleet", "--json", str(differing)), workplace.environment())], 1)
    remark = f"each machine differs, --json; {milliseconds(read[0].seconds)}"
    yield Line("... all different", mebibytes(read[0].peak), mebibytes(MEMORY_BAR), read[0].peak <= MEMORY_BAR, remark)


def _document(workplace: Workplace) -> str:
    """An answer of `list --json`, which is 16 KiB long, or is made so by its warnings."""
    ran = workplace.here.run(workplace.gpuprobe("list", "--json", "--from", str(CAPTURE)), workplace.environment())
    document = json.loads(ran.out)
    document["warnings"].append("x" * max(0, SIZE - len(json.dumps(document)) - 4))
    return json.dumps(document)


def _folder(workplace: Workplace, document: str, count: int, *, differ: bool = False) -> Path:
    folder = workplace.directory / f"fleet-{count}{'-differ' if differ else ''}"
    folder.mkdir(exist_ok=True)
    for number in range(count):
        text = document.replace("580.95.05", f"580.95.{number:05d}") if differ else document
        (folder / f"n{number:05d}.json").write_text(text)
    return folder
