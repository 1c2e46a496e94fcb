"""Up-scaled models on a server elsewhere: the faces' other speaker, over OpenAI's protocol.

Needs the openai client (``pip install 'eft-integrations[remote]'``) from the first use on.
"""
