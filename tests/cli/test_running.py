"""`gpuprobe running` as installed, beside processes that look as if they ran models, and a double of NVIDIA's driver."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from tests.cli.documents import checked
from tests.cli.terminal import COMMAND, Ran, environment, on_terminal, piped
from tests.doubles import Variables, cuda_driver, described, nvml_driver
from tests.models import a_dense_model
from tests.running_doubles import Running
from tests.running_records import ALL, PRETENDED, SOME
from tests.watched import picture

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are read from /proc")

UUID = "GPU-00000000-0000-0000-0000-00000000000a"
GIB = 1 << 30
GGML, CUDA = "libggml-base.so", "libggml-cuda.so"
TORCH = "site-packages/torch/lib/libtorch_{}.so"
RUNNER = ("/usr/local/bin/ollama", "runner", "--model", "/m/blobs/sha256-" + "a" * 64, "--port", "40001")
SERVER = ("/opt/bin/llama-server", "serve", "-m", "/models/llama-8b.gguf")


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start another account's process")
# Root without the right to look into other accounts' processes: what an ordinary account is, where the checkout is root's own.
WITHOUT_THE_RIGHT = ("setpriv", "--bounding-set=-sys_ptrace,-perfmon,-dac_override,-dac_read_search", "--inh-caps=-all")


class Nvidia:
    """A machine with one NVIDIA card, whose NVML says what the test wants it to say of its processes."""

    def __init__(self, place: Path) -> None:
        (place / "cache").mkdir()
        self._nvml = place / "nvml"
        card = described(name="NVIDIA GeForce RTX 4090", uuid=UUID, pci="0000:01:00.0", memory=24 * GIB, free=20 * GIB)
        self._card = card
        (place / "cards").write_text(card)
        self.variables: Variables = {
            "LD_LIBRARY_PATH": f"{cuda_driver().parent}:{nvml_driver().parent}",
            "FAKE_CUDA": str(place / "cards"),
            "FAKE_NVML": str(self._nvml),
            "XDG_CACHE_HOME": str(place / "cache"),
            "OLLAMA_VULKAN": "0",
        }
        self.is_used_by()

    def is_used_by(self, *processes: tuple[int, int]) -> None:
        """(number, MiB) of each."""
        said = ",".join(f"{number}:{size}" for number, size in processes)
        self.says(f"processes={said or chr(34) * 2}")

    def has(self, *cards: str) -> None:
        """In the place of its card."""
        Path(str(self.variables["FAKE_CUDA"])).write_text("\n".join(cards))
        self.says_all(*cards)

    def says_all(self, *cards: str) -> None:
        self._nvml.write_text("\n".join(cards))

    def says(self, more: str) -> None:
        """NVML, of its card."""
        self._nvml.write_text(f"{self._card} {more}")

    def running(self, *arguments: str) -> dict[str, Any]:
        return checked("running", piped("running", "--json", *arguments, **self.variables).out)

    def of(self, number: int) -> Any:
        return next(each for each in self.running()["processes"] if each["pid"] == number)

    def of_server(self, number: int) -> Any:
        """Of one that is asked what it has loaded: again where this machine was too busy for it to answer within a second."""
        for _ in range(10):
            ran = self.shown("--json", str(number))
            (found,) = checked("running", ran.out)["processes"]
            if "no answer within" not in found["because"]:
                break
        return {**found, "code": ran.code}

    def shown(self, *arguments: str, **more: str) -> Ran:
        return piped("running", *arguments, **self.variables, **more)


@pytest.fixture
def nvidia(tmp_path: Path) -> Nvidia:
    (tmp_path / "machine").mkdir()
    return Nvidia(tmp_path / "machine")


def test_a_process_for_which_nvml_counts_memory_is_on_the_gpu(nvidia: Nvidia, tmp_path: Path) -> None:
    with Running(tmp_path / "a", SERVER, (GGML, CUDA), log=ALL) as server:
        nvidia.is_used_by((server.number, 5000))
        found = nvidia.of(server.number)

        assert (found["program"], found["verdict"]) == ("llama-server", "on_the_gpu")
        assert found["memory"] == [{"device": "CUDA:0", "bytes": 5000 << 20, "source": "NVML"}]
        assert found["layers"] == {"on_devices": 33, "of": 33, "source": "log"}
        assert found["model"]["name"] == "/models/llama-8b.gguf"
        assert [each["library"] for each in found["libraries"]] == ["CUDA"]
        assert [each["source"] for each in found["evidence"]][:3] == ["kernel", "driver", "maps"]
        assert piped("running", str(server.number), **nvidia.variables).code == 0


def test_some_layers_are_partly_on_it_and_the_rest_is_counted(nvidia: Nvidia, tmp_path: Path) -> None:
    with Running(tmp_path / "a", SERVER, (GGML, CUDA), log=SOME) as server:
        nvidia.is_used_by((server.number, 2000))
        ran = nvidia.shown(str(server.number))

        assert ran.code == 0
        because = "12 of 33 layers are on a GPU: it holds 2.0 GiB on CUDA:0 (NVML); the CPU computes the other 21"
        assert because in " ".join(ran.out.split())


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ("4096", "all 33 layers would fit now: they need 4.8 GiB on CUDA:0, and 22.0 GiB are free or its own"),
        ("262144", "all 33 layers need 36.6 GiB on CUDA:0, and 22.0 GiB are free or its own; a smaller context"),
    ],
)
def test_what_did_not_fit_is_worked_out_as_plan_does(nvidia: Nvidia, tmp_path: Path, context: str, said: str) -> None:
    command = (*SERVER[:3], a_dense_model(tmp_path), "-c", context, "-np", "1")
    with Running(tmp_path / "a", command, (GGML, CUDA), log=SOME) as server:
        nvidia.is_used_by((server.number, 2000))

        assert said in str(nvidia.of(server.number)["advice"])


def test_a_log_that_claims_every_layer_is_outweighed_by_the_driver(nvidia: Nvidia, tmp_path: Path) -> None:
    with Running(tmp_path / "a", SERVER, (GGML, CUDA), log=PRETENDED) as server:
        nvidia.is_used_by((1, 300))
        ran = nvidia.shown(str(server.number))

        assert ran.code == 5
        assert "all its buffers are the CPU's" in " ".join(ran.out.split())


CLAIMS = {"/api/ps": {"models": [{"name": "llama3.1:8b", "size": 6 * GIB, "size_vram": 6 * GIB}]}}


OLLAMA = ("/usr/local/bin/ollama", "serve")
SAYS_ALL = "it says that 100 % of llama3.1:8b are on a GPU"


def test_an_interface_that_claims_a_hundred_percent_while_nothing_is_held_is_on_the_cpu(nvidia: Nvidia, tmp_path: Path) -> None:
    with Running(tmp_path / "a", OLLAMA, answers=CLAIMS, environ={"CUDA_VISIBLE_DEVICES": "-1"}) as server:
        serve = nvidia.of_server(server.number)

        assert (serve["verdict"], serve["code"]) == ("on_the_cpu_although_a_gpu_is_usable", 5)
        assert serve["cause"] == "hidden_by_its_environment"
        assert serve["because"].startswith(f"{SAYS_ALL}, and neither it nor a process of its own holds anything there; ")
        place = f"http://127.0.0.1:{server.port}/api/ps"
        assert serve["evidence"][-1] == {"source": "interface", "where": place, "said": SAYS_ALL}
    torch, serving = (TORCH.format("cpu"), TORCH.format("cuda")), {"/v1/models": {"data": [{"id": "m"}]}}
    with Running(tmp_path / "b", ("VLLM::EngineCore", "serve"), torch, answers=serving) as own:
        found = nvidia.of(own.number)

        assert found["verdict"] == "on_the_cpu_although_a_gpu_is_usable"
        assert [each["said"] for each in found["evidence"] if each["source"] == "interface"] == ["it says that it serves m"]


def test_what_it_claims_is_true_of_what_another_process_of_its_own_holds(nvidia: Nvidia, tmp_path: Path) -> None:
    with Running(tmp_path / "a", OLLAMA, answers=CLAIMS, starts=RUNNER) as server:
        nvidia.is_used_by((server.started, 5000))

        assert (nvidia.of_server(server.number)["verdict"], nvidia.of_server(server.number)["through_pid"]) == (
            "on_the_gpu",
            server.started,
        )

        nvidia.is_used_by()

        assert nvidia.of_server(server.number)["verdict"] == "on_the_cpu_although_a_gpu_is_usable"


def test_a_server_without_a_model_is_not_judged(nvidia: Nvidia, tmp_path: Path) -> None:
    with Running(tmp_path / "a", OLLAMA, answers={"/api/ps": {"models": []}}) as server:
        found = nvidia.of_server(server.number)

        assert (found["verdict"], found["because"]) == ("cannot_tell", "no model is loaded now")


@pytest.mark.parametrize(
    ("said", "because"),
    [
        ("", "nobody counts what is held on each device"),
        ("processes=4194303:8000", "the driver names process 4194303, which cannot be seen here"),
    ],
)
def test_a_claim_is_not_judged_where_not_all_is_counted(nvidia: Nvidia, tmp_path: Path, said: str, because: str) -> None:
    with Running(tmp_path / "a", OLLAMA, answers=CLAIMS) as server:
        nvidia.says(said)
        found = nvidia.of_server(server.number)

        assert found["verdict"] == "cannot_tell"
        assert found["because"] == f"{SAYS_ALL}, and whether anything of it is there cannot be told: {because}"


@needs_root
def test_a_server_is_not_judged_where_what_it_has_open_may_not_be_read(nvidia: Nvidia, tmp_path: Path) -> None:
    with Running(tmp_path / "a", OLLAMA, answers=CLAIMS) as server:
        ran = apart(nvidia, "--mount", last=WITHOUT_THE_RIGHT, named=(str(server.number),))
        said = " ".join(ran.stdout.split())

        assert ran.returncode == 6
        assert f"{server.number} Ollama cannot tell it is account `root`'s, and what it has open cannot be read" in said


@needs_root
def test_a_claim_is_not_judged_in_a_pid_namespace(nvidia: Nvidia, tmp_path: Path) -> None:
    """Drivers count in other numbers, and a runner may be outside."""
    beside = (sys.executable, "-c", BESIDE_A_SERVER, str(Path(__file__).parents[2]), str(tmp_path / "a"), json.dumps(CLAIMS))
    said = " ".join(apart(nvidia, "--pid", "--fork", "--mount-proc", last=beside).stdout.split())

    assert f"{SAYS_ALL}, and whether anything of it is there cannot be told: only the processes of this container" in said


BESIDE_A_SERVER = """
import json, subprocess, sys
from pathlib import Path
root, place, answers, *command = sys.argv[1:]
sys.path.insert(0, root)
from tests.running_doubles import Running
with Running(Path(place), ("/usr/local/bin/ollama", "serve"), answers=json.loads(answers)):
    subprocess.run(command)
