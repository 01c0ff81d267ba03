"""What machine code in a file was compiled for: `targets_of` opens the file and walks its headers; no code is unpacked."""

from __future__ import annotations

from gpuprobe.machinecode.targets import Container, Image, Kind, Module, Target, Targets, Vendor

__all__ = ["Container", "Image", "Kind", "Module", "Target", "Targets", "Vendor", "targets_of"]


def targets_of(path: str) -> Targets:
    """What is in the file at `path`, links followed. What cannot be read is a reason in `unread`, never an error."""
    from gpuprobe.machinecode.content import Unread, opened
    from gpuprobe.machinecode.reading import targets_in

    try:
        with opened(path) as file:
            return targets_in(path, file)
    except Unread as unread:
        return Targets(path, unread=str(unread))
    except (OSError, ValueError) as error:  # the second: a path with a byte 0
        return Targets(path, unread=f"it cannot be read: {getattr(error, 'strerror', None) or error}")
