"""What in the words of others names a person, a machine or a key to one: found in linear time, whatever stands in the text.

A driver, a file or a variable chooses these texts and their length, so no pattern may begin with an open repetition: one line
of 1 MiB without a blank would take an hour.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from gpuprobe.once import once

# RFC 5321: at most 64 octets before the @ and 255 behind it. Begun where a word begins, so that each is looked at once; of a
# longer word the part behind the @ is still a machine's name. /proc/version has the address of who built the kernel.
_MAIL = r"(?<![\w.+-])[\w.+-]{1,64}@[\w.@+-]{1,255}|(?<=[\w.+-]{64})@[\w.@+-]{1,255}"


_lower: Callable[[str], str] = once(str.lower)


# A pattern that ignores case takes these for `i`, `s` and `k` (re, "IGNORECASE").
_LIKE_ASCII = "\u0130\u0131\u017f\u212a"


class Secret(NamedTuple):
    """`find` gives (from, to) of each secret in a text, in order; `free_only`: to be looked for in free texts alone.

    `signs`: texts in lower case of which one stands in every secret. To look for them takes a hundredth of what a pattern
    takes, and a driver's 1 MiB of noise has none.
    """

    kind: str
    find: Callable[[str], Iterator[tuple[int, int]]]
    instead: str | None = None  # None: a pseudonym of what was found
    free_only: bool = True
    signs: tuple[str, ...] = ()  # none: unknown

    def may_be_in(self, text: str) -> bool:
        """A sign that is not ASCII is left to the pattern: what is its lower case depends on what stands beside it."""
        if not self.signs or not all(sign.isascii() for sign in self.signs):
            return True
        found = any(sign in _lower(text) for sign in self.signs)
        return found or (not text.isascii() and any(letter in text for letter in _LIKE_ASCII))


def by_pattern(pattern: str, group: int = 0) -> Callable[[str], Iterator[tuple[int, int]]]:
    compiled = re.compile(pattern)
    return lambda text: (found.span(group) for found in compiled.finditer(text))


def _internet_addresses(text: str) -> Iterator[tuple[int, int]]:
    """IPv4 with its numbers below 256 (a Windows driver's version has larger ones); this machine's own stay."""
    for found in _FOUR_NUMBERS.finditer(text):
        numbers = [int(number) for number in found.group().split(".")]
        if max(numbers) < 256 and numbers[0] not in (0, 127):
            yield found.span()


_FOUR_NUMBERS = re.compile(r"(?<![\w.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\w.])")

# Keys that say by their beginning what they are: Hugging Face, OpenAI, GitHub, GitLab, Slack, AWS, NVIDIA, JSON web tokens.
_KEY = (
    r"(?<![A-Za-z0-9])(?:hf_|sk-|gh[opsu]_|github_pat_|glpat-|xox[abps]-|AKIA|nvapi-|eyJ)"
    r"[A-Za-z0-9_.=-]{8,400}"
)
_KEY_SIGNS = ("hf_", "sk-", "gho_", "ghp_", "ghs_", "ghu_", "github_pat_", "glpat-", "xox", "akia", "nvapi-", "eyj")
_NAME_OF_A_KEY = (
    r"(?i)(?<![a-z])(?:token|secret|password|passwd|api[_-]?key|authorization|bearer)[\"']?\s{0,4}[=: ]\s{0,4}[\"']?"
)
_NAMED_KEY = re.compile(_NAME_OF_A_KEY + r"(?!key-[0-9a-f]{4}(?![\w-]))((?=[^\s\"',;]{0,399}[0-9])[^\s\"',;]{8,400})")
_NAMES, _DIGIT_OR_END, _LONGEST_KEY = re.compile(_NAME_OF_A_KEY), re.compile(r"[\s\"',;0-9]"), 400


def _named_keys(text: str) -> Iterator[tuple[int, int]]:
    """What the pattern finds. It looks for a digit in 400 characters behind each name, so of `token=token=…` each is passed by
    400 times; here the digit that comes next is looked for once for all names before it."""
    end, digit = 0, -1
    for name in _NAMES.finditer(text):
        if digit < name.end():
            found = _DIGIT_OR_END.search(text, name.end())
            digit = found.start() if found else len(text)
        is_near = digit - name.end() < _LONGEST_KEY and text[digit : digit + 1].isdigit()
        key = _NAMED_KEY.match(text, name.start()) if is_near and name.start() >= end else None
        if key is not None:
            end = key.end()
            yield key.span(1)


_SERIAL = (
    r"(?i)\bserial(?:[ _-]?(?:number|no|nr))?[\"']?\s{0,4}[=:# ]\s{0,4}[\"']?"
    r"(?!serial-[0-9a-f]{4}(?![\w-]))((?=[a-z0-9-]{0,63}[0-9])[a-z0-9-]{6,64})"
)
_MAC = r"(?<![\w:])[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}(?![\w:])"
# Four groups or more: a PCI address has two colons.
_INTERNET_6 = (
    r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){3,7}(?::?[0-9A-Fa-f]{1,4}|:)(?![\w:.])|(?<![\w:.])fe80:(?::?[0-9A-Fa-f]{1,4}){1,6}"
)

ALWAYS = (
    Secret("id", by_pattern(_MAIL), free_only=False, signs=("@",)),
    Secret("id", by_pattern(r"\b[0-9a-f]{32,64}\b"), free_only=False, signs=tuple("0123456789abcdef")),  # a container's
)
IN_FREE_TEXTS = (
    Secret("key", by_pattern(_KEY), signs=_KEY_SIGNS),
    Secret("key", _named_keys, signs=("token", "secret", "passw", "api", "authorization", "bearer")),
    Secret("serial", by_pattern(_SERIAL, 1), signs=("serial",)),
    Secret("mac", by_pattern(_MAC), signs=(":",)),
    Secret("ip", by_pattern(_INTERNET_6), signs=(":",)),
    Secret("ip", _internet_addresses, signs=tuple("0123456789")),
)


def replaced(text: str, secret: Secret, pseudonym: Callable[[str, str], str]) -> str:
    """The text with each of its secrets of this kind replaced."""
    pieces, end = [], 0
    for start, stop in secret.find(text) if secret.may_be_in(text) else ():
        pieces += [text[end:start], secret.instead or pseudonym(secret.kind, text[start:stop])]
        end = stop
    return "".join([*pieces, text[end:]]) if pieces else text
