"""What members without weights tell about a trio: each look returns findings.

A look gets the sketches (role → :class:`Member` whose model has shapes but no weights) and the
engine's settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from jinja2 import TemplateError

from eft_integrations.engine.assemble import share_vocabulary
from eft_integrations.engine.config import EngineConfig
from eft_integrations.engine.kv import BLOCK, Memory
from eft_integrations.engine.members import Member
from eft_integrations.engine.placement import default_dtype
from eft_integrations.errors import EFTError, VocabularyMismatch
from eft_integrations.mixture import BASE

Level = Literal["ok", "note", "warning", "problem"]
Sketches = Mapping[str, Member]

_PROBE = "eft-probe"
_NARROW = 2048  # tokens of cache in which a conversation hardly fits
_TIGHT = 0.8  # share of the free memory that weights may take without a warning


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One answer; ``remedy`` says what to do about it, empty where all is well."""

    level: Level
    subject: str
    text: str
    remedy: str = ""


def finding(level: Level, subject: str, text: str, remedy: str = "") -> Finding:
    return Finding(level=level, subject=subject, text=text, remedy=remedy)


ok = partial(finding, "ok")
note = partial(finding, "note")
warning = partial(finding, "warning")


def problem(subject: str, error: EFTError) -> Finding:
    """An error of ours: its last clause is the remedy."""
    text, _, remedy = str(error).rpartition("; ")
    return finding("problem", subject, text, remedy)


def pairs(sketches: Sketches, config: EngineConfig) -> list[Finding]:
    """Does each reference fit its tuned member, and which model is the large one?"""
    reference_of = config.roles.reference_of
    names = [n for n in config.roles.tuned if n in sketches and reference_of[n] in sketches]
    if not names:
        return [
            note(
                "members",
                "no tuned member with its reference",
                "only alpha 0 and weights can be asked for; give both to mix",
            )
        ]
    found = [_pair(name, reference_of[name], sketches) for name in names]
    if _num_parameters(sketches[BASE]) < max(_num_parameters(sketches[name]) for name in names):
        remedy = "swap the models if up-scaling is meant"
        found.append(note("members", "base is smaller than tuned: down-scaling", remedy))
    return found


def _pair(tuned: str, reference: str, sketches: Sketches) -> Finding:
    shapes = [_shape(sketches[role]) for role in (tuned, reference)]
    if shapes[0] == shapes[1]:
        return ok("members", f"{tuned} and {reference} are of one shape")
    return warning(
        "members",
        f"{tuned} and {reference} differ in shape ({shapes[0]} / {shapes[1]})",
        f"give as reference the very model that {tuned} was made from",
    )


def idle(tuned: str, reference: str) -> Finding:
    """The difference of two equal models is nothing."""
    return warning(
        "members",
        f"{tuned} and {reference} have the same weights, so that alpha changes nothing",
        "give as reference the model before tuning",
    )


def vocabulary(sketches: Sketches, config: EngineConfig) -> list[Finding]:
    """Tokenizers and heads, by the engine's own comparison."""
    try:
        shared = share_vocabulary(sketches, config.roles)
    except VocabularyMismatch as error:
        return [problem("tokenizers", error)]
    same = ok("tokenizers", f"{shared.size} tokens mean the same in all members")
    cuts = [note("heads", cut, "nothing: what is cut is never chosen") for cut in shared.cut]
    return [same, *(cuts or [ok("heads", "all as wide as the vocabulary")])]


def templates(sketches: Sketches, config: EngineConfig) -> list[Finding]:
    """By default the first tuned member's template serves all."""
    tuned = [name for name in config.roles.tuned if name in sketches] or [BASE]
    own = {name: sketches[name].tokenizer.chat_template for name in tuned}
    bare = [name for name, template in own.items() if not template]
    if bare:
        remedy = "save its tokenizer with a chat_template, or ask with raw text (eft ask --raw)"
        return [warning("templates", f"{', '.join(bare)} has no chat template", remedy)]
    if len({str(template) for template in own.values()}) > 1:
        remedy = f"that of {tuned[0]} serves all; pass templates= to chat.render for another"
        return [note("templates", "the tuned members' chat templates differ", remedy)]
    return [ok("templates", f"that of {tuned[0]} serves all members")]


