"""What faces declare for a model on a server: where it is, and how it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from eft_integrations.chat.fields import SETTINGS, EngineFields
from eft_integrations.chat.options import CHAT_OPTIONS
from eft_integrations.chat.speaker import Delivery, Speaker
from eft_integrations.engine import Engine
from eft_integrations.errors import InvalidRequest
from eft_integrations.remote.body import refuse_unserved
from eft_integrations.remote.client import MAX_AT_ONCE, Patience
from eft_integrations.remote.server import (
    MAX_RETRIES,
    ServerConfig,
    SharedServer,
    key_in_environment,
    served,
)
from eft_integrations.remote.speaker import ServerSpeaker


class ServedFields(EngineFields):
    """Members in this process, or, with ``base_url``, a server that has them.

    The server speaks OpenAI's protocol and runs the plugin ``eft_integrations.vllm``. ``api_key``
    is by default EFT_API_KEY, then OPENAI_API_KEY, and leaves this process with no copy, pickle or
    dump. ``model``: one of several that the server has. Without ``base_url``, ``api_key`` and
    ``max_retries`` are taken and do nothing.
    """

    base_url: str | None = None
    api_key: Any = Field(default=None, exclude=True, repr=False)
    max_retries: int | None = None

    @field_validator("api_key")
    @classmethod
    def _hide(cls, given: Any) -> SecretStr | None:
        if given is not None and not isinstance(given, (str, SecretStr)):
            raise InvalidRequest(f"api_key must be a string, got a {type(given).__name__}")
        return SecretStr(given) if isinstance(given, str) else given

    @model_validator(mode="after")
    def _take_key(self) -> Self:
        if self.base_url is not None and self.api_key is None:
            found = key_in_environment()
            self.api_key = None if found is None else SecretStr(found)
        return self

    def found_engine(self) -> Any:
        """As the engine's, or the server of these fields; nothing is sent."""
        if self.base_url is None:
            return super().found_engine()
        self._refuse_settings()
        key = self.api_key.get_secret_value() if self.api_key else key_in_environment()
        retries = MAX_RETRIES if self.max_retries is None else self.max_retries
        return served(ServerConfig(base_url=self.base_url, api_key=key, max_retries=retries))

    def _refuse_settings(self) -> None:
        given = [name for name in SETTINGS if getattr(self, name) is not None]
        if self.engine is not None and not isinstance(self.engine, SharedServer):
            given.append("engine")
        if given:
            raise InvalidRequest(
                f"{given[0]}= is for members in this process, and base_url= for a server that has "
                f"them; give one of the two"
            )

    def refuse_options(self, options: Mapping[str, Any]) -> None:
        """As the engine's, and what no server could obey."""
        super().refuse_options(options)
        if self.base_url is not None:
            own = {name: getattr(self, name, None) for name in CHAT_OPTIONS}
            refuse_unserved({**own, **options})

    def delivery(self, keywords: Mapping[str, Any]) -> Delivery:
        """How a call with these keywords reaches its model."""
        return Delivery(
            model=keywords.get("model") or self.model,
            max_retries=keywords.get("max_retries"),
            headers=keywords.get("extra_headers"),
            api_key=keywords.get("api_key"),
        )

    @property
    def speaker(self) -> Speaker:
        """Who answers; members in this process are loaded on first use."""
        if self.base_url is None:
            return super().speaker
        return ServerSpeaker(self.engine, self.model, Patience(timeout=self.timeout))

    @property
    def most_at_once(self) -> int:
        """As many whole answers as are waited for."""
        return super().most_at_once if self.base_url is None else MAX_AT_ONCE

    @property
    def open_engine(self) -> Engine:
        """The engine in this process."""
        if self.base_url is not None:
            raise InvalidRequest(f"the engine is on the server at {self.base_url}, not here")
        return super().open_engine

    def _own_name(self) -> str:
        return super()._own_name() if self.base_url is None else self.base_url

    def _whereabouts(self) -> dict[str, Any]:
        return super()._whereabouts() if self.base_url is None else {"base_url": self.base_url}

    def plain_settings(self) -> dict[str, Any]:
        """As the engine's; of a server the fields themselves are plain."""
        return super().plain_settings() if self.base_url is None else {}

    def __getstate__(self) -> dict[str, Any]:
        """A pickle has no key; whoever reads it looks into an environment of his own."""
        state = BaseModel.__getstate__(self)
        return {**state, "__dict__": {**state["__dict__"], "api_key": None}}
