"""States of a card that works: its compute mode, how it is cut, whose it is, its licence, and what holds its memory."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpuprobe.doctor.about_nvidia import signs
from gpuprobe.doctor.about_nvidia.saying import cause, kernel_step, look_at_the_log, reboot, where_cuda_stops
from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, Step, run
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.libraries import CUDA
from gpuprobe.machine import kernel_log
from gpuprobe.machine.services import runs
from gpuprobe.model import Device, GiB, Purpose, Reason
from gpuprobe.strings import printable, size_text

_FREE, _PROHIBITED = "default", "prohibited"
_UNAVAILABLE, _NO_LICENCE, _OUT_OF_MEMORY = 46, 102, 2
_MPS = range(805, 811)
_PIPE, _USUAL_PIPE = "CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps"  # noqa: S108 - where the daemon listens
_LICENSE = "nvidia-smi -q | grep -i -A2 license"
_TOO_NEW = re.compile(
    r"(?i)vGPU.{0,80}(?:not supported by open nvidia\.ko|cannot be started|version mismatch|host.{0,20}guest)"
)


def restricted(situation: Situation) -> Iterator[Finding]:
    """The administrator has limited who may compute on the card."""
    mode = signs.compute_mode(situation)
    if signs.cuda_code(situation) != _UNAVAILABLE or mode in (None, _FREE):
        return
    holders = _holders(situation)
    words = "prohibited: it takes no program at all" if mode == _PROHIBITED else f"{mode}, and another program has it"
    yield cause(
        "compute-mode-restricted",
        where_cuda_stops(situation),
        f"its compute mode is {words}",
        f"its compute mode is {mode}",
        Observed("NVML", f"compute mode {mode}"),
        Observed("NVML", f"held by {', '.join(map(str, holders))}") if holders else None,
        fix=(kernel_step(situation, "set it back with", f"sudo nvidia-smi -i {situation.card.pci_id} -c 0"),),
        reason=Reason.NOT_DECIDED,
        settle=None if mode == _PROHIBITED or holders else "nvidia-smi",
    )


def _holders(situation: Situation) -> list[int]:
    """Processes that NVML names."""
    view = signs.whole_view(situation)
    activity = (view.capabilities.get("activity") or {}) if view is not None else {}
    return [each["pid"] for each in activity.get("processes") or ()]


def without_a_licence(situation: Situation) -> Iterator[Finding]:
    """A virtual GPU without a licence is listed, and takes no context or computes slower and slower."""
    code, is_told = signs.cuda_code(situation), signs.cuda_code(situation) == _NO_LICENCE
    suspected = code == _UNAVAILABLE and signs.is_virtual_card(situation) and signs.compute_mode(situation) == _FREE
    if not is_told and not suspected:
        return
    name, inside = _name(situation), signs.virtual_machine(situation.host)
    absent = runs(situation.host, "nvidia-gridd") is False
    yield cause(
        "vgpu-unlicensed",
        where_cuda_stops(situation),
        f"the card is a virtual GPU ({name}{f' in {inside}' if inside else ''}) without a licence",
        "the virtual GPU has no licence",
        Observed("NVML", f"{name}, compute mode {_FREE}")
        if suspected
        else Observed("CUDA", "CUDA_ERROR_DEVICE_NOT_LICENSED (102)"),
        Observed("nvidia-gridd", "does not run") if absent else None,
        fix=(
            Step("put NVIDIA's client token into `/etc/nvidia/ClientConfigToken/`", needs_root=True),
            run("then", "sudo systemctl restart nvidia-gridd"),
        ),
        reason=Reason.FAILED_VALIDATION if is_told else Reason.NOT_DECIDED,
        settle=None if is_told else _LICENSE,
    )


def _name(situation: Situation) -> str:
    views = (*signs.nvml_views(situation), *situation.views(CUDA.name))
    return printable(next((view.name for view in views if view.name), situation.card.name or "a virtual GPU"))


def refuses_contexts(situation: Situation) -> Iterator[Finding]:
    """46 where the compute mode allows it, and the card is no virtual one: it hangs. After a sleep it is the memory module."""
    mode = signs.compute_mode(situation)
    if signs.cuda_code(situation) != _UNAVAILABLE or mode != _FREE or signs.is_virtual_card(situation):
        return
    if kernel_log.resumed_at(situation.host) is not None:
        return
    command = f"sudo nvidia-smi --gpu-reset -i {situation.card.pci_id}"
    yield cause(
        "cuda-46-other",
        where_cuda_stops(situation),
        "the card hangs: it takes no new context, though its compute mode is `default`",
        "the card takes no context",
        Observed("NVML", f"compute mode {mode}"),
        fix=(
            kernel_step(situation, "end programs that use the card and reset it with", command),
            reboot(situation, "a card that cannot be reset starts again with the machine", "if that does not help, reboot"),
        ),
        reason=Reason.NOT_DECIDED,
        settle=look_at_the_log("nvrm|xid"),
    )


def service_of_others(situation: Situation) -> Iterator[Finding]:
    """Programs are directed to NVIDIA's multi-process service, which does not answer or is full."""
    code = signs.cuda_code(situation)
    if code not in _MPS:
        return
    full = code in (808, 809)
    pipe = signs.value(situation, _PIPE) or _USUAL_PIPE
    yield cause(
        "mps-broken",
        where_cuda_stops(situation),
        "the MPS daemon has no place for another program"
        if full
        else "the MPS daemon that programs are directed to does not answer",
        "the MPS daemon is full" if full else "the MPS daemon does not answer",
        Observed("CUDA", f"error {code}"),
        Observed(_PIPE, printable(pipe)) if signs.value(situation, _PIPE) else None,
        fix=(Step("end a program that uses it"),)
        if full
        else (
            run("stop it with", "echo quit | sudo nvidia-cuda-mps-control", root=True),
            Step(f"then unset `{_PIPE}` and remove `{printable(pipe)}`, or start it again as the same user"),
        ),
        reason=Reason.NOT_DECIDED,
    )


