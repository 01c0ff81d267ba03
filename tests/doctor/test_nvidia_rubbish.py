"""Whatever stands in the files that NVIDIA's checks read: no traceback, and no certain cause from what cannot be read."""

from __future__ import annotations

import pytest

from gpuprobe.facts import Reading
from gpuprobe.model import Status
from tests.doctor.nvidia_machines import COUNTS_NONE, findings, is_certain, log, nvidia_host, nvml_says, refused, texts

RUBBISH = ("", "\0\xff" * 500, "9" * 5000, "nvidia-uvm " * 400, "GPU UUID:\n" * 300, "\n".join(map(str, range(2000))))
ANSWERS = (refused(999), refused(802), refused(100, status=Status.NO_DEVICES))


@pytest.mark.parametrize("path", sorted(texts()))
@pytest.mark.parametrize("said", RUBBISH, ids=range(len(RUBBISH)))
def test_rubbish_in_any_file_is_survived(path: str, said: str) -> None:
    host = nvidia_host(texts={**texts(), path: Reading(said)}, system=log(said[:300], said[-300:]))

    assert [each for answer in ANSWERS for each in findings(host, answer, COUNTS_NONE)]


@pytest.mark.parametrize("problem", ["denied", "error: Input/output error"])
def test_files_that_nobody_may_read_prove_no_cause(problem: str) -> None:
    unread = dict.fromkeys(texts(), Reading(None, problem))
    found = findings(nvidia_host(texts=unread, libraries=()), refused(999), nvml_says(999))

    assert [each.id for each in found if is_certain(each) and not each.generic] == []
