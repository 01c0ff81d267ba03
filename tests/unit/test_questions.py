"""What is worth asking next; the answers are played, no child is started."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from gpuprobe.facts import FoundBuild, FoundLibrary, FoundSoftware, Host
from gpuprobe.judging.rules import judge
from gpuprobe.libraries import LIBRARIES
from gpuprobe.model import (
    Depth,
    Device,
    Evidence,
    Outcome,
    Partition,
    Probe,
    Purpose,
    Request,
    StageName,
    Status,
    ValidationScope,
)
from gpuprobe.probing.asking import child_request
from gpuprobe.probing.questions import next_probes, not_asked
from gpuprobe.probing.validation_questions import validation_probe
from tests.records import a_card, a_device, a_host, a_manifest, a_software_renderer, an_outcome

FIRST, SECOND = "0000:01:00.0", "0000:02:00.0"
ANY = Request()


def having(*sonames: str, **fields: object) -> Host:
    found = tuple(FoundLibrary(name, f"/usr/lib/{name}", f"/usr/lib/{name}", "linker cache") for name in sonames)
    return a_host(libraries=found, **fields)


BOTH = ("libcuda.so.1", "libvulkan.so.1")


def listing(library: str) -> Probe:
    return Probe(library, Purpose.LIST)


def evidence(host: Host, *outcomes: Outcome) -> Evidence:
    return Evidence(host, outcomes, "2026-11-21T09:00:00Z")


def played(host: Host, answers: dict[Probe, Outcome], request: Request = ANY, seed: int | None = None) -> Evidence:
    """Asks until nothing is left; children answer in the order of `seed`."""
    order = random.Random(seed)
    known = evidence(host, *not_asked(host, request))
    running: list[Probe] = []
    while True:
        running += next_probes(known, request, running)
        if not running:
            return known
        probe = running.pop(order.randrange(len(running)) if seed is not None else 0)
        answer = answers.get(probe, Outcome(probe, Status.OK, depth=Depth.CONTEXT))
        known = known._replace(outcomes=(*known.outcomes, answer))


def asked(known: Evidence) -> list[Probe]:
    return [outcome.probe for outcome in known.outcomes if outcome.status not in (Status.ABSENT, Status.SKIPPED)]


def test_a_library_that_is_not_installed_costs_no_child() -> None:
    host = a_host()

    assert next_probes(evidence(host), ANY) == ()
    assert {outcome.probe.library: outcome.status for outcome in not_asked(host, ANY)} == dict.fromkeys(
        (library.name for library in LIBRARIES if library.sonames.get("linux") is not None), Status.ABSENT
    )


def test_a_missing_library_is_asked_all_the_same_where_the_bus_shows_its_card() -> None:
    """The loader's own words are the evidence then."""
    host = a_host(pci=(a_card(),))

    assert listing("CUDA") in next_probes(evidence(host), ANY)


def test_all_libraries_list_at_once() -> None:
    assert next_probes(evidence(having(*BOTH, "libnvidia-ml.so.1")), ANY) == (
        listing("CUDA"),
        listing("Vulkan"),
        listing("NVML"),
    )


def test_only_what_the_user_names_is_asked_and_its_witness_comes_along() -> None:
    host = having(*BOTH, "libnvidia-ml.so.1")

    assert next_probes(evidence(host), Request(libraries=("CUDA",))) == (listing("CUDA"), listing("NVML"))
    assert next_probes(evidence(host), Request(libraries=("Vulkan",))) == (listing("Vulkan"),)


def test_vulkan_can_be_switched_off_and_the_reason_is_kept() -> None:
    host = having(*BOTH, environ={"OLLAMA_VULKAN": "0"})

    (skipped,) = [outcome for outcome in not_asked(host, ANY) if outcome.probe.library == "Vulkan"]

    assert (skipped.status, skipped.message) == (Status.SKIPPED, "`OLLAMA_VULKAN` switches it off")
    assert listing("Vulkan") not in next_probes(evidence(host), ANY)


