"""Lets Triton's interpreter stand in for a GPU: a backend that is there, and compiles nothing.

With it on ``PYTHONPATH``, vLLM runs its V2 runner on a CPU. For tests only.
"""
