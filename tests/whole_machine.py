"""A whole machine around the installed command: a mount namespace with made-up /sys, /dev and /etc, and doubles of drivers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests import temporary
from tests.cli.terminal import COMMAND, environment

# In a mount namespace, and below a root in which the marks of a container that the tests run in (`/.dockerenv`) are not.
_MOUNTS = """
set -e
machine=$0
root=$machine/root
mkdir -p "$root"
mount -t tmpfs -o mode=755 none "$root"
for entry in /*; do
  name=${entry#/}
  case $name in sys|dev|run) mkdir "$root/$name"; continue ;; esac
  # The kernel's own /proc takes no files of ours: it stands aside, and links lead to what is there now, `self` among it.
  if [ "$name" = proc ] && [ -d "$machine/proc" ]; then
    mkdir "$root/.proc" "$root/proc"
    mount --rbind /proc "$root/.proc"
    for own in /proc/*; do case ${own#/proc/} in [0-9]*) ;; *) ln -s "../.$name/${own#/proc/}" "$root/proc/" ;; esac; done
    cp -a "$machine/proc/." "$root/proc/"
    continue
  fi
  if [ -L "$entry" ]; then cp -P "$entry" "$root/$name"
  elif [ -d "$entry" ]; then mkdir "$root/$name"; mount --rbind "$entry" "$root/$name"; fi
done
cp -a "$machine/sys/." "$root/sys/"
cp -a "$machine/run/." "$root/run/"
mount -t tmpfs -o mode=755 none "$root/dev"
cp -a "$machine/node/." "$root/dev/"
for name in null zero full random urandom tty; do : > "$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"; done
for file in "$machine"/etc/*; do [ ! -e "$file" ] || mount --bind "$file" "$root/etc/${file##*/}"; done
cd /
exec chroot "$root" "$@"
"""
NOBODY = 65534
# The account may pass through folders, and no more: the interpreter may lie in root's home, and no child would start.
_PASSES = ("--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search")


class Answered(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def causes(self) -> list[str | None]:
        """The finding behind each card's reason, None for a usable one."""
        return [card["why"] and card["why"]["finding"] for card in self.document["cards"]]


class WholeMachine:
    """`files`: path → text below /sys, /etc, /run or /proc; `nodes`: path below /dev → its mode; `groups`: path → whose it is,
    by number, where root makes it. Everything else is this machine's."""

    def __init__(
        self,
        files: dict[str, str],
        nodes: dict[str, int],
        links: dict[str, str] | None = None,
        groups: dict[str, int] | None = None,
    ) -> None:
        self.root = temporary.folder("whole-machine")
        self.root.chmod(0o755)
        for place in ("sys", "node", "etc", "run"):
            (self.root / place).mkdir()
        for path, text in files.items():
            self._file(path).write_text(text, encoding="utf-8")
        for path, target in (links or {}).items():
            self._file(path).symlink_to(target)
        for path, mode in nodes.items():
            node = self._file(path.replace("/dev/", "/node/", 1))
            node.touch()
            node.chmod(mode)
        for path, group in (groups or {}).items():
            os.chown(self._file(path.replace("/dev/", "/node/", 1)), 0, group)

    def _file(self, path: str) -> Path:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    def gpuprobe(self, *arguments: str, as_nobody: bool = False, **variables: str) -> Answered:
        """The installed command on it, as root of the namespace or as an account in no group."""
        return self._run([*COMMAND, *arguments], as_nobody=as_nobody, **variables)

    def python(self, program: str, *, as_nobody: bool = False, **variables: str) -> Answered:
        """A program of somebody's own on it."""
        return self._run([sys.executable, "-c", program], as_nobody=as_nobody, **variables)

    def _run(self, command: list[str], *, as_nobody: bool, **variables: str) -> Answered:
        own = [] if os.geteuid() == 0 else ["--map-root-user"]
        leave = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *_PASSES] if as_nobody else []
        done = subprocess.run(
            ["unshare", *own, "--mount", "sh", "-c", _MOUNTS, str(self.root), *leave, *command],
            env=environment(**{"VK_DRIVER_FILES": "/none", "LD_LIBRARY_PATH": "", **variables}),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Answered(done.returncode, done.stdout, done.stderr)


def a_function(address: str, vendor: int, device: int, driver: str | None = None) -> tuple[dict[str, str], dict[str, str]]:
    """One PCI function of a display's class as sysfs has it: its files, and its links."""
    place = f"/sys/bus/pci/devices/{address}"
    files = {
        f"{place}/vendor": f"{vendor:#06x}\n",
        f"{place}/device": f"{device:#06x}\n",
        f"{place}/class": "0x030000\n",
        f"{place}/power/runtime_status": "active\n",
    }
    links = {f"{place}/driver": f"../../../bus/pci/drivers/{driver}"} if driver else {}
    return files, links
