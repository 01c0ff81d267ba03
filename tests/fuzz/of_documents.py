"""JSON: lines of a child, captures, saved discoveries, answers of servers, and documents of a fleet in all their forms."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from gpuprobe import capture, runner, saved
from gpuprobe.capture import CaptureError
from gpuprobe.command import commands, examining, fleet_files, selecting
from gpuprobe.command.choosing import Choice
from gpuprobe.command.options import DoctorOptions, Options
from gpuprobe.command.reply import Reply
from gpuprobe.exits import Exit, WrongUsage
from gpuprobe.fleet.document_texts import of_pieces, of_text
from gpuprobe.fleet.outcome import Outcome as FleetOutcome
from gpuprobe.fleet.outcome import outcome_of
from gpuprobe.fleet.roll_call import RollCall
from gpuprobe.fleet.rows import Found, Machine, Origin, Reading
from gpuprobe.judging.figures import activities, matched, told_by
from gpuprobe.judging.requirement import parse as requirement
from gpuprobe.model import Evidence, Json, Outcome, Probe, Purpose, Status
from gpuprobe.probing import engine_interfaces, loopback, server_info
from gpuprobe.probing.answers import Answers
from gpuprobe.probing.loopback import Refusal
from gpuprobe.render.document import SCHEMA_VERSION
from gpuprobe.render.fleet_document import fleet_csv, fleet_document
from gpuprobe.render.fleet_metrics import fleet_metrics
from gpuprobe.render.fleet_text import fleet_text
from gpuprobe.wire import from_json, to_json
from tests import temporary
from tests.fleet import forty
from tests.fleet.forms import FORMS
from tests.fuzz.answers import a_screen, options, said_of, written
from tests.fuzz.target import Target
from tests.records import a_card, a_device, a_host, evidence_of

SCENARIOS = Path(__file__).parents[1] / "scenarios"
NOW = "2026-11-21T09:00:00Z"
PROBES = (Probe("CUDA", Purpose.LIST), Probe("CUDA", Purpose.VALIDATE, device="GPU-1"), Probe("NVML", Purpose.LIST))


@cache
def _place(name: str) -> Path:
    """A file that every input is written to."""
    return temporary.folder("fuzz") / name


def _written(name: str, content: bytes) -> str:
    path = _place(name)
    path.write_bytes(content)
    path.chmod(0o600)
    return str(path)


# --- lines of a child


def _heard(content: bytes) -> list[Outcome]:
    outcomes = []
    for probe in PROBES:
        answers = Answers(probe)
        for line in content.split(b"\n"):
            answers.take(line)
        outcomes.append(answers.outcome(status=Status.OK, exit_code=0, seconds=0.5))
    return outcomes


def _believed(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        assert len(outcome.devices) <= 1024
        assert from_json(Outcome, json.loads(json.dumps(to_json(outcome)))) == outcome
    host = a_host(pci=(a_card(),))
    inventory = said_of(Evidence(host, tuple(outcomes), NOW))
    known = (a_device("CUDA"), *inventory.kept)
    activities(known, outcomes)
    matched(known, list(told_by(outcomes)))


def _child_lines() -> Iterator[bytes]:
    for capture_file in sorted(SCENARIOS.glob("*/capture.json"))[::6]:
        for outcome in json.loads(capture_file.read_bytes())["evidence"]["outcomes"]:
            lines: list[dict[str, Any]] = [{"call": step["name"], "at": 0.1} for step in outcome.get("steps", ())][:3]
            lines += [{"loaded": outcome["library_path"]}] if outcome.get("library_path") else []
            for device in outcome.get("devices", ()):
                lines.append({"device": {key: value for key, value in device.items() if key not in ("library", "build")}})
            lines += [{"facts": outcome["facts"]}] if outcome.get("facts") else []
            yield "\n".join(json.dumps(line) for line in [*lines, {"done": True, "at": 0.5}]).encode()
    failed = {"status": "wrong_result", "code": 700, "name": "X", "message": "m", "wrong": {"count": 1, "first": 3}}
    stages = [{"stage": "kernel", "at": 0.1}, {"figures": {"copy": [{"bytes": 4, "seconds": 0.1}]}}, {"not_possible": "blas"}]
    for last in ({"failed": failed, "at": 0.4}, {"passed": {"depth": "kernel"}}, {"waiting": True, "at": 0.3}):
        yield "\n".join(json.dumps(line) for line in (*stages, last, {"done": True, "at": 0.5})).encode()


# --- what a child is asked, which may come from a hand


def _asked(content: bytes) -> Json:
    request = runner._request(content)
    runner._check_the_stage(request)
    return request


def _can_be_answered(request: Json) -> None:
    json.dumps(request)
    assert request["purpose"] == "list" or request["device"] is not None


def _requests() -> Iterator[bytes]:
    listing = {"backend": "cuda", "purpose": "list", "candidates": ["/usr/lib/libcuda.so.1"], "library": "CUDA"}
    validating = {"purpose": "validate", "device": "GPU-1", "until": "kernel", "toolkits": [], "turns": True, "repeat": False}
    for request in (listing, {**listing, **validating}):
        yield json.dumps(request).encode()


# --- captures


class Loaded(NamedTuple):
    path: str
    evidence: Evidence
    turn: int  # of the content: which of the commands is asked


def _loaded(content: bytes) -> Loaded:
    path = _written("capture.json", content)
    return Loaded(path, capture.load(Path(path)), zlib.crc32(content))


_COMMANDS: tuple[Callable[[Options], Reply], ...] = (
    lambda given: commands.list_devices(given, require="count>=1, free>=1GiB, compute>=7.0"),
    lambda given: commands.list_devices(given, form="csv"),
    lambda given: commands.list_devices(given, form="prometheus"),
    lambda given: commands.list_devices(given, form="labels"),
    lambda given: commands.list_devices(given, brief=True),
    lambda given: commands.validate(given, ()),
    lambda given: commands.flash_attn(given, ()),
    lambda given: examining.doctor(given, (), DoctorOptions(programs=("ollama", "llama.cpp", "torch", "vllm"))),
    lambda given: selecting.env(given, (), Choice()),
    lambda given: selecting.env(given, (), Choice(consumer="ollama")),
)


def _commanded(loaded: Loaded) -> None:
    """All that is said of it, or a command's answer."""
    place = loaded.turn % (len(_COMMANDS) + 3)
    if place >= len(_COMMANDS):
        said_of(loaded.evidence)
        return
    try:
        reply = _COMMANDS[place](options(source=loaded.path, allow_software=True))
    except WrongUsage as wrong:
        assert "OLLAMA_LLM_LIBRARY" in wrong.message
        return
    if reply.lines is not None:
        a_screen().write_exactly(reply.lines)
    else:
        written(reply)


