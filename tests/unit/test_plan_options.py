"""The options of `plan`: a blank is a blank, whichever it is."""

from __future__ import annotations

import pytest

from gpuprobe.command.plan_options import PlanOptions, read
from gpuprobe.exits import WrongUsage


@pytest.mark.parametrize("blank", ["", " ", "\t", "\x1c", "\u2003"])
def test_blanks_around_a_number_are_passed_over(blank: str) -> None:
    given = PlanOptions(parallel=f"{blank}4", layers=f"20{blank}", context=f"{blank}8k", split=f"3,{blank}1")

    wish = read(given, ("x.gguf",)).wish

    assert (wish.parallel, wish.layers, wish.context, wish.split) == (4, 20, 8192, (3.0, 1.0))


@pytest.mark.parametrize("option", ["parallel", "ubatch", "layers", "cpu_moe", "split", "context", "reserve"])
@pytest.mark.parametrize("text", ["", "\x1c", "²", "-1", "1e3", "9" * 40, "0x10"])
def test_what_is_no_number_is_wrong_usage(option: str, text: str) -> None:
    with pytest.raises(WrongUsage):
        read(PlanOptions()._replace(**{option: text}), ("x.gguf",))  # type: ignore[arg-type]
