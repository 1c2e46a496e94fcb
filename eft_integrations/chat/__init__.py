"""Messages ⇄ token text: templates per member, without control tokens from users."""

from eft_integrations.chat.template import PLAIN, render

__all__ = ["PLAIN", "render"]
