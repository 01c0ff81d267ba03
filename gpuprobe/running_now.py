"""Every process that computes or could, now: read, asked and judged, reading after reading.

The devices are those of a discovery, saved or new. Drivers are asked by children that stay; /proc is read each time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gpuprobe.doctor.judged_process import Judged
from gpuprobe.doctor.process_surroundings import surroundings
from gpuprobe.doctor.process_verdicts import judged
from gpuprobe.doctor.server_claims import loaded, why_unseen
from gpuprobe.judging.figures import Activity, Figure, User, activities, matched, told_by, users_of_cut_cards, with_figure
from gpuprobe.judging.held_memory import Holding, holding
from gpuprobe.libraries import library_named
from gpuprobe.machine.control_groups import units_of
from gpuprobe.machine.known_programs import Family, asked_of, is_known, program_of
from gpuprobe.machine.process_records import Gathered, Interface, LogText, Process, Table
from gpuprobe.model import DeviceType, Inventory, Outcome, Probe, Purpose, Request, Status
from gpuprobe.survey.clock import moment
from gpuprobe.survey.kfd_processes import kfd_shares
from gpuprobe.survey.process_logs import logs_of
from gpuprobe.survey.process_table import PassedOver, process_table
from gpuprobe.survey.processes import program_names
from gpuprobe.survey.tree import Tree

if TYPE_CHECKING:
    from gpuprobe.probing.persistent import PersistentChildren

WITNESS_SECONDS = 3.0


class Snapshot(NamedTuple):
    """One reading. `processes` by number; `remarks` are sentences about this reading alone."""

    inventory: Inventory
    processes: tuple[Judged, ...]
    table: Table
    figures: tuple[Figure, ...]
    read_at: str
    remarks: tuple[str, ...] = ()
    as_root: bool = False
    cut_cards: Mapping[str, tuple[User, ...]] = {}  # address of a card with slices → who uses it


class RunningNow:
    """The processes of this machine, read again and again until `close`."""

    def __init__(self, inventory: Inventory, request: Request, root: str = "/") -> None:
        self._inventory, self._request, self._root = inventory, request, root
        self._children: PersistentChildren | None = None
        self._passed_over: PassedOver = {}

    def read(self, asked: Sequence[int] = ()) -> Snapshot:
        """`asked`: process numbers that are read whatever they are."""
        snapshot = self._once(asked)
        # A model that was loaded since the processes were listed has a runner now.
        return self._once(asked) if any(_has_no_runner(each) for each in snapshot.processes) else snapshot

    def _once(self, asked: Sequence[int]) -> Snapshot:
        read_at = moment()
        table = process_table(is_known, self._root, asked, own=os.getpid(), passed_over=self._passed_over)
        figures, cut_cards, silent = self._figures() if table.found else ((), {}, ())
        kfd = kfd_shares(self._root) if table.found else None
        devices = self._inventory.kept
        holdings: dict[int, Holding] = {
            each.number: holding(each, devices, figures, kfd, cut_cards, same_numbers=not table.namespace)
            for each in table.found
        }
        unseen = why_unseen(table, _elsewhere(figures, cut_cards, Tree(self._root)))
        made_at = _made_at(self._inventory, self._root)
        around = surroundings(self._inventory, made_at, as_root=_is_root(), unseen=unseen)
        found = judged(_gathered(table, self._root), holdings, around)
        return Snapshot(self._inventory, found, table, figures, read_at, silent, as_root=_is_root(), cut_cards=cut_cards)

    def close(self) -> None:
        """Ends the children. Called in any case, also on Ctrl-C."""
        if self._children is not None:
            self._children.close()

    def _figures(self) -> tuple[tuple[Figure, ...], Mapping[str, tuple[User, ...]], tuple[str, ...]]:
        """What each device is doing and who uses it, by the witnesses that told the discovery, who uses cards with slices, and
        who did not answer."""
        devices = [device for device in self._inventory.kept if device.type is not DeviceType.SOFTWARE]
        probes = [probe for probe in self._witnesses() if devices]
        if not probes:
            return (), {}, ()
        outcomes = self._asked(probes)
        found = activities(devices, outcomes)
        teller = ", ".join(dict.fromkeys(outcome.probe.library for outcome in outcomes if outcome.status is Status.OK))
        if _share_a_server(found):
            return (
                (),
                {},
                ("NVIDIA's MPS server holds the memory of its clients, so that the driver does not tell whose it is",),
            )
        told = matched(devices, list(told_by(outcomes)))
        known = {place: with_figure(devices[place], told[place]) if place in told else devices[place] for place in found}
        figures = tuple(Figure(known[place], teller, moment(), activity=found[place]) for place in sorted(found))
        silent = tuple(
            f"{outcome.probe.library} did not tell who uses the devices: {outcome.message or outcome.status.value}"
            for outcome in outcomes
            if outcome.status is not Status.OK
        )
        return figures, users_of_cut_cards(devices, outcomes), silent

    def _witnesses(self) -> list[Probe]:
        """Those that know processes, and open no other vendor's card for it."""
        outcomes = self._inventory.evidence.outcomes
        return [
            outcome.probe
            for outcome in outcomes
            if outcome.status is Status.OK and outcome.probe.purpose is Purpose.LIST
            if (library := library_named(outcome.probe.library)).witness and not library.opens_every_node
        ]

    def _asked(self, probes: Sequence[Probe]) -> list[Outcome]:
        from gpuprobe.probing import asking
        from gpuprobe.probing.persistent import PersistentChildren

        children = self._children = self._children or PersistentChildren(os.environ)
        evidence, deadline = self._inventory.evidence, time.monotonic() + (self._request.seconds or WITNESS_SECONDS)
        for probe in probes:
            request = asking.child_request(probe, evidence.host, evidence.outcomes)
            children.start(probe, request, self._request.seconds or WITNESS_SECONDS)
        outcomes: list[Outcome] = []
        while len(outcomes) < len(probes) and (outcome := children.next(deadline)) is not None:
            outcomes.append(outcome)
        return outcomes


