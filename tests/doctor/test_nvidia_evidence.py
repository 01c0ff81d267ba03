"""What must be there before something is said of an NVIDIA card: where one fact is missing, the cause or its words are too."""

from __future__ import annotations

import pytest

from gpuprobe.facts import Bar, DeviceNode, Host, Reading
from gpuprobe.facts.system_facts import DkmsModule, Package, SystemFacts
from gpuprobe.model import Device, GiB, MiB, Outcome, Probe, Purpose, Status
from tests.doctor.nvidia_machines import (
    BOTH,
    COUNTS_NONE,
    DOCKER,
    FIRST,
    NODES,
    SECOND,
    VERSION,
    VIRTUAL,
    card,
    commands,
    cuda,
    findings,
    headline,
    ids,
    log,
    modules,
    nvidia_host,
    nvml,
    nvml_says,
    passed,
    refused,
    texts,
    without_driver,
)
from tests.records import a_card, an_outcome

NONE = refused(100, "CUDA_ERROR_NO_DEVICE", status=Status.NO_DEVICES)
UNKNOWN = refused(999, "CUDA_ERROR_UNKNOWN")
WORKS = an_outcome(nvml())
VARIABLE = "CUDA_VISIBLE_DEVICES"
SECOND_ID = "GPU-22222222-3333-4444-5555-666666666666"
INFORMATION = {f"/proc/driver/nvidia/gpus/{SECOND}/information": f"GPU UUID: {SECOND_ID}\n"}


def without_it(*devices: Device) -> Outcome:
    return Outcome(Probe("CUDA", Purpose.UNFILTERED, variables=((VARIABLE, None),)), Status.OK, devices, seconds=0.1)


@pytest.mark.parametrize(
    "listed", [NONE, UNKNOWN, refused(3), an_outcome(cuda(pci_id=SECOND))], ids=("none", "999", "3", "other")
)
def test_a_variable_hides_everything_only_where_cuda_lists_nothing(listed: Outcome) -> None:
    found = ids(findings(nvidia_host(environ={VARIABLE: "-1"}), listed, without_it(cuda()), WORKS))

    assert ("env-cuda-visible-hides-all" in found) is (listed is NONE)


@pytest.mark.parametrize("changed", [INFORMATION, {}], ids=("known", "unknown"))
def test_an_id_that_the_driver_alone_knows_is_not_stale(changed: dict[str, str]) -> None:
    host = nvidia_host(environ={VARIABLE: SECOND_ID}, texts=texts(changed))

    assert ("env-cuda-visible-stale-uuid" in ids(findings(host, NONE, without_it(cuda()), WORKS))) is (changed == {})


def test_a_file_of_the_drivers_that_could_not_be_read_knows_no_id() -> None:
    denied = {f"/proc/driver/nvidia/gpus/{SECOND}/information": Reading(None, "denied")}
    host = nvidia_host(environ={VARIABLE: SECOND_ID}, texts={**texts(), **denied})

    assert headline(host, NONE, without_it(cuda()), WORKS).id == "env-cuda-visible-stale-uuid"


MINOR = f"/proc/driver/nvidia/gpus/{FIRST}/information"


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("numbered", [True, False])
def test_a_cards_node_is_missing_where_the_driver_numbers_it_and_nvml_did_not_open_it(listed: bool, numbered: bool) -> None:
    nodes = tuple(node for node in NODES if node.path != "/dev/nvidia0")
    changed = {} if numbered else {MINOR: "Model: unknown\n"}
    found = ids(findings(nvidia_host(nodes=nodes, texts=texts(changed)), UNKNOWN, WORKS if listed else nvml_says(9)))

    assert ("nv-dev-nodes-missing" in found) is (numbered and not listed)


def test_of_two_cards_without_a_number_no_node_is_the_cards() -> None:
    nodes = tuple(node._replace(accessible=False, mode=0o660) if node.path == "/dev/nvidia0" else node for node in NODES)
    both = nvidia_host(pci=(a_card(FIRST), a_card(SECOND)), nodes=nodes, texts=texts({MINOR: None}))
    alone = nvidia_host(nodes=nodes, texts=texts({MINOR: None}))

    assert "nv-dev-permission" in ids(findings(alone, NONE, nvml_says(4)))
    assert "nv-dev-permission" not in ids(findings(both, NONE, nvml_says(4)))


@pytest.mark.parametrize("path", [None, "/dev/nvidiactl", "/dev/nvidia0"])
def test_a_container_that_lost_its_devices_could_open_them_by_their_modes(path: str | None) -> None:
    nodes = tuple(node._replace(accessible=node.path != path) for node in NODES)
    found = ids(findings(nvidia_host(nodes=nodes, texts=texts(DOCKER)), refused(800), nvml_says(9)))

    assert ("ctr-lost-gpu-daemon-reload" in found) is (path is None)


