"""Servers of models that run, and what their own variables and options keep from them: a shell beside them sees none of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpuprobe.doctor.findings import Certainty, Finding, Observed, Place, Rung, Severity, Step
from gpuprobe.doctor.naming import cause
from gpuprobe.facts.system_facts import Standing
from gpuprobe.libraries import LIBRARIES, Selection
from gpuprobe.machine.services import servers
from gpuprobe.model import Inventory, Reason
from gpuprobe.strings import printable

_LAYERS = ("-ngl", "--gpu-layers", "--n-gpu-layers", "--ngl", "--gpulayers")
_DEVICE = ("-dev", "--device")
_FOR_OLLAMA = ("OLLAMA_",)
_HIDES = {  # the variable → the id of its cause
    "CUDA_VISIBLE_DEVICES": "env-cuda-visible-hides-all",
    "HIP_VISIBLE_DEVICES": "env-hip-visible-hides-all",
    "ROCR_VISIBLE_DEVICES": "env-hip-visible-hides-all",
    "GGML_VK_VISIBLE_DEVICES": "env-vk-visible",
    "ZE_AFFINITY_MASK": "env-intel-selectors",
}


def hidden_from_a_server(inventory: Inventory) -> Iterator[Finding]:
    """A variable of the server's own that hides every device of a library through which a card works."""
    used = {device.library for device in inventory.kept}
    host = inventory.evidence.host
    known = [(each.name, each.selections.get(host.platform)) for each in LIBRARIES if each.name in used]
    for server in servers(host) or ():
        for library, selection in ((name, each) for name, each in known if each is not None):
            value = (server.environ or {}).get(selection.variable)
            if value is not None and _hides_all(value, selection) and selection.variable in _HIDES:
                yield _hiding(server, selection.variable, value, library)


def _hides_all(value: str, selection: Selection) -> bool:
    return value.strip() in ("-1", selection.hide_all) or (selection.empty_hides and not value.strip())


def _hiding(server: Standing, variable: str, value: str, library: str) -> Finding:
    name = _called(server)
    return Finding(
        id=_HIDES[variable],
        rung=Rung.BUILD,
        severity=Severity.BLOCKER,
        certainty=Certainty.CERTAIN,
        because=f"{name} runs with `{variable}={printable(value)}`, which hides every GPU from it",
        brief=f"`{variable}` hides it from {server.command or server.name}",
        reason=Reason.HIDDEN_BY_VARIABLE,
        library=library,
        evidence=(Observed(f"/proc/{server.process}/environ", f"{variable}={printable(value)}"),),
        fix=_unset(server, variable),
    )


def _called(server: Standing) -> str:
    """ "ollama (process 812, ollama.service)":"""
    unit = f", {server.unit}" if server.unit else ""
    return f"{server.command or server.name} (process {server.process}{unit})"


def _unset(server: Standing, variable: str) -> tuple[Step, ...]:
    if server.unit is None:
        return (Step(f"start it again without `{variable}`", where=Place.SERVICE),)
    edit, again = f"sudo systemctl edit {server.unit}", f"sudo systemctl restart {server.unit}"
    return (
        Step(
            f"take `{variable}` out of the service (`{edit}`; `UnsetEnvironment={variable}`)", edit, True, None, Place.SERVICE
        ),
        Step(f"restart it: `{again}`", again, needs_root=True, where=Place.SERVICE),
    )


def no_layers_asked_for(inventory: Inventory) -> Iterator[Finding]:
    """`-ngl 0`, or `--device none`: the server computes on the CPU because it was told to."""
    for server in servers(inventory.evidence.host) or ():
        words = server.arguments or ()
        told = next((pair for pair in _pairs(words) if _means_cpu(*pair)), None)
        if told is not None and inventory.kept:
            yield cause(
                "llamacpp-ngl-zero",
                rung=Rung.BUILD,
                severity=Severity.BLOCKER,
                because=f"{_called(server)} was started with `{' '.join(told)}`, which puts nothing on a GPU",
                brief=f"{server.command or server.name} was told to use no GPU",
                reason=Reason.HIDDEN_BY_VARIABLE,
                evidence=(Observed(f"/proc/{server.process}/cmdline", " ".join(told)),),
                fix=(Step("start it without that, or with `-ngl 99`", where=Place.SERVICE),),
            )


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    for place, word in enumerate(words):
        option, equals, value = word.partition("=")
        yield option, value if equals else "".join(words[place + 1 : place + 2])


def _means_cpu(option: str, value: str) -> bool:
    return (option in _LAYERS and value == "0") or (option in _DEVICE and value == "none")


def set_here_and_not_there(inventory: Inventory) -> Iterator[Finding]:
    """Ollama's variables that this shell has, and its running server has not: they were meant for it, and do nothing."""
    mine = {name: value for name, value in inventory.evidence.host.environ.items() if name.startswith(_FOR_OLLAMA)}
    for server in servers(inventory.evidence.host, "ollama") or ():
        if server.environ is None:
            continue
        lost = {name: value for name, value in mine.items() if server.environ.get(name) != value}
        if lost:
            told = ", ".join(f"`{name}={printable(value)}`" for name, value in sorted(lost.items()))
            yield cause(
                "ollama-env-not-in-service",
                rung=Rung.BUILD,
                severity=Severity.DEGRADED,
                because=f"{told} is set in this shell, and {_called(server)} does not have it",
                brief="a variable is not in the service",
                reason=Reason.HIDDEN_BY_VARIABLE,
                evidence=(
                    Observed(f"/proc/{server.process}/environ", ", ".join(_standing(server, name) for name in sorted(lost))),
                ),
                fix=_put_in(server, next(iter(sorted(lost)))),
            )


def _standing(server: Standing, variable: str) -> str:
    value = (server.environ or {}).get(variable)
    return f"no {variable}" if value is None else f"{variable}={printable(value)}"


def _put_in(server: Standing, variable: str) -> tuple[Step, ...]:
    if server.unit is None:
        return (Step("stop that server and start it from this shell", where=Place.SERVICE),)
    edit, again = f"sudo systemctl edit {server.unit}", f"sudo systemctl restart {server.unit}"
    return (
        Step(f'put it in the service (`{edit}`: `[Service]`, `Environment="{variable}=…"`)', edit, True, None, Place.SERVICE),
        Step(f"restart it: `{again}`", again, needs_root=True, where=Place.SERVICE),
    )


CHECKS = (hidden_from_a_server, no_layers_asked_for, set_here_and_not_there)
