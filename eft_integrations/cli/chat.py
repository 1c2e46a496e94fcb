"""``eft chat``: a conversation, line by line."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from eft_integrations.cli import arguments as given
from eft_integrations.cli import members as which
from eft_integrations.cli import prompts, values
from eft_integrations.cli.boundary import pour, tell, tell_error, write
from eft_integrations.cli.conversation import Conversation
from eft_integrations.errors import EFTError, EngineClosed
from eft_integrations.request import Sampling

if TYPE_CHECKING:
    from eft_integrations.engine import Engine


def chat(
    alpha: given.AlphaOption = None,
    beta: given.BetaOption = None,
    filter_top_p: given.FilterOption = None,
    temperature: given.TemperatureOption = 0.0,
    seed: given.SeedOption = None,
    max_tokens: given.MaxTokensOption = None,
    base: which.BaseOption = None,
    tuned: which.TunedOption = None,
    reference: which.ReferenceOption = None,
    dtype: which.DtypeOption = None,
    device: which.DeviceOption = None,
) -> None:
    """Keep a conversation; /help lists the commands, /alpha 0.5 changes the mixture at once."""
    mixture = values.mixture(alpha or (), beta, filter_top_p)
    Sampling(temperature=temperature, seed=seed, max_tokens=max_tokens)  # refused before loading
    options = {
        "alpha": mixture.alpha,
        "beta": beta,
        "filter_top_p": filter_top_p,
        "temperature": temperature or None,
        "seed": seed,
        "max_tokens": max_tokens,
    }
    members = which.Members(base=base, tuned=tuned, reference=reference, dtype=dtype, device=device)
    with members.open(mixture) as engine:
        conversation = Conversation(engine.roles, engine.mixture, options)
        if not prompts.has_template(engine):
            tell("the tuned member has no chat template: the conversation goes as plain lines")
        if _is_asking():
            tell("/help lists the commands")
        for line in _lines():
            _take(engine, conversation, line)
            if conversation.is_over:
                break


def _lines() -> Iterator[str]:
    """Lines with something in them, until the end of input or Ctrl-C at the prompt."""
    read = _asking if _is_asking() else _reading
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        while True:
            line = read()
            if line.strip():
                yield line
    if read is _asking:
        write("\n")  # the prompt's line is still open


def _is_asking() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _asking() -> str:
    with contextlib.suppress(ImportError):  # gives input() an editable line and a history
        import readline  # noqa: F401
    return input("> ")


def _reading() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")


def _take(engine: Engine, conversation: Conversation, line: str) -> None:
    """One line: a command, or something to answer. A mistake is told and the chat goes on."""
    try:
        if line.startswith("/"):
            for note in conversation.obey(line):
                tell(note)
        else:
            _reply(engine, conversation, line)
    except EngineClosed:
        raise
    except EFTError as error:
        tell_error(error)


def _reply(engine: Engine, conversation: Conversation, line: str) -> None:
    """Answer, and remember both; of a failed or empty answer remember nothing."""
    conversation.say("user", line.strip())
    text = ""
    try:
        prompt = _fitted(engine, conversation)
        text = _answer(engine, prompt, conversation.options)
    finally:
        if text:
            conversation.say("assistant", text)
        elif conversation.messages:
            conversation.messages.pop()


def _fitted(engine: Engine, conversation: Conversation) -> prompts.Prompt:
    """The prompt; where it leaves too little room for an answer, the oldest turns go.

    Where even the last question does not fit, nothing goes: the engine refuses, with the numbers.
    """
    wanted = conversation.options.get("max_tokens")
    usual = min(prompts.ANSWER_LEN, engine.context_len // 4)
    *earlier, last = conversation.turns
    for turn in (*earlier, last):
        needed = wanted if isinstance(wanted, int) else 1 if turn == last else usual
        prompt = prompts.of_messages(engine, conversation.messages[turn:])
        if prompts.room(engine, prompt) >= needed:
            _forget(engine, conversation, turn)
            return prompt
    return prompts.of_messages(engine, conversation.messages)


def _forget(engine: Engine, conversation: Conversation, num_messages: int) -> None:
    if num_messages:
        del conversation.messages[:num_messages]
        tell(
            f"(forgot the oldest {num_messages} messages: the context is {engine.context_len} "
            f"tokens long)"
        )


def _answer(engine: Engine, prompt: prompts.Prompt, options: dict[str, Any]) -> str:
    """Stream one answer; Ctrl-C ends it where it is."""
    wanted = options.get("max_tokens")
    settings = {**_plain_stop(engine), **options}
    settings["max_tokens"] = prompts.answer_len(engine, prompt, wanted)
    shown: list[str] = []
    with engine.stream(prompt, **settings) as stream:
        try:
            pour(stream, shown)
        except KeyboardInterrupt:
            tell("(stopped)")
        else:
            if stream.result.finish_reason == "length":
                tell(f"(cut at {settings['max_tokens']} tokens; /set max_tokens=…)")
    return "".join(shown)


def _plain_stop(engine: Engine) -> dict[str, Any]:
    """Without a template nothing but the next question's heading ends an answer."""
    return {} if prompts.has_template(engine) else {"stop": "\n\nUser:"}
