"""Derivatives that do not come from recording: rules of the user, numerical and symbolic ones."""

# `describing` tells program files what a custom rule is.
from tapegrad.rules import describing as _describing  # noqa: F401
from tapegrad.rules.custom import CustomRule, custom_rule
from tapegrad.rules.differentiating import differentiate_with
from tapegrad.rules.hook import hook
from tapegrad.rules.implementing import implement
from tapegrad.rules.symbolic import from_sympy

__all__ = ["CustomRule", "custom_rule", "differentiate_with", "from_sympy", "hook", "implement"]
