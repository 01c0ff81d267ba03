"""Where a process computes, by what is known of it: the kernel and the driver before maps, maps before the log, and the
interface never."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.cpu_reasons import Cause
from gpuprobe.doctor.judged_process import Where
from gpuprobe.doctor.process_summary import line_for
from gpuprobe.doctor.process_verdicts import judged
from gpuprobe.doctor.server_claims import why_unseen
from gpuprobe.judging.held_memory import Holding
from gpuprobe.machine.process_records import Gathered, Interface, LogText, Table
from gpuprobe.model import DeviceType, GiB, MiB
from tests.records import a_device
from tests.running_records import (
    ALL,
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

CLAIM = Interface(11434, "/api/ps", "llama3.1:8b", 6 * GiB, 6 * GiB)


def test_a_process_that_holds_its_model_on_a_card_is_on_the_gpu() -> None:
    found = verdict_of(a_process(), holds(5 * GiB), ALL, model_size=4 * GiB)

    assert found.where is Where.ON_THE_GPU
    assert found.because == "all 33 layers are on a GPU: it holds 5.0 GiB on CUDA:0 (NVML)"


def test_one_that_holds_some_layers_is_partly_on_it() -> None:
    found = verdict_of(a_process(), holds(2 * GiB), SOME, model_size=4 * GiB)

    assert found.where is Where.PARTLY
    assert found.because == ("12 of 33 layers are on a GPU: it holds 2.0 GiB on CUDA:0 (NVML); the CPU computes the other 21")
    assert found.advice is not None and "gpuprobe plan /models/llama-8b.gguf" in found.advice


def test_the_driver_outweighs_a_log_that_claims_every_layer() -> None:
    found = verdict_of(a_process(), NOTHING, ALL)

    assert found.where is Where.ON_THE_CPU
    assert "holds nothing on a GPU" in found.because


def test_the_kernel_outweighs_an_interface_that_claims_a_hundred_percent() -> None:
    found = verdict_of(a_process(nodes=()), NOBODY_TELLS, interfaces=(CLAIM,))

    assert found.where is Where.ON_THE_CPU
    assert "no device file of a GPU is open in it" in found.because
    assert any(each.said == "it says that 100 % of llama3.1:8b are on a GPU" for each in found.findings)


@pytest.mark.parametrize("interfaces", [(), (CLAIM,)])
def test_an_interface_alone_decides_nothing(interfaces: tuple[Interface, ...]) -> None:
    closed = a_process(nodes=None, mapped=None, environ=None, account="bert", user=1001)

    found = verdict_of(closed, NOBODY_TELLS, interfaces=interfaces)

    assert found.where is Where.CANNOT_TELL
    assert found.because == "it is account `bert`'s, and what it has open cannot be read"
    assert found.advice == f"run `sudo gpuprobe running {NUMBER}`, or run gpuprobe as `bert`"


def test_root_is_not_sent_to_sudo() -> None:
    closed = a_process(nodes=None, mapped=None, environ=None, account="bert", user=1001)

    found = judged([Gathered(closed)], {NUMBER: NOBODY_TELLS}, around(as_root=True))[0]

    assert found.advice == "run gpuprobe where root has CAP_SYS_PTRACE, as it has outside of a container"


def test_a_model_s_name_in_a_command_to_paste_is_one_word_for_the_shell() -> None:
    process = a_process(command=("llama-server", "-m", "/models/a;reboot.gguf"))

    found = verdict_of(process, holds(2 * GiB), SOME, model_size=4 * GiB)

    assert "`gpuprobe plan '/models/a;reboot.gguf'`" in str(found.advice)


def test_memory_that_the_driver_tells_decides_also_where_the_process_itself_is_closed() -> None:
    closed = a_process(nodes=None, mapped=None, environ=None)

    assert verdict_of(closed, holds(5 * GiB)).where is Where.ON_THE_GPU


def test_where_nobody_tells_memory_its_log_decides_and_without_one_it_cannot_be_told() -> None:
    process = a_process()

    assert verdict_of(process, NOBODY_TELLS, ALL).where is Where.ON_THE_GPU
    assert verdict_of(process, NOBODY_TELLS, SOME).where is Where.PARTLY
    assert verdict_of(process, NOBODY_TELLS, NONE).where is Where.ON_THE_CPU
    assert verdict_of(process, NOBODY_TELLS).where is Where.CANNOT_TELL


def test_what_is_counted_on_another_card_says_nothing_of_the_one_that_is_open() -> None:
    """A laptop's graphics are opened by every program that looks for devices, and count that they hold nothing."""
    integrated = a_device("Vulkan", pci_id="0000:00:02.0", ordinal=0)
    machine = around(a_card(), integrated, node_of={"CUDA:0": ("/dev/nvidiactl",), "Vulkan:0": ("/dev/dri/renderD128",)})
    other = Holding((), (("Vulkan:0", "DRM fdinfo"),))
    both = a_process(nodes=("/dev/dri/renderD128", "/dev/nvidiactl"))

    assert verdict_of(both, other, ALL, machine=machine).where is Where.ON_THE_GPU
    assert verdict_of(both._replace(nodes=("/dev/dri/renderD128",)), other, ALL, machine=machine).where is Where.ON_THE_CPU


