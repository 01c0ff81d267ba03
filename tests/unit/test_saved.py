"""The saved discovery: written whole, believed only if it is ours, fits the machine and is young."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
import zlib
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args

import pytest

from gpuprobe import saved
from gpuprobe.facts import DeviceNode, FoundBuild, FoundLibrary, Host, Reading
from gpuprobe.model import Call, Evidence, Outcome, Probe, Purpose, Status
from gpuprobe.saved import file
from gpuprobe.saved.key import differences, is_of_this_account, key_of
from gpuprobe.wire import hints
from tests.records import AMD, a_card, a_device, a_host, a_manifest, evidence_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="owners and modes are POSIX's")

WRITTEN = "2026-11-21T09:00:00Z"
NOW = "2026-11-21T09:01:00Z"
NODE = DeviceNode("/dev/nvidia0", 0o666, 0, 0, 195, 0, True)


def a_machine(**fields: Any) -> Host:
    return a_host(**{"pci": (a_card(),), "nodes": (NODE,), "environ": {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, **fields})


def evidence(host: Host | None = None, **fields: Any) -> Evidence:
    found = evidence_of(a_device("CUDA", **{"uuid": "GPU-1", **fields}), host=host or a_machine())
    return found._replace(gathered_at=WRITTEN)


@pytest.fixture
def path(tmp_path: Path) -> str:
    place = file.place({"XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert place is not None
    return place


@pytest.fixture
def written(path: str) -> Path:
    assert saved.save(evidence(), a_machine(), path) is None
    return Path(path)


def problem_of(path: str | Path, host: Host | None = None, now: str = NOW) -> tuple[str, str]:
    problem = saved.load(host or a_machine(), str(path), now).problem
    assert problem is not None
    return problem


def test_what_is_saved_is_found_again_as_it_was(written: Path) -> None:
    assert saved.load(a_machine(), str(written), NOW) == saved.Saved(evidence())


def test_of_who_answered_slow_calls_are_saved_and_of_who_did_not_all(path: str) -> None:
    """A `cuInit` of eight seconds tells that the driver puts cards down, the last call how far it came, and a hundred others
    nothing."""
    calls = (Call("cuInit", 8.0), Call("cuDeviceGetCount", 0.001), Call("cuDeviceGet", None))
    answered = evidence().outcomes[0]._replace(calls=calls)
    failed = Outcome(Probe("NVML", Purpose.LIST), status=Status.CRASHED, calls=calls)
    saved.save(evidence()._replace(outcomes=(answered, failed)), a_machine(), path)

    found = saved.load(a_machine(), path, NOW).evidence

    assert found is not None
    assert [outcome.calls for outcome in found.outcomes] == [(calls[0], calls[2]), calls]


def test_only_its_owner_may_read_it_whatever_the_umask(path: str) -> None:
    before = os.umask(0)
    try:
        saved.save(evidence(), a_machine(), path)
    finally:
        os.umask(before)

    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
    assert sorted(os.listdir(os.path.dirname(path))) == ["devices", "discovery.json"]


@pytest.mark.parametrize(
    ("environ", "platform", "place"),
    [
        ({"XDG_CACHE_HOME": "/x", "HOME": "/home/a"}, "linux", "/x/gpuprobe/discovery.json"),
        ({"XDG_CACHE_HOME": "", "HOME": "/home/a"}, "linux", "/home/a/.cache/gpuprobe/discovery.json"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/home/a"}, "linux", "/home/a/.cache/gpuprobe/discovery.json"),
        ({"HOME": "/Users/a"}, "darwin", "/Users/a/Library/Caches/gpuprobe/discovery.json"),
        ({"HOME": "relative"}, "linux", None),
        ({}, "linux", None),
        ({}, "win32", None),
    ],
)
def test_it_lies_in_the_cache_directory_of_the_account(environ: dict[str, str], platform: str, place: str | None) -> None:
    assert file.place(environ, platform) == place


def test_it_lies_in_the_local_application_data_of_windows() -> None:
    place = file.place({"LOCALAPPDATA": "C:\\Users\\a\\AppData\\Local", "HOME": "/home/a"}, "win32")

    assert place is not None and place.startswith("C:\\Users\\a\\AppData\\Local")


def test_a_home_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    place = file.place({"HOME": str(tmp_path / "nobody")}, "linux")

    problem = saved.save(evidence(), a_machine(), place)

    assert problem == f"`{place}` cannot be written: No such file or directory"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a directory away")
def test_root_leaves_nothing_in_the_cache_of_another_account(tmp_path: Path) -> None:
    """`sudo` with the user's own HOME."""
    (tmp_path / ".cache").mkdir()
    os.chown(tmp_path / ".cache", 4242, 4242)

    problem = saved.save(evidence(), a_machine(), file.place({"HOME": str(tmp_path)}, "linux"))

    assert problem is not None and "belongs to another account (user id 4242)" in problem
    assert list((tmp_path / ".cache").iterdir()) == []


