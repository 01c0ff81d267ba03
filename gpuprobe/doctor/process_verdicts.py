"""Whether a running process computes on a GPU, by what is known of it in a fixed order of trust.

What the kernel and the driver say (memory held, device files open) outweighs what the program has mapped, which outweighs what
its log says. What its own interface says is evidence and decides nothing: "100 % GPU" has been printed on many a CPU.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gpuprobe.doctor import server_claims
from gpuprobe.doctor.cpu_reasons import Case, cpu_reason
from gpuprobe.doctor.judged_process import Judged, Layers, Where
from gpuprobe.doctor.process_surroundings import Surroundings, renderer_named
from gpuprobe.judging.engine_words import Said, said_by
from gpuprobe.judging.held_memory import Held, Holding, selector
from gpuprobe.judging.mapped_libraries import Mapped, mapped
from gpuprobe.judging.process_evidence import claim_text, evidence_of
from gpuprobe.machine.known_programs import Asked, Family, Program, asked_of, program_of
from gpuprobe.machine.process_records import Gathered, Process
from gpuprobe.strings import printable, size_text

# Less than this share of the model's file is no model on a GPU: what a context and its buffers take. A small model whose
# embeddings are most of it (gemma-3-270m) has a quarter of its file on the card when all layers are.
_LEAST_SHARE, _MOST_OF_IT = 0.1, 0.2


def judged(all_of_them: Sequence[Gathered], holdings: Mapping[int, Holding], around: Surroundings) -> tuple[Judged, ...]:
    """Each process; one that computes nothing itself is judged by what it has started."""
    alone = [_alone(each, holdings.get(each.process.number, Holding()), around) for each in all_of_them]
    by_number = {each.process.number: each for each in alone}
    return tuple(_with_children(each, by_number) for each in alone)


def _alone(gathered: Gathered, holding: Holding, around: Surroundings) -> Judged:
    process = gathered.process
    program, libraries = program_of(process.command), mapped(process.mapped or ())
    holding = holding._replace(is_told=_is_told(process, holding, around))
    asked, said = asked_of(program, process.command, process.environ or {}), _said(gathered)
    found = Judged(
        gathered=gathered,
        name=_name(process, program, libraries),
        program=program,
        where=Where.CANNOT_TELL,
        because="",
        layers=_layers(said, asked, holding),
        holding=holding,
        mapped=libraries,
        said=said,
        asked=asked,
    )
    found = _decided(found, around)
    return found._replace(findings=tuple(evidence_of(gathered, holding, libraries, said, asked)))


def _is_told(process: Process, holding: Holding, around: Surroundings) -> bool:
    """Whether of each device somebody counts what is held there, or the process has not even opened it."""
    opened = None if process.nodes is None else set(process.nodes)
    names = [selector(device) for device in around.devices]
    return bool(names) and all(holding.counts(name) or _is_shut(around.node_of.get(name, ()), opened) for name in names)


def _is_shut(nodes: Sequence[str], opened: set[str] | None) -> bool:
    return bool(nodes) and opened is not None and not opened.intersection(nodes)


def _said(gathered: Gathered) -> Said:
    """Of several outputs the one that says something; a runner's part of its server's log is found by the runner's port."""
    mark = None
    if gathered.log_of is not None:
        command = gathered.process.command
        mark = next((f"--port {command[at + 1]}" for at, word in enumerate(command[:-1]) if word == "--port"), None)
    found = (said_by(log.text.splitlines(), mark) for log in gathered.logs if log.text)
    return next((said for said in found if said.says_anything), Said())


def _name(process: Process, program: Program | None, libraries: Mapped) -> str:
    if program is not None:
        return program.name
    if process.name.startswith("python") and libraries.engine:
        return f"Python with {libraries.engine}"
    return process.name


def _layers(said: Said, asked: Asked, holding: Holding) -> Layers | None:
    """llama.cpp says "offloaded 5/19 layers to GPU" on a machine without any: its buffers tell."""
    if said.offloaded is not None and said.layers is not None:
        return Layers(0 if said.uses_a_device is False else min(said.offloaded, said.layers), said.layers, "log")
    if asked.layers == 0:
        return Layers(0, None, "command line")
    return None


def _decided(found: Judged, around: Surroundings) -> Judged:
    if found.program is not None and found.program.family is Family.OLLAMA:
        return _of_a_server_without_runner(found, around)
    if found.said.remote is not None:
        because = f"{_placed(found.layers)} on a device that another process serves: `{printable(found.said.remote)}`"
        return found._replace(because=because, advice="look at the process that serves it, on its machine")
    return _renderer(found, around) or _by_the_kernel(found, around)