def test_open_files_and_nothing_mapped_that_computes_there_is_the_cpu() -> None:
    assert verdict_of(a_process(mapped=GGML), NOBODY_TELLS, ALL).where is Where.ON_THE_CPU


def test_layers_to_the_gpu_that_lie_in_buffers_of_the_cpu_are_on_the_cpu() -> None:
    found = verdict_of(a_process(nodes=()), NOBODY_TELLS, PRETENDED)

    assert found.where is Where.ON_THE_CPU
    assert found.layers is not None and found.layers.offloaded == 0
    assert "its log says `offloaded 33/33 layers to GPU`, and all its buffers are the CPU's" in found.because


def test_what_zero_layers_take_on_a_card_is_no_model_there() -> None:
    asked = a_process(command=(*SERVER, "-ngl", "0"))

    found = verdict_of(asked, holds(400 * MiB), NONE, model_size=4 * GiB)

    assert (found.where, found.cause) == (Where.ON_THE_CPU, Cause.ASKED)
    assert "holds 400 MiB on CUDA:0 (NVML) for its buffers, and no layer is there" in found.because


def test_a_hundredth_of_a_model_is_not_taken_for_it_whatever_the_log_says() -> None:
    found = verdict_of(a_process(), holds(40 * MiB), ALL, model_size=4 * GiB)

    assert found.where is Where.ON_THE_CPU
    assert "too little for a model of 4.0 GiB" in found.because


def test_experts_that_were_to_stay_on_the_cpu_make_it_partly_however_little_is_held() -> None:
    found = verdict_of(a_process(command=(*SERVER, "-ngl", "99", "--cpu-moe")), holds(400 * MiB), ALL, model_size=17 * GiB)

    assert found.where is Where.PARTLY
    assert found.because.endswith("`--cpu-moe` keeps parts of them on the CPU")


def test_one_layer_of_many_takes_little_and_is_there_all_the_same() -> None:
    log = SOME.replace("12/33", "1/33")

    assert verdict_of(a_process(), holds(300 * MiB), log, model_size=4 * GiB).where is Where.PARTLY


def test_a_size_that_the_driver_does_not_tell_is_not_a_small_one() -> None:
    assert verdict_of(a_process(), holds(None), ALL, model_size=4 * GiB).where is Where.ON_THE_GPU


def test_without_a_usable_gpu_the_cpu_is_right() -> None:
    nothing = around()._replace(devices=(), listed=(), why_none="No GPU found on this machine: models will run on the CPU")

    found = verdict_of(a_process(nodes=(), mapped=GGML), NOBODY_TELLS, machine=nothing)

    assert found.where is Where.RIGHTLY
    assert found.because == "no device file of a GPU is open in it; no GPU found on this machine"


