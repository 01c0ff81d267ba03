"""The recipe for Ansible, by the real Ansible on two names of this host: a fact, documents, and a play that fails by name."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import yaml

from tests import engines
from tests.cli.terminal import REPOSITORY, Ran, piped


class Site:
    """An inventory of two machines, each with a `gpuprobe` of its own on its path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ansible = engines.of_python("ansible")
        engines.recipe("ansible/gpus.yml", folder)
        engines.recipe("ansible/gpuprobe.fact", folder, ("PATH=/opt/gpuprobe/bin", "PATH=${0%/facts/*}"))
        (folder / "gpus").mkdir()
        (folder / "hosts").write_text("".join(f"{name} {self._known(name)}\n" for name in ("n1", "n2")))

    def _known(self, name: str) -> str:
        place = self.folder / name
        path = f"{place}:/usr/bin:/bin"
        known = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "gpuprobe_path": path}
        return " ".join(f"{key}={value}" for key, value in {**known, "gpuprobe_facts": f"{place}/facts"}.items())

    def has(self, name: str, *cards: str) -> None:
        engines.a_machine(self.folder / name, *cards)

    def ran(self, program: str, *words: str) -> Ran:
        path = f"{self.ansible.parent}:{os.environ['PATH']}"
        known = {"HOME": str(self.folder), "PATH": path, "LANG": "C.UTF-8", "ANSIBLE_NOCOLOR": "1", "TMPDIR": str(self.folder)}
        return engines.ran(self.ansible.with_name(program), "-i", "hosts", *words, environ=known, cwd=self.folder)

    @property
    def documents(self) -> dict[str, int]:
        """Usable GPUs, by the machine that a document was kept of."""
        found = sorted((self.folder / "gpus").glob("*.json"))
        return {path.stem: json.loads(path.read_text())["summary"]["usable"] for path in found}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Two machines that should have two cards, and the second has one."""
    two = Site(tmp_path_factory.mktemp("ansible"))
    two.has("n1", engines.an_h100(0), engines.an_h100(1))
    two.has("n2", engines.an_h100(0))
    return two


@pytest.fixture(scope="module")
def played(site: Site) -> Ran:
    return site.ran("ansible-playbook", "gpus.yml", "-e", '{"gpuprobe_require": "count>=2, compute>=9.0"}')


def test_a_machine_that_lacks_a_gpu_fails_by_name_and_the_others_pass(played: Ran) -> None:
    recap = {line.split()[0]: "failed=1" in line for line in played.out.partition("PLAY RECAP")[2].splitlines()[1:] if line}

    assert (played.code, recap) == (2, {"n1": False, "n2": True})
    assert "requirement not met" in played.out


def test_a_document_of_each_machine_is_kept_whether_it_passes_or_not(site: Site, played: Ran) -> None:
    assert site.documents == {"n1": 2, "n2": 1}
    assert "n1" in piped("fleet", str(site.folder / "gpus")).out


@pytest.mark.usefixtures("played")
def test_the_fact_is_read_by_any_other_play(site: Site) -> None:
    arguments = f"fact_path={site.folder}/n1/facts filter=ansible_local gather_subset=!all,!min,local"
    ran = site.ran("ansible", "n1", "-m", "setup", "-a", arguments)

    assert '"usable": 2' in ran.out


def test_what_a_command_of_ansible_s_prints_is_a_fleet(site: Site) -> None:
    command = f"{site.folder}/{{{{ inventory_hostname }}}}/gpuprobe list --json"
    printed = site.folder / "printed"
    printed.write_text(site.ran("ansible", "all", "-m", "command", "-a", command).out)
    shown = piped("fleet", str(printed)).out

    assert "n1" in shown
    assert "n2" in shown


def test_the_play_is_yaml_that_names_only_modules_of_ansible_itself() -> None:
    (play,) = yaml.safe_load((REPOSITORY / "docs" / "recipes" / "ansible" / "gpus.yml").read_text())

    modules = {key for task in play["tasks"] for key in task if "." in key}
    assert all(module.startswith("ansible.builtin.") for module in modules)
