"""The stages that a child went through, made from the lines that it said on the way."""

from __future__ import annotations

from gpuprobe.model import Json, Stage, StageName, StageResult
from gpuprobe.probing.shapes import NotTheProtocol, number_or_none, plain, text, text_or_none


class Stages:
    """Collects stages in the order in which they were begun. A stage lasts until the next line that ends it."""

    def __init__(self) -> None:
        self._stages: list[Stage] = []
        self._began = 0.0
        self._is_open = False

    def begin(self, name: str, at: float) -> None:
        self.ended(at)
        stage = stage_name(name)
        if any(each.name is stage for each in self._stages):
            raise NotTheProtocol("a stage was begun twice")
        self._stages.append(Stage(stage, StageResult.FAILED))
        self._began, self._is_open = at, True

    def ended(self, at: float) -> None:
        """The stage that is open has come to its end, however that was."""
        if self._is_open:
            self._change(seconds=round(max(0.0, at - self._began), 6))
        self._is_open = False

    def measured(self, figures: object) -> None:
        self._change(figures={**self._last().figures, **plain(figures)})

    def not_possible(self, said: object) -> None:
        known = plain(said)
        because, name, code = text(known.get("because")), text_or_none(known.get("name")), known.get("code")
        number = None if code is None else str(number_or_none(code))
        told = ", ".join(part for part in (name, number) if part is not None and part not in because)
        self._change(result=StageResult.NOT_POSSIBLE, because=f"{because} ({told})" if told else because)

    def stages(self, done: bool) -> tuple[Stage, ...]:
        """All that were begun. The last one is passed only where the child said that it was done."""
        if not self._stages:
            return ()
        *before, last = self._stages
        return (*map(_passed, before), _passed(last) if done else last)

    def _last(self) -> Stage:
        if not self._stages:
            raise NotTheProtocol("something was measured in no stage")
        return self._stages[-1]

    def _change(self, **changed: object) -> None:
        self._stages[-1:] = [self._last()._replace(**changed)]  # type: ignore[arg-type]


def stage_name(said: str) -> StageName:
    try:
        return StageName(said)
    except ValueError:
        raise NotTheProtocol("a stage that there is not") from None


def _passed(stage: Stage) -> Stage:
    return stage._replace(result=StageResult.PASSED) if stage.result is StageResult.FAILED else stage


def wrong_elements(said: object) -> Json:
    """What a wrong result differs in; empty where nothing is said about it."""
    if said is None:
        return {}
    wrong = plain(said)
    for key in ("compared", "different"):
        if not number_or_none(wrong.get(key)):
            raise NotTheProtocol("a wrong result that does not say how wrong it is")
    if not isinstance(wrong.get("first"), list):
        raise NotTheProtocol("a wrong result that does not say where it is wrong")
    return wrong
