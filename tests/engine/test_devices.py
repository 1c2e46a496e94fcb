"""What a step does on GPUs, on devices that are simulated: nothing here ran on a real one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from eft_integrations import Mixture, Sampling, StepFailed
from eft_integrations.engine.assemble import Assembly, assemble
from eft_integrations.engine.config import EngineConfig
from eft_integrations.engine.core import Core
from eft_integrations.engine.detokenize import Detokenizer
from eft_integrations.engine.forward import ModelRunner
from eft_integrations.engine.kv import fitting
from eft_integrations.engine.placement import device_of, free_memory
from eft_integrations.engine.sampling import drawn, drawn_without_reading
from eft_integrations.engine.scripted import scripted_core
from eft_integrations.engine.sequence import Sequence as Text
from eft_integrations.mixture import BASE, Plausibility
from eft_integrations.options import parse
from eft_integrations.rule import gumbel
from tests.conftest import ROLES
from tests.engine.simulated import CPU, Devices, Event, Stream, put
from tests.engine.test_architectures import ARCHITECTURES, make
from tests.engine.test_distribution import LOGITS, mixed_sequence

ONE = dict.fromkeys(ROLES, "cuda:0")
TWO = {"base": "cuda:0", "tuned": "cuda:1", "reference": "cuda:1"}
BESIDE = {"base": "cuda:0", "tuned": "cpu", "reference": "cpu"}
PROMPTS = ("The capital of France is", "a", "Once upon a time there lived a king " * 3)


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> Devices:
    made = Devices()
    monkeypatch.setattr(torch.cuda, "Event", lambda **_: Event(made))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: Stream())
    return made


def assembled(folder: Path, **settings: Any) -> Assembly:
    members = {role: folder / role for role in ROLES}
    return assemble(EngineConfig.of(**members, dtype="float32", device="cpu", **settings))


def moved(assembly: Assembly, places: Mapping[str, str]) -> Core:
    """The core with its members where they are said to be."""
    runners = {}
    for role, runner in assembly.core.passes.runners.items():
        assert isinstance(runner, ModelRunner)
        for one in (*runner.member.model.parameters(), *runner.member.model.buffers()):
            put(one, torch.device(places[role]))
        runners[role] = ModelRunner(replace(runner.member), runner.cache.max_cells)
    old = assembly.core
    drafters = old.speculator.drafters
    return Core(runners, old.scheduler, old.size, old.end_ids, drafters=drafters)


def started(
    assembly: Assembly,
    core: Core,
    options: Sequence[dict[str, Any]],
    prompts: Sequence[str] = PROMPTS,
) -> list[list[Any]]:
    """A text for each prompt waits; where its events come."""
    events: list[list[Any]] = []
    for prompt, said in zip(prompts, options, strict=False):
        request = assembly.preparer.requests(prompt, parse({"max_tokens": 12, **said}))[0]
        grammar = assembly.grammars.compile(request.constraint) if request.constraint else None
        events.append([])
        text = Text(
            request,
            sink=events[-1].append,
            detokenizer=Detokenizer(assembly.decode, request.prompts[BASE]),
            grammar=grammar,
        )
        core.scheduler.waiting.append(text)
    return events


def ids(events: Sequence[list[Any]]) -> list[list[int]]:
    for told in events:
        assert told[-1].finish_reason, told[-1]
    return [[event.token_id for event in told] for told in events]


def steps(core: Core, devices: Devices) -> list[int]:
    """Run to the end; how often each step read from a device."""
    reads: list[int] = []
    with devices:
        while True:
            before = devices.num_reads
            if not core.step():
                return reads
            reads.append(devices.num_reads - before)


PLAIN: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampled": {"temperature": 1.0, "seed": 3},
    "filters": {"temperature": 1.3, "seed": 4, "top_p": 0.9, "top_k": 50, "min_p": 0.01},
    "penalties": {
        "repetition_penalty": 1.3,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.4,
        "logit_bias": {7: 3.0},
    },
    "filter": {"alpha": 1.2, "filter_top_p": 0.8},
    "mask": {"alpha": 0.7, "mask": Plausibility(min_ratio=0.1)},
    "grammar": {"regex": "[a-z ]{20}"},
    "tuned alone": {"weights": {"tuned": 1.0}},
}


@pytest.mark.parametrize("places", [ONE, TWO, BESIDE], ids=["one", "two", "beside"])
@pytest.mark.parametrize("name", PLAIN)
def test_a_step_reads_once_and_waits_for_no_copy(
    name: str, places: dict[str, str], trio: Path, devices: Devices
) -> None:
    options = [{**PLAIN[name], "speculation": "off"}, {"speculation": "off"}]
    assembly = assembled(trio)
    there = moved(assembly, places)
    told = started(assembly, there, options)
    reads = steps(there, devices)
    assert reads == [1] * len(reads)
    assert devices.waits == []
    assert ids(told) == written(trio, options)


def written(folder: Path, options: Sequence[dict[str, Any]]) -> list[list[int]]:
    """The same texts on the CPU."""
    assembly = assembled(folder)
    told = started(assembly, assembly.core, options)
    while assembly.core.step():
        pass
    return ids(told)


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_models_of_transformers_wait_for_nothing(
    name: str, tmp_path: Path, tokenizer: Any, devices: Devices
) -> None:
    make(name, tmp_path, tokenizer)
    assembly = assembled(tmp_path)
    core = moved(assembly, ONE)
    options = [{"speculation": "off", "max_tokens": 6}] * 3
    told = started(assembly, core, options)
    reads = steps(core, devices)
    assert reads == [1] * len(reads)
    assert devices.waits == []
    assert ids(told) == written(tmp_path, options)


def test_a_long_prompt_reads_nothing_until_it_predicts(trio: Path, devices: Devices) -> None:
    assembly = assembled(trio, prefill_chunk=8)
    core = moved(assembly, TWO)
    started(assembly, core, [{"speculation": "off"}], PROMPTS[2:])
    reads = steps(core, devices)
    assert sum(reads) == 12
    assert reads[:2] == [0, 0]
    assert devices.waits == []


def test_between_devices_go_the_shared_ids_in_the_models_dtype(
    trio: Path, devices: Devices
) -> None:
    assembly = assembled(trio)
    core = moved(assembly, TWO)
    started(assembly, core, [{"speculation": "off"}] * 3)
    num_steps = len(steps(core, devices))
    shapes = {(torch.float32, torch.Size([3, core.size]))}
    assert len(devices.crossed) == 2 * num_steps  # tuned and reference
    assert set(devices.crossed) == shapes


def test_all_that_a_pass_needs_goes_to_its_device_at_once(trio: Path, devices: Devices) -> None:
    assembly = assembled(trio)
    core = moved(assembly, ONE)
    started(assembly, core, [{"speculation": "off"}])
    num_steps = len(steps(core, devices))
    # Three passes, the coefficients, and which rows are read.
    assert devices.num_sent == 5 * num_steps


@pytest.mark.parametrize("name", ["greedy", "sampled", "penalties", "grammar"])
def test_drafts_read_once_a_token_that_is_written_and_once_a_place_that_is_reached(
    name: str, trio: Path, devices: Devices
) -> None:
    options = [{**PLAIN[name], "speculation": 4}]
    assembly = assembled(trio)
    core = moved(assembly, TWO)
    told = started(assembly, core, options)
    reads = steps(core, devices)
    assert max(reads) <= 4 + 5
    assert devices.waits == []
    assert ids(told) == written(trio, options)


def test_what_a_request_asks_to_be_told_is_one_read_more(trio: Path, devices: Devices) -> None:
    assembly = assembled(trio)
    core = moved(assembly, TWO)
    said = {"speculation": "off", "alpha": 1.2, "filter_top_p": 0.8}
    told = started(assembly, core, [{**said, "contributions": True, "top_logprobs": 3}])
    assert set(steps(core, devices)) == {3}
    plain = assembled(trio)
    same = started(plain, plain.core, [{**said, "contributions": True, "top_logprobs": 3}])
    while plain.core.step():
        pass
    for mine, theirs in zip(told[0], same[0], strict=True):
        assert mine.contributions == theirs.contributions
        assert mine.top_logprobs == theirs.top_logprobs


def test_a_score_is_read_once(trio: Path, devices: Devices) -> None:
    def start(assembly: Assembly, core: Core) -> list[Any]:
        request = assembly.preparer.scoring(PROMPTS[0], " Paris, of course", parse({}))
        items: list[Any] = []
        detokenizer = Detokenizer(assembly.decode, request.prompts[BASE])
        text = Text(request, sink=items.append, detokenizer=detokenizer)
        core.scheduler.waiting.append(text)
        return items

    assembly = assembled(trio)
    core = moved(assembly, TWO)
    told = start(assembly, core)
    assert steps(core, devices) == [1]
    assert devices.waits == []
    plain = assembled(trio)
    same = start(plain, plain.core)
    plain.core.step()
    assert told == same


def test_a_member_split_over_devices_moves_its_places_once(trio: Path, devices: Devices) -> None:
    assembly = assembled(trio)
    core = moved(assembly, ONE)
    runner: Any = core.passes.runners["base"]
    layers = runner.member.model.model.layers
    for layer in layers:
        for one in (*layer.parameters(), *layer.buffers()):
            put(one, torch.device("cuda:1"))
        layer.register_forward_pre_hook(_brought, with_kwargs=True)
    layers[-1].register_forward_hook(lambda _layer, _given, out: out.to("cuda:0"))
    told = started(assembly, core, [{"speculation": "off"}])
    reads = steps(core, devices)
    assert reads == [1] * len(reads)
    assert devices.waits == []
    places = [shape for dtype, shape in devices.crossed if dtype == torch.int64 and len(shape) == 1]
    assert len(places) == 5 * len(reads)  # for two layers
    assert ids(told) == written(trio, [{"speculation": "off"}])


def _brought(_layer: Any, given: Any, named: Any) -> Any:
    """What accelerate's hook does: everything goes where the layer is."""

    def bring(one: Any) -> Any:
        if isinstance(one, tuple):
            return tuple(map(bring, one))
        return one.to("cuda:1") if isinstance(one, torch.Tensor) else one

    return bring(given), {name: bring(one) for name, one in named.items()}


