"""What several documents, or several places of one, hold: each written once, its enumerations from the records."""

from __future__ import annotations

from gpuprobe.exits import Exit
from gpuprobe.judging.architecture import Answer
from gpuprobe.judging.changes import ChangeKind
from gpuprobe.libraries import LIBRARIES
from gpuprobe.model import DeviceType, Json, Purpose, Reason, StageName, StageResult, Status, Verdict
from gpuprobe.render.document import LAST_WORDS
from gpuprobe.schemas.vocabulary import (
    AMOUNT_OR_NONE,
    COUNT,
    COUNT_OR_NONE,
    FLAG,
    POSITIVE,
    TEXT,
    TEXT_OR_NONE,
    TEXTS,
    TIME,
    VARIABLE,
    WHOLE,
    WHOLE_OR_NONE,
    Maybe,
    array,
    closed,
    one_of,
    or_none,
    ref,
    said,
    values,
)

FAILURES = (Exit.BUG, Exit.USAGE, Exit.INTERRUPTED)  # there is no answer with these
ANSWERED = one_of(code.value for code in Exit if code not in FAILURES)

_NUMBERS = (*(library.numbered_as for library in LIBRARIES if library.numbered_as), "vulkan_raw", "vulkan_listed")
_PCI_NUMBER = or_none({"type": "string", "pattern": "^[0-9a-f]{4,}$"})
_PERCENT = or_none({"type": "integer", "minimum": 0, "maximum": 100})
WHY = closed(
    reason={"type": "string", "pattern": "^[a-z_]+$"},
    brief=said("The reason in a few words.", TEXT),
    because=TEXT,
    advice=TEXT_OR_NONE,
    finding=said("The id of the finding that this is; null: what happened is known, and not why.", TEXT_OR_NONE),
)

IDENTITY: dict[str, Json] = dict(  # noqa: C408 - as `closed` is called
    id=said("UUID as its library spells it, else PCI address, else library:number.", TEXT),
    filter_id=said("What the library's own variable takes for it.", TEXT_OR_NONE),
    library=ref("library"),
    selector=said("what every DEVICE argument takes for it: CUDA:0", TEXT_OR_NONE),
    index=COUNT_OR_NONE,
    build=TEXT,
    name=TEXT_OR_NONE,
    type=ref("type"),
    pci_id=ref("pci_id"),
    uuid=TEXT_OR_NONE,
)

SOFTWARE: dict[str, Json] = dict(  # noqa: C408 - as `closed` is called
    name=TEXT,
    library=said("The library whose devices it computes on; null: the CPU alone.", TEXT_OR_NONE),
    version=TEXT_OR_NONE,
    release=said("Of CUDA or ROCm, as far as its files tell.", TEXT_OR_NONE),
    path=TEXT,
    where=TEXT,
    architectures=TEXTS,
    problem=TEXT_OR_NONE,
    damage=said("What is wrong with its install.", TEXT_OR_NONE),
    through=said("What it asks to compute in turn, such as TensorRT.", TEXT_OR_NONE),
    distribution=said("The package that brought it.", TEXT_OR_NONE),
    compiles=said("It compiles its kernels for the card when it runs.", FLAG),
    needs=said("Libraries that it loads.", array(ref("need"))),
)
CODE_FILE: dict[str, Json] = dict(  # noqa: C408 - as `closed` is called
    path=TEXT,
    architectures=said('From its own headers: "sm_90a" is machine code and "compute_90" PTX.', TEXTS),
    unread=said("Why there can be more than these; null: the whole file was read.", TEXT_OR_NONE),
    packed=said("How the code is compressed.", TEXTS),
    ptx=said("The newest version of the language that its PTX is written in.", TEXT_OR_NONE),
    main=said("false: the rest of the framework computes on a card that this file has no code for.", FLAG),
)

