"""CloudFormation templates, as far as a test looks into them."""

from __future__ import annotations

from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms too, as what they are given."""


_Loader.add_multi_constructor("!", lambda loader, _, node: loader.construct_scalar(node))


def read(text: str) -> dict[str, Any]:
    """Return a template."""
    found: dict[str, Any] = yaml.load(text, Loader=_Loader)
    return found


def parameters(text: str) -> dict[str, str | None]:
    """Return a template's parameters, with their defaults; None where one must be given."""
    return {name: one.get("Default") for name, one in read(text)["Parameters"].items()}
