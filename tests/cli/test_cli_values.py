"""What was typed becomes values, or is refused."""

import pytest

from eft_integrations.cli import values
from eft_integrations.errors import InvalidRequest


@pytest.mark.parametrize(
    ("words", "expected"),
    [((), None), (("0.5",), 0.5), (("-1",), -1.0), (("a=0.7", "b=.3"), {"a": 0.7, "b": 0.3})],
)
def test_alpha_is_a_number_or_one_for_each_name(words: tuple[str, ...], expected: object) -> None:
    assert values.alphas(words) == expected


@pytest.mark.parametrize(
    "words", [("x",), ("a=",), ("0.5", "1"), ("a=1", "2"), ("",), ("a=1", "a=2")]
)
def test_other_alphas_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest, match="alpha"):
        values.alphas(words)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), None),
        (("some/path",), "some/path"),
        (("./a=b",), "./a=b"),
        (("helpful=x", "harmless=y=z"), {"helpful": "x", "harmless": "y=z"}),
    ],
)
def test_a_member_is_a_path_or_named_paths(words: tuple[str, ...], expected: object) -> None:
    assert values.members("--tuned", words) == expected


@pytest.mark.parametrize("words", [("a", "b"), ("n=a", "b"), ("n=a", "n=b")])
def test_several_members_need_a_name_each(words: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest, match="name"):
        values.members("--tuned", words)


def test_a_setting_is_read_as_json_where_it_is_json() -> None:
    typed = ["top_p=0.9", "stop=END", 'choice=["a","b"]', "seed="]
    assert values.settings(typed) == {
        "top_p": 0.9,
        "stop": "END",
        "choice": ["a", "b"],
        "seed": None,
    }


def test_a_setting_without_a_value_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="name=value, got 'top_p'"):
        values.settings(["top_p"])
