"""As root, a build that another user could replace is not loaded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.survey.builds import builds
from gpuprobe.survey.tree import Tree
from gpuprobe.survey.trust import LIBRARY, PARENT, SEARCHED, Entry, on_the_way, untrusted, why_replaceable
from tests.file_trees import ELF_X86_64

KINDS = (LIBRARY, SEARCHED, PARENT)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def an_entry(kind: str = LIBRARY, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Entry:
    return Entry("/opt/b/x", kind, mode, uid, gid)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("mode", "uid", "gid", "why"),
    [
        (0o755, 0, 0, None),
        (0o644, 0, 1000, None),
        (0o775, 0, 0, None),
        (0o755, 1000, 0, "`/opt/b/x` belongs to user 1000"),
        (0o757, 0, 0, "everybody may write to `/opt/b/x`"),
        (0o775, 0, 50, "group 50 may write to `/opt/b/x`"),
        (0o2775, 0, 50, "group 50 may write to `/opt/b/x`"),
        (0o1755, 1000, 0, "`/opt/b/x` belongs to user 1000"),
    ],
)
def test_the_owner_and_whoever_may_write_decide(kind: str, mode: int, uid: int, gid: int, why: str | None) -> None:
    assert why_replaceable([an_entry(kind, mode, uid, gid)]) == why


@pytest.mark.parametrize(("uid", "gid", "mode"), [(1000, 100, 0o755), (1000, 1000, 0o775), (0, 1000, 0o775), (1000, 0, 0o775)])
def test_ones_own_account_and_its_group_are_trusted_beside_root(uid: int, gid: int, mode: int) -> None:
    entry = an_entry(mode=mode, uid=uid, gid=gid)

    assert why_replaceable([entry], {0, 1000}) is None
    assert why_replaceable([entry], {0, 1001}) is not None


@pytest.mark.parametrize(("kind", "trusted"), [(PARENT, True), (SEARCHED, False), (LIBRARY, False)])
def test_the_sticky_bit_protects_what_lies_below_and_not_a_place_that_is_searched(kind: str, trusted: bool) -> None:
    assert (why_replaceable([an_entry(kind, 0o1777)]) is None) is trusted


@given(st.lists(st.builds(an_entry, st.sampled_from(KINDS), st.integers(0, 0o7777), st.integers(0, 2), st.integers(0, 2))))
def test_one_weak_place_on_the_way_is_enough_and_strong_ones_change_nothing(entries: list[Entry]) -> None:
    strong = an_entry()

    alone = [why_replaceable([entry]) for entry in entries]

    assert (why_replaceable([strong, *entries, strong]) is None) is all(why is None for why in alone)


@given(st.sampled_from(KINDS), st.integers(0, 0o7777), st.integers(0, 2), st.integers(0, 2))
def test_taking_rights_away_never_makes_a_place_weaker(kind: str, mode: int, uid: int, gid: int) -> None:
    if why_replaceable([an_entry(kind, mode, uid, gid)]) is None:
        assert why_replaceable([an_entry(kind, mode & ~0o022, uid, gid)]) is None


def test_every_link_on_the_way_is_followed_and_its_directories_count(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/lib.so").touch()
    (tmp_path / "between").symlink_to("real")
    (tmp_path / "named").symlink_to("between")

    paths = {entry.path for entry in on_the_way(Tree(), [f"{tmp_path}/named/lib.so"], ())}

    assert {f"{tmp_path}/named/lib.so", f"{tmp_path}/named", f"{tmp_path}/between", f"{tmp_path}/real", "/"} <= paths


def install(tmp_path: Path) -> Path:
    """Below a directory of root's, as /tmp is everybody's and has the sticky bit."""
    folder = tmp_path / "vulkan"
    folder.mkdir()
    for name in ("libggml-base.so", "libggml-vulkan.so", "libvulkan.so.1"):
        (folder / name).write_bytes(ELF_X86_64)
    return folder


def problem(folder: Path, *, by_option: bool = False, uid: int = 0) -> tuple[str | None, bool]:
    named = {"named": [str(folder)]} if by_option else {}
    environ = {} if by_option else {"OLLAMA_LIBRARY_PATH": str(folder)}
    found = builds(Tree(), environ, "linux", os.uname().machine, uid=uid, **named).builds
    build = next(build for build in found if build.path.startswith(str(folder)))
    return build.problem, build.refused


@as_root
def test_roots_own_build_is_not_refused(tmp_path: Path) -> None:
    assert problem(install(tmp_path)) == (None, False)


@as_root
@pytest.mark.parametrize("given_away", ["", "libggml-vulkan.so", "libggml-base.so", "libvulkan.so.1"])
def test_a_build_with_something_that_another_user_owns_is_refused(tmp_path: Path, given_away: str) -> None:
    folder = install(tmp_path)
    os.chown(folder / given_away, 65534, 65534)

    why, refused = problem(folder)

    assert refused
    assert "belongs to user 65534" in str(why)
    assert f"`--lib-dir {folder}`" in str(why)


@as_root
def test_a_build_below_a_directory_that_everybody_may_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    folder = install(tmp_path / "open")
    (tmp_path / "open").chmod(0o777)

    assert problem(folder)[1]


@as_root
def test_a_build_that_is_named_on_the_command_line_is_not_refused(tmp_path: Path) -> None:
    folder = install(tmp_path)
    os.chown(folder, 65534, 65534)

    assert problem(folder, by_option=True) == (None, False)


@as_root
@pytest.mark.parametrize("uid", [0, 1000])
def test_a_base_library_that_somebody_left_above_a_named_folder_is_not_loaded(tmp_path: Path, uid: int) -> None:
    """The folder is the user's, and /tmp, where it lies, is everybody's."""
    folder = install(tmp_path)
    (folder / "libggml-base.so").rename(tmp_path / "libggml-base.so")
    assert problem(folder, by_option=True, uid=uid) == (None, False)
    os.chown(tmp_path / "libggml-base.so", 65534, 65534)

    why, refused = problem(folder, by_option=True, uid=uid)

    assert refused
    assert f"`{tmp_path}/libggml-base.so` belongs to user 65534" in str(why)


@as_root
def test_who_is_not_root_may_load_what_is_his(tmp_path: Path) -> None:
    folder = install(tmp_path)
    os.chown(folder, 65534, 65534)

    assert problem(folder, uid=65534) == (None, False)


FILE_VARIABLES = (
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "VK_DRIVER_FILES",
    "VK_LAYER_PATH",
    "ZE_ENABLE_ALT_DRIVERS",
    "GGML_BACKEND_PATH",
)


@as_root
@pytest.mark.parametrize("name", FILE_VARIABLES)
def test_a_variable_that_leads_to_another_account_s_file_is_not_taken_over(tmp_path: Path, name: str) -> None:
    library = tmp_path / "mine.so"
    library.touch()
    os.chown(library, 65534, 65534)

    assert untrusted(Tree(), {name: str(library), "CUDA_VISIBLE_DEVICES": "0"}) == (name,)
    assert untrusted(Tree(), {name: f"/usr:{library}"}) == (name,)


@as_root
def test_a_home_that_is_another_account_s_is_not_taken_over_and_no_folder_with_something_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    os.chown(tmp_path / "home", 65534, 65534)

    assert untrusted(Tree(), {"HOME": f"{tmp_path}/home"}) == ("HOME",)
    assert untrusted(Tree(), {"XDG_DATA_HOME": str(tmp_path)}) == ("XDG_DATA_HOME",)


@pytest.mark.parametrize("value", ["/usr/../tmp", "/tmp/not-there-yet", "lib", "$ORIGIN/x", "/usr/$LIB", "/usr:" * 65])
def test_a_path_that_may_lead_elsewhere_later_is_not_taken_over(value: str) -> None:
    assert untrusted(Tree(), {"LD_LIBRARY_PATH": value}) == ("LD_LIBRARY_PATH",)


def test_what_root_has_chosen_is_taken_over(tmp_path: Path) -> None:
    """Its own files, names that are looked for among the system's, and what names no file."""
    (tmp_path / "lib").mkdir()
    trusted = {
        "LD_LIBRARY_PATH": f"{tmp_path}/lib:",
        "ZE_ENABLE_ALT_DRIVERS": "libze_intel_gpu.so.1",
        "VK_DRIVER_FILES": "",
        "CUDA_VISIBLE_DEVICES": "GPU-1",
        "VK_LOADER_DRIVERS_SELECT": "*radeon*",
    }

    assert untrusted(Tree(), trusted) == ()
