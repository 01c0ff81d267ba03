"""Programs and frameworks that compute on the CPU although a GPU works."""

from __future__ import annotations

from gpuprobe.doctor.card_status import card_statuses
from gpuprobe.doctor.findings import Rung, Severity
from gpuprobe.doctor.ladder import Mark, RungState, ladder
from gpuprobe.doctor.machine_findings import findings_of_the_machine
from gpuprobe.doctor.situation import situation_of
from gpuprobe.facts import CPU_ONLY, FoundBuild, FoundSoftware, Host, NamedPlace
from gpuprobe.judging.rules import judge
from gpuprobe.model import Inventory, Outcome, Probe, Purpose, Request, Status
from tests.records import a_card, a_device, a_host, an_outcome, evidence_of

CARD = a_device("CUDA", pci_id="0000:01:00.0", vendor_id=0x10DE, compute_major=12, compute_minor=0)
ARC = a_device("Vulkan", pci_id="0000:03:00.0", vendor_id=0x8086)


def a_build(library: str, folder: str, product: str = "ollama") -> FoundBuild:
    path = f"/usr/local/lib/ollama/{folder}/libggml-{library.lower()}.so"
    return FoundBuild(folder, library, path, (), (path.rpartition("/")[0],), "Ollama", product=product)


def found_in(inventory: Inventory) -> dict[str, Severity]:
    return {each.id: each.severity for each in findings_of_the_machine(inventory)}


def last_rung(host: Host) -> RungState:
    inventory = judge(evidence_of(CARD, host=host), Request())
    (card,) = card_statuses(inventory)
    return ladder(situation_of(card.card, inventory), ())[-1]


def test_an_ollama_with_cpu_backends_only_is_a_blocker_though_the_card_works() -> None:
    host = a_host(pci=(a_card(),), empty_places=(NamedPlace("/usr/lib/ollama", "Ollama", CPU_ONLY),))
    (finding,) = findings_of_the_machine(judge(evidence_of(CARD, host=host), Request()))

    assert (finding.id, finding.severity) == ("ollama-backend-missing", Severity.BLOCKER)
    assert finding.because == "Ollama in `/usr/lib/ollama` has CPU backends only, and will compute on the CPU"
    assert finding.fix[0].command == "curl -fsSL https://ollama.com/install.sh | sh"


def test_the_last_rung_is_broken_where_ollama_has_no_build_for_the_card_and_unknown_where_none_was_found() -> None:
    cpu_only = a_host(pci=(a_card(),), empty_places=(NamedPlace("/usr/lib/ollama", "Ollama", CPU_ONLY),))

    assert last_rung(cpu_only) == (Rung.BUILD, Mark.BROKEN, "Ollama has no build for it")
    assert last_rung(a_host(pci=(a_card(),))) == (Rung.BUILD, Mark.UNKNOWN, "no Ollama or llama.cpp was found")


def test_an_ollama_with_builds_for_another_vendor_has_none_for_this_card() -> None:
    host = a_host(pci=(a_card("0000:03:00.0", vendor=0x8086, driver="xe"),), builds=(a_build("CUDA", "cuda_v12"),))

    assert found_in(judge(evidence_of(ARC, host=host), Request())) == {"ollama-backend-missing": Severity.BLOCKER}


def test_an_ollama_with_a_build_for_the_card_is_no_finding() -> None:
    host = a_host(pci=(a_card(),), builds=(a_build("CUDA", "cuda_v13"),))
    seen = a_device("CUDA", build="cuda_v13", pci_id="0000:01:00.0", vendor_id=0x10DE)

    assert found_in(judge(evidence_of(CARD, seen, host=host), Request())) == {}


def test_a_build_whose_files_are_mixed_is_named_with_the_loader_s_words() -> None:
    host = a_host(pci=(a_card(),), builds=(a_build("CUDA", "cuda_v12"),))
    listing = Probe(library="CUDA", purpose=Purpose.LIST, build="cuda_v12")
    refused = an_outcome(library="CUDA", probe=listing, status=Status.NOT_LOADABLE, message="undefined symbol: ggml_x")
    inventory = judge(evidence_of(CARD, host=host, outcomes=(refused,)), Request())

    found = {each.id: each for each in findings_of_the_machine(inventory)}

    assert found["ollama-mixed-install"].build == "cuda_v12"
    assert "undefined symbol: ggml_x" in found["ollama-mixed-install"].because


def test_a_torch_for_the_cpu_is_said_with_the_one_to_install() -> None:
    torch = FoundSoftware("torch", "/v/site-packages/torch", "wheel", None, version="2.9.1+cpu", site="/v/site-packages")
    host = a_host(pci=(a_card(),), software=(torch,))
    (finding,) = findings_of_the_machine(judge(evidence_of(CARD, host=host), Request()))

    assert (finding.id, finding.severity) == ("torch-cpu-wheel", Severity.DEGRADED)
    assert "pip install --force-reinstall torch" in (finding.fix[0].command or "")


def test_vulkan_that_is_off_in_ollama_matters_only_where_nothing_else_reaches_the_card() -> None:
    off = {"OLLAMA_VULKAN": "0"}
    intel = a_host(pci=(a_card("0000:03:00.0", vendor=0x8086, driver="xe"),), environ=off)
    nvidia = a_host(pci=(a_card(),), environ=off)

    assert "env-ollama-vulkan-off" in found_in(judge(evidence_of(ARC, host=intel), Request()))
    assert "env-ollama-vulkan-off" not in found_in(judge(evidence_of(CARD, host=nvidia), Request()))


def lacking(compute: tuple[int, int], *folders: str) -> set[str]:
    """What is found of an Ollama whose builds have no code for this card."""
    builds = tuple(a_build("CUDA", folder) for folder in folders)
    chip = {"compute_major": compute[0], "compute_minor": compute[1], "pci_id": "0000:01:00.0", "vendor_id": 0x10DE}
    views = (a_device("CUDA", **chip), *(a_device("CUDA", build=folder, **chip) for folder in folders))
    refused = tuple(
        Outcome(
            Probe("CUDA", Purpose.VALIDATE, build=view.build, device=view.key),
            Status.CALL_FAILED,
            code=209,
            message="no kernel image",
            failure="unsupported",
            seconds=0.1,
        )
        for view in views[1:]
    )
    host = a_host(pci=(a_card(),), builds=builds)
    return set(found_in(judge(evidence_of(*views, host=host, outcomes=refused), Request())))


def test_a_chip_for_which_only_the_build_for_cuda_13_has_code_is_told_so() -> None:
    assert "needs-cuda-v13-backend" in lacking((11, 0), "cuda_v12")


def test_an_old_chip_beside_the_build_for_cuda_13_does_not_need_it() -> None:
    assert "needs-cuda-v13-backend" not in lacking((6, 1), "cuda_v13")
    assert "needs-cuda-v13-backend" not in lacking((11, 0), "cuda_v13")
