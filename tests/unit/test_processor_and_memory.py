"""Processors, memory and the limits of containers, to the last byte."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.machine.processor import Cache, Memory, memory, processor
from tests.records import a_host, with_files


def a_processor(files: dict[str, str], **facts: Any) -> tuple[int | None, int | None]:
    found = processor(with_files(files, facts=facts))
    return found.cores, found.threads


CPUS = "/sys/devices/system/cpu"


@pytest.mark.parametrize(
    ("files", "facts", "expected"),
    [
        ({f"{CPUS}/online": "0-3,8"}, {}, (None, 5)),
        ({f"{CPUS}/online": "3-0"}, {"cpu_count": 7}, (None, 7)),
        ({f"{CPUS}/online": "0-x"}, {}, (None, None)),
        ({f"{CPUS}/online": "0-15", "/proc/cpuinfo": "cpu cores: 8\nsiblings: 16"}, {}, (8, 16)),
        ({f"{CPUS}/online": "0-31", "/proc/cpuinfo": "cpu cores: 8\nsiblings: 16"}, {}, (16, 32)),
        ({f"{CPUS}/online": "0-3", "/proc/cpuinfo": "cpu cores: 8\nsiblings: 16"}, {}, (4, 4)),
        ({f"{CPUS}/online": "0-9", "/proc/cpuinfo": "cpu cores: 8\nsiblings: 16"}, {}, (8, 10)),
        ({f"{CPUS}/online": "0-15", "/proc/cpuinfo": "cpu cores: 8"}, {}, (None, 16)),
        ({f"{CPUS}/online": "0-15", f"{CPUS}/cpu0/topology/thread_siblings_list": "0,8"}, {}, (8, 16)),
        ({f"{CPUS}/online": "0", f"{CPUS}/cpu0/topology/thread_siblings_list": "0-1"}, {}, (1, 1)),
        ({}, {"cpu_count": 4, "cpu_cores": 2}, (2, 4)),
        ({}, {"hw.physicalcpu": 2}, (2, None)),
        ({f"{CPUS}/cpu0/topology/thread_siblings_list": "0-1"}, {}, (None, None)),
    ],
)
def test_cores_and_threads_are_counted(files: dict[str, str], facts: dict[str, Any], expected: tuple[int, int]) -> None:
    assert a_processor(files, **facts) == expected


def test_a_cache_is_told_where_its_level_its_kind_and_its_size_are() -> None:
    place = f"{CPUS}/cpu0/cache"
    sizes = {"0": ("1", "Data", "48K"), "1": ("2", "Unified", "2M"), "2": ("3", "Unified", "1G"), "3": ("4", "Unified", "7")}
    partial = {"4": ("1", "", "1K"), "5": ("x", "Data", "1K"), "6": ("1", "Data", "K"), "7": ("1", "Data", "1T")}
    files = {
        f"{place}/index{index}/{name}": text
        for index, told in {**sizes, **partial}.items()
        for name, text in zip(("level", "type", "size"), told, strict=True)
    }

    assert processor(with_files(files)).caches == (
        Cache(1, "Data", 48 * 1024),
        Cache(2, "Unified", 2 << 20),
        Cache(3, "Unified", 1 << 30),
        Cache(4, "Unified", 7),
    )


def test_sets_of_instructions_are_named_as_linux_names_them() -> None:
    assert processor(with_files({"/proc/cpuinfo": "flags: AVX2 sse4_2 other"})).features == ("sse4_2", "avx2")
    assert processor(with_files({"/proc/cpuinfo": "Features: asimd sve"})).features == ("neon", "sve")
    said = {"machdep.cpu.features": "AVX1.0", "machdep.cpu.leaf7_features": "BMI2", "hw.optional.arm.FEAT_BF16": 1}
    assert processor(a_host(facts={**said, "hw.optional.arm.FEAT_I8MM": 0})).features == ("avx", "bmi2", "bf16")


# What `lscpu` calls them (util-linux, lscpu-arm.c), and the kernel those that are younger (arch/arm64/include/asm/cputype.h).
ARM = "0xd03 Cortex-A53, 0xd07 Cortex-A57, 0xd08 Cortex-A72, 0xd0b Cortex-A76, 0xd0c Neoverse-N1, 0xd40 Neoverse-V1"
ARM += ", 0xd42 Cortex-A78AE, 0xd49 Neoverse-N2, 0xd4f Neoverse-V2, 0xd83 Neoverse-V3AE, 0xd85 Cortex-X925, 0xd87 Cortex-A725"


def an_arm_processor(implementer: str, part: str) -> str | None:
    return processor(with_files({"/proc/cpuinfo": f"CPU implementer: {implementer}\nCPU part: {part}"})).model


@pytest.mark.parametrize(("part", "name"), [row.split() for row in ARM.split(", ")])
def test_a_processor_of_arm_has_the_name_that_lscpu_gives_it(part: str, name: str) -> None:
    """Arm spells the Cortexes with a hyphen, the Neoverses without."""
    assert an_arm_processor("0x41", part) == f"Arm {name.replace('Neoverse-', 'Neoverse ')}"
    assert an_arm_processor("0x42", part) is None


@pytest.mark.parametrize(
    ("implementer", "part", "model"),
    [("0x4e", "0x004", "NVIDIA Carmel"), ("0x41", "0x004", None), ("0x41", "0x1", None), ("", "", None)],
)
def test_an_arm_processor_is_named_by_two_numbers(implementer: str, part: str, model: str | None) -> None:
    assert an_arm_processor(implementer, part) == model


GROUP = "/sys/fs/cgroup/x"
TOTAL = {"/proc/meminfo": "MemTotal: 1000 kB\nMemAvailable: 800 kB\nSwapTotal: 5 kB\nSwapFree: 4 kB\nOther: 1"}
K = 1024
CACHED = f"inactive_file {30 * K}\nx\ny 1 2"


@pytest.mark.parametrize(
    ("group", "available", "limit"),
    [
        ({}, 800 * K, None),
        ({"memory.max": "max"}, 800 * K, None),
        ({"memory.max": f"{1000 * K}", "memory.current": "0"}, 800 * K, None),
        ({"memory.max": f"{500 * K}"}, None, 500 * K),
        ({"memory.max": f"{500 * K}", "memory.current": f"{100 * K}"}, 400 * K, 500 * K),
        ({"memory.max": f"{500 * K}", "memory.current": f"{100 * K}", "memory.stat": CACHED}, 430 * K, 500 * K),
        ({"memory.max": f"{500 * K}", "memory.current": f"{K}", "memory.stat": CACHED}, 500 * K, 500 * K),
        ({"memory.max": f"{500 * K}", "memory.current": f"{600 * K}"}, 0, 500 * K),
        ({"memory.limit_in_bytes": f"{2**60}", "memory.usage_in_bytes": "0"}, 800 * K, None),
        ({"memory.limit_in_bytes": f"{500 * K}", "memory.usage_in_bytes": f"{200 * K}"}, 300 * K, 500 * K),
    ],
)  # fmt: skip
def test_what_is_available_is_what_every_group_leaves(group: dict[str, str], available: int | None, limit: int | None) -> None:
    found = memory(with_files({**TOTAL, **{f"{GROUP}/{name}": text for name, text in group.items()}}))

    source = f"{GROUP}/{next(iter(group))}" if limit else None
    assert found == Memory(1000 * K, available, 5 * K, 4 * K, limit, source)


def test_a_limit_of_two_to_the_sixty_is_one_where_the_total_is_not_known() -> None:
    def limit(size: int) -> int | None:
        return memory(with_files({f"{GROUP}/memory.max": f"{size}", f"{GROUP}/memory.current": "0"})).limit

    assert (limit(2**60 - 1), limit(2**60)) == (2**60 - 1, None)


def test_memory_that_no_file_tells_is_unknown() -> None:
    assert memory(a_host()) == Memory(None, None, None, None)
    assert memory(with_files({"/proc/meminfo": "MemTotal: 10 kB\nMemFree: 1 kB\nCached: 3 kB"})).available == 4 * K
    assert memory(with_files({"/proc/meminfo": f"MemTotal: {'9' * 21} kB"})).total is None
    elsewhere = {"memory_total": 5, "memory_available": 4, "swap_total": 3, "swap_free": 2}
    assert memory(a_host(platform="darwin", facts=elsewhere)) == Memory(5, 4, 3, 2)
