"""LlamaIndex: records out of texts, whole and as they are written."""

from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel

from eft_integrations.llama_index import EFTLLM


class Person(BaseModel):
    """A person in a text."""

    name: str
    age: int
    city: str


llm = EFTLLM(max_tokens=60)
prompt = PromptTemplate("Write this as JSON: {text}")
print(repr(llm.structured_predict(Person, prompt, text="Maria, 41 years old, lives in Lisbon.")))
text = "There is a person named Otto, aged 7, in Bern."
for partial in llm.stream_structured_predict(Person, prompt, text=text):
    print(partial.model_dump())
