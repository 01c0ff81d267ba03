"""What llama.cpp's programs print, read: lines as b10434 wrote them here for made-up models."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.model import MiB
from gpuprobe.planning.engine_log import Choice, Row, choice_of, is_whole, rows_of
from gpuprobe.planning.engines.fit import Part, Share

TABLE = """\
0.00.278 I {table} memory breakdown [MiB] | total free self model context compute unaccounted |
0.00.278 I {table}   - CUDA0 (RTX 4090 (dev)) | 24576 = 24500 + (20969 = 20017 +     656 +     296) +      -20893 |
0.00.278 I {table}   - CUDA1 (RTX 3060)       | 12288 = 12288 + ( 9905 =  8921 +     624 +     360) +       -9905 |
0.00.278 I {table}   - Host                   |                   611 =   563 +       0 +      48                |
0.00.278 I {table}   - CPU_REPACK             |                   100 =   100 +       0 +       0                |
0.00.279 I common_params_fit_impl: targets for free memory can be met on all devices, no changes needed
""".replace("{table}", "common_memory_breakdown_print: |").splitlines()

DENSE = """\
0.00.347 I common_params_fit_impl: context size reduced from 131072 to 17920 -> need 36244 MiB less memory in total
0.00.347 I common_params_fit_impl: entire model should be fit across devices by reducing context
0.00.872 I common_params_fit_impl:   - CUDA1 (RTX 3060): 41 layers,  23398 MiB used,   1177 MiB free
0.01.245 I common_params_fit_impl:   - CUDA0 (RTX 4090): 40 layers,  22708 MiB used,   1867 MiB free
0.01.245 I common_fit_params: successfully fit params to free device memory
0.01.245 I common_fit_params: fitting params to free memory took 1.09 seconds
""".splitlines()

EXPERTS = """\
0.00.1 I common_params_fit_impl: context size reduced from 40960 to 4096 -> need 3744 MiB less memory in total
0.00.2 I common_params_fit_impl: filling dense-only layers back-to-front:
0.00.3 I common_params_fit_impl:   - CUDA1 (B): 49 layers,   2112 MiB used,   6079 MiB free
0.00.3 I common_params_fit_impl:   - CUDA0 (A):  0 layers,    290 MiB used,   7901 MiB free
0.00.4 I common_params_fit_impl: converting dense-only layers to full layers and filling them front-to-back:
0.00.5 I common_params_fit_impl: set ngl_per_device[0].(n_layer, n_part, overflow_type)=(19, 1, UP), id_dense_start=1
0.00.5 I common_params_fit_impl:   - CUDA0 (A): 19 layers ( 1 overflowing),   7070 MiB used,   1121 MiB free
0.00.6 I common_params_fit_impl: set ngl_per_device[1].(n_layer, n_part, overflow_type)=(30, 13, GATE), id_dense_start=1
0.00.6 I common_params_fit_impl:   - CUDA1 (B): 30 layers (13 overflowing),   7128 MiB used,   1063 MiB free
""".splitlines()


def test_the_table_is_read_with_what_is_repacked_for_the_processor() -> None:
    assert rows_of(TABLE) == (
        Row("CUDA0", 20017 * MiB, 656 * MiB, 296 * MiB, 24576 * MiB, 24500 * MiB),
        Row("CUDA1", 8921 * MiB, 624 * MiB, 360 * MiB, 12288 * MiB, 12288 * MiB),
        Row("Host", 663 * MiB, 0, 48 * MiB),
    )


def test_the_first_table_is_that_of_the_arguments() -> None:
    assert rows_of([*TABLE, *(line.replace("20017", "1") for line in TABLE)]) == rows_of(TABLE)


def test_a_table_is_whole_when_something_else_follows_it() -> None:
    assert not any(is_whole(TABLE[:count]) for count in range(len(TABLE)))
    assert is_whole(TABLE)


def test_what_fit_params_prints_is_read() -> None:
    assert rows_of(["CUDA0 4403 512 112 ", "Host 281 0 20 "]) == (
        Row("CUDA0", 4403 * MiB, 512 * MiB, 112 * MiB),
        Row("Host", 281 * MiB, 0, 20 * MiB),
    )


def test_layers_and_context_that_fit_chose_are_read_in_the_order_of_the_devices() -> None:
    assert choice_of(DENSE) == Choice(17920, (("CUDA0", Share(40)), ("CUDA1", Share(41))))


def test_experts_that_overflow_are_read_with_the_part_that_stays() -> None:
    shares = (("CUDA0", Share(19, 1, Part.UP)), ("CUDA1", Share(30, 13, Part.GATE)))

    assert choice_of(EXPERTS) == Choice(4096, shares)


def test_where_no_experts_fit_every_layer_but_the_output_has_left_them() -> None:
    without = EXPERTS[:4]

    assert choice_of(without).shares == (("CUDA0", Share(0, 0)), ("CUDA1", Share(49, 48)))


@pytest.mark.parametrize("line", ["no changes needed", "entire model can be fit by reducing context"])
def test_where_nothing_is_to_be_done_for_layers_there_is_no_choice(line: str) -> None:
    assert choice_of([f"I common_params_fit_impl: {line}"]).shares is None


def test_a_fit_that_failed_says_why() -> None:
    said = "W common_fit_params: failed to fit params to free device memory: n_gpu_layers already set by user to 20, abort"

    assert choice_of([said]).failed == "n_gpu_layers already set by user to 20, abort"


words = st.sampled_from([*TABLE, *DENSE, *EXPERTS, "", "Host", "CUDA0 1 2", "CUDA0 999999999999 1 1"])


@given(st.lists(words | st.text(max_size=60), max_size=12))
def test_any_lines_are_read_or_passed_over(lines: list[str]) -> None:
    rows_of(lines)
    choice_of(lines)