def test_ctrl_c_in_the_moment_of_the_rename_stays_ctrl_c(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.replace

    def interrupted(source: str, target: str) -> None:
        rename(source, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)

    with pytest.raises(KeyboardInterrupt):
        saved.save(evidence(), a_machine(), path)


def test_what_a_killed_command_left_goes_with_a_later_save_and_what_is_being_written_stays(path: str) -> None:
    saved.save(evidence(), a_machine(), path)
    left, being_written, other = (f"{os.path.dirname(path)}/{name}" for name in LEFT)
    for each in (left, being_written, other):
        Path(each).touch()
    for each in (left, other):
        os.utime(each, (0, 0))

    saved.save(evidence(), a_machine(), path)

    assert [os.path.exists(each) for each in (left, being_written, other)] == [False, True, True]


LEFT = (".discovery.json.4242.0a1b2c3d", ".discovery.json.4243.0a1b2c3e", ".discovery.json")


def test_a_directory_that_others_may_write_holds_nothing(path: str) -> None:
    os.makedirs(os.path.dirname(path))
    os.chmod(os.path.dirname(path), 0o777)

    problem = saved.save(evidence(), a_machine(), path)

    assert problem is not None and "others may write it" in problem
    assert os.listdir(os.path.dirname(path)) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_account_holds_nothing(path: str) -> None:
    os.makedirs(os.path.dirname(path), 0o700)
    os.chown(os.path.dirname(path), 4242, 4242)

    problem = saved.save(evidence(), a_machine(), path)

    assert problem is not None and "is another account's" in problem
    assert os.listdir(os.path.dirname(path)) == []


def test_a_link_in_the_place_of_the_directory_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "gpuprobe").symlink_to(tmp_path / "elsewhere")

    problem = saved.save(evidence(), a_machine(), str(tmp_path / "cache" / "gpuprobe" / "discovery.json"))

    assert problem is not None and "is a link to a directory" in problem
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_without_a_saved_discovery_that_is_said(path: str) -> None:
    assert problem_of(path) == ("none", "no results are saved")


def test_without_a_home_directory_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    assert saved.load(a_machine()).problem == (
        "no_place", "this account has no home directory to save results in"
    )  # fmt: skip
    assert saved.save(evidence(), a_machine()) == "this account has no home directory to save results in"


def test_a_link_in_the_place_of_the_file_is_neither_read_nor_written_through(written: Path, tmp_path: Path) -> None:
    target = tmp_path / "target.json"
    written.rename(target)
    written.symlink_to(target)
    content = target.read_bytes()

    assert problem_of(written) == ("not_ours", f"`{written}` is not used: it is a symbolic link")

    assert saved.save(evidence(name="another"), a_machine(), str(written)) is None
    assert target.read_bytes() == content
    assert not written.is_symlink()
    assert saved.load(a_machine(), str(written), NOW).problem is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
def test_the_file_of_another_account_is_not_believed(written: Path) -> None:
    os.chown(written, 4242, 4242)

    assert problem_of(written) == ("not_ours", f"`{written}` is not used: another account owns it (user id 4242)")


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_not_believed(written: Path, mode: int) -> None:
    written.chmod(mode)

    assert problem_of(written) == ("not_ours", f"`{written}` is not used: other accounts may write it")