def test_torch_is_rightly_on_the_cpu_where_only_vulkan_works() -> None:
    vulkan = a_device("Vulkan", pci_id="0000:03:00.0", ordinal=0)
    torch = "/venv/lib/python3.12/site-packages/torch/lib/libtorch_cpu.so"
    process = a_process(name="python3", command=("python3", "x.py"), mapped=(torch,), nodes=(), beside=())

    found = verdict_of(process, NOBODY_TELLS, machine=around(vulkan))

    assert (found.where, found.name) == (Where.RIGHTLY, "Python with torch")
    assert "none of the usable devices is one that torch computes on" in found.because


LLVMPIPE = a_device("Vulkan", name="llvmpipe (LLVM 15.0.6, 256 bits)", type=DeviceType.SOFTWARE, ordinal=0)
ON_LLVMPIPE = (
    "common_param:   - Vulkan0 : llvmpipe (LLVM 15.0.6, 256 bits) (2048 MiB, 2048 MiB free)\n"
    "load_tensors: offloaded 19/19 layers to GPU\nload_tensors:      Vulkan0 model buffer size =    65.16 MiB\n"
)


def test_a_renderer_that_runs_on_the_cpu_is_no_gpu_for_its_log_saying_so() -> None:
    beside_a_card = around()._replace(listed=(a_card(), LLVMPIPE))
    process = a_process(mapped=(*GGML, "/opt/llama/bin/libggml-vulkan.so"), nodes=())

    found = verdict_of(process, NOBODY_TELLS, ON_LLVMPIPE, machine=beside_a_card)

    assert found.where is Where.ON_THE_CPU
    assert "what its log calls a GPU is `llvmpipe (LLVM 15.0.6, 256 bits)`, a renderer that runs on the CPU" in found.because


def test_a_renderer_that_was_allowed_counts_and_is_named() -> None:
    process = a_process(mapped=(*GGML, "/opt/llama/bin/libggml-vulkan.so"), nodes=())

    found = verdict_of(process, NOBODY_TELLS, ON_LLVMPIPE, machine=around(LLVMPIPE))

    assert found.where is Where.ON_THE_GPU
    assert found.because.endswith("a renderer that runs on the CPU")


def test_layers_on_another_processs_device_are_not_judged() -> None:
    log = "load_tensors: offloaded 33/33 layers to GPU\nload_tensors: RPC0[10.0.0.2:50052] model buffer size =  4403.49 MiB\n"

    found = verdict_of(a_process(nodes=()), NOBODY_TELLS, log)

    assert found.where is Where.CANNOT_TELL
    assert "RPC0[10.0.0.2:50052]" in found.because


OLLAMA = ("/usr/local/bin/ollama", "serve")
RUNNER = ("/usr/local/bin/ollama", "runner", "--model", "/m/blobs/sha256-" + "a" * 64, "--port", "40001")


def ollama_and_its_runner(holding: Holding) -> list[tuple[int, Where, int | None]]:
    server = Gathered(a_process(number=10, name="ollama", command=OLLAMA, mapped=(), nodes=()))
    runner = Gathered(a_process(number=11, parent=10, name="ollama", command=RUNNER))
    found = judged([server, runner], {11: holding}, around())
    return [(each.process.number, each.where, each.through) for each in found]


def test_a_server_is_where_its_runner_is() -> None:
    assert ollama_and_its_runner(holds(5 * GiB)) == [(10, Where.ON_THE_GPU, 11), (11, Where.ON_THE_GPU, None)]
    assert ollama_and_its_runner(NOTHING) == [(10, Where.ON_THE_CPU, 11), (11, Where.ON_THE_CPU, None)]


def test_a_model_of_ollamas_store_has_the_name_that_its_server_tells() -> None:
    runner = a_process(number=11, name="ollama", command=RUNNER)

    assert verdict_of(runner, holds(5 * GiB)).model == RUNNER[3]
    assert verdict_of(runner, holds(5 * GiB), interfaces=(CLAIM,)).model == "llama3.1:8b"


