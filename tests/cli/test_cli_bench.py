"""``eft bench``: figures with their limits."""

import pytest

from tests.cli.conftest import Eft


@pytest.mark.slow
def test_the_figures_of_langchain_are_shown_with_their_limits(eft: Eft) -> None:
    result = eft("bench", "langchain", "--rounds", 1, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.stderr
    assert "ChatEFT.stream beside Engine.stream" in result.stdout
    assert "50 ms" in result.stdout
