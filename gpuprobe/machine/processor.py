"""The processor and the memory, container limits included, from the texts of the survey."""

from collections.abc import Iterator

from gpuprobe.facts import Host
from gpuprobe.machine.surroundings import fields_of, text_of
from gpuprobe.record_classes import NamedTuple

_CPUS = "/sys/devices/system/cpu"
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}

# How systems say what inference uses: /proc/cpuinfo on x86 and on Arm, sysctl on macOS, winnt.h on Windows.
_FEATURES = {
    "sse4_2": ("sse4_2", "sse4.2", "pf_sse4_2_instructions_available"),
    "avx": ("avx", "avx1.0", "pf_avx_instructions_available"),
    "f16c": ("f16c",),
    "fma": ("fma",),
    "avx2": ("avx2", "pf_avx2_instructions_available"),
    "bmi2": ("bmi2",),
    "avx_vnni": ("avx_vnni",),
    "avx512f": ("avx512f", "pf_avx512f_instructions_available"),
    "avx512_vnni": ("avx512_vnni",),
    "avx512_bf16": ("avx512_bf16",),
    "amx_tile": ("amx_tile",),
    "amx_int8": ("amx_int8",),
    "amx_bf16": ("amx_bf16",),
    "neon": ("asimd", "neon", "hw.optional.advsimd", "pf_arm_neon_instructions_available"),
    "fp16": ("asimdhp", "hw.optional.arm.feat_fp16"),
    "dotprod": ("asimddp", "hw.optional.arm.feat_dotprod", "pf_arm_v82_dp_instructions_available"),
    "bf16": ("bf16", "hw.optional.arm.feat_bf16"),
    "i8mm": ("i8mm", "hw.optional.arm.feat_i8mm"),
    "sve": ("sve",),
    "sve2": ("sve2",),
    "sme": ("sme", "hw.optional.arm.feat_sme"),
}

# Main ID register of Arm processors, as /proc/cpuinfo gives it: implementer and part. They have no model name there.
_ARM: dict[tuple[int | None, int | None], str] = {
    (0x41, 0xD03): "Arm Cortex-A53",
    (0x41, 0xD07): "Arm Cortex-A57",
    (0x41, 0xD08): "Arm Cortex-A72",
    (0x41, 0xD0B): "Arm Cortex-A76",
    (0x41, 0xD0C): "Arm Neoverse N1",
    (0x41, 0xD40): "Arm Neoverse V1",
    (0x41, 0xD42): "Arm Cortex-A78AE",
    (0x41, 0xD49): "Arm Neoverse N2",
    (0x41, 0xD4F): "Arm Neoverse V2",
    (0x41, 0xD83): "Arm Neoverse V3AE",
    (0x41, 0xD85): "Arm Cortex-X925",
    (0x41, 0xD87): "Arm Cortex-A725",
    (0x4E, 0x004): "NVIDIA Carmel",
}


class Cache(NamedTuple):
    level: int
    type: str  # "Data", "Instruction", "Unified"
    size: int  # bytes, of one instance


class Processor(NamedTuple):
    """`threads`: those online; `cores`: the physical ones among them; `features`: the SIMD sets, by Linux's names; None:
    nobody tells them."""

    model: str | None
    cores: int | None
    threads: int | None
    features: tuple[str, ...] | None
    caches: tuple[Cache, ...] = ()


class Memory(NamedTuple):
    """Bytes. `available` is what a program here can still get, within its container's `limit` (None: none is set)."""

    total: int | None
    available: int | None
    swap_total: int | None
    swap_free: int | None
    limit: int | None = None
    limit_source: str | None = None  # the file that sets it


def processor(host: Host) -> Processor:
    """The first processor's model, sets and caches, and how many there are; the first stands for all."""
    fields = fields_of(text_of(host, "/proc/cpuinfo"))
    threads = _counted(text_of(host, f"{_CPUS}/online")) or _number(host.facts.get("cpu_count"))
    return Processor(
        model=_model(host, fields),
        cores=_cores(host, fields, threads),
        threads=threads,
        features=_features(host, fields),
        caches=tuple(_caches(host)),
    )


def _model(host: Host, fields: dict[str, str]) -> str | None:
    elsewhere = host.facts.get("machdep.cpu.brand_string") or host.facts.get("ProcessorNameString")
    named = fields.get("model name") or elsewhere
    if named:
        return " ".join(str(named).split())
    return _ARM.get((_hexadecimal(fields.get("CPU implementer")), _hexadecimal(fields.get("CPU part"))))


