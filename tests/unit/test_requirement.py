"""What `--require` asks, and whether devices meet it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.judging.requirement import EXAMPLE, RequirementError, meets, parse, size_of
from gpuprobe.libraries import LIBRARIES
from gpuprobe.model import DeviceType, GiB, MiB
from tests.records import a_device

OFFERING = ", ".join(library.name for library in LIBRARIES if not library.witness)
BIG = a_device("CUDA", free_memory=23 * GiB, total_memory=24 * GiB)
SMALL = a_device("CUDA", free_memory=7 * GiB, total_memory=8 * GiB, compute_major=6, compute_minor=1, name="Tesla P4")
AMD = a_device("ROCm", free_memory=23 * GiB)


def answer(text: str, *devices: object) -> tuple[bool, bool]:
    return meets(parse(text), devices)[:2]  # type: ignore[arg-type]


def test_the_example_of_the_help_is_read() -> None:
    assert answer(EXAMPLE, BIG, BIG._replace(number=1)) == (True, False)
    assert answer(EXAMPLE, BIG, SMALL) == (False, False)


def test_one_device_is_enough_where_no_count_is_given() -> None:
    assert answer("free>=20GiB", SMALL, BIG) == (True, False)
    assert answer("free>=20GiB", SMALL) == (False, False)
    assert answer("free>=20GiB") == (False, False)


def test_the_same_device_must_meet_all_clauses() -> None:
    assert answer("free>=20GiB, name=tesla", SMALL, BIG) == (False, False)


def test_a_count_alone_counts_every_device() -> None:
    assert answer("count>=2", BIG, AMD) == (True, False)
    assert answer("count=0") == (True, False)
    assert answer("count=1", BIG, AMD) == (False, False)
    assert answer("count>=1, count<=2", BIG, AMD) == (True, False)


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("free>=23GiB", True),
        ("free>23GiB", False),
        ("free=23GiB", True),
        ("free==23GiB", True),
        ("free!=23GiB", False),
        ("free<=23GiB", True),
        ("free<23GiB", False),
        ("FREE >= 23 gib", True),
        (f"free={23 * GiB}B", True),
        ("total>=24.0GiB", True),
        ("total>25769803776bytes", False),
    ],
)
def test_memory_is_compared_in_bytes(text: str, met: bool) -> None:
    assert answer(text, BIG) == (met, False)


def test_a_size_without_a_unit_is_refused_because_it_would_mean_bytes() -> None:
    with pytest.raises(RequirementError, match="`free` needs a unit"):
        parse("free>20")

    assert parse("free>0")


def test_gb_and_gib_differ() -> None:
    card = a_device("CUDA", total_memory=24_000_000_000)

    assert answer("total>=24GB", card) == (True, False)
    assert answer("total>=24GiB", card) == (False, False)
    assert answer("total>=23.5GB", card) == (True, False)
    assert answer("total>=512MiB", card._replace(total_memory=512 * MiB)) == (True, False)


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("compute>=6.1", True),
        ("compute>=7", False),
        ("compute<7.0", True),
        ("compute=6.1", True),
        ("compute=6", False),  # 6 is 6.0
        ("compute>6", True),
    ],
)
def test_compute_capabilities_compare_by_number(text: str, met: bool) -> None:
    assert answer(text, SMALL) == (met, False)


def test_a_capability_of_10_is_more_than_one_of_9() -> None:
    assert answer("compute>=9.0", a_device("CUDA", compute_major=10, compute_minor=3)) == (True, False)


@pytest.mark.parametrize("text", ["compute>=8.0", "compute<8.0", "compute!=8.0"])
def test_compute_speaks_of_cuda_only(text: str) -> None:
    """gfx1100 counts as 11.0 with HIP, which says nothing about CUDA's scale; this is decided, not unknown."""
    assert answer(text, AMD) == (False, False)


def test_libraries_are_named_in_any_spelling() -> None:
    assert answer("library=cuda", BIG, AMD) == (True, False)
    assert answer("library!=CUDA", BIG) == (False, False)
    assert answer("library=level-zero", a_device("Level Zero")) == (True, False)
    assert answer("library=hip", AMD) == (True, False)


def test_a_name_is_met_by_a_part_of_it() -> None:
    assert answer("name=RTX 4090", BIG) == (True, False)
    assert answer("name!=4090", BIG, SMALL) == (True, False)
    assert answer("name!=4090", BIG) == (False, False)


def test_types_are_compared_by_their_names() -> None:
    assert answer("type=discrete", BIG) == (True, False)
    assert answer("type=Integrated", BIG) == (False, False)


