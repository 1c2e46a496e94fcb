"""One question, four coefficients: what the small tuned model's manners do to the large model."""

from eft_integrations import Engine, PerRow
from eft_integrations.chat import render

alphas = [0.0, 0.5, 1.0, 1.5]
with Engine.tiny() as engine:
    prompt = render(engine, [{"role": "user", "content": "What is the capital of France?"}])
    answers = engine.generate([prompt] * 4, alpha=PerRow(alphas), max_tokens=40)
for alpha, answer in zip(alphas, answers, strict=True):
    print(f"alpha {alpha}: {answer.text!r}")
