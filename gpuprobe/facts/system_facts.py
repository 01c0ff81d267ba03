"""What is read of a machine for a diagnosis alone: too dear, or too private, for every listing.

A field that is None was not asked for, as in a capture of an older release. What was asked for and was not there, or may not be
read, says so: `Reading.problem`, `Listing.problem` and the fields named `problem` hold "absent", "denied" or "error: …".
"""

from gpuprobe.facts.small_file import Listing, Reading
from gpuprobe.record_classes import NamedTuple


class Opened(NamedTuple):
    """What came of opening a device node for reading and writing, and closing it at once."""

    path: str
    number: int | None = None  # the error's: 13; 0: it opened; None: it was not tried
    name: str | None = None  # the error's: "EACCES"
    why_not: str | None = None  # why it was not tried: "asleep", "not this machine"


class LogLine(NamedTuple):
    """A line of the kernel's that concerns a GPU, without its time."""

    message: str
    at: float | None = None  # seconds since the start; None: the log does not say
    times: int = 1  # how often it came, but for numbers of processes and addresses
    last: float | None = None  # when it came for the last time, where it came more than once


class KernelLog(NamedTuple):
    """The lines of this start of the machine that concern GPUs, from the top; what came first is the cause."""

    source: str | None = None  # "/dev/kmsg", "journalctl -k -b", "/var/log/kern.log"; None: none could be read
    lines: tuple[LogLine, ...] = ()
    problems: dict[str, str] = {}  # place → why it was not read: "denied", "absent", "empty", "error: …"
    is_whole: bool = False  # it goes back to the start of the machine, and nothing was left out


class KernelModules(NamedTuple):
    """The GPU modules that lie on disk for one kernel. None of a field: it could not be read."""

    kernel: str
    files: tuple[str, ...] | None = None  # below /lib/modules/<kernel>: "updates/dkms/nvidia.ko.zst"
    built_in: tuple[str, ...] | None = None
    build: str | None = None  # the link to its headers: "there", "dangling", "absent"
    problem: str | None = None


class DkmsModule(NamedTuple):
    """A module of DKMS in one version: for which kernels it is built, and the end of the log of a build that failed."""

    name: str
    version: str
    built_for: tuple[str, ...] = ()
    log: Reading | None = None  # the end of build/make.log; a build that is under way or failed has one


class Package(NamedTuple):
    """An installed package that concerns GPUs."""

    name: str
    version: str | None = None
    source: str = ""  # "dpkg", "pacman", "apk", "rpm", "snap", "nix"
    state: str | None = None  # where it is not simply installed: dpkg's "half-configured", "config-files"


class SystemGroup(NamedTuple):
    """A group that a device node belongs to, or that commonly owns some."""

    name: str
    gid: int
    has_account: bool = False  # the system's files list the account that asks as a member
    services: tuple[str, ...] = ()  # accounts of services that it lists: "ollama"


class Standing(NamedTuple):
    """How a process, a service or an account stands: what it may do, and with which variables. None: it could not be read, and
    `problems` says why."""

    kind: str  # "process", "unit", "account"
    name: str  # "4711", "ollama.service", "ollama"
    process: int | None = None
    program: str | None = None  # the path of its executable
    command: str | None = None  # what it is called: "ollama"
    arguments: tuple[str, ...] | None = None  # those that decide about GPUs: "-ngl", "0"
    account: str | None = None
    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None  # all that it is in, `gid` too
    environ: dict[str, str] | None = None  # variables that gpuprobe knows
    capabilities: str | None = None  # effective, as /proc has them: 16 hexadecimal digits
    no_new_privileges: bool | None = None
    seccomp: int | None = None  # 0: none, 2: a filter
    root: str | None = None  # "/": the same as this process's
    cgroup: str | None = None
    label: str | None = None  # of SELinux or AppArmor: "snap.ollama.ollama (enforce)"
    unit: str | None = None  # the unit whose control group it is in
    libraries: tuple[str, ...] | None = None  # of GPUs, that it has mapped; " (deleted)" stands behind one that was replaced
    nodes: tuple[str, ...] | None = None  # device nodes that it has open
    limits: dict[str, str] | None = None  # soft limits by the kernel's name: "Max locked memory"
    namespaces: dict[str, str] | None = None  # "mnt", "user", "pid" → the kernel's number
    children: tuple[int, ...] = ()  # the other processes of its unit or account that compute
    problems: dict[str, str] = {}  # field → "denied", "absent", "error: …"


class UnitFiles(NamedTuple):
    """A service's unit file and its drop-ins, in the order in which systemd reads them."""

    name: str  # "ollama.service"
    scope: str = "system"  # or "user"
    files: dict[str, Reading] = {}
    is_enabled: bool | None = None
    environment_files: dict[str, Reading] = {}  # that it names: the lines that set variables gpuprobe knows


class DriverLibrary(NamedTuple):
    """The library that a Vulkan driver manifest names, and what that needs in its turn."""

    manifest: str
    library: str | None = None  # as the manifest says; None: it names none, or is no manifest
    path: str | None = None  # where it is; None: nowhere
    missing: tuple[str, ...] | None = None  # libraries it needs that the loader does not find; None: not known
    problem: str | None = None


class SystemFacts(NamedTuple):
    """What a diagnosis reads besides the survey, uninterpreted."""

    texts: dict[str, Reading] | None = None  # path → a small file of the kernel's
    files: dict[str, Reading] | None = None  # path → a file of settings, which people and packages write
    listings: dict[str, Listing] | None = None  # path of a directory → its names
    opened: tuple[Opened, ...] | None = None
    log: KernelLog | None = None
    modules: tuple[KernelModules, ...] | None = None  # the running kernel's first
    claims: dict[str, tuple[str, ...]] | None = None  # PCI address → modules of the running kernel that say they are for it
    dkms: tuple[DkmsModule, ...] | None = None
    packages: tuple[Package, ...] | None = None
    package_lists: dict[str, str | None] | None = None  # source of packages → why it could not be read, None: it was
    programs: dict[str, str] | None = None  # that cures are made with, by name → path: "dkms", "dracut"; absent: not there
    account: str | None = None  # that asks
    login_groups: tuple[int, ...] | None = None  # which the system's files give that account at its next login
    groups: tuple[SystemGroup, ...] | None = None
    units: tuple[UnitFiles, ...] | None = None
    servers: tuple[Standing, ...] | None = None  # that compute or serve models now
    # Helpers of drivers that run: "nv-fabricmanager" → process; one that is left out does not run. None also where the
    # machine's processes are not seen from here, as in a container.
    daemons: dict[str, int] | None = None
    namespaces: dict[str, str] | None = None  # of this process: "mnt", "user", "pid" → the kernel's number
    driver_libraries: tuple[DriverLibrary, ...] | None = None
    seen_as: Standing | None = None  # whom `--as` names; None: this process itself