def test_an_unknown_figure_does_not_meet_a_clause_and_leaves_the_answer_open() -> None:
    silent = a_device("CUDA", free_memory=None, type=DeviceType.UNKNOWN, compute_major=None)

    assert answer("free>=1GiB", silent) == (False, True)
    assert answer("free<1GiB", silent) == (False, True)
    assert answer("compute>=8.0", silent) == (False, True)
    assert answer("type=discrete", silent) == (False, True)


def test_an_unknown_figure_that_cannot_change_the_answer_leaves_it_decided() -> None:
    silent = a_device("CUDA", free_memory=None)

    assert answer("free>=20GiB", silent, BIG) == (True, False)
    assert answer("free>=20GiB, library=rocm", silent) == (False, False)
    assert answer("count>=3, free>=20GiB", silent, BIG) == (False, False)
    assert answer("count<=1, free>=20GiB", silent, BIG) == (True, True)


def test_the_reason_says_how_many_meet_what_and_what_is_required() -> None:
    silent = a_device("CUDA", free_memory=None)

    met = meets(parse("count>=2, free>=20GiB"), [BIG, SMALL, silent])

    assert met.because == "1 of 3 usable devices with free>=20GiB, of 1 more a figure is unknown, 2 needed"
    assert meets(parse("count>=2"), [BIG]).because == "1 usable device, 2 needed"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "`` is not a requirement"),
        ("vram>=20GiB", "`vram>=20GiB`: did you mean `total` or `free`?"),
        ("free", "`free` is not a requirement"),
        ("free>=", "`free>=` is not a requirement"),
        ("free=>20GiB", "`free=>20GiB`: did you mean `free>=20GiB`?"),
        (
            "free>=20G",
            "`free` takes ",
        ),
        ("free>=-1GiB", "`free` takes "),
        ("free>=20GiB count>=2", "`free` takes "),
        ("free>=20GiB,", "`` is not a requirement"),
        ("count>=two", "`count` takes "),
        ("count>=-1", "`count` takes "),
        ("compute>=sm_80", "`compute` takes "),
        (
            "library=opencl",
            "`library` takes ",
        ),
        ("library=nvml", "`library` takes "),
        ("library>=cuda", "`library>=cuda`: library is compared with = or != only"),
        ("type=unknown", "`type` takes "),
    ],
)
def test_what_cannot_be_read_is_told_with_what_is_accepted(text: str, message: str) -> None:
    with pytest.raises(RequirementError) as refused:
        parse(text)

    assert str(refused.value).startswith(message)
    assert "or example `" in refused.value.hint


@given(st.text(), st.sampled_from([(), (BIG,), (BIG, AMD)]))
def test_any_text_is_a_requirement_or_one_printable_line(text: str, devices: tuple[object, ...]) -> None:
    try:
        met = meets(parse(text), devices)  # type: ignore[arg-type]
    except RequirementError as refused:
        assert str(refused).isprintable()
    else:
        assert met.because.isprintable()


SIZES = st.one_of(st.none(), st.integers(0, 3))


