"""How fast is it? Figures with the limits that they are held to; ``eft bench`` shows them."""

from eft_integrations.benchmark.figures import Figure

__all__ = ["Figure"]
