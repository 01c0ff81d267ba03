"""What a server's log says of why a model is on the CPU, as findings: the line that shows it, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gpuprobe.doctor.findings import Certainty, Finding, Observed, Place, Rung, Severity, Step
from gpuprobe.doctor.naming import cause
from gpuprobe.judging.engine_words import Complaint, Said, Words, said_by
from gpuprobe.model import Inventory, Reason, Status
from gpuprobe.strings import size_text

_LOG = "the log"
_KINDS: dict[Words, tuple[str, str, str]] = {
    Words.NO_BACKEND: ("llamacpp-no-gpu-backend", "the program was built without a GPU backend", "built for the CPU alone"),
    Words.NO_MEMORY: ("vram-held-by-others", "the GPU's memory was not enough when the model was loaded", "not enough memory"),
    Words.NO_DEVICE: ("log-no-device", "the program found no GPU when it started", "found no GPU"),
    Words.DRIVER: ("log-driver-failed", "the driver failed when the program started", "the driver failed"),
    Words.TIMED_OUT: ("ollama-discovery-timeout", "a backend did not answer in time, and was left out", "a backend timed out"),
    Words.ON_THE_CPU: ("log-on-the-cpu", "the program chose the CPU", "it chose the CPU"),
}


def explained(lines: Iterable[str], inventory: Inventory) -> tuple[Finding, ...]:
    """The first complaint is the cause, and the others follow from it; then how much of the model is on a GPU.

    Never nothing: a log that does not tell is a finding too.
    """
    said = said_by(lines)
    return (*_complaints(said, inventory), *_layers(said)) or (_nothing_known(said),)


def _complaints(said: Said, inventory: Inventory) -> Iterator[Finding]:
    first: str | None = None
    for complaint in _once(said.complaints):
        slug, because, brief = _KINDS[complaint.words]
        yield Finding(
            id=slug,
            rung=Rung.BUILD,
            severity=Severity.BLOCKER if said.uses_a_device is not True else Severity.DEGRADED,
            certainty=Certainty.CERTAIN,
            because=f"{because}, as the log says",
            brief=brief,
            reason=Status.INIT_FAILED,
            evidence=(Observed(_LOG, complaint.line),),
            fix=_cure(complaint.words, inventory),
            because_of=first,
        )
        first = first or slug


def _once(complaints: Iterable[Complaint]) -> tuple[Complaint, ...]:
    """A program says one thing in several lines: the first of each kind."""
    found: dict[Words, Complaint] = {}
    for complaint in complaints:
        found.setdefault(complaint.words, complaint)
    return tuple(found.values())


def _cure(words: Words, inventory: Inventory) -> tuple[Step, ...]:
    """What was wrong then may be well now: a program that started before the driver only has to be started again."""
    works = ", ".join(f"{device.library}:{device.ordinal}" for device in inventory.kept)
    if words in (Words.NO_DEVICE, Words.DRIVER, Words.TIMED_OUT, Words.ON_THE_CPU) and works:
        again = f"start the program again: {works} {'works' if len(inventory.kept) == 1 else 'work'} now"
        return (Step(f"{again}; if it stays on the CPU, look with `gpuprobe doctor --as PID`", where=Place.SERVICE),)
    if words is Words.NO_MEMORY:
        return (Step("see what fits with `gpuprobe plan MODEL`, and who holds memory with `gpuprobe refresh --watch`"),)
    if words is Words.NO_BACKEND:
        return (Step("install a build of it for this GPU; `gpuprobe doctor --for PROGRAM` looks at what is there"),)
    return ()


_MORE_LAYERS = "raise `-ngl` (llama.cpp) or `num_gpu` (Ollama), or leave it out"
_CPU_BUFFERS = "the model's buffers are all the CPU's"
_NOTHING = "the log has no line about devices, layers or buffers that gpuprobe knows"
_LOOK = "look with `gpuprobe doctor --for PROGRAM` whether that program has a build for the GPU"


def _layers(said: Said) -> Iterator[Finding]:
    """Buffers outweigh "offloaded n/m layers", which is printed on machines without any device, too."""
    if said.complaints:
        return
    if said.layers is None or said.offloaded is None:
        yield from _buffers_alone(said)
        return
    shown = (Observed(_LOG, said.line or ""),)
    if said.offloaded == 0 or said.uses_a_device is False:
        zero = said.offloaded == 0
        yield Finding(
            id="llamacpp-ngl-zero" if zero else "log-on-the-cpu",
            rung=Rung.BUILD,
            severity=Severity.BLOCKER,
            certainty=Certainty.CERTAIN if zero else Certainty.LIKELY,
            because=f"none of {said.layers} layers was put on a GPU" if zero else _CPU_BUFFERS,
            brief="no layers on a GPU",
            reason=Reason.NOT_DECIDED,
            evidence=shown,
            fix=(Step(_MORE_LAYERS if zero else _LOOK),),
        )
    elif said.offloaded < said.layers:
        yield cause(
            "vram-too-small",
            rung=Rung.BUILD,
            severity=Severity.DEGRADED,
            because=f"{said.offloaded} of {said.layers} layers are on a GPU, and the rest is computed on the CPU",
            brief="only some layers on a GPU",
            reason=Reason.TOO_LITTLE_MEMORY,
            evidence=shown,
            fix=(Step("see what fits with `gpuprobe plan MODEL`; a shorter context or a smaller quantisation needs less"),),
            settle="gpuprobe plan MODEL",
        )
    else:
        yield Finding(
            id="log-on-the-gpu",
            rung=Rung.BUILD,
            severity=Severity.INFO,
            certainty=Certainty.CERTAIN if said.uses_a_device else Certainty.LIKELY,
            because=f"the log says that all {said.layers} layers are on a GPU",
            brief="all layers on a GPU",
            reason=Reason.NOT_DECIDED,
            evidence=shown,
        )


def _buffers_alone(said: Said) -> Iterator[Finding]:
    """Of a log that begins behind the line with the layers, or whose program writes none."""
    if not said.weights:
        return
    devices = dict.fromkeys(buffer.device for buffer in said.weights if buffer.on_device)
    names, holds = ", ".join(devices), "holds" if len(devices) == 1 else "hold"
    yield Finding(
        id="log-on-the-gpu" if names else "log-on-the-cpu",
        rung=Rung.BUILD,
        severity=Severity.INFO if names else Severity.BLOCKER,
        certainty=Certainty.LIKELY,
        because=f"{names} {holds} weights of the model; how many layers, the log does not say" if names else _CPU_BUFFERS,
        brief="weights on a GPU" if names else "no weights on a GPU",
        reason=Reason.NOT_DECIDED,
        evidence=tuple(Observed(_LOG, f"{buffer.device} {size_text(buffer.size)}") for buffer in said.weights[:4]),
        fix=() if names else (Step(_LOOK),),
    )


def _nothing_known(said: Said) -> Finding:
    named = dict.fromkeys((*(name for name, _ in said.devices), *(buffer.device for buffer in said.buffers)))
    names = ", ".join(tuple(named)[:8])
    told = f"the log names {names}, and does not say where a model is" if names else _NOTHING
    return cause(
        "log-says-nothing",
        rung=Rung.BUILD,
        severity=Severity.INFO,
        because=told,
        brief="the log does not say where a model is" if names else "the log says nothing of GPUs",
        reason=Reason.NOT_DECIDED,
        fix=(Step("give the log from the start of the server; Ollama says more with `OLLAMA_DEBUG=1`"),),
    )
