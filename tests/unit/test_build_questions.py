"""Which builds are asked, in which order, and why the others are not."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.facts import FoundBuild, FoundLibrary, Host, Reading
from gpuprobe.model import SYSTEM, Device, DeviceType, Evidence, Outcome, Probe, Purpose, Request, Status, ValidationScope
from gpuprobe.probing import asking
from gpuprobe.probing.questions import needless, next_probes, not_asked
from tests.records import AMD, a_card, a_device, a_host, a_software_renderer, an_outcome

SONAMES = {"CUDA": "libcuda.so.1", "ROCm": "libamdhip64.so.6", "Vulkan": "libvulkan.so.1"}
BACKENDS = {"CUDA": "cuda", "ROCm": "hip", "Vulkan": "vulkan"}


def a_build(name: str, library: str = "CUDA", **fields: Any) -> FoundBuild:
    home = "/usr/local/lib/ollama"
    known = {
        "path": f"{home}/{name}/libggml-{BACKENDS[library]}.so",
        "before": (f"{home}/libggml-base.so",),
        "directories": (home, f"{home}/{name}"),
        "where": "Ollama",
        "product": "ollama",
    }
    return FoundBuild(**{"name": name, "library": library, **known, **fields})


def host_with(*builds: FoundBuild, libraries: tuple[str, ...] = ("CUDA",), **fields: Any) -> Host:
    paths = {SONAMES[each]: f"/usr/lib/{SONAMES[each]}" for each in libraries}
    found = tuple(FoundLibrary(name, path, path, "linker cache") for name, path in paths.items())
    return a_host(**{"builds": builds, "libraries": found, "pci": (a_card(),), **fields})


def orin(*builds: FoundBuild, release: str = "R36", **environ: str) -> Host:
    texts = {"/etc/nv_tegra_release": Reading(f"# {release} (release), REVISION: 4.3, GCID: 1, BOARD: generic")}
    texts["/proc/device-tree/compatible"] = Reading("nvidia,p3737-0000+p3701-0005\0nvidia,tegra234\0")
    return host_with(*builds, machine="aarch64", texts=texts, environ=environ, pci=())


LISTING = Request(validate=ValidationScope.NONE)


def listings(*outcomes: Outcome, host: Host, request: Request = LISTING, running: tuple[Probe, ...] = ()) -> list[str]:
    """The builds that are asked next."""
    evidence = Evidence(host, (*not_asked(host, request), *outcomes), "2026-11-21T09:00:00Z")
    evidence = evidence._replace(outcomes=(*evidence.outcomes, *needless(evidence, request)))
    return [probe.build for probe in next_probes(evidence, request, running) if probe.build != SYSTEM]


def why_not(host: Host, *outcomes: Outcome, request: Request = LISTING) -> dict[str, str]:
    evidence = Evidence(host, (*not_asked(host, request), *outcomes), "2026-11-21T09:00:00Z")
    known = (*evidence.outcomes, *needless(evidence, request))
    return {each.probe.build: f"{each.status.value}: {each.message}" for each in known if each.probe.build != SYSTEM}


CUDA_LISTS = an_outcome(a_device("CUDA", pci_id="0000:01:00.0"))


def test_a_build_waits_for_the_systems_own_library() -> None:
    host = host_with(a_build("cuda_v13"))

    assert listings(host=host) == []
    assert listings(CUDA_LISTS, host=host) == ["cuda_v13"]


def test_builds_are_asked_one_at_a_time_because_they_make_contexts_while_they_list() -> None:
    host = host_with(a_build("cuda_v12"), a_build("cuda_v13"))
    first = Probe("CUDA", Purpose.LIST, build="cuda_v12")

    assert listings(CUDA_LISTS, host=host) == ["cuda_v12"]
    assert listings(CUDA_LISTS, host=host, running=(first,)) == []
    assert listings(CUDA_LISTS, an_outcome(probe=first, library="CUDA"), host=host) == ["cuda_v13"]


def test_nothing_of_its_library_is_validated_while_a_build_is_still_to_be_asked() -> None:
    host = host_with(a_build("cuda_v13"))
    evidence = Evidence(host, (*not_asked(host, Request()), CUDA_LISTS, an_outcome(library="NVML")), "2026-11-21T09:00:00Z")

    probes = {
        scope: next_probes(evidence, Request(validate=scope))
        for scope in (ValidationScope.NEEDED, ValidationScope.ALL, ValidationScope.PROVED)
    }

    assert all({probe.purpose for probe in asked} == {Purpose.LIST} for asked in probes.values())


@pytest.mark.parametrize("status", [Status.TIMED_OUT, Status.INIT_FAILED, Status.NO_DEVICES, Status.CRASHED])
def test_a_build_is_not_asked_where_the_driver_under_it_has_just_shown_nothing(status: Status) -> None:
    host = host_with(a_build("cuda_v13"))
    lost = an_outcome(library="CUDA", status=status)

    assert listings(lost, host=host) == []
    assert f"lists no card ({status.value.replace('_', ' ')})" in why_not(host, lost)["cuda_v13"]


@pytest.mark.parametrize("status", [Status.ABSENT, Status.NO_DEVICES, Status.INIT_FAILED])
def test_a_rocm_build_brings_its_own_runtime_and_is_asked_all_the_same(status: Status) -> None:
    card = a_card("0000:03:00.0", vendor=AMD, driver="amdgpu")
    host = host_with(a_build("rocm_v7_2", "ROCm"), libraries=(), pci=(card,))

    assert listings(an_outcome(library="ROCm", status=status), host=host) == ["rocm_v7_2"]


def test_a_build_without_card_and_library_costs_no_child() -> None:
    host = host_with(a_build("rocm_v7_2", "ROCm"), a_build("cuda_v13"))

    assert why_not(host) == {"rocm_v7_2": "skipped: no card here needs it"}


def test_a_software_renderer_alone_is_no_reason_to_ask_a_build() -> None:
    host = host_with(a_build("vulkan", "Vulkan"), libraries=("Vulkan",), pci=())
    renderer = an_outcome(a_software_renderer())

    assert listings(renderer, host=host) == []
    assert listings(renderer, host=host, request=Request(validate=ValidationScope.NONE, allow_software=True)) == ["vulkan"]


def test_a_card_that_only_the_library_shows_is_a_reason_to_ask_a_build() -> None:
    host = host_with(a_build("vulkan", "Vulkan"), libraries=("Vulkan",), pci=())

    assert listings(an_outcome(a_device("Vulkan")), host=host) == ["vulkan"]


@pytest.mark.parametrize(("refused", "status"), [(True, "refused"), (False, "skipped")])
def test_a_build_with_a_problem_is_not_asked_and_the_problem_is_said(refused: bool, status: str) -> None:
    host = host_with(a_build("cuda_v13", problem="it is a link to nothing", refused=refused))

    assert why_not(host) == {"cuda_v13": f"{status}: it is a link to nothing"}


def test_ollamas_variable_chooses_one_build_and_the_system_still_completes_it() -> None:
    host = host_with(a_build("cuda_v12"), a_build("cuda_v13"), environ={"OLLAMA_LLM_LIBRARY": '"cuda_v12"'})

    assert why_not(host) == {"cuda_v13": "skipped: `OLLAMA_LLM_LIBRARY=cuda_v12` chooses another one"}
    assert listings(CUDA_LISTS, host=host) == ["cuda_v12"]


def test_ollamas_variable_says_nothing_of_builds_for_llama_cpp() -> None:
    theirs = a_build("llama.cpp-cuda", where="llama.cpp")
    host = host_with(a_build("cuda_v12"), theirs, environ={"OLLAMA_LLM_LIBRARY": "cuda_v12"})

    assert why_not(host) == {}


def test_values_for_other_engines_choose_no_build() -> None:
    assert why_not(host_with(a_build("cuda_v12"), environ={"OLLAMA_LLM_LIBRARY": "mlx_cuda_v13"})) == {}


def test_the_switch_of_vulkan_turns_its_builds_off_unless_one_is_asked_for_by_name() -> None:
    build, off = a_build("vulkan", "Vulkan"), {"OLLAMA_VULKAN": "0"}
    switched = host_with(build, libraries=("Vulkan",), environ=off)
    named = host_with(build, libraries=("Vulkan",), environ={**off, "OLLAMA_LLM_LIBRARY": "vulkan"})

    assert why_not(switched) == {"vulkan": "skipped: `OLLAMA_VULKAN` switches it off"}
    assert listings(host=named) == ["vulkan"]


def test_the_switch_is_ollamas_alone_and_a_build_of_llama_cpp_is_asked_all_the_same() -> None:
    theirs = a_build("llama.cpp-vulkan", "Vulkan", where="llama.cpp", product="llama.cpp")
    named = a_build("bin", "Vulkan", where="--lib-dir", product="llama.cpp")
    host = host_with(a_build("vulkan", "Vulkan"), theirs, named, libraries=("Vulkan",), environ={"OLLAMA_VULKAN": "0"})

    assert why_not(host) == {"vulkan": "skipped: `OLLAMA_VULKAN` switches it off"}


JETPACKS = (a_build("cuda_jetpack5"), a_build("cuda_jetpack6"))


@pytest.mark.parametrize(("release", "asked"), [("R35", "cuda_jetpack5"), ("R36", "cuda_jetpack6")])
def test_on_a_jetson_only_the_build_of_its_jetpack_is_asked(release: str, asked: str) -> None:
    host = orin(*JETPACKS, a_build("cuda_v12"), release=release)

    assert set(why_not(host)) == {"cuda_jetpack5", "cuda_jetpack6", "cuda_v12"} - {asked}
    assert listings(CUDA_LISTS, host=host) == [asked]


def test_on_a_jetson_vulkans_build_is_asked_where_it_is_named() -> None:
    host = orin(*JETPACKS, a_build("vulkan", "Vulkan"), release="R36")

    assert "JetPack 6 has a build of its own" in why_not(host)["vulkan"]
    assert "vulkan" not in why_not(host, request=Request(libraries=("Vulkan",)))
    assert "vulkan" not in why_not(host, request=Request(builds=("vulkan",)))
    assert "vulkan" not in why_not(host._replace(environ={"OLLAMA_LLM_LIBRARY": "vulkan"}))


def test_a_jetpack_without_a_build_of_its_own_uses_the_common_one() -> None:
    host = orin(*JETPACKS, a_build("cuda_v13"), release="R38")

    assert listings(CUDA_LISTS, host=host) == ["cuda_v13"]


def test_a_jetpack_whose_build_is_damaged_uses_the_common_one() -> None:
    host = orin(a_build("cuda_jetpack6", problem="it is a link to nothing"), a_build("cuda_v12"))

    assert listings(CUDA_LISTS, host=host) == ["cuda_v12"]


def test_a_build_for_a_jetson_is_not_asked_elsewhere_unless_by_name() -> None:
    server = host_with(*JETPACKS)
    named = server._replace(environ={"OLLAMA_LLM_LIBRARY": "cuda_jetpack6"})

    assert "for a Jetson with JetPack 5" in why_not(server)["cuda_jetpack5"]
    assert listings(CUDA_LISTS, host=named) == ["cuda_jetpack6"]
    assert listings(CUDA_LISTS, host=server, request=Request(validate=ValidationScope.NONE, builds=("cuda_jetpack5",))) == [
        "cuda_jetpack5"
    ]


def test_the_jetpack_of_a_container_is_what_its_variable_says() -> None:
    host = orin(*JETPACKS, JETSON_JETPACK="5.1.2")

    assert listings(CUDA_LISTS, host=host) == ["cuda_jetpack5"]


def test_only_the_builds_of_wanted_libraries_are_asked() -> None:
    host = host_with(a_build("cuda_v13"), a_build("vulkan", "Vulkan"), libraries=("CUDA", "Vulkan"))
    request = Request(libraries=("Vulkan",), validate=ValidationScope.NONE)

    assert listings(CUDA_LISTS, an_outcome(a_device("Vulkan")), host=host, request=request) == ["vulkan"]
    assert why_not(host, request=request) == {}


def test_no_wake_leaves_the_builds_of_a_sleeping_card_unasked() -> None:
    asleep = host_with(a_build("cuda_v13"), pci=(a_card(runtime_status="suspended"),))

    assert "which `--no-wake` forbids" in why_not(asleep, request=Request(wake=False))["cuda_v13"]


def test_a_filtered_library_is_asked_again_without_the_variable_once_and_not_by_each_build() -> None:
    host = host_with(a_build("cuda_v13"), environ={"CUDA_VISIBLE_DEVICES": "0"})
    build = an_outcome(a_device("CUDA", build="cuda_v13", pci_id="0000:01:00.0"))
    evidence = Evidence(host, (*not_asked(host, Request()), CUDA_LISTS, build), "2026-11-21T09:00:00Z")

    again = [probe for probe in next_probes(evidence, Request()) if probe.purpose is Purpose.UNFILTERED]

    assert [probe.build for probe in again] == [SYSTEM]


def listed(build: FoundBuild) -> tuple[Device, Outcome]:
    device = a_device(build.library, build=build.name, pci_id="0000:01:00.0", type=DeviceType.UNKNOWN)
    return device, an_outcome(device)


def test_the_child_of_a_build_is_told_what_the_program_would_load() -> None:
    build = a_build("cuda_v13")
    host = host_with(build)
    device, listing = listed(build)

    request = asking.child_request(Probe("CUDA", Purpose.VALIDATE, build="cuda_v13", device=device.key), host, (listing,))

    assert request["backend"] == "ggml"
    assert (request["candidates"], request["before"], request["library"]) == ([build.path], list(build.before), "CUDA")
    assert request["device"]["pci_id"] == "0000:01:00.0"


@pytest.mark.parametrize(
    ("platform", "variable"), [("linux", "LD_LIBRARY_PATH"), ("darwin", "DYLD_LIBRARY_PATH"), ("win32", "PATH")]
)
def test_the_folders_of_a_build_come_first_where_its_child_searches(platform: str, variable: str) -> None:
    probe = Probe("CUDA", Purpose.LIST, build="cuda_v13")

    child = asking.child_environment({variable: "/mine"}, probe, "mark", ("/a", "/b"), platform)

    assert child[variable] == "/a:/b:/mine"


def test_a_build_that_went_away_since_the_discovery_is_for_the_loader_to_miss() -> None:
    request = asking.child_request(Probe("CUDA", Purpose.LIST, build="cuda_v13"), a_host(), ())

    assert (request["backend"], request["candidates"]) == ("ggml", ["cuda_v13"])
