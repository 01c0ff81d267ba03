"""Where the benchmark runs commands: on this machine as it is, on this machine without GPU libraries, beside the peers."""

from __future__ import annotations

import compileall
import functools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from gpuprobe.survey.host import read_host
from tests.benchmark import launcher
from tests.benchmark.table import Ran, Unmeasured

REPOSITORY = Path(__file__).parents[2]
LONGEST_SECONDS = 300
PEERS = ("gpustat", "nvitop")

# As pip writes it for an installed command, but of this working tree.
_COMMAND = "import sys\nfrom gpuprobe.__main__ import main\nif __name__ == '__main__':\n    sys.exit(main())\n"

# Changes of files that only this process and what it starts can see: the named files are gone, the named directories empty.
_WITHOUT = """set -e
room=$1 files=$2 directories=$3; shift 3
mount -t tmpfs none "$room"
for file in $files; do
    place=$(dirname "$file")
    if ! [ -d "$room/$place" ]; then
        mkdir -p "$room/$place" "$room/work$place"
        mount -t overlay none -o "lowerdir=$place,upperdir=$room/$place,workdir=$room/work$place" "$place"
    fi
    rm -f "$file"
done
for directory in $directories; do mount -t tmpfs none "$directory"; done
exec "$@"
"""


class Launcher:
    """A small process that starts commands in one place."""

    def __init__(self, directory: Path, prefix: Sequence[str] = ()) -> None:
        self._out = Path(tempfile.mkdtemp(dir=directory), "out")
        command = [*prefix, sys.executable, "-I", "-S", launcher.__file__]
        self._process = subprocess.Popen(
            command, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def run(self, argv: Sequence[str], env: Mapping[str, str], *, watch: bool = False) -> Ran:
        """Unmeasured where the launcher has gone, or the command takes more than five minutes."""
        assert self._process.stdin is not None and self._process.stdout is not None
        request = {"argv": list(argv), "env": dict(env), "out": str(self._out), "watch": watch}
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], LONGEST_SECONDS)[0]:
            raise Unmeasured(f"{' '.join(argv)} took more than {LONGEST_SECONDS} s")
        answer = self._process.stdout.readline()
        if not answer:
            raise Unmeasured("commands could not be started there; what stands above the table may say why")
        return Ran(out=self._out.read_text(errors="replace"), **json.loads(answer))

    def close(self) -> None:
        """Also ends a command that still runs: whatever it started itself notices that by its stdin."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


class Workplace:
    """Everything that rows share, made when the first row needs it, and gone at the end."""

    def __init__(self, runs: int, beside: Path | None = None) -> None:
        self.runs, self.beside = runs, beside
        self._stack = ExitStack()
        self.directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="gpuprobe-benchmark-")))
        for checkout in (REPOSITORY, *([beside] if beside else [])):
            # Both or neither: without the compiled files a start costs a third more.
            compileall.compile_dir(checkout / "gpuprobe", quiet=2)
        (self.directory / "gpuprobe").write_text(_COMMAND)
        shutil.copy(Path(__file__).with_name("do_nothing.py"), self.directory / "do-nothing")

    def __enter__(self) -> Workplace:
        return self

    def __exit__(self, *problem: object) -> None:
        self._stack.close()

    def environment(self, **more: str) -> dict[str, str]:
        """A user's environment in which nothing speaks of GPUs; bytecode is written and read as for any user."""
        plain = {"PATH": os.environ["PATH"], "HOME": str(self.directory), "LANG": "C.UTF-8", "PYTHONPATH": str(REPOSITORY)}
        return {**plain, **more}

    def environment_beside(self, **more: str) -> dict[str, str]:
        """As `environment`, with the other checkout's gpuprobe."""
        return {**self.environment(**more), "PYTHONPATH": str(self.beside)}

    def gpuprobe(self, *arguments: str) -> list[str]:
        return [sys.executable, str(self.directory / "gpuprobe"), *arguments]

    def do_nothing(self) -> list[str]:
        return [sys.executable, str(self.directory / "do-nothing"), "list"]

    @functools.cached_property
    def here(self) -> Launcher:
        return self._launcher()

    @functools.cached_property
    def bare(self) -> Launcher:
        """This machine with every GPU library and Vulkan manifest taken out of sight, and the proof that it is so."""
        host = read_host(environ=self.environment())
        if not host.libraries and not host.manifests:
            return self.here
        files = {os.path.realpath(os.path.dirname(each.path)) + "/" + os.path.basename(each.path) for each in host.libraries}
        directories = {os.path.dirname(each.path) for each in host.manifests}
        room = self.directory / "room"
        room.mkdir()
        given = [str(room), " ".join(sorted(files)), " ".join(sorted(directories))]
        bare = self._launcher([*_unshare(), "sh", "-c", _WITHOUT, "sh", *given])
        seen = bare.run(self.gpuprobe("list", "--json"), self.environment()).document["probes"]
        left = [probe["library"] for probe in seen if probe["status"] != "absent"]
        if left:
            raise Unmeasured(f"{', '.join(left)} could not be taken out of sight")
        return bare

    @functools.cached_property
    def peers(self) -> Path:
        """The `bin` of a throw-away environment with gpustat and nvitop from PyPI."""
        place = self.directory / "peers"
        python = str(place / "bin" / "python")
        for command in ([sys.executable, "-m", "venv", str(place)], [python, "-m", "pip", "install", "--quiet", *PEERS]):
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=_writing_bytecode())
            if done.returncode:
                raise Unmeasured(f"{', '.join(PEERS)} could not be installed: {(done.stderr.splitlines() or ['?'])[-1]}")
        return place / "bin"

    def release_of(self, peer: str) -> str:
        """ "1.1.1", as installed."""
        (record,) = self.peers.parent.glob(f"lib/python*/site-packages/{peer}-*.dist-info")
        return record.name.removesuffix(".dist-info").rpartition("-")[2]

    def _launcher(self, prefix: Sequence[str] = ()) -> Launcher:
        made = Launcher(self.directory, prefix)
        self._stack.callback(made.close)
        return made


def _unshare() -> list[str]:
    found = shutil.which("unshare")
    if found is None:
        raise Unmeasured("GPU libraries are installed, and there is no `unshare` to take them out of sight")
    return [found, "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]


def _writing_bytecode() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def interleaved(
    launcher: Launcher, commands: Sequence[tuple[Sequence[str], Mapping[str, str]]], runs: int, *, watch: bool = False
) -> list[list[Ran]]:
    """Each command `runs` times, A B A B …, after one round that is not counted; one list per command."""
    rounds = [[launcher.run(*command, watch=watch) for command in commands] for _ in range(runs + 1)]
    return [list(column) for column in zip(*rounds[1:], strict=True)]
