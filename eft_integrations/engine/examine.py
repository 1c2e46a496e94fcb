"""Is this trio fit to serve? From the files in a second, then from the weights by measuring.

The files are read into models without weights (on torch's meta device): their shapes, caches and
tokenizers are those that the engine will have, so that it is asked itself, not guessed at.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import psutil
import torch

from eft_integrations.engine import findings as look
from eft_integrations.engine.config import EngineConfig, MemberConfig
from eft_integrations.engine.findings import Finding
from eft_integrations.engine.forward import Feed, ModelRunner
from eft_integrations.engine.kv import BLOCK, Memory, fitting
from eft_integrations.engine.members import Member, load_members, reference_of, sketch_member
from eft_integrations.engine.placement import (
    device_of,
    free_memory,
    identity,
    refuse_absent_device,
    refuse_wrong_path,
)
from eft_integrations.errors import LoadError

PASS_LENS = (1, 8)  # tokens of the passes that are measured
_DEVICE_MAP = "a device map"  # accelerate decides
_BUSY = 25.0  # percent of the processors, above which times say little
_SLOW = 3.0  # tokens a second below which a person waits


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one role costs; ``seconds`` of a pass by its number of tokens, once measured."""

    num_parameters: int
    num_bytes: int
    dtype: str
    device: str
    context_len: int | None
    kv_bytes_per_token: int
    seconds: Mapping[int, float]


@dataclass(frozen=True, kw_only=True)
class Examination:
    """Findings, and figures by role where the roles could be examined."""

    findings: tuple[Finding, ...]
    figures: Mapping[str, Figures]

    @property
    def has_problem(self) -> bool:
        return any(finding.level == "problem" for finding in self.findings)


def examine_files(config: EngineConfig) -> Examination:
    """What configs, tokenizers and the headers of weight files tell.

    Raises ``LoadError`` for a path that leads nowhere and ``InvalidRequest`` for a device that is
    not there; all else becomes a finding.
    """
    sketches: dict[str, Member] = {}
    damage = []
    for role, member in config.members.items():
        refuse_wrong_path(role, member.path)
        if member.device_map is None:
            refuse_absent_device(device_of(member.device))
        try:
            on = reference_of(role, config.members, config.roles)
            # An adapter is of its reference's shape, and lies where that lies.
            sketches[role] = sketch_member(role, member if on is None else config.members[on])
        except LoadError as error:
            damage.append(look.problem(role, error))
    if damage:
        return Examination(findings=tuple(damage), figures={})
    figures = {role: _figures(member) for role, member in sketches.items()}
    findings = [
        *look.vocabulary(sketches, config),
        *look.pairs(sketches, config),
        *look.templates(sketches, config),
        *look.ends(sketches, config),
        *look.contexts(sketches, config),
        *_room(sketches, figures),
    ]
    return Examination(findings=tuple(findings), figures=figures)


def examine_weights(config: EngineConfig) -> Examination:
    """Load the members and measure their passes: some seconds beside the loading."""
    load = psutil.cpu_percent(interval=0.2)  # before torch's own threads begin to spin
    try:
        members = load_members(config.members, config.roles)
    except LoadError as error:
        return Examination(findings=(look.problem("weights", error),), figures={})
    figures = {
        role: replace(
            _figures(member), seconds={num: seconds_per_pass(member, num) for num in PASS_LENS}
        )
        for role, member in members.items()
    }
    findings = (*_twins(members, config), *_speed(figures, load))
    return Examination(findings=findings, figures=figures)


def tokens_per_second(figures: Mapping[str, Figures]) -> float:
    """One request: a token takes one pass of every role."""
    return 1 / sum(one.seconds[1] for one in figures.values())


def seconds_per_pass(member: Member, num_tokens: int, patience: float = 2.0) -> float:
    """Median time of one forward pass, after a warm-up; ``patience`` in seconds bounds the runs."""
    runner = ModelRunner(member, max_cells=BLOCK)
    feed = Feed(slot=0, start=0, tokens=[0] * num_tokens, num_logits=num_tokens)
    times: list[float] = []
    with torch.inference_mode():
        runner.reserve(1, BLOCK)
        for _ in range(3):
            runner.run([feed])
        end = time.perf_counter() + patience
        while len(times) < 9 and (not times or time.perf_counter() < end):
            started = time.perf_counter()
            float(runner.run([feed])[0].logits[-1, -1])  # waits for a device of its own pace
            times.append(time.perf_counter() - started)
    return statistics.median(times)


def _figures(member: Member) -> Figures:
    return Figures(
        num_parameters=int(member.model.num_parameters()),
        num_bytes=member.num_bytes,
        dtype=str(member.dtype).removeprefix("torch."),
        device=_device(member.config),
        context_len=member.context_len,
        kv_bytes_per_token=member.kv_bytes_per_token,
        seconds={},
    )


def _device(config: MemberConfig) -> str:
    return _DEVICE_MAP if config.device_map else device_of(config.device)


def _room(sketches: Mapping[str, Member], figures: Mapping[str, Figures]) -> list[Finding]:
    """Placement, weights and caches against the memory of each device."""
    dtypes = {role: one.dtype for role, one in figures.items()}
    devices = {role: one.device for role, one in figures.items()}
    found = look.placement(dtypes, devices)
    # Roles that share a model share its weights, and have a cache each.
    models = {identity(m.config.path): role for role, m in sketches.items()}
    left, per_token = {}, Counter[str]()
    for device in dict.fromkeys(devices.values()):
        if device != _DEVICE_MAP:
            needed = sum(figures[r].num_bytes for r in models.values() if devices[r] == device)
            free = free_memory(device)
            found.append(look.memory(device, needed, free))
            left[device] = free - needed
    for role, one in figures.items():
        per_token[devices[role]] += one.kv_bytes_per_token
    contexts = [one.context_len for one in figures.values() if one.context_len]
    # What accelerate puts where is not known before it does.
    room = fitting(per_token, left) if left.keys() == per_token.keys() else 0
    if room > 0 and contexts:
        memory = Memory.of(room // 2, None, sum(per_token.values()))
        found.append(look.cache(memory, min(contexts)))
    return found


def _twins(members: Mapping[str, Member], config: EngineConfig) -> list[Finding]:
    """Tuned members that are their reference in all but name."""
    reference_of = config.roles.reference_of
    return [
        look.idle(name, reference_of[name])
        for name in config.roles.tuned
        if name in members
        and reference_of[name] in members
        and _are_equal(members[name], members[reference_of[name]])
    ]


def _are_equal(first: Member, second: Member) -> bool:
    ours, theirs = first.model.state_dict(), second.model.state_dict()
    return ours.keys() == theirs.keys() and all(
        ours[name].shape == theirs[name].shape and torch.equal(ours[name], theirs[name])
        for name in ours
    )


def _speed(figures: Mapping[str, Figures], load: float) -> list[Finding]:
    """``load``: percent of the processors that other programs took before the measurement."""
    rate = tokens_per_second(figures)
    text = f"{rate:.3g} tokens/s expected for one request"
    remedy = "use a GPU, --dtype bfloat16 where it is native, or a smaller or quantised base"
    found = [look.warning("speed", text, remedy) if rate < _SLOW else look.ok("speed", text)]
    if load > _BUSY:
        busy = f"other programs keep {load:.0f} % of the processors busy: times are too long"
        found.append(look.note("speed", busy, "measure again when the machine is idle"))
    return found
