"""What is said of a process, to the word: what was seen, where it computes by that, and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.cpu_reasons import Cause
from gpuprobe.doctor.judged_process import Judged, Where
from gpuprobe.doctor.process_verdicts import judged
from gpuprobe.judging.held_memory import Held, Holding
from gpuprobe.machine.process_records import Gathered, Interface, LogText
from gpuprobe.model import DeviceType, GiB, MiB
from tests.records import a_device
from tests.running_records import (
    ALL,
    BIN,
    GGML,
    NOBODY_TELLS,
    NONE,
    NOTHING,
    NUMBER,
    PRETENDED,
    SERVER,
    SOME,
    a_card,
    a_process,
    around,
    holds,
    verdict_of,
)

CPU, GPU, PARTLY, RIGHTLY, UNTOLD = Where.ON_THE_CPU, Where.ON_THE_GPU, Where.PARTLY, Where.RIGHTLY, Where.CANNOT_TELL
ROOM = (
    "`gpuprobe plan /models/llama-8b.gguf` says what would fit: a smaller context, fewer parallel requests or a smaller model"
)
DOCTOR = "its log may; `gpuprobe doctor --for llama.cpp` looks for the cause"
NO_WHY = "nothing that could be read says why"
OPEN = "`/dev/nvidia0`, `/dev/nvidiactl` and 1 more"
CLOSED: dict[str, Any] = {"nodes": None, "mapped": None, "environ": None, "account": "bert", "user": 1001}
TWO = Holding((Held("CUDA:0", GiB, "NVML"), Held("CUDA:1", None, "KFD"), Held("CUDA:2", 0, "KFD")))
PRINTED = "load_tensors: offloaded {}/33 layers to GPU\n"


def said_of(found: Judged) -> tuple[Where, str, str | None]:
    return found.where, found.because, found.advice


@pytest.mark.parametrize(
    ("holding", "log", "size", "where", "because", "advice"),
    [
        (holds(5 * GiB), None, None, GPU, "it holds 5.0 GiB on CUDA:0 (NVML)", None),
        (holds(5 * GiB), None, 4 * GiB, GPU, "it holds 5.0 GiB on CUDA:0 (NVML)", None),
        (holds(None), ALL, 4 * GiB, GPU, "all 33 layers are on a GPU: it holds some memory on CUDA:0 (NVML)", None),
        (TWO, None, None, GPU, "it holds 1.0 GiB on CUDA:0 (NVML) and some memory on CUDA:1 (KFD)", None),
        (
            holds(600 * MiB),
            None,
            4 * GiB,
            PARTLY,
            "it holds 600 MiB on CUDA:0 (NVML), of a model of 4.0 GiB; how many layers that is it does not say",
            ROOM,
        ),
        # A size that is not told is no small one; a fifth of the file, and a tenth where the log counts layers, are enough.
        (
            Holding((Held("CUDA:0", MiB, "NVML"), Held("CUDA:1", None, "KFD"))),
            None,
            4 * GiB,
            GPU,
            "it holds 1 MiB on CUDA:0 (NVML) and some memory on CUDA:1 (KFD)",
            None,
        ),
        (holds(200 * MiB), None, 1000 * MiB, GPU, "it holds 200 MiB on CUDA:0 (NVML)", None),
        (holds(100 * MiB), ALL, 1000 * MiB, GPU, "all 33 layers are on a GPU: it holds 100 MiB on CUDA:0 (NVML)", None),
        (
            holds(99 * MiB),
            ALL,
            1000 * MiB,
            CPU,
            f"it holds 99 MiB on CUDA:0 (NVML), which is too little for a model of 1000 MiB; {NO_WHY}",
            DOCTOR,
        ),
        (
            NOTHING,
            None,
            None,
            CPU,
            f"it has {OPEN} open and holds nothing on a GPU; {NO_WHY}",
            DOCTOR,
        ),
        (
            NOBODY_TELLS,
            NONE,
            None,
            CPU,
            f"it has {OPEN} open, and none of the model is there; {NO_WHY}",
            DOCTOR,
        ),
        (NOBODY_TELLS, ALL, None, GPU, f"its log places 33 of 33 layers on a GPU, and {OPEN} are open in it", None),
        (NOBODY_TELLS, SOME, None, PARTLY, f"its log places 12 of 33 layers on a GPU, and {OPEN} are open in it", None),
        (
            NOBODY_TELLS,
            None,
            None,
            UNTOLD,
            f"it has {OPEN} open, and nobody tells what it holds there",
            "its log would tell where its layers are (llama.cpp: start it with `-lv 4`)",
        ),
        (
            NOBODY_TELLS,
            PRINTED.format(0),
            None,
            UNTOLD,
            f"it has {OPEN} open, and nobody tells what it holds there",
            "its log would tell where its layers are (llama.cpp: start it with `-lv 4`)",
        ),
    ],
)
def test_an_open_process_is_judged_by_what_it_holds_and_then_by_its_log(
    holding: Holding, log: str | None, size: int | None, where: Where, because: str, advice: str | None
) -> None:
    assert said_of(verdict_of(a_process(), holding, log, model_size=size)) == (where, because, advice)


@pytest.mark.parametrize(
    ("nodes", "named"),
    [
        (("/dev/nvidiactl",), "`/dev/nvidiactl`"),
        (("/dev/nvidia0", "/dev/nvidiactl"), "`/dev/nvidia0`, `/dev/nvidiactl`"),
        (("/dev/nvidia0", "/dev/nvidiactl", "/dev/a", "/dev/b"), "`/dev/nvidia0`, `/dev/nvidiactl` and 2 more"),
    ],
)
def test_two_open_files_are_named_and_the_others_counted(nodes: tuple[str, ...], named: str) -> None:
    found = verdict_of(a_process(nodes=nodes), NOBODY_TELLS)

    assert found.because == f"it has {named} open, and nobody tells what it holds there"


def test_open_files_and_nothing_mapped_that_computes_are_the_cpu_only_where_the_maps_could_be_read() -> None:
    seen = verdict_of(a_process(mapped=GGML), NOBODY_TELLS, ALL)

    assert seen.because.startswith(f"it has {OPEN} open, and nothing mapped that computes there; ")
    assert verdict_of(a_process(mapped=None), NOBODY_TELLS, ALL).where is GPU
    assert verdict_of(a_process(mapped=(*GGML, "/usr/lib/libcuda.so.1")), NOBODY_TELLS, ALL).where is GPU
    assert verdict_of(a_process(mapped=(f"{BIN}/libggml-cuda.so",)), NOBODY_TELLS, ALL).where is GPU


def test_no_open_file_is_the_cpu_and_a_log_that_claims_layers_is_quoted_against_its_buffers() -> None:
    log = f"its log says `offloaded 33/33 layers to GPU`, and all its buffers are the CPU's; {NO_WHY}"
    plain = f"no device file of a GPU is open in it; {NO_WHY}"

    assert verdict_of(a_process(nodes=()), NOBODY_TELLS, PRETENDED).because == log
    assert verdict_of(a_process(nodes=()), NOBODY_TELLS, NONE).because == plain
    assert verdict_of(a_process(nodes=()), NOBODY_TELLS, ALL).because == plain
    assert verdict_of(a_process(nodes=()), NOBODY_TELLS).because == plain


@pytest.mark.parametrize(
    ("words", "log", "where", "because"),
    [
        (("-ngl", "0"), None, CPU, "it holds 5.0 GiB on CUDA:0 (NVML) for its buffers, and no layer is there"),
        (("--device", "none"), None, CPU, "it holds 5.0 GiB on CUDA:0 (NVML) for its buffers, and no layer is there"),
        (("--device", "none"), ALL, GPU, "all 33 layers are on a GPU: it holds 5.0 GiB on CUDA:0 (NVML)"),
        (
            ("--n-cpu-moe", "4"),
            None,
            PARTLY,
            "it computes on a GPU: it holds 5.0 GiB on CUDA:0 (NVML); `--n-cpu-moe` keeps parts of them on the CPU",
        ),
        (
            ("--n-cpu-moe", "4"),
            SOME,
            PARTLY,
            "12 of 33 layers are on a GPU: it holds 5.0 GiB on CUDA:0 (NVML); `--n-cpu-moe` keeps parts of them on the CPU",
        ),
    ],
)
def test_what_it_was_asked_for_is_weighed_with_what_it_holds(
    words: tuple[str, ...], log: str | None, where: Where, because: str
) -> None:
    found = verdict_of(a_process(command=(*SERVER, *words)), holds(5 * GiB), log)

    assert (found.where, found.because.partition("; it was asked")[0]) == (where, because)


def test_a_process_that_nobody_may_look_into_is_judged_by_its_log() -> None:
    def of_a_closed_one(log: str | None, **fields: Any) -> tuple[Where, str, str | None]:
        return said_of(verdict_of(a_process(**{**CLOSED, **fields}), NOBODY_TELLS, log))

    told = "by its log {} on a GPU; the kernel does not tell us more"

    assert of_a_closed_one(ALL) == (GPU, told.format("all 33 layers are"), None)
    assert of_a_closed_one(SOME) == (PARTLY, told.format("12 of 33 layers are"), None)
    assert of_a_closed_one(NONE) == (CPU, f"its log names no buffer on a GPU; {NO_WHY}", DOCTOR)
    assert of_a_closed_one(PRINTED.format(33))[0] is UNTOLD
    assert of_a_closed_one("load_tensors:   CUDA0 model buffer size =  4403.49 MiB\n")[0] is UNTOLD
    assert of_a_closed_one(None, command=(*SERVER, "-ngl", "0")) == (
        CPU,
        "no layer was to go to a GPU; it was asked to, by `-ngl 0`",
        "start it without `-ngl 0`",
    )


def test_an_account_without_a_name_is_called_by_its_number() -> None:
    found = verdict_of(a_process(**{**CLOSED, "account": None}), NOBODY_TELLS)

    assert found.because == "it is account `1001`'s, and what it has open cannot be read"
    assert found.advice == f"run `sudo gpuprobe running {NUMBER}`, or run gpuprobe as `1001`"


@pytest.mark.parametrize("model", ["/models/my model.gguf", None])
def test_a_model_without_a_name_for_a_command_is_called_model(model: str | None) -> None:
    process = a_process(command=("llama-server", *(("-m", model) if model else ())))

    advice = verdict_of(process, holds(2 * GiB), SOME).advice

    assert str(advice).startswith("`gpuprobe plan MODEL` says what would fit")


def test_a_log_that_counts_more_layers_than_the_model_has_is_all_of_them() -> None:
    log = ALL.replace("33/33", "34/33")

    found = verdict_of(a_process(), holds(5 * GiB), log).layers

    assert found is not None
    assert (found.offloaded, found.total, found.source) == (33, 33, "log")


def test_layers_that_were_asked_for_are_known_from_the_command_line() -> None:
    found = verdict_of(a_process(command=(*SERVER, "-ngl", "0")), holds(5 * GiB)).layers

    assert found is not None
    assert (found.offloaded, found.total, found.source) == (0, None, "command line")
    assert verdict_of(a_process(command=(*SERVER, "-ngl", "7")), holds(5 * GiB)).layers is None


REMOTE = "load_tensors: offloaded 33/33 layers to GPU\nload_tensors: RPC0[10.0.0.2:50052] model buffer size =  4403.49 MiB\n"


def test_layers_that_another_process_serves_are_looked_for_there() -> None:
    assert said_of(verdict_of(a_process(nodes=()), NOBODY_TELLS, REMOTE)) == (
        UNTOLD,
        "all 33 layers are on a device that another process serves: `RPC0[10.0.0.2:50052]`",
        "look at the process that serves it, on its machine",
    )


def test_where_no_gpu_is_usable_the_first_line_of_the_list_is_the_reason() -> None:
    def why(line: str) -> str:
        nothing = around()._replace(devices=(), listed=(), why_none=line)
        return verdict_of(a_process(nodes=()), NOBODY_TELLS, machine=nothing).because.partition("; ")[2]

    assert why("No GPU is usable: CUDA is installed but does not work: it hung") == (
        "no GPU is usable: CUDA is installed but does not work: it hung"
    )
    assert why("No GPU found on this machine. Vulkan offers the software renderer `x`: it runs on the CPU") == (
        "no GPU found on this machine"
    )
    assert why("0 of 1 GPU usable; 0000:01:00.0 is not: no kernel driver") == (
        "0 of 1 GPU usable; 0000:01:00.0 is not: no kernel driver"
    )


def test_a_program_whose_devices_are_not_usable_is_named_where_it_has_mapped_no_engine() -> None:
    vulkan = a_device("Vulkan", pci_id="0000:03:00.0", ordinal=0)
    vllm = a_process(name="vllm", command=("vllm", "serve", "m"), mapped=(), nodes=())

    found = verdict_of(vllm, NOBODY_TELLS, machine=around(vulkan))

    assert said_of(found) == (
        RIGHTLY,
        "no device file of a GPU is open in it; none of the usable devices is one that vLLM computes on",
        None,
    )


OLLAMA = a_process(name="ollama", command=("/usr/local/bin/ollama", "serve"), mapped=(), nodes=())
CLAIM = Interface(11434, "/api/ps", "llama3.1:8b", 6 * GiB, 6 * GiB)


def test_a_server_that_does_not_answer_or_has_no_model_is_not_judged() -> None:
    silent = Interface(11434, "/api/ps", problem="it did not answer in 2 s")
    empty = Interface(11434, "/api/ps", size=0)

    asked = "ask it something, and look again meanwhile"
    assert said_of(verdict_of(OLLAMA, interfaces=(empty, silent))) == (
        UNTOLD,
        "it did not tell which models are loaded: it did not answer in 2 s",
        None,
    )
    assert said_of(verdict_of(OLLAMA, interfaces=(empty,))) == (UNTOLD, "no model is loaded now", asked)
    assert verdict_of(OLLAMA._replace(nodes=None, account="bert")).because.startswith("it is account `bert`'s")


def test_a_claim_that_cannot_be_checked_is_checked_by_root_outside_of_a_container() -> None:
    claim = "it says that 100 % of llama3.1:8b are on a GPU"
    unseen = f"{claim}, and whether anything of it is there cannot be told: only a part is seen"
    uncounted = f"{claim}, and whether anything of it is there cannot be told: nobody counts what is held on each device"
    outside = "run `sudo gpuprobe running`, outside of a container"
    opened = OLLAMA._replace(nodes=("/dev/nvidiactl",))

    def said(machine: Any, holding: Holding = NOTHING) -> tuple[Where, str, str | None]:
        return said_of(verdict_of(opened, holding, interfaces=(CLAIM,), machine=machine))

    assert said(around(unseen="only a part is seen")) == (UNTOLD, unseen, outside)
    assert said(around(unseen="only a part is seen", as_root=True)) == (UNTOLD, unseen, None)
    assert said(around(), NOBODY_TELLS) == (UNTOLD, uncounted, outside)


def test_a_claim_of_which_nothing_is_held_is_on_the_cpu() -> None:
    claim = "it says that 100 % of llama3.1:8b are on a GPU, and neither it nor a process of its own holds anything there"

    found = verdict_of(OLLAMA, NOTHING, interfaces=(CLAIM,))

    assert (found.where, found.cause) == (CPU, Cause.UNKNOWN)
    assert said_of(found)[1:] == (
        f"{claim}; {NO_WHY}",
        "its log may; `gpuprobe doctor --for ollama` looks for the cause",
    )


LLVMPIPE = a_device("Vulkan", name="llvmpipe (LLVM 15.0.6, 256 bits)", type=DeviceType.SOFTWARE, ordinal=0)


def on_the_renderer(layers: str, machine: Any, **fields: Any) -> Judged:
    log = (
        "common_param:   - Vulkan0 : llvmpipe (LLVM 15.0.6, 256 bits) (2048 MiB, 2048 MiB free)\n"
        f"load_tensors: offloaded {layers} layers to GPU\nload_tensors:      Vulkan0 model buffer size =    65.16 MiB\n"
    )
    process = a_process(**{"mapped": (*GGML, f"{BIN}/libggml-vulkan.so"), "nodes": (), **fields})
    return verdict_of(process, fields.pop("holding", NOBODY_TELLS), log, machine=machine)


def test_layers_on_a_renderer_that_was_allowed_are_counted_as_on_a_gpu() -> None:
    name = "`llvmpipe (LLVM 15.0.6, 256 bits)`, a renderer that runs on the CPU"

    assert said_of(on_the_renderer("19/19", around(LLVMPIPE))) == (GPU, f"all 19 layers are on {name}", None)
    assert said_of(on_the_renderer("7/19", around(LLVMPIPE))) == (PARTLY, f"7 of 19 layers are on {name}", None)


def test_what_a_log_calls_a_gpu_and_is_a_renderer_is_named_before_the_cause() -> None:
    found = on_the_renderer("19/19", around()._replace(listed=(a_card(), LLVMPIPE)), nodes=("/dev/nvidiactl",))

    assert found.where is CPU
    assert found.because == (
        "what its log calls a GPU is `llvmpipe (LLVM 15.0.6, 256 bits)`, a renderer that runs on the CPU; "
        "its build computes through Vulkan, and what is usable here is CUDA"
    )


def test_one_that_holds_memory_of_a_card_is_not_on_the_renderer_that_its_log_names() -> None:
    log = "common_param:   - Vulkan0 : llvmpipe (LLVM 15.0.6, 256 bits) (2048 MiB, 2048 MiB free)\n" + ALL.replace(
        "CUDA0", "Vulkan0"
    )

    found = verdict_of(a_process(), holds(5 * GiB), log, machine=around()._replace(listed=(a_card(), LLVMPIPE)))

    assert said_of(found) == (GPU, "all 33 layers are on a GPU: it holds 5.0 GiB on CUDA:0 (NVML)", None)


def test_a_python_is_called_by_the_engine_that_it_has_loaded() -> None:
    torch = "/venv/lib/python3.12/site-packages/torch/lib/libtorch_cpu.so"

    def name(of: str, *paths: str) -> str:
        return verdict_of(a_process(name=of, command=(of, "x.py"), mapped=paths)).name

    assert name("python3.12", torch) == "Python with torch"
    assert name("python3.12") == "python3.12"
    assert name("serve", torch) == "serve"


RUNNER = ("/usr/local/bin/ollama", "runner", "--model", "/m/blobs/sha256-" + "a" * 64, "--port", "40001")


def family(*below: tuple[int, int, Holding], front: tuple[str, ...] = ("/usr/local/bin/ollama", "serve")) -> Judged:
    """The server 10 with these below it: (number, parent, what it holds)."""
    server = Gathered(a_process(number=10, name="ollama", command=front, mapped=(), nodes=()))
    children = [Gathered(a_process(number=number, parent=parent, command=RUNNER)) for number, parent, _ in below]
    return judged([*children, server], {number: held for number, _, held in below}, around())[-1]


def test_a_server_takes_all_that_is_said_of_its_best_runner() -> None:
    found = family((13, 10, NOTHING), (12, 10, holds(5 * GiB)), (11, 10, holds(4 * GiB)))

    assert said_of(found) == (GPU, "its process 11 computes: it holds 4.0 GiB on CUDA:0 (NVML)", None)
    assert (found.through, found.cause, found.layers) == (11, None, None)


def test_a_server_whose_runner_is_on_the_cpu_has_its_cause_and_its_advice() -> None:
    found = family((11, 10, NOTHING))

    assert (found.where, found.cause, found.through) == (CPU, Cause.UNKNOWN, 11)
    assert found.because.startswith("its process 11 computes: it has `/dev/nvidia0`")
    assert found.advice == "its log may; `gpuprobe doctor --for ollama` looks for the cause"


def test_a_runner_is_found_below_processes_in_between_and_no_other_is_taken() -> None:
    assert family((11, 12, holds(GiB)), (12, 10, NOBODY_TELLS)).through == 11
    assert family((11, 9, holds(GiB))).through is None


def test_only_a_server_of_ollama_is_on_the_cpu_for_its_childs_sake() -> None:
    vllm = ("python3", "/venv/bin/vllm", "serve", "m")

    assert family((11, 10, NOTHING), front=vllm).through is None
    assert family((11, 10, holds(GiB)), front=vllm).through == 11


def test_a_runners_part_of_its_servers_log_is_found_by_its_port() -> None:
    log = (
        'msg="starting runner" cmd="/usr/local/bin/ollama runner --model /m --port 40000"\n'
        + NONE
        + 'msg="starting runner" cmd="/usr/local/bin/ollama runner --model /m --port 40001"\n'
        + ALL
        + 'msg="starting runner" cmd="/usr/local/bin/ollama runner --model /m --port 40002"\n'
        + SOME
    )
    runner = Gathered(a_process(command=RUNNER), (LogText("/x.log", None, "denied"), LogText("/y.log", log)), log_of=10)

    (found,) = judged([runner], {NUMBER: NOBODY_TELLS}, around())
    (own,) = judged([runner._replace(log_of=None)], {NUMBER: NOBODY_TELLS}, around())

    assert found.said.offloaded == 33
    assert own.said.offloaded == 12


def test_of_several_outputs_the_one_that_says_something_counts() -> None:
    gathered = Gathered(a_process(), (LogText("/x.log", "hello\n"), LogText("/y.log", ALL)))

    (found,) = judged([gathered], {NUMBER: NOBODY_TELLS}, around())

    assert found.said.offloaded == 33


@pytest.mark.parametrize(
    ("nodes", "counted", "where"),
    [
        (("/dev/dri/renderD128", "/dev/nvidiactl"), ("CUDA:0", "Vulkan:1"), CPU),
        (("/dev/dri/renderD128", "/dev/nvidiactl"), ("CUDA:0",), UNTOLD),
        (("/dev/nvidiactl",), ("CUDA:0",), CPU),
        (("/dev/nvidiactl",), (), UNTOLD),
    ],
)
def test_nothing_is_held_only_where_each_device_is_counted_or_shut(
    nodes: tuple[str, ...], counted: tuple[str, ...], where: Where
) -> None:
    inside = a_device("Vulkan", pci_id="0000:00:02.0", ordinal=1)
    machine = around(a_card(), inside, node_of={"CUDA:0": ("/dev/nvidiactl",), "Vulkan:1": ("/dev/dri/renderD128",)})
    holding = Holding((), tuple((each, "NVML") for each in counted))

    assert verdict_of(a_process(nodes=nodes), holding, machine=machine).where is where


def test_a_device_of_which_no_file_is_known_is_not_shut() -> None:
    machine = around(a_card(), node_of={})

    assert verdict_of(a_process(), NOBODY_TELLS, machine=machine).where is UNTOLD
