"""The half that Triton's interpreter never asks."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from triton.backends.compiler import BaseBackend


class CPUBackend(BaseBackend):
    """Nothing is compiled."""

    @staticmethod
    def supports_target(target: Any) -> bool:
        return bool(target.backend == "cpu")

    def hash(self) -> str:
        return "cpu"

    def parse_options(self, options: dict[str, Any]) -> object:
        return options

    def add_stages(self, stages: dict[str, Any], options: object, language: Any) -> None:
        raise NotImplementedError("only interpreted: set TRITON_INTERPRET=1")

    def load_dialects(self, context: Any) -> None: ...

    def get_module_map(self) -> dict[str, ModuleType]:
        return {}
