"""What a child says, made into an outcome; nothing it says is trusted."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.model import Call, DeviceType, Outcome, Probe, Purpose, Status
from gpuprobe.probing.answers import Answers

LISTING = Probe("CUDA", Purpose.LIST)


def heard(*lines: object, probe: Probe = LISTING, status: Status = Status.OK, **ended: object) -> Outcome:
    answers = Answers(probe)
    for line in lines:
        answers.take(line if isinstance(line, bytes) else json.dumps(line).encode())
    return answers.outcome(status=status, **ended)


def test_a_whole_answer() -> None:
    outcome = heard(
        {"call": "cuInit", "at": 0.1},
        {"loaded": "/usr/lib/libcuda.so.580.95.05"},
        {"call": "cuDeviceGetCount", "at": 0.25},
        {"device": {"number": 0, "name": "NVIDIA H100", "type": "discrete", "total_memory": 1}},
        {"facts": {"api_version": "13.0"}},
        {"done": True, "at": 0.5},
    )

    assert outcome.status is Status.OK
    assert outcome.calls == (Call("cuInit", 0.15), Call("cuDeviceGetCount", 0.25))
    assert outcome.library_path == "/usr/lib/libcuda.so.580.95.05"
    (device,) = outcome.devices
    assert (device.name, device.type, device.library_path) == ("NVIDIA H100", DeviceType.DISCRETE, outcome.library_path)
    assert outcome.facts == {"api_version": "13.0"}


def test_done_is_the_only_proof_of_success() -> None:
    outcome = heard({"call": "cuInit", "at": 0.1}, {"device": {"number": 0}}, exit_code=0)

    assert (outcome.status, outcome.calls) == (Status.EXITED, (Call("cuInit", None),))
    assert len(outcome.devices) == 1


def test_a_crash_after_the_proof_changes_nothing() -> None:
    outcome = heard({"device": {"number": 0}}, {"done": True, "at": 0.5}, status=Status.CRASHED, signal=11)

    assert outcome.status is Status.OK


def test_no_devices_is_an_answer_of_its_own() -> None:
    assert heard({"done": True, "at": 0.5}).status is Status.NO_DEVICES


def test_a_validation_lists_nothing_and_is_ok() -> None:
    probe = Probe("CUDA", Purpose.VALIDATE, device="GPU-1")

    outcome = heard({"passed": {"depth": "context"}}, {"done": True, "at": 0.5}, probe=probe)

    assert (outcome.status, outcome.depth) == (Status.OK, "context")


def test_the_librarys_own_error_is_kept() -> None:
    failed = {"status": "init_failed", "code": 999, "name": "CUDA_ERROR_UNKNOWN", "message": "the driver did not start"}

    outcome = heard({"call": "cuInit", "at": 0.1}, {"failed": failed}, exit_code=0)

    assert (outcome.status, outcome.code, outcome.code_name) == (Status.INIT_FAILED, 999, "CUDA_ERROR_UNKNOWN")
    assert (outcome.message, outcome.failure) == ("the driver did not start", "init_failed")


def test_two_devices_that_the_library_cannot_tell_apart_are_counted() -> None:
    one = {"device": {"number": 0, "uuid": "6d657361"}}
    other = {"device": {"number": 1, "uuid": "6d657361"}}

    outcome = heard(one, other, {"done": True, "at": 0.5})

    assert [device.key for device in outcome.devices] == ["6d657361", "6d657361#1"]


@pytest.mark.parametrize(
    "rubbish",
    [
        b"rubbish",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"null",
        b"1e999",
        b'{"call": 3, "at": 0}',
        b'{"call": "x", "at": "soon"}',
        b'{"call": "x", "at": true}',
        b'{"device": {}}',
        b'{"device": {"number": "0"}}',
        b'{"device": {"number": 0, "name": 7}}',
        b'{"device": {"number": 0, "total_memory": -1}}',
        b'{"device": {"number": 0, "total_memory": 1.5}}',
        b'{"device": {"number": 0, "type": "quantum"}}',
        b'{"device": {"number": 0, "partition": "mig"}}',
        b'{"failed": {"status": "tired"}}',
        b'{"failed": {"status": "init_failed", "code": "999"}}',
        b'{"facts": 1}',
        b'{"unheard": "of"}',
        b"[" * 100_000,
    ],
)
def test_what_is_not_the_protocol_makes_the_answer_unreadable(rubbish: bytes) -> None:
    outcome = heard({"device": {"number": 0}}, rubbish, {"done": True, "at": 0.5})

    assert outcome.status is Status.UNREADABLE
    assert len(outcome.devices) == 1
    assert "not the protocol" in str(outcome.message)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_KINDS = st.sampled_from(["call", "at", "device", "failed", "passed", "loaded", "facts", "done", "number", "status"])


@given(
    st.lists(st.binary() | st.dictionaries(_KINDS, _JSON, max_size=4).map(lambda said: json.dumps(said).encode()), max_size=6)
)
def test_no_answer_whatever_is_a_bug_of_ours(lines: list[bytes]) -> None:
    outcome = heard(*lines)

    assert isinstance(outcome.status, Status)


CARD = {"number": 3, "uuid": "GPU-1", "name": "NVIDIA H100", "total_memory": 9, "free_memory": 5, "used_memory": 4}
AGAIN = {"number": 3, "uuid": "GPU-1", "again": True, "total_memory": 9, "free_memory": 1, "used_memory": 8}


def heard_again(*quiet: object, status: Status = Status.OK, done: bool = True) -> Outcome:
    """What a second answer becomes, behind a first one with `CARD`; the quiet part is given."""
    first = Answers(LISTING)
    for line in ({"loaded": "/usr/lib/libcuda.so.1"}, {"facts": {"api_version": "13.0"}}, {"device": CARD}):
        first.take(json.dumps(line).encode())
    answers = Answers(LISTING, first)
    answers.take_quiet([line if isinstance(line, bytes) else json.dumps(line).encode() for line in quiet])
    if done:
        answers.take(b'{"done": true, "at": 0.5}')
    return answers.outcome(status=status)


def test_a_device_that_is_told_again_says_what_can_change_and_keeps_the_rest() -> None:
    activity = {"utilization_percent": 37}
    outcome = heard_again(b"nvmlDeviceGetUUID", {"device": {**AGAIN, "capabilities": {"activity": activity}}})

    (device,) = outcome.devices
    assert (device.name, device.free_memory, device.used_memory, device.copy) == ("NVIDIA H100", 1, 8, 0)
    assert device.capabilities == {"activity": activity}
    assert (outcome.status, outcome.library_path) == (Status.OK, "/usr/lib/libcuda.so.1")


def test_what_was_said_of_the_library_is_not_taken_over_into_the_next_answer() -> None:
    """A validation says there how much memory is free: left out, it is unknown."""
    assert heard_again({"device": AGAIN}).facts == {}


def test_a_second_answer_that_ends_before_its_first_call_is_of_a_library_that_was_loaded() -> None:
    first = Answers(LISTING)

    assert Answers(LISTING, first).has_begun
    assert not Answers(LISTING).has_begun


def test_endless_rubbish_is_not_read_to_its_end() -> None:
    answers = Answers(LISTING)
    for _ in range(200):
        answers.take(b"{")
    answers.take(b'{"call": "cuInit", "at": 0.1}')

    assert (answers.rubbish is not None, answers.last_call) == (True, None)


def test_what_is_not_told_again_is_unknown_and_not_as_it_was() -> None:
    (device,) = heard_again({"device": {"number": 3, "uuid": "GPU-1", "again": True}}).devices

    assert (device.total_memory, device.free_memory, device.used_memory) == (None, None, None)


@pytest.mark.parametrize(
    "forged",
    [{"number": 2}, {"number": None}, {"uuid": "GPU-2"}, {"uuid": None}, {"free_memory": -1}, {"free_memory": "1"}],
)
def test_a_device_again_that_was_never_told_makes_the_answer_unreadable(forged: dict[str, object]) -> None:
    assert heard_again({"device": {**AGAIN, **forged}}).status is Status.UNREADABLE


def test_a_first_answer_tells_no_device_again() -> None:
    assert heard({"device": {**AGAIN, "number": 0}}, {"done": True, "at": 1}).status is Status.UNREADABLE


def test_a_quiet_answer_that_ends_in_the_middle_ends_in_its_last_call() -> None:
    outcome = heard_again(b"cuInit", b"cuDevice\xffGet", status=Status.CRASHED, done=False)

    assert (outcome.status, outcome.calls) == (Status.CRASHED, (Call("cuDevice\\xffGet", None),))
    assert heard_again(b"cuInit").calls == ()


def answered(before: Answers | None, *said: object) -> Answers:
    answers = Answers(LISTING, before)
    answers.take_quiet([json.dumps(line).encode() for line in said])
    return answers


def test_what_is_said_again_word_for_word_is_read_once() -> None:
    """Most readings of a card at rest are as the one before."""
    first = answered(None, {"loaded": "/usr/lib/libcuda.so.1"}, {"device": CARD})
    second = answered(first, {"device": AGAIN})
    third = answered(second, {"device": AGAIN})
    fourth = answered(third, {"device": {**AGAIN, "free_memory": 2}})

    (device,), (same,), (other,) = (each.outcome(status=Status.OK).devices for each in (second, third, fourth))
    assert same is device
    assert (device.free_memory, device.library_path, other.free_memory) == (1, "/usr/lib/libcuda.so.1", 2)


def test_the_same_line_after_another_card_is_of_that_one() -> None:
    first = answered(None, {"device": {**CARD, "name": "before"}})
    second = answered(first, {"device": AGAIN})
    renamed = answered(second, {"device": {**CARD, "name": "behind"}})

    (device,) = answered(renamed, {"device": AGAIN}).outcome(status=Status.OK).devices
    assert device.name == "behind"


def test_twins_that_are_told_again_word_for_word_are_still_counted() -> None:
    twins = [{"device": {**CARD, "number": number}} for number in (0, 1)]
    first = answered(None, *twins)

    assert [device.copy for device in answered(first, *twins).devices] == [0, 1]
    assert [device.copy for device in answered(first, twins[1]).devices] == [0]


def test_one_line_a_thousand_times_is_no_thousand_cards_more() -> None:
    first = answered(None, {"device": CARD})

    assert len(answered(first, *[{"device": CARD}] * 2000).devices) == 1024


def test_the_same_line_is_of_another_card_where_its_number_was_given_away() -> None:
    first = answered(None, {"device": CARD})
    second = answered(first, {"device": AGAIN}, {"device": {**CARD, "uuid": "GPU-2"}})

    assert answered(second, {"device": AGAIN}).rubbish is not None


def test_what_a_device_can_do_does_not_grow_from_answer_to_answer() -> None:
    answers = answered(None, {"device": CARD})
    for number in range(20):
        answers = answered(answers, {"device": {**AGAIN, "capabilities": {f"{number}-{each}": 1 for each in range(100)}}})

    assert len(answers.devices) == 0
    assert answers.rubbish is not None


def test_an_answer_that_is_the_same_to_the_byte_is_the_same_devices() -> None:
    """What is worked out from them then holds as it is."""
    lines = ({"facts": {"api_version": "13.0"}}, {"device": AGAIN}, {"device": {**CARD, "number": 4}})
    done = b'{"done": true, "at": 0.5}'
    first = answered(None, {"loaded": "/usr/lib/libcuda.so.1"}, {"device": CARD})
    first.take(done)
    outcomes = []
    for _ in range(3):
        first = answered(first, *lines)
        first.take(done)
        outcomes.append(first.outcome(status=Status.OK))

    second, third, fourth = outcomes
    assert fourth == third == second
    assert fourth.devices is third.devices
    fifth = answered(first, lines[1], {"device": {**CARD, "number": 4, "name": "renamed"}})
    assert fifth.devices[0] is fourth.devices[0]
    assert (fourth.facts, [device.number for device in fourth.devices]) == ({"api_version": "13.0"}, [3, 4])


@pytest.mark.parametrize(
    "other",
    [
        [{"device": {**AGAIN, "free_memory": 2}}],
        [{"device": AGAIN}, {"device": {**CARD, "number": 4}}],
        [{"facts": {"api_version": "13.0"}}, {"device": AGAIN}],
        [{"failed": {"status": "call_failed", "code": 3}}],
        [],
    ],
)
def test_what_follows_an_answer_is_its_own_and_what_follows_that_too(other: list[object]) -> None:
    said: list[list[object]] = [[{"device": CARD}], [{"device": AGAIN}], other, [{"device": {**CARD, "name": "new"}}], other]
    before, whole = None, []
    for lines in said:
        before = answered(before, *lines)
        before.take(b'{"done": true, "at": 0.5}')
        whole.append(before.outcome(status=Status.OK))

    before, loud = None, []
    for lines in said:
        before = Answers(LISTING, before)
        for line in lines:
            before.take(json.dumps(line).encode())
        before.take(b'{"done": true, "at": 0.5}')
        loud.append(before.outcome(status=Status.OK))
    assert [(each.devices, each.facts, each.code, each.status) for each in whole] == [
        (each.devices, each.facts, each.code, each.status) for each in loud
    ]


def test_what_failed_in_one_answer_fails_again_where_the_next_says_the_same() -> None:
    first = answered(None, {"device": CARD})
    for _ in range(3):
        first.take(b'{"done": true, "at": 0.5}')
        first = answered(first, {"failed": {"status": "call_failed", "code": 3}})
        assert first.outcome(status=Status.OK).code == 3


@pytest.mark.parametrize("cut", range(1, 4))
def test_the_same_lines_in_two_pieces_and_more_behind_them_are_all_heard(cut: int) -> None:
    lines = [json.dumps({"device": {**CARD, "number": number}}).encode() for number in range(3)]
    first = Answers(LISTING)
    first.take_quiet(lines[:cut])
    first.take(b'{"done": true, "at": 0.5}')
    second = Answers(LISTING, first)
    second.take_quiet(lines[:cut])
    second.take_quiet(lines[cut:])

    assert [device.number for device in second.outcome(status=Status.OK).devices] == [0, 1, 2]


def test_what_was_said_aloud_beside_the_same_lines_is_not_said_again() -> None:
    """As by a library that writes where the answers go."""
    quiet, loud = ({"device": {**CARD, "number": number}} for number in (0, 1))
    first = answered(None, quiet)
    for line in (loud, {"done": True, "at": 0.5}):
        first.take(json.dumps(line).encode())
    second = answered(first, quiet)
    assert [device.number for device in second.devices] == [0]

    second.take(b'{"done": true, "at": 0.5}')
    third = Answers(LISTING, second)
    third.take(json.dumps(loud).encode())
    third.take_quiet([json.dumps(quiet).encode()])
    assert [device.number for device in third.devices] == [1, 0]


def test_twins_that_come_behind_the_same_lines_are_counted_on() -> None:
    twins = [json.dumps({"device": {**CARD, "number": number}}).encode() for number in (0, 1)]
    first = Answers(LISTING)
    first.take_quiet(twins[:1])
    first.take(b'{"done": true, "at": 0.5}')
    second = Answers(LISTING, first)
    second.take_quiet(twins[:1])
    second.take_quiet(twins[1:])

    assert [device.copy for device in second.devices] == [0, 1]


def test_a_child_has_loaded_one_library() -> None:
    """Its devices and the answer would have come from different files."""
    one, other = {"loaded": "/usr/lib/libcuda.so.1"}, {"loaded": "/tmp/libcuda.so.1"}
    outcome = heard(one, {"device": CARD}, other, {"done": True, "at": 1})

    assert (outcome.status, outcome.library_path) == (Status.UNREADABLE, "/usr/lib/libcuda.so.1")
    assert outcome.devices[0].library_path == "/usr/lib/libcuda.so.1"
    assert heard(one, one, {"device": CARD}, {"done": True, "at": 1}).status is Status.OK


def test_a_library_that_is_named_behind_the_same_lines_is_that_of_their_devices() -> None:
    first = answered(None, {"device": CARD})
    first.take(b'{"done": true, "at": 0.5}')
    second = answered(first, {"device": CARD})
    second.take(b'{"done": true, "at": 0.5}')
    third = answered(second, {"device": CARD})
    third.take(b'{"loaded": "/usr/lib/libcuda.so.1"}')

    assert third.outcome(status=Status.OK).devices[0].library_path == "/usr/lib/libcuda.so.1"


def test_an_answer_of_a_million_lines_is_not_kept_for_the_next_one() -> None:
    first = Answers(LISTING)
    first.take_quiet([b"cuInit"] * 5000)
    first.take(b'{"done": true, "at": 0.5}')

    assert first.told is None
    assert answered(None, {"device": CARD}).told is None  # it has not come to its end
