"""Programs and frameworks that compute on the CPU although a GPU works, and all that the checks of the whole machine say."""

from __future__ import annotations

from typing import Any

from gpuprobe.doctor.findings import Finding
from gpuprobe.doctor.log_reading import explained
from gpuprobe.doctor.machine_findings import findings_of_the_machine
from gpuprobe.facts import CPU_ONLY, CodeFile, FoundBuild, FoundSoftware, Host, NamedPlace, Need
from gpuprobe.facts.system_facts import Package, Standing
from gpuprobe.judging.rules import judge
from gpuprobe.model import Device, DeviceType, Inventory, Outcome, Probe, Purpose, Request, Status
from tests.doctor.sick_machines import ADDRESS, a_radeon, an_arc, kfd_nodes, knowing, with_radeon
from tests.records import INTEL, a_card, a_device, a_host, an_outcome, evidence_of
from tests.running_records import ALL, NONE, PRETENDED, SOME

Told = tuple[Finding, ...]
CARD = a_device("CUDA", pci_id="0000:01:00.0", compute_major=12, compute_minor=0, kernel_version="580.95.05")
SECOND = CARD._replace(pci_id="0000:02:00.0", uuid="GPU-2", number=1)
RADEON = a_device("ROCm", pci_id=ADDRESS)
ARC = a_device("Vulkan", pci_id=ADDRESS, vendor_id=INTEL)
OLLAMA = "/usr/local/lib/ollama"
PLACE = (NamedPlace("/usr/lib/ollama", "Ollama", CPU_ONLY),)


def a_build(folder: str, library: str = "CUDA", *, product: str = "ollama", home: str = OLLAMA) -> FoundBuild:
    path = f"{home}/{folder}/libggml-{library.lower()}.so"
    where = "Ollama" if product == "ollama" else "llama.cpp"
    return FoundBuild(folder, library, path, (), (path.rpartition("/")[0],), where, product=product)


def of(host: Host, *devices: Device, outcomes: tuple[Outcome, ...] = ()) -> Told:
    return findings_of_the_machine(judge(evidence_of(*devices, host=host, outcomes=outcomes), Request()))


def with_card(**fields: Any) -> Host:
    return a_host(**{"pci": (a_card(), a_card("0000:02:00.0")), **fields})


def no_code(view: Device) -> Outcome:
    probe = Probe("CUDA", Purpose.VALIDATE, build=view.build, device=view.key)
    fields: dict[str, Any] = {"code": 209, "message": "no kernel image", "failure": "unsupported", "seconds": 0.1}
    return Outcome(probe, Status.CALL_FAILED, **fields)


def lacking(compute: tuple[int, int], *builds: FoundBuild) -> Told:
    """Of an Ollama or a llama.cpp whose builds have no code for this card."""
    chip = CARD._replace(compute_major=compute[0], compute_minor=compute[1])
    views = [chip._replace(build=build.name) for build in builds]
    return of(with_card(builds=builds), chip, *views, outcomes=tuple(map(no_code, views)))