def test_a_server_without_a_model_cannot_be_judged() -> None:
    found = verdict_of(a_process(name="ollama", command=OLLAMA, mapped=(), nodes=()), NOBODY_TELLS)

    assert (found.where, found.because) == (Where.CANNOT_TELL, "no model is loaded now")


CLAIMING = a_process(name="ollama", command=OLLAMA, mapped=(), nodes=())


def test_a_server_that_claims_a_model_and_has_no_runner_is_on_the_cpu_where_all_is_counted() -> None:
    found = verdict_of(CLAIMING, NOTHING, interfaces=(CLAIM,))

    assert found.where is Where.ON_THE_CPU
    assert "100 % of llama3.1:8b are on a GPU, and neither it nor a process of its own holds anything there" in found.because


def test_an_ollama_of_2023_computed_in_its_server_and_is_judged_by_what_that_holds() -> None:
    assert verdict_of(CLAIMING, holds(5 * GiB), interfaces=(CLAIM,)).where is Where.ON_THE_GPU


@pytest.mark.parametrize("unseen", ["only the processes of this container are seen", None])
def test_a_claim_is_not_judged_where_something_may_be_unseen_or_uncounted(unseen: str | None) -> None:
    process = CLAIMING if unseen else CLAIMING._replace(nodes=None, mapped=None)

    found = verdict_of(process, NOTHING, interfaces=(CLAIM,), machine=around(unseen=unseen))

    assert found.where is Where.CANNOT_TELL
    assert (unseen or "what it has open cannot be read") in found.because


def test_why_a_runner_may_be_unseen() -> None:
    server = a_process(number=10, name="ollama", command=OLLAMA)
    runner = a_process(number=11, parent=10, name="ollama", command=RUNNER)

    assert why_unseen(Table((server, runner)), ()) is None
    assert "of this container" in str(why_unseen(Table((server,), namespace=True), ()))
    assert "`hidepid`" in str(why_unseen(Table((server,), hidden=True), ()))
    assert "the driver names process 77" in str(why_unseen(Table((server,)), (77,)))
    assert "process 11 is a runner" in str(why_unseen(Table((server, runner._replace(parent=9)), 0), ()))


def test_a_child_that_holds_the_memory_speaks_for_the_process_that_started_it() -> None:
    front = Gathered(a_process(number=20, command=("python3", "/venv/bin/vllm", "serve", "m"), mapped=(), nodes=()))
    worker = Gathered(a_process(number=21, parent=20, command=("VLLM::EngineCore",)))

    first, _ = judged([front, worker], {21: holds(20 * GiB)}, around())

    assert (first.name, first.where, first.through) == ("vLLM", Where.ON_THE_GPU, 21)


def test_parents_in_a_circle_are_not_followed_for_ever() -> None:
    """Numbers are given again, so that a list of processes read one after another can hold such a circle."""
    one, other = Gathered(a_process(number=30, parent=31)), Gathered(a_process(number=31, parent=30))

    assert len(judged([one, other], {}, around())) == 2


def test_a_log_of_another_account_that_may_not_be_read_is_said() -> None:
    gathered = Gathered(a_process(), (LogText("/var/log/x.log", None, "denied"),))

    (found,) = judged([gathered], {NUMBER: NOBODY_TELLS}, around())

    assert ("log", "cannot be read by this account") in [(each.source, each.said) for each in found.findings]


def test_doctor_gets_one_line_about_what_runs_now_and_the_worst_first() -> None:
    server = Gathered(a_process(number=10, name="ollama", command=OLLAMA, mapped=(), nodes=()))
    runner = Gathered(a_process(number=11, parent=10, name="ollama", command=RUNNER, nodes=()))
    other = Gathered(a_process(number=12, parent=10, name="ollama", command=RUNNER))

    found = judged([server, runner, other], {12: holds(5 * GiB)}, around())

    line = line_for("ollama", found)
    assert line is not None and line.startswith("running now: Ollama's runner (11) is on the CPU although a GPU is usable: ")
    assert line.endswith("; 1 more of it runs; see `gpuprobe running 11`")
    assert line_for("vllm", found) is None
