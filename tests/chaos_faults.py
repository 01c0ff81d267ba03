"""The faults that a library can do to gpuprobe's child, and what becomes of the question in which it does one.

The words are those of `chaos` in tests/drivers/fake_chaos.h.
"""

from __future__ import annotations

from typing import NamedTuple

HARMLESS = frozenset({"ok", "no_devices"})
CRASHED = frozenset({"crashed"})
EXITED = frozenset({"exited"})
UNREADABLE = frozenset({"unreadable"})
OVERDUE = frozenset({"timed_out"})
# Where a call of the library may fail for want of something, it says so, ends or is ended.
WANT = HARMLESS | CRASHED | EXITED | {"call_failed", "init_failed", "not_loadable", "timed_out"}
# What a library says of itself is believed: it lies about itself alone.
LIES = HARMLESS | {"call_failed", "init_failed", "unreadable", "exited"}


class Fault(NamedTuple):
    """`endings`: the statuses of which the faulty question has one. `parent`: gpuprobe's own exit by a signal, if it is hit."""

    word: str
    group: str
    endings: frozenset[str]
    parent: int | None = None
    waits: bool = False  # until its limit
    by_hand: bool = False  # only in the whole matrix: it takes long
    is_lie: bool = False  # it may change what its own library seems to have


def _of(group: str, words: str, endings: frozenset[str], **more: bool) -> tuple[Fault, ...]:
    return tuple(Fault(word, group, endings, **more) for word in words.split())


FAULTS = (
    *_of("signals", "segv ill bus fpe abort stack heap terminate group", CRASHED),
    *_of("exceptions of C++", "throw", CRASHED),
    *_of("exits", "exit-0 exit-3", EXITED | OVERDUE),  # from a constructor, the linker's lock is held: that may last for ever
    *_of("exits", "leave-0 leave-3 exec-true exec-echo", EXITED),
    *_of("hangs", "hang deaf stop fork-hang", OVERDUE, waits=True),
    *_of("grandchildren", "holder session daemon emptied", HARMLESS),
    *_of("grandchildren", "fork-crash", CRASHED),
    *_of("descriptors", "close-all", WANT),
    *_of("descriptors", "redirect-all", EXITED | CRASHED | OVERDUE),
    *_of("descriptors", "close-standard", HARMLESS | EXITED),
    *_of("noise", "noise", HARMLESS),
    *_of("noise", "noise-1g", HARMLESS | OVERDUE, by_hand=True),
    *_of("noise", "noise-everywhere", UNREADABLE),
    *_of("forged lines", "forged-device forged-failure forged-done forged-call forged-figures", LIES, is_lie=True),
    *_of("malformed lines", "half-line nested huge-line huge-number not-a-number bytes unknown-kind", UNREADABLE),
    *_of("malformed lines", "surrogate", UNREADABLE | HARMLESS),  # a text like others for JSON; escaped where it is shown
    *_of("limits", "few-files little-memory no-processes no-file-size out-of-memory", WANT, is_lie=True),
    *_of("limits", "cpu-time out-of-memory-abort", CRASHED),
    *_of("masks and place", "blocked-signals ignored-signals umask away deleted-place", HARMLESS),
    *_of("masks and place", "no-environment", WANT, is_lie=True),
    # A loader that unloads its driver, as Vulkan's does, brings this end about while it is asked.
    *_of("at the end", "exit-hang", HARMLESS | OVERDUE),
    *_of("at the end", "exit-crash thread-hang", HARMLESS | CRASHED),
    Fault("parent-killed", "the parent", frozenset(), parent=-9),
    Fault("parent-interrupted", "the parent", frozenset(), parent=130),
    Fault("parent-stopped", "the parent", HARMLESS),
)