"""


def test_a_server_that_answers_rubbish_or_nothing_costs_nothing_but_its_answer(nvidia: Nvidia, tmp_path: Path) -> None:
    with Running(tmp_path / "a", ("/usr/local/bin/ollama", "serve"), answers={"/api/ps": ["\x1b[31m", 7]}) as server:
        found = nvidia.of(server.number)

        assert found["evidence"][-1]["said"] == "its answer is not a list of models"


def test_torch_for_the_cpu_and_torch_that_has_not_begun_are_told_apart(nvidia: Nvidia, tmp_path: Path) -> None:
    with (
        Running(tmp_path / "a", ("python3", "train.py"), (TORCH.format("cpu"),)) as cpu,
        Running(tmp_path / "b", ("python3", "train.py"), (TORCH.format("cpu"), TORCH.format("cuda"))) as cuda,
    ):
        first, second = nvidia.of(cpu.number), nvidia.of(cuda.number)

        assert (first["program"], first["cause"]) == ("Python with torch", "no_build")
        assert second["verdict"] == "on_the_cpu_although_a_gpu_is_usable"
        assert second["cause"] != "no_build"


def test_its_own_environment_is_what_hides_a_card_from_a_process(nvidia: Nvidia, tmp_path: Path) -> None:
    with Running(tmp_path / "a", SERVER, (GGML, CUDA), environ={"CUDA_VISIBLE_DEVICES": "-1", "SECRET": "hunter2"}) as server:
        found = nvidia.of(server.number)

        assert found["cause"] == "hidden_by_its_environment"
        assert "`CUDA_VISIBLE_DEVICES=-1`" in found["because"]
        assert "hunter2" not in json.dumps(found)


def test_a_process_that_the_driver_names_and_nobody_sees_is_said(nvidia: Nvidia, tmp_path: Path) -> None:
    with Running(tmp_path / "a", SERVER, (GGML, CUDA)):
        nvidia.is_used_by((4194303, 8000))

        assert any(
            "the driver names 1 process that cannot be seen here: 4194303" in each for each in nvidia.running()["warnings"]
        )


def test_two_at_once_have_a_row_each_and_a_name_chooses_one(nvidia: Nvidia, tmp_path: Path) -> None:
    with Running(tmp_path / "a", SERVER, (GGML, CUDA)) as one, Running(tmp_path / "b", SERVER, (GGML,)) as other:
        nvidia.is_used_by((one.number, 5000))
        verdicts = {each["pid"]: each["verdict"] for each in nvidia.running()["processes"]}

        assert (verdicts[one.number], verdicts[other.number]) == ("on_the_gpu", "on_the_cpu_although_a_gpu_is_usable")
        assert [each["pid"] for each in nvidia.running(str(other.number))["processes"]] == [other.number]
        assert nvidia.shown(str(one.number), str(other.number)).code == 5


SLICE = "MIG-7a3b0c2d-1111-5222-8333-44445555666{}"
OF_THE_CARD = "0000:01:00.0"


@pytest.mark.parametrize(("of_slices", "held_on"), [(("{}:5000", '""'), "CUDA:0"), ((None, None), OF_THE_CARD)])
def test_what_is_held_on_a_slice_is_told_of_it_or_of_its_card(
    nvidia: Nvidia, tmp_path: Path, of_slices: tuple[str | None, ...], held_on: str
) -> None:
    card = described(name="NVIDIA A100", uuid=UUID, pci=OF_THE_CARD, memory=40 * GIB, cc="8.0", mig=1)
    slices = [described("slice", name="A100 MIG 3g.20gb", uuid=SLICE.format(at), memory=20 * GIB) for at in (1, 2)]
    nvidia.has(card, *slices)
    with Running(tmp_path / "a", SERVER, (GGML, CUDA)) as server:
        said = [
            f"{line} processes={who.format(server.number)}" if who else line
            for line, who in zip(slices, of_slices, strict=True)
        ]
        nvidia.says_all(f"{card} processes={server.number}:5000", *said)
        found = nvidia.of(server.number)

        assert found["verdict"] == "on_the_gpu"
        assert found["memory"] == [{"device": held_on, "bytes": 5000 << 20, "source": "NVML"}]


def test_any_process_may_be_named_and_one_that_computes_nothing_is_not_on_a_gpu(nvidia: Nvidia) -> None:
    ran = nvidia.shown(str(os.getpid()))

    assert ran.code == 5
    assert "no device file of a GPU is open in it" in " ".join(ran.out.split())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("4194304",), "there is no process 4194304 here"),
        (("no-such-unit",), "no process that computes belongs to a unit `no-such-unit`"),
        (("no-such-unit",), "`systemctl status no-such-unit` says whether it runs"),
        (("a b",), "it takes process numbers and units of systemd"),
        (("0",), "it takes process numbers"),
        (("--from", "x.json"), "a capture holds no processes"),
        (("--watch", "x"), "--watch takes the seconds between two readings"),
    ],
)
def test_what_means_no_process_is_wrong_usage(nvidia: Nvidia, arguments: tuple[str, ...], complaint: str) -> None:
    ran = nvidia.shown(*arguments)

    assert (ran.code, ran.out) == (2, "")
    assert complaint in ran.err


def test_without_a_process_that_runs_models_it_says_so(nvidia: Nvidia) -> None:
    """In a namespace of its own, where nobody else's servers are."""
    ran = apart(nvidia, "--pid", "--fork", "--mount-proc")

    assert ran.returncode == 0
    assert ran.stdout.startswith("no process that runs models was found\n")
    assert "this is a container with processes of its own" in " ".join(ran.stdout.split())


