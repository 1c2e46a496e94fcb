"""A caller's prompt and options → checked requests. No torch: runs on the caller's thread."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from eft_integrations import checks
from eft_integrations.engine.encoder import Encoder
from eft_integrations.errors import ContextOverflow, InvalidRequest, refuse_unknown
from eft_integrations.mixture import Mixture, Roles, effective, resolve
from eft_integrations.options import SCORE_KEYS, Options, parse, parse_rows
from eft_integrations.request import MAX_SEED, Request, Sampling

Prompt = str | list[int] | tuple[int, ...] | Mapping[str, Sequence[int]]
PromptBatch = list[str] | list[list[int]] | list[tuple[int, ...]] | list[dict[str, list[int]]]


@dataclass(frozen=True, kw_only=True)
class Preparer:
    """What a request is checked against. ``max_len``: positions that one request may take."""

    encoder: Encoder
    roles: Roles
    default: Mixture
    size: int
    context_len: int
    max_len: int

    def requests(self, prompt: Prompt, options: Options) -> list[Request]:
        """One request a choice (``n``)."""
        prompts = self._prompts(prompt)
        longest = max(len(ids) for ids in prompts.values())
        sampling = self._sampling(options.sampling, longest)
        mixture = effective(options.mixture, self.default)
        first = Request(
            prompts=prompts,
            mixture=mixture,
            terms=resolve(mixture, self.roles),
            sampling=sampling,
            constraint=options.constraint,
            contributions=options.contributions,
        )
        return [replace(first, choice=choice) for choice in range(sampling.n)]

    def scoring(
        self, prompt: Prompt, continuation: str | Sequence[int], options: Options
    ) -> Request:
        """A request that scores ``continuation`` instead of writing."""
        if isinstance(continuation, str):
            ids = self.encoder.encode(continuation, special=False)
        else:
            if any(isinstance(item, str) for item in continuation):
                raise InvalidRequest("several continuations need a list of prompts, one each")
            ids = checks.token_ids("continuation", continuation)
        self._check_ids("continuation", ids)
        plain = Options(mixture=options.mixture, sampling=Sampling(max_tokens=len(ids)))
        return replace(self.requests(prompt, plain)[0], continuation=ids)

    def batch(
        self, prompts: Sequence[Prompt], keywords: Mapping[str, object]
    ) -> list[list[Request]]:
        """The requests of each prompt of a batch."""
        rows = parse_rows(keywords, len(prompts))
        return [self.requests(p, row) for p, row in zip(prompts, rows, strict=True)]

    def scoring_batch(
        self, prompts: Sequence[Prompt], continuations: object, keywords: Mapping[str, object]
    ) -> list[Request]:
        """One scoring request a prompt."""
        if isinstance(continuations, str) or not isinstance(continuations, Sequence):
            raise InvalidRequest("a batch of prompts needs a list of continuations, one each")
        if len(continuations) != len(prompts):
            raise InvalidRequest(
                f"got {len(prompts)} prompts and {len(continuations)} continuations; give one each"
            )
        rows = parse_rows(keywords, len(prompts), SCORE_KEYS)
        return [
            self.scoring(p, c, row) for p, c, row in zip(prompts, continuations, rows, strict=True)
        ]

    def mixture(self, keywords: Mapping[str, object]) -> Mixture:
        """The whole mixture that ``keywords`` ask for."""
        return effective(parse(keywords, SCORE_KEYS).mixture, self.default)

    def _sampling(self, sampling: Sampling, prompt_len: int) -> Sampling:
        """With a seed and a number of tokens filled in, and both ranges checked."""
        room = self.context_len - prompt_len
        wanted = max(room, 1) if sampling.max_tokens is None else sampling.max_tokens
        if wanted > room:
            raise ContextOverflow(
                f"the request needs {prompt_len + wanted} tokens (prompt {prompt_len} + max_tokens "
                f"{wanted}) but the shortest member holds {self.context_len}; shorten the prompt "
                f"or lower max_tokens by {wanted - room}"
            )
        if prompt_len + wanted > self.max_len:
            raise ContextOverflow(
                f"the request needs {prompt_len + wanted} cache positions but kv_memory holds "
                f"{self.max_len}; lower max_tokens or raise kv_memory"
            )
        stop_ids = (*(sampling.stop_token_ids or ()), *self._stop_tokens(sampling))
        named = {"logit_bias": [*(sampling.logit_bias or ())], "stop_token_ids": stop_ids}
        for name, ids in named.items():
            if ids:
                self._check_ids(name, ids)
        if sampling.top_logprobs > self.size:
            raise InvalidRequest(
                f"top_logprobs must be at most {self.size}, the vocabulary's size, "
                f"got {sampling.top_logprobs}"
            )
        seed = secrets.randbelow(MAX_SEED) if sampling.seed is None else sampling.seed
        return replace(sampling, max_tokens=wanted, seed=seed, stop_token_ids=stop_ids)

    def _stop_tokens(self, sampling: Sampling) -> list[int]:
        """Stop strings that are control tokens, which have no text to be found in."""
        control = self.encoder.control
        for stop in sampling.stop_strings:
            within = next((token for token in self.encoder.silent if token in stop), None)
            if within and stop not in control:
                raise InvalidRequest(
                    f"stop {stop!r} can never be met: it holds {within!r}, which is a control "
                    f"token and no text; give {within!r} alone"
                )
        return [control[stop] for stop in sampling.stop_strings if stop in control]

    def _prompts(self, prompt: Prompt) -> dict[str, tuple[int, ...]]:
        """Token ids by role: one text or list for all, or a list for each role."""
        if isinstance(prompt, Mapping):
            by_role = self._by_role(prompt)
        else:
            ids = (
                self.encoder.encode(prompt, special=True)
                if isinstance(prompt, str)
                else checks.token_ids("prompt", prompt)
            )
            by_role = dict.fromkeys(self.roles.available, ids)
        for role, ids in by_role.items():
            self._check_ids(f"the prompt of {role}", ids)
        return by_role

    def _by_role(self, prompt: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, ...]]:
        refuse_unknown("role in prompt", prompt, self.roles.available)
        missing = [role for role in self.roles.available if role not in prompt]
        if missing:
            raise InvalidRequest(
                f"the prompt has no token ids for role {missing[0]!r}; "
                f"give a list for each of {', '.join(self.roles.available)}"
            )
        return {
            role: checks.token_ids(f"the prompt of {role}", prompt[role])
            for role in self.roles.available
        }

    def _check_ids(self, name: str, ids: Sequence[int]) -> None:
        if not ids:
            raise InvalidRequest(f"{name} has no tokens; give at least one")
        worst = max(ids)
        if worst >= self.size:
            raise InvalidRequest(
                f"{name} holds token id {worst}, but the shared vocabulary has ids 0 to "
                f"{self.size - 1}; encode the text with the members' own tokenizer"
            )


def is_batch(prompt: object) -> bool:
    """A list of prompts of one form, rather than one prompt. Raises ``InvalidRequest``.

    An empty list is an empty prompt: it has no form that would make it a batch.
    """
    if isinstance(prompt, (str, Mapping)):
        return False
    if not isinstance(prompt, Sequence) or isinstance(prompt, bytes):
        raise InvalidRequest(
            f"a prompt is a string, a list of token ids or a mapping of roles to token ids, "
            f"got {type(prompt).__name__}"
        )
    forms = {_form(item) for item in prompt}
    if len(forms) > 1:
        raise InvalidRequest(
            f"the prompts of a batch must be of one form, got {' and '.join(sorted(forms))}"
        )
    return bool(forms) and forms != {"token id"}


def _form(item: object) -> str:
    if isinstance(item, str):
        return "string"
    if isinstance(item, Mapping):
        return "mapping"
    return "list of token ids" if isinstance(item, Sequence) else "token id"
