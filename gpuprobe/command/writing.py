"""A map of variables as the lines of the form that was asked for."""

from __future__ import annotations

from gpuprobe.exits import WrongUsage
from gpuprobe.judging.visibility import Variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.command.options import Options
    from gpuprobe.render.form import Form


def lines_of(form: Form, variables: Variables, options: Options) -> str | None:
    """None: nothing is to be printed as it is."""
    from gpuprobe.render.form import AS_JSON, NotCarried, written

    try:
        lines = written(AS_JSON if options.json else form, variables)
    except NotCarried as problem:
        raise WrongUsage(str(problem), "`gpuprobe env -- COMMAND` runs a program with these variables as they are") from problem
    if options.json:
        return None
    return lines if options.command is None else ""