def test_where_proc_is_empty_it_is_not_said_that_nothing_runs(nvidia: Nvidia) -> None:
    ran = apart(nvidia, "--mount", before="mount -t tmpfs none /proc &&")

    assert (ran.returncode, ran.stdout.splitlines()[0]) == (6, "no process can be seen: there is nothing in /proc")


def apart(
    nvidia: Nvidia, *unshared: str, before: str = "", last: tuple[str, ...] = (), named: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """`running` in namespaces of its own, behind `before`, a line for the shell."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no `unshare`")
    own = ["--map-root-user"] if os.geteuid() else []
    command = ["unshare", *own, *unshared, "sh", "-c", f'{before} exec "$@"', "sh", *last, *COMMAND, "running", *named]
    return subprocess.run(
        command, env=environment(**nvidia.variables), capture_output=True, text=True, check=False, timeout=60, cwd="/"
    )


def open_to_all(place: Path) -> None:
    """What another account runs has its files there."""
    for each in (place, *place.parents):
        status = each.stat()
        if status.st_mode & 0o055 == 0o055:
            return
        assert each.name.startswith(("test_", "popen-", "pytest-")), f"{each} is not ours to open"
        each.chmod(status.st_mode | 0o055)


@needs_root
def test_what_another_account_has_open_may_not_be_read_and_is_not_taken_for_nothing(nvidia: Nvidia, tmp_path: Path) -> None:
    open_to_all(tmp_path)
    with Running(tmp_path / "a", SERVER, (GGML, CUDA), account=4242) as server:
        ran = apart(nvidia, "--mount", last=WITHOUT_THE_RIGHT)
        said = " ".join(ran.stdout.split())

        assert f"{server.number} it is account `4242`'s, and what it has open cannot be read" in said
        assert "run gpuprobe where root has CAP_SYS_PTRACE" in said


ORDINARY = ("setpriv", "--reuid=4343", "--regid=4343", "--clear-groups")


@needs_root
def test_an_ordinary_account_counts_the_processes_that_it_may_not_look_into(nvidia: Nvidia, tmp_path: Path) -> None:
    open_to_all(tmp_path)
    reached = [*ORDINARY, sys.executable, "-c", "import gpuprobe"]
    if subprocess.run(reached, env=environment(), cwd="/", check=False, capture_output=True).returncode:
        pytest.skip("other accounts may not read this checkout")
    with (
        Running(tmp_path / "a", SERVER, (GGML, CUDA), account=4242) as known,
        Running(tmp_path / "b", ("python3", "train.py"), (TORCH.format("cpu"),), account=4242) as unknown,
    ):
        ran = apart(nvidia, "--mount", last=ORDINARY)
        said = " ".join(ran.stdout.split())

        assert f"{known.number} it is account `4242`'s" in said
        assert str(unknown.number) not in said
        assert re.search(r"note: \d+ processes of [^;]*4242[^;]* cannot be looked into; `sudo gpuprobe running` may", said)


@needs_root
def test_memory_that_nvml_counts_tells_also_of_another_accounts_process(nvidia: Nvidia, tmp_path: Path) -> None:
    open_to_all(tmp_path)
    with Running(tmp_path / "a", SERVER, (GGML, CUDA), account=4242) as server:
        nvidia.is_used_by((server.number, 5000))
        ran = apart(nvidia, "--mount", last=WITHOUT_THE_RIGHT)

        assert f"{server.number} it holds 4.9 GiB on CUDA:0 (NVML)" in " ".join(ran.stdout.split())


@needs_root
@pytest.mark.parametrize("hidepid", ["invisible", "noaccess"])
def test_under_hidepid_it_is_said_that_others_are_not_seen(nvidia: Nvidia, tmp_path: Path, hidepid: str) -> None:
    group = ("setpriv", "--regid=4242", "--clear-groups", *WITHOUT_THE_RIGHT[1:])
    open_to_all(tmp_path)
    with Running(tmp_path / "a", SERVER, (GGML, CUDA), account=4242) as server:
        ran = apart(nvidia, "--mount", before=f"mount -t proc -o hidepid={hidepid} proc /proc &&", last=group)

        assert "/proc is mounted with `hidepid`: processes of other accounts are not seen" in " ".join(ran.stdout.split())
        assert str(server.number) not in ran.stdout


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_nothing_is_wider_than_the_terminal(nvidia: Nvidia, tmp_path: Path, columns: int) -> None:
    model = "/models/" + "a-very-long-name-of-a-model-" * 4 + ".gguf"
    with Running(tmp_path / "a", (*SERVER[:3], model), (GGML, CUDA), log=SOME) as server:
        nvidia.is_used_by((server.number, 2000))
        for arguments in ((), ("-v",), (str(server.number),)):
            out = nvidia.shown(*arguments, COLUMNS=str(columns)).out

            assert str(server.number) in out
            # What is to be pasted is never broken: a word may be longer than a narrow terminal.
            wide = [line for line in out.splitlines() if cell_len(line) > columns]
            assert wide == []


def test_doctor_for_a_program_says_how_what_runs_of_it_computes(nvidia: Nvidia, tmp_path: Path) -> None:
    with Running(tmp_path / "a", SERVER, (GGML,)) as server:
        document = checked("doctor", piped("doctor", "--for", "llama-server", "--json", **nvidia.variables).out)
        (verdict,) = document["programs"]

        assert verdict["because"][-1].startswith(f"running now: llama-server ({server.number}) is on the CPU although a GPU")


def test_what_a_process_calls_itself_moves_no_terminal(nvidia: Nvidia, tmp_path: Path) -> None:
    hostile = "/models/\x1b[31m\n\x9b2J.gguf"
    with Running(tmp_path / "a", (*SERVER[:3], hostile), (GGML,)) as server:
        seen = on_terminal("running", "-v", str(server.number), **nvidia.variables)

        assert "\x1b[31m" not in seen.text and "\x9b" not in seen.text
        assert "\\x1b[31m" in "".join(seen.lines).replace(" ", "")


def test_a_watch_on_a_terminal_changes_in_its_place_and_q_ends_it(nvidia: Nvidia, tmp_path: Path) -> None:
    with Running(tmp_path / "a", SERVER, (GGML, CUDA)) as server:
        nvidia.is_used_by((server.number, 5000))
        with picture(watch=("running", "--watch", "0.1"), keys=True, **nvidia.variables) as screen:
            screen.wait(lambda text: f"{server.number} it holds 4.9 GiB" in text)
            nvidia.is_used_by((server.number, 9000))
            screen.wait(lambda text: f"{server.number} it holds 8.8 GiB" in text)
            screen.press("q")

            assert screen.ended() == 0


def test_a_watch_writes_a_document_a_line_and_ends_with_the_process_that_was_named(nvidia: Nvidia, tmp_path: Path) -> None:
    with Running(tmp_path / "a", SERVER, (GGML, CUDA)) as server:
        nvidia.is_used_by((server.number, 5000))
        command = [*COMMAND, "running", str(server.number), "--watch", "0.1", "--json"]
        with subprocess.Popen(
            command, env=environment(**nvidia.variables), stdout=subprocess.PIPE, text=True, cwd="/"
        ) as watch:
            assert watch.stdout is not None
            first, second = (checked("running", watch.stdout.readline()) for _ in range(2))
            server.process.kill()
            server.process.wait()
            *_, last = (checked("running", line) for line in watch.stdout)

    assert [each["processes"][0]["verdict"] for each in (first, second)] == ["on_the_gpu"] * 2
    assert (last["processes"], last["ended"]) == ([], [server.number])
    assert last["summary"]["text"] == f"process {server.number} ended while it was looked at"
