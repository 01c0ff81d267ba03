"""The document of `running`."""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe.doctor.judged_process import Judged
from gpuprobe.doctor.process_summary import Absent, headline, remarks
from gpuprobe.exits import Exit
from gpuprobe.judging.held_memory import selector
from gpuprobe.judging.process_evidence import Finding
from gpuprobe.model import Json
from gpuprobe.render.document import envelope
from gpuprobe.running_now import Snapshot, holders_elsewhere
from gpuprobe.strings import printable


def running_document(snapshot: Snapshot, shown: Sequence[Judged], absent: Absent, leave_with: Exit) -> Json:
    table = snapshot.table
    said = remarks(table, holders_elsewhere(snapshot), absent, shown, as_root=snapshot.as_root)
    return {
        **envelope(snapshot.inventory, headline(shown, absent, table), leave_with),
        "timestamp": snapshot.read_at,
        "processes": [process_record(each) for each in shown],
        "looked_at": table.looked_at,
        "unreadable": {"processes": table.unreadable, "accounts": [printable(each) for each in table.unreadable_accounts]},
        "ended": sorted({*absent.ended, *table.ended}),
        "units_without_process": [printable(each) for each in absent.units],
        "hidepid": table.hidden,
        "pid_namespace": table.namespace,
        "devices": [
            {
                "selector": selector(each.device),
                "id": each.device.id,
                "utilization_percent": each.activity.utilization if each.activity else None,
            }
            for each in snapshot.figures
        ],
        "warnings": [printable(each) for each in (*said, *snapshot.remarks)],
    }


def process_record(each: Judged) -> Json:
    process, layers = each.process, each.layers
    return {
        "pid": process.number,
        "program": printable(each.name),
        "verdict": each.where.value,
        "because": printable(each.because),
        "cause": each.cause.value if each.cause else None,
        "advice": printable(each.advice) if each.advice else None,
        "through_pid": each.through,
        "parent_pid": process.parent,
        "account": _text(process.account),
        "started_at": process.started_at,
        "container": None if each.container is None else {"kind": each.container.kind, "name": printable(each.container.name)},
        "unit": _text(each.unit),
        "model": {"name": _text(each.model), "file_bytes": each.gathered.model_size},
        "layers": None if layers is None else {"on_devices": layers.offloaded, "of": layers.total, "source": layers.source},
        "buffers": [
            {"device": printable(buffer.device), "kind": buffer.kind, "bytes": buffer.size, "on_device": buffer.on_device}
            for buffer in each.said.buffers
        ],
        "memory": [{"device": printable(held.device), "bytes": held.size, "source": held.teller} for held in each.holding.held],
        "memory_is_told": each.holding.is_told,
        "host_memory_bytes": process.resident,
        "libraries": [
            {"engine": part.engine, "library": part.library, "path": printable(part.path)}
            for part in (*each.mapped.backends, *each.mapped.drivers)
        ]
        if process.mapped is not None
        else None,
        "engines": list(each.mapped.engines),
        "device_files": None if process.nodes is None else [printable(path) for path in process.nodes],
        "evidence": [_finding(found) for found in each.findings],
    }


def _finding(found: Finding) -> Json:
    return {"source": found.source, "where": printable(found.place), "said": printable(found.said)}


def _text(text: str | None) -> str | None:
    return printable(text) if text else None
