"""The records that travel through gpuprobe: what was asked, what came back, what was decided.

They are named tuples and not dataclasses because every command pays for them at start: ten records of twenty fields
cost 4 ms as named tuples and 11 ms as dataclasses (CPython 3.11, two slow cores). Fields are given by keyword all the same.

Annotations are not postponed here, nor in other modules of records that every start imports: as texts each would be compiled on
its own, which doubles the cost of a record (70 to 140 µs for eight fields).
"""

from gpuprobe.enumerations import Enum
from gpuprobe.facts import Host
from gpuprobe.record_classes import Any, NamedTuple

MiB = 1024 * 1024
GiB = 1024 * MiB

Json = dict[str, Any]

SYSTEM = "system"  # in the place of a build: the system's own library


class Status(str, Enum):
    """How one probe ended. Devices announced before a crash stay in its outcome."""

    OK = "ok"
    NO_DEVICES = "no_devices"
    ABSENT = "absent"  # the library is nowhere on this machine; no child was started
    NOT_LOADABLE = "not_loadable"
    INIT_FAILED = "init_failed"
    CALL_FAILED = "call_failed"
    CRASHED = "crashed"  # ended by a signal that was not ours
    EXITED = "exited"  # ended by itself without saying that it was done
    TIMED_OUT = "timed_out"
    ABANDONED = "abandoned"  # could not be killed: stuck in the kernel
    UNREADABLE = "unreadable"  # answered something that is not the protocol
    NOT_STARTED = "not_started"
    REFUSED = "refused"  # a security rule forbids asking
    SKIPPED = "skipped"  # not asked on purpose; the message says why

    @property
    def answered(self) -> bool:
        """The library said which devices it has, or that it has none."""
        return self in (Status.OK, Status.NO_DEVICES)

    @property
    def failed(self) -> bool:
        """The library itself, or its loader, said that it does not work."""
        return self in (Status.NOT_LOADABLE, Status.INIT_FAILED, Status.CALL_FAILED)

    @property
    def lost(self) -> bool:
        """A child was started, and its answer did not come: nobody knows what the library has."""
        return self in (Status.CRASHED, Status.EXITED, Status.UNREADABLE) or self.overdue

    @property
    def undecided(self) -> bool:
        """Asked for, and without an answer of the library's, whoever's fault that was."""
        return self.lost or self is Status.NOT_STARTED

    @property
    def overdue(self) -> bool:
        """Its limit had passed."""
        return self in (Status.TIMED_OUT, Status.ABANDONED)

    @property
    def not_there(self) -> bool:
        """The machine has no such library, or none that its loader takes."""
        return self in (Status.ABSENT, Status.NOT_LOADABLE)

    @property
    def not_asked(self) -> bool:
        """No child was worth starting, or none was wanted."""
        return self in (Status.ABSENT, Status.SKIPPED)


class Verdict(str, Enum):
    """What a validation proved. A timeout, a lost child and an unreadable answer prove nothing."""

    SUPPORTED = "supported"
    UNSUPPORTED = "unsupported"
    INCONCLUSIVE = "inconclusive"


class DeviceType(str, Enum):
    DISCRETE = "discrete"
    INTEGRATED = "integrated"
    SOFTWARE = "software"
    VIRTUAL = "virtual"
    UNKNOWN = "unknown"


class Purpose(str, Enum):
    """Why a probe is asked."""

    LIST = "list"
    VALIDATE = "validate"  # as far as a context: enough for a listing
    PROVE = "prove"  # every stage
    ALONE = "alone"  # one driver, or one slice of a card, without the others
    UNFILTERED = "unfiltered"  # once more without the variables that may hide something

    @property
    def is_validation(self) -> bool:
        """Whether it is about one device that another probe has listed."""
        return self in (Purpose.VALIDATE, Purpose.PROVE)


class Reason(str, Enum):
    """Why a device, as one library reports it, is not kept. One slug, one place in the code that gives it."""

    HIDDEN_BY_VARIABLE = "hidden_by_variable"
    SOFTWARE_RENDERER = "software_renderer"
    TOO_LITTLE_MEMORY = "too_little_memory"
    LISTED_TWICE = "listed_twice"
    VIRTUAL_DEVICE = "virtual_device"
    FAILED_VALIDATION = "failed_validation"
    NOT_DECIDED = "not_decided"
    NO_CODE = "no_code"
    OTHER_BUILD = "other_build"
    SAME_CARD = "same_card"


