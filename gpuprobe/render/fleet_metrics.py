"""What `fleet` says as metrics: for each machine whether it answered, its cards, and why one of them is not usable."""

from __future__ import annotations

from gpuprobe.fleet.groups import reason_of
from gpuprobe.fleet.outcome import Outcome
from gpuprobe.fleet.rows import Machine
from gpuprobe.render import exposition
from gpuprobe.render.exposition import Metric, Sample


def fleet_metrics(outcome: Outcome) -> str:
    answered = outcome.answered
    return exposition.written(
        (
            Metric(
                "gpuprobe_machine_answered",
                "Whether gpuprobe's document of the machine could be read; reason: why not.",
                tuple(_sample(machine, int(machine.standing.answered), reason=_gone(machine)) for machine in outcome.machines),
            ),
            Metric(
                "gpuprobe_machine_gpus",
                "GPUs of the machine.",
                tuple(_sample(machine, machine.standing.cards) for machine in answered),
            ),
            Metric(
                "gpuprobe_machine_usable_gpus",
                "GPUs that inference can use; reason: why one of the others cannot be used.",
                tuple(_sample(machine, machine.standing.usable, reason=reason_of(machine) or "") for machine in answered),
            ),
            Metric(
                "gpuprobe_machine_info",
                "The machine's driver.",
                tuple(_sample(machine, 1, driver=machine.standing.driver or "") for machine in answered),
            ),
            Metric(
                "gpuprobe_machine_odd",
                "Machines that differ from their peers; trait: in what.",
                tuple(
                    Sample({"machine": name, "trait": way.trait, "value": way.value, "usual": way.usual}, 1)
                    for each in outcome.differs
                    for way in each.ways
                    for name in way.machines
                ),
            ),
            Metric(
                "gpuprobe_machine_requirement_met",
                "Whether the machine meets --require; absent: it could not be decided.",
                tuple(
                    _sample(machine, int(verdict.answer))
                    for machine in answered
                    if (verdict := machine.standing.verdict) is not None and verdict.answer is not None
                ),
            ),
        )
    )


def _sample(machine: Machine, value: int, **labels: str) -> Sample:
    return Sample({"machine": machine.name, **labels}, value)


def _gone(machine: Machine) -> str:
    return machine.standing.problem.because if machine.standing.problem else ""
