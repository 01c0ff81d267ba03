"""What a diagnosis is: one cause, what proves it, and what to do about it on this machine."""

from gpuprobe.doctor.reasons import CardReason
from gpuprobe.enumerations import Enum
from gpuprobe.machine import Card
from gpuprobe.model import Reason, Status
from gpuprobe.record_classes import NamedTuple


class Rung(str, Enum):
    """What a card must get past to be usable, from the bottom up. The lowest that is broken explains those above it."""

    HARDWARE = "hardware"
    KERNEL_DRIVER = "kernel driver"
    DEVICE_NODE = "device node and permission"
    LIBRARY = "library"
    CONTEXT = "context"
    BUILD = "build or framework"

    @property
    def height(self) -> int:
        return _FROM_THE_BOTTOM.index(self)


_FROM_THE_BOTTOM = tuple(Rung)


class Severity(str, Enum):
    BLOCKER = "blocker"  # the card cannot be used, or one way of using it that a person asked for
    DEGRADED = "degraded"  # it works, but slower, in part or not through its best library
    INFO = "info"


class Certainty(str, Enum):
    CERTAIN = "certain"  # the evidence alone proves it
    LIKELY = "likely"  # the best explanation; `settle` says what would decide


class Place(str, Enum):
    """Where a step is done."""

    HOST = "host"  # outside the container, virtual machine or WSL that gpuprobe runs in
    HERE = "here"
    SERVICE = "service"  # in the unit or the start of the program that does not find the GPU


class Observed(NamedTuple):
    """One fact: where it was read (a path, a call, a variable), and what stood there, in words."""

    where: str
    what: str


class Step(NamedTuple):
    """One thing to do. `text` is a clause that contains the command in backquotes; `command` is that command to copy."""

    text: str
    command: str | None = None
    needs_root: bool = False
    needs_reboot: str | None = None  # why
    where: Place = Place.HERE


class Finding(NamedTuple):
    """One cause of a card, or with `card` None of the machine."""

    id: str  # of the catalogue (knowledge/causes.toml): stable
    rung: Rung
    severity: Severity
    certainty: Certainty
    because: str  # a clause that follows "is not:"
    brief: str  # the same in a few words, for a headline
    reason: CardReason | Reason | Status  # the slug of `list`
    evidence: tuple[Observed, ...] = ()
    fix: tuple[Step, ...] = ()
    settle: str | None = None  # of a likely one: the command that would decide
    card: Card | None = None  # filled in by the engine, as the following is
    library: str | None = None  # whose way to the card it breaks; None: every one
    build: str | None = None
    because_of: str | None = None  # id of the finding of the same card that explains it
    generic: bool = False  # it says what happened, and not why: any cause at its rung goes before it

    @property
    def advice(self) -> str | None:
        return "; ".join(map(_in_a_row, self.fix)) or None


def _in_a_row(step: Step) -> str:
    """ "install it with `…`, then reboot"."""
    return f"{step.text}, then reboot" if step.needs_reboot and "reboot" not in step.text else step.text


def run(text: str, command: str, *, root: bool | None = None, reboot: str | None = None, where: Place = Place.HERE) -> Step:
    """`text` with the command behind it: "load it with `sudo modprobe amdgpu`". Root is needed where the command says sudo."""
    needs_root = "sudo " in command if root is None else root
    return Step(f"{text} `{command}`", command, needs_root, reboot, where)
