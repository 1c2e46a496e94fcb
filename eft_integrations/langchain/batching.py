"""Many calls at once: how many of them, each with its keywords, and their results as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import get_config_list


def wide(
    config: RunnableConfig | list[RunnableConfig] | None, num_rows: int, most: int
) -> list[RunnableConfig]:
    """A config for each row; ``most`` run at once, or as many as ``max_concurrency`` says."""
    configs = get_config_list(config, num_rows)
    at_once = configs[0].get("max_concurrency") or min(num_rows, most)
    return [{**each, "max_concurrency": at_once} for each in configs]


def rows(
    messages: Sequence[list[BaseMessage]], keywords: Mapping[str, Any]
) -> Iterator[tuple[list[list[BaseMessage]], dict[str, Any]]]:
    """Each row as a batch of one with its keywords; the first has the id of the run."""
    for number, row in enumerate(messages):
        yield [row], dict(keywords) if number == 0 else {**keywords, "run_id": None}


def together(model: BaseChatModel, results: Sequence[LLMResult]) -> LLMResult:
    """The results of all rows as one."""
    return LLMResult(
        generations=[row for result in results for row in result.generations],
        llm_output=model._combine_llm_outputs([result.llm_output for result in results]),
        run=[run for result in results for run in result.run or []] or None,
    )
