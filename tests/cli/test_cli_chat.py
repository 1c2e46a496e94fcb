"""``eft chat``: turns, commands between them, and their ends."""

import signal
from collections.abc import Callable

from eft_integrations import Engine
from eft_integrations.chat import render
from tests.cli.conftest import Eft, Terminal

Terminals = Callable[..., Terminal]


def turns(engine: Engine, questions: list[str], **options: float) -> list[str]:
    """The answers of a conversation, asked of the engine itself."""
    messages: list[dict[str, str]] = []
    for question in questions:
        messages.append({"role": "user", "content": question})
        answer = engine.generate(render(engine, messages), max_tokens=8, alpha=options["alpha"])
        messages.append({"role": "assistant", "content": answer.text})
    return [message["content"] for message in messages if message["role"] == "assistant"]


def chatted(eft: Eft, family: list[str], *lines: str) -> tuple[str, str]:
    result = eft("chat", *family, "--max-tokens", 8, input="\n".join(lines))
    assert result.exit_code == 0
    return result.stdout, result.stderr


def test_the_second_answer_knows_the_first_turn(
    eft: Eft, family: list[str], engine: Engine
) -> None:
    out, _ = chatted(eft, family, "Hello", "And you?")
    assert out == "".join(f"{text}\n" for text in turns(engine, ["Hello", "And you?"], alpha=1.0))


def test_alpha_holds_from_the_next_answer_on(eft: Eft, family: list[str], engine: Engine) -> None:
    out, told = chatted(eft, family, "/alpha 0.25", "Hello")
    assert out == turns(engine, ["Hello"], alpha=0.25)[0] + "\n"
    assert told.startswith("alpha=0.25 max_tokens=8\n")


def test_an_answer_that_was_cut_says_so(eft: Eft, family: list[str]) -> None:
    _, told = chatted(eft, family, "Hello")
    assert told == "(cut at 8 tokens; /set max_tokens=…)\n"


def test_reset_makes_the_next_turn_the_first(eft: Eft, family: list[str], engine: Engine) -> None:
    out, _ = chatted(eft, family, "Hello", "/reset", "Hello")
    assert out == (turns(engine, ["Hello"], alpha=1.0)[0] + "\n") * 2


def test_a_mistake_is_told_and_the_chat_goes_on(eft: Eft, family: list[str]) -> None:
    out, told = chatted(
        eft, family, "/alhpa 1", "/set max_tokens=9999", "Hi", "/set max_tokens=4", "Hi"
    )
    assert "error: unknown command '/alhpa'; did you mean '/alpha'?" in told
    assert "error: the request needs" in told
    assert out.count("\n") == 1


def test_after_quit_nothing_is_read(eft: Eft, family: list[str]) -> None:
    out, _ = chatted(eft, family, "/quit", "Hello")
    assert not out


def test_a_conversation_longer_than_the_context_forgets_its_oldest_turns(
    eft: Eft, family: list[str]
) -> None:
    out, told = chatted(eft, family, *["word " * 200] * 4)
    assert out.count("\n") == 4
    assert "(forgot the oldest 2 messages: the context is 512 tokens long)" in told
    assert "error" not in told


def test_a_question_that_does_not_fit_is_refused_and_costs_no_turn(
    eft: Eft, family: list[str], engine: Engine
) -> None:
    out, told = chatted(eft, family, "Hello", "word " * 600, "And you?")
    assert "error: the request needs" in told
    assert "forgot" not in told
    assert out == "".join(f"{text}\n" for text in turns(engine, ["Hello", "And you?"], alpha=1.0))


def test_ctrl_c_in_an_answer_ends_that_answer_alone(
    terminal: Terminals, endless: list[str]
) -> None:
    chat = terminal("chat", *endless)
    chat.read_until("> ")
    chat.type("Hello\n")
    chat.read_until("Hello\r\n")
    chat.read_until(" ")  # the answer has begun
    chat.process.send_signal(signal.SIGINT)
    chat.read_until("(stopped)")
    chat.read_until("> ")
    chat.type("/alpha\n")
    chat.read_until("alpha=0")
    chat.read_until("> ")
    chat.process.send_signal(signal.SIGINT)
    chat.type("\n")  # readline may miss a signal that comes just before it begins to wait
    assert "Traceback" not in chat.read_rest()
    assert chat.process.wait() == 0
