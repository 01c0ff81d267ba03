"""Where libraries and driver manifests are looked for, and how the linker's cache is read."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.survey import search
from gpuprobe.survey.search import Place, find_library, linux_places, manifest_places, parse_linker_cache
from tests.file_trees import ELF_I386, ELF_X86_64, LIBC6_AARCH64, LIBC6_I386, LIBC6_X86_64, MAGIC, linker_cache

CUDA_X86 = (LIBC6_X86_64, "libcuda.so.1", "/usr/lib/x86_64-linux-gnu/libcuda.so.1")
CUDA_I386 = (LIBC6_I386, "libcuda.so.1", "/usr/lib/i386-linux-gnu/libcuda.so.1")


@pytest.mark.skipif(shutil.which("ldconfig", path="/sbin:/usr/sbin") is None, reason="needs glibc's ldconfig")
def test_this_machines_cache_is_read_as_ldconfig_reads_it() -> None:
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    kind = {"x86_64": "x86-64", "aarch64": "AArch64"}[platform.machine()]
    rows = re.findall(rf"^\t(\S+) \(libc6,{kind}\) => (\S+)$", listing, re.MULTILINE)
    expected: dict[str, str] = {}
    for name, path in rows:
        expected.setdefault(name, path)
    content = Path("/etc/ld.so.cache").read_bytes()

    found = parse_linker_cache(content, platform.machine())

    assert len(expected) > 10
    assert found == expected


def test_looking_for_some_names_only_finds_the_same_paths() -> None:
    content = linker_cache([CUDA_X86, (LIBC6_X86_64, "libz.so.1", "/lib/libz.so.1")], old_format_before=True)

    assert parse_linker_cache(content, names=["libcuda.so.1", "libvulkan.so.1"]) == {"libcuda.so.1": CUDA_X86[2]}


def test_a_name_that_is_stored_only_as_the_end_of_its_path_is_found() -> None:
    """Some versions of glibc let the name point into the path."""
    content = bytearray(linker_cache([CUDA_X86]))
    path_at = content.index(CUDA_X86[2].encode())
    name_at = path_at + CUDA_X86[2].index("libcuda")
    content[52:56] = name_at.to_bytes(4, "little")

    assert parse_linker_cache(bytes(content), names=["libcuda.so.1"]) == {"libcuda.so.1": CUDA_X86[2]}


def test_a_32_bit_library_is_not_taken_for_a_64_bit_one() -> None:
    assert parse_linker_cache(linker_cache([CUDA_I386]), "x86_64") == {}
    assert parse_linker_cache(linker_cache([CUDA_I386, CUDA_X86]), "x86_64") == {"libcuda.so.1": CUDA_X86[2]}


def test_each_machine_has_entries_of_its_own() -> None:
    content = linker_cache([CUDA_X86, (LIBC6_AARCH64, "libcuda.so.1", "/usr/lib/aarch64-linux-gnu/libcuda.so.1")])

    assert parse_linker_cache(content, "aarch64") == {"libcuda.so.1": "/usr/lib/aarch64-linux-gnu/libcuda.so.1"}


def test_the_new_format_is_found_behind_the_old_one() -> None:
    assert parse_linker_cache(linker_cache([CUDA_X86], old_format_before=True)) == {"libcuda.so.1": CUDA_X86[2]}


def test_of_two_entries_for_one_name_the_first_counts() -> None:
    content = linker_cache([CUDA_X86, (LIBC6_X86_64, "libcuda.so.1", "/opt/other/libcuda.so.1")])

    assert parse_linker_cache(content)["libcuda.so.1"] == CUDA_X86[2]


def test_an_entry_for_a_special_processor_gives_way_to_the_plain_one() -> None:
    special = "/usr/lib/glibc-hwcaps/x86-64-v4/libcuda.so.1"
    content = linker_cache([(LIBC6_X86_64, "libcuda.so.1", special), CUDA_X86], hwcap={special: 1 << 62})

    assert parse_linker_cache(content)["libcuda.so.1"] == CUDA_X86[2]


def test_a_cache_that_was_cut_short_gives_what_is_whole() -> None:
    whole = linker_cache([CUDA_X86, (LIBC6_X86_64, "libz.so.1", "/lib/libz.so.1")])

    assert parse_linker_cache(whole[:-1]) == {"libcuda.so.1": CUDA_X86[2]}


@pytest.mark.parametrize("content", [b"", b"ld.so-1.7.0\0", MAGIC, MAGIC + bytes(27), MAGIC + b"\xff" * 200])
def test_what_is_no_cache_holds_no_libraries(content: bytes) -> None:
    assert parse_linker_cache(content) == {}


@given(st.binary(max_size=400), st.integers(0, 2**32 - 1))
def test_no_bytes_make_the_parser_fail(tail: bytes, count: int) -> None:
    content = MAGIC + count.to_bytes(4, "little") + tail

    found = parse_linker_cache(content)

    assert all(name and path for name, path in found.items())


@given(st.data())
def test_a_damaged_byte_never_makes_the_parser_fail(data: st.DataObject) -> None:
    content = bytearray(linker_cache([CUDA_X86, CUDA_I386, (LIBC6_X86_64, "libz.so.1", "/lib/libz.so.1")]))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))

    assert len(parse_linker_cache(bytes(content))) <= 3


def searched(environ: dict[str, str], machine: str = "x86_64", **more: Any) -> list[tuple[str, str | None]]:
    return [(place.where, place.directory) for place in linux_places(machine, environ, {}, **more)]


def test_the_users_directories_come_before_the_cache_and_the_cache_before_the_defaults() -> None:
    places = searched({"LD_LIBRARY_PATH": "/mine"})

    assert places[:3] == [
        (search.BY_VARIABLE, "/mine"),
        (search.BY_CACHE, None),
        (search.BY_DEFAULT, "/lib/x86_64-linux-gnu"),
    ]


@pytest.mark.parametrize("value", [":/mine", "/mine:", "/mine::/mine", "/mine;", ";:/mine"])
def test_an_empty_element_does_not_mean_the_working_directory(value: str) -> None:
    """It does for the loader, and anybody may have put a library there."""
    named = [place for place in searched({"LD_LIBRARY_PATH": value}) if place[0] == search.BY_VARIABLE]

    assert named == [(search.BY_VARIABLE, "/mine")]


def test_wsls_directory_is_the_first_of_the_known_places() -> None:
    known = [directory for where, directory in searched({}) if where == search.BY_US]

    assert known[0] == "/usr/lib/wsl/lib"


def test_jetsons_directories_are_searched_on_arm_only() -> None:
    tegra = (search.BY_US, "/usr/lib/aarch64-linux-gnu/tegra")

    assert tegra in searched({}, "aarch64")
    assert tegra not in searched({}, "x86_64")


@pytest.mark.parametrize(
    "directory",
    [
        "/run/opengl-driver/lib",
        "/run/current-system/sw/lib",
        "/nix/var/nix/profiles/default/lib",
        "/run/current-system/profile/lib",
        "/.singularity.d/libs",
        "/var/lib/snapd/lib/gl",
        "/usr/local/nvidia/lib64",
    ],
)
def test_stores_and_container_mounts_are_known_places(directory: str) -> None:
    assert (search.BY_US, directory) in searched({})


@pytest.mark.parametrize(
    ("program", "answer"),
    [
        ("/nix/store/0abc-python3-3.12.8/bin/python3.12", True),
        ("/gnu/store/0abc-python-3.11/bin/python3", True),
        ("/usr/bin/python3.11", False),
        ("/home/me/nix/store/python", False),
    ],
)
def test_a_program_of_nix_or_guix_has_a_loader_of_its_own(program: str, answer: bool) -> None:
    assert search.is_from_store(program) is answer


def test_for_a_program_from_a_store_what_a_distribution_installed_is_a_known_place() -> None:
    """Then it is loaded by its whole path, because that loader does not find it by name."""
    cache = {"libcuda.so.1": "/usr/lib/x86_64-linux-gnu/libcuda.so.1"}
    places = linux_places("x86_64", {"LD_LIBRARY_PATH": "/mine"}, cache, from_store=True)

    (hit,) = find_library(["libcuda.so.1"], places, lambda path: path in cache.values())

    assert (hit.path, hit.where) == (cache["libcuda.so.1"], search.BY_US)
    assert {place.where for place in places} == {search.BY_VARIABLE, search.BY_US}


def test_the_environment_that_python_runs_in_comes_last() -> None:
    assert searched({}, own=["/opt/conda/lib"])[-1] == (search.BY_US, "/opt/conda/lib")


def test_the_newest_rocm_is_searched_first() -> None:
    known = [directory for _, directory in searched({}, rocm=["/opt/rocm-6.4.1", "/opt/rocm-6.10.0", "/opt/rocm-7.0.0"])]

    assert [directory for directory in known if directory and "rocm-" in directory] == [
        "/opt/rocm-7.0.0/lib",
        "/opt/rocm-6.10.0/lib",
        "/opt/rocm-6.4.1/lib",
    ]


def test_musl_searches_its_own_directories_only() -> None:
    default = [directory for where, directory in searched({}, musl=["/lib", "/usr/local/lib"]) if where == search.BY_DEFAULT]

    assert default == ["/lib", "/usr/local/lib"]


def test_a_library_is_taken_where_the_loader_would_take_it() -> None:
    places = (Place("first", "/a"), Place("cache", cache={"libx.so": "/b/libx.so"}), Place("last", "/c"))

    (hit,) = find_library(["libx.so"], places, {"/b/libx.so", "/c/libx.so"}.__contains__)

    assert hit == ("libx.so", "/b/libx.so", "cache")


def test_an_entry_of_the_cache_whose_file_is_gone_is_passed_over() -> None:
    places = (Place("cache", cache={"libx.so": "/b/libx.so"}), Place("last", "/c"))

    (hit,) = find_library(["libx.so"], places, {"/c/libx.so"}.__contains__)

    assert hit.where == "last"


def test_names_are_answered_in_the_order_of_preference() -> None:
    places = (Place("first", "/a"), Place("last", "/c"))

    hits = find_library(["lib.so.7", "lib.so.6", "lib.so.5"], places, {"/a/lib.so.5", "/c/lib.so.7"}.__contains__)

    assert [hit.path for hit in hits] == ["/c/lib.so.7", "/a/lib.so.5"]


def test_a_system_framework_is_never_looked_for_as_a_file() -> None:
    name = "/System/Library/Frameworks/Metal.framework/Metal"

    (hit,) = find_library([name], search.macos_places({}), {name: False}.__getitem__)

    assert hit == (name, name, search.BY_SYSTEM)


def test_windows_libraries_are_looked_for_where_drivers_put_them() -> None:
    environ = {"SYSTEMROOT": "D:\\Win", "PROGRAMFILES": "D:\\Programs", "HIP_PATH": "D:\\ROCm\\6.2\\"}

    assert [place.directory for place in search.windows_places(environ)] == [
        "D:/Win/System32",
        "D:/Programs/NVIDIA Corporation/NVSMI",
        "D:/ROCm/6.2/bin",
    ]


@pytest.mark.parametrize(
    ("header", "machine", "taken"),
    [
        (ELF_X86_64, "x86_64", True),
        (ELF_I386, "x86_64", False),
        (ELF_X86_64, "aarch64", False),
        (b"not a library at all, and yet the loader stops here", "x86_64", True),
        (b"", "x86_64", True),
        (ELF_I386, "mips", True),
    ],
)
def test_the_loader_passes_over_libraries_of_another_machine(header: bytes, machine: str, taken: bool) -> None:
    assert search.fits(header, machine) is taken


def test_vulkan_drivers_are_looked_for_in_the_loaders_order() -> None:
    """As Debian 12's loader (1.3.239) lists them with VK_LOADER_DEBUG=all."""
    assert manifest_places({"HOME": "/home/me"}, "linux") == (
        "/home/me/.config/vulkan/icd.d",
        "/etc/xdg/vulkan/icd.d",
        "/etc/vulkan/icd.d",
        "/home/me/.local/share/vulkan/icd.d",
        "/usr/local/share/vulkan/icd.d",
        "/usr/share/vulkan/icd.d",
    )


