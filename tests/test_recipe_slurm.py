"""The recipes for Slurm, by the real slurmctld, slurmd and munged on this host: what drains a node, refuses a job, chooses one.

The daemons run in the foreground on loopback, with a key, sockets and ports of their own, and are ended by their processes.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import engines
from tests.cli.terminal import REPOSITORY, Ran, piped

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="Slurm's daemons are run as root")

SECONDS = 30.0
FILES = ("/dev/null", "/dev/zero")  # in the place of those of GPUs
CONF = """
ClusterName=here
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
MpiDefault=none
GresTypes=gpu
HealthCheckProgram={folder}/health-check
HealthCheckInterval=3
HealthCheckNodeState=ANY
Prolog={folder}/prolog
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=100 Gres=gpu:2
PartitionName=gpu Nodes=n1 Default=YES State=UP
"""


class Cluster(NamedTuple):
    folder: Path
    environ: dict[str, str]

    def says(self, *words: str) -> Ran:
        return engines.ran(*words, environ=self.environ, seconds=SECONDS)

    @property
    def state(self) -> str:
        """ "idle|none": of the one node, with the reason that an administrator reads."""
        return self.says("sinfo", "--noheader", "--format", "%T|%E").out.strip()

    def waited(self, until: Callable[[str], bool]) -> str:
        deadline = time.monotonic() + SECONDS
        while not until(state := self.state) and time.monotonic() < deadline:
            time.sleep(0.1)
        return state

    def has(self, *cards: str) -> None:
        engines.a_machine(self.folder / "bin", *cards)

    def resumed(self) -> None:
        self.says("scontrol", "update", "nodename=n1", "state=resume")
        assert self.waited(lambda state: state.startswith("idle")).startswith("idle")


def free_ports(number: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    programs = {name: engines.of_system(name) for name in ("munged", "slurmctld", "slurmd", "sinfo", "scontrol", "srun")}
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    for name in ("health-check", "prolog", "features"):
        ours = f"export SLURM_CONF={folder}/slurm.conf\nPATH={folder}/bin"
        engines.recipe(f"slurm/{name}", folder, ("PATH=/opt/gpuprobe/bin", ours))
    controller, daemon = free_ports(2)
    conf = CONF.format(folder=folder, host=socket.gethostname(), controller=controller, daemon=daemon)
    (folder / "slurm.conf").write_text(conf)
    (folder / "gres.conf").write_text(
        "Name=gpu File=/dev/null Flags=nvidia_gpu_env\nName=gpu File=/dev/zero Flags=nvidia_gpu_env\n"
    )
    cluster = Cluster(
        folder, engines.with_gpuprobe(SLURM_CONF=str(folder / "slurm.conf"), PATH=f"{folder}/bin:{os.environ['PATH']}")
    )
    cluster.has(engines.an_h100(0), engines.an_h100(1))
    places = [f"--{what}={folder}/munge.{what}" for what in ("socket", "seed-file", "pid-file", "log-file")]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command in (
            [programs["munged"], "--foreground", "--force", f"--key-file={folder}/munge.key", *places],
            [programs["slurmctld"], "-D", "-f", folder / "slurm.conf"],
            [programs["slurmd"], "-D", "-f", folder / "slurm.conf", "-N", "n1"],
        ):
            with (folder / f"{Path(str(command[0])).name}.log").open("wb") as log:
                words = [str(word) for word in command]
                started.append(subprocess.Popen(words, env=cluster.environ, stdout=log, stderr=log, stdin=subprocess.DEVNULL))
            _wait_for(folder / "munge.socket")
        assert cluster.waited(lambda state: state.startswith("idle")).startswith("idle"), _logs(folder)
        yield cluster
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(SECONDS)


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)


def _logs(folder: Path) -> str:
    return "\n".join(path.read_text(errors="replace")[-1500:] for path in folder.glob("*.log"))


@pytest.fixture
def cluster(running: Cluster) -> Iterator[Cluster]:
    """A node with two cards, which is idle; what a test takes away is given back."""
    yield running
    running.has(engines.an_h100(0), engines.an_h100(1))
    running.resumed()


def test_a_node_whose_gpus_fail_is_drained_with_our_sentence_as_the_reason(cluster: Cluster) -> None:
    cluster.has()

    state, _, reason = cluster.waited(lambda state: "gpuprobe" in state).partition("|")
    assert state in ("drained", "draining")
    assert reason == "gpuprobe: requirement not met: 0 usable devices, 1 needed"


def test_a_healthy_node_is_left_alone(cluster: Cluster) -> None:
    time.sleep(3.5)  # a health check

    assert cluster.state == "idle|none"


def test_a_job_is_given_the_cards_it_asked_for_and_starts_where_these_work(cluster: Cluster) -> None:
    ran = cluster.says("srun", "--gpus", "1", "printenv", "CUDA_VISIBLE_DEVICES")

    assert (ran.code, ran.out.strip()) == (0, "0")


def test_the_prolog_refuses_a_job_whose_cards_do_not_all_work_and_the_reason_stays(cluster: Cluster) -> None:
    """One card is enough for the health check, and not for a job that is given two."""
    cluster.has(engines.an_h100(0))
    ran = cluster.says("srun", "--gpus", "2", "true")

    assert ran.code != 0
    assert "rolog fail" in ran.err
    assert "|gpuprobe: requirement not met: " in cluster.waited(lambda state: "gpuprobe" in state)


def test_srun_ends_with_gpuprobe_s_code(cluster: Cluster) -> None:
    assert cluster.says("srun", "gpuprobe", "list", "--require", "count>=2").code == 0
    assert cluster.says("srun", "gpuprobe", "list", "--require", "count>=3").code == 5


def test_a_job_can_ask_for_what_the_labels_say(cluster: Cluster) -> None:
    assert cluster.says("srun", str(cluster.folder / "features")).code == 0

    assert cluster.says("srun", "--constraint", "product.NVIDIA-H100-80GB-HBM3", "true").code == 0
    refused = cluster.says("srun", "--constraint", "product.NVIDIA-A100-SXM4-40GB", "true")
    assert "Invalid feature specification" in refused.err


def test_what_srun_leaves_in_files_is_a_fleet(cluster: Cluster) -> None:
    answers = cluster.folder / "answers"
    answers.mkdir()
    assert cluster.says("srun", "--output", f"{answers}/%N.json", "gpuprobe", "list", "--json").code == 0

    assert "2 of 2" in piped("fleet", str(answers)).out


def test_slurmd_takes_the_lines_that_env_writes_for_it(cluster: Cluster) -> None:
    """Of files that are there: this host has none of a GPU."""
    capture = REPOSITORY / "tests" / "scenarios" / "rocm-beside-integrated" / "capture.json"
    lines = piped("env", "--for", "slurm", "--from", str(capture)).out
    other = cluster.folder / "other"
    other.mkdir()
    here = lines.replace("/dev/dri/renderD128", "/dev/null").replace("/dev/dri/renderD129", "/dev/zero")
    (other / "gres.conf").write_text(here)
    (other / "slurm.conf").write_text((cluster.folder / "slurm.conf").read_text())
    ran = cluster.says("slurmd", "-G", "-N", "n1", "-f", str(other / "slurm.conf"))

    assert ran.out.count("Name=gpu") + ran.err.count("Name=gpu") == 2
    assert "File=/dev/zero" in ran.out + ran.err
