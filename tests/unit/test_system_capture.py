"""The evidence of a diagnosis in a capture: it comes back as it was, names nobody, and old and newer captures are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gpuprobe import __version__, capture
from gpuprobe.capture import redaction
from gpuprobe.facts import Bar, Listing, Reading
from gpuprobe.facts.system_facts import (
    DkmsModule,
    DriverLibrary,
    KernelLog,
    KernelModules,
    LogLine,
    Opened,
    Package,
    Standing,
    SystemFacts,
    SystemGroup,
    UnitFiles,
)
from gpuprobe.machine.services import environment_in
from gpuprobe.model import Evidence
from gpuprobe.schemas.capture_schema import capture_schema
from tests.records import a_card, a_host, evidence_of

SERVER = Standing(
    kind="process",
    name="4711",
    process=4711,
    program="/home/bobby/secretproject/bin/vllm",
    command="vllm",
    arguments=("serve", "-tp", "2"),
    account="bobby",
    uid=1001,
    gid=1001,
    groups=(1001,),
    environ={"HOME": "/home/bobby", "LD_LIBRARY_PATH": "/srv/acmecorp/lib", "CUDA_VISIBLE_DEVICES": "0"},
    root="/",
    cgroup="/user.slice/user-1001.slice/vllm-acme.service",
    unit="vllm-acme.service",
    libraries=("/home/bobby/secretproject/lib/libcudart.so.12",),
    limits={"Max locked memory": "8388608"},
    problems={"label": "absent"},
)
FACTS = SystemFacts(
    texts={"/proc/modules": Reading("nvidia 1 0 - Live 0x0\n"), "/proc/x": Reading(None, "denied")},
    files={
        "/etc/docker/daemon.json": Reading('{"runtimes": {}}'),
        "/etc/nvidia-container-runtime/config.toml": Reading("# of alicia at 10.9.8.7\nlog = /home/alicia/ctk.log\n"),
    },
    listings={"/etc/cdi": Listing(("nvidia.yaml",)), "/etc/y": Listing(None, "absent")},
    opened=(Opened("/dev/kfd", 22, "EINVAL"), Opened("/dev/nvidia0", why_not="asleep")),
    log=KernelLog(
        "/dev/kmsg",
        (LogLine("audit: alicia on wonderbox, serial number: PK12-A77431 mac 02:42:ac:11:00:02 nvidia denied", 4.5, 2, 9.5),),
        {"journalctl -k -b": "absent"},
        is_whole=True,
    ),
    modules=(KernelModules("6.1.0-18-amd64", ("updates/dkms/nvidia.ko",), (), "there"),),
    claims={"0000:01:00.0": ("nvidia",)},
    dkms=(DkmsModule("nvidia", "580", ("6.1.0-18-amd64",), Reading("make: /home/alicia/x failed")),),
    packages=(Package("nvidia-driver-580", "580.95", "dpkg"),),
    package_lists={"dpkg": None, "rpm": "absent"},
    account="alicia",
    login_groups=(44, 1000),
    groups=(SystemGroup("render", 992, True, ("ollama",)),),
    units=(
        UnitFiles(
            "ollama.service", "user", {"/home/alicia/.config/systemd/user/ollama.service": Reading("[Service]\nUser=alicia\n")}
        ),
        UnitFiles("ollama.service", files={"/etc/systemd/system/ollama.service": Reading("[Service]\nEnvironment=A=1\n")}),
    ),
    servers=(SERVER,),
    daemons={"dockerd": 5},
    driver_libraries=(DriverLibrary("/etc/vulkan/icd.d/x.json", "libx.so", None),),
    seen_as=Standing("account", "alicia", account="alicia", uid=1000, problems={"environ": "absent"}),
)
SECRETS = ("alicia", "bobby", "wonderbox", "secretproject", "acmecorp", "10.9.8.7", "PK12-A774", "02:42:ac")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Evidence:
    monkeypatch.setattr("getpass.getuser", lambda: "alicia")
    monkeypatch.setattr("socket.gethostname", lambda: "wonderbox.example.org")
    card = a_card(bars=(Bar(0, 1, 256), Bar(1, 0, 16 << 30)))
    return evidence_of(host=a_host(pci=(card,), environ={"HOME": "/home/alicia"}, system=FACTS))


def system_of(evidence: Evidence) -> SystemFacts:
    assert evidence.host.system is not None
    return evidence.host.system


def test_all_of_it_fits_the_schema_that_ships(machine: Evidence) -> None:
    jsonschema.Draft202012Validator(capture_schema()).validate(capture.document(machine))


def test_none_of_the_people_and_machines_in_it_is_in_a_capture(machine: Evidence) -> None:
    text = capture.text(machine)

    assert [secret for secret in SECRETS if secret in text] == []


def test_what_is_judged_comes_back_as_it_was(machine: Evidence, tmp_path: Path) -> None:
    capture.save(tmp_path / "machine.json", machine)

    found = system_of(capture.load(tmp_path / "machine.json"))

    same = (
        "texts",
        "listings",
        "opened",
        "modules",
        "claims",
        "packages",
        "package_lists",
        "login_groups",
        "groups",
        "daemons",
    )
    assert [name for name in same if getattr(found, name) != getattr(FACTS, name)] == []
    assert found.driver_libraries == FACTS.driver_libraries
    assert (found.servers or ())[0].unit == "vllm-acme.service"
    assert (found.servers or ())[0].cgroup == "/user.slice/user-1001.slice/vllm-acme.service"
    assert environment_in((found.units or ())[1]) == {"A": "1"}


def test_one_account_has_one_pseudonym_everywhere(machine: Evidence) -> None:
    system = capture.document(machine)["evidence"]["host"]["system"]
    alicia, bobby = (redaction.pseudonym("user", name) for name in ("alicia", "bobby"))

    assert (system["account"], system["seen_as"]["account"], system["seen_as"]["name"]) == (alicia, alicia, alicia)
    assert system["servers"][0]["account"] == bobby
    assert system["servers"][0]["program"].startswith(f"/home/{bobby}/dir-")
    assert list(system["units"][0]["files"]) == [f"/home/{alicia}/.config/systemd/user/ollama.service"]
    assert system["units"][0]["files"][f"/home/{alicia}/.config/systemd/user/ollama.service"]["text"].endswith(
        f"User={alicia}\n"
    )


def test_a_host_called_like_a_module_changes_no_module(machine: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "nvidia")

    system = capture.document(machine)["evidence"]["host"]["system"]

    assert system["modules"][0]["files"] == ["updates/dkms/nvidia.ko"]
    assert system["packages"][0]["name"] == "nvidia-driver-580"
    assert system["texts"]["/proc/modules"]["text"].startswith("nvidia ")


def test_the_account_of_a_service_keeps_its_name() -> None:
    system = SystemFacts(servers=(Standing("process", "7", 7, account="ollama"),), account="root")

    written = capture.document(evidence_of(host=a_host(system=system)))["evidence"]["host"]["system"]

    assert (written["servers"][0]["account"], written["account"]) == ("ollama", "root")


def test_a_capture_from_before_holds_none_of_it(tmp_path: Path) -> None:
    capture.save(tmp_path / "old.json", evidence_of(host=a_host(pci=(a_card(),))))

    host = capture.load(tmp_path / "old.json").host

    assert (host.system, host.pci[0].bars) == (None, None)


def changed(tmp_path: Path, machine: Evidence, version: str, **more: Any) -> Path:
    said = capture.document(machine)
    said["gpuprobe"] = version
    said["evidence"]["host"]["system"] |= more
    (tmp_path / "new.json").write_text(json.dumps(said))
    return tmp_path / "new.json"


def test_a_newer_capture_is_read_as_far_as_it_is_known_and_names_its_version(machine: Evidence, tmp_path: Path) -> None:
    path = changed(tmp_path, machine, "99.0", weather="fine", opened={"another": "form"}, daemons={"dockerd": "five"})

    found = capture.load(path)

    assert (system_of(found).opened, system_of(found).daemons) == (None, None)
    assert system_of(found).packages == FACTS.packages
    assert "99.0" in found.not_understood[0]
    assert "weather" in found.not_understood[0]


def test_what_this_release_wrote_otherwise_is_damage(machine: Evidence, tmp_path: Path) -> None:
    with pytest.raises(capture.CaptureError, match="damaged"):
        capture.load(changed(tmp_path, machine, __version__, weather="fine"))
