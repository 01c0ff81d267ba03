"""Whether what came back is what was sent: every element counts, and the first wrong ones are shown."""

from __future__ import annotations

from array import array

import pytest

from gpuprobe.backends.comparing import Wrong, fresh, same

MILLION = 1 << 20


def test_equal_bytes_are_the_same() -> None:
    pattern = fresh(4 * MILLION)

    same("the copy", pattern, bytes(bytearray(pattern)))


def test_a_pattern_is_never_drawn_twice() -> None:
    assert fresh(64) != fresh(64)


def test_one_wrong_element_of_a_million_is_found_and_shown() -> None:
    sent = array("I", range(MILLION))
    back = array("I", sent)
    back[777_777] ^= 1

    with pytest.raises(Wrong, match=r"the kernel: 1 of 1048576 elements are wrong; the first is number 777777") as caught:
        same("the kernel", sent.tobytes(), back.tobytes())

    assert caught.value.wrong == {
        "compared": MILLION,
        "different": 1,
        "first": [{"index": 777_777, "expected": 777_777, "found": 777_776}],
    }
    assert (caught.value.status, caught.value.code, caught.value.name) == ("wrong_result", None, None)


def test_all_wrong_elements_are_counted_and_four_are_shown() -> None:
    with pytest.raises(Wrong) as caught:
        same("the copy", bytes(400), b"\1" * 400, width=1)

    assert (caught.value.wrong["compared"], caught.value.wrong["different"]) == (400, 400)
    assert [each["index"] for each in caught.value.wrong["first"]] == [0, 1, 2, 3]


def test_wrong_floats_are_shown_as_floats_and_what_is_no_number_as_text() -> None:
    expected, found = array("f", [1.0, 2.5, 0.0]), array("f", [1.0, float("nan"), float("-inf")])

    with pytest.raises(Wrong) as caught:
        same("the product", expected.tobytes(), found.tobytes(), kind="f")

    assert caught.value.wrong["first"] == [
        {"index": 1, "expected": 2.5, "found": "nan"},
        {"index": 2, "expected": 0.0, "found": "-inf"},
    ]
