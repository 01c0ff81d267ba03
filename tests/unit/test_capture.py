"""A machine as evidence in a file: written redacted, read strictly, judged to the same answer."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gpuprobe import capture
from gpuprobe.capture import CaptureError, redaction, secrets
from gpuprobe.capture.secrets import ALWAYS, IN_FREE_TEXTS, Secret, by_pattern
from gpuprobe.model import Call, Evidence, Outcome, Partition, Probe, Purpose, Status
from gpuprobe.wire import ShapeError, from_json, to_json
from tests.records import a_card, a_device, a_host, a_manifest, a_slice, an_outcome, evidence_of

SCHEMAS = Path(capture.__file__).parents[1] / "schemas"


def rich_evidence() -> Evidence:
    """Every kind of value that a record holds."""
    host = a_host(
        pci=(a_card(numa_node=0),), manifests=(a_manifest(),), environ={"CUDA_VISIBLE_DEVICES": "0"}, facts={"a": 1, "b": None}
    )
    probe = Probe(
        "Vulkan", Purpose.ALONE, manifest="/a.json", variables=(("VK_DRIVER_FILES", "/a.json"), ("VK_ICD_FILENAMES", None))
    )
    crashed = Outcome(
        probe, Status.CRASHED, calls=(Call("vkCreateInstance", None),), signal=11, stderr="\x1b[31mlast words", facts={"x": [1]}
    )
    slices = a_slice(uuid="MIG-1", partition=Partition("mig", "GPU-1"), sources=(("free_memory", "NVML"),))
    return evidence_of(a_device(capabilities={"sm_count": 132}), slices, host=host, outcomes=(crashed,))


def written(path: Path, change: dict[str, Any]) -> Path:
    path.write_text(json.dumps({**capture.document(rich_evidence()), **change}))
    return path


def test_what_is_written_is_read_back_as_it_was(tmp_path: Path) -> None:
    evidence = rich_evidence()

    capture.save(tmp_path / "machine.json", evidence)

    assert capture.load(tmp_path / "machine.json") == evidence


def test_a_capture_fits_the_schema_that_ships() -> None:
    schema = json.loads((SCHEMAS / "capture.schema.json").read_text())

    jsonschema.validate(json.loads(json.dumps(capture.document(rich_evidence()))), schema)


def test_a_capture_is_for_its_owner_only_and_leaves_nothing_else(tmp_path: Path) -> None:
    capture.save(tmp_path / "machine.json", rich_evidence())

    assert [path.name for path in tmp_path.iterdir()] == ["machine.json"]
    assert stat.S_IMODE((tmp_path / "machine.json").stat().st_mode) == 0o600


def test_a_capture_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "machine.json"
    path.write_text("old")

    with pytest.raises(TypeError):
        capture.save(path, rich_evidence()._replace(gathered_at=object()))  # type: ignore[arg-type]

    assert (path.read_text(), len(list(tmp_path.iterdir()))) == ("old", 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b"[]", "is not a capture; make one with `gpuprobe capture machine.json`"),
        (b'{"schema_version": 1, "summary": {}}', "but an answer of `--json`, which holds the judgement and not the evidence"),
    ],
)
def test_a_foreign_file_is_refused_with_what_it_is(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "machine.json"
    path.write_bytes(content)

    with pytest.raises(CaptureError) as refusal:
        capture.load(path)

    assert message in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="cannot be read: No such file or directory"):
        capture.load(tmp_path / "nothing.json")


def test_a_capture_of_the_future_is_refused_by_its_version(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="is a capture of version 99; this gpuprobe reads version 1"):
        capture.load(written(tmp_path / "machine.json", {"schema_version": 99}))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("host", "uid"), "root", "host.uid: int is needed, not str"),
        (("host", "pci"), {}, "host.pci: an array is needed, not dict"),
        (("host", "surprise"), 1, "host: unknown field `surprise`"),
        (("outcomes", 0, "status"), "fine", "outcomes[0].status: 'fine' is none of"),
        (("outcomes", 0, "probe", "library"), "GL", "names a library that this gpuprobe does not know: 'GL'"),
        (("outcomes", 0, "devices", 0, "total_memory"), 1.5, "outcomes[0].devices[0].total_memory: int is needed, not float"),
    ],
)
def test_a_damaged_capture_is_refused_with_the_place(
    tmp_path: Path, place: tuple[Any, ...], value: object, message: str
) -> None:
    document = json.loads(json.dumps(capture.document(rich_evidence())))
    inner = document["evidence"]
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    path = tmp_path / "machine.json"
    path.write_text(json.dumps(document))

    with pytest.raises(CaptureError) as refusal:
        capture.load(path)

    assert message in str(refusal.value)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ShapeError, match=r"outcomes\[0\].probe: the field `purpose` is missing"):
        from_json(Evidence, {**to_json(rich_evidence()), "outcomes": [{"probe": {"library": "CUDA"}, "status": "ok"}]})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
_FIELDS = st.sampled_from(["host", "outcomes", "gathered_at", "probe", "status", "devices", "library", "purpose"])


@given(st.dictionaries(_FIELDS, _JSON) | _JSON)
def test_no_json_whatever_is_a_bug_of_ours(said: object) -> None:
    try:
        evidence = from_json(Evidence, said)
    except ShapeError as refusal:
        assert str(refusal)
    else:
        assert isinstance(evidence, Evidence)


def test_people_and_machines_are_taken_out_of_every_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "alice")
    monkeypatch.setattr("socket.gethostname", lambda: "wonderland.example.org")
    host = a_host(environ={"HOME": "/data/homes/alice"})
    secret = {
        "/home/alice/key stays": "/home/alice/lib:/data/homes/alice/lib and /home/alicette",
        "stderr": "on wonderland, not on wonderland-like",
        "list": ["a" * 64, "Linux version 6.1 (root@builder.example.org)"],
    }

    clean = redaction.redacted(secret, host)

    pairs = (("user", "alice"), ("host", "wonderland"), ("id", "a" * 64), ("id", "root@builder.example.org"))
    user, name, container, builder = (redaction.pseudonym(*pair) for pair in pairs)
    other = redaction.pseudonym("dir", "alicette")
    assert clean == {
        "/home/alice/key stays": f"/home/{user}/lib:/data/homes/{user}/lib and /home/{other}",
        "stderr": f"on {name}, not on wonderland-like",
        "list": [container, f"Linux version 6.1 ({builder})"],
    }


@pytest.mark.parametrize("name", ["linux", "CUDA", "nvidia", "ok", "libcuda"])
def test_a_host_with_the_name_of_something_that_is_judged_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: name)

    capture.save(tmp_path / "machine.json", rich_evidence())

    assert capture.load(tmp_path / "machine.json") == rich_evidence()


def test_what_marks_a_container_stays_a_mark_and_loses_its_value() -> None:
    environ = {"KUBERNETES_SERVICE_HOST": "10.9.8.7", "CUDA_VISIBLE_DEVICES": "0"}
    clean = redaction.redacted({"host": {"environ": environ}}, a_host())

    assert clean["host"]["environ"]["CUDA_VISIBLE_DEVICES"] == "0"
    assert clean["host"]["environ"]["KUBERNETES_SERVICE_HOST"] not in ("", "10.9.8.7")


@pytest.mark.parametrize("number", [10**400, -(10**400), float("nan"), float("inf")])
def test_a_number_that_no_machine_has_is_refused(tmp_path: Path, number: float) -> None:
    document = json.loads(json.dumps(capture.document(rich_evidence())))
    document["evidence"]["outcomes"][0]["devices"][0]["total_memory"] = number
    (tmp_path / "machine.json").write_text(json.dumps(document))

    with pytest.raises(CaptureError, match="damaged capture"):
        capture.load(tmp_path / "machine.json")


def test_gpu_uuids_stay_because_devices_are_chosen_by_them() -> None:
    uuid = "GPU-5a1b2c3d-0000-0000-0000-00000000000a"

    assert redaction.redacted([uuid], a_host()) == [uuid]


def test_an_account_without_a_name_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", nameless)

    assert redaction.redacted(["/home/user/x"], a_host()) == ["/home/user/x"]


def test_an_outcome_that_says_nothing_is_written_short() -> None:
    assert to_json(an_outcome(library="CUDA", status=Status.NO_DEVICES)) == {
        "probe": {"library": "CUDA", "purpose": "list"},
        "status": "no_devices",
        "seconds": 0.05,
    }


FREE = "stderr"


REPEATED = [
    "x",
    "a@",
    "@",
    "0a",
    "1.",
    "a:",
    "eyJ",
    "token ",
    "token: ",
    "serial ",
    "serial#",
    "1",
    "fe80:",
    "hf_",
    "/home/",
    ".-+",
]


@pytest.mark.parametrize("piece", REPEATED)
def test_a_line_of_a_mebibyte_is_redacted_whatever_repeats_in_it(piece: str) -> None:
    """A pattern that begins anew at each place takes an hour for it, in a call that nothing can interrupt."""
    program = "import sys; from gpuprobe.capture.redaction import redacted; from tests.records import a_host\n"
    program += "line = sys.argv[1] * ((1 << 20) // len(sys.argv[1])); redacted({'stderr': line, 'path': line}, a_host())"
    done = subprocess.run([sys.executable, "-c", program, piece], check=False, timeout=120, cwd=Path(__file__).parents[2])

    assert done.returncode == 0


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("built by alice@host.example for you", "alice@host.example"),
        (f"{'x' * 70}alice@host.example", "host.example"),
        ("connecting to 192.168.17.4:8080", "192.168.17.4"),
        ("peer 2001:db8:0:1:2:3:4:5 refused", "2001:db8:0:1:2:3:4:5"),
        ("link fe80::1ff:fe23:4567", "1ff:fe23"),
        ("ether aa:bb:cc:0d:ee:ff", "aa:bb:cc:0d:ee:ff"),
        ("board serial number: 1324021039482", "1324021039482"),
        ("Serial: PK12-A77431", "PK12-A77431"),
        ("login with hf_abcdefgh12345678", "hf_abcdefgh12345678"),
        ("OPENAI sk-proj-abcdef0123456789", "sk-proj-abcdef0123456789"),
        ("key AKIAABCDEFGH12345678", "AKIAABCDEFGH12345678"),
        ('{"token": "a1b2c3d4e5f6"}', "a1b2c3d4e5f6"),
        ("Authorization: Bearer 0123456789abcdef", "0123456789abcdef"),
        ("password=hunter2hunter2", "hunter2hunter2"),
    ],
)
def test_what_a_library_says_of_people_and_machines_gets_the_same_pseudonym_everywhere(text: str, secret: str) -> None:
    once, again = redaction.redacted([{FREE: text}, {"message": f"once more: {text}"}], a_host())

    assert secret not in once[FREE]
    assert secret not in again["message"]
    assert once[FREE] in again["message"]


@pytest.mark.parametrize(
    "text",
    [
        "0000:01:00.0 is at 0000:41:00.0",
        "driver 32.0.101.6078 and CUDA 13.0.96",
        "listening on 127.0.0.1:11434",
        "GPU-11111111-2222-3333-4444-555555555555",
        "token limit of the context is 4096",
        "error 999 (cudaErrorUnknown) in cuInit",
        "serial execution of 4 kernels",
    ],
)
def test_what_a_diagnosis_needs_stays_in_the_words_of_a_library(text: str) -> None:
    assert redaction.redacted({FREE: text}, a_host()) == {FREE: text}


@given(st.text(max_size=200) | st.text("0a@.+-: ", max_size=200))
@example("0@0@0")
def test_redacting_twice_changes_no_more_than_once(text: str) -> None:
    once = redaction.redacted({FREE: text}, a_host())

    assert redaction.redacted(once, a_host()) == once


@given(
    text=st.text("hf_sk-gho@.:0123456789abcdef ABEYJ\"'= tokenserialpasswordapiKEY/\\\u017f\u212a\u0131é", max_size=200),
    secret=st.sampled_from((*ALWAYS, *IN_FREE_TEXTS)),
)
def test_where_no_sign_of_a_secret_stands_its_pattern_finds_none(text: str, secret: Secret) -> None:
    if list(secret.find(text)):
        assert secret.may_be_in(text)


@pytest.mark.parametrize("letter", ["\u017f", "\u212a", "\u0130", "\u0131"])
def test_a_letter_that_a_pattern_takes_for_an_ascii_one_hides_no_secret(letter: str) -> None:
    words = ("serial = abc123", "token = abcdefgh1", "secret=abcdefgh1", "api_key=abcdefgh1")
    for text in {word.replace(known, letter) for word in words for known in "ski"}:
        for secret in IN_FREE_TEXTS:
            assert secret.may_be_in(text) or not list(secret.find(text))


def test_a_drivers_noise_without_ascii_is_looked_through_by_no_pattern() -> None:
    assert not [secret for secret in (*ALWAYS, *IN_FREE_TEXTS) if secret.may_be_in("\udcff\u00e9" * 10)]


def test_a_name_that_is_not_ascii_is_left_to_its_pattern() -> None:
    """The lower case of a sigma is another one where a word ends."""
    secret = Secret("user", by_pattern("\u0391\u03a3"), signs=("\u0391\u03a3".lower(),))

    assert secret.may_be_in("\u0391\u03a3\u0391")


KEY_PIECES = (
    "token",
    "secret",
    "api_key",
    "bearer ",
    "=",
    ":",
    " ",
    '"',
    "1",
    "a",
    "abcdefgh",
    ",",
    "key-0000",
    "x" * 399,
    "=1234567",
)


@given(st.lists(st.sampled_from(KEY_PIECES), max_size=14).map("".join))
def test_named_keys_are_what_their_pattern_finds(text: str) -> None:
    assert list(secrets._named_keys(text)) == [found.span(1) for found in secrets._NAMED_KEY.finditer(text)]
