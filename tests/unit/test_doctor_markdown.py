"""What `doctor --markdown` makes of texts that others wrote: they are pasted into a forum, and shown on a terminal before."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.examination import examine
from gpuprobe.facts import Reading
from gpuprobe.judging.rules import judge
from gpuprobe.model import Request
from gpuprobe.render.doctor_markdown import markdown
from tests.records import a_host, evidence_of


def page(container: str) -> str:
    host = a_host(texts={"/run/systemd/container": Reading(container)})
    inventory = judge(evidence_of(host=host), Request())
    examination = examine(inventory, lambda finding: True, None)
    return markdown(examination, examination.text, host)


def test_a_container_s_name_brings_no_code_to_the_terminal() -> None:
    assert "\x1b" not in page("\x1b[31mlxc")


@pytest.mark.parametrize(
    ("written", "shown"),
    [("a<b>", "a\\<b\\>"), ("`a<b>`", "`a<b>`"), ("a`<b>", "a\\`\\<b\\>"), ("`a` `<b>", "`a` \\`\\<b\\>")],
)
def test_html_is_read_as_such_neither_outside_of_code_nor_behind_a_lone_backquote(written: str, shown: str) -> None:
    assert f"in a {shown} container" in page(written)