def test_a_file_that_may_only_be_read_is_read_and_replaced(written: Path) -> None:
    written.chmod(0o400)

    assert saved.load(a_machine(), str(written), NOW).problem is None
    assert saved.save(evidence(name="another"), a_machine(), str(written)) is None
    assert saved.load(a_machine(), str(written), NOW).evidence == evidence(name="another")


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir(0o700)


@pytest.mark.parametrize("put", [a_pipe, a_directory])
def test_what_is_no_file_is_not_read(written: Path, put: Callable[[Path], None]) -> None:
    put(written)

    assert problem_of(written) == ("not_ours", f"`{written}` is not used: it is not a regular file")


def test_a_file_larger_than_any_discovery_is_not_read(written: Path) -> None:
    with written.open("r+b") as grown:
        grown.truncate(file.MOST_BYTES + 1)

    assert problem_of(written) == ("not_ours", f"`{written}` is not used: it is larger than any discovery (16 MiB)")


@pytest.mark.parametrize("part", [0, 1, 100, 0.5, -1])
def test_a_truncated_file_is_damaged(written: Path, part: float) -> None:
    content = written.read_bytes()
    written.write_bytes(content[: int(part * len(content)) if 0 < part < 1 else int(part)])

    slug, because = problem_of(written)

    assert (slug, because.startswith(f"`{written}` is damaged: ")) == ("damaged", True)


def changed(written: Path, change: Callable[[dict[str, Any]], None]) -> None:
    said = json.loads(written.read_text())
    change(said)
    written.write_text(json.dumps(said))


DAMAGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no evidence": lambda said: said.pop("evidence"),
    "another type": lambda said: said["evidence"]["host"].update(uid="root"),
    "an unknown field": lambda said: said["evidence"].update(more=1),
    "a missing field": lambda said: said["evidence"]["host"].pop("kernel"),
    "an unknown library": lambda said: said["evidence"]["outcomes"][0]["probe"].update(library="Voodoo"),
    "an unknown status": lambda said: said["evidence"]["outcomes"][0].update(status="splendid"),
    "nothing at all": lambda said: said.update(evidence=None),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_of_another_shape_is_damaged(written: Path, damage: str) -> None:
    changed(written, DAMAGES[damage])

    assert problem_of(written)[0] == "damaged"


@pytest.mark.parametrize("content", [b"[]", b"null", b"{}", b'{"kind": "gpuprobe capture"}', b"\xff\xfe", b"[" * 100_000])
def test_rubbish_is_damaged_and_no_traceback(written: Path, content: bytes) -> None:
    written.write_bytes(content)

    assert problem_of(written)[0] == "damaged"


def test_a_file_of_a_later_version_is_named(written: Path) -> None:
    changed(written, lambda said: said.update(schema_version=99))

    assert problem_of(written) == ("other_version", f"`{written}` is of version 99, and this gpuprobe reads version 6")


@pytest.mark.parametrize(
    ("now", "problem"),
    [
        (WRITTEN, None),
        ("2026-11-21T08:59:30Z", None),
        ("2026-11-22T09:00:00Z", None),
        ("2026-11-22T09:00:01Z", "the saved results are 24 hours old, and are used for a day at most"),
        ("2026-11-24T09:00:00Z", "the saved results are 72 hours old, and are used for a day at most"),
        ("2026-11-21T08:00:00Z", "the time of the saved results is not in the past"),
    ],
)
def test_it_is_believed_for_a_day(written: Path, now: str, problem: str | None) -> None:
    found = saved.load(a_machine(), str(written), now)

    assert (found.problem.because if found.problem else None) == problem
    assert found.evidence is not None


