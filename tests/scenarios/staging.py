"""How a scenario's machine is staged: its files lie below a temporary root, doubles stand for its drivers, and the real
survey and the real children look at both. What comes out is evidence that shows nothing of the machine it was made on.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from gpuprobe.backends import calling
from gpuprobe.discovery import gather, replay
from gpuprobe.facts import DeviceNode, Host
from gpuprobe.judging.belonging import installed
from gpuprobe.libraries import AMDGPU, CUDA, LEVEL_ZERO, LIBRARIES, NVML, ROCM, VULKAN, Library
from gpuprobe.machine.mode_bits import may_open
from gpuprobe.model import Call, Evidence, Outcome, Probe, Purpose, Request, Status, ValidationScope
from gpuprobe.probing.needs import vendor_cards
from gpuprobe.probing.questions import not_asked
from gpuprobe.survey.host import read_host
from gpuprobe.wire import from_json, to_json
from tests.doubles import BINDINGS, DRIVERS, compile_double, cublas, cuda_driver, nvml_driver, rocm_install
from tests.file_trees import Function, machine

ASKED_AT = "2026-11-21T09:00:00Z"
USER, RENDER = 1000, 992
EVERYTHING = Request(validate=ValidationScope.ALL, allow_software=True)


class Node(NamedTuple):
    """A device node as `ls -l` shows it: mode, group (the owner is root), and its two numbers."""

    mode: int
    group: int
    major: int
    minor: int


class Driver(NamedTuple):
    """A Vulkan driver: the name in its manifest, and the script it acts by; without one it is the machine's real Mesa."""

    library: str
    script: str | None = None


class Staged(NamedTuple):
    """What a machine consists of. `installed`: the name by which a library is loaded → its file, both in `folder`."""

    files: Mapping[str, str | bytes]
    pci: Mapping[str, Function] = {}
    nodes: Mapping[str, Node] = {}
    installed: Mapping[str, str] = {}
    manifests: Mapping[str, Driver] = {}  # by file name, in the order of the loader
    cuda: str = ""
    nvml: str = ""
    hip: str = ""
    rocblas: str = ""
    amdgpu: str = ""
    environ: Mapping[str, str] = {}
    groups: tuple[int, ...] = (44, RENDER, USER)
    machine: str = "x86_64"
    folder: str = "/usr/lib/x86_64-linux-gnu"
    limit: float = 30.0  # seconds per child, shown as 30 whatever it is
    proved: bool = False  # the capture holds the whole ladder too; each cuBLAS among the files is then the double


def evidence_of(staged: Staged) -> Evidence:
    """Surveys and asks the staged machine; paths, users, times and process ids are those of the story."""
    with tempfile.TemporaryDirectory(prefix="gpuprobe-stage-") as place:
        root, drivers = Path(place, "root"), Path(place, "drivers")
        host = _survey(staged, root)
        _install_doubles(staged, drivers)
        with _environment(staged, root, drivers):
            asked = _asked(_with_real_toolkits(_with_real_manifests(host, root), root, staged), staged)
        outcomes = tuple(steady(outcome) for outcome in asked)
        evidence = Evidence(host, outcomes, ASKED_AT)
        places = {str(drivers): staged.folder, f"{root}/": "/", str(BINDINGS): "/usr/lib/python3/dist-packages"}
        told = _without_stage(evidence, places, staged)
    proofs = tuple(outcome for outcome in told.outcomes if outcome.probe.purpose is Purpose.PROVE)
    known = replay(told, EVERYTHING)
    return known._replace(outcomes=(*known.outcomes, *proofs))


