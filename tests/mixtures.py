"""The forms in which a mixture is asked for by keywords, and the mixture that each of them is."""

from eft_integrations import Mixture

MIXTURES = [
    ({"alpha": 0.5}, Mixture(alpha=0.5)),
    ({"alpha": {"tuned": 0.5}}, Mixture(alpha={"tuned": 0.5})),
    ({"beta": 0.5}, Mixture(beta=0.5)),
    ({"weights": {"base": 1.0}}, Mixture(weights={"base": 1.0})),
    ({"alpha": 1.0, "filter_top_p": 0.9}, Mixture(alpha=1.0, filter_top_p=0.9)),
]
