"""The command line: every command with its options and its help."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from gpuprobe.command import env_options
from gpuprobe.command.options import DoctorOptions, Options
from gpuprobe.command.reply import Reply, Stream
from gpuprobe.command.shared_options import show_version, with_shared_options
from gpuprobe.command.watch_option import Watch, WatchCommand
from gpuprobe.exits import Exit
from gpuprobe.record_classes import NamedTuple


class _Later:
    """A module of options, imported where its command is built: sixteen of them cost every other command 3 ms."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        from importlib import import_module

        return getattr(import_module(self._name), attribute)


if TYPE_CHECKING:
    from gpuprobe.command import doctor_options, fleet_options, plan_options
else:
    doctor_options = _Later("gpuprobe.command.doctor_options")
    plan_options = _Later("gpuprobe.command.plan_options")
    fleet_options = _Later("gpuprobe.command.fleet_options")

EXIT_CODES = "\b\nExit codes:\n" + "\n".join(f"{code.value:>5}  {code.meaning}" for code in Exit)

DEVICE_HELP = "An id or the beginning of one, a PCI address, `CUDA:0`, a number or a library's name."

Devices = Annotated[list[str] | None, typer.Argument(metavar="[DEVICE]...", help=DEVICE_HELP, show_default=False)]
Processes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PROCESS]...",
        help="A process number, or a unit of systemd such as `ollama`; without one every process that computes.",
        show_default=False,
    ),
]


class Command(NamedTuple):
    function: Callable[..., Reply | Stream | None]
    hidden: bool = False
    asks: bool = True  # a machine, or a capture of one
    kind: type[TyperCommand] = TyperCommand

    def built(self, name: str) -> Any:
        """What Typer makes of it; None is never seen by Typer, which takes a function with its options."""
        single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        single.command(name, cls=self.kind, hidden=self.hidden)(with_shared_options(self.function, self.asks))
        return typer.main.get_command(single)


COMMANDS: dict[str, Command] = {}


class Commands(TyperGroup):
    """The commands of `COMMANDS`, each built when it is asked for: all of them cost a sixth of the start-up.

    Options may stand before the command, and `default` is taken where there is none.
    """

    default = "list"

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # Typer proposes one of these names where a command is mistyped; what stands behind a name is never used.
        self.commands = {name: self for name, each in COMMANDS.items() if not each.hidden}

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return COMMANDS[cmd_name].built(cmd_name) if cmd_name in COMMANDS else None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self._reordered(args))

    def _reordered(self, args: list[str]) -> list[str]:
        """`--json env` becomes `env --json`; nothing but options becomes `list` with these options."""
        taking = _options_with_a_value() if args[:1] and args[0].startswith("-") else set()
        position = 0
        while position < len(args) and args[position].startswith("-"):
            position += 2 if args[position] in taking else 1
        options, rest = args[:position], args[position:]
        if rest[:1] == ["help"] and "help" not in COMMANDS:
            return [*[word for word in rest[1:2] if word in COMMANDS], "--help"]
        if rest[:1] == ["version"] or "-V" in options:
            return ["--version"]
        if rest:
            return [*rest[:1], *options, *rest[1:]]
        early = [option for option in options if option in ("--help", "-h", "--version")]
        return early or [self.default, *options]


def _options_with_a_value() -> set[str]:
    options = [each for each in COMMANDS[Commands.default].built(Commands.default).params if each.param_type_name == "option"]
    return {name for each in options if not each.is_flag for name in each.opts}


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def command(
    name: str, *, hidden: bool = False, asks: bool = True, kind: type[TyperCommand] = TyperCommand
) -> Callable[[Callable[..., Reply | Stream | None]], Callable[..., Reply | Stream | None]]:
    def declare(function: Callable[..., Reply | Stream | None]) -> Callable[..., Reply | Stream | None]:
        COMMANDS[name] = Command(function, hidden, asks, kind)
        return function

    return declare


