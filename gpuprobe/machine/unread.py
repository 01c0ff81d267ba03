"""What of the machine could not be looked at: an empty answer from there is no answer."""

from gpuprobe.facts import Host
from gpuprobe.record_classes import NamedTuple

_ABSENT = "absent"


class Unread(NamedTuple):
    """A directory that should be there and could not be listed. `problem`: "absent", "denied", "error: …"."""

    place: str
    what: str  # of the machine is therefore not known
    problem: str

    @property
    def sentence(self) -> str:
        return f"{self.state}: {self.what}"

    @property
    def state(self) -> str:
        """What came of looking there: a clause."""
        known = {_ABSENT: "is not there", "denied": "cannot be listed by this user"}.get(self.problem)
        how = "read in full" if self.problem.endswith("`") else "listed"  # of a file in it, the problem names which
        return f"`{self.place}` {known or f'could not be {how} ({self.problem})'}"


# The fact that says why, the directory, what stands in it, and whether it is missing on an ordinary machine.
_PLACES = (
    ("sys_problem", "/sys/bus", "which cards are on the PCI bus is not known", False),
    ("pci_problem", "/sys/bus/pci/devices", "which cards are on the PCI bus is not known", True),
    ("drm_problem", "/sys/class/drm", "which GPUs are beside the processor is not known", True),
    ("kfd_problem", "/sys/class/kfd/kfd/topology/nodes", "which AMD cards compute, and how they are cut, is not known", True),
    ("dev_problem", "/dev", "which device nodes there are is not known", True),
    ("dri_problem", "/dev/dri", "which device nodes there are is not known", True),
    ("proc_problem", "/proc/self", "what kind of machine and container this is, is not known", False),
)
_NODES = ("/dev", "/dev/dri")


def unread(host: Host) -> tuple[Unread, ...]:
    """Each such directory once; where all of /sys is away, no part of it is named."""
    found: list[Unread] = []
    for fact, place, what, may_be_absent in _PLACES:
        problem = host.facts.get(fact)
        is_usual = problem is None or (may_be_absent and problem == _ABSENT)
        if not is_usual and not any(place.startswith(f"{other.place}/") for other in found):
            found.append(Unread(place, what, str(problem)))
    return tuple(found)


def why_no_node(host: Host, path: str) -> str | None:
    """Why nobody knows whether a device node exists: a clause; None: its directory was listed."""
    folders = [each for each in unread(host) if each.place in _NODES and path.startswith(f"{each.place}/")]
    return f"{folders[0].state}, so it is not known whether `{path}` exists" if folders else None
