"""Software that was found, in documents and under the device it would compute on."""

from __future__ import annotations

from io import StringIO

import pytest

from gpuprobe.facts import CodeFile, FoundEngine, FoundSoftware, Need
from gpuprobe.model import Json
from gpuprobe.probing.runtime_loading import Loads
from gpuprobe.render import software_text
from gpuprobe.render.screen import Screen
from tests.records import a_host, evidence_of
from tests.unit.test_compatibility import a_geforce

CUDART = FoundSoftware("libcudart", "/usr/local/cuda/lib64/libcudart.so.13", "toolkit", "CUDA", release="13.0")
GEFORCE = a_geforce("470.223.02")

BRANCH = "; branch 580 has it (long-term support, until 2028-06)"


def answers(*software: FoundSoftware) -> list[Json]:
    found: list[Json] = software_text.compatibility_of(GEFORCE, evidence_of(GEFORCE, host=a_host(software=software)))[
        "compatibility"
    ]
    return found


def drawn(records: list[Json]) -> str:
    screen = Screen(StringIO(), StringIO(), {"COLUMNS": "200"})
    return screen.drawn(software_text.lines(records))


def test_nothing_found_and_nothing_looked_for_are_different_answers() -> None:
    assert software_text.software_records(None) == {}
    assert software_text.software_records(()) == {"software": []}
    assert software_text.compatibility_of(GEFORCE, evidence_of(GEFORCE, host=a_host(software=None))) == {}


def test_what_was_found_is_a_record_with_unknowns_left_unknown() -> None:
    (record,) = software_text.software_records((CUDART,))["software"]

    assert record == {
        "name": "libcudart",
        "library": "CUDA",
        "version": None,
        "release": "13.0",
        "path": "/usr/local/cuda/lib64/libcudart.so.13",
        "where": "toolkit",
        "architectures": [],
        "problem": None,
        "damage": None,
        "through": None,
        "distribution": None,
        "compiles": False,
        "files": [],
        "needs": [],
    }


def test_a_problem_reaches_no_terminal_with_escape_codes() -> None:
    (record,) = software_text.software_records((CUDART._replace(problem="\x1b[31mred"),))["software"]

    assert record["problem"] == "\\x1b[31mred"


def test_the_answer_stands_with_its_reason_below_what_it_is_about() -> None:
    heading, what, because = (line for line in drawn(answers(CUDART)).splitlines() if line)

    assert "by its files" in heading
    assert what.strip() == "libcudart 13.0: unsupported, toolkit /usr/local/cuda/lib64/libcudart.so.13"
    assert because.strip() == "driver 470.223.02 is too old for CUDA 13.0: it needs 580.65.06" + BRANCH


def test_without_software_there_is_no_heading() -> None:
    assert drawn([]) == ""


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (Loads(True), "it loads"),
        (Loads(False, "libfoo.so.1 is missing"), "it does not load: libfoo.so.1 is missing"),
        (Loads(None, "its file is another user's"), "whether it loads is not known: its file is another user's"),
    ],
)
def test_whether_it_loads_is_told_where_that_was_tried(load: Loads, said: str) -> None:
    record = {"compatibility": answers(CUDART)}

    with_it = software_text.with_loads(record, {CUDART.path: load})["compatibility"]

    assert (with_it[0]["loads"], with_it[0]["load_because"]) == (load.answer, load.because)
    assert drawn(with_it).splitlines()[-1].strip() == said
    assert software_text.with_loads(record, {}) == software_text.with_loads(record, {"/another": load}) == record


def test_each_file_stands_with_its_own_answer_where_there_are_several() -> None:
    files = (CodeFile("/v/torch/liba.so", ("sm_89",)), CodeFile("/v/torch/libb.so", ("sm_90",), main=False))
    torch = CUDART._replace(name="torch", path="/v/torch", release=None, files=files)

    (record,) = answers(torch)
    text = drawn([record])

    assert [file["answer"] for file in record["files"]] == ["native", "unsupported"]
    assert "liba.so: native; it has machine code for 8.9" in text
    assert "libb.so: unsupported; it has code for 9.0" in text


def test_what_is_missing_stands_with_what_is_there_instead() -> None:
    needs = (Need("libcublas.so.12", None, ("13",)), Need("libcudart.so.13", "/x/libcudart.so.13"))

    missing = drawn(answers(CUDART._replace(needs=needs)))
    found = drawn(answers(CUDART._replace(needs=needs[1:])))

    assert "libcublas.so.12 was not found; there is 13" in missing
    assert "what it needs was found: libcudart.so.13" in found


def test_engines_that_are_not_asked_are_listed_and_absent_where_there_are_none() -> None:
    sycl = FoundEngine("SYCL", "/opt/libggml-sycl.so", "--lib-dir", "Intel GPUs")

    assert software_text.engine_records(()) == {}
    assert software_text.engine_records((sycl,)) == {
        "engines": [
            {
                "name": "SYCL",
                "path": "/opt/libggml-sycl.so",
                "where": "--lib-dir",
                "serves": "Intel GPUs",
                "status": "not_asked",
            }
        ]
    }
