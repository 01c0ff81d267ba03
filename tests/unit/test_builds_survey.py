"""Which builds are found, how they are named, and what is said of those that cannot be loaded."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gpuprobe.facts import FoundBuild, NamedPlace
from gpuprobe.survey.builds import Survey, builds
from gpuprobe.survey.tree import Tree
from tests.file_trees import ELF_I386, ELF_X86_64, machine

OLLAMA = "/usr/local/lib/ollama"
BASES = (f"{OLLAMA}/libggml-base.so", f"{OLLAMA}/libggml.so")


def files(*paths: str) -> dict[str, bytes]:
    return dict.fromkeys(paths, ELF_X86_64)


def surveyed(root: str, *named: str, uid: int = 1000, platform: str = "linux", **environ: str) -> Survey:
    return builds(Tree(root), environ, platform, "x86_64", named=named, uid=uid)


def found(root: str, *named: str, **environ: Any) -> dict[str, FoundBuild]:
    return {build.name: build for build in surveyed(root, *named, **environ).builds}


def an_ollama(tmp_path: Path, *backends: str) -> str:
    return machine(tmp_path, files(*BASES, *(f"{OLLAMA}/{backend}" for backend in backends)))


def test_each_folder_of_ollamas_with_a_backend_is_a_build_of_its_name(tmp_path: Path) -> None:
    root = an_ollama(
        tmp_path,
        *("cuda_v12/libggml-cuda.so", "cuda_v13/libggml-cuda.so", "cuda_jetpack6/libggml-cuda.so"),
        *("rocm_v7_2/libggml-hip.so", "vulkan/libggml-vulkan.so", "mlx_cuda_v13/libmlx.so"),
    )

    libraries = {name: build.library for name, build in found(root).items()}

    assert libraries == {
        "cuda_jetpack6": "CUDA", "cuda_v12": "CUDA", "cuda_v13": "CUDA", "rocm_v7_2": "ROCm", "vulkan": "Vulkan",
    }  # fmt: skip


def test_the_base_libraries_are_loaded_first_and_both_folders_are_searched(tmp_path: Path) -> None:
    build = found(an_ollama(tmp_path, "cuda_v13/libggml-cuda.so"))["cuda_v13"]

    assert build.before == BASES
    assert build.directories == (OLLAMA, f"{OLLAMA}/cuda_v13")
    assert (build.path, build.where, build.product) == (f"{OLLAMA}/cuda_v13/libggml-cuda.so", "Ollama", "ollama")


@pytest.mark.parametrize(
    ("names", "first"),
    [
        (("libggml-base.so.0", "libggml-base.so.0.9.4"), "libggml-base.so.0.9.4"),
        (("libggml-base.so.0", "libggml-base.so"), "libggml-base.so"),
        (("libggml-base-5f0f21a2.so",), "libggml-base-5f0f21a2.so"),
        (("libggml-base.so.9", "libggml-base.so.10"), "libggml-base.so.10"),
    ],
)
def test_the_name_without_a_version_is_taken_and_else_the_highest(tmp_path: Path, names: tuple[str, ...], first: str) -> None:
    root = machine(tmp_path, files(f"{OLLAMA}/vulkan/libggml-vulkan.so", *(f"{OLLAMA}/{name}" for name in names)))

    assert found(root)["vulkan"].before == (f"{OLLAMA}/{first}",)


def test_an_install_is_found_beside_the_program_behind_its_link(tmp_path: Path) -> None:
    home = "/opt/ollama-0.33"
    root = machine(
        tmp_path,
        files(f"{home}/bin/ollama", f"{home}/lib/ollama/libggml-base.so", f"{home}/lib/ollama/vulkan/libggml-vulkan.so"),
        links={"/usr/local/bin/ollama": "../../../opt/ollama-0.33/bin/ollama"},
    )

    assert found(root, PATH="/usr/bin:/usr/local/bin")["vulkan"].path == f"{home}/lib/ollama/vulkan/libggml-vulkan.so"


def test_a_program_in_the_working_directory_is_not_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(tmp_path, files("/bin/ollama", "/lib/ollama/libggml-base.so", "/lib/ollama/vulkan/libggml-vulkan.so"))
    monkeypatch.chdir(tmp_path)

    here = builds(Tree("/"), {"PATH": "bin::."}, "linux", "x86_64")

    assert [build.path for build in here.builds if str(tmp_path) in build.path] == []


def test_one_install_that_is_reached_by_two_ways_is_found_once(tmp_path: Path) -> None:
    root = an_ollama(tmp_path, "vulkan/libggml-vulkan.so")
    (tmp_path / "usr/lib").mkdir()
    (tmp_path / "usr/lib/ollama").symlink_to("../local/lib/ollama")

    assert list(found(root)) == ["vulkan"]


def test_of_two_builds_with_one_name_the_later_is_called_by_its_whole_path(tmp_path: Path) -> None:
    root = machine(
        tmp_path, files("/usr/lib/ollama/cuda_v12/libggml-cuda.so", f"{OLLAMA}/cuda_v12/libggml-cuda.so", "/usr/lib/x.so")
    )

    assert list(found(root)) == ["cuda_v12", "/usr/lib/ollama/cuda_v12"]


def test_builds_for_llama_cpp_are_found_beside_its_programs_and_tell_the_loader_nothing(tmp_path: Path) -> None:
    place = "/opt/llama/bin"
    root = machine(
        tmp_path,
        files(f"{place}/llama-server", f"{place}/libggml-base.so.0", f"{place}/libggml.so.0", f"{place}/libggml-vulkan.so.0"),
    )

    build = found(root, PATH=place)["llama.cpp-vulkan"]

    assert (build.path, build.directories) == (f"{place}/libggml-vulkan.so.0", ())
    assert build.before == (f"{place}/libggml-base.so.0", f"{place}/libggml.so.0")


def test_backends_of_debian_find_their_base_two_folders_up(tmp_path: Path) -> None:
    libraries = "/usr/lib/x86_64-linux-gnu"
    root = machine(tmp_path, files(f"{libraries}/libggml-base.so.0", f"{libraries}/ggml/backends0/libggml-vulkan.so"))

    assert found(root)["llama.cpp-vulkan"].before == (f"{libraries}/libggml-base.so.0",)


def test_a_folder_with_several_backends_gives_a_build_for_each(tmp_path: Path) -> None:
    place = "/opt/mine"
    names = ("libggml-base.so", "libggml-cuda.so", "libggml-vulkan.so", "libggml-cpu-haswell.so", "libggml-rpc.so")
    root = machine(tmp_path, files(*(f"{place}/{name}" for name in names)))

    assert list(found(root, place)) == ["mine-cuda", "mine-vulkan"]


@pytest.mark.parametrize("named", ["/opt/x/lib/ollama", "/opt/x", "/opt/x/lib/ollama/vulkan"])
def test_lib_dir_may_name_a_build_what_holds_builds_or_the_whole_install(tmp_path: Path, named: str) -> None:
    root = machine(tmp_path, files("/opt/x/lib/ollama/libggml-base.so", "/opt/x/lib/ollama/vulkan/libggml-vulkan.so"))

    build = found(root, named)["vulkan"]

    assert (build.where, build.before) == ("--lib-dir", ("/opt/x/lib/ollama/libggml-base.so",))


def test_what_the_user_names_comes_before_what_is_installed(tmp_path: Path) -> None:
    root = machine(tmp_path, files(f"{OLLAMA}/vulkan/libggml-vulkan.so", "/opt/mine/vulkan/libggml-vulkan.so"))

    wheres = [build.where for build in surveyed(root, OLLAMA_LIBRARY_PATH="/opt/mine").builds]

    assert wheres == ["OLLAMA_LIBRARY_PATH", "Ollama"]


@pytest.mark.parametrize("told", ["", ":", "::"])
def test_an_empty_element_of_ollamas_variable_is_not_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    machine(tmp_path, files("/libggml-vulkan.so"))
    monkeypatch.chdir(tmp_path)

    here = builds(Tree("/"), {"OLLAMA_LIBRARY_PATH": told}, "linux", "x86_64")

    assert [build for build in here.builds if build.path.startswith(str(tmp_path))] == []
    assert here.empty == ()


def test_a_place_that_the_user_named_and_that_holds_no_build_is_told(tmp_path: Path) -> None:
    root = machine(tmp_path, {f"/opt/full/file{number}.so": "" for number in range(300)})

    empty = surveyed(root, "/opt/full", OLLAMA_LIBRARY_PATH="/nowhere:/opt/full/file1.so").empty

    assert empty == (
        NamedPlace("/opt/full", "--lib-dir", "holds no build of Ollama or llama.cpp"),
        NamedPlace("/nowhere", "OLLAMA_LIBRARY_PATH", "does not exist"),
        NamedPlace("/opt/full/file1.so", "OLLAMA_LIBRARY_PATH", "is not a directory"),
    )


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """A folder that everybody may enter, looked at without root's rights."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        mine = os.geteuid()
        try:
            yield Path(folder)
        finally:
            os.seteuid(mine)


