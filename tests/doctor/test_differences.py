"""What differs between this shell and whom `--as` names."""

from __future__ import annotations

from gpuprobe.doctor.differences import differences, is_closed
from gpuprobe.doctor.findings import Severity
from gpuprobe.facts import DeviceNode
from gpuprobe.facts.system_facts import Standing
from tests.records import a_host

RENDER = DeviceNode("/dev/dri/renderD128", 0o660, 0, 992, 226, 128, accessible=True, group="render")
HOST = a_host(nodes=(RENDER,))
SERVICE = Standing("unit", "ollama.service", process=812, account="ollama", uid=991, groups=(991,), unit="ollama.service")


def test_a_container_without_the_files_of_this_shell_was_started_without_the_gpu() -> None:
    inside = SERVICE._replace(kind="process", name="812", root="/var/lib/x", uid=0, unit=None)

    (finding,) = differences(inside, {}, HOST, nodes=())

    assert (finding.id, finding.severity) == ("ctr-no-gpu-flag", Severity.BLOCKER)
    assert finding.because == "812 sees other files than this shell, and `/dev/dri/renderD128` is not there"
    assert differences(inside, {}, HOST, nodes=(RENDER,)) == ()


def test_a_unit_that_hides_devices_is_told_how_to_show_them() -> None:
    (finding,) = differences(SERVICE._replace(groups=(992,)), {}, HOST, nodes=())

    assert finding.id == "systemd-device-sandbox"
    assert finding.fix[0].command == "sudo systemctl edit ollama.service"


def test_an_account_in_no_group_may_not_open_what_this_shell_may() -> None:
    (finding,) = differences(SERVICE, {}, HOST)

    assert finding.id == "service-user-not-in-groups"
    assert finding.fix[0].command == "sudo usermod -aG render ollama && sudo systemctl restart ollama.service"
    assert differences(SERVICE._replace(groups=(991, 992)), {}, HOST) == ()


def test_a_group_without_a_name_is_told_by_its_number() -> None:
    named, nameless = (differences(SERVICE, {}, a_host(nodes=(RENDER._replace(group=group),)))[0] for group in ("render", None))

    assert [each.evidence[0].what for each in (named, nameless)] == ["mode 660, group render", "mode 660, group 992"]


def test_a_variable_that_is_set_here_and_not_there_is_said_with_both_values() -> None:
    (finding,) = differences(SERVICE._replace(groups=(992,), environ={}), {"CUDA_VISIBLE_DEVICES": "0"}, HOST)

    assert finding.severity is Severity.INFO
    assert "`CUDA_VISIBLE_DEVICES` is not set there and `0` here" in finding.because


def test_a_process_is_closed_where_neither_its_variables_nor_its_root_may_be_read() -> None:
    assert is_closed(SERVICE._replace(problems={"root": "denied", "environ": "denied"}))
    assert not is_closed(SERVICE._replace(problems={"root": "denied"}))
    assert not is_closed(SERVICE._replace(problems={"root": "absent", "environ": "denied"}))
