"""The document of `running`."""

from __future__ import annotations

from gpuprobe.doctor.cpu_reasons import Cause
from gpuprobe.doctor.judged_process import Where
from gpuprobe.model import Json
from gpuprobe.schemas.vocabulary import (
    AMOUNT_OR_NONE,
    COUNT,
    COUNT_OR_NONE,
    FLAG,
    POSITIVE,
    TEXT,
    TEXT_OR_NONE,
    TEXTS,
    array,
    closed,
    document,
    one_of,
    or_none,
    said,
    values,
)

_PROCESS = closed(
    pid=POSITIVE,
    program=said("What people call it, else the name that `ps` shows.", TEXT),
    verdict=values(Where),
    because=TEXT,
    cause=said("Why it computes on the CPU although a GPU is usable.", or_none(values(Cause))),
    advice=TEXT_OR_NONE,
    through_pid=said("The process that computes in its place, such as a runner of Ollama's.", COUNT_OR_NONE),
    parent_pid=COUNT_OR_NONE,
    account=TEXT_OR_NONE,
    started_at=said("Seconds since 1970.", AMOUNT_OR_NONE),
    container=or_none(closed(kind=TEXT, name=TEXT)),
    unit=said("Of systemd.", TEXT_OR_NONE),
    model=closed(
        name=said("As it was given to the program, or the file that is open.", TEXT_OR_NONE), file_bytes=COUNT_OR_NONE
    ),
    layers=said(
        "Null: nothing that may be read tells.",
        or_none(
            closed(
                on_devices=said("The output layer counted.", COUNT),
                of=COUNT_OR_NONE,
                source=one_of(("log", "command line")),
            )
        ),
    ),
    buffers=said("As its log names them.", array(closed(device=TEXT, kind=TEXT, bytes=COUNT, on_device=FLAG))),
    memory=said(
        "What the driver or the kernel says that it holds; bytes null: it uses the device, and how much is not told.",
        array(closed(device=TEXT, bytes=COUNT_OR_NONE, source=TEXT)),
    ),
    memory_is_told=said("Whether anybody would say if it held something: an empty `memory` means nothing only then.", FLAG),
    host_memory_bytes=said("Resident.", COUNT_OR_NONE),
    libraries=said(
        "Mapped, of those that compute on GPUs; null: may not be read.",
        or_none(array(closed(engine=TEXT, library=TEXT, path=TEXT))),
    ),
    engines=said("ggml and frameworks that are mapped, whatever they compute on.", TEXTS),
    device_files=said("Open ones of GPUs; null: may not be read.", or_none(array(TEXT))),
    evidence=said(
        "In the order of trust: what stands behind outweighs nothing before it.",
        array(
            closed(
                source=one_of(("kernel", "driver", "maps", "log", "interface", "command line")),
                where=TEXT,
                said=TEXT,
            )
        ),
    ),
)


def running_schema(envelope: dict[str, Json], definitions: Json) -> Json:
    return document(
        "running",
        "The answer of `gpuprobe running --json`",
        definitions,
        **envelope,
        processes=array(_PROCESS),
        looked_at=said("How many processes there were.", COUNT),
        unreadable=said("Processes of other accounts that may not be looked into.", closed(processes=COUNT, accounts=TEXTS)),
        ended=said("Processes that ended while they were looked at.", array(POSITIVE)),
        units_without_process=said("Units that were asked for and of which no process computes now.", TEXTS),
        hidepid=said("Whether /proc shows this account its own processes only.", FLAG),
        pid_namespace=said("Whether only the processes of a container are seen.", FLAG),
        devices=said(
            "Of which a driver told who uses them.",
            array(closed(selector=TEXT, id=TEXT, utilization_percent=COUNT_OR_NONE)),
        ),
        warnings=TEXTS,
    )
