"""LangChain: a chain of prompt, model and parser; then its parts as they are written."""

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from eft_integrations.langchain import ChatEFT

prompt = ChatPromptTemplate.from_messages([("human", "What is the capital of {country}?")])
chain = prompt | ChatEFT(max_tokens=40) | StrOutputParser()
print(chain.invoke({"country": "Italy"}))
for text in chain.stream({"country": "Kenya"}):
    print(text, end="", flush=True)
print()
