"""What became of reading a file or listing a directory: the content, or why there is none."""

from gpuprobe.record_classes import NamedTuple


class Reading(NamedTuple):
    """A small file as it was found: its text, or why there is none ("absent", "denied", "error")."""

    text: str | None
    problem: str | None = None


class Listing(NamedTuple):
    """The names in a directory, sorted; or why there are none, in the words of `Reading`."""

    names: tuple[str, ...] | None
    problem: str | None = None
