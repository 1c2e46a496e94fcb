"""The state of a chat: commands take effect whole, or raise and change nothing."""

import pytest

from eft_integrations.cli.conversation import HELP, Conversation
from eft_integrations.errors import EFTError
from eft_integrations.mixture import Mixture, Roles

ONE = Roles(
    tuned=("tuned",),
    reference_of={"tuned": "reference"},
    available=("base", "tuned", "reference"),
)
TWO = Roles(
    tuned=("a", "b"),
    reference_of={"a": "reference", "b": "reference"},
    available=("base", "a", "b", "reference"),
)


def talk(roles: Roles = ONE, **options: object) -> Conversation:
    return Conversation(roles, roles.default(), options)


def test_alpha_and_beta_replace_each_other_and_keep_the_rest() -> None:
    chat = talk(alpha=1.0, filter_top_p=0.9)
    chat.obey("/beta 1.2")
    assert chat.options == {"beta": 1.2, "filter_top_p": 0.9}
    chat.obey("/alpha 0.5")
    assert chat.options == {"alpha": 0.5, "filter_top_p": 0.9}


def test_several_tuned_models_take_an_alpha_by_name() -> None:
    chat = talk(TWO)
    chat.obey("/alpha a=0.7 b=0.3")
    assert chat.options == {"alpha": {"a": 0.7, "b": 0.3}}


def test_a_setting_without_value_puts_the_default_back() -> None:
    chat = talk(temperature=0.7)
    chat.obey("/set temperature= top_p=0.9")
    assert chat.options == {"top_p": 0.9}


@pytest.mark.parametrize("line", ["/alpha", "/beta", "/set"])
def test_a_command_alone_tells_the_mixture_and_changes_nothing(line: str) -> None:
    chat = talk(TWO, top_p=0.9)
    assert chat.obey(line) == ["alpha={'a': 0.5, 'b': 0.5} top_p=0.9"]
    assert chat.options == {"top_p": 0.9}


@pytest.mark.parametrize(
    "line",
    [
        "/alpha x",
        "/alpha other=1",
        "/beta 1 2",
        "/beta nan",
        "/set top_p=3",
        "/set topp=0.3",
        "/set n=2",
        "/set top_p",
        "/set alpha=1 beta=1",
        "/st",
    ],
)
def test_a_mistake_raises_and_changes_nothing(line: str) -> None:
    chat = talk(alpha=0.5, top_p=0.9)
    with pytest.raises(EFTError):
        chat.obey(line)
    assert chat.options == {"alpha": 0.5, "top_p": 0.9}


def test_a_bare_alpha_is_refused_where_it_is_ambiguous() -> None:
    with pytest.raises(EFTError, match="ambiguous"):
        talk(TWO).obey("/alpha 0.5")


def test_a_turn_begins_with_a_question() -> None:
    chat = talk()
    for role in ("user", "assistant", "user"):
        chat.say(role, "text")
    assert chat.turns == [0, 2]


def test_reset_forgets_what_was_said_and_keeps_the_settings() -> None:
    chat = talk(top_p=0.9)
    chat.say("user", "1")
    chat.obey("/reset")
    assert (chat.messages, chat.options) == ([], {"top_p": 0.9})


def test_help_lists_every_command_and_quit_ends() -> None:
    chat = talk()
    assert chat.obey("/help") == list(HELP.values())
    assert not chat.is_over
    chat.obey("/quit")
    assert chat.is_over


def test_the_default_of_the_engine_fills_a_missing_form() -> None:
    chat = Conversation(ONE, Mixture(beta=1.5), {})
    assert chat.obey("/set filter_top_p=0.9") == ["beta=1.5 filter_top_p=0.9"]
