"""Variables that put Vulkan's devices into another order or leave some out: behind real loaders, and in gpuprobe's answers.

The cards are of doubles; the loader is the machine's, and Mesa's device selection layer is the real one. `python -m
tests.variables` compares what such libraries read with the table.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from gpuprobe import environment
from tests import variables
from tests.backends.talk import request, talk
from tests.backends.vulkan_talk import RADEON, RTX
from tests.cli.terminal import piped
from tests.vulkan_world import World, world

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these are Linux shared libraries")

NVIDIA, AMD, ON_BOARD = "0000:01:00.0", "0000:0b:00.0", "0000:c5:00.0"
XTX = RADEON.replace("0x15bf", "0x744c").replace("integrated", "discrete").replace("c5:00", "0b:00").replace("c500", "0b00")
USUAL = [NVIDIA, AMD, ON_BOARD]


@pytest.fixture
def cards(tmp_path: Path) -> World:
    return world(tmp_path).icd(RTX).icd(XTX, RADEON)


def staged(cards: World, **more: str) -> dict[str, str]:
    """With Mesa's layer, which a world of its own leaves out."""
    return {**{name: value for name, value in cards.environment().items() if name != "NODEVICE_SELECT"}, **more}


def newer_loader() -> Path:
    """A loader of 2025, which reads the filters by id: the directory that GPUPROBE_VULKAN_DRIVERS names has one."""
    directory = os.environ.get("GPUPROBE_VULKAN_DRIVERS") or pytest.skip("GPUPROBE_VULKAN_DRIVERS names no loader")
    return Path(directory) / "libvulkan.so.1"


def order(cards: World, loader: object, **more: str) -> list[str]:
    return [device["pci_id"] for device in talk(request(loader, "vulkan"), staged(cards, **more)).devices]


ORDERS = [
    ({}, USUAL),
    ({"DRI_PRIME": "1002:15bf"}, [ON_BOARD, NVIDIA, AMD]),
    ({"MESA_VK_DEVICE_SELECT": "1002:15bf"}, [ON_BOARD, NVIDIA, AMD]),
    ({"MESA_VK_DEVICE_SELECT_FORCE_DEFAULT_DEVICE": "1"}, [NVIDIA]),
    ({"VK_LOADER_DEVICE_SELECT": "0x1002:0x15bf"}, [ON_BOARD, NVIDIA, AMD]),
    ({"VK_LOADER_DISABLE_SELECT": "1"}, [AMD, ON_BOARD, NVIDIA]),
    ({"DRI_PRIME": "1002:15bf", "NODEVICE_SELECT": "1"}, USUAL),
    ({"DRI_PRIME": "1002:15bf", "VK_LOADER_LAYERS_DISABLE": "*"}, USUAL),
    ({"VK_LOADER_DRIVERS_DISABLE": "icd1*"}, [NVIDIA]),
    ({"VK_LOADER_DRIVERS_DISABLE": "*"}, []),
    ({"VK_LOADER_DRIVERS_DISABLE": "*", "VK_LOADER_DRIVERS_SELECT": "icd0*"}, [NVIDIA]),
]


@pytest.mark.parametrize(("variables", "expected"), ORDERS)
def test_the_real_loader_and_mesas_layer_do_what_the_table_says(
    cards: World, variables: dict[str, str], expected: list[str]
) -> None:
    assert order(cards, "libvulkan.so.1", **variables) == expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"VK_LOADER_VENDOR_ID_FILTER": "0x1002"}, [AMD, ON_BOARD]),
        ({"VK_LOADER_DEVICE_ID_FILTER": "0x15bf"}, [ON_BOARD]),
        ({"VK_LOADER_DRIVER_ID_FILTER": "4"}, [NVIDIA]),
        ({"VK_LOADER_VENDOR_ID_FILTER": "0x1111"}, []),
        ({"DRI_PRIME": "1002:15bf", "VK_IMPLICIT_LAYER_PATH": "/nonexistent"}, USUAL),
    ],
)
def test_a_newer_loader_filters_by_ids(cards: World, variables: dict[str, str], expected: list[str]) -> None:
    assert order(cards, newer_loader(), **variables) == expected