def _captures() -> Iterator[bytes]:
    for path in sorted(SCENARIOS.glob("*/capture.json"), key=lambda path: path.stat().st_size)[:24]:
        yield json.dumps(json.loads(path.read_bytes()), separators=(",", ":")).encode()


# --- the saved discovery


def _machine() -> Any:
    return a_host(pci=(a_card(),), environ={"CUDA_DEVICE_ORDER": "PCI_BUS_ID"})


def _recalled(content: bytes) -> saved.Saved:
    return saved.load(_machine(), _written("discovery.json", content), NOW)


def _believed_or_not(found: saved.Saved) -> None:
    assert found.evidence is not None or found.problem is not None
    if found.evidence is not None:
        said_of(found.evidence)


def _saved() -> Iterator[bytes]:
    path = str(_place("cache") / "discovery.json")
    for device in (a_device("CUDA", uuid="GPU-1"), a_device("Vulkan", pci_id="0000:01:00.0")):
        assert saved.save(evidence_of(device, host=_machine())._replace(gathered_at=NOW), _machine(), path) is None
        yield Path(path).read_bytes()


# --- answers of servers on the loopback


def _answered(content: bytes) -> list[Any]:
    """The first byte says which question it answers."""
    kind, content = content[:1], content[1:]
    said = loopback._parsed(content, "/info")
    read = {b"o": engine_interfaces._of_ollama, b"l": engine_interfaces._of_llama_server, b"v": engine_interfaces._of_openai}
    if kind in read:
        return read[kind](11434, "/x", said)
    return list(server_info._devices(said))


def _plain(found: list[Any]) -> None:
    assert len(found) <= 256
    for each in found:
        json.dumps(to_json(each))