DEFINITIONS: Json = {
    "pci_id": or_none({"type": "string", "pattern": "^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]$"}),
    "library": one_of(library.name for library in LIBRARIES if not library.witness),
    "type": values(DeviceType),
    "status": said(
        "How a probe ended.",
        values(Status),
    ),
    "verdict": values(Verdict),
    "summary": closed(
        cards=COUNT,
        usable=COUNT,
        text=TEXT,
        exit_code=ANSWERED,
    ),
    "step": closed(
        name=TEXT,
        seconds=said("null: it never came back.", AMOUNT_OR_NONE),
    ),
    "validation": said(
        "Absent where nobody asked.",
        closed(
            verdict=ref("verdict"),
            depth=TEXT_OR_NONE,
            because=TEXT,
            steps=array(ref("step")),
            seconds=AMOUNT_OR_NONE,
        ),
    ),
    "partition": or_none(
        closed(
            kind=TEXT,
            parent=TEXT_OR_NONE,
        )
    ),
    "driver": closed(
        name=TEXT_OR_NONE,
        api_version=TEXT_OR_NONE,
        kernel_version=TEXT_OR_NONE,
        runtime_version=TEXT_OR_NONE,
    ),
    "flash_attention": closed(
        supported=or_none(FLAG),
        rule=TEXT,
        because=TEXT,
    ),
    "device": closed(
        **IDENTITY,
        description=TEXT_OR_NONE,
        partition=ref("partition"),
        numbers=said(
            "What each library that was asked calls it.",
            closed(**{name: Maybe(COUNT_OR_NONE) for name in _NUMBERS}),
        ),
        compute=TEXT_OR_NONE,
        compute_major=WHOLE_OR_NONE,
        compute_minor=WHOLE_OR_NONE,
        gfx_target=TEXT_OR_NONE,
        driver=ref("driver"),
        total_memory_bytes=COUNT_OR_NONE,
        free_memory_bytes=COUNT_OR_NONE,
        used_memory_bytes=COUNT_OR_NONE,
        memory_source=TEXT_OR_NONE,
        measured_at=TIME,
        stale=FLAG,
        minimum_memory_bytes=WHOLE,
        library_path=TEXT_OR_NONE,
        manifest=TEXT_OR_NONE,
        validation=Maybe(ref("validation")),
        flash_attention=ref("flash_attention"),
        visible=said(
            "Variables for this device alone; a value of null: unset. Null: a value is not UTF-8, and so no text of JSON.",
            or_none({"type": "object", "propertyNames": VARIABLE, "additionalProperties": TEXT_OR_NONE}),
        ),
        capabilities=said(
            "What the library said of it, and for CUDA and ROCm what follows: `memory_bytes_per_second` (in theory), "
            "`architecture` and `data_types` (whether it has instructions for each type of numbers), each with the row it "
            "comes from; null: unknown.",
            {"type": "object"},
        ),
        sources=said("Which library gave a completed field.", {"type": "object", "additionalProperties": TEXT}),
        compatibility=Maybe(
            said(
                "Software that computes through this device's library, against the device; absent: not looked for.",
                array(ref("compatibility")),
            )
        ),
        visible_index=said(
            "its number in a program under the map of all kept devices; null: such a program does not see it", COUNT_OR_NONE
        ),
    ),
    "view": closed(
        **{name: IDENTITY[name] for name in ("id", "library", "build", "name", "type", "pci_id", "uuid")},
        number=said("In the library's own numbering.", WHOLE),
        description=TEXT_OR_NONE,
        partition=ref("partition"),
        compute=TEXT_OR_NONE,
        compute_major=WHOLE_OR_NONE,
        compute_minor=WHOLE_OR_NONE,
        gfx_target=TEXT_OR_NONE,
        driver=ref("driver"),
        total_memory_bytes=COUNT_OR_NONE,
        free_memory_bytes=COUNT_OR_NONE,
        used_memory_bytes=COUNT_OR_NONE,
        library_path=TEXT_OR_NONE,
        manifest=TEXT_OR_NONE,
        validation=Maybe(ref("validation")),
    ),
    "card": closed(
        pci_id=ref("pci_id"),
        vendor=TEXT_OR_NONE,
        vendor_id=_PCI_NUMBER,
        device_id=_PCI_NUMBER,
        name=TEXT_OR_NONE,
        kernel_driver=TEXT_OR_NONE,
        render_node=TEXT_OR_NONE,
        numa_node=WHOLE_OR_NONE,
        link=closed(
            current_speed=TEXT_OR_NONE,
            current_width=WHOLE_OR_NONE,
            max_speed=TEXT_OR_NONE,
            max_width=WHOLE_OR_NONE,
            current_generation=WHOLE_OR_NONE,
            max_generation=WHOLE_OR_NONE,
            current_bytes_per_second=said("In one direction, in theory.", COUNT_OR_NONE),
            max_bytes_per_second=said("In one direction, in theory.", COUNT_OR_NONE),
        ),
        video_memory_bytes=Maybe(
            said("The card's own memory by the kernel's files (amdgpu, xe, i915); absent where these do not tell.", POSITIVE)
        ),
        was_asleep=or_none(FLAG),
        device_ids=TEXTS,
        why=said(
            "null: it is usable.",
            or_none(WHY),
        ),
    ),
    "probe": closed(
        library=one_of(library.name for library in LIBRARIES),
        build=TEXT,
        purpose=one_of(purpose.value for purpose in Purpose if purpose is not Purpose.PROVE),
        device=TEXT_OR_NONE,
        manifest=TEXT_OR_NONE,
        status=ref("status"),
        library_path=TEXT_OR_NONE,
        seconds=said("null: no child was started.", AMOUNT_OR_NONE),
        exit_code=WHOLE_OR_NONE,
        signal=WHOLE_OR_NONE,
        last_step=TEXT_OR_NONE,
        steps=array(ref("step")),
        code=WHOLE_OR_NONE,
        code_name=TEXT_OR_NONE,
        message=TEXT_OR_NONE,
        stderr=Maybe(said("The last words of a child that did not end well.", {"type": "string", "maxLength": LAST_WORDS})),
    ),
    "drop": closed(
        view=ref("view"),
        reason=values(Reason),
        because=TEXT,
        instead=or_none(
            closed(
                library=ref("library"),
                id=TEXT,
            )
        ),
    ),
    "software": closed(
        **SOFTWARE,
        files=said("The files with code for GPUs.", array(ref("code_file"))),
    ),
    "code_file": closed(
        **CODE_FILE,
    ),
    "judged_file": closed(
        **CODE_FILE,
        answer=values(Answer),
        because=TEXT,
    ),
    "need": closed(
        name=said("As the loader looks for it.", TEXT),
        path=said("Where its environment or the loader has it; null: it was not found.", TEXT_OR_NONE),
        others=said("Other major versions of it that are there.", TEXTS),
    ),
    "compatibility": closed(
        **SOFTWARE,
        files=said("The files with code for GPUs, each with its own answer.", array(ref("judged_file"))),
        answer=values(Answer),
        because=TEXT,
        source=said("The row behind the answer and its day; null: the software's own files.", TEXT_OR_NONE),
        loads=Maybe(said("Whether the loader takes it; absent: not tried, as without a DEVICE.", or_none(FLAG))),
        load_because=Maybe(TEXT_OR_NONE),
    ),
    "card_without_views": closed(
        pci_id=ref("pci_id"),
        name=TEXT_OR_NONE,
        verdict=said(
            "null: left out on purpose, by a variable, an option, a virtual machine or a container.",
            or_none(one_of((Verdict.UNSUPPORTED.value, Verdict.INCONCLUSIVE.value))),
        ),
        why=WHY,
    ),
    "identity": closed(
        **IDENTITY,
    ),
    "validated_view": closed(
        **IDENTITY,
        number=WHOLE,
        manifest=TEXT_OR_NONE,
        verdict=said("null: it was not asked.", or_none(values(Verdict))),
        depth=said("The deepest stage that was passed; null: the validation did not pass.", TEXT_OR_NONE),
        because=TEXT_OR_NONE,
        advice=Maybe(said("What to do about a failure; null: nothing is known, or it passed.", TEXT_OR_NONE)),
        status=or_none(values(Status)),
        rungs=Maybe(
            said("The stages as far as it came; empty: the validation of a listing, to a context.", array(ref("rung")))
        ),
        wrong=Maybe(said("null: no result was wrong.", or_none(ref("wrong")))),
        attempts=Maybe(
            said(
                "With --repeat: what each attempt said; what stands beside it is of the one that decided.",
                array(values(Verdict)),
            )
        ),
        link=Maybe(said("null: no copies were timed.", or_none(ref("link")))),
        steps=array(ref("step")),
        seconds=AMOUNT_OR_NONE,
        failed_step=TEXT_OR_NONE,
        code=WHOLE_OR_NONE,
        code_name=TEXT_OR_NONE,
        message=TEXT_OR_NONE,
        exit_code=WHOLE_OR_NONE,
        signal=WHOLE_OR_NONE,
        stderr=Maybe({"type": "string", "maxLength": LAST_WORDS}),
    ),
    "rung": closed(
        name=values(StageName),
        result=values(StageResult),
        seconds=said("null: nobody knows when it ended.", AMOUNT_OR_NONE),
        because=said("Why it is not possible here.", TEXT_OR_NONE),
        figures=said("What was measured; the unit is in the key.", {"type": "object"}),
    ),
    "wrong": closed(
        compared=POSITIVE,
        different=POSITIVE,
        first={
            "type": "array",
            "minItems": 1,
            "items": closed(
                index=COUNT,
                expected={"type": ["number", "string"]},
                found=said("A text where it is no number.", {"type": ["number", "string"]}),
            ),
        },
    ),
    "link": closed(
        generation=COUNT_OR_NONE,
        width=COUNT_OR_NONE,
        generation_at_most=COUNT_OR_NONE,
        width_at_most=COUNT_OR_NONE,
        bytes_per_second=said("What the link carries in theory, in each direction.", COUNT_OR_NONE),
        memory_bytes_per_second=said("What the card's memory carries in theory.", COUNT_OR_NONE),
        slowed_by=TEXT_OR_NONE,
    ),
    "figure": closed(
        **IDENTITY,
        total_memory_bytes=COUNT_OR_NONE,
        free_memory_bytes=COUNT_OR_NONE,
        used_memory_bytes=COUNT_OR_NONE,
        memory_source=said(
            "Who told it: a library, a witness (NVML), `sysfs`, `system` or a running server; null: nobody did.", TEXT_OR_NONE
        ),
        measured_at=TIME,
        age_seconds=said("Between `measured_at` and `timestamp`.", or_none({"type": "number"})),
        stale=said("Nobody told it now: the figure is the one of the discovery.", FLAG),
        because=said("Why it is stale.", TEXT_OR_NONE),
        activity=Maybe(
            said(
                "With --watch, where a witness tells it: what the device is doing. null: asked, and unknown.",
                closed(
                    utilization_percent=said("Of the last sampling period of the driver.", _PERCENT),
                    memory_utilization_percent=said(
                        "Of the time in which memory was read or written.",
                        _PERCENT,
                    ),
                    temperature_celsius=COUNT_OR_NONE,
                    power_watts=AMOUNT_OR_NONE,
                    power_limit_watts=AMOUNT_OR_NONE,
                    clock_mhz=said("Of what computes and draws.", COUNT_OR_NONE),
                    memory_clock_mhz=COUNT_OR_NONE,
                    throttle_reasons=said("What holds the clocks back; an idle card is held back by nothing.", or_none(TEXTS)),
                    processes=or_none(
                        array(
                            closed(
                                pid=said("As the driver counts, in the machine's first process namespace.", POSITIVE),
                                name=said(
                                    "null: unknown, as in a container, where the number is another process.", TEXT_OR_NONE
                                ),
                                used_memory_bytes=COUNT_OR_NONE,
                            )
                        )
                    ),
                ),
            )
        ),
    ),
    "change": closed(
        kind=values(ChangeKind),
        subject=said("A PCI address, the id of a device, or the name of a library.", TEXT),
        text=TEXT,
        before=said("Bytes of free memory for `memory`.", {"type": ["string", "integer", "null"]}),
        after={"type": ["string", "integer", "null"]},
    ),
    "judged_device": closed(
        **IDENTITY,
        flash_attention=ref("flash_attention"),
    ),
}