def with_builds() -> dict[str, Told]:
    arc = a_host(pci=(an_arc(),), builds=(a_build("cuda_v12"), a_build("rocm", "ROCm")))
    radeon = with_radeon(empty_places=PLACE)
    arch = {"packages": (Package("ollama", "0.12.3", "pacman"),), "package_lists": {"pacman": None}}
    works = CARD._replace(build="cuda_v12")
    both = (a_build("cuda_v12"), a_build("cuda_v13"))
    python = NamedPlace("/v/lib/python3.12/site-packages/llama_cpp/lib", "llama.cpp", CPU_ONLY)
    chosen = {"OLLAMA_LLM_LIBRARY": "cuda_v12"}
    off = {"OLLAMA_VULKAN": " False "}

    def listing(status: Status, build: str = "cuda_v12", purpose: Purpose = Purpose.LIST, **fields: Any) -> Outcome:
        probe = Probe("CUDA", purpose, build=build)
        return an_outcome(library="CUDA", probe=probe, status=status, message="undefined symbol: ggml_x", **fields)

    def ended(*outcomes: Outcome) -> Told:
        return of(with_card(builds=both), CARD, works, outcomes=outcomes)

    return {
        "ollama-with-cpu-backends-alone": of(with_card(empty_places=PLACE), CARD, SECOND),
        "ollama-of-arch-with-cpu-backends-alone": of(knowing(radeon, **arch), RADEON),
        "ollama-of-a-deb-with-cpu-backends-alone": of(
            knowing(radeon, packages=(Package("ollama", "0.12.3", "dpkg"),), package_lists={"dpkg": None}), RADEON
        ),
        "llama-cpp-with-cpu-backends-alone": of(
            with_card(empty_places=(NamedPlace("/opt/llama", "llama.cpp", CPU_ONLY),)), CARD
        ),
        "llama-cpp-python-with-cpu-backends-alone": of(with_card(empty_places=(python,)), CARD),
        "llama-cpp-python-beside-a-radeon": of(with_radeon(empty_places=(python,)), RADEON),
        "ollama-with-builds-for-other-vendors": of(arc, ARC),
        "ollama-lacks-a-build-and-llama-cpp-has-one": of(
            with_card(empty_places=PLACE, builds=(a_build("cuda_v12", product="llama.cpp", home="/opt/llama"),)), CARD, works
        ),
        "no-code-in-the-older-build": lacking((11, 0), a_build("cuda_v12")),
        "no-code-in-either-build": lacking((11, 0), *both),
        "no-code-for-an-old-chip": lacking((5, 0), a_build("cuda_v13")),
        "no-code-in-llama-cpp": lacking((11, 0), a_build("cuda_v12", product="llama.cpp", home="/opt/llama")),
        "nothing-usable": of(with_card(empty_places=PLACE)),
        "chosen-away": of(with_card(builds=both, environ=chosen), CARD),
        "chosen-away-in-vain": of(with_card(builds=both, environ=chosen), CARD, works),
        "chosen-the-only-one": of(with_card(builds=both[:1], environ=chosen), CARD),
        "vulkan-off": of(a_host(pci=(an_arc(),), environ=off), ARC),
        "vulkan-off-beside-cuda": of(with_card(environ=off), CARD),
        "vulkan-off-and-nothing-usable": of(with_card(environ=off)),
        "vulkan-on": of(a_host(pci=(an_arc(),), environ={"OLLAMA_VULKAN": "1"}), ARC),
        "build-that-does-not-load": ended(listing(Status.NOT_LOADABLE)),
        "build-of-a-file-that-does-not-load": ended(listing(Status.NOT_LOADABLE, library_path=f"{OLLAMA}/libggml-base.so")),
        "build-that-crashes": ended(listing(Status.CRASHED, signal=11)),
        "build-that-was-not-asked": ended(listing(Status.INIT_FAILED, seconds=None)),
        "build-that-lists-nothing": ended(listing(Status.NO_DEVICES)),
        "library-of-the-system-that-does-not-load": ended(listing(Status.NOT_LOADABLE, build="system")),
        "build-whose-validation-crashes": ended(listing(Status.CRASHED, purpose=Purpose.VALIDATE, signal=6)),
    }


def software(name: str, library: str | None = "CUDA", **fields: Any) -> FoundSoftware:
    site = "/v/lib/python3.12/site-packages"
    known: dict[str, Any] = {"where": "wheel", "version": "1.0", "site": site, "path": f"{site}/{name.lower()}"}
    return FoundSoftware(**{"name": name, "library": library, **known, **fields})


