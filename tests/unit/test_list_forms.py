"""The forms of `list` for other programs, each read by the rules of the program that it is for; names in them are hostile."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from gpuprobe.doctor import card_status
from gpuprobe.doctor.card_status import CardStatus
from gpuprobe.doctor.reasons import CardReason, Why
from gpuprobe.fleet.groups import by_machines, odd_ones
from gpuprobe.fleet.outcome import Outcome, outcome_of
from gpuprobe.fleet.rows import Machine, Origin, Problem, Standing, Trouble
from gpuprobe.judging.rules import judge
from gpuprobe.machine import Card
from gpuprobe.model import Device, DeviceType, Evidence, GiB, Inventory, Request
from gpuprobe.render import node_labels
from gpuprobe.render.brief import brief_text
from gpuprobe.render.exposition import Metric, Sample, written
from gpuprobe.render.fleet_document import fleet_csv
from gpuprobe.render.fleet_metrics import fleet_metrics
from gpuprobe.render.list_csv import list_csv
from gpuprobe.render.list_metrics import list_metrics
from tests.cli import machines
from tests.records import a_device

HOSTILE = st.text(max_size=300) | st.sampled_from(
    [machines.HOSTILE, "\\", '"', '\\"', "\\\n", "a,b\r\n", "=1+1", "\udcff", "}"]
)
# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
PREFIX = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


def parsed(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """By the parser of Prometheus' own client; a name or labels that come twice would cost node-exporter the whole file."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        assert family.name not in found
        assert family.documentation
        assert family.type == "gauge"
        found[family.name] = [(sample.labels, sample.value) for sample in family.samples]
        assert len({tuple(sorted(labels.items())) for labels, _ in found[family.name]}) == len(found[family.name])
    return found


def of(machine: Evidence) -> Inventory:
    return judge(machine, Request())


def metrics_of(inventory: Inventory, met: bool | None = None) -> dict[str, list[tuple[dict[str, str], float]]]:
    statuses = card_status.card_statuses(inventory)
    return parsed(list_metrics(statuses, inventory.kept, undecided=card_status.undecided(inventory), met=met))


def test_a_card_that_is_not_usable_is_a_zero_with_its_reason() -> None:
    found = metrics_of(of(machines.a_geforce_beside_a_broken_radeon()))

    usable = {labels["card"]: (value, labels["reason"], labels["because"]) for labels, value in found["gpuprobe_usable"]}
    assert usable[machines.FIRST] == (1.0, "", "")
    assert usable[machines.RADEON] == (0.0, "no_kernel_driver", "no kernel driver")
    assert found["gpuprobe_gpus"] == [({}, 2.0)]
    assert found["gpuprobe_usable_gpus"] == [({}, 1.0)]


def test_memory_that_is_not_known_is_no_sample() -> None:
    devices = [a_device("CUDA", ordinal=0, free_memory=None, total_memory=24 * GiB)]

    found = parsed(list_metrics((), devices, undecided=False, met=None))

    assert "gpuprobe_device_memory_free_bytes" not in found
    assert found["gpuprobe_device_memory_total_bytes"][0][1] == 24 * GiB


@pytest.mark.parametrize(("met", "samples"), [(True, [({}, 1.0)]), (False, [({}, 0.0)]), (None, [])])
def test_a_requirement_is_a_metric_where_it_was_decided(met: bool | None, samples: list[object]) -> None:
    assert metrics_of(of(machines.two_geforces()), met).get("gpuprobe_requirement_met", []) == samples


@given(name=HOSTILE, driver=HOSTILE, because=HOSTILE, product=HOSTILE)
def test_whatever_a_driver_calls_a_card_prometheus_reads_it(name: str, driver: str, because: str, product: str) -> None:
    devices = [a_device("CUDA", ordinal=0, name=name, kernel_version=driver, uuid=name), a_device("CUDA", name=name)]
    statuses = [
        CardStatus(Card(pci_id=None, vendor_id=None, device_id=None, name=product, kind="listed"), (), a_reason(because)),
        CardStatus(Card(pci_id=None, vendor_id=None, device_id=None, name=product, kind="listed"), (), None),
    ]

    found = parsed(list_metrics(statuses, devices, undecided=False, met=None))

    assert [value for _, value in found["gpuprobe_usable"]] == [0.0, 1.0]
    assert all(text.isprintable() for labels, _ in found["gpuprobe_device_info"] for text in labels.values())


def test_samples_with_the_same_labels_are_one_because_two_would_cost_the_whole_file() -> None:
    metric = Metric("gpuprobe_usable", "Help.", (Sample({"card": "a"}, 0), Sample({"card": "a"}, 1), Sample({"card": "b"}, 1)))

    assert parsed(written([metric]))["gpuprobe_usable"] == [({"card": "a"}, 0.0), ({"card": "b"}, 1.0)]


def test_samples_whose_labels_differ_only_behind_the_cut_are_two() -> None:
    """Names of machines come from files of others, and a cut one is no other machine's."""
    one, other = "node-" * 60 + "1", "node-" * 60 + "2"
    samples = tuple(Sample({"machine": name, "reason": ""}, value) for value, name in enumerate((one, other, other)))

    found = parsed(written([Metric("gpuprobe_machine_gpus", "Help.", samples)]))["gpuprobe_machine_gpus"]

    assert [(len(labels["machine"]), value) for labels, value in found] == [(256, 0.0), (256, 1.0)]


def a_reason(because: str) -> Why:
    return Why(CardReason.NO_KERNEL_DRIVER, because, None, because)


