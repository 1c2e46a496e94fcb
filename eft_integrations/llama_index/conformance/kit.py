"""The kit itself: one claim in each test."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, LLMMetadata, ToolCallBlock
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatInProgressEvent,
    LLMChatStartEvent,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import LLM
from llama_index.core.llms.loading import load_llm
from llama_index.core.prompts import PromptTemplate
from llama_index_instrumentation import get_dispatcher

from eft_integrations.llama_index.conformance.driving import (
    HELLO,
    Box,
    Events,
    NotClaimed,
    Point,
    add_up,
    collected,
    hello,
    pauses_during,
    raised,
    run,
    tools,
)

# tools: function calling. forced: required and named tools are called. objects: structured output.
# usage: exact token counts. strict: unknown options are refused. greedy: the same prompt gives the
# same answer. dumps: to_dict and pickle rebuild the model.
CLAIMS = frozenset({"tools", "forced", "objects", "usage", "strict", "greedy", "dumps"})


class LLMConformance:
    """One claim about a model in each test; :attr:`claims` says which of them are made."""

    claims = CLAIMS
    # Options for a call that writes an object or a call in full.
    room: Mapping[str, Any] = MappingProxyType({})

    def make_llm(self) -> LLM:
        """A fresh model; its weights may be shared."""
        raise NotImplementedError("give your model")

    # Endpoints.

    def test_metadata_is_told(self) -> None:
        llm = self.make_llm()
        assert isinstance(llm.metadata, LLMMetadata)
        assert llm.metadata.context_window > 0
        assert llm.metadata.model_name != "unknown"
        if llm.metadata.is_function_calling_model:
            assert isinstance(llm, FunctionCallingLLM)

    def test_the_class_has_a_name_of_its_own(self) -> None:
        llm = self.make_llm()
        assert llm.class_name() not in {"base_component", "custom_llm", "LLM"}

    def test_an_answer_is_one_text_of_the_assistant(self) -> None:
        response = self.make_llm().chat(hello())
        assert response.message.role == "assistant"
        assert isinstance(response.message.content, str)
        assert sum(block.block_type == "text" for block in response.message.blocks) == 1

    def test_a_chat_stream_adds_up(self) -> None:
        chunks = list(self.make_llm().stream_chat(hello()))
        add_up([(c.delta, c.message.content) for c in chunks])

    def test_a_text_stream_adds_up(self) -> None:
        add_up([(c.delta, c.text) for c in self.make_llm().stream_complete(HELLO)])

    def test_an_async_chat_stream_adds_up(self) -> None:
        chunks = run(collected(self.make_llm().astream_chat(hello())))
        add_up([(c.delta, c.message.content) for c in chunks])

    def test_an_async_text_stream_adds_up(self) -> None:
        chunks = run(collected(self.make_llm().astream_complete(HELLO)))
        add_up([(c.delta, c.text) for c in chunks])

    def test_all_ways_give_the_same_answer(self) -> None:
        self._needs("greedy")
        llm = self.make_llm()
        texts = {
            llm.chat(hello()).message.content,
            run(llm.achat(hello())).message.content,
            list(llm.stream_chat(hello()))[-1].message.content,
            run(collected(llm.astream_chat(hello())))[-1].message.content,
        }
        assert len(texts) == 1, texts

    def test_complete_asks_as_a_user(self) -> None:
        self._needs("greedy")
        llm = self.make_llm()
        if not llm.metadata.is_chat_model:
            return
        expected = llm.chat(hello()).message.content
        assert llm.complete(HELLO).text == expected
        assert run(llm.acomplete(HELLO)).text == expected
        assert list(llm.stream_complete(HELLO))[-1].text == expected
        assert run(collected(llm.astream_complete(HELLO)))[-1].text == expected

    def test_async_endpoints_are_coroutines(self) -> None:
        llm = self.make_llm()
        for name in ("achat", "acomplete", "astream_chat", "astream_complete"):
            assert inspect.iscoroutinefunction(inspect.unwrap(getattr(llm, name))), name

    def test_the_event_loop_runs_on(self) -> None:
        llm = self.make_llm()
        for ask in (llm.achat, lambda messages: collected(llm.astream_chat(messages))):
            longest, seconds = run(pauses_during(ask(hello())))
            # too short a call tells nothing
            is_free = longest < seconds / 2 or seconds < 0.005
            assert is_free, f"the loop stood still for {longest:.3f} s"

    def test_a_stream_may_be_left_early(self) -> None:
        llm = self.make_llm()
        stream = llm.stream_chat(hello())
        next(stream)
        stream.close()
        assert llm.chat(hello()).message is not None

    # Messages.

    def test_messages_are_not_changed(self) -> None:
        messages = hello()
        before = copy.deepcopy(messages)
        self.make_llm().chat(messages)
        assert messages == before

    def test_odd_orders_of_roles_are_answered(self) -> None:
        llm = self.make_llm()
        for roles in (
            "system system user",
            "user user",
            "system user system",
            "user assistant user",
        ):
            llm.chat([ChatMessage(role=role, content=f"{role}.") for role in roles.split()])

    def test_blocks_of_text_are_read(self) -> None:
        blocks = [{"block_type": "text", "text": part} for part in ("Hello", "there")]
        self.make_llm().chat([ChatMessage(role="user", blocks=blocks)])

    # Counts and events.

    def test_usage_is_counted(self) -> None:
        self._needs("usage")
        llm = self.make_llm()
        for response in (
            llm.chat(hello()),
            list(llm.stream_chat(hello()))[-1],
            run(llm.achat(hello())),
            run(collected(llm.astream_chat(hello())))[-1],
        ):
            usage = (response.raw or {})["usage"]
            total = usage["prompt_tokens"] + usage["completion_tokens"]
            assert usage["total_tokens"] == total > 0

    def test_the_token_counter_hears_of_usage(self) -> None:
        self._needs("usage")
        llm, counter = self.make_llm(), TokenCountingHandler()
        llm.callback_manager = CallbackManager([counter])
        usage = (llm.chat(hello()).raw or {})["usage"]
        assert counter.total_llm_token_count == usage["total_tokens"]

    def test_callbacks_hear_of_start_and_end(self) -> None:
        llm, counter = self.make_llm(), TokenCountingHandler()
        llm.callback_manager = CallbackManager([counter])
        list(llm.stream_chat(hello()))
        llm.complete(HELLO)
        assert len(counter.llm_token_counts) == 2

    def test_events_come_in_order(self) -> None:
        llm, root, events = self.make_llm(), get_dispatcher(), Events(kinds=[])
        root.add_event_handler(events)
        try:
            num_chunks = len(list(llm.stream_chat(hello())))
        finally:
            root.event_handlers.remove(events)
        told = [LLMChatStartEvent, LLMChatInProgressEvent, LLMChatEndEvent]
        kinds = [kind for kind in events.kinds if kind in told]
        assert kinds == [told[0], *[told[1]] * num_chunks, told[2]]

    # Tools.

    def test_a_required_tool_is_called(self) -> None:
        llm = self._caller("forced")
        keywords: dict[str, Any] = {"tool_required": True, **self.room}
        responses = [
            llm.chat_with_tools(tools(), HELLO, **keywords),
            run(llm.achat_with_tools(tools(), HELLO, **keywords)),
            list(llm.stream_chat_with_tools(tools(), HELLO, **keywords))[-1],
            run(collected(llm.astream_chat_with_tools(tools(), HELLO, **keywords)))[-1],
        ]
        for response in responses:
            (call,) = llm.get_tool_calls_from_response(response)
            assert call.tool_name in ("move", "wait")
            assert call.tool_kwargs
        # Programs that stream look for calls here alone.
        assert all(r.message.additional_kwargs.get("tool_calls") for r in responses[2:])

    def test_calls_are_blocks_with_ids(self) -> None:
        llm = self._caller("forced")
        responses = [
            llm.chat_with_tools(tools(), HELLO, tool_choice="move", **self.room) for _ in range(2)
        ]
        blocks = [block for response in responses for block in response.message.blocks]
        ids = [block.tool_call_id for block in blocks if isinstance(block, ToolCallBlock)]
        assert len(ids) >= 2
        assert all(ids)
        # Names would be the same for two calls of one tool.
        assert len({*ids}) == len(ids)

    def test_a_named_tool_is_called(self) -> None:
        llm = self._caller("forced")
        for name in ("move", "wait"):
            response = llm.chat_with_tools(tools(), HELLO, tool_choice=name, **self.room)
            calls = llm.get_tool_calls_from_response(response)
            assert {call.tool_name for call in calls} == {name}

    def test_a_called_tool_is_run(self) -> None:
        llm = self._caller("forced")
        answer = llm.predict_and_call(tools(), HELLO, tool_required=True, **self.room)
        assert str(answer).startswith(("moved", "waited"))

    def test_no_call_is_an_empty_list(self) -> None:
        llm = self._caller("tools")
        response = llm.chat(hello())
        assert llm.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []

    def test_results_of_tools_are_read(self) -> None:
        llm = self._caller("tools")
        calls = [
            ToolCallBlock(tool_call_id=i, tool_name="move", tool_kwargs={"steps": 1}) for i in "ab"
        ]
        results = [
            ChatMessage(role="tool", content="moved 1", additional_kwargs={"tool_call_id": call_id})
            for call_id in "ab"
        ]
        history = [*hello(), ChatMessage(role="assistant", blocks=calls), *results]
        before = copy.deepcopy(history)
        llm.chat_with_tools(tools(), chat_history=history)
        assert history == before

    # Objects.

    def test_objects_are_written(self) -> None:
        self._needs("objects")
        llm, prompt = self.make_llm(), PromptTemplate("A point near {place}.")
        keywords: dict[str, Any] = {"llm_kwargs": dict(self.room), "place": "here"}
        for kind in (Point, Box[int], Box[Point]):
            assert isinstance(llm.structured_predict(kind, prompt, **keywords), kind)
            assert isinstance(run(llm.astructured_predict(kind, prompt, **keywords)), kind)

    def test_objects_stream(self) -> None:
        self._needs("objects")
        llm, prompt = self.make_llm(), PromptTemplate("A point near {place}.")
        keywords: dict[str, Any] = {"llm_kwargs": dict(self.room), "place": "here"}
        parts = list(llm.stream_structured_predict(Point, prompt, **keywords))
        assert isinstance(parts[-1], Point)
        later = run(collected(llm.astream_structured_predict(Point, prompt, **keywords)))
        assert isinstance(later[-1], Point)

    def test_a_structured_model_answers_with_objects(self) -> None:
        self._needs("objects")
        structured = self.make_llm().as_structured_llm(Point)
        assert isinstance(structured.chat(hello(), **self.room).raw, Point)

    # Options, copies, errors.

    def test_unknown_options_are_refused(self) -> None:
        self._needs("strict")
        llm = self.make_llm()
        make: Any = type(llm)
        # by name: a class that needs other fields refuses whatever it is given without them
        assert "no_such_option" in str(raised(lambda: make(no_such_option=1)))
        assert raised(lambda: llm.chat(hello(), no_such_option=1))

    def test_errors_are_not_of_a_kind_that_query_engines_swallow(self) -> None:
        self._needs("strict")
        error = raised(lambda: self.make_llm().chat(hello(), no_such_option=1))
        assert error is not None
        assert not isinstance(error, (ValueError, TypeError)), 'becomes "Empty Response"'

    def test_a_dump_rebuilds_the_model(self) -> None:
        self._needs("dumps")
        llm = self.make_llm()
        assert type(load_llm(llm.to_dict())) is type(llm)
        assert load_llm(llm.to_dict()).to_dict() == llm.to_dict()

    def test_pickling_leaves_the_model_whole(self) -> None:
        self._needs("dumps")
        llm = self.make_llm()
        before = dict(llm.__dict__)
        again = pickle.loads(pickle.dumps(llm))
        assert llm.__dict__ == before
        assert again.chat(hello()).message is not None

    def test_a_deep_copy_answers(self) -> None:
        assert copy.deepcopy(self.make_llm()).chat(hello()).message is not None

    def _needs(self, claim: str) -> None:
        if claim not in self.claims:
            raise NotClaimed(claim)

    def _caller(self, claim: str) -> FunctionCallingLLM:
        self._needs(claim)
        llm = self.make_llm()
        assert isinstance(llm, FunctionCallingLLM), "it claims tools and is no FunctionCallingLLM"
        return llm
