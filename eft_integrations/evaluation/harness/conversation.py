"""Conversations → text, as the harness wants them. Knows nothing of the harness."""

from __future__ import annotations

import copy
import logging
from typing import Any

from eft_integrations.engine import Engine
from eft_integrations.errors import InvalidRequest
from eft_integrations.mixture import BASE

logger = logging.getLogger("eft_integrations")

Messages = list[dict[str, str]]


class Conversation:
    """The chat template of the tuned member, the first of several.

    The harness passes prompts as strings, so that control tokens which a document holds count:
    they can not be told from those of the template, as ``chat.render`` does. The log says so once.
    """

    def __init__(self, engine: Engine) -> None:
        roles = engine.roles
        self._role = next((name for name in roles.tuned if name in roles.available), BASE)
        # A copy: fast tokenizers refuse to be used from two threads at once.
        self._tokenizer = copy.deepcopy(engine.tokenizer(self._role))
        self._control = tuple(engine.encoder.control)
        self._has_warned = False

    @property
    def name(self) -> str:
        """Tells the harness's caches of rendered prompts apart."""
        return str(self._tokenizer.name_or_path).replace("/", "__")

    @property
    def template(self) -> str:
        """Jinja source. Raises ``InvalidRequest`` where the member has none."""
        if not self._tokenizer.chat_template:
            raise InvalidRequest(
                f"member {self._role!r} has no chat template; leave out --apply_chat_template"
            )
        return str(self._tokenizer.get_chat_template())

    def text(self, messages: Messages, *, add_generation_prompt: bool) -> str:
        """The rendered text; without a generation prompt the last message is left open."""
        self._warn_of_control_tokens(messages)
        try:
            return self._rendered(messages, add_generation_prompt)
        except InvalidRequest as error:
            others = [message for message in messages if message["role"] != "system"]
            if len(others) == len(messages):
                raise
            # As the harness's own models do: many templates know no system message.
            logger.warning("%s; rendered without the system message", error)
            return self._rendered(others, add_generation_prompt)

    def _rendered(self, messages: Messages, add_generation_prompt: bool) -> str:
        template = self.template
        try:
            return str(
                self._tokenizer.apply_chat_template(
                    messages,
                    chat_template=template,
                    tokenize=False,
                    add_generation_prompt=add_generation_prompt,
                    continue_final_message=not add_generation_prompt,
                )
            )
        except Exception as error:  # a template is foreign code and raises what it likes
            raise InvalidRequest(
                f"the chat template of {self._role!r} refuses the messages: "
                f"{type(error).__name__}: {error}; change the messages"
            ) from error

    def _warn_of_control_tokens(self, messages: Messages) -> None:
        texts: list[Any] = [message.get("content") for message in messages]
        found = next((sign for sign in self._control for t in texts if t and sign in t), None)
        if found and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "a message holds %r, which counts as a control token: the harness passes prompts "
                "as strings (said once)",
                found,
            )
