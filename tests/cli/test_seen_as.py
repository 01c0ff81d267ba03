"""`doctor --as` as installed: what another account has set is told, and none of its code runs here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.terminal import COMMAND, environment, piped

MARKING = """\
#include <fcntl.h>
__attribute__((constructor)) static void mark(void) { open("%s", O_CREAT | O_WRONLY, 0600); }
"""
NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or shutil.which("cc") is None, reason="needs another account and a compiler")


def test_root_runs_nothing_that_another_account_preloads(tmp_path: Path) -> None:
    library, ran = tmp_path / "mark.so", tmp_path / "ran"
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", library], input=(MARKING % ran).encode(), check=True)
    os.chown(library, NOBODY, NOBODY)
    other = subprocess.Popen(["sleep", "60"], env={"LD_PRELOAD": str(library)}, user=NOBODY, group=NOBODY, extra_groups=[])
    try:
        ran.unlink(missing_ok=True)
        said = " ".join(piped("doctor", "--as", str(other.pid)).out.split())
    finally:
        other.kill()
        other.wait()

    assert f"`LD_PRELOAD`is`{library}`there" in said.replace(" ", "")  # a long path is broken between two lines
    assert "the GPUs were looked at without its `LD_PRELOAD`" in said
    assert not ran.exists()


def test_a_process_that_this_account_may_not_look_at_is_not_decided() -> None:
    as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    other = subprocess.Popen(["sleep", "60"])
    try:
        done = subprocess.run(
            [*as_nobody, *COMMAND, "doctor", "--json", "--as", str(other.pid)],
            env=environment(),
            capture_output=True,
            check=False,
            timeout=120,
        )
    finally:
        other.kill()
        other.wait()

    summary = json.loads(done.stdout)["summary"]
    assert summary["text"].startswith(f"{other.pid} cannot be judged: this account may not read its variables and files; ")
    assert (done.returncode, summary["exit_code"]) == (6, 6)
