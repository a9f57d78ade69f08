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
            if finder is self or find_spec is None:
                continue
            spec: ModuleSpec | None = find_spec(name, path, target)
            if spec is not None:
                _patch_after_execution(spec)
                return spec
        return None


def _patch_after_execution(spec: "ModuleSpec") -> None:
    """Shadow `exec_module` on this one loader, so that its type and its other methods stay."""
    loader = spec.loader
    if loader is None:
        return
    execute = loader.exec_module

    def exec_module(module: "ModuleType") -> None:
        del loader.__dict__["exec_module"]
        execute(module)
        from telemetry_spool import flower

        flower.patch_quietly(module)

    try:
        loader.__dict__["exec_module"] = exec_module
    except AttributeError:
        return  # a loader without a __dict__: Flower stays as it is, and the doctor says so


def arm() -> None:
    """Put the finder first on `sys.meta_path`, once, unless `FLWR_TELEMETRY_SPOOL=0` forbids it."""
    if os.name != "posix" or os.environ.get("FLWR_TELEMETRY_SPOOL") == "0":
        return
    if not any(isinstance(finder, FlowerFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, FlowerFinder())