def test_a_time_that_is_none_is_damage(path: str) -> None:
    saved.save(evidence()._replace(gathered_at="yesterday"), a_machine(), path)

    assert problem_of(path)[0] == "damaged"


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "kernel": ({"kernel": "6.2.0"}, "the kernel has changed"),
    "uid": ({"uid": 1001}, "the account or its groups have changed"),
    "groups": ({"gids": (44, 1000)}, "the account or its groups have changed"),
    "new card": ({"pci": (a_card(), a_card("0000:41:00.0"))}, "the card at `0000:41:00.0` is new"),
    "lost card": ({"pci": ()}, "the card at `0000:01:00.0` is gone"),
    "other driver": ({"pci": (a_card(driver="vfio-pci"),)}, "the card at `0000:01:00.0` changed"),
    "no access": ({"nodes": (NODE._replace(accessible=False),)}, "the device node `/dev/nvidia0` changed"),
    "other card": ({"pci": (a_card(device=0x2204),)}, "the card at `0000:01:00.0` changed"),
    "other node": ({"nodes": (NODE._replace(major=510),)}, "the device node `/dev/nvidia0` changed"),
    "new node": ({"nodes": (NODE, NODE._replace(path="/dev/kfd"))}, "the device node `/dev/kfd` is new"),
    "variable": ({"environ": {}}, "the variable `CUDA_DEVICE_ORDER` is gone"),
    "driver": (
        {"texts": {"/sys/module/nvidia/version": Reading("580.95.05\n")}},
        "the kernel driver `/sys/module/nvidia/version` is new",
    ),
    "manifest": ({"manifests": (a_manifest("/a.json"),)}, "the driver manifest `/a.json` is new"),
    "library": (
        {"libraries": (FoundLibrary("libcuda.so.1", "/x/libcuda.so.1", "/x/libcuda.so.580", "linker cache"),)},
        "the library `libcuda.so.1` is new",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_would_change_the_answer_makes_it_unfit_and_is_named(written: Path, change: str) -> None:
    fields, because = CHANGES[change]

    found = saved.load(a_machine(**fields), str(written), NOW)

    assert found.problem == ("changed", f"the saved results no longer fit: {because}")
    assert found.evidence == evidence()


def test_several_changes_are_counted(written: Path) -> None:
    assert problem_of(written, a_machine(kernel="6.2.0", uid=1, environ={})) == (
        "changed",
        "the saved results no longer fit: the kernel has changed, and 2 more",
    )


def test_memory_and_sleep_of_a_card_do_not_make_it_unfit(written: Path) -> None:
    """They change all the time, and are measured anew in every run."""
    host = a_machine(pci=(a_card(runtime_status="suspended"),), texts={"/proc/meminfo": Reading("MemFree: 1 kB\n")})

    assert saved.load(host, str(written), NOW).problem is None


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


BOOT = "proc/sys/kernel/random/boot_id"
MOUNTS = "22 1 0:21 / /proc rw - proc proc rw\n27 1 0:40 / / rw,relatime - overlay overlay rw,upperdir=/o/{}/diff\n"
ROOTS: dict[str, tuple[dict[str, str], dict[str, str], str]] = {
    "restart": ({BOOT: "a\n"}, {BOOT: "b\n"}, "the machine was restarted"),
    "suspend": (
        {"sys/power/suspend_stats/success": "1\n"},
        {"sys/power/suspend_stats/success": "2\n"},
        "the machine slept since",
    ),
    "container": (
        {"proc/self/mountinfo": MOUNTS.format("one")},
        {"proc/self/mountinfo": MOUNTS.format("two")},
        "it was made in another container or namespace",
    ),
    "mig": (
        {"proc/driver/nvidia/capabilities/gpu0/mig/gi1/ci0/access": ""},
        {"proc/driver/nvidia/capabilities/gpu0/mig/gi1/ci1/access": ""},
        "the partitioning of `gpu0` changed",
    ),
    "linker cache": ({"etc/ld.so.cache": "1"}, {"etc/ld.so.cache": "12"}, "the library `/etc/ld.so.cache` changed"),
    "updated library": (
        {"x/libcuda.so.1": "1"},
        {"x/libcuda.so.1": "12"},
        "the library `libcuda.so.1` changed",
    ),
    "updated vulkan driver": (
        {"x/libvulkan_radeon.so": "1"},
        {"x/libvulkan_radeon.so": "12"},
        "the driver manifest `/usr/share/vulkan/icd.d/radeon_icd.x86_64.json` changed",
    ),
    "container whose root lies above another": (
        {"proc/self/mountinfo": "20 1 0:2 / / rw - rootfs rootfs rw\n" + MOUNTS.format("one")},
        {"proc/self/mountinfo": "20 1 0:2 / / rw - rootfs rootfs rw\n" + MOUNTS.format("two")},
        "it was made in another container or namespace",
    ),
    "memory partitioned": (
        {"sys/bus/pci/devices/0000:01:00.0/current_memory_partition": "NPS1\n"},
        {"sys/bus/pci/devices/0000:01:00.0/current_memory_partition": "NPS4\n"},
        "the partitioning of `0000:01:00.0` changed",
    ),
    "partitioned": (
        {"sys/bus/pci/devices/0000:01:00.0/current_compute_partition": "SPX\n"},
        {"sys/bus/pci/devices/0000:01:00.0/current_compute_partition": "CPX\n"},
        "the partitioning of `0000:01:00.0` changed",
    ),
}


@pytest.mark.parametrize("change", ROOTS)
def test_what_only_the_file_system_shows_is_part_of_the_key(tmp_path: Path, change: str) -> None:
    before, after, because = ROOTS[change]
    library = FoundLibrary("libcuda.so.1", "/x/libcuda.so.1", "/x/libcuda.so.1", "linker cache")
    host = a_machine(pci=(a_card(vendor=AMD),), libraries=(library,), manifests=(a_manifest(),))
    old, new = (key_of(host, str(tree(tmp_path / name, files))) for name, files in (("old", before), ("new", after)))

    assert [each.because for each in differences(json.loads(json.dumps(old)), new)] == [because]


def test_hibernation_which_no_kernel_counts_is_a_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = {time.CLOCK_MONOTONIC: 1000.0, time.CLOCK_BOOTTIME: 1000.1}
    monkeypatch.setattr("time.clock_gettime", lambda clock: clocks[clock])
    before = key_of(a_machine())
    clocks[time.CLOCK_BOOTTIME] += 3600

    assert [each.because for each in differences(before, key_of(a_machine()))] == ["the machine slept since"]


BUILD = FoundBuild("cuda_v13", "CUDA", "/o/cuda_v13/libggml-cuda.so", ("/o/libggml-base.so",), ("/o/cuda_v13",), "Ollama")
BUILT = {"o/cuda_v13/libggml-cuda.so": "1", "o/libggml-base.so": "1"}
BUILDS: dict[str, tuple[dict[str, str], tuple[FoundBuild, ...], str]] = {
    "another one": (BUILT, (BUILD, BUILD._replace(name="cuda_v12")), "the build `cuda_v12` is new"),
    "gone": (BUILT, (), "the build `cuda_v13` is gone"),
    "updated": ({**BUILT, "o/cuda_v13/libggml-cuda.so": "12"}, (BUILD,), "the build `cuda_v13` changed"),
    "updated base": ({**BUILT, "o/libggml-base.so": "12"}, (BUILD,), "the build `cuda_v13` changed"),
    "a library beside it": ({**BUILT, "o/cuda_v13/libcublas.so.13": "1"}, (BUILD,), "the build `cuda_v13` changed"),
    "elsewhere": (BUILT, (BUILD._replace(path="/p/libggml-cuda.so"),), "the build `cuda_v13` changed"),
    "refused": (BUILT, (BUILD._replace(problem="others may write it"),), "the build `cuda_v13` changed"),
}


@pytest.mark.parametrize("change", BUILDS)
def test_builds_and_their_files_are_part_of_the_key(tmp_path: Path, change: str) -> None:
    files, builds, because = BUILDS[change]
    root = tree(tmp_path, BUILT)
    for place in (root / "o" / "cuda_v13", *(root / name for name in BUILT)):
        os.utime(place, (1, 1))
    old = key_of(a_machine(builds=(BUILD,)), str(root))
    tree(root, {name: text for name, text in files.items() if BUILT.get(name) != text})

    assert [each.because for each in differences(old, key_of(a_machine(builds=builds), str(root)))] == [because]


def shape_of(record: type, seen: dict[str, Any]) -> dict[str, Any]:
    """The fields of a record and of every record in it, with their types and defaults."""
    if record.__name__ not in seen:
        fields = seen[record.__name__] = dict[str, str]()
        for name, hint in hints(record).items():
            named = str(hint).replace("gpuprobe.facts.", "").replace("gpuprobe.model.", "")
            named = named.replace("dict[str, object]", "dict[str, typing.Any]")  # as this annotation is in a start
            fields[name] = f"{named} = {record._field_defaults.get(name, '')!r}"  # type: ignore[attr-defined]
            for inner in records_in(hint):
                shape_of(inner, seen)
    return seen


def records_in(hint: Any) -> list[type]:
    return [hint] if hasattr(hint, "_fields") else [each for inner in get_args(hint) for each in records_in(inner)]


def test_a_change_of_what_is_saved_raises_its_version() -> None:
    """A file of the version before would be called damaged, or be believed for less than it is asked for now.

    When this fails: raise SCHEMA_VERSION, and put the checksum that is found here.
    """
    shape = json.dumps([shape_of(Evidence, {}), list(key_of(a_machine()))], sort_keys=True)

    assert (saved.SCHEMA_VERSION, f"{zlib.crc32(shape.encode()):08x}") == (6, "120fd489")


@pytest.mark.parametrize("namespace", ["mnt", "user"])
def test_another_namespace_is_another_container(tmp_path: Path, namespace: str) -> None:
    link = tmp_path / "proc" / "self" / "ns" / namespace
    link.parent.mkdir(parents=True)
    link.symlink_to(f"{namespace}:[4026531832]")
    before = key_of(a_machine(), str(tmp_path))
    link.unlink()
    link.symlink_to(f"{namespace}:[4026532999]")

    found = differences(before, key_of(a_machine(), str(tmp_path)))

    assert [each.because for each in found] == ["it was made in another container or namespace"]


def test_a_namespace_that_cannot_be_read_is_no_other_one() -> None:
    """The saved results are left alone all the same: whether they are of here is not known."""
    unread = ["in which container or namespace it was made cannot be told here"]
    other = ["it was made in another container or namespace"]
    mine, closed = ["mnt:[1]", "user:[2]", "/ / rw"], ["mnt:[1]", None, "/ / rw"]
    moved = ["mnt:[9]", None, "/ / rw"]

    (restarted,) = differences({"boot": "a"}, {"boot": None})
    (slept,) = differences({"suspends": [None, 3]}, {"suspends": [1, 3]})
    assert restarted.because == "whether the machine was restarted since cannot be told here"
    assert slept.because == "whether the machine slept since cannot be told here"
    for earlier in ({"boot": "a"}, {}):
        assert [each.because for each in differences(earlier, {"boot": "b"})] == ["the machine was restarted"]

    for was, now, said in (
        (mine, closed, unread),
        (closed, mine, unread),
        (mine, [None, None, None], unread),
        (mine, moved, other),
        (closed, closed, []),
        (None, mine, other),
        ([], mine, other),
    ):
        found = differences({"container": was}, {"container": now})
        assert [each.because for each in found] == said
        assert is_of_this_account(found) is (not said)


def test_a_library_that_leads_to_another_file_is_another_one() -> None:
    """Two releases of a driver side by side may be of one size and of one time."""
    old, new = (FoundLibrary("libcuda.so.1", "/x/libcuda.so.1", f"/x/libcuda.so.{release}", "cache") for release in (570, 580))

    found = differences(key_of(a_machine(libraries=(old,))), key_of(a_machine(libraries=(new,))))

    assert [each.because for each in found] == ["the library `libcuda.so.1` changed"]


@pytest.mark.parametrize("text", ["{", "[]", '{"ICD": 1}', '{"ICD": {"library_path": 7}}', "[" * 100_000, "\udcff"])
def test_a_manifest_that_says_nothing_is_compared_by_its_text(tmp_path: Path, text: str) -> None:
    one, other = (key_of(a_machine(manifests=(a_manifest("/a.json", each),)), str(tmp_path)) for each in (text, text + " "))

    assert [each.because for each in differences(one, other)] == ["the driver manifest `/a.json` changed"]


@pytest.mark.parametrize("old", [None, [], "key", 7, {"cards": 7, "nodes": []}])
def test_a_key_that_is_none_differs_and_raises_nothing(old: object) -> None:
    assert "the card at `0000:01:00.0` is new" in [each.because for each in differences(old, key_of(a_machine()))]


def test_what_asking_creates_does_not_keep_a_discovery_from_being_saved(path: str) -> None:
    """As root, NVIDIA's library loads a kernel module and makes its node."""
    after = a_machine(nodes=(NODE, NODE._replace(path="/dev/nvidia-uvm")))

    assert saved.save(evidence(a_machine()), after, path) is None
    assert saved.load(after, path, NOW).problem is None


@pytest.mark.parametrize(
    ("before", "after", "because"),
    [
        (
            {"texts": {"/sys/module/nvidia/version": Reading("570.86.15\n")}},
            {"texts": {"/sys/module/nvidia/version": Reading("580.95.05\n")}},
            "the kernel driver `/sys/module/nvidia/version` changed",
        ),
        (
            {"texts": {"/sys/module/nvidia/version": Reading("570.86.15\n")}},
            {},
            "the kernel driver `/sys/module/nvidia/version` is gone",
        ),
        ({"nodes": (NODE,)}, {"nodes": (NODE._replace(accessible=False),)}, "the device node `/dev/nvidia0` changed"),
        ({"nodes": (NODE,)}, {"nodes": ()}, "the device node `/dev/nvidia0` is gone"),
    ],
    ids=["driver changed", "driver gone", "permission changed", "node gone"],
)
def test_a_driver_that_changes_while_the_libraries_are_asked_leaves_nothing_saved(
    path: str, before: dict[str, Any], after: dict[str, Any], because: str
) -> None:
    problem = saved.save(evidence(a_machine(**before)), a_machine(**after), path)

    assert problem == f"while the libraries were asked, something changed: {because}"
    assert not os.path.exists(path)


def test_a_card_that_came_while_the_libraries_were_asked_leaves_nothing_saved(path: str) -> None:
    problem = saved.save(evidence(a_machine()), a_machine(pci=()), path)

    assert problem == "while the libraries were asked, something changed: the card at `0000:01:00.0` is gone"
    assert not os.path.exists(path)


def test_a_disk_that_is_full_leaves_what_was_saved_before_and_nothing_beside_it(written: Path) -> None:
    import resource

    usual, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, most))
    try:
        problem = saved.save(evidence(name="another"), a_machine(), str(written))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (usual, most))

    assert problem == f"`{written}` cannot be written: File too large"
    assert saved.load(a_machine(), str(written), NOW) == saved.Saved(evidence())
    assert sorted(os.listdir(written.parent)) == ["devices", "discovery.json"]


