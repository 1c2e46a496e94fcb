"""Requests → token events: the local engine on torch, transformers and accelerate."""

from eft_integrations.engine.config import EngineConfig, MemberConfig
from eft_integrations.engine.engine import Engine
from eft_integrations.engine.stream import AsyncStream, Stream

__all__ = ["AsyncStream", "Engine", "EngineConfig", "MemberConfig", "Stream"]
