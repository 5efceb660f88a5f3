"""The end of a turn weighs as its response, where ms-swift's own loss scale gives it 1; `train.sh` names it."""

from swift.loss_scale import LossScale, loss_scale_map
from swift.template import ContextType


class TurnLossScale(LossScale):
    """`loss_scale` of each message, for its end, too; separators that are more than that end stay ms-swift's."""

    is_binary = False

    def __call__(self, context_list, context_types, messages, **kwargs):
        contexts, scales = super().__call__(context_list, context_types, messages, **kwargs)
        ends = [text for text, kind in zip(context_list, context_types, strict=True) if kind == ContextType.SUFFIX]
        weight = 0.0
        for place, kind in enumerate(context_types):
            if kind == ContextType.RESPONSE:
                weight = scales[place]
                continue
            after = place and context_types[place - 1] == ContextType.RESPONSE
            if kind == ContextType.SUFFIX or (after and context_list[place] in ends):
                scales[place] = weight
        return contexts, scales


loss_scale_map["curate"] = TurnLossScale
