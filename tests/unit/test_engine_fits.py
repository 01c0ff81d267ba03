"""Context, layers and experts per device are what the real llama.cpp chose; `tests/test_real_fit.py` asks it again."""

from __future__ import annotations

import pytest

from gpuprobe.planning.engines.fit import Part
from tests.engine_fits import MODELS, WISHES, assert_the_same, ours, read

RECORDED = read()
# What leaves a layer, by what of it stays.
LEAVES = {
    r"ffn_(gate|up|gate_up|down).*": Part.ATTENTION,
    r"ffn_(gate|gate_up|down).*": Part.UP,
    r"ffn_down.*": Part.GATE,
    r"ffn_(up|down|gate_up|gate)_(ch|)exps": Part.DENSE,
}
TRAINED = {"8B": 131072, "70B": 131072, "30B of experts": 32768}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {name: make(tmp_path_factory.mktemp("model")) for name, make in MODELS.items()}


@pytest.mark.parametrize(("sizes", "name", "options"), RECORDED, ids=str)
def test_what_is_left_to_fit_is_chosen_as_the_engine_did(
    sizes: tuple[int, ...], name: str, options: str, files: dict[str, str]
) -> None:
    wish, choice = WISHES[options], RECORDED[sizes, name, options]
    answer = ours(files[name], sizes, wish)

    assert_the_same(answer, choice, wish.context or TRAINED[name])
    assert answer.settings is not None
    kept = [share.first for _, share in choice.shares or () if share.partial and share.first is not Part.DENSE]
    parts = [LEAVES[override.pattern.rpartition("\\.")[2]] for override in answer.settings.overrides]
    assert [part for part in parts if part is not Part.DENSE] == kept
