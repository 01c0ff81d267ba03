"""The options that several commands share, each declared once for Typer."""

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from typing import Annotated, Any

import typer

from gpuprobe import __version__
from gpuprobe.command.env_options import COMMAND
from gpuprobe.command.options import Options


def show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gpuprobe {__version__}")
        raise typer.Exit


def _shared(
    *,
    ctx: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")] = False,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="CAPTURE",
            help="Read a file of `gpuprobe capture` instead of this machine; `-` is standard input.",
        ),
    ] = None,
    library: Annotated[
        list[str] | None,
        typer.Option(
            "--library",
            metavar="NAME",
            help="Ask only these libraries (cuda or nvidia, rocm or amd, metal, level-zero or intel, vulkan or vk).",
        ),
    ] = None,
    lib_dir: Annotated[
        list[str] | None,
        typer.Option("--lib-dir", metavar="DIR", help="Also ask the build of Ollama or llama.cpp in this directory."),
    ] = None,
    software: Annotated[
        list[str] | None,
        typer.Option("--software", metavar="DIR", help="Also judge the frameworks in this environment (venv) by their files."),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            help="How long one library may take; without it 30, in `validate` 60.",
        ),
    ] = None,
    deadline: Annotated[
        str | None, typer.Option("--deadline", metavar="SECONDS", help="How long everything together may take.")
    ] = None,
    allow_software: Annotated[
        bool, typer.Option("--allow-software", help="Include renderers that run on the CPU (llvmpipe).")
    ] = False,
    no_wake: Annotated[
        bool, typer.Option("--no-wake", help="Let sleeping cards sleep, and say what was therefore not asked.")
    ] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours; `NO_COLOR` does the same.")] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Also the steps, times and last output of each check.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress line and no notes.")] = False,
    version: Annotated[
        bool, typer.Option("--version", hidden=True, is_eager=True, callback=show_version, help="Print the version.")
    ] = False,
) -> None:
    """Only its parameters are used: they stand behind every command's own."""


_SHARED = tuple(signature(_shared, eval_str=True).parameters.values())
_ABOUT_THE_MACHINE = {"source", "library", "lib_dir", "software", "timeout", "deadline", "allow_software", "no_wake"}


def with_shared_options(function: Callable[..., Any], asks: bool = True) -> Callable[..., Any]:
    """`function(asked, …)` as Typer shall see it: its own parameters, then the shared ones instead of `asked`.

    `asks`: whether the command asks a machine anything; one that does not has no options about that.
    """

    def run(ctx: typer.Context, version: bool, **given: Any) -> Any:
        options = Options(ctx.obj, **{name: given.pop(name) for name in Options._fields if name in given})
        library, directories, software = (tuple(each or ()) for each in (options.library, options.lib_dir, options.software))
        options = options._replace(library=library, lib_dir=directories, software=software)
        options = options._replace(command=ctx.meta.get(COMMAND))
        return options, function(options, **given)

    own = [each for each in signature(function, eval_str=True).parameters.values() if each.name != "options"]
    shared = [each for each in _SHARED if asks or each.name not in _ABOUT_THE_MACHINE]
    parameters = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in (*own, *shared)]
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    run.__doc__ = function.__doc__
    return run