class StageName(str, Enum):
    """The stages of a full validation, in their order (backends/stages.py); a context is enough for a listing."""

    LOAD = "load"
    INIT = "init"
    LIST = "list"
    CONTEXT = "context"
    ALLOCATE = "allocate"
    COPY = "copy"
    KERNEL = "kernel"
    BLAS = "blas"
    PRODUCT = "product"
    BANDWIDTH = "bandwidth"


class Depth(str, Enum):
    """How far a validation came: a stage, or for a listing through ROCm a handle of rocBLAS beside the context."""

    LOAD = "load"
    INIT = "init"
    LIST = "list"
    CONTEXT = "context"
    ROCBLAS = "rocBLAS"
    ALLOCATE = "allocate"
    COPY = "copy"
    KERNEL = "kernel"
    BLAS = "blas"
    PRODUCT = "product"
    BANDWIDTH = "bandwidth"


class StageResult(str, Enum):
    PASSED = "passed"
    FAILED = "failed"  # the validation ended in it, whatever ended it
    NOT_POSSIBLE = "not_possible"  # this machine does not have what it needs; the others decide


class Call(NamedTuple):
    """Something a child announced that it was about to do, and how long it took; None: it never came back."""

    name: str
    seconds: float | None


class Stage(NamedTuple):
    """One stage of a full validation, as far as a child got."""

    name: StageName
    result: StageResult
    seconds: float | None = None  # None: nobody knows when it ended
    because: str | None = None  # why it is not possible here
    figures: Json = {}  # what was measured, the unit in the key


class Probe(NamedTuple):
    """One question for one child. Equal probes are the same question, which is never asked twice."""

    library: str
    purpose: Purpose
    build: str = SYSTEM
    device: str | None = None  # key of the device to validate, or of the slice that is asked for alone
    manifest: str | None = None
    variables: tuple[tuple[str, str | None], ...] = ()  # changed for the child; None: unset
    until: StageName | None = None  # the deepest stage to go to; None: all of them
    attempt: int = 0  # counts the repetitions of one question


class Partition(NamedTuple):
    kind: str  # "mig", "cpx"
    parent: str | None  # the whole card, as the library spells it


class Validation(NamedTuple):
    verdict: Verdict
    depth: Depth | None  # the deepest stage that was passed
    because: str  # a sentence
    status: Status | None = None  # of the probe; None: not asked
    calls: tuple[Call, ...] = ()
    seconds: float | None = None
    stages: tuple[Stage, ...] = ()  # of a full validation
    wrong: Json = {}  # of a wrong result: "compared", "different" and the "first" elements
    attempts: tuple[Verdict, ...] = ()  # what each said, where it was asked several times


class Device(NamedTuple):
    """One GPU as one library in one build reports it. Unknown is None, never 0 or an empty text.

    Memory is in bytes. `number` counts in the library's own numbering inside the child that listed it (for Vulkan the raw
    list, software renderers included). `ordinal`, `filter_id` and `validation` are filled in by `judge`.
    """

    library: str
    number: int
    build: str = SYSTEM
    name: str | None = None
    description: str | None = None
    type: DeviceType = DeviceType.UNKNOWN
    pci_id: str | None = None
    uuid: str | None = None  # as the library spells it
    uuid_space: str | None = None  # UUIDs are comparable within one namespace only
    vendor_id: int | None = None
    device_id: int | None = None
    partition: Partition | None = None
    compute_major: int | None = None
    compute_minor: int | None = None
    gfx_target: str | None = None
    total_memory: int | None = None
    free_memory: int | None = None
    used_memory: int | None = None
    api_version: str | None = None
    kernel_version: str | None = None
    runtime_version: str | None = None
    driver_name: str | None = None
    library_path: str | None = None
    manifest: str | None = None  # the one driver (for Vulkan its manifest) that gives it, where all together do not
    copy: int = 0  # counts devices that the library cannot tell apart: two installs of lavapipe share one UUID
    capabilities: Json = {}
    sources: tuple[tuple[str, str], ...] = ()  # field → library that completed it
    listed_as: str | None = None  # its key before anything was completed
    ordinal: int | None = None
    filter_id: str | None = None
    validation: Validation | None = None

    @property
    def key(self) -> str:
        """What distinguishes this device inside its library and build: stable across children, unlike its number.

        It is what the library itself said: a UUID that a witness added would be found in no child's listing.
        """
        if self.listed_as is not None:
            return self.listed_as
        return (self.uuid or self.pci_id or str(self.number)) + (f"#{self.copy}" if self.copy else "")

    @property
    def id(self) -> str:
        """The device's identifier for people and scripts: UUID, else PCI address, else `library:number`."""
        known = self.uuid or self.pci_id or f"{self.library}:{self.number}"
        return known + (f"#{self.copy}" if self.copy else "")


