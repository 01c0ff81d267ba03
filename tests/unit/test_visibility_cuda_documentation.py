"""`CUDA_VISIBLE_DEVICES` as NVIDIA documents it.

Source of the first table: CUDA Programming Guide, section "CUDA Environment Variables", `CUDA_VISIBLE_DEVICES` (its own
examples, values and UUID included), and the Multi-Process Service guide for beginnings of UUIDs. It is written from
those pages and from nothing that this repository contains, doubles least of all: those share our misunderstandings.
"""

from __future__ import annotations

import pytest

from gpuprobe.judging.device_lists import parse_list
from tests.cuda_list_oracle import cuda_selects

# Three GPUs; the first has the UUID of NVIDIA's example, and the last two share the beginning of theirs.
GPUS = (
    "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6",
    "GPU-5eebf112-0000-0000-0000-000000000001",
    "GPU-5eebf112-0000-0000-0000-000000000002",
)

DOCUMENTED = {
    "not set: every GPU is visible": (None, (0, 1, 2)),
    "an empty text: no GPU is visible": ("", ()),
    "2,1 hides device 0 and enumerates 2 before 1": ("2,1", (2, 1)),
    "0,2,-1,1 shows 0 and 2: what follows an invalid index is hidden": ("0,2,-1,1", (0, 2)),
    "an index that no GPU has is invalid too": ("1,3,0", (1,)),
    "nothing precedes an invalid index in first place": ("-1,0,1", ()),
    "a UUID as nvidia-smi prints it": ("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", (0,)),
    "enough digits from the beginning of a UUID": ("GPU-8932f937", (0,)),
    "a beginning that two GPUs share identifies neither": ("GPU-5eebf112", ()),
    "UUIDs are enumerated in the order of the sequence": (
        "GPU-5eebf112-0000-0000-0000-000000000002,GPU-8932f937",
        (2, 0),
    ),
    "a UUID that no GPU has is invalid, and what follows is hidden": ("GPU-8932f937,GPU-ffffffff,GPU-5eebf112", (0,)),
}

# The pages are silent on these; PyTorch's parser, written to agree with the driver, records them.
UNDOCUMENTED = {
    "a number given twice shows nothing": ("0,0", ()),
    "so does a UUID given twice in two lengths": ("GPU-8932f937,GPU-8932f937-d72c", ()),
    "reading stops where numbers follow UUIDs": ("GPU-8932f937,1", (0,)),
    "reading stops where UUIDs follow numbers": ("1,GPU-8932f937", (1,)),
    "blanks around entries are ignored": (" 1 , 0", (1, 0)),
    "an empty entry ends the list": ("0,,1", (0,)),
    "what stands behind the digits is ignored": ("1gpu,2", (1, 2)),
    "quotes are no number": ('"0"', ()),
    "a word is no number": ("NoDevFiles", ()),
}


@pytest.mark.parametrize(("value", "visible"), DOCUMENTED.values(), ids=DOCUMENTED)
def test_cuda_shows_what_nvidia_documents(value: str | None, visible: tuple[int, ...]) -> None:
    assert cuda_selects(value, GPUS) == visible


@pytest.mark.parametrize(("value", "visible"), UNDOCUMENTED.values(), ids=UNDOCUMENTED)
def test_cuda_shows_what_others_found(value: str, visible: tuple[int, ...]) -> None:
    assert cuda_selects(value, GPUS) == visible


def test_a_gpu_without_a_known_uuid_is_named_by_its_number_only() -> None:
    assert cuda_selects("1", (None, None)) == (1,)
    assert cuda_selects("GPU-8932f937", (None, None)) == ()


def test_slices_are_named_by_their_uuid_or_by_the_older_path() -> None:
    """`MIG-<UUID>` since driver 470, `MIG-GPU-<UUID>/<GPU instance>/<compute instance>` before."""
    new, old = "MIG-8932f937-d72c-4106-c12f-20bd9faed9f6", "MIG-GPU-8932f937-d72c-4106-c12f-20bd9faed9f6/1/0"

    assert parse_list(f"{new},{old}") == (new, old)
