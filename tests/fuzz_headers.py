"""A coverage-guided run over headers, outside CI: `python -m tests.fuzz_headers -max_total_time=60` (needs atheris).

Every input is read and planned; the only errors allowed are our own two. Ends at the first other one, or at its time.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["gpuprobe.modelfile", "gpuprobe.planning"]):
    from gpuprobe.modelfile.gguf import Unreadable, read
    from gpuprobe.planning.placement import Planner
    from gpuprobe.planning.records import Device, Settings, Unplannable

from tests.unit.test_gguf import TRUE, shortened

DEVICES = (Device(selector="CUDA:0", free=1 << 30), Device(selector="CUDA:1", free=1 << 29))
FOLDER = Path(tempfile.mkdtemp())
INPUT = FOLDER / "model.gguf"
MODELS = ("llama-1b-tied", "gemma3-4b", "deepseek3-small", "mamba-1.4b", "lfm2-1.2b", "qwen3next-small", "gpt-oss-20b")


def one_input(data: bytes) -> None:
    INPUT.write_bytes(data)
    with contextlib.suppress(Unreadable, Unplannable):
        Planner(read(INPUT)).place(DEVICES, Settings(context=512, layers=len(data) % 8))


def seeds() -> Path:
    """Headers of true models, shortened, to start from."""
    folder = FOLDER / "corpus"
    folder.mkdir()
    (folder / "small").write_bytes(TRUE)
    for name in MODELS:
        path = shortened(name).write(FOLDER / "seed.gguf")
        with path.open("rb") as file:
            (folder / name).write_bytes(file.read(16384))
    return folder


if __name__ == "__main__":
    atheris.Setup([*sys.argv, "-max_len=16384", "-rss_limit_mb=1024", str(seeds())], one_input)
    atheris.Fuzz()
