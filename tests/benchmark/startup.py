"""The rows about one whole command: with no GPU library installed beside do-nothing and the peers, and with every loader."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from statistics import median

from gpuprobe.exits import Exit
from gpuprobe.survey.host import read_host
from tests import ggml_world
from tests.benchmark.nvidia_doubles import nvidia
from tests.benchmark.table import Line, MiB, Ran, Unmeasured, mebibytes, milliseconds, ratio, times
from tests.benchmark.workplace import PEERS, Workplace, interleaved

LIST_JSON = ("list", "--json")
COMMANDS: dict[str, tuple[str, ...]] = {
    "list --json": LIST_JSON,
    "list": ("list",),
    "env": ("env",),
    "--version": ("--version",),
    "doctor": ("doctor",),
}
NOT_BEFORE = ("doctor",)  # the checkout that `--beside` names may not have it
PEER_ARGUMENTS = {"gpustat": ("--json",), "nvitop": ("-1",)}

START_BARS = {"list --json": 1.4, "doctor": 1.6}  # times do-nothing, where nothing was discovered before
EVERY_LOADER_BAR = 1.3  # times (slowest listing + slowest validation + do-nothing)
MEMORY_BAR = 40 * MiB
BUILDS = {
    "cuda_v11": "500,610,700,750,800,860,890,900",
    "cuda_v12": "500,610,700,750,800,860,890,900,1200",
    "cuda_v13": "750,800,860,890,900,1200",
}
NO_SLOWER_BAR = 1.03  # times the other checkout

Costs = Mapping[str, Sequence[Ran]]


def nothing_installed(workplace: Workplace, rows: Sequence[str]) -> Iterator[Line]:
    """Every wanted row in one run: do-nothing, our commands and the peers take turns."""
    ours = [row for row in COMMANDS if row in rows]
    peers = [row for row in PEERS if row in rows]
    try:
        peers_commands = {peer: [str(workplace.peers / peer), *PEER_ARGUMENTS[peer]] for peer in peers}
    except Unmeasured as reason:
        yield from (Line(f"list --json beside {peer}", "not measured", remark=str(reason)) for peer in peers)
        peers, peers_commands = [], {}
    measured = dict.fromkeys([*ours, *(["list --json"] if peers else [])])
    own_commands = {row: workplace.gpuprobe(*COMMANDS[row]) for row in measured}
    asked_before = {row: command for row, command in own_commands.items() if row not in NOT_BEFORE}
    before = {f"{row} before": command for row, command in asked_before.items()} if workplace.beside else {}
    commands = {"do-nothing": workplace.do_nothing(), **own_commands, **before, **peers_commands}
    costs = _taking_turns(workplace, commands, set(before))
    yield Line("do-nothing", "1 x", remark=f"two commands of Typer's; {_cost(costs['do-nothing'])}")
    yield from (_beside_do_nothing(row, costs) for row in ours)
    for row in asked_before if before else ():
        remark = f"{workplace.beside}; {_cost(costs[f'{row} before'])}"
        yield times(f"{row} beside", ratio(costs[row], costs[f"{row} before"]), NO_SLOWER_BAR, remark)
    for peer in peers:
        remark = f"{peer} {workplace.release_of(peer)}; {_cost(costs[peer])}"
        yield times(f"list --json beside {peer}", ratio(costs["list --json"], costs[peer]), 1, remark)


def _taking_turns(workplace: Workplace, commands: Mapping[str, Sequence[str]], before: Collection[str]) -> Costs:
    ours, theirs = workplace.environment(), workplace.environment_beside()
    turns = [(argv, theirs if row in before else ours) for row, argv in commands.items()]
    columns = interleaved(workplace.bare, turns, workplace.runs)
    costs = dict(zip(commands, columns, strict=True))
    failed = [row for row in costs if row not in PEERS and costs[row][0].code not in (Exit.ANSWERED, Exit.NOTHING_USABLE)]
    if failed:  # a peer without a GPU may leave with what it likes
        raise Unmeasured(f"{', '.join(failed)} failed: exit code {costs[failed[0]][0].code}")
    return costs


def _cost(runs: Sequence[Ran]) -> str:
    return f"{milliseconds(median(run.seconds for run in runs))}, {mebibytes(median(run.peak for run in runs))}"


def _beside_do_nothing(row: str, costs: Costs) -> Line:
    figure, remark = ratio(costs[row], costs["do-nothing"]), f"do-nothing; {_cost(costs[row])}"
    bar = START_BARS.get(row)
    return Line(row, f"{figure:.2f} x", remark=remark) if bar is None else times(row, figure, bar, remark)


def every_loader(workplace: Workplace) -> Iterator[Line]:
    """The loaders of this machine and doubles of NVIDIA's libraries, which validate."""
    environment = workplace.environment(**_with_a_card())
    commands = (workplace.gpuprobe(*LIST_JSON), workplace.do_nothing())
    turns = [(argv, environment) for argv in commands]
    if workplace.beside:
        turns.append((commands[0], {**environment, "PYTHONPATH": str(workplace.beside)}))
    ours, nothing, *before = interleaved(workplace.here, turns, workplace.runs)
    figure = median(_beyond_the_slowest(*pair) for pair in zip(ours, nothing, strict=True))
    asked = sorted({probe["library"] for probe in ours[0].document["probes"] if probe["seconds"] is not None})
    remark = f"slowest listing + slowest validation + do-nothing; {milliseconds(median(run.seconds for run in ours))}; asked: "
    yield times("list --json, every loader", figure, EVERY_LOADER_BAR, remark + ", ".join(asked))
    for theirs in before:
        yield times("... beside", ratio(ours, theirs), NO_SLOWER_BAR, f"{workplace.beside}; {_cost(theirs)}")


