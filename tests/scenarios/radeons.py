"""Staged machines with ROCm: a Radeon beside integrated graphics, and one whose architecture is overridden."""

from __future__ import annotations

from tests.doubles import described
from tests.scenarios.ordinary import one_radeon
from tests.scenarios.parts import (
    LAVAPIPE,
    NAVI_31,
    RADEON,
    RADEON_WITNESSED,
    ROCM_6,
    VULKAN_LOADER,
    GiB,
    computer,
    drm_nodes,
    kfd_nodes,
    lines,
    radeon_files,
    radv,
)
from tests.scenarios.staging import Node, Staged


def beside_integrated() -> Staged:
    """A Radeon and the graphics inside the processor, which HIP lists and rocBLAS has no kernels for."""
    inside = "0000:0e:00.0"
    graphics = {**RADEON, "device": "0x164e\n", "drm": "card1 renderD129"}
    shared = {"mem_info_vram_total": f"{GiB // 2}\n", "mem_info_vram_used": f"{GiB // 8}\n"}
    shared |= {"mem_info_gtt_total": f"{31 * GiB}\n", "mem_info_gtt_used": f"{GiB // 4}\n"}
    raphael = {"gfx_target_version": 100306, "location_id": 0x0E00, "drm_render_minor": 129, "device_id": 0x164E}
    radeon = described(
        name="AMD Radeon RX 7900 XTX",
        uuid="8b5ac29c9e8f1a2b",
        gfx="gfx1100",
        pci="0000:03:00.0",
        memory=24 * GiB,
        free=23 * GiB,
    )
    second = described(name="AMD Radeon Graphics", gfx="gfx1036", pci=inside, memory=31 * GiB, free=30 * GiB, integrated=1)
    drawn = described(
        type="integrated",
        name="AMD Radeon Graphics (RADV RAPHAEL_MENDOCINO)",
        vendor="0x1002",
        device="0x164e",
        pci=inside,
        uuid="00000000-0e00-0000-0000-000000000000",
        memory=31 * GiB,
        free=30 * GiB,
        driver_id=3,
        driver_name="radv",
        driver_info="Mesa 25.0.7",
        api="1.4.305",
    )
    return one_radeon(
        files={**computer(), "/sys/module/amdgpu/initstate": "live\n", **kfd_nodes(NAVI_31, {**raphael, "memory": GiB // 2})},
        pci={"0000:03:00.0": {**RADEON, **radeon_files()}, inside: {**graphics, **shared}},
        nodes={"/dev/kfd": Node(0o660, 992, 511, 0), **drm_nodes(2)},
        installed={**ROCM_6, **VULKAN_LOADER},
        manifests={**LAVAPIPE, **radv(drawn)},
        hip=lines(radeon, second),
        rocblas="targets gfx900 gfx1030 gfx1100 gfx1101",
        amdgpu=lines(
            RADEON_WITNESSED,
            described(name="AMD Radeon Graphics", pci=inside, vram=GiB // 2, used=GiB // 8, gtt=31 * GiB, shared=GiB // 4),
        ),
    )


def overridden() -> Staged:
    """The owner of a Radeon for which ROCm has no kernels tells it to take the card for its bigger sister."""
    navi_22 = {**NAVI_31, "gfx_target_version": 100301, "device_id": 0x73DF, "memory": 12 * GiB}
    navi_22["unique_id"] = 0x51E2A7F00D15EA5E
    name = "AMD Radeon RX 6700 XT"
    card = described(name=name, uuid="51e2a7f00d15ea5e", gfx="gfx1031", pci="0000:03:00.0", memory=12 * GiB, free=11 * GiB)
    files = radeon_files(12 * GiB, unique="51e2a7f00d15ea5e")
    return one_radeon(
        files={**computer(), "/sys/module/amdgpu/initstate": "live\n", **kfd_nodes(navi_22)},
        pci={"0000:03:00.0": {**RADEON, "device": "0x73df\n", **files}},
        installed=ROCM_6,
        manifests={},
        hip=card,
        rocblas="targets gfx900 gfx1030 gfx1100 gfx1101",
        amdgpu=described(name=name, pci="0000:03:00.0", vram=12 * GiB, used=GiB, gtt=31 * GiB, shared=GiB // 16),
        environ={"HSA_OVERRIDE_GFX_VERSION": "10.3.0"},
    )
