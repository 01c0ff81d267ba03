"""`refresh --watch` as installed: drivers that change, die and hang while they are watched, in pipes and on terminals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyte
import pytest

from tests.cli import machines
from tests.cli.machines import captured
from tests.cli.terminal import COMMAND, environment, piped
from tests.doubles import Variables, cuda_driver, described, nvml_driver, script
from tests.vulkan_world import world
from tests.watched import WATCH, children_of, lines, picture

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the doubles are Linux shared libraries")

A, B = "GPU-00000000-0000-0000-0000-00000000000a", "GPU-00000000-0000-0000-0000-00000000000b"
GIB = 1 << 30
ENTERED, LEFT = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"
DOING: dict[str, Any] = {
    "busy": 37,
    "memory_busy": 12,
    "heat": 61,
    "watts": 215,
    "limit": 450,
    "clock": 2520,
    "memory_clock": 10501,
}


def card(uuid: str = A, pci: str = "0000:01:00.0", free: int = 20, **doing: object) -> str:
    return described(name="NVIDIA GeForce RTX 4090", uuid=uuid, pci=pci, memory=24 * GIB, free=free * GIB, **doing)


class Machine:
    """An NVIDIA machine whose cards and whose NVML can be told to behave otherwise while it is watched."""

    def __init__(self, place: Path) -> None:
        self._cards, self._nvml = place / "cards", place / "nvml"
        self.log = place / "log"
        (place / "cache").mkdir()
        self.variables: Variables = {
            "LD_LIBRARY_PATH": f"{cuda_driver().parent}:{nvml_driver().parent}",
            "FAKE_CUDA": str(self._cards),
            "FAKE_NVML": str(self._nvml),
            "XDG_CACHE_HOME": str(place / "cache"),
            "OLLAMA_VULKAN": "0",
        }
        self.behaves()

    def has(self, *cards: str) -> None:
        self._write(self._cards, *cards)

    def behaves(self, *lines: str) -> None:
        self._write(self._nvml, *lines)

    @staticmethod
    def _write(path: Path, *lines: str) -> None:
        """Whole at once: the double reads it while it is watched."""
        new = path.with_suffix(".new")
        new.write_text(script(*lines))
        new.replace(path)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.has(card())
    piped("list", **found.variables)
    return found


def free(document: dict[str, Any]) -> list[int]:
    return [device["free_memory_bytes"] // GIB for device in document["devices"]]


def test_each_reading_is_a_document_of_its_own_and_memory_is_followed(machine: Machine) -> None:
    with lines("-v", **machine.variables) as watched:
        first = watched.next()
        children = watched.children()
        machine.has(card(free=3))
        later = watched.until(lambda document: free(document) == [3])

        assert watched.children() == children

    assert len(children) == 1
    assert (free(first), first["discovery"]["anew"]) == ([20], False)
    assert [(probe["library"], probe["status"]) for probe in later["probes"]] == [("NVML", "ok")]
    assert {(each["memory_source"], each["stale"]) for each in later["devices"]} == {("NVML", False)}


def test_what_a_card_is_doing_is_told(machine: Machine) -> None:
    machine.has(card(**DOING, held_back="0x25", processes=f"{os.getpid()}:12000,4194300:none"))

    with lines(**machine.variables) as watched:
        activity = watched.next()["devices"][0]["activity"]

    processes = activity.pop("processes")
    assert activity == {
        "utilization_percent": 37,
        "memory_utilization_percent": 12,
        "temperature_celsius": 61,
        "power_watts": 215.0,
        "power_limit_watts": 450.0,
        "clock_mhz": 2520,
        "memory_clock_mhz": 10501,
        "throttle_reasons": ["software_power_cap", "software_thermal"],
    }
    assert [(each["pid"], each["used_memory_bytes"]) for each in processes] == [(os.getpid(), 12000 << 20), (4194300, None)]


def test_figures_that_never_stand_still_are_those_of_their_reading_and_those_that_do_stay(machine: Machine) -> None:
    machine.has(card(**DOING, sways=3), card(B, "0000:02:00.0", **DOING))
    piped("list", **machine.variables)

    with lines(**machine.variables) as watched:
        swaying, steady = zip(*(watched.next()["devices"] for _ in range(6)), strict=True)

    busy = [device["activity"]["utilization_percent"] for device in swaying]
    assert len(set(busy)) > 1 and set(busy) <= set(range(34, 41))
    assert {device["free_memory_bytes"] + device["used_memory_bytes"] for device in swaying} == {24 * GIB}
    assert len({device["free_memory_bytes"] for device in swaying}) > 1
    assert {(device["activity"]["utilization_percent"], device["free_memory_bytes"]) for device in steady} == {(37, 20 * GIB)}


def test_a_figure_that_a_card_does_not_support_is_null_and_a_refresh_has_no_such_figures(machine: Machine) -> None:
    with lines(**machine.variables) as watched:
        activity = watched.next()["devices"][0]["activity"]

    assert set(activity.values()) == {None}
    assert '"activity"' not in piped("refresh", "--json", **machine.variables).out


def test_a_new_driver_a_new_card_and_a_lost_one_are_noticed(machine: Machine) -> None:
    with lines("--diff", **machine.variables) as watched:
        watched.next()
        machine.has(card(), card(B, "0000:02:00.0"))
        machine.behaves("kernel 590.44.01")
        more = watched.until(lambda document: "590" in str(document["changes"]) and "now lists" in str(document["changes"]))
        machine.has(card(B, "0000:02:00.0"))
        fewer = watched.until(lambda document: document["devices"][0]["stale"])

    assert "CUDA driver 580.95.05 → 590.44.01; run `gpuprobe list` to look again" in more["warnings"]
    assert f"NVML now lists NVIDIA GeForce RTX 4090 ({B}); run `gpuprobe list` to look again" in more["warnings"]
    assert fewer["devices"][0]["because"] == "CUDA no longer lists it"
    assert free(fewer) == [20]


def test_a_child_that_is_killed_is_replaced_and_the_next_reading_tells_so(machine: Machine) -> None:
    with lines(**machine.variables) as watched:
        watched.next()
        (killed,) = watched.children()
        os.kill(killed, signal.SIGKILL)
        document = watched.until(lambda document: str(killed) in str(document["warnings"]))
        after = watched.until(lambda document: document["devices"][0]["memory_source"] == "NVML")

        assert watched.children() not in ([], [killed])

    # Killed between two readings it is replaced before the next one. Killed in the middle of one, behind it: CUDA answers in
    # its place, as where a driver crashes.
    (told,) = (sentence for sentence in document["warnings"] if str(killed) in sentence)
    between = rf"NVML: its process {killed} was ended by signal 9 after its last answer; restarting it"
    in_the_middle = rf"NVML: .*signal 9.*; restarting it \(process {killed}\)"
    assert re.fullmatch(f"{between}|{in_the_middle}", told)
    assert free(document) == [20]
    assert (free(after), after["devices"][0]["stale"]) == ([20], False)
    assert str(killed) not in str(after["warnings"])


def test_a_library_that_closes_the_streams_of_its_process_is_named_and_costs_no_figure(machine: Machine) -> None:
    """Nobody can ask that process again, so each reading has a new one."""
    machine.behaves("chaos nvmlDeviceGetCount_v2 close-standard")

    with lines(**machine.variables) as watched:
        watched.next()
        document = watched.until(lambda document: document["warnings"])

    replaced = r"NVML: its process \d+ cannot be asked again, because a library changed its stdin; restarting it"
    assert [told for told in document["warnings"] if not re.fullmatch(replaced, told)] == []
    assert (free(document), document["devices"][0]["stale"]) == ([20], False)


def test_a_driver_that_crashes_in_the_middle_of_a_watch_costs_no_figure(machine: Machine) -> None:
    """The library answers in the place of the witness, and the witness has a new child at the next reading."""
    machine.behaves("crash nvmlDeviceGetMemoryInfo_v2@3")

    with lines(**machine.variables) as watched:
        document = watched.until(lambda document: "restarting" in str(document["warnings"]))
        after = watched.next()

    assert (free(document), document["devices"][0]["memory_source"]) == ([20], "CUDA")
    replaced = r"NVML: .* in `nvmlDeviceGetMemoryInfo_v2` .*; restarting it \(process \d+\)"
    assert re.search(replaced, str(document["warnings"]))
    assert (after["devices"][0]["memory_source"], after["devices"][0]["stale"]) == ("NVML", False)


def test_a_driver_that_hangs_leaves_the_last_figure_with_its_age_until_it_answers_again(machine: Machine) -> None:
    with lines("--deadline", "1", **machine.variables) as watched:
        machine.has(card(free=7), "hang cuInit")
        seen = watched.until(lambda document: free(document) == [7])
        machine.behaves("hang nvmlDeviceGetCount_v2")
        machine.has(card(free=3), "hang cuInit")
        stale = watched.until(lambda document: document["devices"][0]["stale"])
        machine.has(card(free=3))
        machine.behaves()
        again = watched.until(lambda document: not document["devices"][0]["stale"])

    (device,) = stale["devices"]
    assert (device["free_memory_bytes"], device["memory_source"]) == (7 * GIB, "NVML")
    assert "activity" not in device
    assert seen["timestamp"] <= device["measured_at"] <= stale["timestamp"]
    assert stale["summary"]["exit_code"] == 6
    assert any("process" in sentence and "NVML" in sentence for sentence in stale["warnings"])
    assert free(again) == [3]


def test_a_library_without_a_witness_is_watched_too(tmp_path: Path) -> None:
    radeon = described(type="discrete", name="AMD Radeon RX 7900 XTX", vendor="0x1002", pci="0000:03:00.0", memory=24 * GIB)
    vulkan = world(tmp_path).icd(f"{radeon} free={20 * GIB}")
    variables = {**vulkan.environment(), "XDG_CACHE_HOME": str(tmp_path)}
    piped("list", **variables)

    with lines("-v", **variables) as watched:
        watched.next()
        children = watched.children()
        new = tmp_path / "new"
        new.write_text(f"{radeon} free={5 * GIB}")
        new.replace(f"{vulkan.directory}/libfake_vulkan0.so.script")  # whole at once: the double reads it while it is watched
        document = watched.until(lambda document: free(document) == [5])

        assert watched.children() == children

    assert [(probe["library"], probe["purpose"]) for probe in document["probes"]] == [("Vulkan", "list")]


def test_without_a_saved_discovery_the_first_reading_is_a_discovery(machine: Machine) -> None:
    piped("list", "--library", "cuda", **machine.variables)
    (Path(machine.variables["XDG_CACHE_HOME"]) / "gpuprobe" / "discovery.json").unlink()

    with lines(**machine.variables) as watched:
        first, second = watched.next(), watched.next()

    assert first["discovery"]["because"] == "no results are saved"
    assert (second["discovery"]["anew"], second["discovery"]["discovered_at"]) == (False, first["timestamp"])


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_whatever_ends_it_leaves_no_child_behind(machine: Machine, ending: signal.Signals) -> None:
    with lines(**machine.variables) as watched:
        watched.next()
        children = watched.children()
        watched.process.send_signal(ending)
        _, said = watched.process.communicate(timeout=30)
        gone = wait_until_gone(children)

    assert (len(children), gone, said) == (1, True, "")
    assert watched.process.returncode == (130 if ending is signal.SIGINT else -ending)


def wait_until_gone(processes: list[int]) -> bool:
    end = time.monotonic() + 10
    while any(Path(f"/proc/{process}").exists() for process in processes):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_a_reader_that_has_seen_enough_ends_it(machine: Machine) -> None:
    with lines(**machine.variables) as watched:
        watched.next()
        assert watched.process.stdout is not None
        watched.process.stdout.close()

        assert watched.process.wait(30) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_disk_that_is_full_ends_it_in_one_line(machine: Machine) -> None:
    with open("/dev/full", "w") as full:
        streams = {"stdout": full, "stderr": subprocess.PIPE}
        command, variables = [*COMMAND, *WATCH, "--json"], environment(**machine.variables)
        done = subprocess.run(command, env=variables, text=True, timeout=60, check=False, **streams)  # type: ignore[call-overload]

    said = "Error: the answer could not be written: No space left on device; make room there, or write elsewhere\n"
    assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.parametrize("given", ["0", "-1", "soon", "nan", "1e9", "inf"])
def test_seconds_that_are_none_are_refused_in_one_line(given: str) -> None:
    ran = piped("refresh", f"--watch={given}")

    assert (ran.code, ran.out) == (2, "")
    takes = "--watch takes the seconds between two readings, 0.1 to 86400"
    assert ran.err == f"Error: `--watch {given}`: {takes}; for example `--watch 10`\n"


def test_a_capture_cannot_be_watched(tmp_path: Path) -> None:
    ran = piped("refresh", "--watch", "--from", captured(machines.two_geforces(), tmp_path))

    assert (ran.code, ran.out) == (2, "")
    assert "a capture cannot be watched" in ran.err


@pytest.mark.parametrize("columns", [40, 60, 80, 160])
def test_the_picture_fits_the_terminal_and_is_drawn_in_its_place(machine: Machine, columns: int) -> None:
    machine.has(card(**DOING, held_back="0x4", processes="4194300:12000"))

    with picture(columns=columns, **machine.variables) as seen:
        text = seen.wait(lambda text: "load ▃▃▃" in text)

        assert max(map(len, seen.lines)) <= columns
        for told in ("NVIDIA GeForce RTX", "4.0 of 24.0 GiB", "██░░░░░░░░", "37 %", "61 °C", "slowed down by: software power"):
            assert told in text
        assert text.count("1 device, read just now") == 1
        assert seen.press_ctrl_c() == 130


def test_ctrl_c_leaves_the_terminal_as_it_was_and_the_last_picture_on_it(machine: Machine) -> None:
    with picture(**machine.variables) as seen:
        seen.wait(lambda text: "CUDA:0" in text)
        code = seen.press_ctrl_c()

    entered, _, rest = seen.raw.partition(b"\x1b[?1049h\x1b[?25l")
    assert (entered, code) == (b"", 130)
    assert rest.count(b"\x1b[?25h\x1b[?1049l") == 1
    after = rest.partition(b"\x1b[?25h\x1b[?1049l")[2].decode()
    assert "1 device, read just now" in after
    assert "Error" not in after


def test_a_termination_restores_the_terminal_first(machine: Machine) -> None:
    with picture(**machine.variables) as seen:
        seen.wait(lambda text: "CUDA:0" in text)
        seen.process.send_signal(signal.SIGTERM)

        assert seen.ended() == -signal.SIGTERM
    assert b"\x1b[?25h\x1b[?1049l" in seen.raw


def test_a_new_size_is_drawn_at_once(machine: Machine) -> None:
    with picture("--watch", "600", columns=160, **machine.variables) as seen:
        seen.wait(lambda text: "HISTORY" in text)
        seen.resize(50)
        text = seen.wait(lambda text: "HISTORY" not in text)

    assert "4.0 of 24.0 GiB" in text
    assert max(map(len, seen.lines)) <= 50


def test_a_new_size_is_drawn_at_once_also_while_a_driver_hangs(machine: Machine) -> None:
    with picture("--deadline", "600", columns=160, **machine.variables) as seen:
        seen.wait(lambda text: "HISTORY" in text)
        machine.behaves("hang nvmlDeviceGetCount_v2")
        wait_until_hanging(seen.process.pid)
        seen.resize(50)
        text = seen.wait(lambda text: "HISTORY" not in text)

    assert "4.0 of 24.0 GiB" in text


def wait_until_hanging(process: int) -> None:
    """The double ignores SIGTERM when it hangs, which the kernel tells."""
    end = time.monotonic() + 30
    while not any(ignored(child) >> (signal.SIGTERM - 1) & 1 for child in children_of(process)):
        assert time.monotonic() < end
        time.sleep(0.02)


def ignored(process: int) -> int:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:  # it has just ended
        return 0
    found = re.search(r"SigIgn:\s+([0-9a-f]+)", status)
    return int(found[1], 16) if found else 0


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (1, 50), (7, 3), (160, 1)])
def test_a_tiny_terminal_is_never_scrolled(machine: Machine, columns: int, rows: int) -> None:
    machine.has(card(**DOING, held_back="0x4", processes="4194300:12000"))

    with picture(columns=columns, rows=rows, **machine.variables) as seen:
        while seen.raw.count(b"\x1b[?2026l") < 3:
            assert seen.more()

    screen = pyte.HistoryScreen(columns, rows)
    pyte.ByteStream(screen).feed(seen.raw.partition(b"\x1b[?1049h")[2])
    assert not screen.history.top


@pytest.mark.parametrize("hangs", [False, True])
def test_ctrl_z_gives_the_terminal_back_and_fg_draws_again(machine: Machine, hangs: bool) -> None:
    with picture("--deadline", "600", **machine.variables) as seen:
        seen.wait(lambda text: "CUDA:0" in text)
        if hangs:
            machine.behaves("hang nvmlDeviceGetCount_v2")
            wait_until_hanging(seen.process.pid)
        seen.process.send_signal(signal.SIGTSTP)
        wait_until_stopped(seen.process.pid)
        while not seen.raw.endswith(LEFT):
            assert seen.more()
        before = len(seen.raw)
        seen.process.send_signal(signal.SIGCONT)
        while b"\x1b[?2026l" not in seen.raw[before:]:
            assert seen.more()

        assert seen.raw[before:].startswith(ENTERED)
        assert seen.press_ctrl_c() == 130


def wait_until_stopped(process: int) -> None:
    end = time.monotonic() + 30
    while "\nState:\tT" not in Path(f"/proc/{process}/status").read_text():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_terminal_that_goes_away_ends_it_and_leaves_no_child_behind(machine: Machine) -> None:
    with picture(**machine.variables) as seen:
        seen.wait(lambda text: "CUDA:0" in text)
        children = children_of(seen.process.pid)
        seen.hang_up()

        assert seen.process.wait(30) != 0
        assert (len(children), wait_until_gone(children)) == (1, True)


def test_a_signal_that_is_ignored_in_its_name_does_not_end_it(machine: Machine) -> None:
    """As `nohup` does."""
    ignoring = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with picture(**machine.variables) as seen:
            seen.wait(lambda text: "CUDA:0" in text)
            seen.process.send_signal(signal.SIGHUP)
            drawn = seen.raw.count(b"\x1b[?2026l")
            while seen.raw.count(b"\x1b[?2026l") < drawn + 3:
                assert seen.more()

            assert seen.press_ctrl_c() == 130
    finally:
        signal.signal(signal.SIGHUP, ignoring)


def test_a_terminal_of_few_rows_is_never_scrolled(machine: Machine) -> None:
    machine.has(*(card(f"GPU-00000000-0000-0000-0000-{number:012x}", f"0000:{number:02x}:00.0") for number in range(1, 9)))
    piped("list", **machine.variables)

    with picture(rows=10, **machine.variables) as seen:
        seen.wait(lambda text: "CUDA:0" in text)

    assert len(seen.lines) == 10
    assert re.fullmatch(r"… lines 1 to 9 of \d+", seen.lines[-1])


def test_without_colours_only_the_places_are_controlled(machine: Machine) -> None:
    with picture(NO_COLOR="1", **machine.variables) as seen:
        seen.wait(lambda text: "CUDA:0" in text)

    assert not re.search(rb"\x1b\[[0-9;]*m", seen.raw)
    assert b"\x1b[H" in seen.raw


def test_a_stale_figure_and_a_gap_are_seen(machine: Machine) -> None:
    with picture("--deadline", "0.5", columns=100, **machine.variables) as seen:
        seen.wait(lambda text: "CUDA:0" in text)
        machine.has(card(), "hang cuInit")
        machine.behaves("hang nvmlDeviceGetCount_v2")
        text = seen.wait(lambda text: "last reading" in text and "memory ▂" in text and "·" in text and "times" in text)

    said = r"note: \S+Z: NVML: no answer within 0.5 s \(in `nvmlDeviceGetCount_v2`\); restarting it .*"
    assert re.search(said, " ".join(seen.lines))
    assert text.count("restarting it") == 1


def test_where_nothing_can_be_drawn_in_place_one_table_follows_another(machine: Machine) -> None:
    command = [*COMMAND, *WATCH]
    with subprocess.Popen(command, env=environment(**machine.variables), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(10)]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)

    assert told[:5] == told[5:][:1] + told[1:5]
    assert told[0] == "1 device, read just now\n"
    assert told[3].startswith("CUDA:0  NVIDIA GeForce RTX 4090")
    assert "\x1b" not in "".join(told)
    assert process.returncode == 130


def test_a_terminal_that_can_do_nothing_is_only_written_to(machine: Machine) -> None:
    with picture(**{**machine.variables, "TERM": "dumb"}) as seen:
        while seen.raw.count(b"1 device, read just now") < 2:
            assert seen.more()

    assert b"\x1b" not in seen.raw


def test_q_ends_it_and_the_terminal_echoes_again(machine: Machine) -> None:
    with picture(keys=True, **machine.variables) as seen:
        seen.wait(lambda text: "CUDA:0" in text)
        seen.press("q")

        assert seen.ended() == 0
    left = seen.raw.rpartition(b"\x1b[?25h\x1b[?1049l")[2]
    assert b"CUDA:0" in left
    assert b"ends it" not in left


def test_what_does_not_fit_is_scrolled_to(machine: Machine) -> None:
    machine.has(*(card(f"GPU-00000000-0000-0000-0000-{number:012x}", f"0000:{number:02x}:00.0") for number in range(1, 9)))
    piped("list", **machine.variables)

    with picture(rows=8, keys=True, **machine.variables) as seen:
        seen.wait(lambda text: "CUDA:0" in text)
        seen.press("\x1b[F")

        seen.wait(lambda text: "CUDA:7" in text)
        assert "CUDA:0" not in seen.text


def test_chosen_devices_are_watched_alone(machine: Machine) -> None:
    machine.has(*(card(f"GPU-00000000-0000-0000-0000-{number:012x}", f"0000:{number:02x}:00.0") for number in (1, 2)))
    piped("list", **machine.variables)

    with lines("CUDA:1", **machine.variables) as seen:
        assert [device["selector"] for device in seen.next()["devices"]] == ["CUDA:1"]
