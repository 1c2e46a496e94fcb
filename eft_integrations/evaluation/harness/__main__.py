"""The harness's own command, in which ``--model eft`` is known."""

from __future__ import annotations

import sys

from lm_eval.__main__ import cli_evaluate

from eft_integrations.errors import EFTError

BAD_INPUT = 2  # as the eft command ends


def main() -> None:
    """Run ``lm_eval``; what this package refuses is one line rather than a traceback."""
    try:
        cli_evaluate()
    except EFTError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(BAD_INPUT)


if __name__ == "__main__":
    main()