def numbers_of_unit(name: str, table: Table) -> tuple[int, ...]:
    """The processes of a unit of systemd, which may be given without its ending."""
    names = {name, f"{name}.service", f"{name}.scope"}
    return tuple(each.number for each in table.found if names.intersection(units_of(each.control_group)))


_MPS = "nvidia-cuda-mps"  # how the name of the server begins, of which `ps` shows 15 characters


def _share_a_server(found: Mapping[int, Activity]) -> bool:
    """Whether processes compute through one server, which older drivers alone name as the user of a card."""
    users = {user.process for doing in found.values() for user in doing.users or ()}
    return any(name.startswith(_MPS) for name in program_names(users).values())


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _made_at(inventory: Inventory, root: str) -> Mapping[str, float]:
    """When the device files of GPUs were made, which the kernel does when a driver comes up."""
    tree = Tree(root)
    statuses = {node.path: tree.status(node.path) for node in inventory.evidence.host.nodes}
    return {path: status.st_mtime for path, status in statuses.items() if status is not None}


def _gathered(table: Table, root: str) -> tuple[Gathered, ...]:
    answers = _answers(table) if root == "/" else {}
    servers = {each.number: each for each in table.found if _family(each) is Family.OLLAMA}
    known = [each for each in table.found if _family(each) is not None]
    logs = {each.number: logs_of(each, root) for each in known}
    return tuple(_one(each, servers, logs, answers, root) for each in table.found)


def _answers(table: Table) -> Mapping[int, tuple[Interface, ...]]:
    if not any(each.ports for each in table.found):
        return {}
    from gpuprobe.probing.engine_interfaces import ask_interfaces

    return ask_interfaces(table.found)


def _family(process: Process) -> Family | None:
    program = program_of(process.command)
    return program.family if program is not None else None


def _one(
    process: Process,
    servers: Mapping[int, Process],
    logs: Mapping[int, tuple[LogText, ...]],
    answers: Mapping[int, tuple[Interface, ...]],
    root: str,
) -> Gathered:
    """What a runner of Ollama's says, its server writes; what the server claims is about its runners."""
    own, parent = logs.get(process.number, ()), process.parent
    interfaces = answers.get(process.number, ())
    log_of = None
    if parent in servers and parent is not None and not any(log.text for log in own):
        own, log_of = logs.get(parent, ()), parent
        claims = answers.get(parent, ())
        interfaces = interfaces or (claims if len(claims) == 1 else ())
    return Gathered(process, own, interfaces, _model_size(process, root), log_of)


_MOST_MODEL = 1 << 50


def _model_size(process: Process, root: str) -> int | None:
    """Bytes of the model's file, as the process sees it: relative to where it works, and below its own root."""
    told = asked_of(program_of(process.command), process.command, process.environ or {}).model
    paths = [told] if (told and "/" in told) or (told and told.endswith(".gguf")) else list(process.models[:1])
    tree = Tree(root)
    for path in paths:
        whole = path if path.startswith("/") else f"{(process.directory or '').rstrip('/')}/{path}"
        places = (f"/proc/{process.number}/root{whole}", whole)
        sizes = (status.st_size for place in places if tree.is_file(place) and (status := tree.status(place)) is not None)
        size = next(sizes, None)
        if size is not None and size < _MOST_MODEL:
            return size
    return None


def _has_no_runner(each: Judged) -> bool:
    return _family(each.process) is Family.OLLAMA and each.through is None and loaded(each.gathered.interfaces) is not None


def holders_elsewhere(snapshot: Snapshot) -> tuple[int, ...]:
    """Processes that a driver names and that are not here: another PID namespace's, or they have just ended."""
    return _elsewhere(snapshot.figures, snapshot.cut_cards, Tree())


def _elsewhere(figures: Sequence[Figure], cut_cards: Mapping[str, Sequence[User]], tree: Tree) -> tuple[int, ...]:
    users = {user.process for figure in figures for user in (figure.activity.users or () if figure.activity else ())}
    users |= {user.process for several in cut_cards.values() for user in several}
    return tuple(sorted(number for number in users if tree.status(f"/proc/{number}") is None))
