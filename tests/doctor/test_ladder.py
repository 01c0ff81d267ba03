"""How far a card gets: what counts as a rung that holds where the evidence is thin."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.card_status import card_statuses
from gpuprobe.doctor.diagnosis import findings_of
from gpuprobe.doctor.findings import Rung, Severity
from gpuprobe.doctor.ladder import Mark, ladder
from gpuprobe.doctor.situation import situation_of
from gpuprobe.facts import CPU_ONLY, DeviceNode, FoundBuild, Host, NamedPlace, Reading
from gpuprobe.judging.rules import judge
from gpuprobe.machine import cards
from gpuprobe.model import Depth, Outcome, Probe, Purpose, Request, Status
from tests.doctor.nvidia_machines import FIRST, card, cuda, evidence, no_context, nvidia_host, passed
from tests.records import NVIDIA, a_device, a_host, an_outcome

VULKAN = a_device("Vulkan", pci_id=FIRST, vendor_id=NVIDIA)


def marks(host: Host, *outcomes: Outcome) -> dict[Rung, Mark]:
    (only,) = cards(host)
    situation = situation_of(only, judge(evidence(host, *outcomes), Request()))
    return {state.rung: state.mark for state in ladder(situation, ())}


def test_a_driver_that_keeps_a_library_away_holds_where_another_library_works() -> None:
    nouveau = nvidia_host(pci=card(driver="nouveau"))

    assert marks(nouveau)[Rung.KERNEL_DRIVER] is Mark.UNKNOWN
    assert marks(nouveau, an_outcome(VULKAN), passed(VULKAN))[Rung.KERNEL_DRIVER] is Mark.PASSED


def test_a_device_file_that_was_not_seen_must_be_there_where_a_library_lists_the_card() -> None:
    unseen = nvidia_host(nodes=())

    assert marks(unseen)[Rung.DEVICE_NODE] is Mark.UNKNOWN
    assert marks(unseen, an_outcome(cuda()), passed(cuda()))[Rung.DEVICE_NODE] is Mark.PASSED
    assert marks(unseen, *no_context(2))[Rung.DEVICE_NODE] is Mark.PASSED


def climbed(host: Host, *outcomes: Outcome, diagnosed: bool = True) -> list[tuple[str, str | None]]:
    """Mark and words of each rung of the only card, from the bottom up."""
    inventory = judge(evidence(host, *outcomes), Request())
    (status,) = card_statuses(inventory)
    found = findings_of(status.card, inventory) if diagnosed else ()
    states = ladder(situation_of(status.card, inventory), found)
    assert [state.rung for state in states] == list(Rung)
    return [(state.mark.value, state.seen) for state in states]


ON_THE_BUS, DRIVEN = ("passed", f"{FIRST} on the bus"), ("passed", "`nvidia`")
OPENED, LISTED = ("passed", "`/dev/nvidiactl` may be opened"), ("passed", "CUDA lists it")
NO_PROGRAM = "no Ollama or llama.cpp was found"
MADE = ("passed", "made through CUDA")
WORKS = (an_outcome(cuda()), passed(cuda()))


def test_a_card_that_works_has_passed_all_that_was_looked_at() -> None:
    assert climbed(nvidia_host(), *WORKS) == [ON_THE_BUS, DRIVEN, OPENED, LISTED, MADE, ("unknown", NO_PROGRAM)]


def test_two_libraries_and_two_programs_are_named_once_each() -> None:
    vulkan = VULKAN._replace(build="vulkan")
    builds = tuple(
        FoundBuild(name, library, f"/opt/{name}/x.so", (), (f"/opt/{name}",), "Ollama", product="ollama")
        for name, library in (("cuda_v12", "CUDA"), ("vulkan", "Vulkan"))
    )
    view = cuda(build="cuda_v12")
    listings = (an_outcome(cuda()), an_outcome(VULKAN), an_outcome(view), an_outcome(vulkan))
    made = Outcome(Probe("CUDA", Purpose.VALIDATE, build="cuda_v12", device=view.key), Status.OK, depth=Depth.CONTEXT)

    seen = climbed(nvidia_host(builds=builds), *listings, made)

    assert seen[3:] == [("passed", "CUDA, Vulkan list it"), MADE, ("passed", "cuda_v12, vulkan installed")]


def test_what_no_library_was_asked_for_is_unknown_and_what_was_asked_is_named() -> None:
    nothing = an_outcome(library="CUDA", status=Status.NO_DEVICES)
    absent = an_outcome(library="Vulkan", status=Status.ABSENT, message="not installed")
    unasked = an_outcome(library="Vulkan", status=Status.SKIPPED, seconds=None)
    others = (an_outcome(library="ROCm", status=Status.NO_DEVICES), an_outcome(library="NVML", status=Status.NO_DEVICES))

    def library(*outcomes: Outcome) -> tuple[str, str | None]:
        return climbed(nvidia_host(), *outcomes, diagnosed=False)[3]

    assert library(absent, unasked, *others) == ("unknown", None)
    assert library(nothing, nothing, absent, unasked) == ("unknown", "CUDA asked")
    assert library(nothing, an_outcome(library="Vulkan", status=Status.NO_DEVICES)) == ("unknown", "CUDA, Vulkan asked")


def test_above_what_is_broken_nothing_is_reached_but_what_was_seen_to_hold() -> None:
    denied = tuple(node._replace(accessible=False) for node in nvidia_host().nodes)
    broken = climbed(nvidia_host(nodes=denied), an_outcome(library="CUDA", status=Status.NO_DEVICES))

    assert broken == [
        ON_THE_BUS,
        DRIVEN,
        ("broken", "no permission"),
        ("not_reached", "CUDA asked"),
        ("not_reached", None),
        ("not_reached", None),
    ]


def test_a_card_without_a_driver_is_broken_there_and_asleep_on_the_bus() -> None:
    seen = climbed(nvidia_host(pci=card(driver=None, runtime_status="suspended"), nodes=()))

    assert seen[0] == ("passed", f"{FIRST} on the bus, asleep")
    assert seen[1][0] == "broken"
    assert {mark for mark, _ in seen[2:]} == {"not_reached"}


def test_without_a_finding_a_driver_that_is_absent_is_unknown_unless_a_library_lists_the_card() -> None:
    bare = nvidia_host(pci=card(driver=None))

    assert climbed(bare, diagnosed=False)[1] == ("unknown", None)
    assert climbed(bare, *WORKS, diagnosed=False)[1] == ("passed", None)
    assert climbed(bare, *no_context(2), diagnosed=False)[1] == ("passed", None)
    assert climbed(nvidia_host(pci=card(driver="nouveau")), diagnosed=False)[1] == ("unknown", "`nouveau`")
    assert climbed(nvidia_host(), diagnosed=False)[1] == DRIVEN


@pytest.mark.parametrize(("accessible", "state"), [(True, OPENED), (False, ("unknown", "`/dev/nvidiactl` may not be opened"))])
def test_a_device_file_may_be_opened_or_not(accessible: bool, state: tuple[str, str]) -> None:
    nodes = tuple(node._replace(accessible=accessible) for node in nvidia_host().nodes)

    assert climbed(nvidia_host(nodes=nodes), diagnosed=False)[2] == state


def test_the_render_node_counts_where_the_driver_names_no_other() -> None:
    node = DeviceNode("/dev/dri/renderD128", 0o666, 0, 0, 226, 128, True)
    drm = ("card0", "renderD128")
    opened = ("passed", "`/dev/dri/renderD128` may be opened")

    assert climbed(nvidia_host(pci=card(driver="nouveau", drm=drm), nodes=(node,)), diagnosed=False)[2] == opened
    assert climbed(nvidia_host(pci=card(driver="nouveau"), nodes=(node,)), diagnosed=False)[2] == ("unknown", None)


def test_a_context_that_was_refused_is_broken_and_not_made() -> None:
    seen = climbed(nvidia_host(), *no_context(2))

    assert seen[:4] == [ON_THE_BUS, DRIVEN, OPENED, LISTED]
    assert (seen[4][0], seen[5]) == ("broken", ("not_reached", None))
    assert climbed(nvidia_host(), *no_context(2), diagnosed=False)[4] == ("unknown", None)
    assert climbed(nvidia_host(), an_outcome(cuda()))[4] == ("unknown", None)


def test_programs_without_a_build_for_the_card_break_the_last_rung() -> None:
    places = tuple(NamedPlace(f"/usr/lib/{name}", name, CPU_ONLY) for name in ("Ollama", "llama.cpp"))

    assert climbed(nvidia_host(empty_places=places[:1]), *WORKS)[5] == ("broken", "Ollama has no build for it")
    assert climbed(nvidia_host(empty_places=places), *WORKS)[5] == ("broken", "Ollama and llama.cpp have no build for it")


def test_a_card_of_a_board_or_of_a_library_alone_is_said_to_be_one() -> None:
    alone = a_host()
    tegra = a_host(machine="aarch64", texts={"/proc/device-tree/compatible": Reading("nvidia,p3737-0000\0nvidia,tegra234\0")})
    wsl = a_host(kernel="5.15.167.4-microsoft-standard-WSL2", nodes=(DeviceNode("/dev/dxg", 0o666, 0, 0, 10, 125, True),))

    assert climbed(alone, an_outcome(cuda(pci_id=None)))[0] == ("passed", "shown by a library alone")
    assert climbed(tegra)[0] == ("passed", "part of the board")
    assert climbed(wsl)[0] == ("passed", "shown by Windows")


def test_a_dev_that_may_not_be_listed_leaves_its_rung_unknown_and_hides_no_cause() -> None:
    """Whether the node is there is not known; why the library failed is."""
    host = nvidia_host(nodes=(), facts={"dev_problem": "denied"})

    refused = an_outcome(library="CUDA", status=Status.INIT_FAILED, code=803, code_name="CUDA_ERROR_SYSTEM_DRIVER_MISMATCH")
    marks_of = dict(zip(Rung, climbed(host, refused), strict=True))
    assert marks_of[Rung.DEVICE_NODE] == ("unknown", None)
    assert marks_of[Rung.LIBRARY][0] == "broken"
    inventory = judge(evidence(host), Request())
    (status,) = card_statuses(inventory)
    (found,) = [each for each in findings_of(status.card, inventory) if each.severity is Severity.BLOCKER]

    unknown = "`/dev` cannot be listed by this user, so it is not known whether `/dev/nvidiactl` exists"
    assert (found.id, found.because) == ("not-listed", f"no library lists it; {unknown}")
    assert dict(zip(Rung, climbed(host), strict=True))[Rung.DEVICE_NODE] == ("unknown", None)
