"""`env --unset`: every variable that a selection may have set is unset."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from gpuprobe.command.choosing import Choice
from gpuprobe.command.gathering import request_of
from gpuprobe.command.reply import Reply
from gpuprobe.command.writing import lines_of
from gpuprobe.exits import Exit, WrongUsage
from gpuprobe.judging.visibility import Variables
from gpuprobe.libraries import LIBRARIES
from gpuprobe.model import Json

if TYPE_CHECKING:
    from gpuprobe.command.options import Options
    from gpuprobe.judging.consumers import Consumer
    from gpuprobe.render.form import Form


def undoing(options: Options, choice: Choice, form: Form, consumer: Consumer | None) -> Reply:
    """Nothing is asked for this: under the variables that are to go, the libraries would not list what they list without."""
    from gpuprobe.judging.under_map import settable

    names = request_of(options).libraries
    libraries = [library for library in LIBRARIES if not names or library.name in names]
    libraries = [library for library in libraries if not choice.required or library.crash_prone]
    variables: Variables = tuple((name, None) for name in settable(libraries, sys.platform))
    if consumer is not None:
        variables = tuple(dict.fromkeys((*variables, *((name, None) for name in consumer.besides))))
    if form.unsetting is None:
        raise WrongUsage(f"`--unset`: {form.named} can only set variables", "for example `gpuprobe env --unset --shell sh`")

    def document() -> Json:
        from gpuprobe.render.replies import undo_document

        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return undo_document(variables, now, "everything that `gpuprobe env` may have set is unset")

    return Reply(Exit.ANSWERED, document, lambda screen: (), lines=lines_of(form, variables, options))
