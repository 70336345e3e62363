"""Any method of the installed peft, by the name of its configuration; new methods work as soon as peft has them."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping  # noqa: TC003 - the core resolves option types at run time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Gt
from ftbench import About, NotApplicable, PluginError
from ftbench.errors import suggestion

from .injected import Injected
from .targets import Role, named, refuse_without

if TYPE_CHECKING:
    from ftbench import Bench, Learner, ModelCard

# If peft inserts virtual tokens as embeddings, transformers can no longer find the end of a text.
_KEEPS_IDS = ("PREFIX_TUNING", "CARTRIDGE")


@dataclass
class Peft(Injected):
    """Any peft method with its own arguments; the head trains too."""

    about: ClassVar[About] = About(
        paper="that of the chosen method",
        equation="that of the chosen method",
        when="For a method of peft that has no strategy of its own here.",
        limits="If peft does not support a type of layer, the trial is not applicable, with peft's message as reason.",
        family="low-rank & scaling",
        families=dict.fromkeys(
            (
                "prompt_tuning",
                "PromptTuningConfig",
                "p_tuning",
                "PromptEncoderConfig",
                "prefix_tuning",
                "PrefixTuningConfig",
                "multitask_prompt_tuning",
                "MultitaskPromptTuningConfig",
                "adaption_prompt",
                "AdaptionPromptConfig",
                "cpt",
                "CPTConfig",
                "cartridge",
                "CartridgeConfig",
            ),
            "prompts & prefixes",
        ),
    )

    method: str
    """Name of a peft configuration, such as `OFTConfig` or `oft`."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """The configuration's own arguments."""
    targets: tuple[Role, ...] = ("query", "value")
    """Roles of the adapted matrices, unless `arguments` has `target_modules`; only for methods that adapt matrices."""
    lr_factor: Annotated[float, Gt(0)] = 10.0
    """Learning rate over that of full fine-tuning."""

    def __post_init__(self) -> None:
        """Find the configuration and check its arguments.

        Raises:
            PluginError: peft has no such method, or the method no such argument (with a suggestion), or peft refuses
                the arguments' values.
        """
        config = self._config_class()
        known = _arguments(config)
        for name in self.arguments:
            if name not in known:
                raise PluginError(f"arguments.{name}: {config.__name__} has no such argument{suggestion(name, known)}")
        try:
            config(**self.arguments)
        except (ValueError, TypeError) as error:
            raise PluginError(f"arguments: peft says: {error}") from None

    def _config_class(self) -> Any:
        from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

        offered: dict[str, Any] = {}
        for kind, config in PEFT_TYPE_TO_CONFIG_MAPPING.items():
            offered[config.__name__] = offered[kind.value.lower()] = config
        found = offered.get(self.method) or offered.get(self.method.lower())
        if found is None:
            raise PluginError(f"method: peft has no method {self.method!r}{suggestion(self.method, offered)}")
        return found

    def _is_prompt(self) -> bool:
        from peft import PromptLearningConfig

        return issubclass(self._config_class(), PromptLearningConfig)

    def _adapts_matrices(self) -> bool:
        """Return whether the method adapts matrices; other methods choose their own modules, norms or embeddings."""
        return self._config_class().__name__ not in ("LNTuningConfig", "TrainableTokensConfig")

    def check(self, card: ModelCard) -> None:
        """Refuse a backbone without the target matrices, or without the word embeddings that prompts need."""
        if self._is_prompt():
            kind = self._config_class()().peft_type.value
            if card.modality != "text":
                message = f"peft's {kind} needs word embeddings, and {card.architecture} has none"
                raise NotApplicable(message)
            if card.objective == "causal" and kind not in _KEEPS_IDS:
                message = f"with peft's {kind}, {card.architecture} would read its answer off the padding; use `prompt`"
                raise NotApplicable(message)
        elif (
            "target_modules" in _arguments(self._config_class())
            and "target_modules" not in self.arguments
            and self._adapts_matrices()
        ):
            refuse_without(card, self.targets, "conv")

    def lr(self, card: ModelCard) -> float:
        """Return the backbone's rate times `lr_factor`."""
        return card.full_lr * self.lr_factor

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Inject the method, and run one batch, so that failures of peft show before training.

        Raises:
            NotApplicable: peft refuses the backbone; the reason is peft's message.
        """
        from .modules.peft_injection import inject, inject_prompt

        put_in = inject_prompt if self._is_prompt() else inject
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Specified to not save")
                config = self._config_class()(**self._completed(learner))
            self._tuner = put_in(learner, config)
            self._answer_once(learner, bench)
        except (ValueError, TypeError, NotImplementedError, AttributeError, KeyError, RuntimeError) as error:
            raise NotApplicable(f"peft: {type(error).__name__}: {error}") from error
        head = {id(parameter) for parameter in learner.head_parameters()}
        if all(id(parameter) in head for _, parameter in learner.trainable()):
            raise NotApplicable(f"peft's {self.method} trains nothing but the head with these arguments")

    def _completed(self, learner: Learner) -> dict[str, Any]:
        """Add the arguments that depend on the backbone to the user's."""
        from .modules.norms import normalisations
        from .modules.peft_injection import is_transposed

        known, arguments = _arguments(self._config_class()), dict(self.arguments)
        if "save_projection" in known:
            # Random matrices that layers share are drawn from a seed in the configuration.
            arguments.setdefault("save_projection", False)
        if self._config_class().__name__ == "LNTuningConfig":
            norms = {id(module) for module in normalisations(learner)}
            arguments.setdefault(
                "target_modules", [name for name, module in learner.model.named_modules() if id(module) in norms]
            )
        elif "target_modules" in known and self._adapts_matrices():
            arguments.setdefault("target_modules", named(learner, self.targets, "conv"))
            if "fan_in_fan_out" in known and isinstance(arguments["target_modules"], list):
                arguments.setdefault("fan_in_fan_out", is_transposed(learner, arguments["target_modules"]))
        return arguments

    def _answer_once(self, learner: Learner, bench: Bench) -> None:
        import torch

        encoded = bench.encoded()
        batch = bench.task.collate(encoded, range(min(2, len(encoded))))
        learner.eval()
        with torch.no_grad():
            learner.forward({name: tensor.to(bench.device) for name, tensor in batch.items()})


def _arguments(config: Any) -> list[str]:
    return [option.name for option in dataclasses.fields(config) if option.init]
