"""A server's own variables and options, which a shell beside it does not see."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.findings import Finding, Severity
from gpuprobe.doctor.machine_findings import findings_of_the_machine
from gpuprobe.facts.system_facts import Standing, SystemFacts
from gpuprobe.judging.rules import judge
from gpuprobe.model import Request
from tests.records import a_card, a_device, a_host, evidence_of

WORKS = a_device("CUDA", pci_id="0000:01:00.0")
SERVER = Standing("process", "812", process=812, command="ollama", uid=0, unit="ollama.service")


def found_beside(server: Standing, **shell: str) -> tuple[Finding, ...]:
    """What is found beside a card that works and one server; `shell`: this shell's variables."""
    host = a_host(pci=(a_card(),), system=SystemFacts(servers=(server,)), environ=shell)
    return findings_of_the_machine(judge(evidence_of(WORKS, host=host), Request()))


@pytest.mark.parametrize("value", ["", "-1"])
def test_a_variable_that_hides_every_card_from_the_service_alone_is_a_blocker(value: str) -> None:
    (finding,) = found_beside(SERVER._replace(environ={"CUDA_VISIBLE_DEVICES": value}))

    assert (finding.id, finding.severity) == ("env-cuda-visible-hides-all", Severity.BLOCKER)
    assert f"ollama (process 812, ollama.service) runs with `CUDA_VISIBLE_DEVICES={value}`" in finding.because
    edit, restart = "sudo systemctl edit ollama.service", "sudo systemctl restart ollama.service"
    assert [step.command for step in finding.fix] == [edit, restart]


@pytest.mark.parametrize("environ", [{}, {"CUDA_VISIBLE_DEVICES": "0"}, {"GGML_VK_VISIBLE_DEVICES": "-1"}, None])
def test_a_variable_that_leaves_the_card_or_hides_another_library_is_no_finding(environ: dict[str, str] | None) -> None:
    assert found_beside(SERVER._replace(environ=environ)) == ()


@pytest.mark.parametrize("words", [("-ngl", "0"), ("--n-gpu-layers=0",), ("--device", "none")])
def test_a_server_that_was_told_to_use_no_gpu_is_said_to_be(words: tuple[str, ...]) -> None:
    server = SERVER._replace(command="llama-server", unit=None, arguments=words)
    (finding,) = found_beside(server)

    assert finding.id == "llamacpp-ngl-zero"
    assert found_beside(server._replace(arguments=("-ngl", "99"))) == ()


def test_a_variable_of_ollama_that_only_this_shell_has_does_nothing() -> None:
    (finding,) = found_beside(SERVER._replace(environ={}), OLLAMA_VULKAN="1")

    assert (finding.id, finding.severity) == ("ollama-env-not-in-service", Severity.DEGRADED)
    assert found_beside(SERVER._replace(environ={"OLLAMA_VULKAN": "1"}), OLLAMA_VULKAN="1") == ()
