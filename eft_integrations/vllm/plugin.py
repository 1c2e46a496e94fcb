"""What vLLM runs in each of its processes: the entry point ``vllm.general_plugins``."""

from __future__ import annotations

ARCHITECTURE = "EFTForCausalLM"


def register() -> None:
    """Tell vLLM the name of the model; its file is imported when it is built. May run twice."""
    from vllm import ModelRegistry

    if ARCHITECTURE not in ModelRegistry.get_supported_archs():
        ModelRegistry.register_model(ARCHITECTURE, f"eft_integrations.vllm.model:{ARCHITECTURE}")
