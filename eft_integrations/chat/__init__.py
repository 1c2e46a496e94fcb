"""Messages ⇄ token text: templates per member, tool calls, reasoning; no user's control tokens."""

from eft_integrations.chat.conversation import ChatRequest, Prepared, events_of, prepare
from eft_integrations.chat.template import PLAIN, Message, render

__all__ = ["PLAIN", "ChatRequest", "Message", "Prepared", "events_of", "prepare", "render"]
