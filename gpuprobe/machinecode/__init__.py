"""What the machine code in a file was compiled for: `targets_of` maps the file and walks the headers, without unpacking code."""

from __future__ import annotations

from gpuprobe.machinecode.records import Container, Kind, Module, Target, Targets, Vendor

__all__ = ["Container", "Kind", "Module", "Target", "Targets", "Vendor", "targets_of"]


def targets_of(path: str) -> Targets:
    """What is in the file at `path`; a reason in `unread` where it cannot be read. Never raises for what a file holds."""
    return Targets(path, unread="the reader is being written")
