"""What LangChain's two faces declare besides members and options."""

from __future__ import annotations

from langchain_core.runnables.utils import ConfigurableFieldSpec

from eft_integrations.langchain.options import CONFIGURABLE, PREFIX
from eft_integrations.remote.fields import ServedFields


class EFTFields(ServedFields):
    """Members or a server, and options, as fields."""

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