@pytest.mark.parametrize("reader", variables.READERS, ids=lambda reader: reader.file)
def test_every_variable_that_an_installed_library_reads_is_in_the_table_or_has_a_reason(reader: variables.Reader) -> None:
    found = [(path, mine) for path, mine in variables.installed() if mine == reader]

    assert [name for path, mine in found for name in variables.unknown(path, mine)] == []


def test_a_newer_loader_reads_no_variable_that_is_not_in_the_table() -> None:
    loader = newer_loader()
    (reader,) = variables.readers_of(loader)

    assert "VK_LOADER_VENDOR_ID_FILTER" in variables.names_in(loader, reader)
    assert variables.unknown(loader, reader) == []


def test_what_is_in_the_table_is_not_excepted_too() -> None:
    assert [name for name in variables.NOT_IN_THE_TABLE if environment.variable(name) is not None] == []


def chosen(cards: World, cache: Path, *arguments: str, **more: str) -> dict[str, str]:
    """The variables by which `env` chooses."""
    ran = piped("env", "--json", *arguments, **staged(cards, XDG_CACHE_HOME=str(cache), **more))
    return {each["name"]: each["value"] for each in json.loads(ran.out)["variables"] if each["value"] is not None}


@pytest.mark.parametrize(("variables", "expected"), ORDERS[1:6])
def test_env_never_answers_from_a_discovery_that_was_made_in_another_order(
    cards: World, tmp_path: Path, variables: dict[str, str], expected: list[str]
) -> None:
    piped("list", **staged(cards, XDG_CACHE_HOME=str(tmp_path)))

    given = chosen(cards, tmp_path, NVIDIA, **variables)

    assert given["GGML_VK_VISIBLE_DEVICES"] == str(expected.index(NVIDIA))


@pytest.mark.parametrize(("variables", "expected"), ORDERS[1:6])
def test_env_prints_the_variables_that_its_numbers_count_under(
    cards: World, tmp_path: Path, variables: dict[str, str], expected: list[str]
) -> None:
    given = chosen(cards, tmp_path, "--fresh", NVIDIA, **variables)

    assert {name: given.get(name) for name in variables} == variables


@pytest.mark.parametrize(
    "variables",
    [{"VK_LOADER_DRIVERS_DISABLE": "icd1*"}, {"VK_LOADER_DRIVERS_DISABLE": "*"}, {"VK_LOADER_DRIVERS_SELECT": "icd0*"}],
)
def test_a_filter_of_drivers_is_named_as_the_cause(cards: World, variables: dict[str, str]) -> None:
    document = json.loads(piped("list", "--json", **staged(cards, **variables)).out)

    (name, value), *_ = variables.items()
    hidden = next(card for card in document["cards"] if card["pci_id"] == AMD)
    assert hidden["why"]["reason"] == "hidden_by_variable"
    assert f"`{name}={value}`" in hidden["why"]["because"]
    assert name in {each["name"] for each in document["variables"]}


@pytest.mark.parametrize("value", ["0x10de", "0x1111"])
def test_a_filter_by_id_is_named_as_the_cause(cards: World, value: str) -> None:
    more = {"VK_LOADER_VENDOR_ID_FILTER": value, "LD_LIBRARY_PATH": str(newer_loader().parent)}

    document = json.loads(piped("list", "--json", **staged(cards, **more)).out)

    hidden = next(card for card in document["cards"] if card["pci_id"] == AMD)
    assert hidden["why"]["reason"] == "hidden_by_variable"
    assert f"`VK_LOADER_VENDOR_ID_FILTER={value}`" in hidden["why"]["because"]