def cut_into_nothing(situation: Situation) -> Iterator[Finding]:
    """A card in MIG mode computes in its slices alone. Without one, CUDA says no more than that there is no device."""
    views = signs.nvml_views(situation)
    if (
        any(view.partition for view in views)
        or not any(view.capabilities.get("mig_enabled") for view in views)
        or situation.kept
    ):
        return
    address = situation.card.pci_id
    yield cause(
        "mig-no-instances",
        where_cuda_stops(situation),
        "MIG is on and no instance exists, so there is nothing to compute on",
        "MIG is on without an instance",
        Observed("NVML", "MIG on, no instance"),
        fix=(
            kernel_step(situation, "make one instance of the whole card with", f"sudo nvidia-smi mig -i {address} -cgi 0 -C"),
            kernel_step(situation, "or switch MIG off with", f"sudo nvidia-smi -i {address} -mig 0"),
        ),
        reason=CardReason.MIG_WITHOUT_SLICES,
    )


def slice_not_named(situation: Situation) -> Iterator[Finding]:
    """A cut card is chosen by the id of a slice. One that is named by number, or by the card's own id, shows nothing."""
    variable = CUDA.filters[0]
    chosen = signs.value(situation, variable)
    slices = _slices(situation)
    if not slices or chosen is None or chosen.startswith("MIG-") or situation.kept or not _shown_without(situation):
        return
    names_card = any(
        view.uuid and chosen.startswith(view.uuid[:12]) for view in signs.nvml_views(situation) if view.partition is None
    )
    what = "names the card" if names_card else "names no slice"
    first = next((each.uuid for each in slices if each.uuid), "MIG-…")
    yield cause(
        "mig-visibility",
        Rung.LIBRARY,
        f"`{variable}={printable(chosen)}` {what}, and the card is cut: a program takes one slice, by its own id",
        f"`{variable}` names no slice",
        Observed(variable, printable(chosen)),
        Observed("NVML", f"MIG on, {_instances(slices)}"),
        fix=(_choose(situation, variable, first),),
        reason=Reason.HIDDEN_BY_VARIABLE,
    )