def test_the_switch_of_ollama_leaves_the_systems_vulkan_on_where_llama_cpp_has_a_build_for_it() -> None:
    """A build leaves out some devices, and only the system's list knows the numbers of `GGML_VK_VISIBLE_DEVICES`."""
    path = "/usr/lib/ggml/libggml-vulkan.so"
    build = FoundBuild("llama.cpp-vulkan", "Vulkan", path, (), (), where="llama.cpp", product="llama.cpp")
    host = having(*BOTH, environ={"OLLAMA_VULKAN": "0"}, builds=(build,))

    assert listing("Vulkan") in next_probes(evidence(host), ANY)


def test_a_sleeping_card_is_left_alone_if_it_shall_not_be_woken() -> None:
    host = having(*BOTH, "libnvidia-ml.so.1", pci=(a_card(runtime_status="suspended"),))

    assert next_probes(evidence(host), Request(wake=False)) == ()
    messages = {outcome.probe.library: outcome.message for outcome in not_asked(host, Request(wake=False))}
    assert messages["CUDA"] == "asking would wake 0000:01:00.0, which `--no-wake` forbids"


def test_the_less_preferred_view_is_not_validated_while_the_better_one_works() -> None:
    cuda, vulkan = a_device("CUDA", pci_id=FIRST), a_device("Vulkan", pci_id=FIRST)
    answers = {listing("CUDA"): an_outcome(cuda), listing("Vulkan"): an_outcome(vulkan)}

    known = played(having(*BOTH), answers)

    assert [probe for probe in asked(known) if probe.purpose is Purpose.VALIDATE] == [
        Probe("CUDA", Purpose.VALIDATE, device=FIRST)
    ]


def test_the_next_view_is_validated_when_the_better_one_fails() -> None:
    cuda, vulkan = a_device("CUDA", pci_id=FIRST), a_device("Vulkan", pci_id=FIRST)
    failing = Probe("CUDA", Purpose.VALIDATE, device=FIRST)
    answers = {
        listing("CUDA"): an_outcome(cuda),
        listing("Vulkan"): an_outcome(vulkan),
        failing: Outcome(failing, Status.CALL_FAILED, failure="unsupported", message="no"),
    }

    known = played(having(*BOTH), answers)

    assert [device.library for device in judge(known, ANY).kept] == ["Vulkan"]
    assert Probe("Vulkan", Purpose.VALIDATE, device=FIRST) in asked(known)


@pytest.mark.parametrize("seed", range(12))
def test_which_views_are_validated_does_not_depend_on_who_answers_first(seed: int) -> None:
    cards = [
        a_device(library, pci_id=address, number=n)
        for library in ("CUDA", "Vulkan")
        for n, address in enumerate((FIRST, SECOND))
    ]
    radeon = a_device("Vulkan", name="AMD Radeon RX 7900 XTX", vendor_id=0x1002, pci_id="0000:03:00.0", number=2)
    answers = {
        listing("CUDA"): an_outcome(*cards[:2]),
        listing("Vulkan"): an_outcome(*cards[2:], radeon),
        listing("NVML"): an_outcome(a_device("NVML", pci_id=FIRST)),
    }

    known = played(having(*BOTH, "libnvidia-ml.so.1"), answers, seed=seed)

    assert {probe.device for probe in asked(known) if probe.library == "CUDA" and probe.device} == {FIRST, SECOND}
    assert [probe.device for probe in asked(known) if probe.library == "Vulkan" and probe.device] == ["0000:03:00.0"]


def test_another_vendors_card_does_not_wait_for_a_slow_library() -> None:
    radeon = a_device("Vulkan", vendor_id=0x1002, pci_id="0000:03:00.0")
    known = evidence(having(*BOTH), an_outcome(radeon))

    assert Probe("Vulkan", Purpose.VALIDATE, device="0000:03:00.0") in next_probes(known, ANY, [listing("CUDA")])


