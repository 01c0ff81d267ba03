"""The front page and the pages of docs/ show what the program prints, name what it knows, and lead where they say."""

from __future__ import annotations

import functools
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from gpuprobe.command import command_tree
from gpuprobe.command.cli import app
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.exits import PRECEDENCE, Exit
from gpuprobe.model import Reason, Status
from tests import running_page, temporary
from tests.cli.terminal import environment, piped
from tests.models import a_dense_model, a_larger_dense_model, a_mixture_of_experts
from tests.test_layers import ROOMS

ROOT = Path(__file__).parents[1]
README, DOCS = ROOT / "README.md", ROOT / "docs"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "findings" / "README.md", *sorted(DOCS.glob("*.md"))]

# <!-- output: list --from tests/scenarios/x/capture.json --> followed by a block of code; with `json:` one part of its
# document, with `processes:` beside processes that are made up
_BLOCK = re.compile(r"(<!-- (?P<kind>output|json|processes): (?P<line>.+?) -->\n```\w*\n)(?P<text>.*?)(```)", re.DOTALL)
_RUNS = re.compile(r"<!-- runs -->\n```python\n(.*?)```", re.DOTALL)
_YAML = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```\n(.*?)^```|`([^`\n]+)`", re.DOTALL | re.MULTILINE)
_COMMAND_LINE = re.compile(r"(?:^|[( |;&])gpuprobe((?: [^|;&)\n]*)?)", re.MULTILINE)

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@every_page
def test_every_output_on_a_page_is_the_programs_own(page: Path, bless: bool) -> None:
    said = _BLOCK.sub(lambda block: f"{block[1]}{shown(block['kind'], block['line'])}{block[5]}", text_of(page))
    if bless:
        page.write_text(said, encoding="utf-8")

    assert text_of(page) == said


def shown(kind: str, line: str) -> str:
    if kind == "processes":
        return f"$ gpuprobe {line}\n{running_page.shown(line)}"
    return answer(line) if kind == "output" else part(line)


@functools.cache
def _with_models() -> Path:
    """A folder with the models that the pages plan, and with what else they name."""
    folder = temporary.folder("pages")
    a_dense_model(folder, name="llama-8b.gguf")
    a_larger_dense_model(folder, name="llama-70b.gguf")
    a_mixture_of_experts(folder, name="qwen3-30b-a3b.gguf")
    (folder / "tests").symlink_to(ROOT / "tests")
    return folder


def answer(line: str) -> str:
    ran = piped(*shlex.split(line), cwd=_with_models() if line.startswith("plan ") else ROOT)
    return f"$ gpuprobe {line.partition(' --from ')[0]}\n{ran.out}{ran.err}"


def part(line: str) -> str:
    """What stands at a path such as `.cards[0].why` in the JSON of a command line, whose last word it is."""
    command, _, path = line.rpartition(" ")
    found: Any = json.loads(piped(*shlex.split(command), "--json", cwd=ROOT).out)
    for key, place in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        found = found[key] if key else found[int(place)]
    return f"$ gpuprobe {command.partition(' --from ')[0]} --json | jq '{path}'\n{json.dumps(found, indent=2)}\n"


def test_the_first_page_begins_with_an_answer_and_says_what_was_not_tried() -> None:
    first, rest = text_of(README).split("\n## ", 1)

    assert _BLOCK.search(first)
    assert "No run on a real GPU has been made yet" in first
    assert rest.startswith("Install\n")
    assert len(first.splitlines()) < 45


def test_the_first_page_holds_the_two_commands_that_are_run_to_test_it() -> None:
    marks = re.findall(r"^<!-- (setup|tests) -->\n```\n(.+)\n```$", text_of(README), re.MULTILINE)

    assert [mark for mark, _ in marks] == ["setup", "tests"]


@every_page
def test_every_link_of_a_page_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    assert [link for link in _LINK.findall(text_of(page)) if not leads_somewhere(page, link)] == []


def leads_somewhere(page: Path, link: str) -> bool:
    if link.startswith("https://"):
        return True
    file, _, heading = link.partition("#")
    target = (page.parent / file) if file else page
    return target.is_file() and (not heading or heading in anchors(target))


def anchors(page: Path) -> set[str]:
    """The headings of a page as the addresses that GitHub gives them."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_list_of_pages_and_is_reached_from_the_front_page() -> None:
    names = {page.name for page in DOCS.glob("*.md")} - {"README.md"}
    listed, front = text_of(DOCS / "README.md"), text_of(README)

    assert {name for name in names if f"({name})" not in listed} == set()
    assert {name for name in names if f"(docs/{name}" not in front} == set()


@every_page
def test_every_command_line_on_a_page_is_one_that_the_program_takes(page: Path) -> None:
    code = "\n".join(block or span for block, span in _CODE.findall(text_of(page)))

    assert [f"gpuprobe{line}" for line in _COMMAND_LINE.findall(code) if not is_taken(line)] == []


def is_taken(line: str) -> bool:
    """Whether its first word, if it is one, is a command, and its options are those of that command."""
    words = re.split(r"\s--(?:\s|$)", line.replace("\\", " "))[0].split()
    program = command_tree.program(typer.main.get_command(app))
    options = {level.name: {name for option in level.options for name in option.names} for level in program.levels}
    name = words[0] if words and re.fullmatch(r"[a-z][a-z-]*", words[0]) else ""
    given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    return name in options and given <= options[name]


@pytest.mark.parametrize("line", ["lsit --all", "list --everything", "--everything"])
def test_a_command_line_that_the_program_does_not_take_would_be_noticed(line: str) -> None:
    assert not is_taken(line)


def test_every_program_that_a_page_shows_as_running_runs() -> None:
    programs = [program for page in PAGES for program in _RUNS.findall(text_of(page))]

    assert programs
    for program in programs:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), program


@every_page
def test_every_yaml_on_a_page_can_be_read(page: Path) -> None:
    for block in _YAML.findall(text_of(page)):
        assert isinstance(yaml.safe_load(block), dict)


def explained(page: str) -> Iterator[str]:
    yield from re.findall(r"^\| `(\w+)` \|", text_of(DOCS / page), re.MULTILINE)


def test_every_reason_is_explained_and_nothing_else() -> None:
    reasons = {each.value for kind in (Reason, CardReason, Status) for each in kind}

    assert set(explained("reasons.md")) == reasons


def test_every_exit_code_is_listed() -> None:
    text = text_of(DOCS / "reasons.md")

    assert f"the order of weight is {', '.join(str(code.value) for code in PRECEDENCE)}:" in text
    assert {code.value for code in Exit if f"| {code.value} | {code.meaning} |" not in text} == set()


def test_every_room_is_described_in_the_order_of_its_imports() -> None:
    assert tuple(explained("how-it-works.md")) == tuple(room for room in ROOMS if room != "__main__")