def _of_a_server_without_runner(found: Judged, around: Surroundings) -> Judged:
    interfaces = found.gathered.interfaces
    claim = server_claims.loaded(interfaces)
    if problem := next((each.problem for each in interfaces if each.problem is not None), None):
        return found._replace(because=f"it did not tell which models are loaded: {printable(problem)}")
    if claim is None and found.process.is_denied:
        return _closed(found, around)
    if claim is None:
        return found._replace(because="no model is loaded now", advice="ask it something, and look again meanwhile")
    if found.holding.uses_something:
        return _of_one_that_holds(found, around)
    says = claim_text(claim)
    why = server_claims.why_uncounted(found.process, found.holding, around.unseen)
    if why is not None:
        advice = None if around.as_root else "run `sudo gpuprobe running`, outside of a container"
        return found._replace(because=f"{says}, and whether anything of it is there cannot be told: {why}", advice=advice)
    return _on_the_cpu(found, around, f"{says}, and neither it nor a process of its own holds anything there")


def _by_the_kernel(found: Judged, around: Surroundings) -> Judged:
    nodes = found.process.nodes
    if found.holding.uses_something:
        return _of_one_that_holds(found, around)
    if nodes is None:
        return _of_one_that_is_closed(found, around)
    if not nodes:
        return _on_the_cpu(found, around, _nothing_open(found))
    if found.holding.is_told:
        return _on_the_cpu(found, around, f"it has {_files(nodes)} open and holds nothing on a GPU")
    return _of_one_that_tells_no_memory(found, around)


def _nothing_open(found: Judged) -> str:
    said = found.said
    if said.offloaded and said.uses_a_device is False:
        return f"its log says `offloaded {said.offloaded}/{said.layers} layers to GPU`, and all its buffers are the CPU's"
    return "no device file of a GPU is open in it"


def _files(nodes: Sequence[str]) -> str:
    more = f" and {len(nodes) - 2} more" if len(nodes) > 2 else ""
    return f"{', '.join(f'`{printable(node)}`' for node in nodes[:2])}{more}"


def _renderer(found: Judged, around: Surroundings) -> Judged | None:
    """A renderer that runs on the CPU counts as a GPU for nobody but who allowed it. It has no device file to be open."""
    names = {buffer.device for buffer in found.said.buffers if buffer.on_device}
    used = [renderer_named(name, around) for engine, name in found.said.devices if engine in names]
    renderer = used[0] if used and None not in used else None
    if renderer is None or not found.said.uses_a_device or found.holding.uses_something:
        return None
    name = printable(renderer.name or renderer.library)
    if renderer in around.devices:
        layers = found.layers
        where = Where.PARTLY if layers and layers.total and layers.offloaded < layers.total else Where.ON_THE_GPU
        return found._replace(where=where, because=f"{_placed(layers)} on `{name}`, a renderer that runs on the CPU")
    because = f"what its log calls a GPU is `{name}`, a renderer that runs on the CPU"
    return _on_the_cpu(found, around, because)


def _of_one_that_holds(found: Judged, around: Surroundings) -> Judged:
    layers, size = found.layers, found.gathered.model_size
    holds = f"it holds {_held(found.holding.held)}"
    if (layers is not None and layers.offloaded == 0) or (found.asked.cpu_by is not None and layers is None):
        return _on_the_cpu(found, around, f"{holds} for its buffers, and no layer is there")
    if found.asked.kept_back is not None:
        because = f"{_placed(layers)} on a GPU: {holds}; `{printable(found.asked.kept_back)}` keeps parts of them on the CPU"
        return found._replace(where=Where.PARTLY, because=because)
    if layers is not None and layers.total is not None and layers.offloaded < layers.total:
        rest = layers.total - layers.offloaded
        because = f"{_placed(layers)} on a GPU: {holds}; the CPU computes the other {rest}"
        return found._replace(where=Where.PARTLY, because=because, advice=_more_room(found))
    if size and 0 < found.holding.size < size * _LEAST_SHARE and _is_known(found.holding):
        return _on_the_cpu(found, around, f"{holds}, which is too little for a model of {size_text(size)}")
    if layers is None and size and found.holding.size < size * _MOST_OF_IT and _is_known(found.holding):
        because = f"{holds}, of a model of {size_text(size)}; how many layers that is it does not say"
        return found._replace(where=Where.PARTLY, because=because, advice=_more_room(found))
    because = holds if layers is None else f"{_placed(layers)} on a GPU: {holds}"
    return found._replace(where=Where.ON_THE_GPU, because=because)


def _is_known(holding: Holding) -> bool:
    return all(each.size is not None for each in holding.held)


def _held(held: Iterable[Held]) -> str:
    """`5.2 GiB on CUDA:0 (NVML)`."""
    return " and ".join(
        f"{'some memory' if each.size is None else size_text(each.size)} on {printable(each.device)} ({each.teller})"
        for each in held
        if each.size != 0
    )


def _placed(layers: Layers | None) -> str:
    if layers is None:
        return "it computes"
    if layers.total is None:
        return f"{layers.offloaded} layers are"
    return (
        f"{f'all {layers.total}' if layers.offloaded == layers.total else f'{layers.offloaded} of {layers.total}'} layers are"
    )


