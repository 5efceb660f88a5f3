"""The CPU as a platform of verl, by its registry of them: with it `train.sh` runs where there is no GPU.

verl loads it where `VERL_USE_EXTERNAL_MODULES` names it. Its engines, data and losses stay its own.
"""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import torch  # noqa: TID253
from verl.plugin.platform import PlatformBase, PlatformRegistry


def _nothing(*_: Any, **__: Any) -> int:
    return 0


# In the place of torch.cuda: there is no memory of a device to ask for, and nothing to wait for.
MEMORY = ("empty_cache", "max_memory_allocated", "max_memory_reserved", "memory_allocated", "memory_reserved")
DEVICE = SimpleNamespace(
    **dict.fromkeys((*MEMORY, "set_device", "synchronize", "reset_peak_memory_stats"), _nothing),
    is_available=lambda: False,
    mem_get_info=lambda: (1, 1),
    get_device_name=lambda: "CPU",
)


@PlatformRegistry.register(platform="cpu")
class PlatformCPU(PlatformBase):  # type: ignore[misc]
    """What is asked of a platform, where the answer is no or nothing."""

    device_name = vendor_name = "cpu"
    device_module = DEVICE
    set_device = synchronize = manual_seed = manual_seed_all = _nothing
    set_allocator_settings = empty_cache = profiler_start = profiler_stop = _nothing

    def is_available(self) -> bool:
        return True

    def current_device(self) -> torch.device:
        return torch.device("cpu")

    def device_count(self) -> int:
        return 1

    def get_device_capability(self, device_index: int = 0) -> tuple[None, None]:
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    def nvtx_range(self, msg: str) -> nullcontext[None]:
        return nullcontext()

    def ray_resource_name(self) -> str:
        return "CPU"

    def ray_noset_envvars(self) -> list[str]:
        return []

    def is_ipc_supported(self) -> bool:
        return False

    def cudart(self) -> None:
        return None


_begin = torch.distributed.init_process_group
# verl names a backend for the CPU and one for the device, which are the same here; torch refuses that.
torch.distributed.init_process_group = lambda backend, **told: _begin("gloo", **told)
