"""Makes the captures of scenarios again: `python -m tests.scenarios.stage NAME…`, without a name every one.

Afterwards `pytest tests/test_scenarios.py --bless` rewrites what gpuprobe says of them; read the differences.
"""

from __future__ import annotations

import sys
from pathlib import Path

from gpuprobe import capture
from gpuprobe.model import Evidence
from tests.scenarios import staging
from tests.scenarios.captured import CAPTURED
from tests.scenarios.staged import STAGED
from tests.scenarios.written import WRITTEN

PLACE = Path(__file__).parent


def evidence_of(name: str) -> Evidence:
    """Raises SystemExit for a name that is no scenario's."""
    if name in STAGED:
        return staging.evidence_of(STAGED[name]())
    made = {**CAPTURED, **WRITTEN}
    if name not in made:
        raise SystemExit(f"`{name}` is no scenario; there are {', '.join(sorted(names()))}")
    return made[name]()


def names() -> list[str]:
    return [*CAPTURED, *STAGED, *WRITTEN]


def main(chosen: list[str]) -> None:
    for name in chosen or names():
        folder = PLACE / name
        folder.mkdir(exist_ok=True)
        capture.save(folder / "capture.json", evidence_of(name))
        (folder / "capture.json").chmod(0o644)
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
