"""Who said each token: a trace of an answer, for the terminal and as a page of its own."""

from eft_integrations.viz.console import legend, table, terminal
from eft_integrations.viz.page import html
from eft_integrations.viz.record import Alternative, TokenTrace, Trace
from eft_integrations.viz.tracing import atrace, trace

__all__ = [
    "Alternative",
    "TokenTrace",
    "Trace",
    "atrace",
    "html",
    "legend",
    "table",
    "terminal",
    "trace",
]
