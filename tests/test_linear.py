"""Text that a driver, a file or a variable chooses costs what its length costs: no pattern begins with an open repetition."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "gpuprobe"
SEARCHING = {"search", "sub", "subn", "findall", "finditer", "split"}
USES = {*SEARCHING, "compile", "match", "fullmatch"}
# All but the first two are matched from a text's beginning to its end, and are short constants of the module that calls.
UNKNOWN = {
    "capture/redaction.py": 1,  # this account's name behind a lookbehind
    "capture/secrets.py": 1,  # what `by_pattern` is given, which is looked at where it is given
    "machine/cards.py": 1,
    "machine/installed_packages.py": 1,  # constants of the checks, which are looked at where they stand
    "machine/intel.py": 1,
    "planning/weights.py": 1,  # made by gpuprobe's own fit
    "survey/code_files.py": 1,  # names with a `*` from our tables, against names of files
    "wire.py": 1,
}

# A pattern that a search tries anew at each place, and that begins with a repetition without an end.
_OPEN = re.compile(r"^(?:\(\?[aimsx]+\)|\(\?:|\((?!\?))*(?:\\[wsdSWD]|\.|\[(?:\\.|[^\]\\])+\]|[A-Za-z0-9 ])[*+](?!\+)")
# Two repetitions of one class behind each other share the text between them in every way there is.
_NESTED = re.compile(r"\((?:\?:)?(?:\\[wsdSWD]|\.|\[(?:\\.|[^\]\\])+\])[*+]\)[*+]")

# One repetition with nothing behind it takes what it finds and never goes back. The last is of our own texts alone.
_ALONE = re.compile(r"(?:\\[wsdSWD]|\[(?:\\.|[^\]\\])+\])[*+]")
HARMLESS = {"[^A-Z].*"}


class Pattern(NamedTuple):
    file: str
    line: int
    text: str | None  # None: made of what only a run knows
    is_searched: bool


def patterns() -> list[Pattern]:
    """Every pattern of the package, also one that is put together from constants; what is unknown of it is an X."""
    return [found for path in sorted(PACKAGE.rglob("*.py")) for found in of_module(path)]


def of_module(path: Path) -> Iterator[Pattern]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = dict(assigned(tree))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    searching = {ast.unparse(call.func).rpartition(".")[0] for call in calls if attribute(call) in SEARCHING}
    for call in calls:
        of_re = ast.unparse(call.func) in {f"re.{use}" for use in USES}
        is_found = getattr(call.func, "id", "") == "by_pattern"
        if (of_re or is_found) and call.args:
            compiled = {name for name, value in constants.items() if value is call}
            is_searched = is_found or attribute(call) in SEARCHING or bool(compiled & searching)
            yield Pattern(path.relative_to(PACKAGE).as_posix(), call.lineno, text_of(call.args[0], constants), is_searched)


def assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr | None]]:
    """The names that the module gives a value at its top."""
    for each in tree.body:
        match each:
            case ast.AnnAssign(target=ast.Name(id=name), value=value) | ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value


def attribute(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def text_of(node: ast.AST | None, constants: Mapping[str, ast.expr | None]) -> str | None:
    """The text that an expression stands for, as far as constants say it."""
    match node:
        case ast.Constant(value=bytes(value)):
            return value.decode("latin-1")
        case ast.Constant(value=value):
            return str(value)
        case ast.Name(id=name) if name in constants:
            return text_of(constants[name], constants)
        case ast.JoinedStr(values=parts):
            return "".join(text_of(part, constants) or "X" for part in parts)
        case ast.FormattedValue(value=value):
            return text_of(value, constants)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return f"{text_of(left, constants) or 'X'}{text_of(right, constants) or 'X'}"
        case ast.BinOp(op=ast.Mod(), left=left, right=right):
            values = right.elts if isinstance(right, ast.Tuple) else [right]
            whole = text_of(left, constants) or ""
            for value in values:
                whole = whole.replace("%b", text_of(value, constants) or "X", 1)
            return whole
    return None


def test_there_are_patterns_to_look_at() -> None:
    assert len(patterns()) > 50


def test_no_search_begins_with_a_repetition_without_an_end() -> None:
    known = [(each, each.text) for each in patterns() if each.text is not None and each.is_searched]
    searched = [(each, text) for each, text in known if not _ALONE.fullmatch(text) and text not in HARMLESS]

    assert [each for each, text in searched if _OPEN.match(text)] == []


def test_no_repetition_is_repeated() -> None:
    assert [each for each in patterns() if _NESTED.search(each.text or "")] == []


def test_what_only_a_run_knows_is_little_and_was_looked_at() -> None:
    """A pattern that comes as an argument stands as a constant elsewhere, or is of our own texts."""
    assert Counter(each.file for each in patterns() if each.text is None) == UNKNOWN


@pytest.mark.parametrize("pattern", [r"[\w.+-]+@[\w.-]+", r"\s+x", r".*x", r"(?m)[a-z]*:", r"([0-9]+)\.so"])
def test_the_search_for_them_finds_what_it_is_for(pattern: str) -> None:
    assert _OPEN.match(pattern)


# Each takes a text of 1 MiB of one repeated piece, as the place meets it.
PLACES = {
    "a name in strings": "from gpuprobe import strings; strings.printable(t); strings.gfx_of_name(t); strings.build_key(t);"
    " strings.gfx_of_override(t); strings.seconds_between(t, t)",
    "an address and a UUID": "from gpuprobe.judging import identity as i; i.normal_pci(t); i.normal_uuid(t);"
    " from tests.records import a_device as d; i.same_card(d('CUDA', name=t, pci_id=None, uuid=None), d('Vulkan', name=t))",
    "device lists": "from gpuprobe.judging import device_lists as d; from tests.records import a_device; d.ggml_positions(t)",
    "a selector": "from gpuprobe.judging import selectors as s; s.names_a_view(t)",
    "a requirement": "from gpuprobe.judging import requirement as r;\n"
    "for x in (t, 'free>=' + t, t + '>=1', 'count>=1,' + t):\n"
    "    try:\n        r.parse(x)\n    except r.RequirementError:\n        pass",
    "the architectures of a build": "import re, gpuprobe.judging.architecture as a;"
    " [p.search(t) for p in vars(a).values() if isinstance(p, re.Pattern)]",
    "files of the survey": "from gpuprobe.facts import Reading; from gpuprobe import machine as m;"
    " from tests.records import a_host; keys = ('/proc/cpuinfo', '/proc/meminfo', '/etc/os-release', '/proc/self/cgroup',"
    " '/etc/nv_tegra_release', '/proc/device-tree/compatible', '/sys/class/dmi/id/sys_vendor',"
    " '/proc/driver/nvidia/gpus/0000:01:00.0/information', '/sys/class/kfd/kfd/topology/nodes/1/properties');"
    " from tests.records import a_card; h = a_host(machine='aarch64', texts={k: Reading(t) for k in keys},"
    " pci=(a_card('0000:01:00.0'),), environ={'JETSON_JETPACK': t, 'container': t});"
    " m.cards(h), m.memory(h), m.processor(h), m.container(h), m.virtualization(h), m.operating_system(h), m.jetpack(h)",
    "variables": "from gpuprobe import environment as e; e.cleaned(t); e.truth(t);"
    " from gpuprobe.capture.private_names import value_of_variable as v; v(t, lambda k, w: k, frozenset())",
    "redaction of a path and of words": "from gpuprobe.capture.redaction import redacted; from tests.records import a_host;"
    " redacted({'stderr': t, 'path': '/' + t, 'message': '/data/x/' + t, 'host': {'environ': {'A': t, 'B': '/x/' + t}}},"
    " a_host(environ={'LD_LIBRARY_PATH': '/data/acme/lib:' + t}))",
    "a child's lines": "import json; from gpuprobe.probing.answers import Answers;"
    " from gpuprobe.model import Probe, Purpose, Status; a = Answers(Probe('CUDA', Purpose.LIST));"
    " [a.take(json.dumps(x).encode()) for x in ({'call': t, 'at': 0}, {'device': {'number': 0, 'name': t, 'uuid': t}},"
    " {'facts': {t: t}}, {'failed': {'status': 'busy', 'message': t}}, t)]; a.take(t.encode('utf-8', 'surrogateescape'));"
    " a.outcome(status=Status.OK)",
    "the evidence of a diagnosis": "import pathlib, tempfile; from gpuprobe.survey import deep, host as h;"
    " from gpuprobe.capture.redaction import redacted; from gpuprobe.wire import to_json;"
    " from tests.file_trees import RTX_4090, machine; from tests.unit.test_deep import KERNEL, PLACES;"
    " from tests.unit.test_evidence_accessors import everything_asked;"
    " r = machine(pathlib.Path(tempfile.mkdtemp(dir=d)), dict.fromkeys(PLACES, t.encode('utf-8', 'surrogateescape')),"
    " pci={'0000:01:00.0': RTX_4090}); m = h.read_host(r, {}, platform='linux')._replace(kernel=KERNEL);"
    " m = deep.with_system(m, {}, r, wanted='ollama'); everything_asked(m); redacted(to_json(m.system), m)",
    "the lines of a shell": "from gpuprobe.render.shell import SHELLS; from gpuprobe.render.formats import FORMATS;"
    " from gpuprobe.render.form import written, NotCarried\n"
    "for f in (*SHELLS.values(), *FORMATS.values()):\n"
    "    try:\n        written(f, [('A', t)])\n    except NotCarried:\n        pass",
    "what an engine says": "from gpuprobe.planning import engine_log as e; lines = []\n"
    "for _ in range(20000):\n    lines.append(t[:60])\n    e.is_whole(lines)\n"
    "e.rows_of([t[:4096]]), e.choice_of([t[:4096]])",
    "a wrong word": "from gpuprobe.command import guesses as g; g.did_you_mean(t[:131072], ('list', 'validate'));"
    " g.is_a_program(t[:131072]); from gpuprobe.modelfile.ollama_store import parsed; parsed(t)",
    "what many machines left": "from gpuprobe.fleet.document_texts import of_text, of_pieces;"
    " from gpuprobe.fleet import prefixes, node_sets;"
    " [list(of_text(x + t)) for x in ('', 'n1: ', 'n1: {', '{\\n', '(a pid=1) ', 'n1 | CHANGED | rc=0 >>\\n', 'clush: n1: ')];"
    " list(of_pieces('{', iter([t]))); list(of_pieces('n', iter([t, t])));"
    " prefixes.split(t), prefixes.heading(' | ' + t);"
    " node_sets.expanded('n[' + t), node_sets.folded([t]), node_sets.natural(t)",
    "the screen": "import io; from gpuprobe.render.ink import NotSimple, Text; from gpuprobe.render.screen import Screen\n"
    "try:\n    Text(t).lines(80)\nexcept NotSimple:\n    pass\n"
    "s = Screen(io.StringIO(), io.StringIO(), {'COLUMNS': t}); s.show([t]); s.complain(t); s.write_document({t: t}); s.width",
}


@pytest.mark.parametrize("place", PLACES)
def test_a_mebibyte_is_taken_whatever_repeats_in_it(place: str, tmp_path: Path) -> None:
    pieces = ["x", "0", " ", "/", "0000:", "a.", "(", "\x1b", "a b\n", "\udcff"]
    program = f"d = {str(tmp_path)!r}\nfor p in {pieces!r}:\n    t = p * ((1 << 20) // len(p))\n{_indented(PLACES[place])}\n"

    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=240, cwd=REPOSITORY, capture_output=True)

    assert done.returncode == 0, done.stderr.decode(errors="replace")[-800:]


def _indented(program: str) -> str:
    return "\n".join(f"    {line}" for line in program.splitlines())
