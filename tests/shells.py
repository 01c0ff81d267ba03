"""The real shells of this machine: what each makes of lines that `env` writes for it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.vulkan_world import missing


class Shell(NamedTuple):
    """`flags` keep a user's own start files out. `evaluate` is the use that the help shows, of `{program}`'s output."""

    name: str
    flags: tuple[str, ...]
    evaluate: str
    source: str = ". {file}"

    def run(self, script: str, folder: Path | str = "/", **environ: str) -> subprocess.CompletedProcess[bytes]:
        program = shutil.which(self.name) or missing(f"`{self.name}`")
        plain = {"PATH": "/usr/bin:/bin", "HOME": "/proc/nonexistent", "LANG": "C.UTF-8"}
        with tempfile.NamedTemporaryFile("w") as file:  # and not by `-c`, in which tcsh goes on after `exit`
            file.write(f"{script}\n")
            file.flush()
            command = [program, *self.flags, file.name]
            return subprocess.run(command, cwd=folder, env={**plain, **environ}, capture_output=True, check=False)


_EVAL = 'e=$({program}) || exit; eval "$e"'
SHELLS = {
    "sh": Shell("sh", (), _EVAL),
    "bash": Shell("bash", ("--norc", "--noprofile"), _EVAL),
    "zsh": Shell("zsh", ("-f",), _EVAL),
    "dash": Shell("dash", (), _EVAL),
    "fish": Shell("fish", ("--no-config",), "{program} | source", "source {file}"),
    "csh": Shell("csh", ("-f",), 'set e = "`{program}`" || exit $status\neval "$e"', "source {file}"),
}
USES = ("evaluate", "source")


def environment_after(
    shell: str, lines: str, folder: Path | str = "/", use: str = "evaluate", **environ: str
) -> dict[str, str]:
    """The variables that a program sees which the shell starts after it has obeyed these lines."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "lines"
        file.write_bytes(lines.encode("utf-8", "surrogateescape"))
        how = getattr(SHELLS[shell], use).format(program=f"cat {file}", file=file)
        done = SHELLS[shell].run(f"{how}\nenv -0", folder, **environ)
    assert (done.stderr, done.returncode) == (b"", 0)
    pairs = (pair.decode("utf-8", "surrogateescape").partition("=") for pair in done.stdout.split(b"\0")[:-1])
    return {name: value for name, _, value in pairs}
