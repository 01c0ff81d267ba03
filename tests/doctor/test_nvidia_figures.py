"""Counts, limits and names in what is told of an NVIDIA card: one and several, at the limit and beside it, with and without."""

from __future__ import annotations

import pytest

from gpuprobe.facts import FoundLibrary, Host
from gpuprobe.facts.system_facts import Opened, SystemFacts
from gpuprobe.model import Call, Device, GiB, Outcome, Partition, Probe, Purpose, Status
from tests.doctor.nvidia_machines import (
    BOTH,
    DOCKER,
    FIRST,
    FOLDER,
    NODES,
    UUID,
    VIRTUAL,
    absent,
    card,
    commands,
    cuda,
    findings,
    headline,
    ids,
    log,
    no_context,
    nvidia_host,
    nvml,
    nvml_says,
    passed,
    refused,
    texts,
    without_driver,
)
from tests.records import an_outcome

MODES = {"compute_mode": "default", "ecc_enabled": None, "mig_enabled": None}
NONE = refused(100, "CUDA_ERROR_NO_DEVICE", status=Status.NO_DEVICES)
WORKS = an_outcome(nvml())
VARIABLE = "CUDA_VISIBLE_DEVICES"


def without_it(*devices: Device) -> Outcome:
    return Outcome(Probe("CUDA", Purpose.UNFILTERED, variables=((VARIABLE, None),)), Status.OK, devices, seconds=0.1)


def cut(*ids: str | None) -> Outcome:
    """A card in MIG mode with slices of these ids, as NVML lists it."""
    slices = (
        nvml(uuid=each, number=number + 1, partition=Partition("mig", UUID), capabilities={"mig_index": number})
        for number, each in enumerate(ids)
    )
    return an_outcome(nvml(capabilities={**MODES, "mig_enabled": True}), *slices)


@pytest.mark.parametrize("slices", [("MIG-1",), ("MIG-1", "MIG-2"), (None, "MIG-2"), (None, None)])
def test_a_container_is_started_with_the_first_slice(slices: tuple[str | None, ...]) -> None:
    found = headline(nvidia_host(texts=texts(DOCKER)), NONE, cut(*slices))

    assert found.evidence[-1].what == f"{len(slices)} instance{'' if len(slices) == 1 else 's'}"
    assert f"`--gpus device={slices[0] or 'MIG-…'}`" in commands(found)


@pytest.mark.parametrize(("slices", "told"), [(("MIG-1", "MIG-2"), "MIG-1"), ((None, "MIG-2"), "MIG-2"), ((None,), "MIG-…")])
def test_the_first_slice_that_has_an_id_is_named(slices: tuple[str | None, ...], told: str) -> None:
    here, inside = nvidia_host(environ={VARIABLE: "0"}), nvidia_host(environ={VARIABLE: "0"}, texts=texts(DOCKER))

    assert f"{VARIABLE}={told}" in commands(headline(here, NONE, cut(*slices), without_it(cuda())))
    assert f"`export {VARIABLE}={told}` in it" in "".join(
        commands(each) for each in findings(inside, NONE, cut(*slices), without_it(cuda()))
    )


@pytest.mark.parametrize(("value", "count"), [("7", 1), ("7", 2), ("7,0,1", 2), (" 7 ,0", 2)])
def test_a_number_that_no_card_has_is_told_with_the_numbers_that_there_are(value: str, count: int) -> None:
    devices = (cuda(), cuda(pci_id="0000:41:00.0", uuid="GPU-2", number=1))[:count]
    found = headline(nvidia_host(environ={VARIABLE: value}), NONE, without_it(*devices), WORKS)

    assert ("is one card, number 0" if count == 1 else "are 2 cards, numbered from 0") in found.because


def test_an_id_of_a_list_is_judged_by_the_first() -> None:
    host = nvidia_host(environ={VARIABLE: "GPU-99999999-0000, GPU-11111111"})

    assert headline(host, NONE, without_it(cuda()), WORKS).id == "env-cuda-visible-stale-uuid"


def held(pids: tuple[int, ...], free: int, used: int | None = 20 * GiB) -> Outcome:
    modes = {**MODES, "activity": {"processes": [{"pid": pid} for pid in pids]}}
    return an_outcome(nvml(total_memory=24 * GiB, free_memory=free, used_memory=used, capabilities=modes))