class Outcome(NamedTuple):
    """What became of one probe."""

    probe: Probe
    status: Status
    devices: tuple[Device, ...] = ()
    calls: tuple[Call, ...] = ()
    library_path: str | None = None
    seconds: float | None = None  # None: no child was started
    exit_code: int | None = None
    signal: int | None = None
    code: int | None = None  # the library's own error number
    code_name: str | None = None
    message: str | None = None
    failure: str | None = None  # the child's own word for it: "unsupported", "busy", "device_missing"…
    depth: Depth | None = None  # of a validation that passed: the deepest stage
    stages: tuple[Stage, ...] = ()
    wrong: Json = {}  # as in Validation
    stderr: str = ""
    stderr_dropped: int = 0  # bytes beyond the tail that was kept
    survivors: tuple[int, ...] = ()  # process ids that could not be ended
    facts: Json = {}  # what the library says of itself rather than of a device

    @property
    def last_call(self) -> str | None:
        return self.calls[-1].name if self.calls else None


class Evidence(NamedTuple):
    """Everything that was gathered; judging it needs nothing else."""

    host: Host
    outcomes: tuple[Outcome, ...]
    gathered_at: str  # ISO 8601, UTC
    appeared: tuple[str, ...] = ()  # device nodes that were not there before the libraries were asked
    not_understood: tuple[str, ...] = ()  # of the capture it was read from: sentences

    def outcome_of(self, probe: Probe) -> Outcome | None:
        return next((outcome for outcome in self.outcomes if outcome.probe == probe), None)


class Drop(NamedTuple):
    """A device that is not kept: the first rule that fired, its sentence, and which of the kept devices stands in its place."""

    device: Device
    reason: Reason
    because: str
    instead: Device | None = None


class ValidationScope(str, Enum):
    """Which views are validated, and how far."""

    NONE = "none"
    NEEDED = "needed"  # per card one view to a context, the next only while none covers the card
    ALL = "all"  # every view, to a context
    PROVED = "proved"  # every view, every stage


class Request(NamedTuple):
    """What the user asked to be gathered. Seconds are per child, except `deadline`, which is for everything."""

    libraries: tuple[str, ...] = ()  # none named: all
    validate: ValidationScope = ValidationScope.NEEDED
    chosen: tuple[str, ...] = ()  # with ALL and PROVED: only devices with these keys; none named: every one
    builds: tuple[str, ...] = ()  # only views in these, `system` being the system's own libraries; none named: all
    until: StageName | None = None  # with PROVED: the deepest stage to go to
    repeat: int = 1  # with PROVED: how often each view is asked
    jobs: int | None = None  # with PROVED: how many views at once; None: as many cards as there are, within bounds
    seconds: float | None = None  # per child; None: the library's own limit
    deadline: float | None = None
    allow_software: bool = False
    wake: bool = True
    lib_dirs: tuple[str, ...] = ()  # further directories that hold builds
    software_dirs: tuple[str, ...] = ()  # environments whose frameworks are looked at, before this shell's own


class Inventory(NamedTuple):
    """The answer: what is usable, and for everything else the reason."""

    kept: tuple[Device, ...]
    drops: tuple[Drop, ...]
    evidence: Evidence
    request: Request
