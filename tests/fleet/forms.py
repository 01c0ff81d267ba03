"""The same machines as each engine leaves them: text of one stream, or files by name.

Seen: ClusterShell 1.10.1, pdsh 2.34 with dshbak, ansible-core 2.19.14 (`--tree`, minimal, one line, facts). By documentation
alone: Ansible's callback `json` (of ansible.posix), `kubectl logs --prefix`, and what Ray puts before workers' lines.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.fleet import forty


class Left(NamedTuple):
    """`text`: one stream; `files`: a directory."""

    text: str = ""
    files: Mapping[str, str] = {}


def clush_lines(texts: Mapping[str, str]) -> Left:
    return Left("".join(f"{name}: {line}\n" for name, text in texts.items() for line in text.splitlines()))


def clush_folded(texts: Mapping[str, str]) -> Left:
    return Left(forty.folded())


def dshbak(texts: Mapping[str, str]) -> Left:
    rule = "-" * 16
    return Left("".join(f"{rule}\n{name}\n{rule}\n{text}\n" for name, text in texts.items() if text))


def indented_under_prefixes(texts: Mapping[str, str]) -> Left:
    """Documents of many lines whose lines come as they come: those of two machines take turns."""
    shown = {name: json.dumps(json.loads(text), indent=2) if text.startswith("{") else text for name, text in texts.items()}
    lines = [[f"{name}: {line}" for line in text.splitlines()] for name, text in shown.items()]
    woven = [line for one, other in zip(lines[::2], lines[1::2], strict=True) for line in _woven(one, other)]
    return Left("\n".join(woven) + "\n")


def _woven(one: list[str], other: list[str]) -> list[str]:
    both = [line for pair in zip(one, other, strict=False) for line in pair]
    return both + one[len(other) :] + other[len(one) :]


def _result(name: str, text: str) -> dict[str, Any]:
    return {
        "changed": True,
        "cmd": ["gpuprobe", "list", "--json"],
        "delta": "0:00:00.310000",
        "msg": "",
        "rc": 0,
        "stderr": "",
        "stderr_lines": [],
        "stdout": text,
        "stdout_lines": text.splitlines(),
    }


def ansible_tree(texts: Mapping[str, str]) -> Left:
    return Left(files={name: json.dumps(_result(name, text), sort_keys=True) for name, text in texts.items()})


def ansible_json(texts: Mapping[str, str]) -> Left:
    facts = {name: {"ansible_facts": {"ansible_os_family": "Debian"}, "changed": False} for name in texts}
    tasks = [
        {"hosts": facts, "task": {"id": "1", "name": "Gathering Facts"}},
        {"hosts": {name: _result(name, text) for name, text in texts.items()}, "task": {"id": "2", "name": "command"}},
    ]
    stats = {name: {"changed": 1, "failures": 0, "ok": 2, "unreachable": 0} for name in texts}
    play = {"play": {"id": "0", "name": "all"}, "tasks": tasks}
    return Left(json.dumps({"custom_stats": {}, "plays": [play], "stats": stats}, indent=4, sort_keys=True) + "\n")


def ansible_minimal(texts: Mapping[str, str]) -> Left:
    return Left("".join(f"{name} | CHANGED | rc=0 >>\n{text}\n" for name, text in texts.items()))


def ansible_one_line(texts: Mapping[str, str]) -> Left:
    return Left("".join(f"{name} | CHANGED | rc=0 | (stdout) {text}\n" for name, text in texts.items()))


def ansible_facts(texts: Mapping[str, str]) -> Left:
    """A fact that is no JSON comes as the text that it is."""
    facts = {name: json.loads(text) if text.startswith("{") else text for name, text in texts.items()}
    results = {name: {"ansible_facts": {"ansible_local": {"gpuprobe": fact}}, "changed": False} for name, fact in facts.items()}
    return Left(files={f"{name}.json": json.dumps(result) for name, result in results.items()})


def named_files(texts: Mapping[str, str]) -> Left:
    return Left(files={f"{name}.json": f"{text}\n" if text else "" for name, text in texts.items()})


def fetched_files(texts: Mapping[str, str]) -> Left:
    return Left(files={f"{name}/var/lib/gpuprobe.json": text for name, text in texts.items()})


def slurm_files(texts: Mapping[str, str]) -> Left:
    """`srun -o %N.out`, with what Slurm itself says in some of them."""
    files = {f"{name}.out": f"{text}\n" if text else "" for name, text in texts.items()}
    some = f"slurmstepd: error: cgroup namespace 'freezer' not mounted. aborting\n{files['n01.out']}"
    return Left(files={**files, "n01.out": some})


def ray_lines(texts: Mapping[str, str]) -> Left:
    """What a task on each node gives back, a line each."""
    rows = [
        {"node": name, "stdout": text, "stderr": "", "returncode": 0 if text.startswith("{") else 139}
        for name, text in texts.items()
    ]
    silent = [{**row, "returncode": 0} if not row["stdout"] else row for row in rows]
    return Left("".join(json.dumps(row) + "\n" for row in silent))


def log_lines(texts: Mapping[str, str]) -> Left:
    """A log pipeline's records, with those of other programs among them."""
    rows = [{"host": {"name": name}, "message": text, "stream": "stdout"} for name, text in texts.items() if text]
    other = {"host": {"name": "n01"}, "message": "kubelet: started", "stream": "stdout"}
    return Left("".join(json.dumps(row) + "\n" for row in (other, *rows, other)))


def by_name(texts: Mapping[str, str]) -> Left:
    known = {name: json.loads(text) if text.startswith("{") else text or None for name, text in texts.items()}
    return Left(json.dumps(known))


def kubernetes_logs(texts: Mapping[str, str]) -> Left:
    """`kubectl logs --prefix`."""
    return Left("".join(f"[pod/{name}/gpuprobe] {text}\n" for name, text in texts.items() if text))


def ray_workers(texts: Mapping[str, str]) -> Left:
    """What a driver shows of its workers' output."""
    return Left("".join(f"\x1b[36m(probe pid=41{name[1:]}, ip={name})\x1b[0m {text}\n" for name, text in texts.items() if text))


FORMS = {
    form.__name__: form
    for form in (
        *(clush_lines, clush_folded, dshbak, indented_under_prefixes),
        *(ansible_tree, ansible_json, ansible_minimal, ansible_one_line, ansible_facts),
        *(named_files, fetched_files, slurm_files, ray_lines, log_lines, by_name, kubernetes_logs, ray_workers),
    )
}
