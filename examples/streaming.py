"""A stream whose coefficient changes while it runs."""

from eft_integrations import Engine
from eft_integrations.chat import render

question = [{"role": "user", "content": "Which currency is used in Japan?"}]
with Engine.tiny() as engine:
    with engine.stream(render(engine, question), alpha=0.0, max_tokens=48) as stream:
        for event in stream:
            print(event.text, end="", flush=True)
            if event.index == 4:
                index = stream.set(alpha=1.0)
                print(f"[alpha 1 from token {index}]", end="")
    print(f"\n{stream.result.finish_reason}, {stream.result.usage.completion_tokens} tokens")