def test_two_views_of_one_card_are_never_validated_at_the_same_time() -> None:
    cuda, vulkan = a_device("CUDA", pci_id=FIRST), a_device("Vulkan", pci_id=FIRST)
    known = evidence(having(*BOTH), an_outcome(cuda), an_outcome(vulkan))
    everything = Request(validate=ValidationScope.ALL)

    (first,) = next_probes(known, everything)
    assert first == Probe("CUDA", Purpose.VALIDATE, device=FIRST)
    assert next_probes(known, everything, [first]) == ()


def test_a_full_validation_is_asked_of_each_view_as_often_as_is_wanted_one_after_the_other() -> None:
    known = evidence(having("libcuda.so.1"), an_outcome(a_device(pci_id=FIRST)))
    request = Request(validate=ValidationScope.PROVED, repeat=3, until=StageName.COPY)
    attempts = []
    while probes := next_probes(known, request):
        (probe,) = probes
        assert next_probes(known, request, [probe]) == ()
        attempts.append(probe)
        known = known._replace(outcomes=(*known.outcomes, Outcome(probe, status=Status.OK, depth=Depth.COPY)))

    plain = Probe("CUDA", Purpose.PROVE, device=FIRST, until=StageName.COPY)
    assert attempts == [plain, plain._replace(attempt=1), plain._replace(attempt=2)]


def test_only_views_in_the_chosen_builds_are_proved() -> None:
    views = [a_device(pci_id=FIRST, build=build) for build in ("system", "cuda_v13")]
    known = evidence(having("libcuda.so.1"), *(an_outcome(view) for view in views))

    (probe,) = next_probes(known, Request(validate=ValidationScope.PROVED, builds=("cuda_v13",)))

    assert (probe.build, probe.purpose) == ("cuda_v13", Purpose.PROVE)


def test_a_full_validation_is_asked_although_the_one_of_a_listing_is_known() -> None:
    plain = Outcome(Probe("CUDA", Purpose.VALIDATE, device=FIRST), status=Status.OK, depth=Depth.CONTEXT)
    known = evidence(having("libcuda.so.1"), an_outcome(a_device(pci_id=FIRST)), plain)

    assert next_probes(known, Request(validate=ValidationScope.ALL)) == ()
    assert [probe.purpose for probe in next_probes(known, Request(validate=ValidationScope.PROVED))] == [Purpose.PROVE]


def test_the_child_is_told_how_far_to_climb_and_with_which_cublas() -> None:
    found = [
        FoundSoftware("libcublas", "/cuda-12/libcublas.so.12", "toolkit", "CUDA"),
        FoundSoftware("libcudart", "/cuda-12/libcudart.so.12", "toolkit", "CUDA"),
        FoundSoftware("libcublas", "/broken/nvidia", "wheel", "CUDA", problem="the library is not there"),
    ]
    listed = an_outcome(a_device(pci_id=FIRST))
    host = having("libcuda.so.1", software=tuple(found))

    asked_for = child_request(Probe("CUDA", Purpose.PROVE, device=FIRST, until=StageName.BLAS), host, (listed,))

    assert (asked_for["purpose"], asked_for["until"], asked_for["turns"]) == ("prove", "blas", True)
    assert asked_for["toolkits"] == ["/cuda-12/libcublas.so.12"]
    assert asked_for["device"]["pci_id"] == FIRST
    assert "until" not in child_request(Probe("CUDA", Purpose.VALIDATE, device=FIRST), host, (listed,))


