"""``EFTLLM`` where LlamaIndex's own models are found."""

from eft_integrations.llama_index.llm import EFTLLM

__all__ = ["EFTLLM"]
