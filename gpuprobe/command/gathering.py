"""What the options ask for, and the inventory that answers it: from this machine or from a capture."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gpuprobe import patterns as re
from gpuprobe.exits import WrongUsage
from gpuprobe.judging.rules import judge
from gpuprobe.libraries import LIBRARIES, spelled
from gpuprobe.model import Device, Evidence, Inventory, Outcome, Probe, Request, ValidationScope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.command.options import Options
    from gpuprobe.facts import Host
    from gpuprobe.judging.requirement import Requirement


def request_of(options: Options, validate: ValidationScope = ValidationScope.NEEDED) -> Request:
    """The options as a question; WrongUsage where one of them has no meaning."""
    return Request(
        libraries=_libraries(options.library),
        validate=validate,
        seconds=_limit("--timeout", options.timeout),
        deadline=_limit("--deadline", options.deadline),
        allow_software=options.allow_software,
        wake=not options.no_wake,
        lib_dirs=_directories(options),
        software_dirs=_environments(options),
    )


def _libraries(texts: Sequence[str]) -> tuple[str, ...]:
    names = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    if texts and not names:
        raise WrongUsage("`--library` without a name", _LIBRARY_HINT)
    unknown = [name for name in names if spelled(name) is None]
    if unknown:
        raise WrongUsage(f"`--library {unknown[0]}`: no such library", _LIBRARY_HINT)
    return tuple(dict.fromkeys(library.name for name in names if (library := spelled(name))))


def _directories(options: Options) -> tuple[str, ...]:
    return _named(
        "--lib-dir", options.lib_dir, options.source, "a build or a directory that holds builds", "/usr/local/lib/ollama"
    )


def _environments(options: Options) -> tuple[str, ...]:
    what = "an environment of Python, or a directory with packages in it"
    return _named("--software", options.software, options.source, what, "~/venv")


def _named(option: str, texts: Sequence[str], source: str | None, what: str, example: str) -> tuple[str, ...]:
    """Directories as the user named them, each once, from the root."""
    if not texts:
        return ()
    from pathlib import Path

    if source is not None:
        message = f"`{option}` with `--from`: a capture already holds the builds and the software of its machine"
        raise WrongUsage(message, f"for example `gpuprobe list {option} {texts[0]}`, or capture it there with `{option}`")
    for text in texts:
        if not Path(text).is_dir() or not text:
            why = "not a directory" if text and Path(text).exists() else "no such directory"
            raise WrongUsage(f"`{option} {text}`: {why}", f"it takes {what}, for example `{option} {example}`")
    return tuple(dict.fromkeys(str(Path(text).absolute()) for text in texts))


_LIBRARY_HINT = f"the libraries are {', '.join(library.name for library in LIBRARIES)}, for example `--library cuda,level-zero`"


def _limit(option: str, text: str | None) -> float | None:
    if text is None:
        return None
    return seconds_of(option, text, lambda seconds: 0 < seconds < 1e6, "seconds, more than 0 and less than 1000000")


def seconds_of(option: str, text: str, fits: Callable[[float], bool], takes: str) -> float:
    """A number of seconds; WrongUsage says what the option takes. `5s` is answered with `5` as the example."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")  # which fits nowhere
    if not fits(seconds):
        digits = re.match(r"[0-9]{1,5}(?=[a-z ]*$)", text)
        example = digits[0] if digits and fits(float(digits[0])) else "10"
        raise WrongUsage(f"`{option} {text}`: {option} takes {takes}", f"for example `{option} {example}`")
    return seconds


def inventory_of(options: Options, request: Request, known: Evidence | None = None, *, may_be_saved: bool = False) -> Inventory:
    """Asks the machine, or the capture that `--from` names, and judges what came back; `known` is not asked again.

    `may_be_saved`: a saved discovery that fits answers as well. Its memory figures are as old as it is, and what only a
    diagnosis reads is not in it: who gives reasons adds it.
    """
    if options.source is not None:
        from gpuprobe.discovery import replay

        captured = _captured(options.source, request.deadline)
        refuse_an_unmatched_choice(captured.host)
        return judge(replay(captured, request), request)
    if may_be_saved and (saved := _saved(options, request)) is not None:
        return judge(saved, request)
    from gpuprobe import deepening

    return deepening.judged(evidence_of_this_machine(options, request, known), request)


def _saved(options: Options, request: Request) -> Evidence | None:
    from gpuprobe.command.remembering import recalled
    from gpuprobe.survey.host import read_host

    host = read_host(software=False)
    refuse_an_unmatched_choice(host)
    return recalled(options, request, host)


def evidence_of_this_machine(options: Options, request: Request, known: Evidence | None = None) -> Evidence:
    from gpuprobe.discovery import gather
    from gpuprobe.survey.host import read_host

    host = known.host if known else read_host(lib_dirs=request.lib_dirs, software_dirs=request.software_dirs)
    refuse_an_unmatched_choice(host)
    with options.screen.progress(options.quiet) as watch:
        return gather(host, request, watch, known)


def refuse_an_unmatched_choice(host: Host) -> None:
    """Ollama would quietly use the processor where `OLLAMA_LLM_LIBRARY` names no build that is there."""
    if "OLLAMA_LLM_LIBRARY" not in host.environ:
        return
    from gpuprobe.judging.build_choice import is_for_ollama, unmatched_choice

    chosen = unmatched_choice(host)
    if chosen is not None:
        there = ", ".join(f"`{build.name}`" for build in host.builds if is_for_ollama(build))
        message = f"`OLLAMA_LLM_LIBRARY={chosen}`: no build has this name; the builds are {there}"
        raise WrongUsage(message, "`unset OLLAMA_LLM_LIBRARY` lets Ollama choose")


def asked_again(options: Options, host: Host, probes: Sequence[Probe]) -> tuple[Outcome, ...]:
    """Just these questions to this machine, whatever has been asked before."""
    from gpuprobe.discovery import ask

    with options.screen.progress(options.quiet) as watch:
        return ask(host, probes, request_of(options), watch)


def _captured(source: str, patience: float | None) -> Evidence:
    from pathlib import Path

    from gpuprobe.capture import CaptureError, load

    try:
        return load(Path(source), patience)
    except CaptureError as problem:
        raise WrongUsage(str(problem), "for example `gpuprobe list --from machine.json`") from problem


def requirement_of(text: str) -> Requirement:
    from gpuprobe.judging.requirement import RequirementError, parse

    try:
        return parse(text)
    except RequirementError as problem:
        raise WrongUsage(f"--require: {problem}", problem.hint) from problem


def selected(texts: Sequence[str], devices: Sequence[Device]) -> tuple[Device, ...]:
    """The devices that the DEVICE arguments mean, each once, in the order of the arguments; all where none is given."""
    if not texts:
        return tuple(devices)
    from gpuprobe.judging.selectors import SelectionError, select

    try:
        found = [device for text in texts for device in select(text, devices)]
    except SelectionError as problem:
        raise WrongUsage(str(problem), _instead(texts)) from problem
    return tuple(device for place, device in enumerate(found) if device not in found[:place])


def _instead(texts: Sequence[str]) -> str:
    """`gpuprobe doctor ollama` is typed before anybody reads of `--for`."""
    from gpuprobe.command.guesses import PROGRAMS

    program = next((text.casefold() for text in texts if text.casefold() in PROGRAMS), None)
    return PROGRAMS[program] if program else "`gpuprobe list DEVICE` shows the id and the address of one"
