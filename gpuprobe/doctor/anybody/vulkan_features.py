"""What a Vulkan driver lacks of what inference programs need: the card computes, and they leave it out."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.doctor import installing
from gpuprobe.doctor.findings import Finding, Observed, Rung, Severity
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.situation import Situation
from gpuprobe.libraries import VULKAN
from gpuprobe.model import Reason
from gpuprobe.vendors import vendor_of


def no_16_bit_storage(situation: Situation) -> Iterator[Finding]:
    """ggml asks each device for it and throws where one has it not (ggml-vulkan.cpp, ggml_vk_get_device)."""
    lacking = [each for each in situation.kept if each.capabilities.get("stores_16_bits") is False]
    if not lacking or any(each.library != VULKAN.name for each in situation.kept):
        return
    view = lacking[0]
    driver = " ".join(each for each in (view.driver_name, view.runtime_version) if each)
    newer = installing.vulkan_driver(situation.host, vendor_of(situation.card.vendor_id))
    yield cause(
        "vk-missing-feature",
        rung=Rung.BUILD,
        severity=Severity.DEGRADED,
        because="Ollama and llama.cpp cannot use it through Vulkan: its driver does not store numbers of 16 bits in buffers",
        brief="its driver lacks 16-bit storage",
        reason=Reason.NO_CODE,
        evidence=(Observed("storageBuffer16BitAccess", "false"), Observed("Vulkan driver", driver or "unknown")),
        fix=(newer._replace(text=newer.text.replace("install the", "try a newer release of the", 1)),),
        library=VULKAN,
    )


CHECKS = (no_16_bit_storage,)