def test_passes_are_timed_by_their_device_and_counted_before_the_text_ends(
    trio: Path, devices: Devices
) -> None:
    assembly = assembled(trio)
    core = moved(assembly, TWO)
    told = started(assembly, core, [{"speculation": "off"}])
    num_steps = len(steps(core, devices))
    stats = told[0][-1].stats
    for role in ROLES:
        assert stats[role].passes == num_steps
        assert stats[role].seconds == pytest.approx(0.002 * num_steps)


def test_drawing_without_reading_draws_the_same() -> None:
    scores = torch.randn(500, generator=torch.Generator().manual_seed(0)).double()
    for index in range(50):
        noise = partial(gumbel, 7, 0, index)
        kept = scores > -1 + index / 25
        kept[index] = True
        assert drawn(scores, kept, noise) == drawn_without_reading(scores, kept, noise)


def test_caches_fit_where_each_device_has_room_for_its_part() -> None:
    assert fitting({"cpu": 8}, {"cpu": 1000}) == 1000
    # 100 tokens on the first, of 90 bytes, leave room on the second, of 10.
    assert fitting({"cuda:0": 90, "cuda:1": 10}, {"cuda:0": 9000, "cuda:1": 5000}) == 10_000


def test_a_device_tells_what_is_free_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    free = {torch.device("cuda:0"): 10, torch.device("cuda:1"): 20}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free[device], 99))
    assert [free_memory(device) for device in ("cuda:0", torch.device("cuda:1"))] == [10, 20]
    assert free_memory("cpu") > 99