def test_a_place_that_may_not_be_read_is_told(nobodys: Path) -> None:
    root = machine(nobodys, files("/opt/closed/libggml-vulkan.so"))
    (nobodys / "opt/closed").chmod(0)
    if os.geteuid() == 0:
        os.seteuid(65534)

    assert surveyed(root, "/opt/closed").empty == (NamedPlace("/opt/closed", "--lib-dir", "cannot be read"),)


def test_a_place_that_is_not_named_and_not_there_is_no_news(tmp_path: Path) -> None:
    assert surveyed(machine(tmp_path)) == Survey((), ())


def test_a_folder_full_of_other_files_is_the_build_that_it_also_is(tmp_path: Path) -> None:
    others = {f"/opt/b/{name}": b"" for name in ("README", "libggml-cuda.so.txt", "xlibggml-cuda.so", "libggml-cudax.so")}
    root = machine(tmp_path, {**others, **files("/opt/b/libggml-vulkan.so", *(f"/opt/b/lib{n}.so" for n in range(300)))})

    assert [(build.name, build.library) for build in surveyed(root, "/opt/b").builds] == [("b", "Vulkan")]


def test_a_dangling_link_a_folder_and_another_machines_library_say_what_they_are(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        {f"{OLLAMA}/cuda_v11/libggml-cuda.so/x": "", f"{OLLAMA}/cuda_v12/libggml-cuda.so": ELF_I386},
        links={f"{OLLAMA}/cuda_v13/libggml-cuda.so": "../../gone.so"},
    )

    problems = {name: str(build.problem) for name, build in found(root).items()}

    assert "is a directory" in problems["cuda_v11"]
    assert "another kind of machine" in problems["cuda_v12"]
    assert "is a link to `../../gone.so`, which does not exist" in problems["cuda_v13"]


