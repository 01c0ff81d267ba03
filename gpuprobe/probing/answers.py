"""What a child said, line by line, made into an Outcome.

The child's answers are not trusted to have the right shape: a library in the same process can write anywhere. A line that is
not the protocol makes the outcome `unreadable`; what was announced before it stays.
"""

from __future__ import annotations

from collections.abc import Callable

from gpuprobe import json_texts as json
from gpuprobe.model import Call, Depth, Device, Json, Outcome, Probe, Status
from gpuprobe.probing.shapes import NotTheProtocol, number_or_none, seconds, text, text_or_none
from gpuprobe.probing.stages_taken import Stages, wrong_elements
from gpuprobe.probing.told_devices import capabilities_of, device_from
from gpuprobe.record_classes import Any, NamedTuple

_CHANGES = ("total_memory", "free_memory", "used_memory")  # bytes, of a device that is told again
_LONGEST_CALL = 4096  # characters
_MOST_REFUSED = 100  # lines; half a million fit into what is heard, and each is parsed twice
_MOST_CAPABILITIES = 1024  # of one device, over all answers of a child that stays
_MOST_REMEMBERED = 4096  # lines of an answer; a megabyte may be as many as a million
_MOST_DEVICES = 1024  # of one child; eight cards cut into slices are 64

_FAILURES = {
    "not_loadable": Status.NOT_LOADABLE,
    "no_devices": Status.NO_DEVICES,
    "init_failed": Status.INIT_FAILED,
    "call_failed": Status.CALL_FAILED,
    "unsupported": Status.CALL_FAILED,
    "device_missing": Status.CALL_FAILED,
    "busy": Status.CALL_FAILED,
    "wrong_result": Status.CALL_FAILED,
}


class _Told(NamedTuple):
    """What a child said beside its answers: the lines, and what stood in them."""

    lines: list[bytes]
    devices: tuple[Device, ...]
    read: dict[bytes, Device]
    facts: Json
    copies: dict[str, int]
    named: bytes


