"""Who said each token: coloured in the terminal, number by number, and as a page of its own."""

from pathlib import Path
from tempfile import mkdtemp

from rich.console import Console

from eft_integrations import Engine, viz
from eft_integrations.chat import render

console = Console()
with Engine.tiny() as engine:
    prompt = render(engine, [{"role": "user", "content": "What is the capital of Italy?"}])
    trace = viz.trace(engine, prompt, max_tokens=40)
    doubted = viz.trace(engine, prompt, "Certainly, the capital of Italy is Paris.")

for answer in (trace, doubted):
    console.print(viz.terminal(answer, is_plain=not console.is_terminal))
console.print(viz.legend(trace, is_plain=not console.is_terminal))

for token in trace.tokens:
    parts = "  ".join(f"{role} {value:+7.2f}" for role, value in token.contributions.items())
    print(f"{token.label:>12}  {token.speaker:8} {parts}  = {token.logprob:+.2f}")

page = Path(mkdtemp()) / "who_said_it.html"
page.write_text(viz.html(trace, title="What is the capital of Italy?"), encoding="utf-8")
print(f"all numbers: {page}")
