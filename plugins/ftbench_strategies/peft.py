"""Any method of the installed peft that adapts layers, by the name of its configuration: there the day peft has it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping  # noqa: TC003 - the core resolves option types at run time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Gt
from ftbench import NotApplicable, PluginError, Strategy, suggestion

from .targets import Role, named, refuse_without

if TYPE_CHECKING:
    from ftbench import Bench, Card, Learner


@dataclass
class Peft(Strategy):
    """Whatever peft offers, with its own arguments; the head trains too."""

    method: str
    """Name of a peft configuration, such as `OFTConfig` or `oft`."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """The configuration's own arguments."""
    targets: tuple[Role, ...] = ("query", "value")
    """Roles of the matrices that are adapted, unless `arguments` name `target_modules`."""
    lr_factor: Annotated[float, Gt(0)] = 10.0
    """Learning rate over that of full fine-tuning."""

    def __post_init__(self) -> None:
        """Find the configuration and check its arguments.

        Raises:
            PluginError: peft has no such method, or the method no such argument; the near one is named.
        """
        config = self._config_class()
        known = [option.name for option in dataclasses.fields(config) if option.init]
        for name in self.arguments:
            if name not in known:
                raise PluginError(f"arguments.{name}: {config.__name__} has no such argument{suggestion(name, known)}")

    def _config_class(self) -> Any:
        from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING

        offered: dict[str, Any] = {}
        for kind, config in PEFT_TYPE_TO_CONFIG_MAPPING.items():
            if kind in PEFT_TYPE_TO_TUNER_MAPPING:
                offered[config.__name__] = offered[kind.value.lower()] = config
        found = offered.get(self.method) or offered.get(self.method.lower())
        if found is None:
            raise PluginError(f"method: peft has no method {self.method!r} that adapts layers{suggestion(self.method, offered)}")
        return found

    def check(self, card: Card) -> None:
        """Refuse a backbone with none of the matrices asked for."""
        if "target_modules" not in self.arguments:
            refuse_without(card, self.targets, "conv")

    def lr(self, card: Card) -> float:
        """Give the backbone's rate times `lr_factor`."""
        return card.full_lr * self.lr_factor

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Put the method's layers in.

        Raises:
            NotApplicable: peft refuses the backbone; its own words are the reason.
        """
        from .modules.peft_injection import inject, is_transposed

        config = self._config_class()
        arguments = dict(self.arguments)
        arguments.setdefault("target_modules", named(learner, self.targets, "conv"))
        known = {option.name for option in dataclasses.fields(config)}
        if "fan_in_fan_out" in known and isinstance(arguments["target_modules"], list):
            arguments.setdefault("fan_in_fan_out", is_transposed(learner, arguments["target_modules"]))
        try:
            inject(learner, config(**arguments))
        except (ValueError, TypeError, NotImplementedError, AttributeError) as error:
            raise NotApplicable(f"peft: {type(error).__name__}: {error}") from error

    def finish(self, learner: Learner) -> None:
        """Merge what can be merged."""
        from .modules.peft_injection import merge

        merge(learner)
