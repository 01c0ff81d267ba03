"""What is built holds what its users need, and an installed wheel is found by shells and by `man` without this checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from collections.abc import Mapping
from email import message_from_bytes
from email.message import Message
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from gpuprobe import __version__, manual
from tests.interactive import PROMPT, running
from tests.vulkan_world import missing

REPOSITORY = Path(__file__).parents[1]
BASH_COMPLETION = Path("/usr/share/bash-completion/bash_completion")

# Where each program looks, below the place that a wheel is installed into → the file of this checkout.
PLACES = {
    "share/bash-completion/completions/gpuprobe": "completions/gpuprobe.bash",
    "share/zsh/site-functions/_gpuprobe": "completions/_gpuprobe",
    "share/fish/vendor_completions.d/gpuprobe.fish": "completions/gpuprobe.fish",
    "share/gpuprobe/gpuprobe.ps1": "completions/gpuprobe.ps1",
    "share/man/man1/gpuprobe.1": "man/gpuprobe.1",
}


def build(checkout: Path, folder: Path, *targets: str) -> None:
    """Writes what is to be released of a checkout into a folder: the wheel and the source distribution, or only `targets`."""
    if find_spec("hatchling") is None:
        missing("`hatchling`")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", *targets, "-d", str(folder)],
        cwd=checkout,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def files_of(wheel: Path) -> dict[str, bytes]:
    with ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution of this checkout."""
    folder = tmp_path_factory.mktemp("built")
    build(REPOSITORY, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def source(built: Path) -> set[str]:
    """The names of all files of the source distribution, as in a checkout."""
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    return message_from_bytes(files_of(wheel)[f"gpuprobe-{__version__}.dist-info/METADATA"])


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment that holds this wheel alone. What it depends on is taken from the environment of the tests, whose
    own gpuprobe it does not see: a file of paths names a folder, and no other such file in that folder is read.
    """
    place = tmp_path_factory.mktemp("installed") / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], timeout=60, check=True)
    (packages,) = place.glob("lib/python3*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(place), "install", "--quiet", "--no-deps", "--no-index", str(wheel)],
        timeout=120,
        check=True,
    )
    return place


def ran(command: list[str], folder: Path, more: Mapping[str, str] | None = None) -> str:
    """What an installed command prints, started in an empty folder; its environment says nothing of this checkout."""
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8", **(more or {})}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def declared() -> dict[str, Any]:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_wheel_carries_page_and_scripts_where_each_program_looks_for_them(wheel: Path) -> None:
    below = f"gpuprobe-{__version__}.data/data/"
    found = {name.removeprefix(below): content for name, content in files_of(wheel).items() if name.startswith(below)}

    assert found == {place: (REPOSITORY / file).read_bytes() for place, file in PLACES.items()}


def test_the_wheel_carries_every_file_of_the_package_and_its_licence(wheel: Path) -> None:
    package = REPOSITORY / "gpuprobe"
    files = {path.relative_to(REPOSITORY) for path in package.rglob("*") if path.is_file()}

    names = set(files_of(wheel))

    assert {str(file) for file in files if file.parent.name != "__pycache__"} - names == set()
    assert f"gpuprobe-{__version__}.dist-info/licenses/LICENSE" in names
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"gpuprobe"}


def test_the_source_distribution_carries_what_was_generated_and_what_is_to_be_read(source: set[str]) -> None:
    pages = {str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "docs").glob("*.md")}
    outside = {
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "findings/README.md",
        "tests/test_package.py",
        ".gitattributes",
    }

    assert (set(manual.generated()) | pages | outside) - source == set()


def test_the_source_distribution_builds_the_same_wheel(built: Path, wheel: Path, tmp_path: Path) -> None:
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    (checkout,) = tmp_path.iterdir()

    build(checkout, tmp_path / "again", "-t", "wheel")

    (again,) = (tmp_path / "again").glob("*.whl")
    assert files_of(again) == files_of(wheel)


def test_the_package_says_its_licence_and_its_pythons(metadata: Message) -> None:
    classifiers = metadata.get_all("Classifier") or []

    assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", "LICENSE")
    assert metadata["Requires-Python"] == ">=3.11"
    for minor in range(11, 15):
        assert f"Programming Language :: Python :: 3.{minor}" in classifiers


@pytest.mark.parametrize(("python", "asked_for"), [("3.11", True), ("3.14", True), ("3.15", False)])
def test_what_has_no_wheel_for_a_python_is_not_asked_for_there(python: str, asked_for: bool) -> None:
    requirements = [Requirement(line) for line in declared()["project"]["dependencies"]]
    (witness,) = [each for each in requirements if each.name == "pyamdgpuinfo"]
    assert witness.marker is not None
    machine = {"sys_platform": "linux", "platform_machine": "x86_64", "python_version": python}

    assert witness.marker.evaluate(machine) is asked_for


def test_the_installed_command_judges_a_capture_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    machine = REPOSITORY / "tests" / "scenarios" / "mixed-front-page"
    shutil.copy(machine / "capture.json", tmp_path / "machine.json")
    command = str(installed / "bin" / "gpuprobe")

    assert ran([command, "--version"], tmp_path) == f"gpuprobe {__version__}\n"
    assert ran([command, "list", "--from", "machine.json"], tmp_path) == (machine / "list.txt").read_text(encoding="utf-8")


def test_the_installed_package_is_the_wheels_own(installed: Path, tmp_path: Path) -> None:
    where = ran([str(installed / "bin" / "python"), "-c", "import gpuprobe; print(gpuprobe.__file__)"], tmp_path)

    assert Path(where.strip()).is_relative_to(installed)


def test_man_finds_the_page_beside_a_command_on_the_path(installed: Path, tmp_path: Path) -> None:
    if shutil.which("man") is None:
        missing("`man`")

    page = ran(["man", "--where", "gpuprobe"], tmp_path, {"PATH": f"{installed / 'bin'}:/usr/bin:/bin"})

    assert page.strip() == str(installed / "share/man/man1/gpuprobe.1")


def started_in(shell: str, home: Path, share: Path) -> list[str]:
    """The command line of an interactive shell whose start-up file says no more than where its completions are."""
    zsh = f"fpath=('{share}/zsh/site-functions' $fpath)\nautoload -Uz compinit\ncompinit -u\n"
    fish = "set -g fish_greeting\nset -g fish_autosuggestion_enabled 0\n"
    start = {
        "bash": (".bashrc", f"PS1='{PROMPT}'\n. {BASH_COMPLETION}\n"),
        "zsh": (".zshrc", f"PROMPT='{PROMPT}'\n{zsh}"),
        "fish": (".config/fish/config.fish", f"{fish}function fish_prompt; echo -n '{PROMPT}'; end\n"),
    }
    name, text = start[shell]
    file = home / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return {"bash": ["bash", "--rcfile", str(file), "-i"], "zsh": ["zsh", "-d", "-i"], "fish": ["fish", "-i"]}[shell]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_that_looks_into_the_installed_folder_completes(installed: Path, tmp_path: Path, shell: str) -> None:
    """As where a distribution packages it: every shell looks into that `share`."""
    if shutil.which(shell) is None or (shell == "bash" and not BASH_COMPLETION.exists()):
        missing(f"`{shell}`")
    share = installed / "share"
    path, data = f"{installed / 'bin'}:/usr/bin:/bin", f"{share}:/usr/share"
    environ = {"PATH": path, "XDG_DATA_DIRS": data, "HOME": str(tmp_path), "TERM": "xterm", "LANG": "C.UTF-8"}

    with running(started_in(shell, tmp_path, share), environ, tmp_path) as opened:
        assert opened.completed("gpuprobe val") == "gpuprobe validate "