def pairs(text: str) -> dict[str, str]:
    lines = [line.partition("=") for line in text.splitlines()]
    assert len({key for key, _, _ in lines}) == len(lines)
    return {key: value for key, _, value in lines}


@given(names=st.lists(HOSTILE, max_size=5), driver=HOSTILE)
def test_whatever_a_driver_calls_a_card_its_labels_are_those_of_kubernetes(names: list[str], driver: str) -> None:
    devices = [a_device("CUDA", name=name, kernel_version=driver, build=name) for name in names]

    labels = pairs(node_labels.node_labels((), devices))

    for key, value in labels.items():
        prefix, _, name = key.partition("/")
        assert len(prefix) <= 253 and PREFIX.fullmatch(prefix)
        assert NAME.fullmatch(name), name
        assert VALUE.fullmatch(value), value


@pytest.mark.parametrize("name", ["a" * 62 + "-b", "é" * 200, "-", "a" * 100, "." * 70 + "x"])
def test_a_label_that_is_cut_ends_as_kubernetes_wants_it(name: str) -> None:
    assert VALUE.fullmatch(node_labels.value_of(name))
    assert NAME.fullmatch(node_labels.name_of("product", name))


@pytest.mark.parametrize("names", [("A card (rev. 1)", "A card [rev. 1]"), ("a" * 70 + "1", "a" * 70 + "2"), ("é", "ü")])
def test_names_that_are_one_as_a_label_are_counted_together(names: tuple[str, str]) -> None:
    devices = [a_device("CUDA", name=name, number=number) for number, name in enumerate((*names, names[0]))]

    labels = pairs(node_labels.node_labels((), devices))

    assert [value for key, value in labels.items() if "/product." in key] == ["3"]


def test_labels_say_what_a_pod_can_be_placed_by() -> None:
    inventory = of(machines.a_geforce_beside_a_broken_radeon())

    assert pairs(node_labels.node_labels(card_status.card_statuses(inventory), inventory.kept)) == {
        "gpuprobe/cards": "2",
        "gpuprobe/usable": "1",
        "gpuprobe/all-usable": "false",
        "gpuprobe/reason": "no_kernel_driver",
        "gpuprobe/library.CUDA": "1",
        "gpuprobe/product.NVIDIA-GeForce-RTX-4090": "1",
        "gpuprobe/build.system": "1",
        "gpuprobe/driver": "580.95.05",
        "gpuprobe/least-memory-mib": "24576",
    }


def test_a_unit_beside_the_processor_does_not_lessen_what_the_cards_have() -> None:
    devices = [a_device("CUDA"), a_device("Vulkan", type=DeviceType.INTEGRATED, total_memory=2 * GiB)]

    assert pairs(node_labels.node_labels((), devices))["gpuprobe/least-memory-mib"] == str(24 * 1024)


@given(name=HOSTILE, because=HOSTILE)
def test_a_row_holds_any_name_and_begins_no_formula(name: str, because: str) -> None:
    status = CardStatus(
        Card(pci_id="0000:01:00.0", vendor_id=None, device_id=None, name=name, kind="pci"), (), a_reason(because)
    )

    heading, device, card = csv.reader(io.StringIO(list_csv([status], [a_device("CUDA", name=name)])))

    assert len(heading) == len(device) == len(card)
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in (*device, *card))
    assert card[:4] == ["0000:01:00.0", card[1], "false", "no_kernel_driver"]


def test_equal_machines_say_equal_bytes_in_brief_whatever_they_do_and_wherever_their_cards_are() -> None:
    def said(device: Device) -> list[str]:
        return list(brief_text("1 of 1 GPU usable", (), [device]))

    busy = machines.a_geforce(free_memory=1 * GiB, used_memory=23 * GiB, pci_id="0000:41:00.0", uuid="GPU-2")
    assert said(machines.a_geforce()) == said(busy)
    assert said(busy) == [
        "1 of 1 GPU usable",
        "1 x NVIDIA GeForce RTX 4090, CUDA, compute 8.9, driver 580.95.05, 24.0 GiB",
    ]


def a_fleet(name: str, said: str) -> Outcome:
    standing = Standing(kind="list", cards=2, usable=1, driver=said, reasons=(said,), models=((said, 2),))
    lost = Standing(kind="", problem=Problem(Trouble.NO_DOCUMENT, said))
    rows = [Machine(name, standing, Origin(said, said)), Machine(f"{name}'", lost, Origin("", ""))]
    return Outcome(tuple(rows), tuple(by_machines(odd_ones(rows))), (), None)


@given(name=HOSTILE, said=HOSTILE)
def test_a_fleet_of_any_names_is_read_by_prometheus_and_as_rows(name: str, said: str) -> None:
    outcome = a_fleet(name, said)

    found = parsed(fleet_metrics(outcome))
    rows = list(csv.reader(io.StringIO(fleet_csv(outcome))))

    assert [value for _, value in found["gpuprobe_machine_answered"]] == [1.0, 0.0]
    assert {len(row) for row in rows} == {len(rows[0])}
    assert len(rows) == 3


def test_a_machine_that_does_not_meet_a_requirement_is_a_zero_and_one_in_doubt_no_sample() -> None:
    from gpuprobe.fleet.rows import Verdict

    rows = [
        Machine(name, Standing(kind="list", verdict=Verdict(answer, "")), Origin("", ""))
        for name, answer in (("a", True), ("b", False), ("c", None))
    ]

    found = parsed(fleet_metrics(outcome_of(rows, (), "count>=1")))

    assert {labels["machine"]: value for labels, value in found["gpuprobe_machine_requirement_met"]} == {"a": 1.0, "b": 0.0}