def test_xdg_variables_replace_their_defaults_and_an_empty_one_does_not() -> None:
    environ = {"XDG_CONFIG_HOME": "/c", "XDG_CONFIG_DIRS": "::/q", "XDG_DATA_HOME": "/d", "XDG_DATA_DIRS": ""}

    assert manifest_places(environ, "linux") == (
        "/c/vulkan/icd.d",
        "/q/vulkan/icd.d",
        "/etc/vulkan/icd.d",
        "/d/vulkan/icd.d",
        "/usr/local/share/vulkan/icd.d",
        "/usr/share/vulkan/icd.d",
    )


def test_without_a_home_nothing_below_it_is_searched() -> None:
    assert manifest_places({}, "linux")[0] == "/etc/xdg/vulkan/icd.d"


def test_named_drivers_replace_the_search() -> None:
    environ = {"VK_DRIVER_FILES": "/a.json:/b", "VK_ICD_FILENAMES": "/old.json", "VK_ADD_DRIVER_FILES": "/more.json"}

    assert manifest_places(environ, "linux") == ("/a.json", "/b")


def test_the_older_name_counts_where_the_newer_one_is_not_set() -> None:
    assert manifest_places({"VK_ICD_FILENAMES": "/old.json"}, "linux") == ("/old.json",)