def _choose(situation: Situation, variable: str, slice_: str) -> Step:
    setting = f"{variable}={slice_}"
    if situation.container:
        return Step(
            f"name the slice: `{setting}`, in what starts the container, or `export {setting}` in it", f"export {setting}"
        )
    return run("name the slice:", f"export {setting}")


def _slices(situation: Situation) -> tuple[Device, ...]:
    return tuple(view for view in signs.nvml_views(situation) if view.partition is not None)


def _instances(slices: tuple[Device, ...]) -> str:
    return "1 instance" if len(slices) == 1 else f"{len(slices)} instances"


def _shown_without(situation: Situation) -> bool:
    """Whether CUDA shows the card where the variable is not set."""
    unfiltered = [each for each in situation.of_library(CUDA.name) if each.probe.purpose is Purpose.UNFILTERED]
    return any(device.pci_id == situation.card.pci_id for each in unfiltered for device in each.devices)


def slice_nodes_missing(situation: Situation) -> Iterator[Finding]:
    """A slice is opened through two nodes of its own, which a container is given with it."""
    host, slices = situation.host, _slices(situation)
    given = any(node.path.startswith("/dev/nvidia-caps/") for node in host.nodes)
    if not slices or given or situation.kept or not situation.container or signs.cuda_code(situation) is None:
        return
    yield cause(
        "mig-visibility",
        Rung.DEVICE_NODE,
        f"the nodes of its slices (`/dev/nvidia-caps`) were not given to this {situation.container} container",
        "the slices' nodes are missing",
        Observed("/dev/nvidia-caps", "absent"),
        Observed("NVML", _instances(slices)),
        fix=(Step(f"start the container with one slice: `--gpus device={slices[0].uuid or 'MIG-…'}`", where=Place.HOST),),
        reason=CardReason.NO_DEVICE_NODE,
    )


def guest_and_host_differ(situation: Situation) -> Iterator[Finding]:
    """A virtual GPU's driver in the guest must be of a release that the host's knows."""
    line = kernel_log.first(situation.host, _TOO_NEW)
    xids = [xid for xid in kernel_log.xids(situation.host, situation.card.pci_id) if xid.number == 78]
    if situation.kept or signs.virtual_machine(situation.host) is None or (line is None and not xids):
        return
    message = line.message if line is not None else xids[0].line.message
    yield cause(
        "vgpu-host-guest-mismatch",
        Rung.KERNEL_DRIVER,
        "the driver in this virtual machine is not one that the host's vGPU software starts",
        "guest and host drivers differ",
        Observed("kernel log", printable(message[:300])),
        fix=(Step("install the guest driver of the very release that the host's vGPU software has", needs_root=True),),
        settle="nvidia-smi -q | grep -i 'host vgpu'",
    )


def memory_held(situation: Situation) -> Iterator[Finding]:
    """Other programs hold so much of the card that little is left."""
    view = signs.whole_view(situation)
    total, free = (view.total_memory, view.free_memory) if view is not None else (None, None)
    if view is None or not total or free is None or view.used_memory is None:
        return
    fails = signs.cuda_code(situation) == _OUT_OF_MEMORY and not situation.kept
    if not fails and free > total // 10:
        return
    if fails and free > GiB:
        return
    holders = _holders(situation)
    named = f": {', '.join(f'process {pid}' for pid in holders[:4])}" if holders else ""
    yield cause(
        "vram-held-by-others",
        where_cuda_stops(situation),
        f"other programs hold {size_text(view.used_memory)} of its {size_text(total)}{named}",
        "other programs hold its memory",
        Observed("NVML", f"{size_text(free)} free of {size_text(total)}"),
        fix=(
            Step("end those that you do not need: `nvidia-smi` lists them; `ollama stop MODEL` unloads a model", "nvidia-smi"),
        ),
        reason=Reason.NOT_DECIDED,
        severity=Severity.BLOCKER if fails else Severity.DEGRADED,
    )


CHECKS = (
    guest_and_host_differ,
    cut_into_nothing,
    slice_not_named,
    slice_nodes_missing,
    restricted,
    without_a_licence,
    refuses_contexts,
    service_of_others,
    memory_held,
)
