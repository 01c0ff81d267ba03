"""Each cause for which a process is on the CPU, to the word: the clause that proves it and what to do; and where it is none."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.cpu_reasons import Cause
from gpuprobe.doctor.judged_process import Where
from gpuprobe.doctor.process_surroundings import Surroundings, hidden_by, renderer_named, surroundings
from gpuprobe.facts import DeviceNode
from gpuprobe.judging.rules import judge
from gpuprobe.machine.known_programs import Family, Program
from gpuprobe.model import Device, DeviceType, Request
from tests.records import AMD, a_device, a_host, a_software_renderer, evidence_of
from tests.records import a_card as on_the_bus
from tests.running_records import BIN, GGML, NOBODY_TELLS, WITH_CUDA, a_card, a_process, around, verdict_of

DOCKER = "0::/system.slice/docker-" + "c0ffee" * 10 + "abcd.scope\n"
LXC = "0::/lxc.payload.web\n"
SERVICE = "0::/system.slice/ollama.service\n"
TORCH = "/venv/lib/python3.12/site-packages/torch/lib"
PYTHON: dict[str, Any] = {"name": "python3", "command": ("python3", "-m", "comfy")}
RADEON = a_device("ROCm", pci_id="0000:03:00.0", ordinal=0)
ARC = a_device("Level Zero", pci_id="0000:03:00.0", ordinal=0)
VULKAN = a_device("Vulkan", pci_id="0000:03:00.0", ordinal=0)
HIP, VULKANS = (*GGML, f"{BIN}/libggml-hip.so"), (*GGML, f"{BIN}/libggml-vulkan.so")


def why(machine: Surroundings | None = None, log: str | None = None, **fields: Any) -> tuple[Cause | None, str, str | None]:
    found = verdict_of(a_process(**{"nodes": (), **fields}), NOBODY_TELLS, log, machine=machine)
    assert found.where is Where.ON_THE_CPU
    return found.cause, found.because.partition("; ")[2], found.advice


def cause(machine: Surroundings | None = None, **fields: Any) -> Cause | None:
    return why(machine, **fields)[0]


def hides(setting: str, where: str) -> tuple[Cause, str, str]:
    name = setting.partition("=")[0]
    return Cause.HIDDEN, f"`{setting}` in its environment hides the GPU", f"take `{name}` out of {where}, and restart it"


@pytest.mark.parametrize(
    ("group", "where"),
    [
        (SERVICE, "the service's (`sudo systemctl edit ollama.service`)"),
        (DOCKER, "its container's variables"),
        ("0::/user.slice/session-1.scope\n", "its environment"),
        (None, "its environment"),
    ],
)
def test_a_variable_that_hides_the_card_is_taken_out_where_it_is_set(group: str | None, where: str) -> None:
    found = why(environ={"CUDA_VISIBLE_DEVICES": "-1"}, control_group=group)

    assert found == hides("CUDA_VISIBLE_DEVICES=-1", where)


def test_an_environment_that_cannot_be_read_hides_nothing() -> None:
    assert cause(environ=None) is Cause.UNKNOWN


@pytest.mark.parametrize(
    ("group", "device", "because", "advice"),
    [
        (LXC, RADEON, "its container (lxc web)", "start the container with `--device /dev/kfd --device /dev/dri`"),
        (LXC, VULKAN, "its container (lxc web)", "start the container with `--device /dev/dri`"),
        (
            DOCKER,
            RADEON,
            "its container (docker c0ffeec0ffee)",
            "start the container with `--device /dev/kfd --device /dev/dri`",
        ),
        (
            DOCKER,
            a_card(),
            "its container (docker c0ffeec0ffee)",
            "start the container with `--gpus all`, or in Compose with `deploy.resources.reservations.devices` (the host needs "
            "the NVIDIA container toolkit)",
        ),
    ],
)
def test_a_container_without_a_device_file_gets_its_vendors(group: str, device: Device, because: str, advice: str) -> None:
    machine = around(device, node_of={f"{device.library}:0": ("/dev/node",)})

    found = why(machine, control_group=group, root_nodes=("/dev/null",), mapped=None)

    assert found == (Cause.NO_NODE, f"{because} has no device file of a GPU", advice)
    assert cause(machine, control_group=group, root_nodes=("/dev/null", "/dev/node"), mapped=None) is not Cause.NO_NODE


def test_only_a_container_whose_files_are_known_lacks_one() -> None:
    assert cause(control_group=SERVICE, root_nodes=()) is Cause.UNKNOWN
    assert cause(around(node_of={}), control_group=DOCKER, root_nodes=()) is Cause.UNKNOWN


def a_node(path: str = "/dev/nvidiactl", **fields: Any) -> DeviceNode:
    usual = {"mode": 0o660, "uid": 0, "gid": 44, "major": 195, "minor": 255, "accessible": True, "group": "video"}
    return DeviceNode(**{"path": path, **usual, **fields})


@pytest.mark.parametrize(
    ("node", "account", "who", "advice"),
    [
        (a_node(), "anna", "anna", "run `sudo usermod -aG video anna`, and restart it"),
        (a_node(), None, "1000", "run `sudo usermod -aG video 1000`, and restart it"),
        (a_node(group=None), "anna", "anna", "give its account the right to open it"),
    ],
)
def test_an_account_that_may_not_open_the_file_is_told_how_it_may(
    node: DeviceNode, account: str | None, who: str, advice: str
) -> None:
    found = why(around(nodes=(node,)), account=account)

    assert found == (Cause.NO_PERMISSION, f"its account `{who}` may not open `/dev/nvidiactl`", advice)


def test_it_is_no_matter_of_permission_where_one_file_opens_or_nobody_knows_the_account() -> None:
    both = {"CUDA:0": ("/dev/nvidiactl",), "CUDA:1": ("/dev/other",)}
    two = around(a_card(), a_card(ordinal=1, number=1), nodes=(a_node(), a_node("/dev/other", mode=0o666)), node_of=both)

    assert cause(two) is Cause.UNKNOWN
    assert cause(around(nodes=(a_node(),)), user=None) is Cause.UNKNOWN
    assert cause(around(nodes=())) is Cause.UNKNOWN
    assert cause(around(nodes=(a_node(),)), control_group=DOCKER) is Cause.UNKNOWN


def test_a_process_is_older_than_the_driver_only_where_both_times_are_known() -> None:
    newer = "it was started before the driver came up (`/dev/nvidiactl` is newer than it)"

    assert why(started_at=999.0) == (Cause.BEFORE_THE_DRIVER, newer, "restart it")
    assert cause(started_at=1000.0) is Cause.UNKNOWN
    assert cause(started_at=None) is Cause.UNKNOWN
    assert cause(around(made_at={}), started_at=1.0) is Cause.UNKNOWN
    of_two = around(
        made_at={"/dev/nvidiactl": 1000.0, "/dev/nvidia0": 3000.0}, node_of={"CUDA:0": ("/dev/nvidia0", "/dev/nvidiactl")}
    )
    assert cause(of_two, started_at=2000.0) is Cause.UNKNOWN


def test_a_build_without_a_gpu_is_replaced_by_one_for_the_usable_library() -> None:
    ggml = "install a build of ggml for {}; `gpuprobe doctor --for llama.cpp` says which"
    torch = "install a build of torch for CUDA; `gpuprobe doctor --for torch` says which"

    assert why(mapped=GGML, beside=()) == (
        Cause.NO_BUILD,
        "its build of ggml has nothing for a GPU",
        ggml.format("CUDA"),
    )
    assert why(around(RADEON), mapped=GGML, beside=())[2] == ggml.format("ROCm")
    assert why(mapped=(), beside=())[1:] == (
        "its build of llama-server has nothing for a GPU",
        "install a build of llama-server for CUDA; `gpuprobe doctor --for llama.cpp` says which",
    )
    assert why(**PYTHON, mapped=(f"{TORCH}/libtorch_cpu.so",), beside=())[1:] == (
        "its build of torch has nothing for a GPU",
        torch,
    )
    unknown = why(name="python3", command=("python3", "x.py"), mapped=(f"{TORCH}/libtorch_cpu.so",), beside=())
    assert unknown[2] == "install a build of torch for CUDA"


def test_what_maps_no_engine_and_is_none_lacks_no_build() -> None:
    assert cause(**PYTHON, mapped=(), beside=()) is Cause.UNKNOWN
    assert cause(name="x", command=("x",), mapped=(), beside=()) is Cause.UNKNOWN
    assert cause(mapped=None, beside=()) is Cause.UNKNOWN


def test_a_backend_that_was_not_loaded_is_told_where_it_fits_engine_and_card() -> None:
    path = f"{BIN}/libggml-cuda.so"
    advice = f"see what it needs: `readelf -d {path}`; and `gpuprobe list --all` says whether this build works"
    other = "its build computes through ROCm, Vulkan, and what is usable here is CUDA"
    beside = (f"{BIN}/libggml-hip.so", f"{BIN}/libggml-vulkan.so")

    assert why(mapped=GGML) == (Cause.NOT_MAPPED, f"`{path}` is there and was not loaded", advice)
    assert why(mapped=GGML, beside=(*beside, path))[1] == f"`{path}` is there and was not loaded"
    assert why(mapped=GGML, beside=beside)[:2] == (Cause.OTHER_BUILD, other)
    assert why(mapped=(), beside=(path,))[0] is Cause.NOT_MAPPED
    assert why(mapped=GGML, beside=(f"{TORCH}/libtorch_cuda.so",))[0] is Cause.NO_BUILD


def test_a_build_for_other_cards_is_named_with_all_that_it_has_and_all_that_is_usable() -> None:
    both = around(a_card(), VULKAN, node_of={})

    assert why(both, mapped=(*HIP, f"{BIN}/libggml-sycl.so"))[:2] == (
        Cause.OTHER_BUILD,
        "its build computes through ROCm, SYCL, and what is usable here is CUDA and Vulkan",
    )
    assert cause(both, mapped=VULKANS) is Cause.UNKNOWN


def test_a_file_of_the_driver_that_was_replaced_is_named_and_no_other() -> None:
    driver = WITH_CUDA[-2]
    assert why(replaced=("/usr/lib/libx.so", driver)) == (
        Cause.REPLACED,
        f"`{driver}` was replaced since it was started",
        "restart it",
    )
    assert cause(replaced=("/usr/lib/libx.so",)) is Cause.UNKNOWN


NO_MEMORY = "ggml_cuda: cudaMalloc failed: out of memory"
FREE = "free some (`gpuprobe refresh --watch` shows who holds it), then load the model again"
AGAIN = "restart it; if that changes nothing, `gpuprobe doctor` looks for the cause"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (NO_MEMORY, (Cause.NO_MEMORY, f'memory of the GPU did not suffice when it was loaded: "{NO_MEMORY}"', FREE)),
        (
            "ggml_cuda_init: failed to initialize CUDA: unknown error",
            (Cause.SAID_SO, 'its log says why: "ggml_cuda_init: failed to initialize CUDA: unknown error"', AGAIN),
        ),
    ],
)
def test_a_complaint_of_its_log_is_quoted_with_what_to_do(line: str, expected: tuple[Cause, str, str]) -> None:
    assert why(log=f"{line}\n") == expected


def test_of_several_complaints_the_last_counts_and_a_long_one_is_cut() -> None:
    first, last = f"{NO_MEMORY} first", f"{NO_MEMORY} {'x' * 200}"
    exact = f"{NO_MEMORY} ".ljust(160, "x")

    assert why(log=f"{first}\n{last}\n")[1].endswith(f'loaded: "{last[:160]}…"')
    assert why(log=f"{exact}\n")[1].endswith(f'loaded: "{exact}"')


def test_a_framework_that_opened_nothing_has_not_begun_only_where_it_could() -> None:
    cuda = (f"{TORCH}/libtorch_cpu.so", f"{TORCH}/libtorch_cuda.so")

    assert why(**PYTHON, mapped=cuda) == (
        Cause.NOT_BEGUN,
        "it has loaded torch and opened no GPU: it has not begun, or was told to use the CPU",
        "put the model on the GPU (torch: `.to('cuda')`), or look again while it computes",
    )
    assert why(name="python3", command=("python3", "x.py"), mapped=cuda)[0] is Cause.UNKNOWN
    assert why(**PYTHON, mapped=(WITH_CUDA[-1],))[0] is Cause.UNKNOWN


def test_where_nothing_says_why_the_diagnosis_of_that_program_is_named() -> None:
    nothing = "nothing that could be read says why"
    unnamed = why(name="x", command=("x",))

    assert why() == (Cause.UNKNOWN, nothing, "its log may; `gpuprobe doctor --for llama.cpp` looks for the cause")
    assert unnamed == (Cause.UNKNOWN, nothing, "its log may; `gpuprobe doctor` looks for the cause")


@pytest.mark.parametrize(
    ("device", "environ", "hidden"),
    [
        (a_card(), {"CUDA_VISIBLE_DEVICES": "0"}, False),
        (a_card(), {"CUDA_VISIBLE_DEVICES": "GPU-1111"}, False),
        (a_card(), {"CUDA_VISIBLE_DEVICES": "GPU-2222"}, True),
        (a_card(uuid=None), {"CUDA_VISIBLE_DEVICES": "GPU-1111"}, True),
        (a_card(uuid="1", number=3), {"CUDA_VISIBLE_DEVICES": "1"}, True),  # a number is no beginning of a UUID
        (a_card(number=1), {"CUDA_VISIBLE_DEVICES": "1"}, False),
        (a_card(), {"CUDA_VISIBLE_DEVICES": ""}, True),
        (a_card(), {"NVIDIA_VISIBLE_DEVICES": "none"}, False),
        (RADEON, {"HIP_VISIBLE_DEVICES": ""}, False),
        (RADEON, {"ROCR_VISIBLE_DEVICES": ""}, True),
        (RADEON, {"CUDA_VISIBLE_DEVICES": ""}, False),
        (RADEON, {"HIP_VISIBLE_DEVICES": "-1"}, True),
        (RADEON, {"ROCR_VISIBLE_DEVICES": "1"}, True),
        (RADEON, {"HSA_OVERRIDE_GFX_VERSION": "10.3.0"}, False),
        (ARC, {"ZE_AFFINITY_MASK": "-1"}, True),
        (ARC, {"ZE_AFFINITY_MASK": "0"}, False),
        (ARC, {"ZE_AFFINITY_MASK": "7"}, False),  # which of them it leaves is not told by a number
        (ARC, {"ZE_AFFINITY_MASK": ""}, False),
        (ARC, {"ONEAPI_DEVICE_SELECTOR": "level_zero:7"}, False),
        (VULKAN, {"GGML_VK_VISIBLE_DEVICES": "-1"}, True),
        (VULKAN, {"GGML_VK_VISIBLE_DEVICES": "0"}, False),
        (VULKAN, {"VK_LOADER_DEVICE_ID_FILTER": "1"}, False),
    ],
)
def test_a_variable_hides_a_device_as_its_library_reads_it(device: Device, environ: dict[str, str], hidden: bool) -> None:
    found = hidden_by(device, environ, around(device))

    assert (found is not None) is hidden
    if found is not None:
        name, value = next(iter(environ.items()))
        assert found.startswith(f"`{name}={value}` hides ")


@pytest.mark.parametrize(
    ("own", "value", "hidden"),
    [
        ("CUDA_VISIBLE_DEVICES", "1", False),
        ("CUDA_DEVICE_ORDER", "1", False),
        ("CUDA_VISIBLE_DEVICES", "GPU-2222", True),
        ("OLLAMA_VULKAN", "1", True),
    ],
)
def test_numbers_mean_nothing_where_gpuprobe_counts_otherwise(own: str, value: str, hidden: bool) -> None:
    found = hidden_by(a_card(), {"CUDA_VISIBLE_DEVICES": value}, around(environ={own: "x"}))

    assert (found is not None) is hidden


def test_only_a_list_of_the_platform_that_it_runs_on_hides() -> None:
    assert hidden_by(RADEON, {"HIP_VISIBLE_DEVICES": "-1"}, around(RADEON), platform="plan9") is None


def test_a_renderer_is_known_by_the_name_that_the_engine_prints() -> None:
    renderer = a_software_renderer(ordinal=1)
    machine = around()._replace(listed=(a_card(), renderer))

    assert renderer_named(f" {renderer.name} ", machine) == renderer
    assert renderer_named(str(a_card().name), machine) is None
    assert renderer_named("", machine._replace(listed=(renderer._replace(name=None),))) is None


@pytest.mark.parametrize(
    ("family", "mapped", "usable"),
    [
        (Family.PYTHON, (), ["CUDA", "ROCm", "Level Zero"]),
        (Family.VLLM, GGML, ["CUDA", "ROCm", "Level Zero"]),
        (Family.SGLANG, (), ["CUDA", "ROCm", "Level Zero"]),
        (Family.GGML, (), ["CUDA", "ROCm", "Vulkan"]),
        (Family.OTHER, (), ["CUDA", "ROCm", "Vulkan", "Level Zero"]),
        (Family.OTHER, GGML, ["CUDA", "ROCm", "Vulkan"]),
        (None, (f"{TORCH}/libtorch_cpu.so",), ["CUDA", "ROCm", "Level Zero"]),
        (None, (f"{TORCH}/libtorch_cpu.so", *GGML), ["CUDA", "ROCm", "Vulkan"]),
        (None, (), ["CUDA", "ROCm", "Vulkan", "Level Zero"]),
    ],
)
def test_what_a_program_can_compute_on_is_that_of_its_kind(
    family: Family | None, mapped: tuple[str, ...], usable: list[str]
) -> None:
    from gpuprobe.judging.mapped_libraries import mapped as found_in

    machine = around(a_card(), RADEON, VULKAN, ARC)
    program = Program("x", family) if family else None

    assert [each.library for each in machine.usable_by(program, found_in(mapped))] == usable


def test_the_surroundings_are_those_of_the_inventory() -> None:
    cuda = a_device("CUDA", pci_id="0000:01:00.0", uuid="GPU-1")
    radeon = a_device("ROCm", pci_id="0000:03:00.0", uuid="GPU-2")
    renderer = a_software_renderer()
    nodes = (a_node(), a_node("/dev/dri/renderD128"), a_node("/dev/dri/renderD129"))
    cards = (
        on_the_bus(drm=("card0", "renderD128")),
        on_the_bus("0000:03:00.0", vendor=AMD, device=0x744C, driver="amdgpu", drm=("card1", "renderD129")),
    )
    host = a_host(pci=cards, nodes=nodes, environ={"CUDA_DEVICE_ORDER": "PCI_BUS_ID"})
    inventory = judge(evidence_of(cuda, radeon, renderer, host=host), Request())

    found = surroundings(inventory, {"/dev/nvidiactl": 5.0}, as_root=True, unseen="a part")

    assert found.node_of == {"CUDA:0": ("/dev/nvidiactl",), "ROCm:0": ("/dev/dri/renderD129",)}
    assert [each.library for each in found.devices] == ["CUDA", "ROCm"]
    assert [each.type for each in found.renderers] == [DeviceType.SOFTWARE]
    assert (found.nodes, found.made_at, found.environ) == (nodes, {"/dev/nvidiactl": 5.0}, host.environ)
    assert (found.why_none, found.undecided) == ("2 of 2 GPUs usable", False)
    assert (found.as_root, found.unseen) == (True, "a part")


def test_of_a_device_without_an_address_no_file_is_known() -> None:
    cuda = a_device("CUDA", uuid="GPU-1")
    inventory = judge(evidence_of(cuda, host=a_host(pci=(on_the_bus(drm=("card0", "renderD128")),))), Request())

    assert surroundings(inventory, {}).node_of == {"CUDA:0": ()}
