"""The C-RLFT loss as an axolotl plugin; `axolotl.yml` names it."""

from axolotl.integrations.base import BasePlugin
from weighted import WeightedCollator, WeightedLoss


class WeightedPlugin(BasePlugin):
    """Weighs every token by `loss_weights`; axolotl's packing must be off, rows may be packed beforehand."""

    def get_trainer_cls(self, cfg):
        """axolotl's trainer with our loss."""
        if cfg.sample_packing:
            raise ValueError("the curate plugin needs `sample_packing: false`; `curate export --pack` packs")
        from axolotl.core.trainers import AxolotlTrainer

        return type("WeightedTrainer", (WeightedLoss, AxolotlTrainer), {})

    def get_collator_cls_and_kwargs(self, cfg, is_eval=False):
        """The collator that pads the weights, too."""
        return WeightedCollator, {}
