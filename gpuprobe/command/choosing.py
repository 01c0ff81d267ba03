"""What the options of `env` ask for together, and what they cannot mean together."""

from __future__ import annotations

import os
from collections.abc import Sequence

from gpuprobe.exits import WrongUsage
from gpuprobe.record_classes import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.command.options import Options
    from gpuprobe.judging.consumers import Consumer
    from gpuprobe.render.form import Form


class Choice(NamedTuple):
    """The options of `env`, as they were given."""

    shell: str | None = None
    format: str | None = None
    unset: bool = False
    required: bool = False
    number: str | None = None
    min_free: str | None = None
    check: bool = False
    fresh: bool = False
    consumer: str | None = None

    @property
    def may_be_saved(self) -> bool:
        """Whether a saved discovery will do: how much memory was free then says nothing of now."""
        return not self.fresh and self.number is None and self.min_free is None


def consumer_of(options: Options, choice: Choice) -> Consumer | None:
    """The program that `--for` names; WrongUsage where it is none that is known, or takes no such form."""
    if choice.consumer is None:
        return None
    from gpuprobe.judging.consumers import CONSUMERS, consumer_named

    found = consumer_named(choice.consumer)
    if found is None:
        names = ", ".join(f"`{each.name}`" for each in CONSUMERS)
        raise WrongUsage(f"`--for {choice.consumer}`: --for takes {names}", "for example `gpuprobe env --for llama.cpp`")
    if not found.takes_variables:
        _refuse_variables(found, choice, options.command)
    return found


def _refuse_variables(consumer: Consumer, choice: Choice, command: Sequence[str] | None) -> None:
    given = {"--shell": choice.shell, "--format": choice.format, "--unset": choice.unset, "--check": choice.check}
    for option, value in {**given, "--required": choice.required}.items():
        if value and (option, value, consumer.form) != ("--format", "compose", "docker"):
            hint = f"for example `gpuprobe env --for {consumer.name}`"
            raise WrongUsage(f"`{option}`: {consumer.said} is not given variables", hint)
    if command is not None:
        raise WrongUsage(
            f"`-- COMMAND`: {consumer.said} is not given variables", "leave the command out, and use what is printed"
        )


def form_of(options: Options, choice: Choice, consumer: Consumer | None = None) -> Form:
    """A program gets what an environment can hold, and that is what sh can write."""
    from gpuprobe.render import formats, shell

    if options.command is not None or (consumer is not None and not consumer.takes_variables):
        return shell.SHELLS["sh"]
    if choice.format is not None:
        return _accepted("--format", choice.format, formats.FORMATS.get(choice.format), list(formats.FORMATS))
    if choice.shell is not None:
        return _accepted("--shell", choice.shell, shell.shell_named(choice.shell), list(shell.SHELLS))
    return shell.shell_of(os.environ.get("SHELL"))


def _accepted(option: str, given: str, form: Form | None, names: Sequence[str]) -> Form:
    if form is not None:
        return form
    if given == "json":
        raise WrongUsage(f"`{option} json`: that is an option of its own", "for example `gpuprobe env --json`")
    accepted = ", ".join(f"`{name}`" for name in names)
    raise WrongUsage(f"`{option} {given}`: {option} takes {accepted}", f"for example `gpuprobe env {option} {names[-4]}`")


_COMMAND = "-- COMMAND"
_FORMS = ("--json", "--shell", "--format")
_EXCLUDE = (
    ("--shell", "--format", "one form is written"),
    *((_COMMAND, form, "a command is run, and nothing is printed") for form in _FORMS),
    *(("--json", form, "JSON has no other form") for form in _FORMS[1:]),
    *((needy, "--from", "it needs the machine itself") for needy in (_COMMAND, "--check", "--unset")),
    *(("--unset", other, "it undoes any selection") for other in ("DEVICE", "--count", "--min-free", "--check", _COMMAND)),
)


def refuse_contradictions(options: Options, devices: Sequence[str], choice: Choice) -> None:
    if options.command == ():
        raise WrongUsage("no command after `--`", "for example `gpuprobe env CUDA:0 -- python3 train.py`")
    given: dict[str, object] = {
        "DEVICE": devices,
        "--json": options.json,
        "--from": options.source,
        _COMMAND: options.command,
        "--shell": choice.shell,
        "--format": choice.format,
        "--unset": choice.unset,
        "--check": choice.check,
        "--count": choice.number,
        "--min-free": choice.min_free,
    }
    for one, other, because in _EXCLUDE:
        if given[one] and given[other]:
            raise WrongUsage(f"`{one}` and `{other}` exclude each other: {because}", "leave one of them out")