def _more_room(found: Judged) -> str:
    model = found.model
    named = shlex.quote(printable(model)) if model and " " not in model else "MODEL"
    return f"`gpuprobe plan {named}` says what would fit: a smaller context, fewer parallel requests or a smaller model"


def _of_one_that_tells_no_memory(found: Judged, around: Surroundings) -> Judged:
    """Files are open, and neither driver nor kernel count what it holds: what is mapped, then its log."""
    layers, nodes = found.layers, _files(found.process.nodes or ())
    if not found.mapped.backends and not found.mapped.drivers and found.process.mapped is not None:
        return _on_the_cpu(found, around, f"it has {nodes} open, and nothing mapped that computes there")
    if found.said.uses_a_device is False or found.asked.cpu_by is not None:
        return _on_the_cpu(found, around, f"it has {nodes} open, and none of the model is there")
    if layers is not None and layers.total is not None and layers.offloaded:
        partly = layers.offloaded < layers.total
        because = f"its log places {layers.offloaded} of {layers.total} layers on a GPU, and {nodes} are open in it"
        return found._replace(where=Where.PARTLY if partly else Where.ON_THE_GPU, because=because)
    return found._replace(
        because=f"it has {nodes} open, and nobody tells what it holds there",
        advice="its log would tell where its layers are (llama.cpp: start it with `-lv 4`)",
    )


def _of_one_that_is_closed(found: Judged, around: Surroundings) -> Judged:
    """Another account's. What is left: its log, and what it was asked for."""
    if found.said.uses_a_device is False:
        return _on_the_cpu(found, around, "its log names no buffer on a GPU")
    if found.said.uses_a_device and found.layers is not None and found.layers.total is not None:
        partly = found.layers.offloaded < found.layers.total
        because = f"by its log {_placed(found.layers)} on a GPU; the kernel does not tell us more"
        return found._replace(where=Where.PARTLY if partly else Where.ON_THE_GPU, because=because)
    if found.asked.cpu_by is not None:
        return _on_the_cpu(found, around, "no layer was to go to a GPU")
    return _closed(found, around)


def _closed(found: Judged, around: Surroundings) -> Judged:
    account = printable(found.process.account or str(found.process.user))
    because = f"it is account `{account}`'s, and what it has open cannot be read"
    if around.as_root:
        return found._replace(
            because=because, advice="run gpuprobe where root has CAP_SYS_PTRACE, as it has outside of a container"
        )
    advice = f"run `sudo gpuprobe running {found.process.number}`, or run gpuprobe as `{account}`"
    return found._replace(because=because, advice=advice)


def _on_the_cpu(found: Judged, around: Surroundings, observed: str) -> Judged:
    """`observed`: a clause that says what shows it."""
    usable = around.usable_by(found.program, found.mapped)
    if not usable:
        return found._replace(where=Where.RIGHTLY, because=f"{observed}; {_why_rightly(found, around)}")
    case = Case(found.process, found.program, found.asked, found.mapped, found.said, usable, around)
    reason = cpu_reason(case)
    because = f"{observed}; {reason.because}"
    return found._replace(where=Where.ON_THE_CPU, because=because, cause=reason.cause, advice=reason.advice)


def _why_rightly(found: Judged, around: Surroundings) -> str:
    if around.devices:
        name = found.mapped.engine or found.name
        return f"none of the usable devices is one that {name} computes on"
    first = around.why_none.partition(": models will run")[0].partition(". ")[0]
    return f"{first[:1].lower()}{first[1:]}" if first.startswith("No ") else first


def _with_children(found: Judged, by_number: Mapping[int, Judged]) -> Judged:
    """A server whose runner computes is where its runner is; what holds something itself speaks for itself."""
    if found.where.is_on_a_gpu:
        return found
    below = [each for each in by_number.values() if each is not found and _is_below(each, found, by_number)]
    if not below:
        return found
    best = min(below, key=lambda each: (_ORDER.index(each.where), each.process.number))
    is_front = found.program is not None and found.program.family is Family.OLLAMA
    if not best.where.is_on_a_gpu and not is_front:
        return found
    because = f"its process {best.process.number} computes: {best.because}"
    return found._replace(
        where=best.where,
        because=because,
        cause=best.cause,
        advice=best.advice,
        layers=best.layers,
        through=best.process.number,
    )


_ORDER = (Where.ON_THE_GPU, Where.PARTLY, Where.ON_THE_CPU, Where.RIGHTLY, Where.CANNOT_TELL)


def _is_below(each: Judged, above: Judged, by_number: Mapping[int, Judged]) -> bool:
    return any(number == above.process.number for number in _parents(each, by_number))


def _parents(each: Judged, by_number: Mapping[int, Judged]) -> Iterator[int]:
    """As far as processes in between are known: a loop of parents cannot be, and is not followed either."""
    seen = {each.process.number}
    parent = each.process.parent
    while parent is not None and parent not in seen:
        yield parent
        seen.add(parent)
        parent = by_number[parent].process.parent if parent in by_number else None
