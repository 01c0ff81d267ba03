"""What happened to a card that no library computes on, one rung after another, without a look at the cause.

These are the words where no check names a cause; see `diagnosis.py` for what goes before them.
"""

from collections.abc import Sequence

from gpuprobe import machine, vendors
from gpuprobe.doctor import container_advice
from gpuprobe.doctor.reasons import CardReason, Why
from gpuprobe.doctor.remedies import JOIN, of_loading, remedy
from gpuprobe.facts import Host
from gpuprobe.judging.belonging import installed, is_of, serves
from gpuprobe.judging.verdicts import describe, outcomes_of, telling
from gpuprobe.libraries import LIBRARIES, Library, library_named, rank_of
from gpuprobe.machine import Card
from gpuprobe.model import SYSTEM, Drop, Inventory, Outcome, Purpose, Reason, Status


def kernel_driver(card: Card, host: Host) -> Why | None:
    if card.kind != "pci" or host.platform != "linux":
        return None
    if card.driver == "vfio-pci" or card.driver_override == "vfio-pci":
        elsewhere = "use it inside that virtual machine, or remove it from the vfio configuration and reboot"
        held = "`vfio-pci` holds it for a virtual machine"
        return Why(CardReason.RESERVED_FOR_A_VM, held, elsewhere, "held for a virtual machine")
    maker = vendors.vendor_of(card.vendor_id)
    advice = maker.driver_advice if maker else None
    if card.driver is None:
        named = f" (`{'` or `'.join(maker.drivers)}`)" if maker and maker.drivers else ""
        because = f"no kernel driver{named} is loaded for this card"
        return Why(CardReason.NO_KERNEL_DRIVER, because, advice, "no kernel driver")
    if maker is not None and card.driver in maker.lesser_drivers:
        lacks = f"has no {maker.lesser_drivers[card.driver]}"
        because = f"it uses the kernel driver `{card.driver}`, which {lacks}"
        return Why(CardReason.OTHER_KERNEL_DRIVER, because, advice, f"`{card.driver}` {lacks}")
    return None


def device_node(card: Card, host: Host) -> Why | None:
    """The nodes a library must open. They are looked at, never opened."""
    needed = _nodes_of(card)
    if not needed or host.platform != "linux":
        return None
    nodes = {node.path: node for node in host.nodes}
    absent = [path for path in needed if path not in nodes]
    inside = machine.container(host)
    contained = None if inside in (None, machine.NONE) else inside
    if absent and machine.why_no_node(host, absent[0]) is not None:
        return None
    if absent:
        maker = vendors.vendor_of(card.vendor_id)
        own = maker.node_advice if maker else None
        if contained is None:
            return Why(CardReason.NO_DEVICE_NODE, f"`{absent[0]}` does not exist", own, "no device node")
        because = f"this {contained} container was started without it (`{absent[0]}` does not exist)"
        advice = container_advice.for_nodes(contained, card)
        return Why(CardReason.NO_DEVICE_NODE, because, advice, f"{contained} container started without it")
    denied = [nodes[path] for path in needed if not nodes[path].accessible]
    if denied:
        group = denied[0].group or denied[0].gid
        because = f"your account has no access to `{denied[0].path}` (group {group})"
        advice = container_advice.for_group(contained, denied[0]) if contained else JOIN
        return Why(CardReason.NO_PERMISSION, because, advice, "no permission")
    return None


def unknown_node(card: Card, host: Host) -> str | None:
    """Why nobody knows whether a node of this card is there: a clause."""
    there = {node.path for node in host.nodes}
    unknown = (machine.why_no_node(host, path) for path in _nodes_of(card) if path not in there)
    return next((why for why in unknown if why is not None), None)


def _nodes_of(card: Card) -> list[str]:
    maker = vendors.vendor_of(card.vendor_id) if card.kind == "pci" else None
    node = maker.node_of.get(card.driver or "", card.render_node) if maker else card.render_node
    return [node] if node else []


def hidden(card: Card, inventory: Inventory) -> Why | None:
    listed = {library for library, purpose in _listing_it(card, inventory) if purpose is not Purpose.UNFILTERED}
    for outcome in inventory.evidence.outcomes:
        unfiltered = outcome.probe.purpose is Purpose.UNFILTERED and outcome.probe.library not in listed
        if unfiltered and any(is_of(device, card) for device in outcome.devices):
            names = [name for name, _ in outcome.probe.variables]
            shown = ", ".join(f"`{name}={inventory.evidence.host.environ.get(name, '')}`" for name in names)
            because = f"{shown} {'hide' if len(names) > 1 else 'hides'} it; without that, {outcome.probe.library} lists it"
            cure = f"unset it to use this card: `unset {' '.join(names)}`"
            return Why(Reason.HIDDEN_BY_VARIABLE, because, cure, f"hidden by `{names[0]}`" if names else "")
    return None


