"""LangChain: records out of texts; the grammar holds every answer to the schema."""

from pydantic import BaseModel

from eft_integrations.langchain import ChatEFT


class Person(BaseModel):
    """A person in a text."""

    name: str
    age: int
    city: str


model = ChatEFT(max_tokens=60).with_structured_output(Person)
texts = [
    "Maria, 41 years old, lives in Lisbon.",
    "There is a person named Otto, aged 7, from Bern.",
]
for person in model.batch([f"Write this as JSON: {text}" for text in texts]):
    print(repr(person))