def _cores(host: Host, fields: dict[str, str], threads: int | None) -> int | None:
    """Cores of a socket times sockets, where /proc/cpuinfo tells; else threads by how many share the first core.

    The first is right also where efficient cores have one thread and the others two.
    """
    known = _number(host.facts.get("cpu_cores")) or _number(host.facts.get("hw.physicalcpu"))
    per_socket, siblings = _number(fields.get("cpu cores")), _number(fields.get("siblings"))
    if known or threads is None:
        return known
    if per_socket and siblings:
        return min(per_socket * max(1, round(threads / siblings)), threads)
    together = _counted(text_of(host, f"{_CPUS}/cpu0/topology/thread_siblings_list"))
    return max(1, threads // together) if together else None


def _features(host: Host, fields: dict[str, str]) -> tuple[str, ...] | None:
    texts = (
        fields.get("flags") or fields.get("Features") or "",
        str(host.facts.get("machdep.cpu.features") or ""),
        str(host.facts.get("machdep.cpu.leaf7_features") or ""),
        " ".join(name for name, value in host.facts.items() if value == 1),
    )
    said = set(" ".join(texts).casefold().split())
    return tuple(name for name, spellings in _FEATURES.items() if said.intersection(spellings)) if said else None


def _caches(host: Host) -> Iterator[Cache]:
    place = f"{_CPUS}/cpu0/cache/"
    for path in sorted(path for path in host.texts if path.startswith(place) and path.endswith("/level")):
        index = path.removesuffix("/level")
        level, size = _number(text_of(host, path)), _size(text_of(host, f"{index}/size"))
        kind = text_of(host, f"{index}/type")
        if level is not None and size is not None and kind:
            yield Cache(level, kind, size)


def memory(host: Host) -> Memory:
    """Memory as the kernel counts it, what is available clamped by each control group that limits this process.

    A group leaves its limit less (current less inactive_file): the page cache that it holds can be had back. Never
    below 0 nor above the total. Before Linux 3.14 there is no MemAvailable: free + buffers + cached.
    """
    if host.platform != "linux":
        return Memory(
            total=_number(host.facts.get("memory_total")),
            available=_number(host.facts.get("memory_available")),
            swap_total=_number(host.facts.get("swap_total")),
            swap_free=_number(host.facts.get("swap_free")),
        )
    lines = _sizes(text_of(host, "/proc/meminfo"))
    total = lines.get("MemTotal")
    available = lines.get("MemAvailable", _sum(lines.get(name) for name in ("MemFree", "Buffers", "Cached")))
    limits = [limit for limit in _limits(host) if total is None or limit.size < total]
    tightest = min(limits, key=lambda limit: (limit.size, limit.source), default=None)
    rooms = [] if any(limit.room is None for limit in limits) else [available, *(limit.room for limit in limits)]
    known = [room for room in (*rooms, total) if room is not None]
    return Memory(
        total=total,
        available=max(0, min(known)) if any(room is not None for room in rooms) else None,
        swap_total=lines.get("SwapTotal"),
        swap_free=lines.get("SwapFree"),
        limit=tightest.size if tightest else None,
        limit_source=tightest.source if tightest else None,
    )


class _Limit(NamedTuple):
    size: int
    source: str
    room: int | None  # what the group leaves; None: it does not tell what it holds


def _limits(host: Host) -> Iterator[_Limit]:
    """The limit of each control group above this process that sets one, in bytes."""
    for path in host.texts:
        place, _, file = path.rpartition("/")
        usage = {"memory.max": "memory.current", "memory.limit_in_bytes": "memory.usage_in_bytes"}.get(file)
        size = _number(text_of(host, path)) if usage else None
        if size is not None and size < 2**60:  # version 1 says 2**63 less a page where there is no limit
            used = _used(host, place, f"{place}/{usage}")
            yield _Limit(size, path, None if used is None else size - used)


def _used(host: Host, place: str, usage: str) -> int | None:
    used = _number(text_of(host, usage))
    if used is None:
        return None
    held = dict(line.split(" ", 1) for line in text_of(host, f"{place}/memory.stat").splitlines() if " " in line)
    reclaimable = held.get("total_inactive_file", held.get("inactive_file"))  # version 1 counts children apart
    return max(0, used - (_number(reclaimable) or 0))


def _sizes(meminfo: str) -> dict[str, int]:
    numbers = {name: _number(value.removesuffix(" kB")) for name, value in fields_of(meminfo).items()}
    return {name: number * 1024 for name, number in numbers.items() if number is not None}


def _sum(values: Iterator[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _counted(ranges: str) -> int | None:
    """How many are named in a list such as "0-3,8"; None where it is no such list."""
    ends = [part.partition("-") for part in ranges.split(",")]
    spans = [(_number(first), _number(last or first)) for first, _, last in ends]
    counts = [last - first + 1 for first, last in spans if first is not None and last is not None and last >= first]
    return sum(counts) if len(counts) == len(spans) else None


def _number(value: int | str | None) -> int | None:
    """A whole number of at most 20 digits; None for anything else."""
    if isinstance(value, int):
        return value
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else None


def _hexadecimal(text: str | None) -> int | None:
    try:
        return int(text or "", 16)
    except ValueError:
        return None


def _size(text: str) -> int | None:
    number, unit = (text[:-1], text[-1:]) if text[-1:] in _UNITS else (text, "")
    count = _number(number)
    return None if count is None else count * _UNITS[unit]