@pytest.mark.parametrize(
    "environ",
    [{"VK_DRIVER_FILES": ""}, {"VK_DRIVER_FILES": ":"}, {"VK_DRIVER_FILES": "", "VK_ICD_FILENAMES": "/a.json"}],
)
def test_a_variable_set_to_nothing_leaves_no_driver(environ: dict[str, str]) -> None:
    """So does Debian 12's loader: no device at all."""
    assert manifest_places(environ, "linux") == ()


def test_added_drivers_come_before_the_found_ones_and_each_place_once() -> None:
    places = manifest_places({"VK_ADD_DRIVER_FILES": "/more.json:/usr/share/vulkan/icd.d"}, "linux")

    assert places[:2] == ("/more.json", "/usr/share/vulkan/icd.d")
    assert places.count("/usr/share/vulkan/icd.d") == 1


def test_windows_separates_drivers_by_semicolons() -> None:
    assert manifest_places({"VK_DRIVER_FILES": "C:\\a.json;D:\\b.json"}, "win32") == ("C:\\a.json", "D:\\b.json")


def test_homebrews_directories_are_searched_on_macos() -> None:
    assert "/opt/homebrew/share/vulkan/icd.d" in manifest_places({}, "darwin")


@pytest.mark.skipif(shutil.which("vulkaninfo") is None, reason="needs vulkan-tools")
@pytest.mark.parametrize(
    "environ",
    [
        {"HOME": "/home/me"},
        {"HOME": ""},
        {
            "HOME": "/h",
            "XDG_CONFIG_HOME": "/c",
            "XDG_CONFIG_DIRS": "/e:/f",
            "XDG_DATA_HOME": "/d",
            "XDG_DATA_DIRS": ":/g",
        },
        {"VK_ADD_DRIVER_FILES": "/more:/etc/vulkan/icd.d"},
        {"VK_DRIVER_FILES": "/only", "VK_ADD_DRIVER_FILES": "/more"},
    ],
)
def test_the_real_vulkan_loader_searches_the_same_places(environ: dict[str, str]) -> None:
    loader = {**environ, "PATH": "/usr/bin:/bin", "VK_LOADER_DEBUG": "all"}
    said = subprocess.run(["vulkaninfo", "--summary"], env=loader, capture_output=True, text=True, timeout=60, check=False)
    block = re.search(r"driver manifest files\n.*In following locations:\n((?:DRIVER: +/.*\n)+)", said.stdout + said.stderr)
    assert block is not None

    assert re.findall(r"/\S+", block[1]) == list(manifest_places(environ, "linux"))
