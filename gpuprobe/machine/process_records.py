"""What is read of one running process: files of /proc as they stand there, and nothing judged.

`None` in the place of a list says that it may not be read: an empty one says that there is nothing.
"""

from __future__ import annotations

from typing import NamedTuple


class DrmClient(NamedTuple):
    """One handle of a GPU's kernel driver, as fdinfo tells of it (Linux, Documentation/gpu/drm-usage-stats.rst)."""

    pci_id: str | None
    driver: str | None
    device_memory: int | None = None  # bytes in the card's own memory; None: this driver does not tell
    shared_memory: int | None = None  # bytes of the system's memory that the card uses
    busy: int | None = None  # nanoseconds of all its engines together, since it was opened


class Share(NamedTuple):
    """Bytes of one card that a process holds, as one teller says; `size` None: it uses the card, and how much is not told."""

    pci_id: str | None
    size: int | None
    teller: str  # "NVML", "DRM fdinfo", "KFD"
    uuid: str | None = None  # of a slice, which shares its card's address


class LogText(NamedTuple):
    """What a process has written: the beginning and the end of it, where it is long. `problem`: why there is none."""

    place: str  # "/var/log/x.log", "the journal"
    text: str | None
    problem: str | None = None


class Process(NamedTuple):
    """One process. `problems`: (file of /proc, "denied", "absent" or "error: …"), for what was to be read and was not."""

    number: int
    name: str  # as `ps` shows it: 15 characters
    command: tuple[str, ...] = ()
    parent: int | None = None
    user: int | None = None
    groups: tuple[int, ...] = ()
    account: str | None = None
    started_at: float | None = None  # seconds since 1970
    program: str | None = None  # the file that it runs
    directory: str | None = None  # where it works
    mapped: tuple[str, ...] | None = None  # files, each once; those of interest only
    replaced: tuple[str, ...] = ()  # of those: what has been deleted or replaced since
    nodes: tuple[str, ...] | None = None  # device files that are open
    models: tuple[str, ...] = ()  # model files that are open or mapped
    clients: tuple[DrmClient, ...] = ()
    environ: dict[str, str] | None = None  # only variables that gpuprobe knows
    control_group: str | None = None
    resident: int | None = None  # bytes of the machine's memory
    ports: tuple[int, ...] = ()  # of the loopback address that it listens on
    outputs: tuple[str, ...] = ()  # what its standard output and error are: a path, "pipe:[…]", "socket:[…]"
    beside: tuple[str, ...] = ()  # backends and parts of frameworks in the directories of what it has mapped
    root_nodes: tuple[str, ...] | None = None  # device files of GPUs in its own /dev, which a container has
    problems: tuple[tuple[str, str], ...] = ()
    is_inside: bool = False  # it lives in another PID namespace: numbers that it is told by are not these

    @property
    def is_denied(self) -> bool:
        """Whether the kernel does not let us see what it has open."""
        return self.nodes is None


class Interface(NamedTuple):
    """What a server says of itself on the loopback address. None: it does not say; `problem`: why it said nothing."""

    port: int
    path: str
    model: str | None = None
    size: int | None = None  # bytes of the loaded model
    on_gpu: int | None = None  # bytes of that which it claims to be on GPUs
    problem: str | None = None


class Gathered(NamedTuple):
    """A process with what it wrote and what it answered."""

    process: Process
    logs: tuple[LogText, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    model_size: int | None = None  # bytes of its model file
    log_of: int | None = None  # whose log it is, where a server writes what its runner says


class Table(NamedTuple):
    """The processes that compute or could, and how many there are of which that is not known."""

    found: tuple[Process, ...]
    looked_at: int = 0
    unreadable: int = 0  # of other accounts: neither their maps nor a command line that is known
    unreadable_accounts: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()  # "error: …", for each that could not be read for another reason than its account
    ended: tuple[int, ...] = ()  # while they were looked at
    hidden: bool = False  # /proc shows this account only its own (`hidepid`)
    namespace: bool = False  # only the processes of a PID namespace are seen
    missing: tuple[int, ...] = ()  # numbers that were asked for and are no process