@pytest.mark.parametrize(
    "fields",
    [
        {"libraries": BOTH},
        {"system": SystemFacts(modules=modules("updates/dkms/nvidia.ko"))},
        {"system": SystemFacts(modules=modules(others={"6.1.0-17-amd64": ("updates/dkms/nvidia.ko",)}))},
        {"system": SystemFacts(modules=modules(), dkms=(DkmsModule("nvidia", VERSION, ()),))},
        {
            "system": SystemFacts(
                modules=modules(), packages=(Package("nvidia-driver-580", VERSION, "dpkg"),), package_lists={"dpkg": None}
            )
        },
    ],
    ids=("libraries", "module", "module of another kernel", "source", "packages"),
)
def test_any_part_of_the_driver_shows_that_it_is_installed(fields: dict[str, object]) -> None:
    nothing = {"pci": card(driver=None), "nodes": (), "libraries": (), "texts": without_driver()}
    found = ids(findings(nvidia_host(**{**nothing, **fields}), NONE))

    assert "nv-driver-not-installed" not in found
    assert {"nv-module-not-loaded", "nv-module-not-built"} & set(found)


@pytest.mark.parametrize("key", [True, False])
@pytest.mark.parametrize("distribution", ["ubuntu", "debian"])
def test_a_module_that_secure_boot_refuses_is_signed_with_the_key_that_there_is(key: bool, distribution: str) -> None:
    files = {"/var/lib/shim-signed/mok/MOK.der": Reading("")} if key else {}
    system = log("Loading of module with unavailable key is rejected")._replace(files=files, modules=modules("nvidia.ko"))
    host = nvidia_host(pci=card(driver=None), nodes=(), texts=without_driver(distribution), system=system)
    found = headline(host, NONE)

    assert found.id == "nv-secure-boot-rejected"
    assert ("MOK.der" in commands(found)) is key
    assert ("ubuntu-drivers" in commands(found)) is (distribution == "ubuntu")


BARS = {
    "none": (Bar(0, 0xF0000000, 16 * MiB), Bar(1, 0x4000000000, 32 * GiB)),
    "small": (Bar(0, 0xF0000000, 16 * MiB), Bar(5, 0, 128)),
    "exactly": (Bar(0, 0xF0000000, 16 * MiB), Bar(3, 0, MiB)),
    "large": (Bar(0, 0xF0000000, 16 * MiB), Bar(1, 0, 32 * GiB)),
}


@pytest.mark.parametrize("bars", BARS)
@pytest.mark.parametrize("works", [True, False])
@pytest.mark.parametrize("inside", [True, False])
def test_a_window_of_a_mebibyte_or_more_without_an_address_is_the_cause(bars: str, works: bool, inside: bool) -> None:
    host = nvidia_host(pci=card(bars=BARS[bars]), texts=texts(VIRTUAL if inside else {}))
    outcomes = (an_outcome(cuda()), passed(cuda()), WORKS) if works else (NONE, COUNTS_NONE)
    found = ids(findings(host, *outcomes))

    assert ("pci-bar-unassigned" in found) is (bars in ("exactly", "large") and not works)


UNSTARTED = {MINOR: "GPU UUID: GPU-????????\nDevice Minor: 0\n"}


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize(
    "line", [None, "NVRM: RmInitAdapter failed! (0x62)", "NVRM: WPR2 already up", "NVRM: _kgspBootGspRm: failed"]
)
def test_a_card_that_was_not_started_is_told_with_what_the_kernel_says(line: str | None, inside: bool) -> None:
    system = log(*(("NVRM: RmInitAdapter failed! (0x62)", line) if line else ()))
    found = headline(nvidia_host(texts=texts({**UNSTARTED, **(VIRTUAL if inside else {})}), system=system), NONE, COUNTS_NONE)

    assert found.id == ("vm-passthrough-init-fail" if inside else "nv-rminitadapter-failed")
    assert ("newer firmware" in commands(found)) is (not inside and "WPR2" not in str(line))


@pytest.mark.parametrize("answer", [COUNTS_NONE, nvml_says(9), an_outcome(nvml(pci_id=SECOND, uuid="GPU-2"))])
def test_an_id_of_question_marks_counts_where_nvml_started_without_the_card(answer: Outcome) -> None:
    found = ids(findings(nvidia_host(texts=texts(UNSTARTED)), NONE, answer))

    assert ("nv-rminitadapter-failed" in found) is answer.status.answered


@pytest.mark.parametrize("total", [24 * GiB, None])
@pytest.mark.parametrize("free", [GiB // 2, None])
def test_memory_that_others_hold_is_told_with_figures_or_not_at_all(total: int | None, free: int | None) -> None:
    view = nvml(total_memory=total, free_memory=free, used_memory=23 * GiB)
    found = ids(findings(nvidia_host(), an_outcome(cuda()), passed(cuda()), an_outcome(view)))

    assert ("vram-held-by-others" in found) is (total is not None and free is not None)


def on_windows() -> Host:
    return nvidia_host(platform="windows", pci=card(driver="nvidia"), nodes=())


def test_nothing_of_linux_is_told_of_windows() -> None:
    found = findings(on_windows(), NONE, nvml_says(9))

    assert [each.id for each in found if not each.generic] == []


def test_a_node_of_the_memory_module_without_a_number_is_of_no_earlier_start() -> None:
    nodes = (DeviceNode("/dev/nvidia-uvm", 0o666, 0, 0, None, None, True), *NODES[1:])

    assert "nv-uvm-major-mismatch" not in ids(findings(nvidia_host(nodes=nodes, texts=texts(DOCKER)), UNKNOWN, WORKS))