class Answers:
    """Collects the lines of one child. `before`: what it answered before; it does not say again what stays as it was."""

    def __init__(self, probe: Probe, before: Answers | None = None) -> None:
        self.probe = probe
        self.devices: list[Device] = []
        self._before = {device.number: device for device in before.devices} if before is not None else {}
        self._earlier = before.told if before is not None else None
        self._quiet: list[bytes] = []
        self._kinds: set[str] = set()  # of lines
        self._is_plain = False  # of calls, facts and devices alone, up to the last quiet line
        self._loud = 0  # lines
        self._located_devices: tuple[str | None, tuple[Device, ...]] | None = None  # with the library that they were located by
        self._is_first = before is None
        self._read_before = before.read if before is not None else {}
        self.read: dict[bytes, Device] = {}  # each line that told of a device, and what stands in it
        self._copies: dict[str, int] = {}  # of each key
        self.starts: list[tuple[str, float]] = []
        self._named = b""  # the last call of a quiet answer; all of it comes before what is said aloud
        self.facts: Json = {}
        self.loaded: str | None = None if before is None else before.loaded
        self.failed: Json | None = None
        self.depth: Depth | None = None
        self.validation = Stages()
        self.is_waiting = False  # for its turn
        self.done_at: float | None = None
        self.rubbish: str | None = None
        self._refused = 0

    def take(self, line: bytes) -> None:
        """A line that was said aloud."""
        self._loud += 1
        self._hear(line)

    def _hear(self, line: bytes) -> None:
        """Nothing that stands in a line may end more than this child's answer, nor its lines more than the time for it."""
        if self._refused >= _MOST_REFUSED:
            return
        try:
            device = self._known(line) or self._take(json.loads(str(line, "utf-8", "surrogatepass")))
            if device is not None:
                self._add(device, line)
        except Exception as problem:
            self._refused += 1
            self.reject(f"{str(problem)[:200] or type(problem).__name__}: {line[:80]!r}")

    def take_quiet(self, lines: list[bytes]) -> None:
        """Lines of the pipe beside the answers, where calls are bare names."""
        if self._earlier is not None and lines == self._earlier.lines and not (self._quiet or self._loud):
            self._take_again(self._earlier)
            return
        self._quiet += lines
        for line in lines:
            if line[:1] == b"{":
                self._hear(line)
            else:
                self._named = line
        self._is_plain = self._kinds <= _PLAIN

    def _take_again(self, earlier: _Told) -> None:
        """All as in the answer before, to the byte: the same records, in the same tuple."""
        self._quiet, self._is_plain = list(earlier.lines), True
        self.devices, self.read, self.facts = list(earlier.devices), dict(earlier.read), dict(earlier.facts)
        self._located_devices, self._copies, self._named = (self.loaded, earlier.devices), dict(earlier.copies), earlier.named

    @property
    def told(self) -> _Told | None:
        """What was said beside the answers, where that was calls, facts and devices, and nothing aloud but its end."""
        if self._loud != 1 or not self._is_plain or len(self._quiet) > _MOST_REMEMBERED:
            return None
        return _Told(self._quiet, self._devices(), self.read, self.facts, self._copies, self._named)

    def reject(self, why: str) -> None:
        """What came is not the protocol; the first reason is kept."""
        self.rubbish = self.rubbish or why

    @property
    def last_call(self) -> str | None:
        if self.starts:
            return self.starts[-1][0]
        return self._name if self._named else None

    @property
    def has_begun(self) -> bool:
        """Whether anything of a library was called or loaded: what ends a child before that is none of its doing."""
        called = bool(self.starts or self._named) or not self._is_first
        return called or self.loaded is not None or self.failed is not None or self.done_at is not None

    def _take(self, said: Any) -> Device | None:
        """The device that was told, if it was one."""
        if not isinstance(said, dict) or not said:
            raise NotTheProtocol("not an object")
        kind = next(iter(said))
        handler = _HANDLERS.get(kind)
        if handler is None:
            raise NotTheProtocol("unknown kind of line")
        self._kinds.add(kind)
        if kind not in _CHECKED_AS_TAKEN:
            from gpuprobe.wire import from_json  # a machine without a card starts no child that answers

            said = from_json(Any, said)
        return handler(self, said)

    def _known(self, line: bytes) -> Device | None:
        """What the same line told in the answer before, as of a card at rest, where that is still what is known of it."""
        device = self._read_before.get(line)
        known = self._before.get(device.number) if device is not None else None
        return device if device is not None and known is not None and known.uuid == device.uuid else None

    def _add(self, device: Device, line: bytes) -> None:
        if len(self.devices) == _MOST_DEVICES:
            raise NotTheProtocol(f"more than {_MOST_DEVICES} devices")
        self.read[line] = device
        copies = self._copies[device.key] = self._copies.get(device.key, -1) + 1
        self.devices.append(device._replace(copy=copies) if copies else device)

    def outcome(self, **ended: Any) -> Outcome:
        """The outcome, given how the process ended (`status` as far as that alone tells, exit code, stderr…)."""
        failed = self.failed or {}
        message = failed.get("message")
        status = self._status(ended.pop("status"))
        if status is Status.UNREADABLE and self.rubbish:
            message = f"its answer is not the protocol ({self.rubbish})"
        return Outcome(
            self.probe,
            status=status,
            devices=self._devices(),
            calls=self._calls(),
            library_path=self.loaded,
            code=failed.get("code"),
            code_name=failed.get("name"),
            message=ended.pop("message", None) or message,
            failure=failed.get("status"),
            depth=self.depth,
            stages=self.validation.stages(self.done_at is not None),
            wrong=failed.get("wrong") or {},
            facts=self.facts,
            **ended,
        )

    def _devices(self) -> tuple[Device, ...]:
        by, devices = self._located_devices or (None, ())
        if self._located_devices is None or by != self.loaded or len(devices) != len(self.devices):
            devices = tuple(map(self._located, self.devices))
            self._located_devices = self.loaded, devices
        return devices

    def _located(self, device: Device) -> Device:
        return device if device.library_path or not self.loaded else device._replace(library_path=self.loaded)

    def _status(self, ended: Status) -> Status:
        """`done` is the only proof of success, and rubbish beside it spoils the proof.

        With the proof it does not matter how the process then ended: some drivers crash or hang while they are unloaded.
        """
        if self.done_at is not None and self.rubbish is None:
            return self._listed()
        if ended is not Status.OK:
            return ended
        if self.rubbish is not None:
            return Status.UNREADABLE
        if self.failed is not None:
            return _FAILURES[self.failed["status"]]
        return Status.EXITED

    def _listed(self) -> Status:
        listed_nothing = not self.probe.purpose.is_validation and not self.devices
        return Status.NO_DEVICES if listed_nothing else Status.OK

    def _calls(self) -> tuple[Call, ...]:
        """A call lasts until the next one begins, the last one until `done`; without it nobody knows.

        A quiet call has no time. Where the answer came to its end it is left out: the calls are those of the answer before.
        """
        ends = [*(at for _, at in self.starts), self.done_at][1:]
        said = (
            Call(name, None if end is None else round(max(0.0, end - at), 6))
            for (name, at), end in zip(self.starts, ends, strict=True)
        )
        return (*((Call(self._name, None),) if self._named and self.done_at is None else ()), *said)

    @property
    def _name(self) -> str:
        return _shortened(self._named.decode(errors="backslashreplace"))

    def _call(self, said: Json) -> None:
        """Of all lines the only one that comes by the hundred: its two values are checked here, and no other is looked at."""
        self.starts.append((_shortened(text(said["call"])), seconds(said.get("at"))))

    def _done(self, said: Json) -> None:
        self.done_at = seconds(said.get("at"))
        self.validation.ended(self.done_at)

    def _failed(self, said: Json) -> None:
        failed = said["failed"]
        if not isinstance(failed, dict) or text(failed.get("status")) not in _FAILURES:
            raise NotTheProtocol("unknown failure")
        code = failed.get("code")
        if code is not None and type(code) is not int:
            raise NotTheProtocol("the code is not a number")
        self.failed = {
            "status": failed["status"],
            "code": code,
            "name": text_or_none(failed.get("name")),
            "message": text_or_none(failed.get("message")),
            "wrong": wrong_elements(failed.get("wrong")),
        }
        if said.get("at") is not None:
            self.validation.ended(seconds(said["at"]))

    def _stage(self, said: Json) -> None:
        self.validation.begin(text(said["stage"]), seconds(said.get("at")))

    def _waiting(self, said: Json) -> None:
        self.validation.ended(seconds(said.get("at")))
        self.is_waiting = True

    def _figures(self, said: Json) -> None:
        self.validation.measured(said["figures"])

    def _not_possible(self, said: Json) -> None:
        self.validation.not_possible(said["not_possible"])

    def _passed(self, said: Json) -> None:
        self.depth = _depth(said["passed"].get("depth")) if isinstance(said["passed"], dict) else None

    def _loaded(self, said: Json) -> None:
        path = text_or_none(said["loaded"])
        if self.loaded is not None and path != self.loaded:
            raise NotTheProtocol("another library than the one that was loaded")
        self.loaded = path

    def _facts(self, said: Json) -> None:
        if not isinstance(said["facts"], dict):
            raise NotTheProtocol("facts are not an object")
        self.facts.update(said["facts"])

    def _device(self, said: Json) -> Device:
        again = isinstance(said["device"], dict) and said["device"].get("again") is True
        return self._located(self._device_again(said["device"]) if again else device_from(said["device"], self.probe))

    def _device_again(self, said: Json) -> Device:
        known = self._before.get(number_or_none(said.get("number")) or 0)
        if known is None or known.uuid != said.get("uuid"):
            raise NotTheProtocol("a device again that was not told before")
        changed: dict[str, Any] = {field: number_or_none(said.get(field)) for field in _CHANGES}
        capabilities = {**known.capabilities, **capabilities_of(said)}
        if len(capabilities) > _MOST_CAPABILITIES:
            raise NotTheProtocol(f"more than {_MOST_CAPABILITIES} capabilities")
        return known._replace(copy=0, capabilities=capabilities, **changed)


def _shortened(call: str) -> str:
    return call if len(call) <= _LONGEST_CALL else f"{call[: _LONGEST_CALL - 1]}…"


def _depth(said: object) -> Depth:
    try:
        return Depth(text(said))
    except ValueError:
        raise NotTheProtocol("a depth that there is not") from None


_HANDLERS: dict[str, Callable[[Answers, Json], Device | None]] = {
    "call": Answers._call,
    "done": Answers._done,
    "failed": Answers._failed,
    "passed": Answers._passed,
    "loaded": Answers._loaded,
    "facts": Answers._facts,
    "device": Answers._device,
    "stage": Answers._stage,
    "waiting": Answers._waiting,
    "figures": Answers._figures,
    "not_possible": Answers._not_possible,
}
_CHECKED_AS_TAKEN = ("call", "done")  # and nothing else that stands in them is kept
_PLAIN = {"device", "facts"}
