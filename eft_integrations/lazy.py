"""Packages whose names are imported when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def lazy(
    package: str, home: Mapping[str, str], *, needs: str = "", extra: str = ""
) -> Callable[[str], object]:
    """The ``__getattr__`` of a package: each name from the module that ``home`` tells.

    ``needs``: a module without which nothing of the package works; ``extra`` installs it.
    """

    def get(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if needs:
            require(package, needs, extra)
        return getattr(import_module(home[name]), name)

    return get


def require(package: str, needs: str, extra: str) -> None:
    """Raise an ``ImportError`` that says what to install where a package's need is not met."""
    try:
        import_module(needs)
    except ImportError as error:
        project = needs.replace(".", "-").replace("_", "-")
        raise ImportError(
            f"{package} needs {project}: pip install 'eft-integrations[{extra}]'"
        ) from error
