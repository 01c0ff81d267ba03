"""The machines that `docs/running.md` shows: processes that are made up, judged and drawn by the program itself."""

from __future__ import annotations

from io import StringIO

from gpuprobe.doctor.process_summary import Absent
from gpuprobe.doctor.process_verdicts import judged
from gpuprobe.judging.figures import Activity, Figure, User
from gpuprobe.judging.held_memory import holding
from gpuprobe.judging.rules import judge
from gpuprobe.machine.process_records import Gathered, Interface, LogText, Process, Table
from gpuprobe.model import Evidence, GiB, MiB, Request
from gpuprobe.render.running_text import running_text
from gpuprobe.render.screen import Screen
from gpuprobe.running_now import Snapshot
from tests.records import a_host
from tests.running_records import BIN, PRETENDED, SOME, WITH_CUDA, a_card, a_process, around

WIDTH = 100
OLLAMA = ("/usr/local/bin/ollama", "serve")
BLOB = "/usr/share/ollama/.ollama/models/blobs/sha256-6a0746a1ec1aef3e7ec53868f220ff6e389f6f8ef87a01d77c96807de94ca2aa"
RUNNER = ("/usr/local/bin/ollama", "runner", "--model", BLOB, "--port", "40001")
SERVICE = "0::/system.slice/ollama.service\n"
ALL = 'msg="offloaded 33/33 layers to GPU"\nmsg="model weights" device=CUDA0 size="4.3 GiB"\n'
TORCH = "/home/anna/ComfyUI/venv/lib/python3.12/site-packages/torch/lib/libtorch_cpu.so"


def _processes() -> list[Gathered]:
    server = a_process(
        number=3001, name="ollama", command=OLLAMA, mapped=(), nodes=(), account="ollama", user=997, control_group=SERVICE
    )
    runner = server._replace(
        number=3120, parent=3001, command=RUNNER, mapped=WITH_CUDA, nodes=("/dev/nvidia0", "/dev/nvidiactl")
    )
    some = a_process(number=4242, command=(f"{BIN}/llama-server", "-m", "/models/qwen3-14b.gguf", "-c", "32768"))
    hidden = a_process(number=4380, nodes=(), environ={"CUDA_VISIBLE_DEVICES": "-1"}, mapped=WITH_CUDA)
    command = ("python3", "/home/anna/ComfyUI/main.py")
    comfy = a_process(number=5150, name="python3", command=command, mapped=(TORCH,), nodes=(), beside=())
    claim = (Interface(11434, "/api/ps", "llama3.1:8b", 6 * GiB, 6 * GiB),)
    return [
        Gathered(server, interfaces=claim),
        _logging(runner, ALL)._replace(interfaces=claim),
        _logging(some, SOME, size=9 * GiB),
        _logging(hidden, PRETENDED),
        Gathered(comfy),
    ]


def _logging(process: Process, log: str, size: int | None = None) -> Gathered:
    return Gathered(process, (LogText(f"/var/log/{process.name}.log", log),), model_size=size)


def shown(line: str) -> str:
    """What `gpuprobe running …` would print there."""
    named = [int(word) for word in line.split() if word.isdigit()]
    users = (User(3120, 5600 * MiB), User(4242, 3900 * MiB))
    figures = (Figure(a_card(), "NVML", "2026-11-28T09:00:00Z", activity=Activity(utilization=64, users=users)),)
    gathered = _processes()
    holdings = {each.process.number: holding(each.process, [a_card()], figures, None, same_numbers=True) for each in gathered}
    found = tuple(each for each in judged(gathered, holdings, around()) if not named or each.process.number in named)
    table = Table(tuple(each.process for each in gathered), looked_at=412, unreadable=0)
    inventory = judge(Evidence(a_host(), (), "2026-11-28T09:00:00Z"), Request())
    snapshot = Snapshot(inventory, found, table, figures, "2026-11-28T09:00:00Z")
    screen = Screen(StringIO(), StringIO(), {"COLUMNS": str(WIDTH)})
    return screen.drawn(running_text(snapshot, found, Absent(), WIDTH, named=bool(named), quiet=True))
