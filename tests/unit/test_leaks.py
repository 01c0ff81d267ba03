"""All secrets at once: none of them is in a capture, each has one pseudonym, and the judgement is that of the machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpuprobe import capture
from gpuprobe.capture import private_names, redaction
from gpuprobe.capture.private_names import is_known, value_of_variable
from gpuprobe.facts import FoundBuild, FoundLibrary, Manifest, Reading
from gpuprobe.judging.rules import judge
from gpuprobe.model import Evidence, Request
from tests.cli import machines
from tests.records import a_card, an_outcome

LIBRARIES = "/data/customerXYZ/lib"
BUILD = f"{LIBRARIES}/ollama/cuda_v13"
PROJECT = "/home/alice/secretproject/lib"
SECRETS = ("alice", "customerXYZ", "secretproject", "wonderland", "acme", "kustom", "10.9.8.7", "hf_abcdefgh1234", "PK12-A774")


def told(*pieces: str) -> str:
    return " ".join(pieces)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Evidence:
    monkeypatch.setattr("getpass.getuser", lambda: "alice")
    monkeypatch.setattr("socket.gethostname", lambda: "wonderland.example.org")
    card = machines.a_geforce(library_path=f"{LIBRARIES}/libcuda.so.1")
    host = machines.a_workstation(
        pci=(a_card(machines.FIRST),),
        environ={
            "HOME": "/home/alice",
            "LD_LIBRARY_PATH": f"{LIBRARIES}:{PROJECT}:acme/lib:/usr/lib/x86_64-linux-gnu",
            "CUDA_VISIBLE_DEVICES": f"0,{card.uuid},acme-pool,3acme",
            "OLLAMA_KV_CACHE_TYPE": "kustom",
            "KUBERNETES_SERVICE_HOST": "10.9.8.7",
        },
        libraries=(FoundLibrary("libcuda.so.1", f"{LIBRARIES}/libcuda.so.1", f"{PROJECT}/libcuda.so.580", "LD_LIBRARY_PATH"),),
        manifests=(Manifest("/data/acme/icd.d/nvidia_icd.json", Reading('{"library_path": "/data/acme/lib/libGLX.so"}')),),
        builds=(
            FoundBuild(
                "cuda_v13", "CUDA", f"{LIBRARIES}/ollama/cuda_v13/libggml-cuda.so", (), (f"{LIBRARIES}/ollama",), "Ollama"
            ),
        ),
    )
    words = told(
        f"alice on wonderland at 10.9.8.7 opened {LIBRARIES}/x.so, `{PROJECT}/y`",
        "and /srv/acme/models/kustom.gguf with hf_abcdefgh12345678, serial number: PK12-A77431",
    )
    failed = machines.refused(card)._replace(stderr=words, message=f"cannot open {LIBRARIES}/libcublas.so.13")
    return machines.evidence(an_outcome(card), failed, host=host)


def test_none_of_them_is_in_a_capture(machine: Evidence) -> None:
    text = capture.text(machine)

    assert [secret for secret in SECRETS if secret in text] == []


def test_each_has_one_pseudonym_everywhere(machine: Evidence) -> None:
    evidence = capture.document(machine)["evidence"]
    host, failed = evidence["host"], evidence["outcomes"][1]

    customer = redaction.pseudonym("dir", "customerXYZ")
    assert host["environ"]["LD_LIBRARY_PATH"].startswith(f"/data/{customer}/lib:/home/")
    assert host["libraries"][0]["path"] == f"/data/{customer}/lib/libcuda.so.1"
    assert f"/data/{customer}/lib/ollama/cuda_v13/libggml-cuda.so" == host["builds"][0]["path"]
    assert f"/data/{customer}/lib/x.so" in failed["stderr"]
    assert failed["message"] == f"cannot open /data/{customer}/lib/libcublas.so.13"
    assert redaction.pseudonym("dir", "secretproject") in host["libraries"][0]["real_path"]
    assert host["manifests"][0]["path"].endswith("/icd.d/nvidia_icd.json")
    assert host["environ"]["LD_LIBRARY_PATH"].endswith(":/usr/lib/x86_64-linux-gnu")


def test_what_a_value_means_to_a_library_stays(machine: Evidence) -> None:
    environ = capture.document(machine)["evidence"]["host"]["environ"]

    number, uuid, word, mixed = environ["CUDA_VISIBLE_DEVICES"].split(",")
    assert (number, uuid) == ("0", machines.a_geforce().uuid)
    assert word.startswith("value-")
    assert mixed.startswith("3value-")


def test_the_judgement_is_that_of_the_machine(machine: Evidence, tmp_path: Path) -> None:
    capture.save(tmp_path / "machine.json", machine)

    here, there = (judge(each, Request()) for each in (machine, capture.load(tmp_path / "machine.json")))

    assert [device.key for device in here.kept] == [device.key for device in there.kept]
    assert [(drop.device.key, drop.reason) for drop in here.drops] == [(drop.device.key, drop.reason) for drop in there.drops]


INSTALLED = (
    "lib lib64 bin ollama llama.cpp cuda_v13 cuda-12.4 rocm_v7_2 site-packages python3.12 6.2.1 libggml-cuda.so .venv "
    "libcuda.so.580.95.05 nvidia_icd.json x86_64-linux-gnu cuda_jetpack6 miniconda3 dir-1f3a"
)


@pytest.mark.parametrize("name", INSTALLED.split())
def test_names_that_installers_give_stay(name: str) -> None:
    assert is_known(name)


@pytest.mark.parametrize("name", ["customerXYZ", "secretproject", "cuda_for_acme", "lib-alice", "models-of-bob", "x" * 300])
def test_names_that_people_give_do_not(name: str) -> None:
    assert not is_known(name)


@pytest.mark.parametrize(
    "value",
    [
        "0,1",
        "-1",
        "GPU-1a2b",
        "MIG-GPU-11111111-2222-3333-4444-555555555555/1/0",
        "q8_0",
        "10.3.0",
        "true",
        "all",
        "8GiB",
        "0.1",
    ],
)
def test_values_that_libraries_know_stay(value: str) -> None:
    assert value_of_variable(value, redaction.pseudonym, frozenset()) == value


def test_a_pseudonym_is_a_known_name_and_stays(machine: Evidence) -> None:
    once = json.loads(json.dumps(capture.document(machine)["evidence"]))

    again = redaction.redacted(once["outcomes"], machine.host)

    assert again == once["outcomes"]


def test_a_word_that_is_repeated_is_looked_at_once() -> None:
    """A variable of a mebibyte cost seconds for the same word half a million times."""
    asked: list[str] = []

    def pseudonym(kind: str, word: str) -> str:
        asked.append(word)
        return f"{kind}-0000"

    found = value_of_variable("acme acme " * 100, pseudonym, frozenset())

    assert (found, asked) == ("value-0000 value-0000 " * 100, ["acme"])


def test_a_path_that_is_repeated_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(private_names, "is_known", asked.append)

    found = private_names.names_in_paths({"stderr": "/acme/tool " * 100}, {"A": "/acme/tool:" * 100}, ())

    assert found == ("acme", "tool")
    assert len(asked) == len(set(asked)) == 3
