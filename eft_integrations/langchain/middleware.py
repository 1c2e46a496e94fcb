"""Coefficients per step of an agent, as middleware of ``langchain.agents``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.messages import ToolMessage

try:
    from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
except ImportError as error:
    raise ImportError("EFTAlphaMiddleware needs langchain: pip install langchain") from error

from eft_integrations.errors import InvalidRequest

Choose = Callable[[ModelRequest[Any]], float]


class EFTAlphaMiddleware(AgentMiddleware[Any, Any, Any]):
    """Chooses alpha for each call of the model in an agent.

    ``tool_step`` holds until the first result of a tool is there, ``final`` from then on:
    calls near the base model, answers fully tuned. Or ``choose(request)`` gives the alpha.
    """

    def __init__(
        self,
        choose: Choose | None = None,
        *,
        tool_step: float | None = None,
        final: float | None = None,
    ) -> None:
        super().__init__()
        if (choose is None) == (tool_step is None or final is None):
            raise InvalidRequest("EFTAlphaMiddleware takes a function, or tool_step= and final=")
        self._choose = choose
        self._tool_step = tool_step
        self._final = final

    def wrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], ModelResponse[Any]],
    ) -> ModelResponse[Any]:
        """Pass on the request with its alpha."""
        return handler(self._with_alpha(request))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """The twin of :meth:`wrap_model_call`."""
        return await handler(self._with_alpha(request))

    def _with_alpha(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        if self._choose is not None:
            alpha: float | None = self._choose(request)
        else:
            has_result = isinstance(request.messages[-1], ToolMessage)
            alpha = self._final if has_result else self._tool_step
        return request.override(model_settings={**request.model_settings, "alpha": alpha})
