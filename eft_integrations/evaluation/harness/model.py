"""The model itself: the harness's three questions, answered by ``score`` and ``generate``."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar

from lm_eval.api.model import TemplateLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from tqdm import tqdm

from eft_integrations.engine import Engine
from eft_integrations.errors import InvalidRequest
from eft_integrations.evaluation.harness.arguments import (
    ModelArguments,
    refuse_settings_of_an_engine,
)
from eft_integrations.evaluation.harness.conversation import Conversation, Messages
from eft_integrations.evaluation.harness.rows import Pair, Text, in_batches
from eft_integrations.evaluation.harness.sampling import Draw, seeds, writing
from eft_integrations.mixture import BASE
from eft_integrations.request import PerRow

logger = logging.getLogger("eft_integrations")

Row = TypeVar("Row", Pair, Text)
Answer = TypeVar("Answer")
# Between two steps of the progress bar the slots are filled this many times, so that few of
# them stand empty while the last rows of a batch are finished.
_FILLINGS = 8


class EFTLM(TemplateLM):  # type: ignore[misc] # lm_eval is untyped
    """An up-scaled model for lm-evaluation-harness.

    The keywords are those of :class:`ModelArguments`; ``engine`` is an open engine in place of the
    members and their settings. Text is encoded by the tokenizer of ``base``, as if the harness ran
    that model alone; the chat template is the tuned member's.
    """

    def __init__(self, engine: Engine | None = None, **arguments: Any) -> None:
        super().__init__()
        self._asked = ModelArguments.of(arguments)
        if engine is not None:
            refuse_settings_of_an_engine(arguments)
        self._mixture = self._asked.mixture
        self.engine = self._asked.open_engine() if engine is None else engine
        # A copy: fast tokenizers refuse to be used from two threads at once.
        self.tokenizer = copy.deepcopy(self.engine.tokenizer(BASE))
        self.batch_len = _FILLINGS * self._asked.num_slots
        self.max_length = self._checked_max_length()
        self._conversation = Conversation(self.engine)

    def _checked_max_length(self) -> int:
        """Tokens that a member reads: of a text as long as the context the last one is not."""
        most = self.engine.context_len - 1
        wanted = most if self._asked.max_length is None else self._asked.max_length
        if wanted > most:
            raise InvalidRequest(
                f"max_length must be at most {most}, one less than the context of the shortest "
                f"member, got {wanted}; lower it"
            )
        return wanted

    # Text and token ids.

    @property
    def eot_token_id(self) -> int:
        """The end token of ``base``."""
        if self.tokenizer.eos_token_id is None:
            raise InvalidRequest(
                "the tokenizer of base names no end token, which the harness needs; "
                "set eos_token in its tokenizer_config.json"
            )
        return int(self.tokenizer.eos_token_id)

    @property
    def prefix_token_id(self) -> int:
        """What stands before a text that has no context, as in the harness's own models."""
        begin = self.tokenizer.bos_token_id
        return self.eot_token_id if begin is None else int(begin)

    @cached_property
    def _prefix(self) -> str:
        return str(self.tokenizer.decode([self.prefix_token_id]))

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **_: object
    ) -> list[int]:
        """Token ids, with the default BOS unless ``string`` begins with it.

        Control tokens in ``string`` count, as in every model of the harness.
        """
        if add_special_tokens is None:
            add_special_tokens = not string.startswith(self._prefix)
        ids = self.tokenizer.encode(string, add_special_tokens=add_special_tokens, verbose=False)
        return [int(i) for i in ids]

    # The harness's three questions; the first one's text is encoded by its base class.

    def _loglikelihood_tokens(
        self,
        requests: Sequence[tuple[tuple[str, str] | None, list[int], list[int]]],
        disable_tqdm: bool = False,
        **_: object,
    ) -> list[tuple[float, bool]]:
        """Log-probability of each continuation, and whether greedy decoding would write it."""
        pairs = [Pair(*request) for request in requests]
        return self._answered(pairs, self._scored, "loglikelihood", disable_tqdm)

    def loglikelihood_rolling(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[float]:
        """Log-probability of whole texts, in windows where they exceed ``max_length``."""
        windows = [self._windows(*request.args) for request in requests]
        pairs = [pair for pairs_of_one in windows for pair in pairs_of_one]
        scores = iter(self._answered(pairs, self._scored, "loglikelihood", disable_tqdm))
        totals = []
        for request, pairs_of_one in zip(requests, windows, strict=True):
            totals.append(sum((next(scores)[0] for _ in pairs_of_one), start=0.0))
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, totals[-1])
        return totals

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Write texts; the strings of ``until`` end them, and are cut off."""
        texts = self._seeded([self._text(*request.args) for request in requests])
        return self._answered(texts, self._written, "generate_until", disable_tqdm)

    # Chat templates.

    @property
    def tokenizer_name(self) -> str:
        return self._conversation.name

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """The tuned member's template, which the harness notes in its results."""
        if isinstance(chat_template, str):
            raise InvalidRequest(
                f"apply_chat_template={chat_template!r} names a template, but the harness tells no "
                f"model which one to render; use --apply_chat_template alone"
            )
        return self._conversation.template if chat_template else None

    def apply_chat_template(
        self, chat_history: Messages, add_generation_prompt: bool = True
    ) -> str:
        return self._conversation.text(chat_history, add_generation_prompt=add_generation_prompt)

    # Requests → rows → answers.

    def _windows(self, text: str) -> list[Pair]:
        """Disjoint pairs that predict every token of ``text`` once."""
        windows = get_rolling_token_windows(
            token_list=self.tok_encode(text),
            prefix_token=self.prefix_token_id,
            max_seq_len=self.max_length,
            context_len=1,
        )
        return [Pair(None, *make_disjoint_window(window)) for window in windows]

    def _text(self, context: str, keywords: dict[str, Any]) -> Text:
        end = str(self.tokenizer.decode([self.eot_token_id]))
        asked = writing(keywords, end=end, max_tokens=self._asked.max_gen_toks)
        prompt = self.tok_encode(context) or [self.prefix_token_id]
        return Text((context, keywords), prompt, asked)

    def _seeded(self, texts: list[Text]) -> list[Text]:
        default = self._asked.seed
        given = [text.writing.sampling.seed for text in texts]
        draws = [
            Draw(text.args[0], default if seed is None else seed)
            for text, seed in zip(texts, given, strict=True)
        ]
        return [text.seeded(seed) for text, seed in zip(texts, seeds(draws), strict=True)]

    def _scored(self, pairs: list[Pair]) -> list[tuple[float, bool]]:
        scores = self.engine.score(
            [pair.context for pair in pairs],
            [pair.continuation for pair in pairs],
            mixture=self._mixture,
        )
        answers = [(score.total, score.is_greedy) for score in scores]
        for pair, answer in zip(pairs, answers, strict=True):
            if pair.key is not None:  # windows are cached by their whole text
                self.cache_hook.add_partial("loglikelihood", pair.key, answer)
        return answers

    def _written(self, texts: list[Text]) -> list[str]:
        generations = self.engine.generate(
            [text.prompt for text in texts],
            sampling=PerRow([text.writing.sampling for text in texts]),
            mixture=self._mixture,
        )
        answers = []
        for text, generation in zip(texts, generations, strict=True):
            # Decoded whole, as the harness does: piece by piece some tokenizers give a first space.
            ids = list(generation.token_ids)
            whole = str(self.tokenizer.decode(ids, skip_special_tokens=True))
            answers.append(text.writing.cut(whole))
            self.cache_hook.add_partial("generate_until", text.args, answers[-1])
        return answers

    def _answered(
        self,
        rows: list[Row],
        answers: Callable[[list[Row]], list[Answer]],
        kind: str,
        disable_tqdm: bool,
    ) -> list[Answer]:
        """The answers in the order of the rows, whatever their lengths."""
        fitted = [row.fitted(self.max_length) for row in rows]
        num_cut = sum(len(short) < len(row) for short, row in zip(fitted, rows, strict=True))
        if num_cut:
            logger.warning(
                "%d of %d %s requests exceed max_length %d and were cut from the left",
                *(num_cut, len(rows), kind, self.max_length),
            )
        found: dict[int, Answer] = {}
        desc = f"Running {kind} requests"
        with tqdm(total=len(rows), desc=desc, disable=disable_tqdm) as bar:
            for batch in in_batches(fitted, answers, size=self.batch_len):
                found.update(batch)
                bar.update(len(batch))
        return [found[number] for number in range(len(rows))]
