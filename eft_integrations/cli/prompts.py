"""What was said → token ids by role, and how long the answer may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from eft_integrations.cli.boundary import tell
from eft_integrations.errors import InvalidRequest

if TYPE_CHECKING:
    from eft_integrations.engine import Engine

ANSWER_LEN = 256  # tokens, where none were asked for

Message = Mapping[str, str]
Prompt = dict[str, list[int]]


def refuse_blank(question: str) -> str:
    if not question.strip():
        raise InvalidRequest("the question is empty; give some text")
    return question


def has_template(engine: Engine) -> bool:
    """Whether the member whose template serves all (the first tuned one) has one."""
    role = next(role for role in (*engine.roles.tuned, "base") if role in engine.roles.available)
    return bool(engine.tokenizer(role).chat_template)


def goes_raw(engine: Engine, is_wanted: bool) -> bool:
    """Whether questions go without template: on request, or since there is none."""
    if is_wanted or has_template(engine):
        return is_wanted
    tell("the tuned member has no chat template: asking raw")
    return True


def of_question(engine: Engine, question: str, *, is_raw: bool) -> Prompt:
    """One question in the chat template, or as it stands."""
    if is_raw:
        ids = list(engine.encoder.encode(question, special=True))
        return dict.fromkeys(engine.roles.available, ids)
    return of_messages(engine, [{"role": "user", "content": question}])


def of_messages(engine: Engine, messages: Sequence[Message]) -> Prompt:
    """A conversation in the chat template; as plain lines where there is none."""
    from eft_integrations.chat import render

    plain = None if has_template(engine) else dict.fromkeys(engine.roles.available, "plain")
    return render(engine, messages, templates=plain)


def room(engine: Engine, prompt: Prompt) -> int:
    """Tokens that the context holds beside the prompt."""
    return engine.context_len - max(len(ids) for ids in prompt.values())


def answer_len(engine: Engine, prompt: Prompt, wanted: int | None) -> int:
    """What was asked for, to be obeyed or refused by the engine; else what fits, up to 256."""
    return max(1, min(ANSWER_LEN, room(engine, prompt))) if wanted is None else wanted
