"""Reading in the prompts that frameworks have by default. No training text holds them."""

from collections.abc import Callable
from random import Random

import pytest

from eft_integrations import Engine
from eft_integrations.chat import render
from eft_integrations.evaluation import grade
from eft_integrations.tiny.chatml import Turn
from eft_integrations.tiny.reading import answered, asked_of

pytest.importorskip("langchain_classic")
pytest.importorskip("llama_index.core")

from langchain_classic.chains.question_answering.stuff_prompt import CHAT_PROMPT, PROMPT
from llama_index.core.prompts.chat_prompts import CHAT_TEXT_QA_PROMPT
from llama_index.core.prompts.default_prompts import DEFAULT_TEXT_QA_PROMPT

pytestmark = pytest.mark.slow

NUM_ITEMS = 60


def langchain_chat(context: str, question: str) -> list[Turn]:
    system, user = CHAT_PROMPT.format_messages(context=context, question=question)
    return [Turn("system", str(system.content)), Turn("user", str(user.content))]


def langchain_plain(context: str, question: str) -> list[Turn]:
    return [Turn("user", PROMPT.format(context=context, question=question))]


def llama_index_chat(context: str, question: str) -> list[Turn]:
    said = CHAT_TEXT_QA_PROMPT.format_messages(context_str=context, query_str=question)
    return [Turn(message.role.value, message.content or "") for message in said]


def llama_index_plain(context: str, question: str) -> list[Turn]:
    return [Turn("user", DEFAULT_TEXT_QA_PROMPT.format(context_str=context, query_str=question))]


FRAMES = (langchain_chat, langchain_plain, llama_index_chat, llama_index_plain)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.tiny()


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame.__name__)
def test_most_texts_are_read_in_the_default_prompts_of_frameworks(
    frame: Callable[[str, str], list[Turn]], engine: Engine
) -> None:
    rng = Random("prompts")
    items = []
    for _ in range(NUM_ITEMS):
        context, question, value = asked_of(rng, 5)
        items.append(answered(tuple(frame(context, question)), value, rng))
    prompts = [render(engine, [turn.message for turn in one.turns]) for one in items]
    answers = engine.generate(prompts, max_tokens=32)
    marks = [
        grade(one.expect, a.text, is_ended=True) for one, a in zip(items, answers, strict=True)
    ]
    share = sum(mark.right is True for mark in marks) / NUM_ITEMS
    assert share >= 0.7
