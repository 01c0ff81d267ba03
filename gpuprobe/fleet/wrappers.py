"""JSON around documents: what Ansible, log pipelines and scripts put them in, and what each calls its machine."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.fleet.machine_standing import is_document
from gpuprobe.fleet.rows import Found, Problem, Trouble
from gpuprobe.fleet.shape import Json, begun, text
from gpuprobe.strings import printable

_DEEPEST = 8

# Which key of a record of a log holds what the program wrote, and which its machine's name. The first that is there counts.
_WRITTEN = ("document", "gpuprobe", "stdout", "output", "result", "log", "message", "MESSAGE", "msg", "line", "body", "event")
_NAMES = (
    *("host", "hostname", "node", "node_name", "nodename", "nodeName", "machine", "_HOSTNAME", "HOSTNAME"),
    *("node_ip", "node_ip_address", "NodeManagerHostname", "NodeManagerAddress", "ip", "instance", "kubernetes", "agent"),
)
_SAID = ("error", "stderr", "exception", "traceback")
_CODES = ("rc", "returncode", "return_code", "exit_code", "exitcode")
# Where an Ansible play keeps its hosts: plays, their tasks, and by name the hosts of each.
PLAY = ("plays", "tasks", "hosts", "stats")
_MARK = '"schema_version"'
_NO_DOCUMENT = "no task of the play left a document"


def documents_in(value: object, name: str | None = None, depth: int = _DEEPEST) -> Iterator[Found]:
    """Everything in it that stands for a machine; nothing where nothing does. `name`: what is known of it already."""
    if is_document(value):
        yield Found(name, value)
    elif depth <= 0:
        return
    elif isinstance(value, list):
        for each in value:
            yield from documents_in(each, name, depth - 1)
    elif isinstance(value, dict):
        yield from _of_record(value, name, depth)


def _of_record(value: Json, name: str | None, depth: int) -> Iterator[Found]:
    if isinstance(value.get("plays"), list):
        yield from _of_play(value, depth)
    elif _is_of_ansible(value):
        yield from of_ansible(value, name, depth)
    elif (record := _of_log(value, name, depth)) is not None:
        yield from record
    else:
        yield from _of_mapping(value, depth)


def of_member(key: str | None, value: object) -> Iterator[Found]:
    """A member of a JSON text too long to be read whole: `key` is a machine's name, or that of a part."""
    found = list(documents_in(value, key))
    yield from found or ([Found(key, Problem(Trouble.SILENT, _NO_DOCUMENT))] if key and _may_be_a_host(value) else [])


def _may_be_a_host(value: object) -> bool:
    """As `stats` of a play has its hosts, with counts and nothing else, or a script one that left nothing."""
    return value is None or (isinstance(value, dict) and {"unreachable", "failures", "ok"} <= value.keys())


def _of_play(value: Json, depth: int) -> Iterator[Found]:
    for play in value["plays"]:
        tasks = play.get("tasks") if isinstance(play, dict) else None
        for task in tasks if isinstance(tasks, list) else []:
            hosts = task.get("hosts") if isinstance(task, dict) else None
            for host, result in hosts.items() if isinstance(hosts, dict) else ():
                yield from documents_in(result, host, depth - 1)
    stats = value.get("stats")
    for host in stats if isinstance(stats, dict) else ():
        yield Found(host, Problem(Trouble.SILENT, _NO_DOCUMENT))


def _is_of_ansible(value: Json) -> bool:
    if "changed" in value and {"ansible_facts", "unreachable", "rc", "failed", "msg"} & value.keys():
        return True
    facts = value.get("ansible_facts", value)
    return isinstance(facts, dict) and "ansible_local" in facts


def of_ansible(value: Json, name: str | None, depth: int = _DEEPEST) -> Iterator[Found]:
    """One host's result of a task, as `--tree` and the JSON callback write it, or its facts."""
    facts = value.get("ansible_facts", value)
    local = facts.get("ansible_local") if isinstance(facts, dict) else None
    if isinstance(local, dict):
        ours = [each for each in local.values() if is_document(each)]
        yield from (Found(name, each) for each in ours)
        if not ours and isinstance(told := local.get("gpuprobe"), str):
            yield Found(name, instead(told))
        return
    written = value.get("stdout")
    found = list(_in_text(written, name, depth)) if isinstance(written, str) else []
    yield from found
    if not found and (value.get("unreachable") is True or value.get("failed") is True or value.get("rc")):
        yield Found(name, instead(_said_by(value), _code_of(value)))
    elif not found and isinstance(written, str) and "cmd" in value:
        yield Found(name, instead(written))


