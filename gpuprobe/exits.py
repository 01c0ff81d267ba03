"""What the exit code of gpuprobe means: one enumeration for the program, its help and its manual page."""

from __future__ import annotations

from gpuprobe.enumerations import IntEnum, StrEnum


class Exit(IntEnum):
    """The code a script sees. The text behind each is shown in the help."""

    def __new__(cls, code: int, meaning: str) -> Exit:
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    meaning: str

    ANSWERED = 0, "answered; plain `list` is always 0, also with an empty list"
    BUG = 1, "a bug in gpuprobe, a file of its own that cannot be read, or an answer that could not be written"
    USAGE = 2, "wrong usage"
    NOTHING_USABLE = 3, "no usable device where one was needed (env, validate, flash-attn, plan)"
    FAILED = (
        4,
        "devices failed (validate), others are seen than were chosen (env --check), or a GPU is kept from use (doctor)",
    )
    NO = (
        5,
        "the answer is no (--require not met, no flash attention, a model does not fit, a named process is not on a GPU)",
    )
    UNDECIDED = 6, "could not be decided: a crash, a timeout or an unknown could change the answer"
    INTERRUPTED = 130, "interrupted; children are ended first"


# A failed card is certain and outlives a doubt about another; a doubt outweighs "there is none" and "no".
PRECEDENCE = (Exit.BUG, Exit.USAGE, Exit.FAILED, Exit.UNDECIDED, Exit.NOTHING_USABLE, Exit.NO)


def weightiest(*codes: Exit) -> Exit:
    """The code to leave with where several apply; ANSWERED where none of them says otherwise."""
    return next((code for code in PRECEDENCE if code in codes), Exit.ANSWERED)


class Trouble(StrEnum):
    """Why there is no answer, as `error.code` of the document says it."""

    WRONG_USAGE = "wrong_usage"
    BUG = "bug"
    NO_MEMORY = "no_memory"
    DAMAGED = "damaged"
    UNWRITABLE = "unwritable"
    INTERRUPTED = "interrupted"


class Unwritable(Exception):
    """The answer is there and its file could not be written."""


class Damaged(Exception):
    """A file of gpuprobe's own cannot be read, so that what it would say is missing."""


class WrongUsage(Exception):
    """What was given cannot be meant: `message` says what was given and what is right, `hint` shows an example."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