def _survey(staged: Staged, root: Path) -> Host:
    links = {f"{staged.folder}/{name}": file for name, file in staged.installed.items() if name != file}
    files = {f"{staged.folder}/{file}": "" for file in staged.installed.values()}
    manifests = {f"/usr/share/vulkan/icd.d/{name}": _manifest(driver) for name, driver in staged.manifests.items()}
    modes = {path: node.mode for path, node in staged.nodes.items()}
    read = read_host(
        machine(root, files={**staged.files, **files, **manifests}, pci=staged.pci, nodes=modes, links=links),
        environ=staged.environ,
        platform="linux",
        machine=staged.machine,
    )
    nodes = tuple(_owned(node, staged) for node in read.nodes)
    return read._replace(uid=USER, gids=staged.groups, cpus_allowed=None, nodes=nodes)


def _manifest(driver: Driver) -> str:
    return json.dumps({"ICD": {"api_version": "1.3.230", "library_path": driver.library}, "file_format_version": "1.0.0"})


def _owned(node: DeviceNode, staged: Staged) -> DeviceNode:
    mode, group, major, minor = staged.nodes[node.path]
    accessible = may_open(mode, 0, group, USER, staged.groups)
    return node._replace(uid=0, gid=group, major=major, minor=minor, accessible=accessible)


def _install_doubles(staged: Staged, drivers: Path) -> None:
    drivers.mkdir()
    doubles: dict[str, Callable[[], Path]] = {
        "libcuda.so.1": cuda_driver,
        "libnvidia-ml.so.1": nvml_driver,
        "libamdhip64.so.6": rocm_install,
        "librocblas.so.4": lambda: rocm_install().with_name("librocblas.so.4"),
    }
    for name in doubles.keys() & staged.installed.keys():
        shutil.copy(doubles[name](), drivers / staged.installed[name])
        if staged.installed[name] != name:
            (drivers / name).symlink_to(staged.installed[name])
    for driver in staged.manifests.values():
        if driver.script is not None:
            compile_double(DRIVERS / "fake_vulkan_icd.c", drivers, driver.library)
            (drivers / f"{driver.library}.script").write_text(driver.script)


def _with_real_manifests(host: Host, root: Path) -> Host:
    """A child is told the path at which the manifest really lies."""
    return host._replace(manifests=tuple(each._replace(path=f"{root}{each.path}") for each in host.manifests))


def _with_real_toolkits(host: Host, root: Path, staged: Staged) -> Host:
    """Likewise that of cuBLAS, whose file becomes the double."""
    if not staged.proved:
        return host
    found = [each for each in host.software or () if each.name == CUDA.blas]
    for each in found:
        shutil.copy(cublas(f"VERSION={(each.release or '12').split('.')[0]}0002"), f"{root}{each.path}")
    return host._replace(software=tuple(each._replace(path=f"{root}{each.path}") for each in found))


