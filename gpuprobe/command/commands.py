"""What each command answers: the document and the text to show, and the exit code. Nothing is written or ended here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gpuprobe import deepening
from gpuprobe.command import gathering, remembering
from gpuprobe.command.gathering import inventory_of, request_of, selected
from gpuprobe.command.reply import Reply
from gpuprobe.doctor import card_status
from gpuprobe.exits import Exit, Unwritable, WrongUsage, weightiest
from gpuprobe.model import Inventory, Json, ValidationScope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rich.console import RenderableType

    from gpuprobe.command.options import Options
    from gpuprobe.render.screen import Screen


def list_devices(
    options: Options,
    device: str | None = None,
    *,
    everything: bool = False,
    quick: bool = False,
    require: str | None = None,
    sort: str | None = None,
    brief: bool = False,
    form: str | None = None,
) -> Reply:
    """Plain `list` leaves with 0 whatever it finds; only `--require` can be answered with no or with unknown."""
    from gpuprobe.command import listing

    if sort not in (None, "free"):
        raise WrongUsage(f"`--sort {sort}`: it takes `free`", "for example `gpuprobe list --sort free`")
    if brief or form is not None:
        from gpuprobe.command import list_forms

        list_forms.refuse_contradictions(options, form, brief=brief, device=device, everything=everything)
    requirement = None if require is None else gathering.requirement_of(require)
    inventory = inventory_of(options, request_of(options, ValidationScope.NONE if quick else ValidationScope.NEEDED))
    remembering.remember(options, inventory)
    part = listing.part_of(inventory, device, by_free_memory=sort == "free")
    part = listing.with_loads(part, inventory, options)
    text, leave_with = listing.headline(inventory, part, quick, requirement)
    lines = None
    if brief or form is not None:
        lines = list_forms.lines(form, inventory, part, text, leave_with, required=requirement is not None)

    def document() -> Json:
        return listing.document(inventory, part, text, leave_with, of_this_machine=options.source is None)

    def shown(screen: Screen) -> Iterable[RenderableType]:
        if requirement is not None and not (everything or options.verbose):
            return [text]  # one line: it is the reason with which a scheduler drains the node
        from gpuprobe.render.texts import list_text

        return list_text(inventory, part, text, options, width=screen.width, with_all=everything)

    return Reply(leave_with, document, shown, lines=lines)


def validate(
    options: Options, devices: Sequence[str], *, builds: Sequence[str] = (), strict: bool = False, **pace: str | None
) -> Reply:
    """`pace`: how far, how often and how many at once, as texts; see validating.Pace."""
    import time

    from gpuprobe.command import concluding, validating
    from gpuprobe.doctor.unviewed import unviewed

    began = time.monotonic()
    inventory, shown, named = validating.views_of(options, devices, builds, validating.Pace(**pace))
    seconds = None if options.source is not None else time.monotonic() - began
    others = unviewed(inventory, shown)
    text, leave_with = concluding.conclusion(inventory, shown, others, strict, named)
    notes = tuple(validating.notes(inventory, shown))

    def document() -> Json:
        from gpuprobe.render.replies import validate_document

        return validate_document(inventory, shown, others, text, leave_with, notes=notes, seconds=seconds)

    def drawn(screen: Screen) -> Iterable[RenderableType]:
        from gpuprobe.render.texts import validate_text

        return validate_text(inventory, shown, others, text, options, width=screen.width, notes=notes, seconds=seconds)

    return Reply(leave_with, document, drawn)


def flash_attn(options: Options, devices: Sequence[str]) -> Reply:
    from gpuprobe.judging import flash_attention

    inventory = inventory_of(options, request_of(options))
    chosen = selected(devices, inventory.kept)
    answer = flash_attention.of_set(chosen)
    if apart := flash_attention.apart(chosen, inventory.evidence.host):
        answer = answer._replace(because=f"{answer.because}; {apart}")
    effective = flash_attention.effective(inventory.evidence.host.environ, answer)
    if chosen:
        codes = {True: Exit.ANSWERED, False: Exit.NO, None: Exit.UNDECIDED}
        # One device that says no decides for the set, whatever another would have said.
        doubt = answer.supported is True and not devices and card_status.undecided(inventory)
        leave_with = weightiest(codes[answer.supported], Exit.UNDECIDED if doubt else Exit.ANSWERED)
    else:
        answer = answer._replace(supported=None, rule="no_device", because=nothing(inventory))
        leave_with = nothing_usable(inventory)

    def document() -> Json:
        from gpuprobe.render.replies import flash_attn_document

        return flash_attn_document(inventory, chosen, answer, effective, leave_with)

    def drawn(screen: Screen) -> Iterable[RenderableType]:
        from gpuprobe.render.texts import flash_attn_text

        return flash_attn_text(inventory, chosen, answer, effective, options)

    return Reply(leave_with, document, drawn)


def capture(options: Options, file: str) -> Reply:
    from pathlib import Path

    from gpuprobe import capture as captures

    if options.source is not None:
        raise WrongUsage("`capture` writes this machine, so `--from` has no meaning with it", "copy the file instead")
    # Everything that any command could ask later, software renderers included.
    request = request_of(options, ValidationScope.ALL)._replace(allow_software=True)
    evidence = gathering.evidence_of_this_machine(options, request)
    evidence = gathering.evidence_of_this_machine(options, request._replace(validate=ValidationScope.PROVED), evidence)
    evidence = deepening.with_system(evidence)
    if file in ("-", "/dev/stdout"):
        whole = captures.text(evidence)
        return Reply(Exit.ANSWERED, lambda: captures.document(evidence), lambda screen: (), lines=whole)
    try:
        captures.save(Path(file), evidence)
    except (OSError, captures.files.Unfit) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise Unwritable(f"`{file}` could not be written: {reason}") from problem
    text = f"Saved as {file}. Read it anywhere with `gpuprobe list --from {file}`"

    def document() -> Json:
        from gpuprobe.judging.rules import judge
        from gpuprobe.render.replies import captured_document

        return captured_document(judge(evidence, request), file, text)

    def drawn(screen: Screen) -> Iterable[RenderableType]:
        from gpuprobe.render.texts import line

        return [line(text)]

    return Reply(Exit.ANSWERED, document, drawn)


def completion(options: Options, shell: str, root: Any) -> Reply:
    """`root`: the whole command line, as Typer has built it."""
    from gpuprobe.command import command_tree
    from gpuprobe.render.completions import SCRIPTS
    from gpuprobe.render.shell import ALIASES

    if ALIASES.get(shell) in SCRIPTS:
        shell = ALIASES[shell]
    if shell not in SCRIPTS:
        raise WrongUsage(
            f"`completion {shell}`: there are scripts for {', '.join(SCRIPTS)}", "for example `gpuprobe completion bash`"
        )
    script = SCRIPTS[shell].write(command_tree.program(root))

    def document() -> Json:
        from gpuprobe.render.document import completion_document

        return completion_document(shell, script)

    return Reply(Exit.ANSWERED, document, lambda screen: (), lines=script)


def nothing(inventory: Inventory) -> str:
    return card_status.summary(inventory).text


def nothing_usable(inventory: Inventory) -> Exit:
    return Exit.UNDECIDED if card_status.undecided(inventory) else Exit.NOTHING_USABLE
