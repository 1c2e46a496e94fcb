"""LangChain: another alpha for a call, for whatever is built on the model, for a run, for a row."""

from langchain_core.runnables import RunnableConfig

from eft_integrations.langchain import ChatEFT

QUESTION = "What is the capital of Japan?"

model = ChatEFT(max_tokens=40, alpha=1.0)
print("call   ", model.invoke(QUESTION, alpha=0.0).content)
print("copy   ", model.with_alpha(0.5).invoke(QUESTION).content)
run = RunnableConfig(configurable={"eft_alpha": 1.5})
print("run    ", model.invoke(QUESTION, config=run).content)

# One engine batch, with a coefficient for each row.
alphas = [0.0, 0.5, 1.0]
configs = [RunnableConfig(configurable={"eft_alpha": alpha}) for alpha in alphas]
rows = model.batch([QUESTION] * 3, configs)
for alpha, row in zip(alphas, rows, strict=True):
    print(f"row {alpha:g}  ", row.content)
