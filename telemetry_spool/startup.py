"""What the start-up file runs in every Python process of the environment.

It must cost next to nothing where Flower is never imported: this module imports only what the
interpreter has loaded already, and the work waits until a telemetry module of Flower is executed.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

TELEMETRY_MODULES = (
    "flwr.supercore.telemetry",
    "flwr.common.telemetry",
    "flwr_datasets.common.telemetry",
)


class FlowerFinder:
    """A meta path finder that finds nothing itself: it arms the loader another finder returned."""

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """Return the spec of a telemetry module of Flower, armed; None for every other module."""
        if name not in TELEMETRY_MODULES:
            return None
        for finder in sys.meta_path:
            find_spec = getattr(finder, "find_spec", None)
            if find_spec is None or _is_ours(finder):
                continue
            spec: ModuleSpec | None = find_spec(name, path, target)
            if spec is not None:
                _patch_after_execution(spec)
                return spec
        return None


def _patch_after_execution(spec: "ModuleSpec") -> None:
    """Shadow `exec_module` on this one loader, so that its type and its other methods stay."""
    loader = spec.loader
    execute = getattr(loader, "exec_module", None)
    attributes = getattr(loader, "__dict__", None)
    if execute is None or attributes is None or "exec_module" in attributes:
        return  # nothing that can be shadowed, or shadowed already

    def exec_module(module: "ModuleType") -> None:
        attributes.pop("exec_module", None)
        execute(module)
        try:
            from telemetry_spool import flower
        except ImportError:
            return  # uninstalled since this process started
        flower.patch_quietly(module)

    attributes["exec_module"] = exec_module


def arm() -> bool:
    """Put the finder first on `sys.meta_path`, once; False where `FLWR_TELEMETRY_SPOOL=0` forbids.

    False on Windows, too, where there are no locks of the kind that the spool needs.
    """
    if os.name != "posix" or os.environ.get("FLWR_TELEMETRY_SPOOL") == "0":
        return False
    if not any(_is_ours(finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, FlowerFinder())
    return True


def _is_ours(finder: object) -> bool:
    """Tell by name: after a reload of this module an older finder is of another class."""
    kind = type(finder)
    return (kind.__module__, kind.__qualname__) == (__name__, FlowerFinder.__qualname__)
