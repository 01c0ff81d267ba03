"""The road of builds, as installed: an install laid out as Ollama's, real builds and doubles of them, the command above."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests import ggml_world
from tests.backends.vulkan_talk import RADEON, RTX
from tests.cli.documents import checked
from tests.cli.terminal import piped
from tests.doubles import cuda_driver, described, nvml_driver, rocm_install, script
from tests.vulkan_world import World, world
from tests.ze_world import ZeWorld

GiB = 1 << 30
A, B = "GPU-00000000-0000-0000-0000-00000000000a", "GPU-00000000-0000-0000-0000-00000000000b"
FIRST, SECOND = "0000:01:00.0", "0000:02:00.0"
H100 = described(name="NVIDIA H100 80GB HBM3", uuid=A, pci=FIRST, memory=80 * GiB, free=70 * GiB, cc="9.0")
GTX_1080 = described(name="NVIDIA GeForce GTX 1080", uuid=B, pci=SECOND, memory=8 * GiB, free=7 * GiB, cc="6.1")
L4 = described(name="NVIDIA L4", uuid=B, pci=SECOND, memory=22 * GiB, free=20 * GiB, cc="8.9")
OF_12, OF_13 = "archs 500,610,700,750,800,860,890,900", "archs 750,800,860,890,900,1200"


def nvidia(*lines: str) -> dict[str, str]:
    libraries = f"{cuda_driver().parent}:{nvml_driver().parent}"
    return {"LD_LIBRARY_PATH": libraries, "FAKE_CUDA": script(*lines), "OLLAMA_VULKAN": "0"}


def answered(*arguments: str, **variables: str) -> dict[str, Any]:
    ran = piped(*arguments, "--json", **variables)
    assert ran.code in (0, 3, 4, 5, 6), ran.err
    return checked(arguments[0], ran.out)


def kept(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(device["library"], device["build"], device["id"]) for device in document["devices"]]


def asked(document: dict[str, Any]) -> dict[str, str]:
    """What became of the listing of each build."""
    probes = (probe for probe in document["probes"] if probe["purpose"] == "list" and probe["build"] != "system")
    return {probe["build"]: probe["status"] for probe in probes}


def vulkan_install(directory: Path) -> Path:
    """`lib/ollama` with the real Vulkan build in it, beside the program that it belongs to."""
    build = ggml_world.vulkan()
    top = directory / "lib" / "ollama"
    (top / "vulkan").mkdir(parents=True)
    shutil.copy(build.before[0], top)
    shutil.copy(build.path, top / "vulkan")
    (directory / "bin").mkdir()
    (directory / "bin" / "ollama").touch(mode=0o755)
    return top


def installed(directory: Path) -> dict[str, str]:
    return {"PATH": f"{directory / 'bin'}:{os.environ['PATH']}"}


def cuda_install(directory: Path, **archs: str) -> Path:
    """`lib/ollama` with a double of each CUDA build, which lists what the double of CUDA lists."""
    top = directory / "lib" / "ollama"
    for name, line in archs.items():
        build = ggml_world.double(top / name, line, "over libcuda.so.1")
        shutil.move(build.before[0], top / build.before[0].name)
    return top


@pytest.fixture
def two_cards(tmp_path: Path) -> World:
    """The layer makes of two lavapipes a discrete card and an integrated one."""
    return world(tmp_path).lavapipe().second_lavapipe().identity(RTX, RADEON)


def test_the_real_vulkan_build_of_an_install_validates_both_cards(tmp_path: Path, two_cards: World) -> None:
    vulkan_install(tmp_path)

    document = answered("list", **installed(tmp_path), **two_cards.environment())

    assert [(device["name"], device["build"], device["type"]) for device in document["devices"]] == [
        ("NVIDIA GeForce RTX 4090", "vulkan", "discrete"),
        ("AMD Radeon 780M (RADV PHOENIX)", "vulkan", "integrated"),
    ]
    assert {device["validation"]["verdict"] for device in document["devices"]} == {"supported"}
    assert {drop["reason"] for drop in document["dropped"]} == {"other_build"}


def test_twice_the_same_answer_and_a_capture_of_it_gives_it_again(tmp_path: Path, two_cards: World) -> None:
    vulkan_install(tmp_path)
    variables = {**installed(tmp_path), **two_cards.environment()}
    file = str(tmp_path / "machine.json")

    live = [kept(answered("list", **variables)) for _ in range(2)]
    piped("capture", file, **variables)

    assert live[0] == live[1] == kept(answered("list", "--from", file))
    assert len(live[0]) == 2


def test_the_variables_for_a_card_of_a_build_count_through_the_raw_list(tmp_path: Path, two_cards: World) -> None:
    """Behind a software renderer the build calls its first card 0, and its variable calls it by its place."""
    vulkan_install(tmp_path)
    variables = {**installed(tmp_path), **two_cards.environment()}

    document = answered("list", **variables)
    raw = [device["numbers"]["vulkan_raw"] for device in document["devices"]]
    lines = piped("env", "Vulkan:1", **variables).out.splitlines()

    assert [device["filter_id"] for device in document["devices"]] == [str(number) for number in raw]
    assert f"export GGML_VK_VISIBLE_DEVICES='{raw[1]}'" in lines


def test_the_table_names_the_build_and_all_shows_its_path(tmp_path: Path, two_cards: World) -> None:
    top = vulkan_install(tmp_path)
    variables = {**installed(tmp_path), **two_cards.environment(), "COLUMNS": "160"}

    table = piped("list", **variables).out
    everything = piped("list", "--all", **variables).out

    assert "BUILD" in table.splitlines()[1]
    assert f"{top}/vulkan/libggml-vulkan.so" in everything.replace("\n  ", " ")


def test_a_renderer_alone_costs_no_child_of_a_build(tmp_path: Path) -> None:
    vulkan_install(tmp_path)

    document = answered("list", **installed(tmp_path), **world(tmp_path).lavapipe().environment())

    assert asked(document) == {"vulkan": "skipped"}


def test_two_cuda_builds_resolve_to_the_newest_that_covers_all_cards(tmp_path: Path) -> None:
    top = cuda_install(tmp_path, cuda_v12=OF_12, cuda_v13=OF_13)

    document = answered("list", "--lib-dir", str(top), **nvidia(H100, L4))

    assert kept(document) == [("CUDA", "cuda_v13", A), ("CUDA", "cuda_v13", B)]
    assert len(document["dropped"]) == 4


def test_a_card_that_only_the_older_build_supports_is_kept_and_so_is_the_other(tmp_path: Path) -> None:
    top = cuda_install(tmp_path, cuda_v12=OF_12, cuda_v13=OF_13)

    document = answered("list", "--lib-dir", str(top), **nvidia(H100, GTX_1080))

    assert kept(document) == [("CUDA", "cuda_v12", A), ("CUDA", "cuda_v12", B)]
    assert {drop["reason"] for drop in document["dropped"]} == {"no_code", "other_build"}
    assert any("CUDA:1 works in the build cuda_v12 and not in the newer cuda_v13" in line for line in document["warnings"])


def test_an_install_with_the_real_cuda_build_keeps_each_card_once(tmp_path: Path) -> None:
    top = ggml_world.ollama(tmp_path)

    document = answered("list", "--lib-dir", str(top), **nvidia(H100, L4))

    assert kept(document) == [("CUDA", "cuda_v13", A), ("CUDA", "cuda_v13", B)]
    assert asked(document)["cuda_v13"] == asked(document)["cuda_v12"] == "ok"


def test_a_device_kept_through_a_build_is_selected_by_its_uuid(tmp_path: Path) -> None:
    top = cuda_install(tmp_path, cuda_v13=OF_13)

    ran = piped("env", "CUDA:1", "--check", "--lib-dir", str(top), **nvidia(H100, L4))

    assert (ran.code, ran.out.splitlines()) == (0, [f"export CUDA_VISIBLE_DEVICES='{B}'"])


def test_with_the_users_own_list_the_build_lists_the_same_card_as_the_system(tmp_path: Path) -> None:
    top = cuda_install(tmp_path, cuda_v13=OF_13)

    document = answered("list", "--lib-dir", str(top), CUDA_VISIBLE_DEVICES="1", **nvidia(H100, L4))

    assert kept(document) == [("CUDA", "cuda_v13", B)]
    assert document["devices"][0]["filter_id"] == B


def test_validate_asks_the_build_that_is_named_and_no_other(tmp_path: Path) -> None:
    top = cuda_install(tmp_path, cuda_v12=OF_12, cuda_v13=OF_13)

    document = answered("validate", "--build", "cuda_v12", "--lib-dir", str(top), **nvidia(H100))

    assert {view["build"] for view in document["views"]} == {"cuda_v12"}


def test_a_named_build_that_does_not_start_has_failed(tmp_path: Path) -> None:
    top = cuda_install(tmp_path, cuda_v12=OF_12)
    (top / "cuda_v13").mkdir()
    (top / "cuda_v13" / "libggml-cuda.so").write_bytes(b"no library")

    ran = piped("validate", "--build", "cuda_v13", "--lib-dir", str(top), **nvidia(H100))

    assert ran.code == 4
    assert ran.out.startswith("the build `cuda_v13` lists nothing to validate:")


def test_a_named_build_that_no_card_here_is_for_has_not_failed_and_is_named(tmp_path: Path) -> None:
    top = cuda_install(tmp_path, cuda_v12=OF_12)

    ran = piped("validate", "--build", "cuda_v12", "--lib-dir", str(top), VK_DRIVER_FILES="/none")

    assert (ran.code, ran.out.splitlines()[0]) == (3, "nothing to validate: the build `cuda_v12` lists no device")


def test_an_unknown_build_is_wrong_usage_that_lists_what_there_is(tmp_path: Path) -> None:
    top = cuda_install(tmp_path, cuda_v12=OF_12)

    ran = piped("validate", "--build", "cuda_v99", "--lib-dir", str(top), **nvidia(H100))

    assert ran.code == 2
    assert "the builds are `system`, `cuda_v12`" in " ".join(ran.err.split())


@pytest.mark.parametrize("command", ["list", "validate", "flash-attn", "env", "refresh"])
def test_a_name_in_ollamas_variable_that_no_build_has_is_wrong_usage_that_lists_what_there_is(
    tmp_path: Path, command: str
) -> None:
    top = cuda_install(tmp_path, cuda_v12=OF_12, cuda_v13=OF_13)
    variables = {**nvidia(H100), "OLLAMA_LIBRARY_PATH": str(top), "OLLAMA_LLM_LIBRARY": "cuda"}

    ran = piped(command, **variables)

    assert ran.code == 2
    assert "`OLLAMA_LLM_LIBRARY=cuda`: no build has this name; the builds are `cuda_v12`, `cuda_v13`" in " ".join(
        ran.err.split()
    )


def test_ollamas_variable_chooses_one_build(tmp_path: Path) -> None:
    top = cuda_install(tmp_path, cuda_v12=OF_12, cuda_v13=OF_13)
    variables = {**nvidia(H100), "OLLAMA_LIBRARY_PATH": str(top), "OLLAMA_LLM_LIBRARY": "cuda_v12"}

    document = answered("list", **variables)

    assert kept(document) == [("CUDA", "cuda_v12", A)]
    assert asked(document) == {"cuda_v12": "ok", "cuda_v13": "skipped"}


def test_a_build_that_crashes_while_it_lists_leaves_the_card_to_the_system(tmp_path: Path) -> None:
    top = cuda_install(tmp_path, cuda_v13=OF_13)
    Path(f"{top}/cuda_v13/libggml-cuda.so.script").write_text("library CUDA\ncrash ggml_backend_init\n")

    document = answered("list", "--lib-dir", str(top), **nvidia(H100))

    assert kept(document) == [("CUDA", "system", A)]
    assert asked(document) == {"cuda_v13": "crashed"}
    assert any(line.startswith("CUDA (cuda_v13): ") for line in document["warnings"])


def test_a_directory_full_of_other_files_is_named_and_harmless(tmp_path: Path) -> None:
    (full := tmp_path / "full").mkdir()
    for number in range(300):
        (full / f"libggml-cuda.so.{number}.bak").write_bytes(b"\0" * 100)

    document = answered("list", "--lib-dir", str(full), **nvidia(H100))

    assert kept(document) == [("CUDA", "system", A)]
    assert f"`--lib-dir` names `{full}`, which holds no build of Ollama or llama.cpp" in document["warnings"]


@pytest.mark.parametrize("wrong", ["/nowhere/at/all", "/etc/passwd"])
def test_a_lib_dir_that_is_no_directory_is_wrong_usage(wrong: str) -> None:
    ran = piped("list", "--lib-dir", wrong)

    assert ran.code == 2
    assert f"`--lib-dir {wrong}`" in ran.err


def test_a_capture_is_not_asked_about_other_directories(tmp_path: Path) -> None:
    file = str(tmp_path / "machine.json")
    piped("capture", file, **nvidia(H100))

    ran = piped("list", "--from", file, "--lib-dir", "/tmp")

    assert ran.code == 2
    assert "a capture already holds the builds" in ran.err


def test_a_capture_hides_the_home_that_a_build_lies_in_and_gives_the_same_answer(tmp_path: Path) -> None:
    """The second build of one name is called by its path, so the path is also what its children were asked by."""
    first, second = (cuda_install(tmp_path / name, cuda_v13=OF_13) for name in ("shared", "alice"))
    variables = {**nvidia(H100), "HOME": str(tmp_path / "alice"), "OLLAMA_LIBRARY_PATH": f"{first}:{second}"}
    file = tmp_path / "machine.json"

    live = answered("list", **variables)
    piped("capture", str(file), **variables)

    assert f"{second}/cuda_v13" in asked(live)
    assert "alice" not in file.read_text()
    assert sorted(asked(answered("list", "--from", str(file))).values()) == ["ok", "ok"]


def saving(tmp_path: Path) -> dict[str, str]:
    return {**nvidia(H100), "XDG_CACHE_HOME": str(tmp_path)}


def test_what_lib_dir_found_is_not_saved(tmp_path: Path) -> None:
    top = cuda_install(tmp_path, cuda_v13=OF_13)

    piped("list", "--lib-dir", str(top), **saving(tmp_path))

    assert not (tmp_path / "gpuprobe").exists()


def test_a_saved_discovery_does_not_fit_after_a_build_has_changed(tmp_path: Path) -> None:
    top = cuda_install(tmp_path, cuda_v13=OF_13)
    variables = {**saving(tmp_path), "OLLAMA_LIBRARY_PATH": str(top)}
    piped("list", **variables)
    before = piped("refresh", "--json", **variables)
    os.utime(top / "cuda_v13" / "libggml-cuda.so", (1, 1))

    after = piped("refresh", "--json", **variables)

    assert json.loads(before.out)["discovery"]["anew"] is False
    assert "the build `cuda_v13` changed" in json.loads(after.out)["discovery"]["because"]


def test_refresh_tells_the_memory_of_a_card_that_is_kept_through_a_build(tmp_path: Path, two_cards: World) -> None:
    vulkan_install(tmp_path)
    variables = {**installed(tmp_path), **two_cards.environment(), "XDG_CACHE_HOME": str(tmp_path)}
    piped("list", **variables)

    document = answered("refresh", **variables)

    assert document["discovery"]["anew"] is False
    assert [(device["build"], device["free_memory_bytes"], device["stale"]) for device in document["devices"]] == [
        ("vulkan", 20 * GiB, False),
        ("vulkan", 7 * GiB, False),
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_as_root_a_build_that_another_user_owns_is_refused_unless_it_is_named(tmp_path: Path) -> None:
    top = cuda_install(tmp_path, cuda_v13=OF_13)
    os.chown(top / "cuda_v13", 65534, 65534)

    found = answered("list", **nvidia(H100), OLLAMA_LIBRARY_PATH=str(top))
    named = answered("list", "--lib-dir", str(top), **nvidia(H100))

    assert asked(found) == {"cuda_v13": "refused"}
    assert kept(found) == [("CUDA", "system", A)]
    assert any("belongs to user 65534" in line for line in found["warnings"])
    assert kept(named) == [("CUDA", "cuda_v13", A)]


RADEON_AT, ARC_AT, GRAPHICS_AT = "0000:03:00.0", "0000:07:00.0", "0000:c5:00.0"
AMD_UUID, INTEL_UUID = "8b5ac29c9e8f1a2b", "86800056-a000-0000-0007-000000000000"
BY_VULKAN = (
    described(type="discrete", name="NVIDIA H100 80GB HBM3", vendor="0x10de", uuid=A, pci=FIRST, memory=80 * GiB, driver_id=4),
    described(type="discrete", name="AMD Radeon RX 7900 XTX (RADV NAVI31)", vendor="0x1002", pci=RADEON_AT, memory=24 * GiB),
    described(type="discrete", name="Intel(R) Arc(tm) A770 Graphics (DG2)", vendor="0x8086", pci=ARC_AT, memory=16 * GiB),
    RADEON,
)
NAMES = ("NVIDIA H100 80GB HBM3", "AMD Radeon RX 7900 XTX", "Intel(R) Arc(tm) A770 Graphics", "AMD Radeon 780M")
PLACES = (FIRST, RADEON_AT, ARC_AT, GRAPHICS_AT)


def mixed(directory: Path) -> dict[str, str]:
    """Cards of three vendors and integrated graphics: each vendor's library, Vulkan, and a build of ggml's for each."""
    radeon = described(name=NAMES[1], uuid=AMD_UUID, gfx="gfx1100", pci=RADEON_AT, memory=24 * GiB, free=20 * GiB)
    arc = described(name=NAMES[2], uuid=INTEL_UUID, pci=ARC_AT, memory=16 * GiB, free=15 * GiB)
    intel = ZeWorld(directory).driver(arc).installed("libze_intel_gpu.so.1")
    top = cuda_install(directory, cuda_v13=OF_13)
    ggml_world.double(top / "rocm_v7_2", described(name=NAMES[1], pci=RADEON_AT, memory=24 * GiB), library="ROCm")
    listed = (described(name=name, pci=pci, memory=8 * GiB) for name, pci in zip(NAMES, PLACES, strict=True))
    ggml_world.double(top / "vulkan", *listed, library="Vulkan")
    libraries = (str(path.parent) for path in (cuda_driver(), nvml_driver(), rocm_install()))
    return {
        **world(directory).icd(*BY_VULKAN).environment(),
        "LD_LIBRARY_PATH": ":".join((*libraries, intel["LD_LIBRARY_PATH"])),
        "FAKE_CUDA": H100,
        "FAKE_HIP": radeon,
        "FAKE_ROCBLAS": "",
        "OLLAMA_LIBRARY_PATH": str(top),
    }


def steady(said: Any) -> Any:
    """A document without what passes: times, and what the machine has free just now."""
    if isinstance(said, dict):
        passing = ("timestamp", "seconds", "measured_at", "system")
        return {key: steady(value) for key, value in said.items() if key not in passing}
    return [steady(value) for value in said] if isinstance(said, list) else said


def test_a_machine_with_everything_has_one_row_per_card_and_twice_the_same_bytes(tmp_path: Path) -> None:
    variables = mixed(tmp_path)

    documents = [answered("list", **variables) for _ in range(2)]

    first = documents[0]
    assert [(device["library"], device["build"], device["pci_id"]) for device in first["devices"]] == [
        ("CUDA", "cuda_v13", FIRST),
        ("ROCm", "rocm_v7_2", RADEON_AT),
        ("Level Zero", "system", ARC_AT),
        ("Vulkan", "vulkan", GRAPHICS_AT),
    ]
    assert [device["id"] for device in first["devices"]][:3] == [A, f"GPU-{AMD_UUID}", INTEL_UUID]
    assert json.dumps(steady(documents[0])) == json.dumps(steady(documents[1]))


def test_the_map_for_one_card_of_a_machine_with_everything_hides_all_others(tmp_path: Path) -> None:
    variables = mixed(tmp_path)

    lines = piped("env", "ROCm:0", **variables).out.splitlines()

    assert "export CUDA_VISIBLE_DEVICES='-1'" in lines
    assert f"export ROCR_VISIBLE_DEVICES='GPU-{AMD_UUID}'" in lines
    assert "export GGML_VK_VISIBLE_DEVICES='-1'" in lines
