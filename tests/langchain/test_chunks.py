"""Events to chunks, without a model."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.outputs import ChatGenerationChunk

from eft_integrations.chat.events import ChatEvent, Finish, TextDelta
from eft_integrations.langchain.chunks import Chunker
from eft_integrations.request import Usage

WORD = [TextDelta(text="word")]
SAME = [TextDelta(text="wo"), TextDelta(text="rd")]  # takes the long way
END = [Finish(reason="stop", usage=Usage(prompt_tokens=1, completion_tokens=3))]


def chunks(answer: Sequence[Sequence[ChatEvent]]) -> list[ChatGenerationChunk | None]:
    chunker = Chunker(model_name="a model", report={"alpha": 1.0})
    return [chunker.chunk(events) for events in answer]


def test_the_short_way_of_plain_text_tells_what_the_long_way_tells() -> None:
    assert chunks([WORD, WORD, WORD, END]) == chunks([SAME, SAME, SAME, END])


def test_each_key_of_metadata_is_on_one_chunk() -> None:
    metadata = [chunk.message.response_metadata for chunk in chunks([WORD, WORD, END]) if chunk]
    assert [sorted(each) for each in metadata] == [
        ["model_name", "model_provider"],
        [],
        ["eft", "finish_reason"],
    ]


def test_nothing_to_tell_is_no_chunk() -> None:
    assert chunks([[]]) == [None]
