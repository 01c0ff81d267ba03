"""Which runs leave a saved discovery, as installed: doubles of drivers below, the cache directory beside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gpuprobe.saved import SCHEMA_VERSION
from tests.cli import machines
from tests.cli.documents import checked
from tests.cli.machines import captured
from tests.cli.terminal import COMMAND, environment, piped
from tests.doubles import cuda_driver, described, nvml_driver, script

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the doubles are Linux shared libraries")

A = "GPU-00000000-0000-0000-0000-00000000000a"
CARD = described(name="NVIDIA GeForce RTX 4090", uuid=A, pci="0000:01:00.0", memory=24 << 30, free=20 << 30)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    directory = tmp_path / "cache"
    directory.mkdir()
    return directory


def nvidia(cache: Path, *lines: str) -> dict[str, str]:
    """A machine whose CUDA and NVML act by these lines, and whose user has this cache directory."""
    libraries = f"{cuda_driver().parent}:{nvml_driver().parent}"
    return {"LD_LIBRARY_PATH": libraries, "FAKE_CUDA": script(*lines), "XDG_CACHE_HOME": str(cache), "OLLAMA_VULKAN": "0"}


def saved_in(cache: Path) -> Path:
    return cache / "gpuprobe" / "discovery.json"


@pytest.mark.parametrize("line", ["list", "list --all", "list CUDA:0", "list --require count>=9", "validate", "--json"])
def test_a_complete_run_is_saved(cache: Path, line: str) -> None:
    piped(*line.split(), **nvidia(cache, CARD))

    assert saved_in(cache).stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(cache / "gpuprobe")) == ["devices", "discovery.json"]


@pytest.mark.parametrize("limit", ["--timeout", "--deadline"])
def test_a_limit_that_shortened_nothing_changes_nothing(cache: Path, limit: str) -> None:
    piped("list", limit, "50", **nvidia(cache, CARD))

    assert saved_in(cache).exists()


INCOMPLETE = ["list --library cuda", "list --quick", "list --allow-software", "list --no-wake", "validate CUDA:0", "env"]


@pytest.mark.parametrize("line", INCOMPLETE)
def test_a_run_that_asked_for_less_is_not_saved_and_leaves_what_is(cache: Path, line: str) -> None:
    piped(*line.split(), **nvidia(cache, CARD))
    assert not saved_in(cache).exists()

    piped("list", **nvidia(cache, CARD))
    before = saved_in(cache).read_bytes()
    piped(*line.split(), **nvidia(cache, CARD))
    assert saved_in(cache).read_bytes() == before


@pytest.mark.parametrize("limit", ["--timeout", "--deadline"])
def test_a_run_that_its_limit_cut_short_is_not_saved_and_leaves_what_is(cache: Path, limit: str) -> None:
    piped("list", **nvidia(cache, CARD))
    before = saved_in(cache).read_bytes()

    piped("list", limit, "1", **nvidia(cache, CARD, "hang cuInit"))

    assert saved_in(cache).read_bytes() == before


def test_a_capture_is_never_saved(cache: Path, tmp_path: Path) -> None:
    piped("list", "--from", captured(machines.two_geforces(), tmp_path), XDG_CACHE_HOME=str(cache))

    assert os.listdir(cache) == []


@pytest.mark.parametrize("later", [("error cuInit 100",), (CARD, "crash cuInit")])
def test_a_run_that_finds_nothing_or_doubt_forgets_what_was_saved(cache: Path, later: tuple[str, ...]) -> None:
    piped("list", **nvidia(cache, CARD))
    assert saved_in(cache).exists()

    piped("list", **nvidia(cache, *later))

    assert os.listdir(cache / "gpuprobe") == []


def test_what_shells_propose_is_saved_beside_it(cache: Path) -> None:
    piped("list", **nvidia(cache, CARD))

    proposals = cache / "gpuprobe" / "devices"
    words = ("CUDA:0", A, "0000:01:00.0")
    first, *others = proposals.read_text().splitlines()
    boot, mounts = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/mountinfo")
    assert first.startswith(f"{boot.read_text().strip() if boot.exists() else ''} ")
    assert (first.partition(" ")[2] or "\n") in (mounts.read_text() if mounts.exists() else "\n")
    assert others == [f"{word}\tNVIDIA GeForce RTX 4090" for word in words]
    assert proposals.stat().st_mode & 0o777 == 0o600
    for word in words:
        assert piped("env", word, **nvidia(cache, CARD)).out == LINES


def test_list_never_answers_from_it(cache: Path) -> None:
    piped("list", **nvidia(cache, CARD))
    log = cache.parent / "log"

    document = checked("list", piped("list", "--json", **nvidia(cache, CARD), FAKE_LOG=str(log)).out)

    assert f"retain {A}" in log.read_text()
    assert [device["id"] for device in document["devices"]] == [A]


LINES = f"export CUDA_VISIBLE_DEVICES='{A}'\n"


def test_env_answers_from_it_without_starting_a_child(cache: Path) -> None:
    piped("list", **nvidia(cache, CARD))

    ran = piped("env", **nvidia(cache, "crash cuInit", "crash nvmlInit_v2"))

    assert (ran.out, ran.err, ran.code) == (LINES, "", 0)


def test_env_that_answers_from_it_imports_nothing_that_asks(cache: Path) -> None:
    piped("list", **nvidia(cache, CARD))
    program = "import sys; sys.argv = ['gpuprobe', 'env']\nfrom gpuprobe.__main__ import main\n"
    program += "try:\n    main()\nfinally:\n    print(*sys.modules, sep='\\n', file=sys.stderr)"
    variables = environment(**nvidia(cache, CARD))

    done = subprocess.run([sys.executable, "-c", program], cwd="/", env=variables, capture_output=True, text=True, check=False)

    imported = set(done.stderr.split())
    assert done.stdout == LINES
    assert not {name for name in imported if name.startswith(("gpuprobe.probing", "gpuprobe.discovery", "gpuprobe.backends"))}
    assert not imported & {"gpuprobe.capture.redaction", "getpass", "tempfile", "rich", "psutil"}


def test_env_fresh_asks_the_machine(cache: Path) -> None:
    piped("list", **nvidia(cache, CARD))

    ran = piped("env", "--fresh", **nvidia(cache, "error cuInit 100"))

    assert (ran.out, ran.code) == ("", 3)


@pytest.mark.parametrize("figures", [["--count", "1"], ["--min-free", "1GiB"]])
def test_env_that_chooses_by_free_memory_measures_it_now(cache: Path, figures: list[str]) -> None:
    piped("list", **nvidia(cache, CARD))

    assert piped("env", *figures, **nvidia(cache, "error cuInit 100")).code == 3
    assert piped("env", "--check", **nvidia(cache, CARD)).out == LINES


@pytest.mark.parametrize("narrowed", [["--library", "cuda"], ["--allow-software"], ["--no-wake"]])
def test_env_with_an_option_that_makes_it_another_question_asks_the_machine(cache: Path, narrowed: list[str]) -> None:
    piped("list", **nvidia(cache, CARD))

    assert piped("env", *narrowed, **nvidia(cache, "error cuInit 100")).code == 3


def test_env_asks_the_machine_where_a_variable_has_changed(cache: Path) -> None:
    other = described(name="NVIDIA", uuid=A.replace("a", "b"), pci="0000:02:00.0", memory=24 << 30)
    piped("list", **nvidia(cache, CARD, other))
    hidden = {**nvidia(cache, CARD, other), "CUDA_VISIBLE_DEVICES": "1"}

    plain, verbose = piped("env", **hidden), piped("env", "-v", **hidden)

    hides = f"note: `CUDA_VISIBLE_DEVICES=1` hides 1 of 2 devices from CUDA: NVIDIA GeForce RTX 4090 ({A})\n"
    assert (plain.out, plain.err) == (LINES.replace("a'", "b'"), hides)
    unfit = "note: the saved results no longer fit: the variable `CUDA_VISIBLE_DEVICES` is new"
    assert verbose.err == f"{unfit}; the devices are detected again\n{hides}"


def test_env_says_what_a_variable_of_the_users_hides_also_from_what_is_saved(cache: Path) -> None:
    other = described(name="NVIDIA", uuid=A.replace("a", "b"), pci="0000:02:00.0", memory=24 << 30)
    hidden = {**nvidia(cache, CARD, other), "CUDA_VISIBLE_DEVICES": "1"}
    piped("list", **hidden)

    lost = {**hidden, "FAKE_CUDA": "crash cuInit"}
    saved, quiet, named = (piped("env", *more, **lost) for more in ((), ("-q",), ("CUDA:0",)))

    assert saved.err == f"note: `CUDA_VISIBLE_DEVICES=1` hides 1 of 2 devices from CUDA: NVIDIA GeForce RTX 4090 ({A})\n"
    assert {saved.out, quiet.out, named.out} == {LINES.replace("a'", "b'")}
    assert (quiet.err, named.err) == ("", "")


DAMAGED = {
    "damaged": b"{",
    "foreign": b'{"kind": "something"}',
    "later": b'{"kind":"gpuprobe saved discovery","schema_version":2}',
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_env_names_what_is_wrong_with_the_file_and_answers_rightly(cache: Path, damage: str) -> None:
    piped("list", **nvidia(cache, CARD))
    saved_in(cache).write_bytes(DAMAGED[damage])

    ran, quiet = (piped("env", *more, **nvidia(cache, CARD)) for more in ((), ("-q",)))

    assert (ran.out, ran.code, quiet.err) == (LINES, 0, "")
    assert ran.err.startswith(f"note: `{saved_in(cache)}` is ")
    assert ran.err.endswith("; the devices are detected again\n") and ran.err.count("\n") == 1
    piped("list", **nvidia(cache, CARD))
    assert piped("env", **nvidia(cache, CARD)).err == ""


def in_a_namespace_of_its_own(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = ["unshare", "--mount", *COMMAND, *arguments]
    return subprocess.run(command, cwd="/", env=environment(**variables), capture_output=True, text=True, check=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to make a mount namespace")
def test_two_containers_with_one_home_do_not_take_each_others_answer(cache: Path) -> None:
    piped("list", **nvidia(cache, CARD))
    if in_a_namespace_of_its_own("--version").returncode:
        pytest.skip("this machine does not let a mount namespace be made")

    inside = in_a_namespace_of_its_own("env", "-v", **nvidia(cache, "error cuInit 100"))

    assert (inside.stdout, inside.returncode) == ("", 3)
    assert "it was made in another container or namespace" in inside.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_two_accounts_with_one_home_do_not_take_each_others_answer(cache: Path) -> None:
    piped("list", **nvidia(cache, CARD))
    for directory in (cache, cache / "gpuprobe"):
        directory.chmod(0o755)
    saved_in(cache).chmod(0o644)
    os.chown(saved_in(cache), 4242, 4242)

    ran = piped("env", **nvidia(cache, "error cuInit 100"))

    assert (ran.out, ran.code) == ("", 3)
    assert "another account owns it (user id 4242)" in ran.err


def test_where_nothing_can_be_saved_list_answers_all_the_same_and_says_why(cache: Path) -> None:
    (cache / "gpuprobe").write_text("in the way")

    plain, quiet = (piped("list", *more, **nvidia(cache, CARD)) for more in ((), ("-q",)))

    assert (quiet.code, quiet.err) == (0, "")
    assert plain.out.startswith("1 of 1 GPU usable")
    again = "each `env` and `refresh` detects the devices again"
    assert plain.err.startswith(f"note: the results were not saved, so {again}: `{saved_in(cache)}` cannot be written: ")


def test_fifty_commands_at_once_leave_a_whole_file(cache: Path) -> None:
    variables = environment(**nvidia(cache, CARD))
    commands = [
        subprocess.Popen([*COMMAND, "list"], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(50)
    ]
    said = [command.communicate()[1] for command in commands]

    assert {command.returncode for command in commands} == {0}
    assert set(said) == {""}
    assert json.loads(saved_in(cache).read_text())["kind"] == "gpuprobe saved discovery"
    assert sorted(os.listdir(cache / "gpuprobe")) == ["devices", "discovery.json"]


def truncated(file: Path) -> str:
    file.write_bytes(file.read_bytes()[:-20])
    return f"`{file}` is damaged: "


def a_link(file: Path) -> str:
    file.rename(file.with_name("elsewhere.json"))
    file.symlink_to(file.with_name("elsewhere.json"))
    return f"`{file}` is not used: it is a symbolic link"


def writable_by_others(file: Path) -> str:
    file.chmod(0o666)
    return f"`{file}` is not used: other accounts may write it"


def of_a_later_version(file: Path) -> str:
    said = json.loads(file.read_text())
    file.write_text(json.dumps({**said, "schema_version": 99}))
    return f"`{file}` is of version 99, and this gpuprobe reads version {SCHEMA_VERSION}"


def of_another_program(file: Path) -> str:
    file.write_text('{"kind": "something else"}')
    return f"`{file}` is not a file of saved results"


def a_directory(file: Path) -> str:
    file.unlink()
    file.mkdir()
    return f"`{file}` is not used: it is not a regular file"


SPOILT = [truncated, a_link, writable_by_others, of_a_later_version, of_another_program, a_directory]


@pytest.mark.parametrize("spoil", SPOILT, ids=lambda spoil: spoil.__name__)
def test_a_spoilt_file_is_named_and_the_answer_is_right(cache: Path, spoil: Callable[[Path], str]) -> None:
    piped("list", **nvidia(cache, CARD))
    message = spoil(saved_in(cache))

    chosen = piped("env", **nvidia(cache, CARD))
    refreshed = checked("refresh", piped("refresh", "--json", **nvidia(cache, CARD)).out)

    assert chosen.out == LINES
    assert chosen.err.startswith(f"note: {message}")
    assert refreshed["discovery"]["because"].startswith(message)
    assert [device["id"] for device in refreshed["devices"]] == [A]


def test_a_file_in_a_directory_that_may_only_be_read_answers_and_is_not_replaced(cache: Path) -> None:
    piped("list", **nvidia(cache, CARD))
    before = saved_in(cache).read_bytes()
    saved_in(cache).chmod(0o400)
    saved_in(cache).parent.chmod(0o500)
    try:
        chosen = piped("env", **nvidia(cache, "crash cuInit"))
        again = piped("list", **nvidia(cache, CARD))
    finally:
        saved_in(cache).parent.chmod(0o700)

    assert (chosen.out, chosen.err, again.code) == (LINES, "", 0)
    assert os.geteuid() == 0 or saved_in(cache).read_bytes() == before
