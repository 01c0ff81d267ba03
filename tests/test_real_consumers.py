"""Under what `env --for` writes, real programs use just the chosen devices: llama-server, Ray, torch and Docker's command."""

from __future__ import annotations

import http.server
import json
import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests import engines, ggml_world
from tests.cli import machines
from tests.cli.machines import captured
from tests.cli.terminal import REPOSITORY, piped
from tests.doubles import cuda_driver, described, nvml_driver, script
from tests.vulkan_world import world

A, B = (f"GPU-00000000-0000-0000-0000-00000000000{letter}" for letter in "ab")
CARDS = [
    described(name="NVIDIA H100 80GB HBM3", uuid=uuid, pci=f"0000:0{number}:00.0", memory=80 << 30, free=70 << 30)
    for number, uuid in enumerate((A, B), 1)
]


def two_cards() -> dict[str, str]:
    libraries = f"{cuda_driver().parent}:{nvml_driver().parent}"
    return {"LD_LIBRARY_PATH": libraries, "FAKE_CUDA": script(*CARDS), "VK_DRIVER_FILES": "/nonexistent"}


def selected(*arguments: str, **variables: str) -> dict[str, str]:
    """What `gpuprobe env` sets, with what it was given; what it unsets is gone."""
    document = json.loads(piped("env", *arguments, "--json", **variables).out)
    assert document["summary"]["exit_code"] == 0
    changed = {each["name"]: each["value"] for each in document["variables"]}
    return {name: value for name, value in {**variables, **changed}.items() if value is not None}


# --- llama.cpp


@pytest.fixture
def server() -> Path:
    return ggml_world.given("GPUPROBE_LLAMA_SERVER", "llama-server")


def listed(server: Path, variables: dict[str, str]) -> list[str]:
    """The devices that `llama-server --list-devices` names, after it has taken what `LLAMA_ARG_DEVICE` says."""
    environ = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": str(server), **variables}
    ran = engines.ran(server / "llama-server", "--list-devices", environ=environ, cwd=server)
    assert ran.code == 0, ran.err
    lines = ran.out.partition("Available devices:")[2].splitlines()
    return [line.strip().partition(":")[0] for line in lines if ":" in line]


def test_llama_server_takes_the_name_of_the_second_of_two_devices(server: Path, tmp_path: Path) -> None:
    both = world(tmp_path).lavapipe().second_lavapipe().environment()
    found = selected("--for", "llama.cpp", "--allow-software", "--lib-dir", str(server), "--library", "vulkan", **both)
    second = {**found, "GGML_VK_VISIBLE_DEVICES": "1", "LLAMA_ARG_DEVICE": "Vulkan0"}

    assert listed(server, found) == found["LLAMA_ARG_DEVICE"].split(",")
    assert listed(server, second) == ["Vulkan0"]


def test_llama_server_does_not_start_with_a_name_that_its_build_does_not_have(server: Path, tmp_path: Path) -> None:
    """The reason for the note where no llama.cpp was found."""
    environ = {**world(tmp_path).lavapipe().environment(), "LLAMA_ARG_DEVICE": "CUDA0", "LD_LIBRARY_PATH": str(server)}
    ran = engines.ran(server / "llama-server", "--list-devices", environ=environ, cwd=server)

    assert ran.code != 0
    assert "invalid device: CUDA0" in ran.out + ran.err


# --- Ray

_TASK = """
import json, os, ray
ray.init(num_cpus=1, include_dashboard=False, configure_logging=False, _temp_dir=os.environ["RAY_TMP"])
gpus = ray.cluster_resources().get("GPU", 0)
@ray.remote(num_gpus=1)
def one(): return os.environ["CUDA_VISIBLE_DEVICES"]
given = sorted(ray.get([one.remote() for _ in range(int(gpus) * 2)])) if gpus else []
print(json.dumps({"gpus": gpus, "given": sorted(set(given))}))
ray.shutdown()
"""
_COUNTED = """
import json
from ray._private.accelerators import AMDGPUAcceleratorManager as amd, NvidiaGPUAcceleratorManager as nvidia
def said(manager):
    try:
        return manager.get_current_process_visible_accelerator_ids()
    except RuntimeError as problem:
        return str(problem)
print(json.dumps({"amd": said(amd), "nvidia": said(nvidia)}))
"""