def not_cut(card: Card, inventory: Inventory) -> Why | None:
    """A card in MIG mode computes in its slices alone. Without one, CUDA says no more than that there is no device."""
    outcomes = [outcome for outcome in inventory.evidence.outcomes if library_named(outcome.probe.library).witness]
    views = [device for outcome in outcomes for device in outcome.devices if is_of(device, card)]
    if any(view.partition for view in views) or not any(view.capabilities.get("mig_enabled") for view in views):
        return None
    because = "MIG is on and no instance exists, so there is nothing to compute on"
    make, off = f"sudo nvidia-smi mig -i {card.pci_id} -cgi 0 -C", f"sudo nvidia-smi -i {card.pci_id} -mig 0"
    cure = f"make one instance of the whole card with `{make}`, or switch MIG off: `{off}`"
    return Why(CardReason.MIG_WITHOUT_SLICES, because, cure, "MIG is on without an instance")


def not_given(card: Card, inventory: Inventory) -> Why | None:
    """A container sees every card of the bus, and was started with some: its vendor's library answers, and lists others."""
    inside = machine.container(inventory.evidence.host)
    if inside in (None, machine.NONE) or card.pci_id is None or _listing_it(card, inventory):
        return None
    answering = [
        outcome for outcome in inventory.evidence.outcomes if _is_vendors_own(outcome, card) and outcome.status is Status.OK
    ]
    if not any(device.pci_id not in (None, card.pci_id) for outcome in answering for device in outcome.devices):
        return None
    because = f"not given to this {inside} container, which was started with others"
    advice = container_advice.for_nodes(inside or "", card)
    return Why(CardReason.NOT_GIVEN, because, advice, f"{inside} container started without it")


def _is_vendors_own(outcome: Outcome, card: Card) -> bool:
    library = library_named(outcome.probe.library)
    own = bool(library.vendors) and not library.witness and serves(library, card) and card.vendor_id is not None
    return own and outcome.probe.purpose is Purpose.LIST


def _listing_it(card: Card, inventory: Inventory) -> list[tuple[str, Purpose]]:
    outcomes = inventory.evidence.outcomes
    lists = [outcome for outcome in outcomes if any(is_of(device, card) for device in outcome.devices)]
    return [(outcome.probe.library, outcome.probe.purpose) for outcome in lists]


def dropped(drops: Sequence[Drop], inventory: Inventory) -> Why | None:
    if not drops:
        return None
    device, reason = drops[0].device, drops[0].reason
    spoken = outcomes_of(device, inventory.evidence.outcomes) if reason in _OF_A_VALIDATION else []
    cure = remedy(telling(spoken)) if spoken else None
    brief = f"{device.library} {_DROPPED[reason]}" if reason in _DROPPED else ""
    return Why(reason, f"{device.library}: {drops[0].because}", cure, brief)


_OF_A_VALIDATION = (Reason.FAILED_VALIDATION, Reason.NOT_DECIDED)
_DROPPED = {
    Reason.FAILED_VALIDATION: "does not work on it",
    Reason.NOT_DECIDED: "could not be tested on it",
    Reason.NO_CODE: "has no code for it",
}


def library_failed(card: Card, inventory: Inventory, drops: Sequence[Drop]) -> Why | None:
    """What became of the most preferred library that should have listed this card, if it ranks before what did.

    Where another library lists the card, a better one that is merely not installed is no reason against it. What was left
    out on purpose counts last. Where the vendor's own library answers, or where none is made for the card, that another one is
    not installed explains nothing.
    """
    best = rank_of(drops[0].device.library) if drops else len(LIBRARIES)
    offers = [library for library in LIBRARIES[:best] if not library.witness and serves(library, card)]
    outcomes = [outcome for library in offers if (outcome := listing(library, inventory)) is not None]
    answered = any(outcome.status is Status.OK and library_named(outcome.probe.library).vendors for outcome in outcomes)
    nothing_else = bool(drops) or unserved(card) is not None
    telling = [each for each in outcomes if not _says_nothing(each.status, listed=nothing_else, answered=answered)]
    if not telling:
        return None
    outcome = min(telling, key=lambda each: _left_out(each, inventory))
    library = library_named(outcome.probe.library)
    brief = f"{library.name} {_ENDED.get(outcome.status, 'did not answer')}"
    advice = _advice(library, outcome, inventory) or remedy(outcome)
    return Why(outcome.status, f"{library.name}: {describe(outcome)}", advice, brief)