def eight_cards_in_builds(workplace: Workplace) -> Iterator[Line]:
    """Three builds of ggml for CUDA list each of eight cards beside the driver's own two libraries."""
    top = workplace.directory / "lib" / "ollama"
    for name, capabilities in BUILDS.items():
        ggml_world.double(top / name, f"archs {capabilities}", "over libcuda.so.1")
    environment = workplace.environment(**nvidia(cards=8), OLLAMA_VULKAN="0")
    command = workplace.gpuprobe(*LIST_JSON, "--lib-dir", str(top))
    turns = [(command, environment)]
    if workplace.beside:
        turns.append((command, {**environment, "PYTHONPATH": str(workplace.beside)}))
    ours, *before = interleaved(workplace.here, turns, workplace.runs)
    listings = [probe for probe in ours[0].document["probes"] if probe["purpose"] == "list" and probe["build"] in BUILDS]
    if [probe["status"] for probe in listings] != ["ok"] * len(BUILDS) or len(ours[0].document["dropped"]) != 8 * len(BUILDS):
        raise Unmeasured("not every build listed every card")
    yield Line("8 cards, 3 builds", milliseconds(median(run.seconds for run in ours)), remark="list --json")
    for theirs in before:
        yield times("... beside", ratio(ours, theirs), NO_SLOWER_BAR, f"{workplace.beside}; {_cost(theirs)}")


def _with_a_card() -> dict[str, str]:
    if not any("lvp" in manifest.path for manifest in read_host().manifests):
        raise Unmeasured("Vulkan's software driver (lavapipe) is not installed")
    return nvidia()


def _beyond_the_slowest(ours: Ran, nothing: Ran) -> float:
    probes = [probe for probe in ours.document["probes"] if probe["seconds"] is not None]
    listing = max(probe["seconds"] for probe in probes if probe["purpose"] != "validate")
    validation = max(probe["seconds"] for probe in probes if probe["purpose"] == "validate")
    return ours.seconds / float(listing + validation + nothing.seconds)


def memory(workplace: Workplace) -> Iterator[Line]:
    """The parent alone: the children's memory is the libraries'."""
    environment = workplace.environment(**_with_a_card())
    for row in ("list --json", "list"):
        command = workplace.gpuprobe(*COMMANDS[row])
        (runs,) = interleaved(workplace.here, [(command, environment)], min(workplace.runs, 5), watch=True)
        peak = max(run.own_peak or 0 for run in runs)
        remark = "every loader; the parent alone, read each millisecond"
        yield Line(f"memory of {row}", mebibytes(peak), mebibytes(MEMORY_BAR), peak <= MEMORY_BAR, remark)