def with_frameworks() -> dict[str, Told]:
    cpu = software("torch", None, version="2.9.1+cpu")
    old = software("torch", architectures=("sm_50", "sm_60"))
    runtime = {"where": "toolkit", "site": None, "version": None, "release": "13.9"}
    libraries = [software(f"lib{name}", path=f"/usr/local/cuda/lib64/lib{name}.so", **runtime) for name in ("cudart", "cublas")]
    driver = CARD._replace(kernel_version="470.223.02", api_version="11.4")
    files = (CodeFile("/x/a.so", ("sm_50",)), CodeFile("/x/b.so", ("sm_60", "sm_50")))
    needs = (Need("libcudart.so.12", None, ("13",)), Need("libcublas.so.12", "/x"), Need("libcurand.so.10"))
    fitting: dict[str, Any] = {"architectures": ("sm_120",), "needs": needs}

    def seen(*found: FoundSoftware, device: Device = CARD, host: Host | None = None) -> Told:
        return of((host or with_card())._replace(software=found), device)

    return {
        "torch-for-the-cpu": seen(cpu),
        "torch-for-the-cpu-on-arm": seen(cpu, host=with_card(machine="riscv64")),
        "torch-without-code-for-two-cards": of(with_card(software=(old,)), CARD, SECOND),
        "framework-without-code": seen(software("CuPy", files=files)),
        "framework-without-code-of-a-radeon": seen(
            software("JAX", "ROCm", architectures=("gfx900",), distribution="jax-rocm7-plugin"),
            device=RADEON,
            host=with_radeon(),
        ),
        "framework-of-a-build": seen(software("CuPy", where="build", files=files)),
        "runtimes-newer-than-the-driver": seen(*libraries, device=driver),
        "framework-newer-than-the-driver": seen(software("CuPy", release="13.0"), device=driver),
        "chip-of-unknown-architecture": seen(
            software("torch", None), device=CARD._replace(compute_major=None, compute_minor=None)
        ),
        "nothing-looked-for": of(with_card(), CARD),
        "card-that-works-through-vulkan-alone": seen(old, device=CARD._replace(library="Vulkan")),
        "library-lacks": seen(software("FAISS", **fitting)),
        "library-lacks-and-other-majors-are-there": seen(
            software("Flash Attention", distribution="flash-attn", **{**fitting, "needs": (Need("libx.so.1"), needs[0])})
        ),
        "library-lacks-in-what-has-no-code": seen(software("FAISS", **{**fitting, "architectures": ("sm_50",)})),
        "library-lacks-in-what-asks-another": seen(software("ONNX Runtime", through="TensorRT", compiles=True, needs=needs)),
        "library-lacks-for-two-cards": of(with_card(software=(software("FAISS", **fitting),)), CARD, SECOND),
        "nothing-lacks": seen(software("FAISS", architectures=("sm_120",), needs=needs[1:2])),
        "for-another-vendor": seen(software("torch", "ROCm"), host=with_card()),
        "for-two-other-vendors": seen(software("torch", "ROCm"), software("torch", "Level Zero", path="/v/x")),
        "for-another-vendor-and-for-this": seen(
            software("torch", "ROCm"), software("torch", "CUDA", architectures=("sm_120",))
        ),
        "for-another-vendor-and-for-the-cpu": seen(software("CuPy", "ROCm"), software("CuPy", None, path="/v/cupy_cpu")),
        "for-another-vendor-in-another-environment": seen(
            software("torch", "ROCm"), software("torch", "CUDA", architectures=("sm_120",), site="/w", path="/w/torch")
        ),
        "for-another-vendor-through-others": seen(software("ONNX Runtime", "ROCm", through="MIGraphX")),
        "for-another-vendor-without-an-environment": seen(software("torch", "ROCm", site=None)),
        "for-another-vendor-on-no-card": of(a_host(software=(software("torch", "ROCm"),))),
        "for-any-vendor": seen(software("ExecuTorch", "Vulkan")),
        "runtime-for-another-vendor": seen(software("libcudart"), device=RADEON, host=with_radeon()),
    }