def test_forgetting_what_is_not_there_is_no_error(path: str) -> None:
    saved.forget(path)

    assert problem_of(path)[0] == "none"


def _save_often(path: str, number: int) -> None:
    for _ in range(4):
        assert saved.save(evidence(name=f"{number}" * 2000), a_machine(), path) is None


def test_fifty_commands_at_once_leave_a_whole_file_and_read_whole_files(path: str) -> None:
    context = get_context("fork")
    writers = [context.Process(target=_save_often, args=(path, number)) for number in range(50)]
    for writer in writers:
        writer.start()
    problems = set()
    while any(writer.is_alive() for writer in writers):
        problems.add(saved.load(a_machine(), path, NOW).problem)
    for writer in writers:
        writer.join()

    assert {writer.exitcode for writer in writers} == {0}
    assert problems <= {None, saved.Problem("none", "no results are saved")}
    assert saved.load(a_machine(), path, NOW).problem is None
    assert sorted(os.listdir(os.path.dirname(path))) == ["devices", "discovery.json"]


def test_a_cache_directory_that_is_named_is_made_with_its_parents_and_a_home_is_not(tmp_path: Path) -> None:
    named = str(tmp_path / "a" / "b" / "c" / "gpuprobe" / "discovery.json")
    homeless = str(tmp_path / "home" / ".cache" / "gpuprobe" / "discovery.json")

    assert saved.save(evidence(), a_machine(), named) is None
    assert saved.save(evidence(), a_machine(), homeless) is not None
    assert not (tmp_path / "home").exists()
