"""Who said each token: what every member added to the log-probability of the up-scaled model."""

from eft_integrations import Engine
from eft_integrations.chat import render

with Engine.tiny() as engine:
    prompt = render(engine, [{"role": "user", "content": "What is the capital of Italy?"}])
    with engine.stream(prompt, contributions=True, max_tokens=40) as stream:
        for event in stream:
            parts = event.contributions or {}
            row = "  ".join(f"{role} {value:+7.2f}" for role, value in parts.items())
            print(f"{event.text!r:>16}  {row}  = {sum(parts.values()):+.2f}")
