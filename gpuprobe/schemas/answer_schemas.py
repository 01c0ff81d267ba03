"""The documents that commands answer with under `--json`."""

from __future__ import annotations

from gpuprobe.exits import Trouble
from gpuprobe.judging.consumers import CONSUMERS
from gpuprobe.model import Json
from gpuprobe.render.completions import SCRIPTS
from gpuprobe.render.document import SCHEMA_VERSION
from gpuprobe.schemas.doctor_schema import causes_schema, doctor_schema
from gpuprobe.schemas.fleet_schema import fleet_schema
from gpuprobe.schemas.plan_schema import plan_schema
from gpuprobe.schemas.running_schema import running_schema
from gpuprobe.schemas.shared_definitions import ANSWERED, DEFINITIONS, FAILURES
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
    document,
    one_of,
    or_none,
    ref,
    said,
)

_VERSION: dict[str, Json] = {"schema_version": {"const": SCHEMA_VERSION}, "gpuprobe": TEXT}
_ENVELOPE: dict[str, Json] = {**_VERSION, "timestamp": TIME, "summary": ref("summary")}

# Nothing is asked for `env --unset`.
_WITH_UNSET = {
    **DEFINITIONS,
    "summary": said(
        "`cards` and `usable` are absent with --unset, for which nothing is asked.",
        closed(cards=Maybe(COUNT), usable=Maybe(COUNT), text=TEXT, exit_code=ANSWERED),
    ),
}

