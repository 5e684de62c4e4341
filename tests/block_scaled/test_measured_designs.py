"""Codebooks for measured data in scaled blocks."""

from __future__ import annotations

import numpy as np
import pytest

from bitlaw.theory import BlockScaled, Empirical, ScalarQuantiser, StudentT, evaluate, lloyd_max

VALUES = np.random.default_rng(0).standard_t(5, 1500)


@pytest.mark.parametrize("scale", ["absmax", "signmax"])
@pytest.mark.parametrize("levels", [3, 8, 16])
def test_no_neighbour_of_a_codebook_for_data_is_better(scale: str, levels: int) -> None:
    law = BlockScaled(Empirical(VALUES), 16, scale)
    found = lloyd_max(law, levels)
    least = evaluate(found, law).distortion
    rng = np.random.default_rng(levels)
    for size in (0.001, 0.01, 0.1):
        moved = found.codepoints + rng.normal(0.0, size, (10, levels))
        others = [evaluate(ScalarQuantiser(np.sort(row)), law).distortion for row in moved]
        assert min(others) > least


def test_data_of_a_law_have_nearly_its_codebook() -> None:
    law = StudentT(5)
    data = law.ppf((np.arange(1500) + 0.5) / 1500)
    exact, measured = lloyd_max(BlockScaled(law, 16), 8), lloyd_max(BlockScaled(Empirical(data), 16), 8)
    np.testing.assert_allclose(measured.codepoints, exact.codepoints, atol=0.01)


def test_pinned_codepoints_stay_and_cost() -> None:
    law = BlockScaled(Empirical(VALUES), 16)
    free, pinned = lloyd_max(law, 8), lloyd_max(law, 8, pinned={0: -1.0, 7: 1.0})
    assert pinned.codepoints[[0, -1]].tolist() == [-1.0, 1.0]
    assert evaluate(pinned, law).distortion > evaluate(free, law).distortion


def test_more_levels_than_values_are_refused() -> None:
    law = BlockScaled(Empirical([1.0, -1.0]), 4)
    with pytest.raises(ValueError, match="levels must be at most the 2 distinct values"):
        lloyd_max(law, 5)
