"""Each diagnosis that a test of this folder makes is compared in full with the one before: in `told/`, a file for a module.

A module without such a file is not compared; an empty one and `--bless` begin it. The hook is taken up by `tests/conftest.py`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import pytest

from gpuprobe.doctor.findings import Finding, Place, Step

GOLDEN = Path(__file__).parent / "told"
_noted: list[str] = []


def noted(found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """What a helper of the tests returns, to be compared when the test that asked it has ended."""
    _noted.append("".join(_lines(found)))
    return found


def note(text: str) -> None:
    """Further lines, each indented."""
    _noted.append(text)


def taken() -> str:
    """What was noted since it was last taken; the same diagnosis of two machines stands once."""
    text = "".join(dict.fromkeys(_noted))
    _noted.clear()
    return text


def _lines(found: Sequence[Finding]) -> Iterator[str]:
    """Symptoms are another part of the program, and only named."""
    yield f"  {', '.join(each.id for each in found) or 'nothing'}\n"
    for each in found:
        if not each.generic:
            yield from (f"    {line}\n" for line in _finding(each))


def _finding(each: Finding) -> Iterator[str]:
    way = " ".join(filter(None, (each.library, each.build))) or "every library"
    is_so = (each.rung.value, each.severity.value, each.certainty.value, str(each.reason.value), way)
    yield f"{each.id} ({', '.join(is_so)}{f', because of {each.because_of}' if each.because_of else ''})"
    yield f"  because: {each.because}"
    yield f"  brief: {each.brief}"
    yield from (f"  seen: {seen.where}: {seen.what}" for seen in each.evidence)
    yield from (f"  do: {step.text}{_how(step)}" for step in each.fix)
    if each.settle is not None:
        yield f"  settle: {each.settle}"


def _how(step: Step) -> str:
    command = "command" if f"`{step.command}`" in step.text else f"command `{step.command}`"
    told = (
        command if step.command is not None else None,
        f"in: {step.where.value}" if step.where is not Place.HERE else None,
        "as root" if step.needs_root else None,
        f"reboot: {step.needs_reboot}" if step.needs_reboot is not None else None,
    )
    return "".join(f" [{each}]" for each in told if each)


def sections(file: Path) -> dict[str, str]:
    """What a golden file has for each test."""
    found: dict[str, str] = {}
    name = ""
    for line in file.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.startswith(" "):
            found[name] += line
        else:
            name = line.rstrip("\n")
            found[name] = ""
    return found


def write(file: Path, told: dict[str, str]) -> None:
    text = "".join(f"{name}\n{said}" for name, said in sorted(told.items()) if said)
    file.write_text(text, encoding="utf-8")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    taken()
    result = yield
    said, file = taken(), GOLDEN / f"{pyfuncitem.path.stem}.txt"
    if pyfuncitem.path.parent == GOLDEN.parent and file.exists():
        _compare(pyfuncitem, said, file)
    return result


def _compare(test: pytest.Function, said: str, file: Path) -> None:
    before = sections(file)
    if test.config.getoption("--bless"):
        write(file, {**before, test.name: said})
        return
    assert said == before.get(test.name, ""), f"{file.name} has it otherwise; `--bless` writes what is said now"