@contextmanager
def _environment(staged: Staged, root: Path, drivers: Path) -> Iterator[None]:
    manifests = [f"{root}/usr/share/vulkan/icd.d/{name}" for name in sorted(staged.manifests)]
    before = dict(os.environ)
    # Mesa's own layer puts the devices in an order that depends on the display.
    chosen = {"VK_DRIVER_FILES": ":".join(manifests) or f"{root}/none.json", "NODEVICE_SELECT": "1"}
    doubles = {"LD_LIBRARY_PATH": str(drivers), "FAKE_CUDA": staged.cuda, "FAKE_NVML": staged.nvml}
    doubles |= {"FAKE_HIP": staged.hip, "FAKE_ROCBLAS": staged.rocblas, "FAKE_AMDGPU": staged.amdgpu}
    sys.path.insert(0, str(BINDINGS))  # where the parent finds the bindings
    os.environ.clear()
    os.environ.update({"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **chosen, **doubles, **staged.environ})
    try:
        yield
    finally:
        sys.path.remove(str(BINDINGS))
        os.environ.clear()
        os.environ.update(before)


def _asked(host: Host, staged: Staged) -> tuple[Outcome, ...]:
    """The answers of everything that is installed there; of the rest, the loader's words (this machine may have it)."""
    askable = [library for library in LIBRARIES if library in (CUDA, ROCM, LEVEL_ZERO, VULKAN, NVML, AMDGPU)]
    there = tuple(library.name for library in askable if installed(library, host) or _is_a_binding_alone(library, host))
    request = EVERYTHING._replace(libraries=there, seconds=staged.limit)
    evidence = gather(host, request) if there else None
    if evidence is not None and staged.proved:
        evidence = gather(host, request._replace(validate=ValidationScope.PROVED), known=evidence)
    gathered = evidence.outcomes if evidence is not None else ()
    missing = [library for library in askable if library.name not in there and vendor_cards(library, host)]
    answers = {outcome.probe: outcome for outcome in (*not_asked(host, EVERYTHING), *gathered, *map(not_found, missing))}
    return tuple(answers.values())


def _is_a_binding_alone(library: Library, host: Host) -> bool:
    return library.sonames["linux"] == () and vendor_cards(library, host) != ()


def not_found(library: Library) -> Outcome:
    """What a child says where a card needs this library and it is not installed."""
    name, elsewhere = library.sonames["linux"][0], "libthat-is-installed-nowhere.so.1"
    try:
        calling.load([elsewhere])
    except calling.Failed as failed:
        return Outcome(
            Probe(library.name, Purpose.LIST),
            status=Status.NOT_LOADABLE,
            calls=(Call(f"load {name}", None),),
            seconds=0.05,
            exit_code=0,
            message=failed.message.replace(elsewhere, name),
            failure=failed.status,
        )
    raise AssertionError(f"`{elsewhere}` was loaded")


def steady(outcome: Outcome) -> Outcome:
    """Times that do not change from one staging to the next: every step takes 10 ms, a child its steps and 40 ms."""
    if outcome.seconds is None:
        return outcome
    calls = tuple(step if step.seconds is None else Call(step.name, 0.01) for step in outcome.calls)
    late = outcome.status is Status.TIMED_OUT
    message = re.sub("within [0-9.]+ s", "within 30 s", outcome.message) if outcome.message else None
    seconds = 30.2 if late else round(0.04 + 0.01 * len(calls), 2)
    return _steady_climb(outcome._replace(calls=calls, seconds=seconds, message=message))


_RATES = {"to_device": 24_900_000_000, "from_device": 26_100_000_000, "on_device": 455_000_000_000}


def _steady_climb(outcome: Outcome) -> Outcome:
    """What is drawn afresh or measured each time, as it was in the story."""
    fixed = {f"{way}_bytes_per_second": rate for way, rate in _RATES.items()}
    fixed |= {f"{way}_copied_bytes": rate // 50 for way, rate in _RATES.items()}
    stages = tuple(
        rung._replace(
            seconds=None if rung.seconds is None else 0.02,
            figures={name: fixed.get(name, value) for name, value in rung.figures.items()},
        )
        for rung in outcome.stages
    )
    elements = {"expected": 2_426_764_176, "found": 2_427_812_752}
    first = [{**each, **elements} for each in outcome.wrong.get("first", [])]
    drawn = re.compile(r"\d+ was expected and \d+ found")
    message = drawn.sub("2426764176 was expected and 2427812752 found", outcome.message) if first and outcome.message else None
    wrong = {**outcome.wrong, "first": first} if first else {}
    return outcome._replace(stages=stages, wrong=wrong, message=message or outcome.message)


def _without_stage(evidence: Evidence, places: Mapping[str, str], staged: Staged) -> Evidence:
    """The evidence with the stage's paths replaced by those of the story, wherever they stand."""
    text = json.dumps(to_json(evidence))
    for place, path in places.items():
        text = text.replace(place, path)
    if staged.machine == "aarch64":
        text = text.replace("/x86_64-linux-gnu/", "/aarch64-linux-gnu/")
    told: Any = json.loads(text)
    read: Evidence = from_json(Evidence, told)
    return read
