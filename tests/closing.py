"""Descriptors whose closing fails, as close(2) does on a network's file system: they are closed nevertheless."""

from __future__ import annotations

import errno
import os

import pytest


def closing_fails(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """For what os.close is given, where /proc's link for it ends so."""
    close = os.close

    def closed(descriptor: int) -> None:
        is_meant = os.readlink(f"/proc/self/fd/{descriptor}").endswith(name)
        close(descriptor)
        if is_meant:
            raise InterruptedError(errno.EINTR, os.strerror(errno.EINTR))

    monkeypatch.setattr(os, "close", closed)