@pytest.mark.parametrize("pids", [(), (7,), (7, 8, 9, 10, 11)])
def test_at_most_four_that_hold_the_memory_are_named(pids: tuple[int, ...]) -> None:
    found = headline(nvidia_host(), *no_context(2), held(pids, GiB // 2))

    assert found.because.endswith(": " + ", ".join(f"process {pid}" for pid in pids[:4])) or not pids


@pytest.mark.parametrize(("free", "used"), [(2 * GiB, 20 * GiB), (GiB // 2, None)])
def test_with_a_gibibyte_or_without_figures_nobody_is_blamed(free: int, used: int | None) -> None:
    assert "vram-held-by-others" not in ids(findings(nvidia_host(), *no_context(2), held((), free, used)))


def test_the_service_of_others_is_directed_to_by_a_variable() -> None:
    found = headline(nvidia_host(environ={"CUDA_MPS_PIPE_DIRECTORY": "/run/mps"}), refused(805), WORKS)

    assert "remove `/run/mps`" in commands(found)


@pytest.mark.parametrize("name", ["NVIDIA A10-24Q", None])
def test_a_virtual_gpu_is_named_by_nvml_or_by_its_place_on_the_bus(name: str | None) -> None:
    host = nvidia_host(texts=texts(VIRTUAL), system=SystemFacts(daemons={"nvidia-gridd": 7}))
    found = headline(host, *no_context(102, cuda(name=name)), an_outcome(nvml(name=name)))

    assert found.id == "vgpu-unlicensed" and (name or "a virtual GPU") in found.because


def test_a_card_without_a_name_is_no_virtual_gpu() -> None:
    found = ids(findings(nvidia_host(texts=texts(VIRTUAL)), *no_context(46, cuda(name=None)), an_outcome(nvml(name=None))))

    assert found[0] == "cuda-46-other"


@pytest.mark.parametrize(("code", "is_virtual"), [(46, False), (47, True), (46, True)])
def test_46_of_a_card_that_a_virtual_machine_was_given_whole_is_no_licence(code: int, is_virtual: bool) -> None:
    view = nvml(name="NVIDIA A10-24Q" if is_virtual else "NVIDIA A10")
    found = ids(findings(nvidia_host(texts=texts(VIRTUAL)), *no_context(code), an_outcome(view)))

    assert ("vgpu-unlicensed" in found) is (code == 46 and is_virtual)


@pytest.mark.parametrize(
    "line", ["NVRM: vGPU is not supported by open nvidia.ko", "NVRM: Xid (PCI:0000:01:00): 78, pid=1, no vGPU", "nothing"]
)
def test_a_guest_of_another_release_is_known_by_the_line_or_the_xid(line: str) -> None:
    inside, outside = nvidia_host(texts=texts(VIRTUAL), system=log(line)), nvidia_host(system=log(line))

    assert ("vgpu-host-guest-mismatch" in ids(findings(inside, NONE, WORKS))) is (line != "nothing")
    assert "vgpu-host-guest-mismatch" not in ids(findings(outside, NONE, WORKS))


def started_in(seconds: float | None, status: Status = Status.OK) -> Outcome:
    return an_outcome(cuda())._replace(calls=(Call("cuInit", seconds),), status=status)


@pytest.mark.parametrize(("seconds", "is_slow"), [(7.9, False), (8.0, True), (None, False)])
def test_eight_seconds_are_a_slow_start(seconds: float | None, is_slow: bool) -> None:
    host = nvidia_host(system=SystemFacts(daemons={}))

    assert ("nv-slow-init" in ids(findings(host, started_in(seconds), WORKS, passed(cuda())))) is is_slow


def opening(error: str, number: int | None) -> SystemFacts:
    return SystemFacts(opened=(Opened("/dev/nvidiactl", number, error or None),))


@pytest.mark.parametrize(
    ("code", "said", "system", "nodes", "is_lost"),
    [
        (800, 9, None, NODES, True),
        (100, 999, None, NODES, True),
        (100, 9, None, NODES, False),
        (800, 9, opening("", 0), NODES, False),
        (100, 9, opening("EPERM", 1), NODES, True),
        (800, 9, None, NODES[:2], False),
    ],
)
def test_a_container_that_lost_its_devices_is_known_by_what_is_refused(
    code: int, said: int, system: SystemFacts | None, nodes: tuple[object, ...], is_lost: bool
) -> None:
    host = nvidia_host(texts=texts(DOCKER), nodes=nodes, system=system)

    assert ("ctr-lost-gpu-daemon-reload" in ids(findings(host, refused(code), nvml_says(said)))) is is_lost


def in_wsl(distribution: str, *libraries: FoundLibrary) -> Host:
    """Its card is Windows's."""
    return nvidia_host(
        pci=(),
        nodes=(NODES[0]._replace(path="/dev/dxg"),),
        facts={"wsl_drivers": "nv_dispi.inf_amd64_5cb1f1dd1ecf5f15"},
        texts=without_driver(distribution),
        kernel="6.6.87.2-microsoft-standard-WSL2",
        libraries=libraries,
    )


@pytest.mark.parametrize("distribution", ["ubuntu", "fedora", "other"])
@pytest.mark.parametrize("library", BOTH, ids=lambda library: library.name)
def test_a_driver_for_linux_is_removed_from_wsl(library: FoundLibrary, distribution: str) -> None:
    found = headline(in_wsl(distribution, library), NONE, address=None)

    assert (found.id, found.evidence[0].where) == ("wsl-linux-driver-installed", library.name)
    assert ("apt" in commands(found)) is (distribution != "fedora")


@pytest.mark.parametrize("works", [True, False])
@pytest.mark.parametrize("where", ["known place", "linker cache"])
def test_wsls_own_library_is_looked_for_by_the_loader_only_where_it_is_told_to(where: str, works: bool) -> None:
    place = "/usr/lib/wsl/lib/libcuda.so.1"
    outcomes = (an_outcome(cuda()), passed(cuda())) if works else (NONE,)
    found = findings(in_wsl("ubuntu", FoundLibrary("libcuda.so.1", place, place, where)), *outcomes, address=None)

    assert ("wsl-lib-path-missing" in ids(found)) is (where == "known place")


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("code", [803, 804, 805])
def test_a_compatibility_package_is_named_with_its_place_and_version(own: bool, code: int) -> None:
    place = "/usr/local/cuda/compat"
    newer = FoundLibrary("libcuda.so.1", f"{place}/libcuda.so.1", f"{place}/libcuda.so.590.44.01", "LD_LIBRARY_PATH")
    nameless = newer._replace(real_path=f"{place}/libcuda.so.1")
    found = findings(nvidia_host(libraries=(newer if own else nameless, BOTH[1])), refused(code), WORKS)

    shadows = [each for each in found if each.id == "nv-compat-shadow"]
    assert bool(shadows) is (code != 805)
    assert all(("(590.44.01, the driver is" in each.because) is own for each in shadows)


def test_a_snap_that_says_no_name_is_told_where_to_put_its_name() -> None:
    host = nvidia_host(libraries=(), environ={"SNAP": "/snap/x/1"})
    found = [
        each for each in findings(host, absent("libcuda.so.1"), absent("libnvidia-ml.so.1")) if each.id == "snap-confinement"
    ]

    assert all("`sudo snap connect NAME:opengl`" in commands(each) for each in found)


@pytest.mark.parametrize("name", ["Linux Mint 22", "Rocky Linux 9", "EndeavourOS", "Plan 9"])
def test_a_release_file_without_an_id_is_known_by_its_name(name: str) -> None:
    files = {**without_driver(), "/etc/os-release": texts()["/etc/os-release"]._replace(text=f'PRETTY_NAME="{name}"\n')}
    host = nvidia_host(pci=card(driver=None), nodes=(), libraries=(), texts=files)
    found = headline(host, absent("libcuda.so.1"), absent("libnvidia-ml.so.1"))

    assert ("packages of this distribution" in commands(found)) is (name == "Plan 9")


def test_a_fedora_that_is_an_image_layers_the_driver() -> None:
    files = without_driver("fedora", **{"/run/ostree-booted": ""})
    host = nvidia_host(pci=card(driver=None), nodes=(), libraries=(), texts=files)
    found = headline(host, absent("libcuda.so.1"), absent("libnvidia-ml.so.1"))

    assert "sudo rpm-ostree install akmod-nvidia" in commands(found)


@pytest.mark.parametrize("told", ["runtime_status", "log", "both", "suspended"])
def test_a_card_that_does_not_wake_is_known_by_the_kernel_in_either_way(told: str) -> None:
    line = f"nvidia {FIRST}: Unable to change power state from D3cold to D0, device inaccessible"
    state = {"suspended": "suspended\n", "log": None}.get(told, "error\n")
    host = nvidia_host(
        texts=texts({f"/sys/bus/pci/devices/{FIRST}/power/runtime_status": state}),
        system=log(line) if told in ("log", "both") else log(),
    )

    assert ("pci-d3cold-stuck" in ids(findings(host, NONE, nvml_says(9)))) is (told != "suspended")


@pytest.mark.parametrize("name", ["libcuda.so.1", "libnvidia-ml.so.1"])
def test_a_stub_of_either_library_is_seen(name: str) -> None:
    stub = FoundLibrary(name, f"{FOLDER}/stubs/{name}", f"{FOLDER}/stubs/{name}", "LD_LIBRARY_PATH")
    others = tuple(each for each in BOTH if each.name != name)

    assert "nv-stub-library" in ids(findings(nvidia_host(libraries=(stub, *others)), refused(34), WORKS))


def test_a_card_without_an_address_is_reset_without_one() -> None:
    found = findings(in_wsl("ubuntu"), *no_context(214, cuda(pci_id=None)), address=None)

    assert "`sudo nvidia-smi --gpu-reset`" in commands(found[0])