def test_a_loop_of_links_is_harmless(tmp_path: Path) -> None:
    root = machine(tmp_path, links={f"{OLLAMA}/vulkan": "vulkan", "/opt/x": "/opt/x"})

    assert surveyed(root, "/opt/x").builds == ()


def test_macos_and_windows_name_their_libraries_otherwise(tmp_path: Path) -> None:
    mac = machine(tmp_path / "mac", files("/opt/b/libggml-metal.so", "/opt/b/libggml-base.dylib", "/opt/b/libggml.dylib"))
    windows = machine(tmp_path / "win", files("/o/ggml-base.dll", "/o/ggml.dll", "/o/cuda_v13/ggml-cuda.dll"))

    on_mac = surveyed(mac, "/opt/b", platform="darwin").builds[0]
    on_windows = surveyed(windows, "/o", platform="win32").builds[0]

    assert (on_mac.library, on_mac.before) == ("Metal", ("/opt/b/libggml-base.dylib", "/opt/b/libggml.dylib"))
    assert (on_windows.name, on_windows.before) == ("cuda_v13", ("/o/ggml-base.dll", "/o/ggml.dll"))


def test_the_order_and_the_names_do_not_depend_on_the_order_of_the_directory(tmp_path: Path) -> None:
    backends = [f"cuda_v{number}/libggml-cuda.so" for number in (9, 13, 12, 10)]
    one = an_ollama(tmp_path / "one", *backends)
    other = an_ollama(tmp_path / "other", *reversed(backends))

    assert list(found(one)) == list(found(other)) == ["cuda_v9", "cuda_v10", "cuda_v12", "cuda_v13"]


@pytest.mark.parametrize("below", ["lib/ollama/cuda_v13", "build/bin"])
def test_a_named_directory_that_the_whole_was_unpacked_or_built_in_is_not_called_empty(tmp_path: Path, below: str) -> None:
    """A llama.cpp that was built from source, and what Jan unpacks, keep everything in `build/bin`."""
    root = machine(tmp_path, files(f"/opt/whole/{below}/libggml-cuda.so"))

    survey = surveyed(root, "/opt/whole")

    assert [build.path for build in survey.builds] == [f"/opt/whole/{below}/libggml-cuda.so"]
    assert survey.empty == ()


def test_a_named_build_is_ollamas_where_it_lies_in_ollamas_folder_and_else_llama_cpps(tmp_path: Path) -> None:
    debian = "/opt/debian"
    backends = (f"{OLLAMA}/vulkan/libggml-vulkan.so", f"{debian}/ggml/v0/libggml-vulkan.so")
    root = machine(tmp_path, files(*BASES, f"{debian}/libggml-base.so.0", *backends))

    assert [build.product for build in surveyed(root, f"{OLLAMA}/vulkan").builds] == ["ollama"]
    assert surveyed(root, f"{debian}/ggml").builds[0].product == "llama.cpp"
