"""A machine's files where the system refuses to tell of them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpuprobe.facts import Reading
from gpuprobe.machine.unread import unread
from gpuprobe.probing.asking import binding_path
from gpuprobe.survey import elf
from gpuprobe.survey.host import read_host
from gpuprobe.survey.kernel_files import listing
from gpuprobe.survey.modules_on_disk import dkms_modules
from gpuprobe.survey.package_lists import package_lists
from gpuprobe.survey.tree import Tree
from gpuprobe.survey.unit_files import unit_named
from tests.closing import closing_fails
from tests.file_trees import RTX_4090, failing_once, machine


def test_a_path_behind_a_link_that_cannot_be_read_stays_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")

    def refused(*_: object, **__: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "readlink", refused)

    assert Tree().real_path(f"{tmp_path}/link") == f"{tmp_path}/link"


def test_links_that_lead_in_circles_on_python_s_path_hide_no_binding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    without = binding_path("pynvml")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}/loop")

    assert binding_path("pynvml") == without


PLACES = {
    "pci_problem": "/sys/bus/pci/devices",
    "drm_problem": "/sys/class/drm",
    "kfd_problem": "/sys/class/kfd/kfd/topology/nodes",
    "dev_problem": "/dev",
    "dri_problem": "/dev/dri",
}


@pytest.mark.parametrize("fact", PLACES)
def test_a_directory_that_could_not_be_listed_once_is_not_said_to_be_empty(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fact: str
) -> None:
    root = machine(tmp_path, {f"{place}/x": "" for place in PLACES.values()})
    failing_once(monkeypatch, "listdir", f"{root}{PLACES[fact]}")

    host = read_host(root, {}, "linux", "x86_64")

    assert {name: host.facts[name] for name in PLACES} == {**dict.fromkeys(PLACES), fact: "error: Too many open files"}


def test_a_function_whose_class_cannot_be_read_may_be_a_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = "/sys/bus/pci/devices/0000:01:00.0"
    root = machine(tmp_path, {f"{place}/class": "0x030000\n", f"{place}/vendor": "0x10de\n"})
    failing_once(monkeypatch, "open", f"{root}{place}/class")

    host = read_host(root, {}, "linux", "x86_64")

    assert (host.pci, host.facts["pci_problem"]) == ((), f"error: Too many open files at `{place}/class`")


@pytest.mark.parametrize(
    ("function", "path", "fact"),
    [
        ("open", "/sys/bus/pci/devices/0000:01:00.0/vendor", "pci_problem"),
        ("stat", "/dev/nvidia0", "dev_problem"),
        ("stat", "/dev/dri/renderD128", "dri_problem"),
        ("readlink", "/sys/class/drm/renderD128/device", "drm_problem"),
    ],
)
def test_what_may_be_a_card_and_could_not_be_read_is_not_left_out_in_silence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, function: str, path: str, fact: str
) -> None:
    off_the_bus = {"soc:gpu": {"driver": "msm", "drm": "renderD128"}}
    nodes = {"/dev/nvidia0": 0o666, "/dev/dri/renderD128": 0o666}
    root = machine(tmp_path, pci={"0000:01:00.0": RTX_4090}, nodes=nodes, off_the_bus=off_the_bus)
    failing_once(monkeypatch, function, f"{root}{path}")

    host = read_host(root, {}, "linux", "x86_64")

    assert host.facts[fact] == f"error: Too many open files at `{path}`"
    assert f"could not be read in full (error: Too many open files at `{path}`)" in unread(host)[0].sentence


def test_the_driver_of_a_card_is_said_by_two_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = machine(tmp_path, pci={"0000:01:00.0": {**RTX_4090, "uevent": "DRIVER=nvidia\nPCI_CLASS=30000\n"}})
    failing_once(monkeypatch, "readlink", f"{root}/sys/bus/pci/devices/0000:01:00.0/driver")

    (card,) = read_host(root, {}, "linux", "x86_64").pci

    assert card.driver == "nvidia"


def _kernel_listing(tree: Tree) -> str | None:
    return listing(tree, "/sys/bus/thunderbolt/devices").problem


def _packages(tree: Tree) -> str | None:
    return package_lists(tree)[1]["pacman"]


def _dkms(tree: Tree) -> str | None:
    return "error: Too many open files" if dkms_modules(tree) is None else None


def test_what_closing_says_of_a_file_that_was_read_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    closing_fails(monkeypatch, "/file")

    assert Tree().read(f"{tmp_path}/file") == Reading("content")


@pytest.mark.parametrize("read", [_kernel_listing, _packages, _dkms])
def test_what_could_not_be_listed_once_is_not_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, read: Callable[[Tree], object]
) -> None:
    places = ("/sys/bus/thunderbolt/devices/x", "/var/lib/pacman/local/x", "/var/lib/dkms/x")
    tree = Tree(machine(tmp_path, dict.fromkeys(places, "")))
    for place in places:
        failing_once(monkeypatch, "listdir", tree.at(place.rpartition("/")[0]))
    failing_once(monkeypatch, "scandir", tree.at("/var/lib/dkms"))

    assert read(tree) == "error: Too many open files"


def _links(tree: Tree, path: str) -> object:
    try:
        return elf.links(tree, path)
    except ValueError as problem:
        return str(problem)


def _environment_file(tree: Tree, path: str) -> object:
    """What a unit names, which may be its account's."""
    found = unit_named(tree, "ollama")
    return None if found is None else found.environment_files[path].problem


READERS = [
    lambda tree, path: tree.read(path).problem,
    _links,
    _environment_file,
]


@pytest.mark.parametrize("read", READERS)
def test_a_pipe_is_looked_at_and_not_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, read: Callable[[Tree, str], object]
) -> None:
    """Its opening lets a writer go on who waits for a reader, and closing it again ends that writer."""
    unit = "/etc/systemd/system/ollama.service"
    tree = Tree(machine(tmp_path, {unit: "[Service]\nEnvironmentFile=/proc/9/fd/1\n", "/proc/9/fd/0": ""}))
    os.mkfifo(tree.at("/proc/9/fd/1"))
    opened: list[object] = []
    real = os.open

    def recorded(path: str, flags: int, **more: Any) -> int:
        opened.append(path)
        return real(path, flags, **more)

    monkeypatch.setattr(os, "open", recorded)

    said = read(tree, "/proc/9/fd/1")

    assert "no ordinary file" in str(said)
    assert [path for path in opened if str(path).endswith("fd/1")] == []


@pytest.mark.parametrize("path", ["/proc/self/fd/{}", "{}"])
def test_what_a_process_has_open_is_looked_at_on_this_machine_too(tmp_path: Path, path: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    holder = os.open(pipe, os.O_RDWR)
    try:
        assert "no ordinary file" in str(Tree().read(path.format(holder if "self" in path else pipe)).problem)
        assert Tree().read("/proc/self/status").text
    finally:
        os.close(holder)
