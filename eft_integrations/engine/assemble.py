"""Settings → a core that can step: load, compare vocabularies, share out memory."""

from __future__ import annotations

import copy
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch

from eft_integrations.engine.config import EngineConfig
from eft_integrations.engine.constraint import Grammars
from eft_integrations.engine.core import Core
from eft_integrations.engine.encoder import Encoder
from eft_integrations.engine.forward import ModelRunner
from eft_integrations.engine.kv import BLOCK, Memory, blocks, fitting
from eft_integrations.engine.members import Member, load_members
from eft_integrations.engine.placement import free_memory
from eft_integrations.engine.prepare import Preparer
from eft_integrations.engine.scheduler import Scheduler
from eft_integrations.errors import InvalidRequest, LoadError
from eft_integrations.mixture import BASE, Roles, effective, resolve
from eft_integrations.rule import SharedVocabulary

logger = logging.getLogger("eft_integrations")

# Float32 values in one role's logits of one step: bounds the memory of scoring long texts.
_MAX_LOGITS = 2**25


@dataclass(frozen=True)
class Assembly:
    """The parts of an engine, put together."""

    config: EngineConfig
    core: Core
    preparer: Preparer
    tokenizers: Mapping[str, Any]
    decode: Callable[[list[int]], str]
    end_ids: frozenset[int]
    kv_limit: int

    @cached_property
    def grammars(self) -> Grammars:
        """Made on first use: reading a large vocabulary takes a second."""
        tokenizer = next(iter(self.tokenizers.values()))
        return Grammars(tokenizer, self.preparer.size, self.end_ids)


def assemble(config: EngineConfig) -> Assembly:
    """Load the members and build everything around them."""
    default = effective(config.mixture, config.roles.default())
    resolve(default, config.roles)  # refused before anything is loaded
    members = load_members(config.members, config.roles)
    vocabulary = share_vocabulary(members, config.roles)
    for note in vocabulary.cut:
        logger.info("vocabulary: %s", note)
    context_len = _context_len(members, config.max_context)
    kv_limit = config.kv_memory or _room(members) // 2
    per_token = sum(member.kv_bytes_per_token for member in members.values())
    memory = Memory.of(kv_limit, config.prefix_memory, per_token)
    if memory.max_cells < BLOCK:
        raise InvalidRequest(
            f"kv_memory={kv_limit} holds {max(0, memory.max_cells)} tokens beside "
            f"{memory.prefix_bytes} bytes of prefix_memory, at least {BLOCK} are needed; raise it "
            f"to {BLOCK * per_token + memory.prefix_bytes} bytes"
        )
    return _assembled(config, default, members, vocabulary.size, context_len, memory)


def share_vocabulary(members: Mapping[str, Member], roles: Roles) -> SharedVocabulary:
    """Compare the members' tokenizers; raises ``VocabularyMismatch``."""
    needed = {i for member in members.values() for i in member.end_ids}
    for role in roles.tuned:
        if role in members:
            needed |= _template_ids(members[role].tokenizer)
    return SharedVocabulary.of(
        {role: member.tokenizer.get_vocab() for role, member in members.items()},
        {role: member.head_width for role, member in members.items()},
        needed,
    )


def _template_ids(tokenizer: Any) -> set[int]:
    """Ids of added tokens that the chat template writes."""
    template = tokenizer.chat_template or ""
    text = template if isinstance(template, str) else " ".join(template.values())
    return {i for token, i in tokenizer.get_added_vocab().items() if token in text}


def _assembled(
    config: EngineConfig,
    default: Any,
    members: Mapping[str, Member],
    size: int,
    context_len: int,
    memory: Memory,
) -> Assembly:
    max_cells = memory.max_cells
    end_ids = frozenset(i for m in members.values() for i in m.end_ids if i < size)
    scheduler = Scheduler(
        max_slots=config.max_slots,
        prefill_chunk=config.prefill_chunk,
        max_logits=max(1, _MAX_LOGITS // size),
        may_hold=lambda num_slots, length: num_slots * blocks(length) <= max_cells,
    )
    runners = {role: ModelRunner(member, max_cells) for role, member in members.items()}
    first = next((role for role in config.roles.tuned if role in members), BASE)
    tokenizer = members[first].tokenizer
    return Assembly(
        config=config,
        core=Core(
            runners,
            scheduler,
            size,
            set(end_ids),
            drafters=[role for role in config.roles.tuned if role in runners],
            has_lookup=config.lookup,
            prefix_bytes=memory.prefix_bytes,
        ),
        preparer=Preparer(
            encoder=Encoder(tokenizer),
            roles=config.roles,
            default=default,
            size=size,
            context_len=context_len,
            max_len=max_cells // BLOCK * BLOCK,
        ),
        tokenizers={role: member.tokenizer for role, member in members.items()},
        # A copy of its own: fast tokenizers refuse to be used from two threads at once.
        decode=partial(_decode, copy.deepcopy(tokenizer)),
        end_ids=end_ids,
        kv_limit=memory.kv_limit,
    )


def _decode(tokenizer: Any, ids: list[int]) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def _context_len(members: Mapping[str, Member], limit: int | None) -> int:
    known = [member.context_len for member in members.values() if member.context_len]
    if limit is not None and limit > min(known, default=limit):
        raise InvalidRequest(
            f"max_context={limit} is more than the shortest member holds, {min(known)}; lower it"
        )
    if limit is None and not known:
        raise LoadError("no member names the length of its context; give max_context")
    return min(known) if limit is None else limit


def _room(members: Mapping[str, Member]) -> int:
    """Bytes of caches for which there is memory where they will lie."""
    per_token: Counter[torch.device] = Counter()
    for member in members.values():
        per_token.update(member.kv_bytes)
    return fitting(per_token, {device: free_memory(device) for device in per_token})