ANSWERS = (
    document(
        "list",
        "The answer of `gpuprobe list --json`",
        DEFINITIONS,
        **_ENVELOPE,
        host=closed(
            name=Maybe(said("What the machine calls itself; absent: a capture was judged.", TEXT_OR_NONE)),
            os=TEXT_OR_NONE,
            kernel=TEXT_OR_NONE,
            machine=TEXT,
            virtualization=TEXT_OR_NONE,
            container=TEXT_OR_NONE,
            wsl=or_none(one_of((1, 2))),
            jetpack=or_none(
                closed(
                    version=WHOLE_OR_NONE,
                    l4t=TEXT_OR_NONE,
                    source=TEXT,
                    problem=TEXT_OR_NONE,
                )
            ),
        ),
        system=closed(
            cpu=closed(
                model=TEXT_OR_NONE,
                cores=WHOLE_OR_NONE,
                threads=WHOLE_OR_NONE,
                allowed_threads=WHOLE_OR_NONE,
                features=or_none(TEXTS),
                caches=array(
                    closed(
                        level=WHOLE,
                        type=TEXT,
                        size_bytes=WHOLE,
                    )
                ),
            ),
            memory=closed(
                total_bytes=COUNT_OR_NONE,
                available_bytes=COUNT_OR_NONE,
                limit_bytes=COUNT_OR_NONE,
                limit_source=TEXT_OR_NONE,
            ),
            swap=closed(
                total_bytes=COUNT_OR_NONE,
                free_bytes=COUNT_OR_NONE,
            ),
        ),
        cards=array(ref("card")),
        bystanders=said(
            "What looks like a card and is none.",
            array(
                closed(
                    pci_id=ref("pci_id"),
                    what=TEXT,
                )
            ),
        ),
        devices=array(ref("device")),
        dropped=array(ref("drop")),
        probes=array(ref("probe")),
        scheduling_order=TEXTS,
        variables=said(
            "Each variable that is set and matters, and what it does here.",
            array(
                closed(
                    name=VARIABLE,
                    value=TEXT,
                    effect=TEXT,
                )
            ),
        ),
        warnings=TEXTS,
        software=Maybe(
            said(
                "Runtime libraries and frameworks found, by their files; absent: not looked for, as where there is no card.",
                array(ref("software")),
            )
        ),
        engines=Maybe(
            said(
                "Backends of ggml that were found and that this version does not ask; absent: none.",
                array(
                    closed(
                        name=TEXT,
                        path=TEXT,
                        where=TEXT,
                        serves=said("What computes with it.", TEXT),
                        status={"const": "not_asked"},
                    )
                ),
            )
        ),
    ),
    document(
        "validate",
        "The answer of `gpuprobe validate --json`",
        DEFINITIONS,
        **_ENVELOPE,
        seconds=Maybe(said("How long everything took; null: a capture was judged.", AMOUNT_OR_NONE)),
        devices=array(ref("identity")),
        views=array(ref("validated_view")),
        cards_without_views=said(
            "Cards that no library shows, where all were to be validated.", array(ref("card_without_views"))
        ),
        warnings=TEXTS,
    ),
    document(
        "refresh",
        "The answer of `gpuprobe refresh --json`; with `--watch` one such document a line",
        DEFINITIONS,
        **_ENVELOPE,
        discovery=closed(
            discovered_at=TIME,
            anew=said("false: the devices are those of the saved discovery, or with --watch of the first reading's.", FLAG),
            because=said("Why the machine was discovered anew.", TEXT_OR_NONE),
        ),
        devices=array(ref("figure")),
        probes=Maybe(
            said(
                "What was asked for these figures; absent with --watch where nothing failed and there is no --verbose.",
                array(ref("probe")),
            )
        ),
        servers=said(
            "Running servers that were asked about the devices that nobody else told of.",
            array(
                closed(
                    name={"const": "Ollama"},
                    pid=POSITIVE,
                    port={"type": "integer", "minimum": 1, "maximum": 65535},
                    answered=FLAG,
                    because=TEXT_OR_NONE,
                )
            ),
        ),
        compared_with=Maybe(
            said(
                "With --diff: the time of the discovery that `changes` speaks of; null: there is none to compare with.",
                or_none(TIME),
            )
        ),
        changes=Maybe(said("With --diff.", array(ref("change")))),
        warnings=TEXTS,
    ),
    document(
        "flash-attn",
        "The answer of `gpuprobe flash-attn --json`",
        DEFINITIONS,
        **_ENVELOPE,
        supported=or_none(FLAG),
        rule=TEXT,
        because=TEXT,
        decided_by=TEXT_OR_NONE,
        effective=closed(
            flash_attention=one_of(("on", "off", "auto", "unknown")),
            cache_type=one_of(("f16", "q8_0", "q4_0")),
            because=TEXTS,
        ),
        devices=array(ref("judged_device")),
        warnings=TEXTS,
    ),
    document(
        "env",
        "The answer of `gpuprobe env --json`",
        _WITH_UNSET,
        **_ENVELOPE,
        devices=array(ref("identity")),
        variables=array(
            closed(
                name=VARIABLE,
                value=TEXT_OR_NONE,
                action=one_of(("set", "unset")),
            )
        ),
        **{
            "for": Maybe(
                said(
                    "With --for: the program, what to know of it, and what it is given in the place of variables.",
                    closed(
                        program=one_of(consumer.name for consumer in CONSUMERS),
                        notes=TEXTS,
                        text=Maybe(said("Lines for its command, its file or its description of a job.", TEXT)),
                        arguments=Maybe(said("The same as words of its command.", TEXTS)),
                    ),
                )
            )
        },
        check=Maybe(
            said(
                "With --check: what each library shows in a child under these variables.",
                array(
                    closed(
                        library=ref("library"),
                        build=TEXT,
                        answer=said("true: exactly the chosen devices; null: it cannot be told.", or_none(FLAG)),
                        expected=TEXTS,
                        seen=TEXTS,
                        because=TEXTS,
                    )
                ),
            )
        ),
        warnings=TEXTS,
    ),
    plan_schema(_ENVELOPE, DEFINITIONS),
    doctor_schema(_ENVELOPE, DEFINITIONS),
    causes_schema(_VERSION, DEFINITIONS),
    running_schema(_ENVELOPE, DEFINITIONS),
    fleet_schema(_VERSION, DEFINITIONS),
    document("captured", "The answer of `gpuprobe capture FILE --json`", DEFINITIONS, **_ENVELOPE, file=TEXT),
    document(
        "completion",
        "The answer of `gpuprobe completion SHELL --json`",
        DEFINITIONS,
        **_VERSION,
        shell=one_of(SCRIPTS),
        script={"type": "string", "minLength": 1},
    ),
    document(
        "error",
        "What every command says with --json when there is no answer",
        DEFINITIONS,
        schema_version={"const": SCHEMA_VERSION},
        error=closed(
            code=one_of(Trouble),
            message=TEXT,
            hint=TEXT,
            exit_code=one_of(code.value for code in FAILURES),
        ),
    ),
)
