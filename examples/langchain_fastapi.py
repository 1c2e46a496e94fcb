"""LangChain in FastAPI: an answer is sent as it is written; who hangs up ends the computation.

Needs fastapi. With a server of your choice: uvicorn examples.langchain_fastapi:app
"""

from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

from eft_integrations.langchain import ChatEFT

app = FastAPI()
model = ChatEFT(max_tokens=80)


async def written(question: str, alpha: float) -> AsyncIterator[str]:
    async for chunk in model.astream(question, alpha=alpha):
        yield str(chunk.text)


@app.get("/answer")
async def answer(question: str, alpha: float = 1.0) -> StreamingResponse:
    return StreamingResponse(written(question, alpha), media_type="text/plain")


if __name__ == "__main__":
    asked = {"question": "What is the capital of Italy?", "alpha": "0.5"}
    with TestClient(app).stream("GET", "/answer", params=asked) as response:
        for text in response.iter_text():
            print(text, end="", flush=True)
    print()
