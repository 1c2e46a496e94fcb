"""What LangChain's two faces declare besides members and options."""

from __future__ import annotations

from typing import Any

from langchain_core.runnables.utils import ConfigurableFieldSpec
from pydantic import Field

from eft_integrations.chat.fields import EngineFields
from eft_integrations.langchain.options import CONFIGURABLE, PREFIX


class EFTFields(EngineFields):
    """Members and options as fields; ``api_key`` and ``max_retries`` are taken and do nothing."""

    api_key: Any = Field(default=None, exclude=True, repr=False)
    max_retries: int | None = Field(default=None, exclude=True, repr=False)

    def specs(self) -> list[ConfigurableFieldSpec]:
        """The keys that ``config={"configurable": …}`` may hold."""
        return [
            ConfigurableFieldSpec(
                id=PREFIX + name,
                annotation=type(self).model_fields[name].annotation,
                name=name,
                description=f"{name} of this run, where the call names none",
                default=None,
            )
            for name in CONFIGURABLE
        ]