def of_ray(program: str, environ: dict[str, str], tmp_path: Path) -> dict[str, Any]:
    python = engines.of_python("python")
    engines.of_python("ray")
    quiet = {"RAY_TMP": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0", "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    ran = engines.ran(python, "-c", program, environ=engines.with_gpuprobe(**{**environ, **quiet}), cwd=tmp_path)
    assert ran.code == 0, ran.err[-2000:]
    answer: dict[str, Any] = json.loads(ran.out.splitlines()[-1])
    return answer


def test_ray_counts_the_chosen_cards_and_gives_its_tasks_just_these(short_path: Path) -> None:
    """The double of NVML shows two cards; Ray counts through its own copy of NVIDIA's binding."""
    one = selected("CUDA:1", "--for", "ray", **two_cards())

    assert of_ray(_TASK, one, short_path) == {"gpus": 1.0, "given": [B]}


def test_ray_refuses_rocr_s_variable_and_takes_hip_s(tmp_path: Path) -> None:
    machine = captured(machines.a_geforce_beside_a_radeon(), tmp_path)
    plain, for_ray = selected("ROCm", "--from", machine), selected("ROCm", "--for", "ray", "--from", machine)

    assert (
        "instead of ROCR_VISIBLE_DEVICES"
        in of_ray(_COUNTED, {"ROCR_VISIBLE_DEVICES": plain["ROCR_VISIBLE_DEVICES"]}, tmp_path)["amd"]
    )
    assert of_ray(_COUNTED, for_ray, tmp_path) == {"amd": ["0"], "nvidia": []}


def test_ray_takes_the_value_that_hides_from_cuda_for_one_device(tmp_path: Path) -> None:
    """The reason why Ray's own map hides with a list of nothing."""
    assert of_ray(_COUNTED, {"CUDA_VISIBLE_DEVICES": "-1"}, tmp_path)["nvidia"] == ["-1"]


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Ray's sockets lie in it, and the path of a socket has 107 bytes at most."""
    import shutil
    import tempfile

    path = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


# --- Docker


class Daemon(socketserver.ThreadingUnixStreamServer):
    """What the real `docker` sends to a daemon when it creates a container: kept, and answered with a refusal."""

    daemon_threads = True
    created: ClassVar[list[dict[str, Any]]] = []


class Answers(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self._answer(200, {})

    do_GET = do_HEAD

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        Daemon.created.append(body)
        self._answer(400, {"message": "nothing is run here"})

    def _answer(self, code: int, document: dict[str, str]) -> None:
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Api-Version", "1.43")
        self.send_header("Ostype", "linux")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def address_string(self) -> str:
        return "local"

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Path]:
    Daemon.created.clear()
    with Daemon(str(tmp_path / "d.sock"), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield tmp_path / "d.sock"
        server.shutdown()
        thread.join()


def asked_of(daemon: Path, line: str) -> dict[str, Any]:
    """What `docker run` asks for when this line is pasted behind it into a shell."""
    docker = engines.of_system("docker")
    environ = {"PATH": os.environ["PATH"], "DOCKER_HOST": f"unix://{daemon}", "HOME": str(daemon.parent)}
    subprocess.run(
        ["sh", "-c", f"{docker} run --pull never {line} image"], env=environ, capture_output=True, timeout=60, check=False
    )
    (created,) = Daemon.created
    host: dict[str, Any] = created["HostConfig"]
    return host


def test_docker_asks_its_driver_for_both_cards_by_id(daemon: Path, tmp_path: Path) -> None:
    line = piped("env", "--for", "docker", "--from", captured(machines.two_geforces(), tmp_path)).out.strip()
    (request,) = asked_of(daemon, line)["DeviceRequests"]

    assert request["DeviceIDs"] == [
        "GPU-11111111-2222-3333-4444-555555555555",
        "GPU-99999999-2222-3333-4444-555555555555",
    ]


def test_docker_is_given_the_nodes_of_a_card_without_such_a_driver(daemon: Path) -> None:
    capture = REPOSITORY / "tests" / "scenarios" / "rocm-beside-integrated" / "capture.json"
    host = asked_of(daemon, piped("env", "ROCm:0", "--for", "docker", "--from", str(capture)).out.strip())

    assert [each["PathOnHost"] for each in host["Devices"]] == ["/dev/kfd", "/dev/dri/renderD128"]
    assert host["GroupAdd"] == ["992"]


# --- torch

# How torch counts without a driver: its own functions, taken from its own file, because the whole of it is a gigabyte.
_COUNTS = """
import ast, os, sys, types, typing, warnings
wanted = ("_parse_visible_devices", "_transform_uuid_to_ordinals")
kinds = ("raw_device_count", "raw_device_uuid", "device_count")
wanted += tuple(f"_{what}_{of}" for what in kinds for of in ("nvml", "amdsmi"))
tree = ast.parse(open(sys.argv[1]).read())
tree.body = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name in wanted]
amdsmi = types.SimpleNamespace(
    amdsmi_init=lambda: None, amdsmi_get_processor_handles=lambda: [0, 1], AmdSmiException=RuntimeError
)
torch = types.SimpleNamespace(version=types.SimpleNamespace(hip=sys.argv[2] == "hip"))
known = {"os": os, "cast": typing.cast, "warnings": warnings, "torch": torch, "amdsmi": amdsmi, "_HAS_AMDSMI": True}
exec(compile(tree, sys.argv[1], "exec"), known)
print(known["_device_count_amdsmi" if torch.version.hip else "_device_count_nvml"]())
"""


def counted_by_torch(built_for: str, variables: dict[str, str]) -> int:
    file = ggml_world.given("GPUPROBE_TORCH", "torch/cuda/__init__.py") / "torch" / "cuda" / "__init__.py"
    ran = engines.ran(sys.executable, "-c", _COUNTS, file, built_for, environ={"PATH": os.environ["PATH"], **variables})
    assert ran.code == 0, ran.err
    return int(ran.out)


def test_torch_counts_the_chosen_cards() -> None:
    one, none = selected("CUDA:1", "--for", "torch", **two_cards()), {**two_cards(), "CUDA_VISIBLE_DEVICES": "-1"}

    assert [counted_by_torch("cuda", environ) for environ in (two_cards(), one, none)] == [2, 1, 0]


def test_torch_for_rocm_counts_the_chosen_cards_and_none_where_none_is_chosen(tmp_path: Path) -> None:
    machine = captured(machines.a_geforce_beside_a_radeon(), tmp_path)
    radeon, geforce = (selected(name, "--for", "torch", "--from", machine) for name in ("ROCm", "CUDA"))

    assert [counted_by_torch("hip", environ) for environ in ({}, radeon, geforce)] == [2, 1, 0]


def test_torch_for_rocm_counts_a_card_that_rocr_s_variable_hides() -> None:
    """The reason why torch is told by HIP's variable."""
    assert counted_by_torch("hip", {"ROCR_VISIBLE_DEVICES": "-1"}) == 1