def ends(sketches: Sketches, config: EngineConfig) -> list[Finding]:
    """An answer ends at an end token of any member; a turn of the template should end in one."""
    ids = {i for member in sketches.values() for i in member.end_ids}
    if not ids:
        remedy = "set eos_token_id in generation_config.json, or ask with stop="
        return [warning("ends", "no member has an end token: answers run to max_tokens", remedy)]
    tuned = [name for name in config.roles.tuned if name in sketches]
    tokenizer = sketches[(tuned or [BASE])[0]].tokenizer
    named = ", ".join(map(str, tokenizer.convert_ids_to_tokens(sorted(ids))))
    found = [_open_turn(name, sketches[name].tokenizer, ids) for name in tuned]
    return [one for one in found if one] or [ok("ends", f"answers end at {named}")]


def _open_turn(name: str, tokenizer: Any, ids: set[int]) -> Finding | None:
    close = _turn_end(tokenizer)
    if close is None or tokenizer.convert_tokens_to_ids(close) in ids:
        return None
    return warning(
        "ends",
        f"the template of {name} closes a turn with {close!r}, which is no end token",
        f"add its id to eos_token_id in generation_config.json of {name}, or ask with "
        f"stop_token_ids=",
    )


def _turn_end(tokenizer: Any) -> str | None:
    """The control token that the template writes after an answer."""
    if not tokenizer.chat_template:
        return None
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _PROBE}]
    try:
        rest = str(tokenizer.apply_chat_template(turns, tokenize=False)).rpartition(_PROBE)[2]
    except (TemplateError, ValueError, TypeError):  # a template may refuse what it likes
        return None
    found = [token for token in tokenizer.get_added_vocab() if token.strip() and token in rest]
    return min(found, key=rest.index, default=None)


def contexts(sketches: Sketches, _config: EngineConfig) -> list[Finding]:
    """The shortest member limits prompt and answer together."""
    known = {role: m.context_len for role, m in sketches.items() if m.context_len}
    if not known:
        remedy = "give max_context to Engine.from_pretrained"
        return [finding("problem", "context", "no member names its length", remedy)]
    shortest = min(known, key=known.__getitem__)
    if len(set(known.values())) == 1:
        return [ok("context", f"{known[shortest]} tokens in all members")]
    lengths = ", ".join(f"{role} {length}" for role, length in known.items())
    return [
        note(
            "context",
            f"{shortest} limits prompt and answer to {known[shortest]} tokens ({lengths})",
            "nothing, unless texts are longer: then take small models with a longer context",
        )
    ]


def placement(dtypes: Mapping[str, str], devices: Mapping[str, str]) -> list[Finding]:
    """dtype and device by role, chosen or asked for."""
    found = []
    for device, dtype in dict.fromkeys((devices[role], dtypes[role]) for role in dtypes):
        roles = ", ".join(r for r in dtypes if (devices[r], dtypes[r]) == (device, dtype))
        text = f"{dtype} on {device} ({roles})"
        if device == "cpu" and dtype != "float32" and default_dtype("cpu") != dtype:
            remedy = f"use --dtype {default_dtype('cpu')}"
            found.append(warning("placement", f"{text} is slow on this processor", remedy))
        else:
            found.append(ok("placement", text))
    return found


def memory(device: str, needed: int, free: int) -> Finding:
    """Weights against what is free on one device."""
    text = f"weights {spelled(needed)}, free {spelled(free)} on {device}"
    remedy = "close other programs, use --dtype bfloat16, or take a smaller or quantised base"
    if needed > free:
        return finding("problem", "memory", text, remedy)
    return warning("memory", text, remedy) if needed > _TIGHT * free else ok("memory", text)


def cache(memory: Memory, context_len: int) -> Finding:
    """The memory for caches against the length of the context."""
    fits = memory.max_cells // BLOCK * BLOCK
    room = spelled(memory.kv_limit - memory.prefix_bytes)
    text = f"{spelled(memory.per_token)} a token; {fits} tokens fit in {room}"
    remedy = "free memory, use --dtype bfloat16, or lower max_context"
    if fits < BLOCK:
        return finding("problem", "cache", text, remedy)
    if fits < min(context_len, _NARROW):
        return warning("cache", text, remedy)
    if fits < context_len:
        return note("cache", f"{text}, the context is {context_len}", remedy)
    return ok("cache", f"{text}: {fits // context_len} whole context(s) of {context_len}")


def spelled(num_bytes: int) -> str:
    """Bytes for people."""
    size, unit = float(num_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.3g} {unit}"


def _shape(member: Member) -> str:
    settings = member.text_config
    return (
        f"{settings.model_type}, {settings.num_hidden_layers} layers of {settings.hidden_size}, "
        f"{_num_parameters(member)} parameters"
    )


def _num_parameters(member: Member) -> int:
    return int(member.model.num_parameters())