@app.callback()
def gpuprobe(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=show_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """List the GPUs that inference can really use, and why the others are not usable.

    Every library of every vendor is asked in a process of its own, under a time limit, and really initialised.
    Without a command it lists: `gpuprobe --json` is `gpuprobe list --json`.

    \b
    Examples:
      gpuprobe                          which GPUs are usable, and why the others are not
      gpuprobe doctor --for ollama      the GPU works, and Ollama computes on the CPU
      gpuprobe running                  whether what runs now is really on the GPU
      gpuprobe list --json              the same for a program
      e=$(gpuprobe env) || exit; eval "$e"   select exactly the devices that work
    """


@command("list")
def list_devices(
    options: Options,
    device: Annotated[str | None, typer.Argument(metavar="[DEVICE]", help=DEVICE_HELP, show_default=False)] = None,
    *,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Also every library and each of its views of a GPU: how far each got, and why it is not used."
        ),
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only list, initialise nothing: faster, but does not test whether they work.")
    ] = False,
    require: Annotated[
        str | None,
        typer.Option(
            "--require",
            metavar="CLAUSES",
            help="Exit 5 unless met, with one line that says why: 'count>=2, free>=20GiB, compute>=8.0, library=cuda'.",
        ),
    ] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="free", help="Most free memory first, instead of the fixed order.")
    ] = None,
    brief: Annotated[
        bool, typer.Option("--brief", help="A few lines without addresses and load: equal on equal machines.")
    ] = False,
    format: Annotated[  # noqa: A002 - the name of the option
        str | None,
        typer.Option(
            "--format",
            metavar="prometheus|labels|csv",
            help="For other programs: metrics, labels of a Kubernetes node, or a row for each device.",
        ),
    ] = None,
) -> Reply:
    """List usable GPUs, and why the others are not.

    Use it when a program runs on the CPU although there is a GPU, or to check a machine before work is sent to it.
    With a DEVICE: everything about that one, and whether the CUDA toolkits, torch and rocBLAS that are installed run on it.

    \b
    Examples:
      gpuprobe list --all               every library and every view, with reasons
      gpuprobe list CUDA:0              everything about one device
      gpuprobe list --require 'count>=2, free>=20GiB'   exit code 5 if that is not met
    """
    from gpuprobe.command import commands

    return commands.list_devices(
        options, device, everything=everything, quick=quick, require=require, sort=sort, brief=brief, form=format
    )


