"""`plan`, as it is installed: what it answers, how it looks, and what it says to what it cannot read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from gpuprobe.strings import size_text
from tests.cli import machines
from tests.cli.documents import checked
from tests.cli.machines import captured
from tests.cli.terminal import on_terminal, piped
from tests.cli.test_watch import Machine, card
from tests.models import a_dense_model, a_directory_of_safetensors, a_mixture_of_experts, stored_in_ollama
from tests.records import an_outcome

CARD = ("--what-if", "CUDA:0 total=24GiB free=20GiB name=Imaginary", "--what-if", "host total=64GiB free=60GiB")


@pytest.fixture
def machine(tmp_path: Path) -> str:
    """A captured machine with two cards of 24 GiB, 21 of them free."""
    return captured(machines.two_geforces(), tmp_path)


def planned(*arguments: str, **variables: str) -> dict[str, Any]:
    ran = piped("plan", "--json", *arguments, **variables)
    return checked("plan", ran.out)


def test_a_model_is_planned_for_the_machine_of_a_capture(machine: str, tmp_path: Path) -> None:
    document = planned(a_dense_model(tmp_path), "--from", machine, "--context", "4096")

    assert (document["engine"], document["outlook"]) == ("llama.cpp", "fits")
    assert [device["selector"] for device in document["devices"]] == ["CUDA:0", "CUDA:1"]
    assert sum(device["layers"] for device in document["devices"]) == document["layers_of_model"]


def test_devices_that_no_one_build_serves_are_said_not_to_share_a_model(tmp_path: Path) -> None:
    model, machine = a_dense_model(tmp_path), captured(machines.two_geforces_of_two_builds(), tmp_path)
    apart = "they cannot share one model: a program loads the builds of one directory, and this takes the build cuda_v"

    both = planned(model, "--from", machine, "--devices", "CUDA", "--split", "1,1")
    alone = planned(model, "--from", machine, "--devices", "CUDA:0")
    together = piped("flash-attn", "--from", machine)

    assert both["notes"][0].startswith(apart)
    assert not any("cannot share" in note for note in alone["notes"])
    assert apart in " ".join(together.out.split())


def test_weights_cache_and_buffer_are_exact_to_the_byte_for_a_llama_of_8_billion(tmp_path: Path) -> None:
    """Beside llama.cpp b10434, which says 4314, 512 and 112 MiB of such a model."""
    document = planned(a_dense_model(tmp_path), "--own", "--context", "4096", *CARD)

    (device,) = document["devices"]
    assert [device[f"{name}_bytes"] >> 20 for name in ("model", "context", "compute")] == [4314, 512, 112]
    assert {device[f"{name}_source"] for name in ("model", "context", "compute")} == {"exact"}
    assert device["left_bytes"] == device["free_bytes"] - sum(
        device[f"{name}_bytes"] for name in ("model", "context", "compute")
    )


def test_the_command_loads_just_what_is_planned(tmp_path: Path) -> None:
    model = a_dense_model(tmp_path)
    document = planned(model, "--context", "4096", "--cache-type-k", "q8_0", "--parallel", "2", *CARD)

    command = document["command"]["llama.cpp"]
    assert command == f"llama-server -m {model} -c 4096 -np 2 -ngl 33 -ctk q8_0"


def test_what_does_not_fit_leaves_with_5_and_says_how_much_is_missing(tmp_path: Path) -> None:
    ran = piped("plan", a_dense_model(tmp_path), "--layers", "33", "--context", "4096", "--what-if", "CUDA:0 total=4GiB")

    assert ran.code == 5
    assert "does not fit: CUDA:0 has 4.0 GiB free, and 33 layers need 4.8 GiB on it" in " ".join(ran.out.split())


def test_the_rest_stays_on_the_host_and_gpu_only_refuses_that(tmp_path: Path) -> None:
    arguments = (a_dense_model(tmp_path), "--context", "4096", "--what-if", "CUDA:0 total=4GiB", "--what-if", "host free=64GiB")
    ran, refused = piped("plan", *arguments), piped("plan", *arguments, "--gpu-only")

    assert (ran.code, refused.code) == (0, 5)
    said = " ".join(ran.out.split())
    assert "19 of 33 layers on CUDA:0" in said and "the rest stays on the host: all need 4.8 GiB on devices" in said
    assert "does not fit without the host's memory" in refused.out


def test_a_host_with_too_little_memory_for_its_part_is_told(tmp_path: Path) -> None:
    ran = piped("plan", a_dense_model(tmp_path), "--what-if", "CUDA:0 total=3GiB", "--what-if", "host total=2GiB free=1GiB")

    assert ran.code == 5
    assert "of the system's memory, and 1.0 GiB are available" in " ".join(ran.out.split())


def test_memory_that_a_device_shares_with_the_system_is_there_once(tmp_path: Path) -> None:
    """3.9 GiB for the device and 0.7 for the host do not fit in 4 GiB, though each fits alone."""
    shared = ("--what-if", "CUDA:0 total=6GiB type=integrated", "--what-if", "host total=6GiB free=4GiB")
    ran = piped("plan", a_dense_model(tmp_path), "--context", "4096", *shared)

    assert ran.code == 5
    assert "the host's part and CUDA:0 need" in " ".join(ran.out.split())


def test_what_a_device_takes_of_the_shared_memory_is_not_left_to_the_host(tmp_path: Path) -> None:
    shared = ("--what-if", "CUDA:0 total=16GiB type=integrated", "--what-if", "host total=16GiB free=16GiB")
    arguments = (a_dense_model(tmp_path), "--own", "--context", "4096", *shared)
    (host,) = [line for line in piped("plan", *arguments).out.splitlines() if line.startswith("host")]
    document = planned(*arguments)

    taken = sum(
        place[f"{name}_bytes"] for place in (*document["devices"], document["host"]) for name in ("model", "context", "compute")
    )
    assert host.endswith(size_text((16 << 30) - taken))


def test_free_memory_that_is_not_known_is_neither_drawn_as_free_nor_said_to_be_none(tmp_path: Path) -> None:
    mac = str(Path(__file__).parents[1] / "scenarios/mac-apple-silicon/capture.json")
    arguments = ("plan", a_dense_model(tmp_path), "--own", "--context", "4096", "--from", mac)
    drawn, compared = piped(*arguments).out, piped(*arguments, "--compare").out

    assert "? not known" in drawn and ". free" not in drawn and "k kept free" not in drawn
    assert "(? free)" in compared


def test_experts_go_to_the_host_before_layers_do(tmp_path: Path) -> None:
    document = planned(a_mixture_of_experts(tmp_path), "--context", "4096", "--what-if", "CUDA:0 total=8GiB", *CARD[2:])

    assert document["layers"] == document["layers_of_model"]
    assert document["outlook"] == "fits_with_host"
    assert "-ot" in document["command"]["llama.cpp"]


def test_experts_that_are_to_stay_on_the_host_are_counted_there(tmp_path: Path) -> None:
    model = a_mixture_of_experts(tmp_path)
    without, some = (planned(model, "--context", "4096", *more, *CARD) for more in ((), ("--cpu-moe", "20")))

    assert some["host"]["model_bytes"] > without["host"]["model_bytes"] + (1 << 30)
    assert "-ncmoe 20" in some["command"]["llama.cpp"]


def test_reserve_leaves_as_much_for_others_beside_what_the_library_takes(tmp_path: Path) -> None:
    document = planned(a_dense_model(tmp_path), "--reserve", "4GiB", *CARD)

    (device,) = document["devices"]
    assert device["reserve_bytes"] == (4 << 30) + (457 << 20)
    assert device["left_bytes"] >= device["reserve_bytes"]


def test_more_layers_than_there_are_and_more_context_than_was_trained_are_notes(tmp_path: Path) -> None:
    document = planned(a_dense_model(tmp_path), "--layers", "99", "--context", "200k", "--what-if", "CUDA:0 total=80GiB")

    assert [note for note in document["notes"] if "layers" in note or "trained" in note] == [
        "204800 tokens are more than the 131072 that the model was trained for",
        "the model has 33 layers with the output layer: `--layers 99` means all of them",
    ]


def test_what_others_hold_is_said_where_it_would_be_needed(machine: str, tmp_path: Path) -> None:
    without = planned(a_dense_model(tmp_path), "--from", machine, "--context", "4096")
    needed = planned(a_dense_model(tmp_path), "--from", machine, "--context", "900k", "--layers", "33")

    assert not any("are held" in note for note in without["notes"])
    assert "3.0 GiB of CUDA:0 are held by others" in needed["notes"]


def test_who_holds_it_is_asked_of_the_driver(tmp_path: Path) -> None:
    found = Machine(tmp_path)
    found.has(card(free=3, processes=f"{os.getpid()}:12000,4194300:none"))
    document = planned(a_dense_model(tmp_path), "--own", **found.variables)

    (note,) = [note for note in document["notes"] if "are held" in note]
    assert f"({os.getpid()}): 11.7 GiB" in note and "process 4194300" in note


def test_only_the_devices_that_are_named_are_used(machine: str, tmp_path: Path) -> None:
    document = planned(a_dense_model(tmp_path), "--from", machine, "--devices", "CUDA:1", "--context", "4096")

    assert [device["selector"] for device in document["devices"]] == ["CUDA:1"]
    assert " -dev CUDA1 " in document["command"]["llama.cpp"]


def test_a_device_of_the_capture_can_be_changed_and_another_be_added(machine: str, tmp_path: Path) -> None:
    changes = ("--what-if", "CUDA:0 free=6GiB", "--what-if", "CUDA:2 total=12GiB")
    document = planned(a_dense_model(tmp_path), "--from", machine, *changes, "--context", "4096")

    free = {device["selector"]: device["free_bytes"] >> 30 for device in document["devices"]}
    assert free["CUDA:0"] == 6 and free["CUDA:2"] == 12


def test_without_any_device_it_leaves_with_3_and_says_what_would_make_one(tmp_path: Path) -> None:
    ran = piped("plan", a_dense_model(tmp_path), "--library", "metal")

    assert ran.code == 3
    assert "`--what-if` plans for a device that is not there" in ran.err
    assert ran.out == ""


def test_without_any_device_the_document_holds_no_plan(tmp_path: Path) -> None:
    assert planned(a_dense_model(tmp_path), "--library", "metal")["plans"] == []


def test_a_device_whose_free_memory_is_unknown_leaves_the_answer_open(tmp_path: Path) -> None:
    card = machines.a_geforce(free_memory=None, used_memory=None)
    evidence = machines.evidence(an_outcome(card), machines.passed(card), host=machines.with_driver())
    ran = piped("plan", a_dense_model(tmp_path), "--from", captured(evidence, tmp_path))

    assert ran.code == 6
    assert "how much memory is free on CUDA:0 is not known" in " ".join(ran.out.split())


def test_several_models_and_contexts_are_compared_in_one_table(tmp_path: Path) -> None:
    models = (a_dense_model(tmp_path), a_mixture_of_experts(tmp_path))
    ran = piped("plan", "--compare", "--context", "4k,32k", *models, *CARD)

    assert ran.code == 0
    assert len([line for line in ran.out.splitlines() if line.endswith(("fits", "with host"))]) == 4
    assert "by the rules of llama.cpp, on CUDA:0 (20.0 GiB free)" in ran.out


def test_several_models_are_compared_in_one_document(tmp_path: Path) -> None:
    models = (a_dense_model(tmp_path), a_mixture_of_experts(tmp_path))
    document = planned("--compare", "--context", "4096", *models, *CARD)

    assert [plan["model"]["architecture"] for plan in document["plans"]] == ["llama", "qwen3moe"]


def test_several_models_without_compare_are_wrong_usage(tmp_path: Path) -> None:
    model = a_dense_model(tmp_path)
    ran = piped("plan", model, model)

    assert ran.code == 2
    assert "several models need `--compare`" in ran.err


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--context", "much", "it takes a number of tokens"),
        ("--context", "0", "it takes a number of tokens"),
        ("--parallel", "-1", "it takes a whole number, 1 or more"),
        ("--cache-type-k", "q9", "the types are f32, f16"),
        ("--flash-attn", "maybe", "it takes on, off or auto"),
        ("--split", "0,0", "at least one share must be above 0"),
        ("--split", "a", "it takes a share for each device"),
        ("--reserve", "2", "a size in GiB"),
        ("--engine", "tgi", "the engines are llama.cpp, ollama, vllm"),
        ("--what-if", "CUDA:0", "changes nothing"),
        ("--what-if", "CUDA:7 free=lots", "a size in GiB"),
        ("--what-if", "GPU-xyz total=4GiB", "`CUDA:0 total=24GiB` makes one up"),
        ("--what-if", "CUDA:0 total=4GiB free=8GiB", "more is free than the device has"),
    ],
)
def test_every_wrong_value_gets_one_line_that_says_what_is_accepted(tmp_path: Path, option: str, value: str, said: str) -> None:
    ran = piped("plan", a_dense_model(tmp_path), option, value)

    assert ran.code == 2
    assert said in ran.err and len(ran.err.splitlines()) == 1 and ran.out == ""


def test_what_is_no_model_is_named_as_what_it_is(tmp_path: Path) -> None:
    for name, content, said in (
        ("a.gguf", b"PK\x03\x04" + bytes(100), "ZIP archive"),
        ("b.gguf", b"", "b.gguf"),
        ("c.gguf", b"GGUF" + bytes(3), "c.gguf"),
        ("d.safetensors", b"\xff" * 64, "the length of a header"),
    ):
        (tmp_path / name).write_bytes(content)
        (tmp_path / "config.json").write_text("{}")
        ran = piped("plan", str(tmp_path / name))

        assert (ran.code, len(ran.err.splitlines())) == (2, 1), name
        assert said in ran.err


@pytest.mark.parametrize("argument", ["", "/dev/zero", "/dev/null", "/", "x\ny", "/nonexistent.gguf"])
def test_what_cannot_be_read_is_refused_in_one_line(argument: str) -> None:
    ran = piped("plan", argument)

    assert (ran.code, len(ran.err.splitlines()), ran.out) == (2, 1, "")


def test_a_name_that_is_neither_a_file_nor_in_the_store_says_where_was_looked(tmp_path: Path) -> None:
    ran = piped("plan", "no-such-model", OLLAMA_MODELS=str(tmp_path / "models"))

    assert ran.code == 2
    assert "`no-such-model` is not a file or directory" in ran.err


def test_a_models_name_is_looked_up_in_ollamas_store(tmp_path: Path) -> None:
    store = stored_in_ollama(tmp_path, "llama3:8b", a_dense_model(tmp_path), options={"num_ctx": 8192})
    document = planned("llama3:8b", *CARD, OLLAMA_MODELS=store)

    assert (document["engine"], document["context_length"]) == ("ollama", 8192)
    assert document["command"]["ollama"] == "ollama run llama3:8b"
    assert "sha256-" in document["command"]["llama.cpp"]


def test_an_unknown_architecture_has_exact_weights_and_an_unknown_cache(tmp_path: Path) -> None:
    ran = piped("plan", "--json", a_dense_model(tmp_path, architecture="nobody-knows"), *CARD)
    document = checked("plan", ran.out)

    (device,) = document["devices"]
    assert ran.code == 6
    assert device["model_bytes"] >> 20 == 4314 and device["model_source"] == "exact"
    assert device["context_bytes"] is None and device["context_source"] == "unknown"
    assert "is not known for this model; the weights take" in document["because"]


def test_a_directory_of_safetensors_is_planned_for_vllm(tmp_path: Path) -> None:
    folder = a_directory_of_safetensors(tmp_path / "hf")
    document = planned(folder, "--context", "8192", *CARD)

    assert (document["engine"], document["outlook"]) == ("vllm", "fits")
    assert document["command"]["vllm"].startswith(f"vllm serve {folder} --max-model-len 8192")


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_no_line_is_longer_than_the_terminal_but_those_to_paste(tmp_path: Path, columns: int) -> None:
    seen = on_terminal("plan", a_dense_model(tmp_path), *CARD, columns=columns)

    assert seen.code == 0
    assert any("WWW" in line and "k" in line for line in seen.lines)
    assert max(len(line) for line in seen.lines) <= columns


@pytest.mark.parametrize("columns", ["40", "60", "80", "200"])
def test_the_bar_says_in_letters_what_colours_say(tmp_path: Path, columns: str) -> None:
    ran = piped("plan", a_dense_model(tmp_path), *CARD, COLUMNS=columns)

    (bar,) = [line.strip() for line in ran.out.splitlines() if set(line.strip()) <= set("#WCBk.!") and "W" in line]
    assert "\x1b" not in ran.out
    assert [letter for place, letter in enumerate(bar) if letter != bar[place - 1] or not place] == [
        "#",
        "W",
        "C",
        "B",
        "k",
        ".",
    ]


def test_a_terminal_gets_colours_and_no_color_takes_them_away(tmp_path: Path) -> None:
    model = a_dense_model(tmp_path)

    assert "\x1b[3" in on_terminal("plan", model, *CARD).raw
    assert "\x1b[3" not in on_terminal("plan", model, *CARD, NO_COLOR="1").raw


def test_what_is_to_be_pasted_is_quoted_for_a_shell(tmp_path: Path) -> None:
    model = a_dense_model(tmp_path, name="it's; rm -rf $HOME.gguf")
    ran = piped("plan", model, *CARD, COLUMNS="400")

    assert "'\"'\"'s; rm -rf $HOME.gguf'" in ran.out


def test_a_hostile_name_cannot_reach_the_terminal(tmp_path: Path) -> None:
    model = a_dense_model(tmp_path, name="\x1b[31mred.gguf")
    ran = piped("plan", model, *CARD)

    assert "\x1b" not in ran.out + ran.err
    assert json.loads(piped("plan", "--json", model, *CARD).out)["model"]["argument"].endswith("\\x1b[31mred.gguf")
