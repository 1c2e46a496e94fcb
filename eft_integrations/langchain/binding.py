"""Keywords and configs that survive ``bind_tools`` and ``with_structured_output``.

LangChain's own wrappers forward these two to the bare model, which forgets what was bound
(https://github.com/langchain-ai/langchain/issues/30983) or configured (…/issues/24341).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.language_models.chat_models import _ChatModelBinding
from langchain_core.runnables import Runnable
from langchain_core.runnables.configurable import RunnableConfigurableFields

from eft_integrations.langchain.structured import structured


class EFTBinding(_ChatModelBinding):
    """A chat model with keywords of its own, which is still a chat model to whoever binds on."""

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, Any]:
        """As the model's own, with what was bound before."""
        return self._with_config(self._model.bind_tools(tools, **{**self.kwargs, **kwargs}))

    def with_structured_output(self, schema: Any = None, **kwargs: Any) -> Runnable[Any, Any]:
        """As the model's own, with what was bound before."""
        merged = {**self.kwargs, **kwargs}
        return self._with_config(self._model.with_structured_output(schema, **merged))

    def with_alpha(self, alpha: float | Mapping[str, float], **options: Any) -> EFTBinding:
        """The same with another alpha."""
        bound = self.bind(alpha=alpha, **options)
        assert isinstance(bound, EFTBinding)
        return bound

    @property
    def _model(self) -> Any:
        return self.bound

    def _with_config(self, bound: Runnable[Any, Any]) -> Runnable[Any, Any]:
        return bound.with_config(self.config) if self.config else bound


# with arguments of its type, pydantic would want to build the model anew
class EFTConfigurable(RunnableConfigurableFields):  # type: ignore[type-arg]
    """A chat model with configurable fields, which tools and objects leave configurable."""

    def bind(self, **kwargs: Any) -> EFTBinding:
        """As the model's own."""
        return EFTBinding(bound=self, kwargs=kwargs, config={})

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> EFTBinding:
        """As the model's own."""
        model: Any = self.default
        return self.bind(**model.bind_tools(tools, **kwargs).kwargs)

    def with_structured_output(self, schema: Any = None, **kwargs: Any) -> Runnable[Any, Any]:
        """As the model's own."""
        return structured(self.bind, schema, **kwargs)
