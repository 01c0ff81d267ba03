"""Texts: logs of servers and of engines, the kernel's log, and what a user or a variable says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from gpuprobe import strings
from gpuprobe.command import gathering, log_file, plan_options, running_options
from gpuprobe.command.counting import Count
from gpuprobe.command.plan_options import PlanOptions
from gpuprobe.command.reply import Reply
from gpuprobe.doctor.examination import examine, with_findings
from gpuprobe.doctor.findings import Finding
from gpuprobe.doctor.log_reading import explained
from gpuprobe.exits import Exit, WrongUsage
from gpuprobe.facts.system_facts import KernelLog, SystemFacts
from gpuprobe.fleet.node_sets import expanded, folded
from gpuprobe.judging import architecture, device_lists, identity, mapped_libraries
from gpuprobe.judging.engine_words import said_by
from gpuprobe.judging.requirement import RequirementError, meets
from gpuprobe.judging.requirement import parse as requirement
from gpuprobe.judging.rules import judge
from gpuprobe.judging.selectors import SelectionError, select
from gpuprobe.machine import kernel_log, known_programs
from gpuprobe.model import Request
from gpuprobe.modelfile import ollama_store
from gpuprobe.planning import engine_log
from gpuprobe.planning.devices import with_what_ifs
from gpuprobe.planning.what_if import WhatIfError
from gpuprobe.planning.what_if import parse as what_if
from gpuprobe.render.doctor_document import doctor_document
from gpuprobe.render.doctor_text import doctor_text
from gpuprobe.survey.kernel_messages import kernel_log as read_log
from gpuprobe.survey.tree import Tree
from tests import temporary
from tests.fuzz.answers import said_of, written
from tests.fuzz.target import Target
from tests.records import a_card, a_device, a_host, evidence_of
from tests.running_records import ALL, NONE, PRETENDED, SOME
from tests.unit import test_engine_log, test_engine_words, test_kernel_messages

DEVICES = (a_device("CUDA", uuid="GPU-1"), a_device("Vulkan", number=1, pci_id="0000:03:00.0", uuid="GPU-2"))
INVENTORY = judge(evidence_of(*DEVICES), Request())


def _texts_in(module: object) -> Iterator[bytes]:
    """The texts of many words that a module of tests holds."""
    for value in vars(module).values():
        each = "\n".join(value) if isinstance(value, tuple | list) and all(isinstance(line, str) for line in value) else value
        if isinstance(each, str) and " " in each and not each.startswith(module.__doc__ or "\0"):
            yield each.encode()


@cache
def _root() -> Path:
    root = temporary.folder("fuzz-log")
    for place in ("dev", "var/log"):
        (root / place).mkdir(parents=True)
    return root


# --- logs of servers


def _explained(content: bytes) -> tuple[Finding, ...]:
    path = _root() / "server.log"
    path.write_bytes(content)
    said_by(log_file.read(str(path)).lines(), mark="--port 35001")
    return explained(log_file.read(str(path)).lines(), INVENTORY)


def _is_told(findings: tuple[Finding, ...]) -> None:
    assert findings
    examination = with_findings(examine(INVENTORY), findings)
    written(
        Reply(
            Exit.ANSWERED,
            lambda: doctor_document(INVENTORY, examination, "x", Exit.ANSWERED),
            lambda screen: doctor_text(examination, "x", screen.width, verbose=True),
        )
    )


def _logs() -> Iterator[bytes]:
    for said in (ALL, SOME, NONE, PRETENDED):
        yield said.encode()
    yield from _texts_in(test_engine_words)
    yield b'time=2026-11-21 level=INFO msg="starting runner" cmd="ollama runner --port 35001"\n' + ALL.encode()


def _measured(content: bytes) -> tuple[Any, ...]:
    lines = content.decode("utf-8", "backslashreplace").splitlines()
    return engine_log.rows_of(lines), engine_log.choice_of(lines), engine_log.is_whole(lines)


def _in_sizes(found: tuple[Any, ...]) -> None:
    rows, choice, _ = found
    assert all(row.model >= 0 and row.context >= 0 and row.compute >= 0 for row in rows)
    assert choice.context is None or choice.context >= 0


def _engine_logs() -> Iterator[bytes]:
    yield from _texts_in(test_engine_log)


# --- the kernel's log


def _kernel_log(content: bytes) -> list[KernelLog]:
    """As records of the device, and as lines of a file."""
    found = []
    for path in ("dev/kmsg", "var/log/kern.log"):
        (_root() / path).write_bytes(content)
        found.append(read_log(Tree(str(_root())), ("0000:01:00.0",)))
        (_root() / path).unlink()
    return found


def _is_judged(logs: list[KernelLog]) -> None:
    for log in logs:
        assert len(log.lines) <= 600 and all(len(line.message) <= 512 for line in log.lines)
        host = a_host(pci=(a_card(), a_card("0000:03:00.0", vendor=0x1002, driver="amdgpu")), system=SystemFacts(log=log))
        kernel_log.xids(host), kernel_log.resumed_at(host), kernel_log.lines_of(host, "0000:01:00.0")
        said_of(evidence_of(host=host))


def _kernel_logs() -> Iterator[bytes]:
    yield from _texts_in(test_kernel_messages)
    for message in (
        "NVRM: Xid (PCI:0000:01:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.",
        "NVRM: API mismatch: the client has the version 580.95.05, but this kernel module has the version 550.54.14.",
        "kfd kfd: amdgpu: skipped device 1002:744c, PCI rejects atomics 730<0",
        "amdgpu 0000:03:00.0: amdgpu: GPU reset begin!",
        "nvidia 0000:01:00.0: BAR 1 [mem size 0x400000000 64bit pref]: failed to assign",
        "Linux version 6.8.0-45-generic (buildd@x) #45-Ubuntu SMP",
        "PM: suspend exit",
    ):
        yield f"4,0,1000,-;{message}\n[    1.5] {message}\n".encode()


# --- what users and variables say


def _words(content: bytes) -> tuple[Callable[[str], object], str]:
    """The first byte chooses what the others are taken for."""
    readers = _READERS
    return readers[(content[:1] or b"\0")[0] % len(readers)], content[1:].decode("utf-8", "backslashreplace")


def _answered(asked: tuple[Callable[[str], object], str]) -> None:
    read, text = asked
    read(text)


def _required(text: str) -> None:
    try:
        wanted = requirement(text)
    except RequirementError as problem:
        assert str(problem)
    else:
        meets(wanted, DEVICES)


def _selected(text: str) -> None:
    try:
        assert select(text, DEVICES)
    except SelectionError as problem:
        assert str(problem)


def _supposed(text: str) -> None:
    try:
        with_what_ifs(DEVICES, (what_if(text),))
    except WhatIfError as problem:
        assert str(problem)


def _nodes(text: str) -> None:
    names = expanded(text)
    if names:
        assert set(expanded(folded(names)) or ()) == set(names)


def _listed(text: str) -> None:
    device_lists.parse_list(text), device_lists.ggml_positions(text), device_lists.ggml_list(text, 4)
    for number in range(2):
        device_lists.resolve(text, number), device_lists.resolve_mask(text, number)


def _named(text: str) -> None:
    strings.gfx_of_name(text), strings.gfx_of_override(text), strings.build_key(text), strings.printable(text)
    strings.seconds_between(text, "2026-11-21T09:00:00Z"), strings.age_between(text, text)
    identity.normal_pci(text), identity.normal_uuid(text)
    command = text.split(" ")
    known_programs.asked_of(known_programs.program_of(command), command, {"OLLAMA_HOST": text})
    mapped_libraries.mapped(text.split(" ")), ollama_store.parsed(text)
    architecture.of_compute((8, 9), text.split(",")), architecture.of_gfx("gfx90a", text.split(","))


def _planned(text: str) -> None:
    """Each option of `plan` with this value, and the other options that take numbers."""
    for option in ("context", "parallel", "cache_type_k", "flash_attn", "ubatch", "split", "layers", "reserve", "engine"):
        _said(lambda option=option: plan_options.read(PlanOptions()._replace(**{option: text}), ("x",)))  # type: ignore[misc, arg-type]
    _said(lambda: running_options.read(text.split(" ")))
    _said(lambda: gathering.seconds_of("--timeout", text, lambda seconds: seconds > 0, "seconds"))
    _said(lambda: Count.read(text, text))


def _said(read: Callable[[], object]) -> None:
    try:
        read()
    except WrongUsage as wrong:
        assert wrong.message and wrong.hint


_READERS = (_required, _selected, _supposed, _nodes, _listed, _named, _planned)


def _words_of_users() -> Iterator[bytes]:
    for kind, texts in enumerate(
        (
            ("count>=2, free>=20GiB, compute>=8.0, library=cuda, type=discrete, name~4090", "total > 8 GB"),
            ("CUDA:0", "0000:01:00.0", "GPU-1", "vulkan", "level-zero:1"),
            ("CUDA:0 free=20GiB", "CUDA:1 total=24GiB free=20GiB name=X compute=8.9", "host free=3GiB"),
            ("n[01-40],login1", "rack[1-3]n[1-2]", "n1,n2,n3"),
            ("0,1", "GPU-1,MIG-2", "-1", "0-3", "0.1,2"),
            ("gfx90a:xnack-", "11.0.0", "2026-11-21T09:00:00Z", "cuda_v13", "llama-server -m x -ngl 3", "hf.co/a/b:Q4"),
            ("8k", "4096,8192", "q8_0", "3,1", "8GiB", "llama.cpp", "4242 ollama.service", "2.5"),
        )
    ):
        for each in texts:
            yield bytes([kind]) + each.encode()


TARGETS = (
    Target("server-log", "logs for `doctor --log`", _explained, _is_told, _logs, rooms=("judging.engine_words", "libraries")),
    Target(
        *("engine-log", "llama.cpp's words about memory", _measured, _in_sizes, _engine_logs), rooms=("planning.engine_log",)
    ),
    Target(
        *("kernel-log", "the kernel's log, as records and as a file", _kernel_log, _is_judged, _kernel_logs),
        rooms=("survey.kernel_messages", "machine.kernel_log", "doctor"),
    ),
    Target(
        *("words", "options and variables: devices, requirements, suppositions, sets of nodes, lists", _words, _answered),
        _words_of_users,
        longest=512,
        rooms=("judging", "planning.what_if", "strings", "fleet.node_sets", "command.plan_options", "modelfile.ollama_store"),
    ),
)
