"""The first line of `running` and what has to be said besides; the line that `doctor --for` gets of it."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.judged_process import Judged, Where
from gpuprobe.doctor.process_summary import Absent, headline, line_for, remarks
from gpuprobe.machine.known_programs import OLLAMA, RUNNER, VLLM, Program
from gpuprobe.machine.process_records import Gathered, Table
from tests.running_records import a_process

SEEN = Table((), looked_at=200)
ABSENT = Absent((77,), ("vllm.service",))
ENDED, NO_UNIT = "process 77 ended while it was looked at", "no process that computes belongs to the unit `vllm.service` now"


def one(where: Where, number: int = 11, program: Program | None = RUNNER, through: int | None = None) -> Judged:
    name = program.name if program else "python3"
    return Judged(Gathered(a_process(number=number)), name, program, where, "so it is", through=through)


def test_processes_are_counted_by_where_they_compute_the_gpu_first() -> None:
    shown = [one(Where.CANNOT_TELL), *map(one, Where), one(Where.ON_THE_GPU)]

    assert headline(shown, Absent(), SEEN) == (
        "7 processes: 2 on the GPU, 1 partly on the GPU, 1 on the CPU although a GPU is usable, "
        "1 on the CPU, and rightly so, 2 cannot be told"
    )
    assert headline(shown[:1], Absent(), SEEN) == "1 process: 1 cannot be told"


def test_where_none_is_shown_the_first_line_says_why() -> None:
    assert headline([], Absent(), Table(())) == "no process can be seen: there is nothing in /proc"
    assert headline([one(Where.RIGHTLY)], Absent(), Table(())) == "no process can be seen: there is nothing in /proc"
    assert headline([], Absent(), SEEN) == "no process that runs models was found"
    assert headline([], ABSENT, SEEN) == ENDED


def test_what_was_asked_for_and_is_not_there_is_said_once() -> None:
    assert list(remarks(SEEN, (), ABSENT, [one(Where.RIGHTLY)], as_root=False)) == [ENDED, NO_UNIT]
    assert list(remarks(SEEN, (), ABSENT, [], as_root=False)) == [NO_UNIT]


@pytest.mark.parametrize(
    ("table", "elsewhere", "as_root", "said"),
    [
        (SEEN, (), False, []),
        (
            SEEN._replace(hidden=True),
            (),
            False,
            ["/proc is mounted with `hidepid`: processes of other accounts are not seen; `sudo gpuprobe running` sees them"],
        ),
        (
            SEEN._replace(namespace=True),
            (5,),
            False,
            [
                "this is a container with processes of its own: what runs outside is not seen, and drivers count in other "
                "numbers"
            ],
        ),
        (
            SEEN._replace(unreadable=1, unreadable_accounts=("bert",)),
            (),
            False,
            ["1 process of bert cannot be looked into; `sudo gpuprobe running` may"],
        ),
        (
            SEEN._replace(unreadable=2),
            (),
            True,
            ["2 processes cannot be looked into; CAP_SYS_PTRACE is missing here"],
        ),
        (
            SEEN._replace(unreadable=9, unreadable_accounts=("root",), hidden=True),
            (),
            False,
            [
                "/proc is mounted with `hidepid`: processes of other accounts are not seen; `sudo gpuprobe running` sees them",
                "9 processes of root cannot be looked into, perhaps with the kernel's own threads; `sudo gpuprobe running` may",
            ],
        ),
        (
            SEEN._replace(unreadable=1, unreadable_accounts=("root",), hidden=True),
            (),
            False,
            [
                "/proc is mounted with `hidepid`: processes of other accounts are not seen; `sudo gpuprobe running` sees them",
                "1 process of root cannot be looked into; `sudo gpuprobe running` may",
            ],
        ),
        (
            SEEN._replace(unreadable=3, unreadable_accounts=("alice",), hidden=True),
            (),
            False,
            [
                "/proc is mounted with `hidepid`: processes of other accounts are not seen; `sudo gpuprobe running` sees them",
                "3 processes of alice cannot be looked into; `sudo gpuprobe running` may",
            ],
        ),
        (
            SEEN._replace(unreadable=3, unreadable_accounts=("root",), hidden=True, namespace=True),
            (),
            False,
            [
                "/proc is mounted with `hidepid`: processes of other accounts are not seen; `sudo gpuprobe running` sees them",
                "this is a container with processes of its own: what runs outside is not seen, and drivers count in other "
                "numbers",
                "3 processes of root cannot be looked into; `sudo gpuprobe running` may",
            ],
        ),
        (
            SEEN._replace(unreadable=4, unreadable_accounts=tuple("abcd")),
            (),
            True,
            ["4 processes of a, b, c, d cannot be looked into; CAP_SYS_PTRACE is missing here"],
        ),
        (
            SEEN._replace(unreadable=5, unreadable_accounts=tuple("abcde")),
            (),
            True,
            ["5 processes of a, b, c, d, … cannot be looked into; CAP_SYS_PTRACE is missing here"],
        ),
        (
            SEEN._replace(failures=("error: Too many open files",) * 2),
            (),
            True,
            ["2 processes could not be read (error: Too many open files): whether they compute is not known"],
        ),
        (SEEN, (5,), False, ["the driver names 1 process that cannot be seen here: 5"]),
        (
            SEEN,
            tuple(range(1, 9)),
            False,
            ["the driver names 8 processes that cannot be seen here: 1, 2, 3, 4, 5, 6"],
        ),
    ],
)
def test_what_is_not_seen_from_here_is_said(table: Table, elsewhere: tuple[int, ...], as_root: bool, said: list[str]) -> None:
    assert list(remarks(table, elsewhere, Absent(), [], as_root=as_root)) == said


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (Where.ON_THE_GPU, "on the GPU"),
        (Where.PARTLY, "partly on the GPU"),
        (Where.ON_THE_CPU, "on the CPU although a GPU is usable"),
        (Where.RIGHTLY, "on the CPU, and rightly so"),
        (Where.CANNOT_TELL, "not to be judged"),
    ],
)
def test_one_process_of_a_program_is_one_line(where: Where, words: str) -> None:
    assert line_for("ollama", [one(where)]) == (
        f"running now: Ollama's runner (11) is {words}: so it is; see `gpuprobe running 11`"
    )


def test_of_several_the_worst_is_told_and_of_equal_ones_the_first() -> None:
    worst_first = (Where.ON_THE_CPU, Where.PARTLY, Where.CANNOT_TELL, Where.RIGHTLY, Where.ON_THE_GPU)
    for place in range(len(worst_first)):
        rest = [one(where, 20 - at) for at, where in enumerate(worst_first[place:])]
        line = line_for("ollama", rest[::-1])
        assert line is not None and "(20)" in line

    assert line_for("ollama", [one(Where.PARTLY, 12), one(Where.PARTLY, 11), one(Where.RIGHTLY, 10)]) == (
        "running now: Ollama's runner (11) is partly on the GPU: so it is; 2 more of it run; see `gpuprobe running 11`"
    )
    assert line_for("ollama", [one(Where.PARTLY, 12), one(Where.PARTLY, 11)]) == (
        "running now: Ollama's runner (11) is partly on the GPU: so it is; 1 more of it runs; see `gpuprobe running 11`"
    )


def test_a_server_whose_runner_computes_counts_once_and_other_programs_not() -> None:
    server = one(Where.ON_THE_CPU, 10, OLLAMA, through=11)

    assert line_for("ollama", [server, one(Where.ON_THE_GPU)]) == (
        "running now: Ollama's runner (11) is on the GPU: so it is; see `gpuprobe running 11`"
    )
    assert line_for("ollama", [one(Where.ON_THE_CPU, program=VLLM), one(Where.ON_THE_CPU, program=None)]) is None


@pytest.mark.parametrize(
    ("consumer", "doctor"),
    [(" vLLM ", "vllm"), ("llama-server", "llama.cpp"), ("llamacpp", "llama.cpp"), ("PyTorch", "torch"), ("torch", "torch")],
)
def test_a_program_is_found_by_what_people_call_it(consumer: str, doctor: str) -> None:
    program = VLLM._replace(doctor=doctor)

    assert line_for(consumer, [one(Where.PARTLY, program=program)]) is not None
    assert line_for(consumer, [one(Where.PARTLY, program=program._replace(doctor="other"))]) is None