def with_graphics_of_the_processor() -> dict[str, Told]:
    home = f"{OLLAMA}/rocm"
    build = FoundBuild("rocm", "ROCm", f"{home}/libggml-hip.so", (), (home,), "Ollama", product="ollama")
    inside = a_device(
        "ROCm", pci_id=ADDRESS, name="AMD Radeon 890M", type=DeviceType.INTEGRATED, gfx_target="gfx1150", build="rocm"
    )
    laptop = with_radeon(texts=kfd_nodes(110500), builds=(build,))
    other = inside._replace(pci_id="0000:09:00.0", number=1, name=None)
    running = Standing("unit", "ollama.service", command="ollama")

    def packaged(version: str | None) -> Host:
        return knowing(laptop, packages=(Package("ollama", version, "pacman"),), package_lists={"pacman": None})

    return {
        "left-out": of(packaged("0.30.3-1"), inside),
        "left-out-by-the-first-that-does": of(packaged("0.30"), inside),
        "left-out-by-a-later-one": of(packaged("1.0.0"), inside),
        "left-out-of-two": of(laptop._replace(pci=(a_radeon(), a_radeon("0000:09:00.0"))), inside, other),
        "left-out-by-one-of-no-number": of(packaged("git"), inside),
        "left-out-by-one-of-no-version": of(packaged(None), inside),
        "taken-by-an-older-one": of(packaged("0.29.9"), inside),
        "one-of-two-is-discrete": of(laptop, inside, other._replace(type=DeviceType.DISCRETE)),
        "switched-on-here": of(laptop._replace(environ={"OLLAMA_IGPU_ENABLE": "TRUE"}), inside),
        "switched-off-here": of(laptop._replace(environ={"OLLAMA_IGPU_ENABLE": "0"}), inside),
        "switched-on-here-and-the-server-cannot-be-read": of(
            knowing(laptop._replace(environ={"OLLAMA_IGPU_ENABLE": "t"}), servers=(running,)), inside
        ),
        "no-ollama": of(laptop._replace(builds=()), inside._replace(build="system")),
        "ollama-that-runs-and-whose-builds-were-not-found": of(
            knowing(laptop._replace(builds=()), servers=(running,)), inside._replace(build="system")
        ),
        "nothing-usable": of(laptop),
    }


def with_logs() -> dict[str, Told]:
    """Logs of servers, beside a card that works and, where it says so, beside none."""
    works = judge(evidence_of(CARD, SECOND), Request())
    one, nothing = judge(evidence_of(CARD), Request()), judge(evidence_of(), Request())

    def read(*lines: str, inventory: Inventory = works) -> Told:
        return explained("\n".join(lines).splitlines(), inventory)

    complaints = {
        "no-backend": "warning: no usable GPU found, --gpu-layers option will be ignored",
        "no-memory": "ggml_cuda: cudaMalloc failed: out of memory",
        "no-device": "ggml_cuda_init: failed to initialize CUDA: no CUDA-capable device is detected",
        "driver": "ggml_cuda_init: failed to initialize CUDA: unknown error",
        "timed-out": 'msg="failure during GPU discovery" error="failed to finish discovery before timeout"',
        "on-the-cpu": 'msg="no compatible GPUs were discovered"',
    }
    buffers = "load_tensors:   {} model buffer size = 300.00 MiB"
    many = [buffers.format(name) for name in ("CPU_Mapped", "CUDA0", "CUDA1", "CUDA2", "CUDA3")]
    return {
        **{f"{name}-and-a-card-works": read(line) for name, line in complaints.items()},
        **{f"{name}-and-no-card-works": read(line, inventory=nothing) for name, line in complaints.items()},
        "driver-and-one-card-works": read(complaints["driver"], inventory=one),
        "memory-and-the-driver": read(complaints["no-memory"], complaints["driver"], complaints["no-memory"]),
        "memory-and-a-model-on-the-gpu": read(complaints["no-memory"], ALL),
        "all-layers": read(ALL),
        "some-layers": read(SOME),
        "no-layers": read(NONE),
        "layers-in-buffers-of-the-cpu": read(PRETENDED),
        "layers-and-no-buffers": read("load_tensors: offloaded 33/33 layers to GPU"),
        "buffers-alone": read(*many),
        "buffers-of-the-cpu-alone": read(many[0]),
        "devices-alone": read("load_tensors:   CUDA0 KV buffer size =  100.00 MiB"),
        "nothing": read("hello"),
    }


KINDS = (with_builds, with_frameworks, with_graphics_of_the_processor, with_logs)