def test_the_child_is_told_where_rocblas_is_and_not_where_its_kernels_lie_alone() -> None:
    found = (
        FoundSoftware("rocBLAS", "/opt/rocm/lib/librocblas.so.4", "ROCm", "ROCm"),
        FoundSoftware("rocBLAS", "/usr/lib/rocblas/library", "ROCm", "ROCm"),
        FoundSoftware("libcublas", "/cuda-12/libcublas.so.12", "toolkit", "CUDA"),
    )
    listed = an_outcome(a_device(library="ROCm", pci_id=FIRST))
    host = having("libamdhip64.so.6", software=found)

    asked_for = child_request(Probe("ROCm", Purpose.PROVE, device=FIRST), host, (listed,))

    assert asked_for["toolkits"] == ["/opt/rocm/lib/librocblas.so.4"]


def test_the_child_is_told_of_the_cublas_that_a_build_brings(tmp_path: Path) -> None:
    for name in ("libcublas.so.12", "libcublas.so.12.8.4", "libcublasLt.so.12", "librocblas.so.4", "libggml-cuda.so"):
        (tmp_path / name).touch()
    build = FoundBuild("cuda_v12", "CUDA", f"{tmp_path}/libggml-cuda.so", (), (str(tmp_path),), "Ollama")
    broken = build._replace(name="cuda_v13", directories=("/broken",), problem="it is of another machine")
    listed = (an_outcome(a_device(pci_id=FIRST)), an_outcome(a_device(library="ROCm", pci_id=SECOND)))

    def told(library: str, device: str, *builds: FoundBuild) -> object:
        host = having("libcuda.so.1", "libamdhip64.so.6", builds=builds)
        return child_request(Probe(library, Purpose.PROVE, device=device), host, listed)["toolkits"]

    assert told("CUDA", FIRST, build, broken) == [f"{tmp_path}/libcublas.so.12"]
    assert told("CUDA", FIRST, build._replace(problem="it is of another machine")) == []
    assert told("ROCm", SECOND, build) == []
    assert told("ROCm", SECOND, build._replace(library="ROCm")) == [f"{tmp_path}/librocblas.so.4"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is careful here, and only root can give a file away")
def test_as_root_no_cublas_is_loaded_that_another_account_could_replace(tmp_path: Path) -> None:
    paths = [tmp_path / "libcublas.so.12", tmp_path / "libcublas.so.13"]
    for path in paths:
        path.touch()
    os.chown(paths[1], 65534, 65534)
    host = having("libcuda.so.1", software=tuple(FoundSoftware("libcublas", str(path), "wheel", "CUDA") for path in paths))

    asked_for = child_request(Probe("CUDA", Purpose.PROVE, device=FIRST), host, (an_outcome(a_device(pci_id=FIRST)),))

    assert asked_for["toolkits"] == [str(paths[0])]


def test_eight_cards_are_validated_side_by_side() -> None:
    cards = [a_device(pci_id=f"0000:0{n}:00.0", number=n) for n in range(1, 9)]
    known = evidence(having("libcuda.so.1"), an_outcome(*cards))

    assert len(next_probes(known, ANY)) == 8


MANIFESTS = (a_manifest("/icd/good.json"), a_manifest("/icd/bad.json"))


@pytest.mark.parametrize(
    "status", [Status.CRASHED, Status.TIMED_OUT, Status.EXITED, Status.INIT_FAILED, Status.CALL_FAILED, Status.UNREADABLE]
)
def test_each_driver_manifest_is_asked_alone_where_all_together_fail(status: Status) -> None:
    host = having("libvulkan.so.1", manifests=MANIFESTS)
    failed = an_outcome(library="Vulkan", status=status)

    alone = next_probes(evidence(host, failed), ANY)

    assert [(probe.purpose, probe.manifest) for probe in alone] == [
        (Purpose.ALONE, "/icd/good.json"),
        (Purpose.ALONE, "/icd/bad.json"),
    ]
    assert dict(alone[0].variables) == {
        "VK_DRIVER_FILES": "/icd/good.json",
        "VK_ICD_FILENAMES": None,
        "VK_ADD_DRIVER_FILES": None,
    }


ZE_DRIVERS = ("libze_intel_gpu.so.1", "libze_intel_gpu_legacy1.so.1")


def test_drivers_that_a_library_finds_by_name_are_asked_alone_too() -> None:
    host = having("libze_loader.so.1", *ZE_DRIVERS)

    alone = next_probes(evidence(host, an_outcome(library="Level Zero", status=Status.CRASHED)), ANY)

    assert [(probe.purpose, probe.manifest, probe.variables) for probe in alone] == [
        (Purpose.ALONE, name, (("ZE_ENABLE_ALT_DRIVERS", name),)) for name in ZE_DRIVERS
    ]


def test_drivers_that_the_user_names_are_the_ones_asked_alone() -> None:
    host = having("libze_loader.so.1", *ZE_DRIVERS, environ={"ZE_ENABLE_ALT_DRIVERS": "/opt/a.so,/opt/b.so"})

    probes = next_probes(evidence(host, an_outcome(library="Level Zero", status=Status.CRASHED)), ANY)

    assert [probe.manifest for probe in probes if probe.purpose is Purpose.ALONE] == ["/opt/a.so", "/opt/b.so"]


@pytest.mark.parametrize("status", [Status.OK, Status.NO_DEVICES])
def test_manifests_are_not_asked_alone_where_all_together_work(status: Status) -> None:
    host = having("libvulkan.so.1", manifests=MANIFESTS)

    assert next_probes(evidence(host, an_outcome(library="Vulkan", status=status)), ANY) == ()


def test_one_manifest_alone_is_not_asked_the_same_question_again() -> None:
    host = having("libvulkan.so.1", manifests=MANIFESTS[:1])

    assert next_probes(evidence(host, an_outcome(library="Vulkan", status=Status.CRASHED)), ANY) == ()


def test_a_device_of_one_manifest_alone_is_validated_with_that_manifest() -> None:
    good = a_device("Vulkan", manifest="/icd/good.json", vendor_id=0x1002, pci_id=FIRST)
    host = having("libvulkan.so.1", manifests=MANIFESTS)
    together = an_outcome(library="Vulkan", status=Status.CRASHED)
    one, other = next_probes(evidence(host, together), ANY)
    known = evidence(host, together, an_outcome(good, probe=one), Outcome(other, Status.CRASHED))

    (probe,) = [probe for probe in next_probes(known, ANY) if probe.purpose is Purpose.VALIDATE]

    assert (probe.manifest, dict(probe.variables)["VK_DRIVER_FILES"]) == ("/icd/good.json", "/icd/good.json")


def test_what_a_variable_hides_is_found_out_by_a_child_without_it() -> None:
    host = having("libcuda.so.1", environ={"CUDA_VISIBLE_DEVICES": "1"})
    known = evidence(host, an_outcome(a_device(pci_id=SECOND)))

    assert Probe("CUDA", Purpose.UNFILTERED, variables=(("CUDA_VISIBLE_DEVICES", None),)) in next_probes(known, ANY)


def test_no_child_is_spent_on_variables_that_are_not_set() -> None:
    known = evidence(having("libcuda.so.1"), an_outcome(a_device(pci_id=SECOND)))

    assert not [probe for probe in next_probes(known, ANY) if probe.purpose is Purpose.UNFILTERED]


def test_a_software_renderer_is_validated_only_if_it_is_allowed() -> None:
    known = evidence(having("libvulkan.so.1"), an_outcome(a_software_renderer()))

    for validate in (ValidationScope.NEEDED, ValidationScope.ALL):
        assert next_probes(known, Request(validate=validate)) == ()
        assert len(next_probes(known, Request(validate=validate, allow_software=True))) == 1


def test_a_device_that_a_witness_completed_is_validated_as_its_library_listed_it() -> None:
    cuda = a_device("CUDA", pci_id=FIRST, uuid=None)
    nvml = a_device("NVML", pci_id=FIRST, uuid="GPU-00000000-0000-0000-0000-00000000000a")
    answers = {listing("CUDA"): an_outcome(cuda), listing("NVML"): an_outcome(nvml)}

    known = played(having("libcuda.so.1", "libnvidia-ml.so.1"), answers)

    (device,) = judge(known, ANY).kept
    assert (device.id, device.key) == (nvml.uuid, FIRST)
    assert device.validation is not None


ROCR_A, ROCR_B = "GPU-4b2c1a9f8d3e6f7a", "GPU-5c3d2b0a9e4f7a8b"


def shown_alone(*devices: Device, **environ: str) -> list[dict[str, str | None]]:
    """The variables of the children that validate these cards of ROCm."""
    known = evidence(having("libamdhip64.so.6", environ=environ), an_outcome(*devices))
    probes = next_probes(known, Request(validate=ValidationScope.ALL))
    return [dict(probe.variables) for probe in probes if probe.purpose is Purpose.VALIDATE]


def test_a_card_of_rocm_is_validated_in_a_child_that_sees_no_other() -> None:
    """rocBLAS starts on every card that it sees, and aborts on one that it does not support."""
    cards = (a_device("ROCm", uuid=ROCR_A, pci_id=FIRST), a_device("ROCm", number=1, uuid=ROCR_B, pci_id=SECOND))

    unset = {"HIP_VISIBLE_DEVICES": None, "GPU_DEVICE_ORDINAL": None}
    assert shown_alone(*cards) == [{"ROCR_VISIBLE_DEVICES": ROCR_A, **unset}, {"ROCR_VISIBLE_DEVICES": ROCR_B, **unset}]


@pytest.mark.parametrize(
    ("environ", "token"),
    [
        ({}, "0"),
        ({"ROCR_VISIBLE_DEVICES": "2,1"}, "2"),
        ({"HIP_VISIBLE_DEVICES": "3"}, "3"),
        ({"ROCR_VISIBLE_DEVICES": "2,1", "HIP_VISIBLE_DEVICES": "1"}, "1"),
    ],
)
def test_a_card_without_a_uuid_is_named_as_it_is_outside_the_users_own_list(environ: dict[str, str], token: str) -> None:
    """The child that listed it counted within that list."""
    (variables,) = shown_alone(a_device("ROCm", number=0, uuid=None, pci_id=FIRST), **environ)

    assert variables["ROCR_VISIBLE_DEVICES"] == token
    assert variables["HIP_VISIBLE_DEVICES"] is None


def test_cudas_variable_does_not_hide_the_card_from_its_own_validation() -> None:
    (variables,) = shown_alone(a_device("ROCm", uuid=ROCR_A, pci_id=FIRST), CUDA_VISIBLE_DEVICES="1")

    assert (variables["ROCR_VISIBLE_DEVICES"], variables["HIP_VISIBLE_DEVICES"]) == (ROCR_A, "0")


def test_each_partition_of_a_card_is_shown_alone_by_its_number() -> None:
    shared = {"uuid": ROCR_A, "pci_id": FIRST, "partition": Partition("cpx", ROCR_A)}
    partitions = [a_device("ROCm", number=number, copy=number, **shared) for number in range(3)]

    assert [variables["ROCR_VISIBLE_DEVICES"] for variables in shown_alone(*partitions)] == ["0", "1", "2"]


def test_a_child_that_sees_one_card_alone_is_asked_for_its_only_one() -> None:
    host = having("libamdhip64.so.6")
    partitions = [a_device("ROCm", number=n, copy=n, uuid=ROCR_A, partition=Partition("cpx", ROCR_A)) for n in range(3)]
    listed = an_outcome(*partitions)
    probes = [probe for probe in next_probes(evidence(host, listed), Request(validate=ValidationScope.ALL)) if probe.device]

    asked = [child_request(probe, host, [listed])["device"] for probe in probes]

    assert asked == [{"uuid": ROCR_A, "pci_id": None, "number": 0, "copy": 0, "alone": True}] * 3


def test_what_is_shown_alone_does_not_depend_on_what_a_witness_added() -> None:
    """Else a replay that judges the completed device would not find the recorded answer."""
    card = a_device("ROCm", uuid=None, pci_id=FIRST)
    completed = card._replace(uuid=ROCR_A, listed_as=FIRST)

    assert validation_probe(completed, [card]) == validation_probe(card, [card])


def test_a_module_that_needs_no_library_is_asked_where_its_card_is() -> None:
    amd = a_host(pci=(a_card(vendor=0x1002, driver="amdgpu"),))

    assert listing("AMDGPU") in next_probes(evidence(amd), ANY)
    assert listing("AMDGPU") not in next_probes(evidence(a_host(pci=(a_card(),))), ANY)
    assert child_request(listing("AMDGPU"), amd, [])["candidates"] == ["pyamdgpuinfo"]


def test_what_opens_every_card_is_not_asked_while_another_vendors_card_may_not_be_woken() -> None:
    asleep = a_card(runtime_status="suspended", drm=("card0", "renderD128"))
    host = a_host(pci=(asleep, a_card(SECOND, vendor=0x1002, driver="amdgpu")))

    assert listing("AMDGPU") not in next_probes(evidence(host), Request(wake=False))
    assert listing("ROCm") in next_probes(evidence(host), Request(wake=False))


def test_a_binding_that_is_not_installed_is_asked_for_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [])

    assert child_request(listing("AMDGPU"), a_host(), [])["paths"] == []