def test_auto_is_cuda_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [device_of(wanted) for wanted in (None, "auto", "cpu")] == ["cuda", "cuda", "cpu"]


def test_out_of_memory_is_one_line_with_a_remedy() -> None:
    def script(_row: list[int]) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.\nSee docs")

    core = scripted_core(dict.fromkeys(LOGITS, script), size=6)
    items: list[Any] = []
    core.scheduler.waiting.append(mixed_sequence(Mixture(), Sampling(max_tokens=4), items.append))
    core.step()
    assert isinstance(items[0], StepFailed)
    assert "\n" not in str(items[0])
    assert str(items[0]).endswith("lower kv_memory, max_slots or prefill_chunk")


def test_the_simulation_counts_what_makes_the_host_wait() -> None:
    devices = Devices()
    with devices:
        there = torch.zeros(3, device="cuda:0")
        assert there.device == torch.device("cuda:0")
        for wait in (there.tolist, there.sum().item, there.nonzero, there.cpu):
            wait()
        there[there > 0], there[there.argmax()]
        assert devices.num_reads == 6
        torch.tensor([1], device="cuda:0"), torch.zeros(3).to("cuda:0", non_blocking=True)
        assert devices.waits == ["tensor", "to"]
        with pytest.raises(AssertionError, match="add of tensors on"):
            there + torch.zeros(3)
    assert there.device == CPU