def _said_by(value: Json) -> str:
    """What a task wrote or its engine said of it; "" where that is nothing."""
    told = (value.get(key) for key in ("stdout", "stderr", "module_stderr", *_SAID, "msg"))
    return next((each for each in told if isinstance(each, str) and each.strip()), "")


def _code_of(value: Json) -> int | None:
    return next((value[key] for key in _CODES if isinstance(value.get(key), int)), None)


def first_line(told: str) -> str:
    """The first that says something; escape codes and the like are made harmless."""
    lines = (line.strip() for line in told[:4000].replace("\\x0a", "\n").splitlines())
    return printable(next((line for line in lines if line), "")[:300])


def instead(told: str, code: object = None) -> Problem:
    """What came instead of a document: its first line, or that nothing came."""
    line = first_line(told)
    if line:
        return Problem(Trouble.NO_DOCUMENT, line)
    ended = f", and ended with exit code {code}" if code not in (None, 0, "0") else ""
    return Problem(Trouble.SILENT, f"it left nothing{ended}")


def is_cut_off(text: str) -> bool:
    """Whether something that cannot be read was to be a document."""
    return _MARK in text[:4000]


def cut_off(text: str) -> Problem:
    return Problem(Trouble.UNREADABLE, f"a document that is cut off or damaged: `{first_line(text)[:80]}`")


def _of_log(value: Json, name: str | None, depth: int) -> Iterator[Found] | None:
    """A record of a log pipeline or of a task: who it is from, and what was written. None: it is nothing like that."""
    known = name_in(value) or name
    for key in _WRITTEN:
        written = value.get(key)
        found = (
            list(documents_in(written, known, depth - 1))
            if isinstance(written, dict | list)
            else list(_in_text(written, known, depth))
            if isinstance(written, str)
            else []
        )
        if found:
            return iter(found)
    tells = any(isinstance(value.get(key), str) for key in _SAID) or any(isinstance(value.get(key), int) for key in _CODES)
    return iter([Found(known, instead(_said_by(value), _code_of(value)))]) if tells and known else None


def other_words(value: object) -> tuple[str, str] | None:
    """(machine, what a program wrote there), of a record of a log in which there is no document."""
    if not isinstance(value, dict) or (name := name_in(value)) is None:
        return None
    written = next((value[key] for key in _WRITTEN if isinstance(value.get(key), str)), None)
    return None if written is None else (name, written)


def name_in(value: Json) -> str | None:
    for key in _NAMES:
        found = value.get(key)
        if isinstance(found, dict):
            found = text(found, "name") or text(found, "hostname") or text(found, "node_name") or text(found, "host")
        if isinstance(found, str) and found:
            return found
    return None


def _in_text(written: str, name: str | None, depth: int) -> Iterator[Found]:
    """A document, or a result with one in it, that stands as text in other JSON; text before it is passed over."""
    begin = written.find("{")
    if begin < 0 or _MARK not in written:
        return
    try:
        value = begun(written[begin:])
    except ValueError:
        yield Found(name, cut_off(written[begin:]))
        return
    yield from documents_in(value, name, depth - 1)


def _of_mapping(value: Json, depth: int) -> Iterator[Found]:
    """`{"n1": {…}, "n2": null}`: machines by name, of which one at least has a document."""
    found = {key: list(documents_in(each, key, depth - 1)) or list(_of_text(key, each, depth)) for key, each in value.items()}
    if not any(isinstance(each.content, dict) for members in found.values() for each in members):
        return
    for key, members in found.items():
        yield from members or [Found(key, instead(value[key] if isinstance(value[key], str) else ""))]


def _of_text(key: str, value: object, depth: int) -> Iterator[Found]:
    if isinstance(value, str):
        yield from _in_text(value, key, depth)
