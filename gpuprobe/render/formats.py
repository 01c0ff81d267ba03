"""Environment maps as files that other programs read: dotenv, Docker, Compose and systemd."""

from __future__ import annotations

from gpuprobe import patterns as re
from gpuprobe.render.form import LINE_BREAKS, Form

_PLAIN = re.compile(r"[A-Za-z0-9_.,:;/@+=-]*")


def dotenv_value(value: str) -> str:
    """As python-dotenv and Compose both read it.

    Single quotes keep everything in Compose, while python-dotenv takes backslashes for escapes in them; double quotes
    take the same escapes in both, and there Compose replaces `$NAME`. What needs both is refused.
    """
    if _PLAIN.fullmatch(value):
        return value
    if not _needs_double_quotes(value):
        return f"'{value}'"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _needs_double_quotes(value: str) -> bool:
    return "'" in value or "\\" in value


def _beyond_dotenv(value: str) -> str | None:
    if "${" in value:
        return "`${`"  # python-dotenv replaces it even inside single quotes
    return "`$` beside a single quote or a backslash" if "$" in value and _needs_double_quotes(value) else None


def compose_value(value: str) -> str:
    """A double-quoted scalar of YAML 1.2, section 5.7, in which Compose finds no `$NAME`: `$$` is a dollar sign."""
    return '"' + "".join(_in_yaml(character) for character in value.replace("$", "$$")) + '"'


def _in_yaml(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def systemd_assignment(name: str, value: str) -> str:
    """One quoted assignment; systemd.syntax(7), "Quoting", and systemd.exec(5), `Environment=`: `%%` is a percent sign."""
    return f'"{name}=' + "".join(_in_systemd(character) for character in value) + '"'


def _in_systemd(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character == "%":
        return "%%"
    return character if ord(character) >= 32 and ord(character) != 127 else f"\\x{ord(character):02x}"


_DOTENV = Form(
    named="a dotenv file",
    setting=lambda name, value: f"{name}={dotenv_value(value)}",
    unsetting=None,
    forbidden=LINE_BREAKS,
    refuses=_beyond_dotenv,
)
# docker run --env-file: no quotes, no escapes; a line is a name, `=` and the value as it is.
_DOCKER = Form(
    named="a file for `docker run --env-file`",
    setting=lambda name, value: f"{name}={value}",
    unsetting=None,
    forbidden=LINE_BREAKS,
)
_COMPOSE = Form(
    named="a Compose file",
    setting=lambda name, value: f"  {name}: {compose_value(value)}",
    unsetting=None,
    heading="environment:\n",
)
_SYSTEMD = Form(
    named="a systemd unit",
    setting=lambda name, value: f"Environment={systemd_assignment(name, value)}",
    unsetting=lambda name: f"UnsetEnvironment={name}",
    heading="[Service]\n",
)

FORMATS = {"dotenv": _DOTENV, "docker": _DOCKER, "compose": _COMPOSE, "systemd": _SYSTEMD}
