"""The front page shows what the program prints, and names every reason and exit code that there is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from gpuprobe.exits import Exit
from gpuprobe.judging import diagnosis
from gpuprobe.model import Reason, Status
from tests.cli.terminal import piped

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"

# <!-- output: list --from tests/scenarios/x/capture.json --> followed by a block of code
_BLOCK = re.compile(r"(<!-- output: (?P<line>.+?) -->\n```\w*\n)(?P<text>.*?)(```)", re.DOTALL)


def test_every_output_on_the_front_page_is_the_programs_own(bless: bool) -> None:
    text = README.read_text(encoding="utf-8")
    said = _BLOCK.sub(lambda block: f"{block[1]}{answer(block['line'])}{block[4]}", text)
    if bless:
        README.write_text(said, encoding="utf-8")

    assert _BLOCK.search(text)
    assert README.read_text(encoding="utf-8") == said


def answer(line: str) -> str:
    shown, *arguments = shlex.split(line)
    ran = piped(shown, *arguments, cwd=ROOT)
    return f"$ gpuprobe {line.partition(' --from ')[0]}\n{ran.out}{ran.err}"


def test_the_front_page_explains_every_reason() -> None:
    text = README.read_text(encoding="utf-8")
    source = Path(diagnosis.__file__).read_text(encoding="utf-8")
    slugs = {reason.value for reason in Reason} | set(re.findall(r'Why\("(\w+)"', source))
    explained = {status.value for status in Status} | slugs

    assert {slug for slug in explained if f"`{slug}`" not in text} == set()


def test_the_front_page_lists_every_exit_code() -> None:
    text = README.read_text(encoding="utf-8")

    assert {code.value for code in Exit if f"| {code.value} | {code.meaning} |" not in text} == set()