def _server_answers() -> Iterator[bytes]:
    bodies = {
        b"o": {"models": [{"name": "llama3:8b", "size": 1, "size_vram": 1}]},
        b"l": {"model_path": "/models/a.gguf"},
        b"v": {"object": "list", "data": [{"id": "meta/llama"}]},
        b"i": [{"id": "GPU-1", "backend": "CUDA", "free_memory": 1, "total_memory": 2, "pci_id": "0000:01:00.0"}],
    }
    for kind, body in bodies.items():
        text = json.dumps(body).encode()
        yield kind + b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + text
        yield kind + b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(text), text)
        yield kind + b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n"


# --- a fleet


def _read(content: bytes) -> tuple[list[Found], list[Found]]:
    """As one text, and as one that is too long to be held."""
    text = fleet_files._text(content)
    half = len(text) // 2
    pieces = (text[at : at + 64] for at in range(half, len(text), 64))
    return list(of_text(text)), list(of_pieces(text[:half], pieces))


def _in_rows(both: tuple[list[Found], list[Found]]) -> None:
    assert both[0], "a text that stands for nothing is one problem"
    for found in both:
        calls = RollCall(Reading(SCHEMA_VERSION, requirement("count>=1, free>=1GiB, compute>=8.0, library=cuda")))
        for each in found:
            calls.take(each, Origin("-", "standard input"))
        _shown(outcome_of(calls.machines(("n01",)), calls.notes(), "count>=1"), calls.machines())


def _shown(outcome: FleetOutcome, machines: list[Machine]) -> None:
    assert all(machine.name.isprintable() for machine in machines)
    for by in ("all", "why"):
        written(
            Reply(
                Exit.ANSWERED,
                lambda: fleet_document(outcome),
                lambda screen, by=by: fleet_text(outcome, by, "machine", screen.width, quiet=False),  # type: ignore[misc]
            )
        )
    for lines in (fleet_csv(outcome), fleet_metrics(outcome)):
        a_screen().write_exactly(lines)


def _fleets() -> Iterator[bytes]:
    """Two machines that answered and three that did not, in every form."""
    names = ("n01", forty.LOST_CARD, *forty.SILENT[:1], forty.RUBBISH)
    texts = {name: _small(forty.text_of(name)) for name in names}
    for name, form in FORMS.items():
        if name == "clush_folded":  # it is of all forty
            continue
        left = form(texts)
        for text in dict.fromkeys((left.text, *left.files.values())):
            yield text.encode()
    yield "\ufeff".encode("utf-16") + texts["n01"].encode("utf-16")


def _small(text: str) -> str:
    """Without what a row does not read."""
    if not text.startswith("{"):
        return text
    document = json.loads(text)
    kept = ("schema_version", "gpuprobe", "timestamp", "summary", "cards", "devices", "host", "probes")
    document = {key: value for key, value in document.items() if key in kept}
    document["cards"], document["devices"], document["probes"] = (document[key][:1] for key in ("cards", "devices", "probes"))
    return json.dumps(document)


TARGETS = (
    Target(
        "child-lines",
        "what a child says, line by line",
        _heard,
        _believed,
        _child_lines,
        longest=8192,
        json=True,
        rooms=("probing.answers", "probing.shapes", "probing.stages_taken", "model", "wire", "judging.figures"),
    ),
    Target(
        *("request", "what a child is asked", _asked, _can_be_answered, _requests, (runner.Malformed,)),
        longest=1024,
        json=True,
        rooms=("runner",),
    ),
    Target(
        "capture",
        "a file for `--from`",
        _loaded,
        _commanded,
        _captures,
        (CaptureError,),
        longest=24576,
        json=True,
        rooms=("capture", "wire", "judging", "doctor", "machine"),
    ),
    Target(
        "saved",
        "the saved discovery",
        _recalled,
        _believed_or_not,
        _saved,
        longest=8192,
        json=True,
        rooms=("saved", "wire", "facts", "model"),
    ),
    Target(
        "server-answer",
        "HTTP of a server on the loopback",
        _answered,
        _plain,
        _server_answers,
        (Refusal, *loopback._UNREADABLE),
        longest=2048,
        rooms=("probing.loopback", "probing.engine_interfaces", "probing.server_info"),
    ),
    Target(
        "fleet",
        "documents of many machines, as engines leave them",
        _read,
        _in_rows,
        _fleets,
        longest=24576,
        json=True,
        rooms=("fleet", "command.fleet_files"),
    ),
)