def test_a_binding_is_imported_from_the_directory_above_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "pyamdgpuinfo"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.setattr("sys.path", [str(package.parent)])

    assert child_request(listing("AMDGPU"), a_host(), [])["paths"] == [str(package.parent)]


def test_what_cannot_be_loaded_is_not_asked_again_without_the_users_variables() -> None:
    host = a_host(pci=(a_card(vendor=0x1002, driver="amdgpu"),), environ={"ROCR_VISIBLE_DEVICES": "0"})
    known = evidence(host, an_outcome(library="ROCm", status=Status.NOT_LOADABLE))

    assert not [probe for probe in next_probes(known, ANY) if probe.purpose is Purpose.UNFILTERED]


def test_a_quick_listing_validates_nothing() -> None:
    known = evidence(having("libcuda.so.1"), an_outcome(a_device(pci_id=FIRST)))

    assert next_probes(known, Request(validate=ValidationScope.NONE)) == ()


@pytest.mark.parametrize("seed", range(20))
def test_no_question_is_asked_twice_and_asking_ends(seed: int) -> None:
    """Whatever the answers are: crashes, nothing, several devices."""
    order = random.Random(seed)
    host = having(
        *BOTH, "libnvidia-ml.so.1", manifests=MANIFESTS, environ={"CUDA_VISIBLE_DEVICES": "0"}, pci=(a_card(), a_card(SECOND))
    )
    statuses = [Status.OK, Status.CRASHED, Status.TIMED_OUT, Status.NO_DEVICES, Status.CALL_FAILED, Status.INIT_FAILED]

    class Wild(dict):  # type: ignore[type-arg]
        def get(self, probe: Probe, default: object = None) -> Outcome:
            count = 0 if probe.purpose is Purpose.VALIDATE else order.randrange(3)
            devices: list[Device] = [
                a_device(probe.library, pci_id=order.choice([FIRST, SECOND, None]), number=n, manifest=probe.manifest)
                for n in range(count)
            ]
            return Outcome(probe, order.choice(statuses), devices=tuple(devices), depth=Depth.CONTEXT)

    for validate in (ValidationScope.NEEDED, ValidationScope.ALL, ValidationScope.NONE):
        known = played(host, Wild(), Request(validate=validate), seed=seed)

        probes = [outcome.probe for outcome in known.outcomes]
        assert len(probes) == len(set(probes))
        assert validate != "needed" or all(device.validation for device in judge(known, ANY).kept)
