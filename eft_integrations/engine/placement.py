"""Where a member lies and where it goes: paths, devices, dtypes."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import psutil
import torch
from huggingface_hub import constants as hub

from eft_integrations.engine.config import MemberConfig
from eft_integrations.errors import InvalidRequest, LoadError

_MAX_TOLD = 240


def placement(config: MemberConfig) -> dict[str, Any]:
    """Keywords for ``from_pretrained``: dtype, device map, quantisation, attention."""
    names = ("device_map", "max_memory", "quantization_config", "attn_implementation")
    given = {name: getattr(config, name) for name in names if getattr(config, name) is not None}
    dtype = config.dtype or "auto"
    resolved = default_dtype(device_of(config.device)) if dtype == "auto" else dtype
    return {**given, "dtype": resolved, "use_safetensors": config.use_safetensors}


def device_of(wanted: str | None) -> str:
    """The device that is asked for, or the best that is there."""
    if wanted is not None and wanted != "auto":
        return wanted
    if torch.cuda.is_available():  # GPU only: not run on a machine without one
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def free_memory(device: str | torch.device) -> int:
    """Bytes that are free on a device."""
    where = torch.device(device)
    if where.type == "cuda":  # GPU only: not run on a machine without one
        return int(torch.cuda.mem_get_info(where)[0])
    return int(psutil.virtual_memory().available)


def default_dtype(device: str, capabilities: Mapping[str, Any] | None = None) -> str:
    """bfloat16 where a CPU multiplies it natively, else float32; the checkpoint's own elsewhere.

    Matrix products in float32 are up to three times slower than bfloat16 on such CPUs, and
    bfloat16 is many times slower on the others.
    """
    if not device.startswith("cpu"):
        return "auto"
    known = torch.cpu.get_capabilities() if capabilities is None else capabilities
    return "bfloat16" if known.get("avx512_bf16") or known.get("amx_bf16") else "float32"


def refuse_wrong_path(role: str, path: str | Path) -> None:
    """A path that can only be local gets a plain answer instead of a failed look-up in a hub."""
    text = str(path)
    place = Path(text)
    if place.is_file():
        raise LoadError(f"{role}: {text!r} is a file; give the folder that holds config.json")
    is_beside = place.parent != Path() and place.parent.is_dir()  # "models/nope" beside us
    is_no_id = isinstance(path, Path) or text.startswith((".", "/")) or text.count("/") > 1
    looks_local = is_beside or is_no_id
    if looks_local and not place.is_dir():
        raise LoadError(f"{role}: there is no folder {text!r}; check the path")
    has_model = any((place / f"{kind}.json").is_file() for kind in ("config", "adapter_config"))
    if place.is_dir() and not has_model:
        raise LoadError(
            f"{role}: the folder {text!r} has no config.json; "
            f"give a folder written by save_pretrained"
        )


def identity(path: str | Path) -> str:
    """One name for one folder; a hub id is its own."""
    place = Path(path)
    return str(place.resolve()) if place.is_dir() else str(path)


def refuse_absent_device(device: str) -> None:
    """Raise ``InvalidRequest`` before anything is loaded."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch has no word of its own for it
        raise InvalidRequest(
            f"device {device!r} is not there ({str(error).splitlines()[0][:60]}); use auto or cpu"
        ) from error


def is_hub_out_of_reach(path: str | Path) -> bool:
    """Whether a hub id could come from the local cache only: no name service knows the hub.

    Asked once and quickly; the hub's own client would retry for most of a minute.
    """
    if Path(path).is_dir() or getproxies():
        return False
    try:
        socket.getaddrinfo(urlsplit(hub.ENDPOINT).hostname, None)
    except OSError:
        return True
    return False


def first_line(error: BaseException) -> str:
    """What an error says, as a clause of one line."""
    told = " ".join(str(error).split()) or type(error).__name__
    return told[:_MAX_TOLD].rstrip(".:")
