"""The standard suite of langchain-tests, on the embedded family."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from eft_integrations import Engine
from eft_integrations.langchain import ChatEFT

# one test of the suite takes the fixture of a benchmark and does not use it; v3 streams are beta
pytestmark = [
    pytest.mark.filterwarnings("ignore:Benchmark fixture was not used"),
    pytest.mark.filterwarnings("ignore:The method .* is in beta"),
]
PARAMS: dict[str, Any] = {"temperature": 0, "max_tokens": 100}


class TestUnit(ChatModelUnitTests):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatEFT

    @property
    def model_override_value(self) -> str:
        return "another-name"


class TestIntegration(ChatModelIntegrationTests):
    """The suite makes models from parameters; they all share the engine that is open."""

    @pytest.fixture(autouse=True)
    def _open(self, family: Engine) -> None:
        self.family = family

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatEFT

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return PARAMS

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "another-name"

    @property
    def enable_vcr_tests(self) -> bool:
        return True
