"""What is concluded of one running process: where it computes, why that is said, and all that it rests on."""

from __future__ import annotations

from typing import NamedTuple

from gpuprobe.doctor.cpu_reasons import Cause
from gpuprobe.enumerations import Enum
from gpuprobe.judging.engine_words import Said
from gpuprobe.judging.held_memory import Holding
from gpuprobe.judging.mapped_libraries import Mapped
from gpuprobe.judging.process_evidence import Finding
from gpuprobe.machine.control_groups import Container, container_of, service_of
from gpuprobe.machine.known_programs import Asked, Program
from gpuprobe.machine.process_records import Gathered, Process


def is_digest(name: str) -> bool:
    return "/sha256-" in name or name.startswith("sha256-")


class Where(str, Enum):
    """Where a process computes."""

    ON_THE_GPU = "on_the_gpu"
    PARTLY = "partly"
    ON_THE_CPU = "on_the_cpu_although_a_gpu_is_usable"
    RIGHTLY = "on_the_cpu_rightly"
    CANNOT_TELL = "cannot_tell"

    @property
    def is_on_a_gpu(self) -> bool:
        return self in (Where.ON_THE_GPU, Where.PARTLY)


class Layers(NamedTuple):
    """`total` None: not known. `source`: "log" or "command line"."""

    offloaded: int
    total: int | None
    source: str


class Judged(NamedTuple):
    gathered: Gathered
    name: str  # what people call the program
    program: Program | None
    where: Where
    because: str
    cause: Cause | None = None  # of a CPU
    advice: str | None = None
    layers: Layers | None = None
    holding: Holding = Holding()
    mapped: Mapped = Mapped()
    said: Said = Said()
    asked: Asked = Asked()
    findings: tuple[Finding, ...] = ()
    through: int | None = None  # the process that computes in its place

    @property
    def process(self) -> Process:
        return self.gathered.process

    @property
    def container(self) -> Container | None:
        return container_of(self.process.control_group)

    @property
    def unit(self) -> str | None:
        return service_of(self.process.control_group)

    @property
    def model(self) -> str | None:
        """What it is called: by the command line, else the one file that is open, else the log, else its own interface. A file
        of Ollama's store has a digest for a name, and its server knows a better one."""
        files = self.process.models if len(self.process.models) == 1 else ()
        told = [each.model for each in self.gathered.interfaces if each.model]
        known = [each for each in (self.asked.model, *files, self.said.model) if each]
        return next((each for each in (*known, *told) if not is_digest(each)), known[0] if known else None)

    @property
    def model_file(self) -> str | None:
        return self.asked.model or next(iter(self.process.models), None)
