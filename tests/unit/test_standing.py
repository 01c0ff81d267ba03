"""How other processes, services and accounts stand: what is read of them, and what is denied."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gpuprobe.facts.system_facts import Standing
from gpuprobe.survey.command_lines import about_gpus
from gpuprobe.survey.seen_as import root_of, seen_as
from gpuprobe.survey.standing import daemons, process, servers
from gpuprobe.survey.tree import Tree
from tests.file_trees import Content, failing_once, machine

STATUS = (
    "Name:\tollama\nUmask:\t0022\nUid:\t998\t998\t998\t998\nGid:\t998\t998\t998\t998\nGroups:\t44 998 \n"
    "CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n"
)
SERVER: dict[str, Content] = {
    "/etc/passwd": "ollama:x:998:998::/usr/share/ollama:/bin/false\nalice:x:1000:1000::/home/alice:/bin/sh\n",
    "/etc/group": "render:x:992:alice\nvideo:x:44:ollama\n",
    "/proc/77/comm": "ollama\n",
    "/proc/77/status": STATUS,
    "/proc/77/cmdline": "/usr/local/bin/ollama\0serve\0",
    "/proc/77/environ": "PATH=/usr/bin\0CUDA_VISIBLE_DEVICES=\0OLLAMA_LLM_LIBRARY=cuda\0SECRET=1\0LANG=C\0",
    "/proc/77/cgroup": "0::/system.slice/ollama.service\n",
    "/proc/77/maps": (
        "7f1-7f2 r-xp 00000000 08:01 9 /usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05 (deleted)\n"
        "7f3-7f4 r-xp 00000000 08:01 9 /usr/lib/x86_64-linux-gnu/libc.so.6\n"
        "7f5-7f6 r-xp 00000000 08:01 9 /usr/local/lib/ollama/cuda_v13/libggml-cuda.so\n"
    ),
    "/proc/77/limits": "Limit   Soft Limit  Hard Limit Units\nMax locked memory         8388608     8388608    bytes\n",
    "/proc/9/comm": "bash\n",
}
LINKS = {
    "/proc/77/exe": "/usr/local/bin/ollama",
    "/proc/77/root": "/",
    "/proc/77/fd/3": "/dev/nvidiactl",
    "/proc/77/fd/4": "socket:[1]",
}


def test_a_running_server_is_found_with_what_decides_about_gpus(tmp_path: Path) -> None:
    found = servers(Tree(machine(tmp_path, SERVER, links=LINKS)))

    assert [each.process for each in found] == [77]
    server = found[0]
    assert (server.command, server.program, server.arguments) == ("ollama", "/usr/local/bin/ollama", ("serve",))
    assert (server.account, server.uid, server.groups) == ("ollama", 998, (44, 998))
    assert server.environ == {"CUDA_VISIBLE_DEVICES": "", "OLLAMA_LLM_LIBRARY": "cuda"}
    assert (server.unit, server.root, server.no_new_privileges, server.seccomp) == ("ollama.service", "/", True, 2)
    assert server.nodes == ("/dev/nvidiactl",)
    assert server.limits == {"Max locked memory": "8388608"}


def test_of_what_it_has_mapped_the_libraries_of_gpus_are_kept_with_their_being_replaced(tmp_path: Path) -> None:
    assert process(Tree(machine(tmp_path, SERVER, links=LINKS)), 77).libraries == (
        "/usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05 (deleted)",
        "/usr/local/lib/ollama/cuda_v13/libggml-cuda.so",
    )


@pytest.mark.parametrize(
    ("comm", "cmdline", "serves"),
    [
        ("llama-server", "llama-server", True),
        ("VLLM::EngineCor", "VLLM::EngineCore", True),
        ("python3", "python3\0-m\0vllm.entrypoints.openai.api_server", True),
        ("python3", "python3\0/usr/bin/unattended-upgrade", False),
        ("ollama-watcher", "x", False),
    ],
)
def test_servers_are_known_by_their_names(tmp_path: Path, comm: str, cmdline: str, serves: bool) -> None:
    files: dict[str, Content] = {"/proc/5/comm": comm, "/proc/5/cmdline": cmdline, "/proc/5/status": STATUS}

    assert bool(servers(Tree(machine(tmp_path, files)))) is serves


def test_helpers_of_drivers_are_found_by_the_kernel_s_short_names(tmp_path: Path) -> None:
    files: dict[str, Content] = {"/proc/5/comm": "nv-fabricmanage\n", "/proc/6/comm": "nvidia-persiste\n"}

    assert daemons(Tree(machine(tmp_path, files))) == {"nv-fabricmanager": 5, "nvidia-persistenced": 6}


def test_what_a_process_shows_to_nobody_is_named_and_not_taken_for_empty(tmp_path: Path) -> None:
    files = {path: text for path, text in SERVER.items() if not path.endswith(("environ", "maps"))}
    root = machine(tmp_path, files, links=LINKS)
    (tmp_path / "proc/77/environ").mkdir()

    found = process(Tree(root), 77)

    assert (found.environ, found.libraries) == (None, None)
    assert found.problems["environ"].startswith("error")
    assert found.problems["libraries"] == "absent"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another account")
def test_the_environment_of_another_account_s_process_is_denied() -> None:
    program = (
        "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "from gpuprobe.survey.standing import process\nfrom gpuprobe.survey.tree import Tree\n"
        "print(process(Tree(), int(sys.argv[1])).problems)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", f"from gpuprobe.survey import standing, seen_as\n{program}", str(os.getpid())],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "'environ': 'denied'" in said.stdout
    assert "'root': 'denied'" in said.stdout


def test_this_process_stands_as_it_does() -> None:
    found = seen_as(str(os.getpid()))

    assert found is not None
    assert (found.kind, found.uid, found.root) == ("process", os.geteuid(), "/")


def test_a_unit_that_runs_stands_as_its_process_does(tmp_path: Path) -> None:
    files = {**SERVER, "/etc/systemd/system/ollama.service": "[Service]\nUser=ollama\n"}
    files["/sys/fs/cgroup/system.slice/ollama.service/cgroup.procs"] = "77\n"

    found = seen_as("ollama.service", machine(tmp_path, files, links=LINKS))

    assert found is not None
    assert (found.kind, found.name, found.process, found.groups) == ("unit", "ollama.service", 77, (44, 998))


def test_a_unit_that_does_not_run_stands_as_its_files_say(tmp_path: Path) -> None:
    files: dict[str, Content] = {
        "/etc/passwd": SERVER["/etc/passwd"],
        "/etc/group": SERVER["/etc/group"],
        "/etc/systemd/system/ollama.service": "[Service]\nUser=ollama\nExecStart=/usr/bin/ollama serve\n",
        "/etc/systemd/system/ollama.service.d/x.conf": (
            "[Service]\nSupplementaryGroups=render\nEnvironment=HIP_VISIBLE_DEVICES=1\n"
        ),
    }

    found = seen_as("ollama", machine(tmp_path, files))

    assert found is not None
    assert (found.kind, found.account, found.process) == ("unit", "ollama", None)
    assert found.groups == (44, 992, 998)
    assert found.environ == {"HIP_VISIBLE_DEVICES": "1"}
    assert found.problems["libraries"] == "absent"


def test_an_account_stands_as_it_would_after_a_login(tmp_path: Path) -> None:
    found = seen_as("alice", machine(tmp_path, SERVER))

    assert found is not None
    assert (found.kind, found.uid, found.groups, found.environ) == ("account", 1000, (992, 1000), None)


@pytest.mark.parametrize("wanted", ["nobody-here", "99999", "", "../etc/passwd", "a b", "x" * 5000, "uid:²", "uid:ollama"])
def test_what_is_neither_process_unit_nor_account_is_nobody(tmp_path: Path, wanted: str) -> None:
    assert seen_as(wanted, machine(tmp_path, SERVER)) is None


def test_a_process_that_is_gone_is_absent(tmp_path: Path) -> None:
    assert process(Tree(machine(tmp_path)), 5) == Standing("process", "5", problems={"process": "absent"})


def test_of_a_command_line_only_options_about_gpus_stay() -> None:
    words = [
        "serve",
        "-m",
        "/data/acme.gguf",
        "--api-key",
        "sk-secret1",
        "-ngl",
        "99",
        "--device",
        "CUDA0,CUDA1",
        "--host",
        "0.0.0.0",
        "--main-gpu=1",
        "-fa",
    ]

    assert about_gpus(words) == ("serve", "-ngl", "99", "--device", "CUDA0,CUDA1", "--main-gpu=1", "-fa")


def test_a_number_below_nothing_is_a_value_and_an_option_is_none() -> None:
    assert about_gpus(["-ngl", "-1", "-c", "--api-key", "x"]) == ("-ngl", "-1", "-c")


def test_variables_of_the_files_that_a_unit_names_count_above_its_own(tmp_path: Path) -> None:
    files: dict[str, Content] = {
        "/etc/systemd/system/ollama.service": (
            "[Service]\nEnvironment=CUDA_VISIBLE_DEVICES=0\nEnvironmentFile=-/etc/default/ollama\nEnvironmentFile=/etc/%N\n"
        ),
        "/etc/default/ollama": "# x\nCUDA_VISIBLE_DEVICES='1'\nAPI_KEY=secret\n",
        "/etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    }

    found = seen_as("ollama", machine(tmp_path, files))

    assert found is not None
    assert found.environ == {"CUDA_VISIBLE_DEVICES": "1"}


@pytest.mark.parametrize(("function", "path"), [("open", "/proc/5/comm"), ("listdir", "/proc")])
def test_a_helper_that_could_not_be_looked_for_is_not_said_to_be_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, function: str, path: str
) -> None:
    tree = Tree(machine(tmp_path, {"/proc/5/comm": "nv-fabricmanage\n"}))
    failing_once(monkeypatch, function, tree.at(path))

    assert daemons(tree) is None


def test_in_a_container_nobody_knows_which_helpers_the_machine_runs(tmp_path: Path) -> None:
    root = machine(tmp_path, {"/proc/5/comm": "dockerd\n"}, links={"/proc/self/ns/pid": "pid:[4026532000]"})

    assert daemons(Tree(root)) is None


def test_a_unit_of_one_s_own_account_stands_as_that_account(tmp_path: Path) -> None:
    files: dict[str, Content] = {
        "/etc/passwd": f"alice:x:{os.geteuid()}:1000::/home/alice:/bin/sh\n",
        "/home/alice/.config/systemd/user/llama.service": "[Service]\nEnvironment=LLAMA_ARG_N_GPU_LAYERS=0\n",
    }

    found = seen_as("llama", machine(tmp_path, files))

    assert found is not None
    assert (found.kind, found.account, found.environ) == ("unit", "alice", {"LLAMA_ARG_N_GPU_LAYERS": "0"})


def test_the_files_of_a_process_beside_this_one_are_the_same() -> None:
    found = seen_as(str(os.getpid()))

    assert found is not None
    assert root_of(found) == "/"


def test_the_files_of_a_process_in_a_container_lie_below_its_root() -> None:
    with subprocess.Popen(["unshare", "-rm", "sleep", "60"], stderr=subprocess.PIPE) as child:
        place = None
        for _ in range(100):
            found = seen_as(str(child.pid))
            place = root_of(found) if found is not None else None
            if place not in ("/", None) or child.poll() is not None:
                break
            time.sleep(0.05)
        ended = child.poll() is not None
        child.kill()
    if ended:
        pytest.skip("no namespace may be made here")

    assert place == f"/proc/{child.pid}/root"


def test_the_files_of_a_process_whose_root_is_closed_to_us_are_not_known(tmp_path: Path) -> None:
    standing = Standing("process", "77", 77, namespaces={"mnt": "mnt:[2]"})

    assert root_of(standing, machine(tmp_path, links={"/proc/self/ns/mnt": "mnt:[1]"})) is None