@given(
    st.lists(SIZES, max_size=4),
    st.sampled_from([">=", ">", "=", "!=", "<=", "<"]),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_an_answer_is_open_exactly_if_some_value_of_the_unknown_figures_turns_it(
    sizes: list[int | None], comparison: str, count: int, size: int
) -> None:
    requirement = parse(f"count{comparison}{count}, free>{size}B")
    devices = [a_device("CUDA", free_memory=free) for free in sizes]
    filled = [
        [
            device if device.free_memory is not None else device._replace(free_memory=9 * (place < known))
            for place, device in order
        ]
        for order in [list(enumerate(sorted(devices, key=lambda device: device.free_memory is not None)))]
        for known in range(sizes.count(None) + 1)
    ]

    met = meets(requirement, devices)

    outcomes = {meets(requirement, certain).answer for certain in filled}
    assert met.undecided == (len(outcomes) > 1)
    assert met.answer in outcomes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1", None),
        ("0.5GiB", 512 * 1024**2),
        ("1.5 kb", 1500),
        ("2KiB", 2048),
        ("1mb", 10**6),
        ("3 bytes", 3),
        ("7B", 7),
        ("1.2345678GiB", None),
        ("1TB", 10**12),
        ("1 PB", None),
        ("1,5GB", None),
        ("9" * 18 + "b", int("9" * 18)),
        ("9" * 19 + "b", None),
        ("1.GB", None),
        ("-1GB", None),
    ],
)
def test_a_size_is_whole_bytes_of_a_unit(text: str, size: int | None) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("free=>20GiB", "`free=>20GiB`: did you mean `free>=20GiB`?", f"For example `{EXAMPLE}`"),
        ("vram>=20GiB", "`vram>=20GiB`: did you mean `total` or `free`?", "For example `total>=24GiB`"),
        ("gpus>=2", "`gpus>=2`: did you mean `count`?", "For example `total>=24GiB`"),
        ("library>=cuda", "`library>=cuda`: library is compared with = or != only", "for example `library=cuda`"),
        ("free>=20", "`free` needs a unit", "for example `free>=20GiB`"),
        ("free>= 2.5", "`free` needs a unit", "for example `free>=2.5GiB`"),
        ("free>=x", "`free` takes a size in GiB, GB, MiB, MB or bytes, and `x` is not one", "for example `free>=20GiB`"),
        ("count>=1.5", "`count` takes a whole number, and `1.5` is not one", "for example `count>=2`"),
        ("count>=1234567", "`count` takes a whole number, and `1234567` is not one", "for example `count>=2`"),
        ("compute>=x", "`compute` takes a CUDA compute capability, and `x` is not one", "for example `compute>=8.0`"),
    ],
)
def test_what_is_wrong_with_a_requirement_is_told_with_an_example(text: str, message: str, hint: str) -> None:
    with pytest.raises(RequirementError) as refused:
        parse(text)

    assert (str(refused.value), refused.value.hint) == (message, hint)


def test_a_witness_and_an_unknown_type_are_no_values() -> None:
    for text in ("library=nvml", "type=unknown"):
        with pytest.raises(RequirementError):
            parse(text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("compute = 8", [("compute", "=", (8, 0), "compute=8")]),
        ("COMPUTE==8.9", [("compute", "=", (8, 9), "compute=8.9")]),
        ("name != RTX 4090 ", [("name", "!=", "rtx 4090", "name!=RTX 4090")]),
        ("type=Discrete,total<5 b", [("type", "=", "discrete", "type=Discrete"), ("total", "<", 5, "total<5 b")]),
    ],
)
def test_clauses_are_read_without_their_blanks(text: str, values: list[tuple[object, ...]]) -> None:
    assert [tuple(clause) for clause in parse(text).clauses] == values
    assert [clause.text for clause in parse(text).counts] == ["count>=1"]


CARDS = [a_device("CUDA", name="RTX 4090", total_memory=10, free_memory=free) for free in (5, 9, None)]


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("free>=5b", (True, False, "2 of 3 usable devices with free>=5b, of 1 more a figure is unknown, 1 needed")),
        ("free>5b, count=1", (True, True, "1 of 3 usable devices with free>5b, of 1 more a figure is unknown, count=1 needed")),
        ("free<5b", (False, True, "0 of 3 usable devices with free<5b, of 1 more a figure is unknown, 1 needed")),
        ("count>=3, count<=3", (True, False, "3 usable devices, 3, count<=3 needed")),
        ("count>=4", (False, False, "3 usable devices, 4 needed")),
        ("name=4090, name!=ti", (True, False, "3 of 3 usable devices with name=4090, name!=ti, 1 needed")),
        ("name!=4090", (False, False, "0 of 3 usable devices with name!=4090, 1 needed")),
        ("library!=cuda", (False, False, "0 of 3 usable devices with library!=cuda, 1 needed")),
        ("free>=99b, total>=99b", (False, False, "0 of 3 usable devices with free>=99b, total>=99b, 1 needed")),
        ("compute=8.9", (True, False, "3 of 3 usable devices with compute=8.9, 1 needed")),
    ],
)
def test_what_is_met_and_whether_that_is_sure_is_told(text: str, met: tuple[bool, bool, str]) -> None:
    assert tuple(meets(parse(text), CARDS)) == met


def test_a_capability_of_which_a_part_is_unknown_is_unknown() -> None:
    for card in (CARDS[0]._replace(compute_major=None), CARDS[0]._replace(compute_minor=None)):
        assert meets(parse("compute>=8.0"), [card]).undecided
    assert not meets(parse("compute>=8.0"), [a_device("ROCm")]).undecided
    assert meets(parse("type=discrete"), [CARDS[0]._replace(type=DeviceType.UNKNOWN)]).undecided
    assert meets(parse("name=x"), [CARDS[0]._replace(name=None)]).undecided
    assert meets(parse("count>=1"), CARDS[:1]).because == "1 usable device, 1 needed"
