"""Processes as /proc shows them: what is one of interest, what is read of it, and what may not be read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gpuprobe.judging.figures import Activity, Figure, User
from gpuprobe.judging.held_memory import Held, holding
from gpuprobe.machine.control_groups import container_of, service_of, units_of
from gpuprobe.machine.known_programs import is_known
from gpuprobe.machine.process_records import DrmClient, Process
from gpuprobe.model import DeviceType, GiB, MiB
from gpuprobe.survey import bounded_child, process_logs
from gpuprobe.survey.kfd_processes import kfd_shares
from gpuprobe.survey.process_logs import HEAD, logs_of
from gpuprobe.survey.process_table import process_table
from tests.closing import closing_fails
from tests.file_trees import failing_once, machine
from tests.records import a_device
from tests.running_records import a_card, a_process

FIRST = "pid:[4026531836]"
BIN = "/opt/llama/bin"
LINE = "7f0000000000-7f0000001000 r-xp 00000000 08:01 1234 {}\n"
STATUS = "Name:\t{name}\nState:\tS (sleeping)\nPPid:\t1\nUid:\t1000\t1000\t1000\t1000\nGroups:\t44 1000\nVmRSS:\t  2048 kB\n"
CLIENT = "pos:\t0\ndrm-driver:\tamdgpu\ndrm-client-id:\t{id}\ndrm-pdev:\t0000:03:00.0\n{more}"


def proc(number: int, name: str, command: str, mapped: tuple[str, ...] = (), **more: str) -> dict[str, Any]:
    """The files of one process of a machine that is made up."""
    files = {
        "status": STATUS.format(name=name),
        "cmdline": "\0".join(command.split(" ")) + "\0" if command else "",
        "statm": "100000 5000 1 1 0 1 0",
        "maps": "".join(LINE.format(path) for path in mapped),
        "environ": "CUDA_VISIBLE_DEVICES=0\0SECRET=x\0OLLAMA_HOST=0.0.0.0\0",
        "cgroup": "0::/system.slice/llama.service\n",
        "stat": f"{number} ({name}) S " + " ".join(["0"] * 18) + " 12000 0",
        **more,
    }
    return {f"/proc/{number}/{file}": text for file, text in files.items()}


def a_machine(root: Path, *processes: dict[str, Any], links: dict[str, str] | None = None) -> str:
    whole = {path: text for each in processes for path, text in each.items()}
    machine(root, {"/proc/stat": "btime 1000\n", **whole}, links={"/proc/self/ns/pid": FIRST, **(links or {})})
    for process in {path.split("/")[2] for path in whole}:
        (root / "proc" / process / "fd").mkdir(exist_ok=True)
    return str(root)


def only(root: str, *asked: int) -> Process:
    (found,) = process_table(is_known, root, asked).found
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="by the links of /proc")
def test_a_process_whose_file_cannot_be_closed_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = a_machine(tmp_path, proc(10, "llama-server", "llama-server"), proc(11, "llama-server", "llama-server"))
    closing_fails(monkeypatch, "/proc/10/cmdline")

    assert [process.number for process in process_table(is_known, root).found] == [11]


def test_what_matters_is_read_of_a_process_and_nothing_else(tmp_path: Path) -> None:
    mapped = (f"{BIN}/libggml-base.so", f"{BIN}/libggml-cuda.so", "/lib/libc.so.6", "/models/a.gguf", "/dev/nvidia0")
    server = proc(42, "llama-server", f"{BIN}/llama-server -m /models/a.gguf", mapped)
    links = {"/proc/42/exe": f"{BIN}/llama-server", "/proc/42/cwd": "/srv"}
    root = a_machine(tmp_path, server, proc(43, "bash", "bash"), links=links)
    for name, target in (("0", "/dev/null"), ("1", "/var/log/x.log"), ("2", "/var/log/x.log"), ("7", "/dev/nvidia-uvm")):
        (tmp_path / "proc/42/fd" / name).symlink_to(target)

    found = only(root)

    assert (found.number, found.name, found.parent, found.user, found.groups) == (42, "llama-server", 1, 1000, (44, 1000))
    assert found.nodes == ("/dev/nvidia-uvm",)
    assert found.mapped is not None and f"{BIN}/libggml-cuda.so" in found.mapped
    assert found.models == ("/models/a.gguf",)
    assert found.environ == {"CUDA_VISIBLE_DEVICES": "0", "OLLAMA_HOST": "0.0.0.0"}
    assert (found.resident, found.started_at, found.outputs) == (2 * MiB, 1000 + 120.0, ("/var/log/x.log",))
    assert (found.program, found.directory) == (f"{BIN}/llama-server", "/srv")


@pytest.mark.parametrize(
    ("mapped", "matters"),
    [
        ((f"{BIN}/libggml-base.so.0",), True),
        (("/usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05",), True),
        (("/opt/rocm/lib/libamdhip64.so.7",), True),
        (("/venv/lib/python3.12/site-packages/torch/lib/libtorch_cpu.so",), True),
        (("/venv/lib/python3.12/site-packages/jaxlib/libjax_common.so",), True),
        (("/dev/kfd",), True),
        (("/usr/lib/libvulkan.so.1", "/usr/lib/libGL.so.1"), False),
        (("/usr/lib/libcudamonger.so",), False),
        ((), False),
    ],
)
def test_a_process_is_found_by_what_it_has_mapped(tmp_path: Path, mapped: tuple[str, ...], matters: bool) -> None:
    root = a_machine(tmp_path, proc(42, "x", "x", mapped))

    assert bool(process_table(is_known, root).found) is matters


@pytest.mark.parametrize("rubbish", ["²", "-1", "", "9" * 5000, "x"])
def test_what_is_no_number_is_not_known(tmp_path: Path, rubbish: str) -> None:
    status = f"Name:\tx\nState:\tS\nPPid:\t{rubbish}\nUid:\t0\t{rubbish}\t0\t0\nGroups:\t{rubbish} 44\nVmRSS:\t{rubbish} kB\n"
    files = proc(42, "x", "llama-server", status=status, stat="42 (x) S " + f"{rubbish} " * 20)
    found = only(a_machine(tmp_path, files))

    assert (found.parent, found.user, found.groups, found.resident, found.started_at) == (None, None, (44,), None, None)


def test_a_process_that_has_ended_or_is_a_zombie_is_none(tmp_path: Path) -> None:
    dead = proc(42, "x", "llama-server", status="Name:\tx\nState:\tZ (zombie)\n")

    table = process_table(is_known, a_machine(tmp_path, dead))

    assert (table.found, table.ended) == ((), (42,))


@pytest.mark.parametrize("file", ["cmdline", "statm", "maps"])
def test_a_process_that_could_not_be_read_is_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str) -> None:
    root = a_machine(tmp_path, proc(42, "x", "x", ("/dev/kfd",)))
    failing_once(monkeypatch, "open", f"{root}/proc/42/{file}")

    table = process_table(is_known, root)

    assert (table.found, table.failures) == ((), ("error: Too many open files",))


def test_a_number_that_was_asked_for_is_read_whatever_it_is_and_a_missing_one_is_said(tmp_path: Path) -> None:
    root = a_machine(tmp_path, proc(43, "bash", "bash"))

    table = process_table(is_known, root, (43, 99))

    assert ([each.number for each in table.found], table.missing) == ([43], (99,))


def test_what_was_passed_over_is_read_again_when_it_has_grown(tmp_path: Path) -> None:
    root, passed_over = a_machine(tmp_path, proc(42, "x", "x")), dict[int, tuple[bytes, bytes]]()
    assert process_table(is_known, root, passed_over=passed_over).found == ()
    (tmp_path / "proc/42/maps").write_text(LINE.format(f"{BIN}/libggml-base.so"))

    unchanged = process_table(is_known, root, passed_over=passed_over)
    (tmp_path / "proc/42/statm").write_text("100001 5000 1 1 0 1 0")
    grown = process_table(is_known, root, passed_over=passed_over)

    assert ([each.number for each in unchanged.found], [each.number for each in grown.found]) == ([], [42])


def test_gpuprobe_and_what_it_has_started_are_left_out(tmp_path: Path) -> None:
    mapped = (f"{BIN}/libggml-base.so",)
    child = proc(43, "python3", "python3", mapped, status=STATUS.format(name="python3").replace("PPid:\t1", "PPid:\t42"))
    root = a_machine(tmp_path, proc(42, "python3", "python3", mapped), child)

    assert process_table(is_known, root, own=42).found == ()


def test_a_library_that_was_replaced_is_known_by_its_mark(tmp_path: Path) -> None:
    root = a_machine(tmp_path, proc(42, "x", "llama-server", ("/usr/lib/libcuda.so.580.1 (deleted)",)))

    found = only(root)

    assert (found.replaced, found.mapped) == (("/usr/lib/libcuda.so.580.1",), ("/usr/lib/libcuda.so.580.1",))


def test_memory_of_each_handle_of_a_card_is_counted_once(tmp_path: Path) -> None:
    root = a_machine(tmp_path, proc(42, "x", "llama-server"))
    (tmp_path / "proc/42/fdinfo").mkdir()
    told = "drm-memory-vram:\t1024 KiB\ndrm-total-vram:\t4096 KiB\ndrm-memory-gtt:\t8 KiB\ndrm-engine-compute:\t500 ns\n"
    for name, number, more in (("5", 1, told), ("6", 1, told), ("7", 2, "drm-resident-vram0:\t2 MiB\n"), ("8", 3, "")):
        (tmp_path / "proc/42/fd" / name).symlink_to("/dev/dri/renderD128")
        (tmp_path / "proc/42/fdinfo" / name).write_text(CLIENT.format(id=number, more=more))

    assert only(root).clients == (
        DrmClient("0000:03:00.0", "amdgpu", 1024 * 1024, 8 * 1024, 500),
        DrmClient("0000:03:00.0", "amdgpu", 2 * MiB),
        DrmClient("0000:03:00.0", "amdgpu"),
    )


def test_kfd_counts_each_process_on_each_card(tmp_path: Path) -> None:
    node = "/sys/class/kfd/kfd/topology/nodes"
    files = {
        f"{node}/0/gpu_id": "0\n",
        f"{node}/1/gpu_id": "51110\n",
        f"{node}/1/properties": "location_id 768\ndomain 0\n",
        "/sys/class/kfd/kfd/proc/42/vram_51110": "5368709120\n",
        "/sys/class/kfd/kfd/proc/42/pasid": "1\n",
        "/sys/class/kfd/kfd/proc/43/vram_51110": "rubbish\n",
    }

    found = kfd_shares(machine(tmp_path, files))

    assert found is not None
    assert [(each.pci_id, each.size) for each in found[42]] == [("0000:03:00.0", 5 * GiB)]
    assert found[43][0].size is None
    assert kfd_shares(str(tmp_path / "nowhere")) is None


RADEON = a_device("ROCm", pci_id="0000:03:00.0", ordinal=0)


def test_two_tellers_of_one_card_count_the_same_memory() -> None:
    process = a_process(clients=(DrmClient("0000:03:00.0", "amdgpu", 4 * GiB),))
    kfd = {process.number: kfd_share(5 * GiB)}

    assert holding(process, [RADEON], (), kfd, same_numbers=True).held == (Held("ROCm:0", 5 * GiB, "KFD"),)
    assert holding(process, [RADEON], (), kfd, same_numbers=False).held == (Held("ROCm:0", 4 * GiB, "DRM fdinfo"),)


def kfd_share(size: int) -> tuple[Any, ...]:
    from gpuprobe.machine.process_records import Share

    return (Share("0000:03:00.0", size, "KFD"),)


def nvml(*users: User) -> tuple[Figure, ...]:
    return (Figure(a_card(), "NVML", "2026-11-21T09:00:00Z", activity=Activity(users=users)),)


def test_nvml_tells_also_of_a_process_that_it_leaves_out() -> None:
    process = a_process()

    own = holding(process, [a_card()], nvml(User(process.number, GiB)), None, same_numbers=True)
    other = holding(process, [a_card()], nvml(User(7, GiB)), None, same_numbers=True)
    untold = holding(process, [a_card()], nvml(User(7, None)), None, same_numbers=True)
    inside = holding(process, [a_card()], nvml(User(process.number, GiB)), None, same_numbers=False)

    assert own.held == (Held("CUDA:0", GiB, "NVML"),)
    assert [(each.held, each.counts("CUDA:0")) for each in (other, untold, inside)] == [((), True), ((), False), ((), False)]


def test_behind_windows_own_driver_nvml_names_no_process_and_that_says_nothing() -> None:
    process = a_process(nodes=("/dev/dxg",))

    assert not holding(process, [a_card()], nvml(), None, same_numbers=True).counts("CUDA:0")


def test_of_an_integrated_gpu_the_systems_memory_is_what_it_holds() -> None:
    client = DrmClient("0000:03:00.0", "amdgpu", 64 * MiB, 2 * GiB)
    own = RADEON._replace(type=DeviceType.INTEGRATED)

    shared = holding(a_process(clients=(client,)), [own], (), None, same_numbers=True)
    discrete = holding(a_process(clients=(client,)), [RADEON], (), None, same_numbers=True)

    assert (shared.size, discrete.size) == (2 * GiB + 64 * MiB, 64 * MiB)


@pytest.mark.parametrize(
    ("path", "kind", "name"),
    [
        ("/system.slice/docker-" + "ab" * 32 + ".scope", "docker", "ab" * 6),
        ("/docker/" + "cd" * 32, "docker", "cd" * 6),
        ("/machine.slice/libpod-" + "12" * 32 + ".scope/container", "podman", "12" * 6),
        ("/kubepods.slice/kubepods-pod1.slice/cri-containerd-" + "ef" * 32 + ".scope", "kubernetes", "ef" * 6),
        ("/kubepods/besteffort/pod1/" + "ef" * 32, "kubernetes", "ef" * 6),
        ("/lxc.payload.web/system.slice", "lxc", "web"),
    ],
)
def test_a_container_is_known_by_the_path_of_the_control_group(path: str, kind: str, name: str) -> None:
    found = container_of(f"0::{path}\n")

    assert found is not None and (found.kind, found.name) == (kind, name)


def test_a_service_of_that_name_is_no_container_and_is_known_as_a_unit() -> None:
    text = "12:devices:/system.slice/docker.service\n0::/system.slice/docker.service\n"

    assert container_of(text) is None
    assert units_of(text) == ("docker.service",)
    assert (container_of(None), container_of("rubbish"), units_of("")) == (None, None, ())


@pytest.mark.parametrize(
    "name", ["x; touch y.service", "$(touch y).service", "`touch y`.service", "--now.service", "a\nb.service"]
)
def test_a_control_group_that_no_unit_can_be_called_is_none(name: str) -> None:
    """Whoever may make control groups calls them what he likes, and the name would stand in a command for root."""
    text = f"0::/system.slice/ollama.service/{name}\n"

    assert units_of(text) == ("ollama.service",)
    assert service_of(text) == "ollama.service"


def test_of_a_long_log_the_beginning_and_the_end_are_read(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"first\n" + b"x" * (HEAD + (3 << 20)) + b"\nlast\n")
    root = a_machine(tmp_path / "m", proc(42, "x", "llama-server"))
    (tmp_path / "m/proc/42/fd/1").symlink_to(log)

    (found,) = logs_of(only(root), root)

    assert found.text is not None
    assert (found.text.startswith("first"), found.text.endswith("last\n"), len(found.text) < (2 << 20)) == (True, True, True)


JOURNALCTL = '#!/bin/sh\nfor word; do :; done\necho "$word: load_tensors: offloaded 33/33 layers to GPU"\n'


def test_what_a_service_wrote_is_asked_of_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "journalctl"
    program.write_text(JOURNALCTL)
    program.chmod(0o755)
    monkeypatch.setattr(bounded_child, "_JOURNALCTL", (str(program),))
    monkeypatch.setattr(process_logs, "_SYSTEMD", str(tmp_path))
    service = a_process(outputs=("socket:[77]",), control_group="0::/system.slice/ollama.service\n")

    (found,) = logs_of(service)

    assert (found.place, found.text) == ("the journal", f"_PID={service.number}: load_tensors: offloaded 33/33 layers to GPU\n")
    assert logs_of(service._replace(outputs=("/dev/null",))) == ()
    assert logs_of(service._replace(control_group="0::/\n")) == ()


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\nexec sleep 60\n", "rubbish"])
def test_a_journal_that_says_nothing_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    program = tmp_path / "journalctl"
    program.write_text(text)
    program.chmod(0o755)
    monkeypatch.setattr(bounded_child, "_JOURNALCTL", (str(program),))
    monkeypatch.setattr(process_logs, "_SYSTEMD", str(tmp_path))
    monkeypatch.setattr(process_logs, "_JOURNAL_SECONDS", 0.2)

    (found,) = logs_of(a_process(outputs=("socket:[77]",), control_group="0::/system.slice/ollama.service\n"))

    assert found.text is None and found.problem


def test_a_pipe_in_the_place_of_a_log_is_never_opened_for_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    root = a_machine(tmp_path / "m", proc(42, "x", "llama-server"))
    (tmp_path / "m/proc/42/fd/1").symlink_to(tmp_path / "pipe")

    (found,) = logs_of(only(root), root)

    assert (found.text, found.problem) == (None, "error: no ordinary file")