@command("validate")
def validate(
    options: Options,
    device: Devices = None,
    *,
    build: Annotated[
        list[str] | None,
        typer.Option("--build", metavar="NAME", help="Only views in this build; `system` is the system's own library."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 4 if any view fails, not only if a card has no passing one.")
    ] = False,
    step: Annotated[
        str | None,
        typer.Option("--step", metavar="NAME", help="Only up to this step, such as `context` or `copy`."),
    ] = None,
    repeat: Annotated[
        str | None, typer.Option("--repeat", metavar="N", help="Each view N times: what fails now and then has failed.")
    ] = None,
    jobs: Annotated[
        str | None, typer.Option("--jobs", metavar="N", help="At most N cards at once; copies are timed on one at a time.")
    ] = None,
) -> Reply:
    """Test whether every GPU really computes, through each library.

    Use it when a program finds a GPU and then fails on it, or after a driver update: `list` stops at a context,
    this copies memory, runs a kernel and a product, compares every element and times copies, with each library,
    and says where one fails. A card that no library shows has failed too.

    \b
    Examples:
      gpuprobe validate                 every view of every card
      gpuprobe validate CUDA:0 -v       one device, with the time of each step
      gpuprobe validate --repeat 10     find a card that fails now and then
    """
    from gpuprobe.command import commands

    chosen, pace = tuple(device or ()), {"step": step, "repeat": repeat, "jobs": jobs}
    return commands.validate(options, chosen, builds=tuple(build or ()), strict=strict, **pace)


@command("doctor")
def doctor(
    options: Options,
    device: Devices = None,
    *,
    programs: doctor_options.Programs = None,
    who: doctor_options.As = None,
    log: doctor_options.Log = None,
    explain: doctor_options.Explain = None,
    only: doctor_options.Only = None,
    skip: doctor_options.Skip = None,
    fail_on: doctor_options.FailOn = None,
    markdown: doctor_options.Markdown = False,
) -> Reply:
    """Say why a GPU is not detected or not used, and what to do.

    Use it when `list` shows a GPU as not usable, or when a program computes on the CPU although its GPU works. Per card: how
    far it gets, the cause, what was seen that shows it, and the steps for this machine. It reads the kernel's log, packages,
    settings and running services, changes nothing, and wakes no card that `list` would let sleep. Exit code 4: a GPU is kept
    from being used.

    \b
    Examples:
      gpuprobe doctor                       why a GPU is not used
      gpuprobe doctor --for ollama          first whether Ollama computes on a GPU here
      gpuprobe doctor --as ollama.service   as that service sees the machine
      journalctl -u ollama -b | gpuprobe doctor --log -   where it went to the CPU
      gpuprobe doctor --markdown            for a forum or an issue
    """
    from gpuprobe.command import examining

    given = DoctorOptions(
        programs=tuple(programs or ()),
        who=who,
        log=log,
        explain=explain,
        only=tuple(only or ()),
        skip=tuple(skip or ()),
        fail_on=fail_on,
        markdown=markdown,
    )
    return examining.doctor(options, tuple(device or ()), given)


@command("flash-attn")
def flash_attn(options: Options, device: Devices = None) -> Reply:
    """Tell whether these devices can use flash attention together.

    Use it before `OLLAMA_FLASH_ATTENTION` or a quantised K/V cache is set: it names the device that says no, and
    what the variables that are set now make of it.

    \b
    Examples:
      gpuprobe flash-attn               all usable devices together
      gpuprobe flash-attn CUDA:0 || echo no     exit code 5 means no, 6 unknown
    """
    from gpuprobe.command import commands

    return commands.flash_attn(options, tuple(device or ()))


@command("env", kind=env_options.BeforeCommand)
def env(
    options: Options,
    device: Devices = None,
    *,
    shell: env_options.Shell = None,
    format: env_options.Format = None,  # noqa: A002 - the name of the option
    unset: env_options.Unset = False,
    required: env_options.Required = False,
    count: env_options.Count = None,
    min_free: env_options.MinFree = None,
    check: env_options.Check = False,
    fresh: env_options.Fresh = False,
    consumer: env_options.For = None,
) -> Reply:
    """Print the variables that select exactly the devices that work.

    Use it in a script or a service's start: the chosen devices are selected, and all others are hidden from every
    library. Nothing usable, or not enough: nothing is printed, and the exit code is 3. It answers from the discovery
    that `list` or `validate` saved, for a day and while nothing on the machine has changed; else it asks.

    \b
    Examples:
      gpuprobe env -- python3 train.py       run one program on all usable devices
      gpuprobe env --count 2 -- ./serve      on the two with most free memory
      e=$(gpuprobe env) || exit; eval "$e"   for the rest of a script
      gpuprobe env --shell fish | source     the same in fish; in csh:
      set e = "`gpuprobe env --shell csh`" || exit $status
      eval "$e"
      gpuprobe env --shell powershell | Out-String | Invoke-Expression
      gpuprobe env CUDA:0 --format systemd   a drop-in for a service
      gpuprobe env --for llama.cpp           what this program reads, and what it does not

    A plain `eval "$(gpuprobe env)"` would go on when there is nothing usable, even under `set -e`. A COMMAND is run
    in the place of gpuprobe and returns its own code: 127 where it is not found, 126 where it cannot be run.
    """
    from gpuprobe.command import selecting
    from gpuprobe.command.choosing import Choice

    choice = Choice(shell, format, unset, required, count, min_free, check, fresh, consumer)
    return selecting.env(options, tuple(device or ()), choice)


@command("plan")
def plan(
    options: Options,
    model: plan_options.Models,
    *,
    context: plan_options.Context = None,
    parallel: plan_options.Parallel = None,
    cache_type_k: plan_options.CacheTypeK = None,
    cache_type_v: plan_options.CacheTypeV = None,
    flash_attn: plan_options.FlashAttn = None,
    ubatch: plan_options.Ubatch = None,
    devices: plan_options.Devices = None,
    split: plan_options.Split = None,
    layers: plan_options.Layers = None,
    cpu_moe: plan_options.CpuMoe = None,
    reserve: plan_options.Reserve = None,
    engine: plan_options.Engine = None,
    gpu_only: plan_options.GpuOnly = False,
    what_if: plan_options.WhatIfs = None,
    own: plan_options.Own = False,
    compare: plan_options.Compare = False,
) -> Reply:
    """What of a model fits where, and the command line for it.

    Use it before a model is loaded, or a card is bought: weights, cache and compute buffer per device, the layers and the
    context that fit, by the engine's own rules, and what to paste. Only the model's header is read. Where an installed
    llama.cpp can measure, it is asked, with nothing loaded. Exit code 5: it does not fit; 6: a figure that decides is unknown.

    \b
    Examples:
      gpuprobe plan model.gguf              what fits, and the command for llama-server
      gpuprobe plan llama3.1:8b --context 32k   by Ollama's rules
      gpuprobe plan model.gguf --what-if 'CUDA:0 total=24GiB'   on a card that is not there
      gpuprobe plan --compare --context 4k,32k a.gguf b.gguf    one line each
    """
    from gpuprobe.command import planning

    given = plan_options.PlanOptions(
        context=context,
        parallel=parallel,
        cache_type_k=cache_type_k,
        cache_type_v=cache_type_v,
        flash_attn=flash_attn,
        ubatch=ubatch,
        devices=tuple(devices or ()),
        split=split,
        layers=layers,
        cpu_moe=cpu_moe,
        reserve=reserve,
        engine=engine,
        gpu_only=gpu_only,
        what_if=tuple(what_if or ()),
        own=own,
        compare=compare,
    )
    return planning.plan(options, model, given)


@command("running", kind=WatchCommand)
def running(options: Options, process: Processes = None, *, watch: Watch = None) -> Reply | Stream:
    """Tell whether what runs now is really on the GPU.

    Use it when a program says that it uses the GPU and is slow. It looks at every process that runs models (Ollama and its
    runners, llama.cpp's programs, vLLM, SGLang, Python with torch or JAX): what it holds on each device, what it has open and
    mapped, how many layers are where by its log. What a program says of itself is shown, and decides nothing. Exit code 5: a
    process that was named is not on a GPU; 6: that cannot be told.

    \b
    Examples:
      gpuprobe running                  every process that runs models, and where it computes
      gpuprobe running 4242             one process, with the evidence
      gpuprobe running ollama           those of a unit of systemd
      sudo gpuprobe running             also what other accounts run
      gpuprobe running --watch          again every 2 seconds; `q` ends it
    """
    from gpuprobe.command import running as answering

    if watch is not None:
        from gpuprobe.command import running_watch

        return running_watch.watch(options, watch, tuple(process or ()))
    return answering.running(options, tuple(process or ()))


@command("capture")
def capture(
    options: Options,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to write it; `-` is standard output.", show_default=False)],
) -> Reply:
    """Save this machine in a file, for `--from` to read elsewhere.

    Use it for a bug report, or to look at another person's machine. Serial numbers, host and user names are replaced.

    \b
    Examples:
      gpuprobe capture machine.json         save this machine
      gpuprobe list --from machine.json     the same answer as on that machine
    """
    from gpuprobe.command import commands

    return commands.capture(options, file)


@command("refresh", kind=WatchCommand)
def refresh(
    options: Options,
    device: Devices = None,
    *,
    diff: Annotated[
        bool, typer.Option("--diff", help="Also what changed since the saved discovery: memory, drivers, devices.")
    ] = False,
    watch: Watch = None,
    require: Annotated[
        str | None,
        typer.Option("--require", metavar="CLAUSES", help="As in `list`: exit 5 unless met, 6 where a figure is unknown."),
    ] = None,
    wait: Annotated[
        str | None,
        typer.Option("--wait", metavar="DURATION", help="Until --require is met, for this long at most: `90s` or `10m`."),
    ] = None,
) -> Reply | Stream:
    """Show how much memory is free now.

    Use it before work is sent to a GPU, or in a loop that waits for memory. It asks about the devices that `list` or
    `validate` found and saved, and takes 3 seconds at most; `--timeout` and `--deadline` change that, for an integrated
    GPU that is slow to answer. A device without an answer keeps its old figure, marked as stale: exit code 6 where it
    may answer the next time. Where nothing is saved, or it no longer fits, devices are detected again.

    \b
    Examples:
      gpuprobe refresh --json
      gpuprobe refresh --diff           after an update or a suspend: what has changed
      gpuprobe refresh --watch          memory, load, temperature, power and processes; `q` ends it
      gpuprobe refresh CUDA:0 --watch   one device of several
      gpuprobe refresh --watch 10 --json >> log    one document a line
      gpuprobe refresh --require 'free>=20GiB' --wait 10m && ./serve    wait until memory is free
    """
    from gpuprobe.command import refreshing, watching

    if watch is not None and require is None and wait is None:
        return watching.watch(options, watch, tuple(device or ()), diff=diff)
    if require is not None or wait is not None:
        from gpuprobe.command import waiting

        return waiting.refresh(options, tuple(device or ()), waiting.Wish(require, wait, watch), diff=diff)

    return refreshing.refresh(options, tuple(device or ()), diff=diff)


@command("fleet", asks=False)
def fleet(
    options: Options,
    file: fleet_options.Files = None,
    *,
    require: fleet_options.Require = None,
    expect: fleet_options.Expect = None,
    group: fleet_options.GroupBy = None,
    sort: fleet_options.Sort = None,
    format: fleet_options.Format = None,  # noqa: A002 - the name of the option
) -> Reply:
    """Show many machines in one table, and which of them differ.

    Use it behind the tool that your site runs commands with: it reads what `list`, `validate` or `doctor` wrote with `--json`
    on each machine, however that tool left it (files named by host, lines of clush or pdsh, Ansible, Ray, Slurm, a log), folds
    equal machines, and names those that differ from their peers. A machine that left nothing, or something else, is a row too.

    \b
    Examples:
      clush -w @gpu gpuprobe list --json 2>&1 | gpuprobe fleet
      ansible gpu -m command -a 'gpuprobe list --json' --tree answers; gpuprobe fleet answers
      srun -N40 -o 'answers/%N.json' gpuprobe list --json; gpuprobe fleet answers
      gpuprobe fleet --require 'count>=8' --expect 'n[01-40]' answers    exit code 5 or 6, and who fails
    """
    from gpuprobe.command import reading_fleet

    given = fleet_options.FleetOptions(require, tuple(expect or ()), group, sort, format)
    return reading_fleet.fleet(options, tuple(file or ()), given)


@command("completion", asks=False)
def completion(
    options: Options,
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh, fish or powershell.", show_default=False)],
) -> Reply:
    """Print a shell completion script.

    Use it once per shell, from its start-up file or as a file in its folder of completions. The script holds every
    command, option and value itself, and reads the devices that `list` found last: a TAB starts nothing.

    \b
    Examples:
      eval "$(gpuprobe completion bash)"    at the end of ~/.bashrc; with `zsh` in ~/.zshrc, after `compinit`
      gpuprobe completion fish > ~/.config/fish/completions/gpuprobe.fish    for fish
      gpuprobe completion powershell | Out-String | Invoke-Expression    in PowerShell's $PROFILE
    """
    from gpuprobe.command import commands

    return commands.completion(options, shell, typer.main.get_command(app))


@command("runner", hidden=True)
def runner(options: Options) -> None:
    """The child: one request line on standard input, JSON lines as the answer.

    \b
    Example:
      echo '{"backend": "vulkan", "purpose": "list", "candidates": ["libvulkan.so.1"], "paths": [], "device": null}' |
        gpuprobe runner
    """
    from gpuprobe import runner as child

    child.main()
