"""Environment maps as lines of a shell that are safe to evaluate there, whatever the values contain."""

from __future__ import annotations

from gpuprobe.render.form import CONTROL_CHARACTERS, LINE_BREAKS, Form


def quoted(value: str) -> str:
    """One word of a POSIX shell. Nothing is special inside single quotes but the single quote itself."""
    return "'" + value.replace("'", "'\\''") + "'"


def quoted_for_fish(value: str) -> str:
    """fish, "Quotes": inside single quotes a backslash escapes itself and the single quote, and nothing else is special."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


_OUTSIDE_QUOTES = str.maketrans({character: f"'\\{character}'" for character in "'!\\"})


def quoted_for_csh(value: str) -> str:
    r"""tcsh(1): `!` reaches the history even from inside single quotes, and `set backslash_quote` changes what a backslash
    does there: both stand outside, behind a backslash, where they mean the same with every setting."""
    return "'" + value.translate(_OUTSIDE_QUOTES) + "'"


# PowerShell's tokenizer takes all of these for the single quote (about_Quoting_Rules; CharTraits.cs, IsSingleQuote).
_SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"


def quoted_for_powershell(value: str) -> str:
    """about_Quoting_Rules: inside single quotes nothing is special but the quotes, which are doubled."""
    return "'" + "".join(letter * 2 if letter in _SINGLE_QUOTES else letter for letter in value) + "'"


def _not_ascii(value: str) -> str | None:
    return None if value.isascii() else "characters beyond ASCII"


_POSIX = Form(
    named="sh",
    setting=lambda name, value: f"export {name}={quoted(value)}",
    unsetting=lambda name: f"unset {name}",
    carries_bytes=True,
)
_FISH = Form(
    named="fish",
    setting=lambda name, value: f"set -gx {name} {quoted_for_fish(value)}",
    unsetting=lambda name: f"set -e {name}",
    carries_bytes=True,
)
# On one line, because a command substitution of csh makes words of lines, which lets only one be kept and evaluated.
_CSH = Form(
    named="csh",
    setting=lambda name, value: f"setenv {name} {quoted_for_csh(value)};",
    unsetting=lambda name: f"unsetenv {name};",
    forbidden=LINE_BREAKS,
    between=" ",
)
# PowerShell joins what a program prints with line breaks of its own, and takes nothing for no variable before 7.5.
_POWERSHELL = Form(
    named="PowerShell",
    setting=lambda name, value: f"$env:{name} = {quoted_for_powershell(value)}",
    unsetting=lambda name: f"$env:{name} = $null",
    forbidden=LINE_BREAKS,
    carries_nothing=False,
)
# `set "A=b"` takes everything up to the last quote. A percent sign has to be doubled in a batch file and must not be in
# `for /f`, `!` and `^` depend on delayed expansion, and what lies beyond ASCII is read in the console's code page.
_CMD = Form(
    named="cmd",
    setting=lambda name, value: f'set "{name}={value}"',
    unsetting=lambda name: f'set "{name}="',
    forbidden=CONTROL_CHARACTERS + '%!^"',
    refuses=_not_ascii,
    carries_nothing=False,
)

SHELLS = {
    "sh": _POSIX,
    "bash": _POSIX,
    "zsh": _POSIX,
    "dash": _POSIX,
    "fish": _FISH,
    "csh": _CSH,
    "powershell": _POWERSHELL,
    "cmd": _CMD,
}
ALIASES = {"tcsh": "csh", "pwsh": "powershell", "ksh": "sh", "mksh": "sh", "ash": "sh"}


def shell_named(text: str) -> Form | None:
    """The form of a shell by its name, also by its other one; None: gpuprobe does not write for it."""
    return SHELLS.get(ALIASES.get(text, text))


def shell_of(path: str | None) -> Form:
    """The form for the shell that `$SHELL` names, `/usr/bin/fish`; a POSIX shell's where it is unset or another."""
    name = (path or "").replace("\\", "/").rpartition("/")[2].lower().removesuffix(".exe")
    return shell_named(name) or _POSIX