def number_of(outcome: Outcome) -> str:
    name = f"{outcome.code_name}, " if outcome.code_name else ""
    code = outcome.code or 0
    number = f"{name}error {f'0x{code:08x}' if code >= _HEXADECIMAL else code}"
    return f"`{outcome.last_call}`: {number}" if outcome.last_call else number


_HEXADECIMAL = 0x70000000  # where Level Zero's numbers begin, which everybody writes so


_ENDED = {
    Status.OK: "does not list it",
    Status.NO_DEVICES: "found no card it can use",
    Status.ABSENT: "is not installed",
    Status.NOT_LOADABLE: "did not load",
    Status.INIT_FAILED: "did not start",
    Status.CALL_FAILED: "failed",
    Status.CRASHED: "crashed",
    Status.EXITED: "ended without an answer",
    Status.TIMED_OUT: "did not answer in time",
    Status.ABANDONED: "is stuck in the kernel",
    Status.UNREADABLE: "gave an answer that cannot be read",
    Status.NOT_STARTED: "could not be asked",
    Status.REFUSED: "was refused",
    Status.SKIPPED: "was not asked",
}


def _says_nothing(status: Status, *, listed: bool, answered: bool) -> bool:
    """`listed`: another library shows the card; `answered`: its vendor's own did not fail."""
    if listed:
        return status.answered or status.not_asked or status.not_there
    return status is Status.OK or (answered and status.not_there)


def unserved(card: Card) -> Why | None:
    """A card that nothing here is made for: neither a library of its vendor's, nor Mesa's Vulkan drivers."""
    maker = vendors.vendor_of(card.vendor_id)
    if maker is None or maker.in_mesa or any(maker in library.vendors for library in LIBRARIES):
        return None
    through = maker.computes_through
    if through is None:
        unknown = f"gpuprobe knows no library for GPUs of {maker.name}"
        return Why(CardReason.NOT_SERVED, unknown, None, "no library for it is known")
    because = f"this GPU of {maker.name} computes through {through}, which gpuprobe does not know"
    return Why(CardReason.NOT_SERVED, because, f"use a program that was built for {through}", f"it needs {through}")


def _left_out(outcome: Outcome, inventory: Inventory) -> int:
    """0: it was asked; 1: it was not, because asking wakes a card; 2: it is not there; 3: the user left it out; 4: this
    version cannot ask it. That a library is not there explains nothing while another was not asked."""
    # One that is there and does not load is the fault, and not that there is none.
    if outcome.status.not_there and not installed(library_named(outcome.probe.library), inventory.evidence.host):
        return 2
    if outcome.status is not Status.SKIPPED:
        return 0
    if library_named(outcome.probe.library).backend is None:
        return 4
    named = not inventory.request.libraries or outcome.probe.library in inventory.request.libraries
    return 1 if named and not inventory.request.wake else 3


def _advice(library: Library, outcome: Outcome, inventory: Inventory) -> str | None:
    host = inventory.evidence.host
    cure = next((maker.wsl_cure for maker in library.vendors if maker.wsl_cure), None)
    path = machine.foreign_to_wsl(host, library.sonames.get(host.platform, ())) if cure else None
    if path is not None:
        hidden = f"`{path}` is a driver for Linux, which never works in WSL and hides that of Windows in `/usr/lib/wsl/lib`"
        return f"{hidden}; remove it: `{cure}`"
    if outcome.status.not_there:
        is_there = installed(library, host)
        return of_loading(outcome.message or "") or (_one_version(library) if is_there else library.advice) or None
    if outcome.status is Status.TIMED_OUT:
        return "give it longer (`--timeout 120`); if it hangs all the same, the end of `sudo dmesg` may say why"
    if outcome.status is Status.CRASHED:
        return f"{_one_version(library)}; `gpuprobe list --all -v` shows its last output"
    if outcome.status is Status.SKIPPED and not inventory.request.wake:
        return "run it without `--no-wake`"
    return None


def _one_version(library: Library) -> str:
    maker = library.vendors[0].name if len(library.vendors) == 1 else library.name
    return f"reinstall the {maker} driver so that all its packages have one version"


def listing(library: Library, inventory: Inventory) -> Outcome | None:
    """That of the system's own library; of a build that was asked only where the system has none."""
    outcomes = inventory.evidence.outcomes
    mine = [each for each in outcomes if each.probe.library == library.name and each.probe.purpose is Purpose.LIST]
    own = next((outcome for outcome in mine if outcome.probe.build == SYSTEM), None)
    asked = next((outcome for outcome in mine if outcome.probe.build != SYSTEM and outcome.seconds is not None), None)
    return asked if own is None or (own.status is Status.ABSENT and asked is not None) else own
