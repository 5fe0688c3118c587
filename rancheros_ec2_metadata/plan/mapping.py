"""Tags and metadata to what the machine shall have: labels, variables and config values."""

from __future__ import annotations

from collections.abc import Mapping

from rancheros_ec2_metadata.errors import Note, info, shown, warning
from rancheros_ec2_metadata.plan import config_paths
from rancheros_ec2_metadata.plan.labels import STATUS_LABEL, mapped_labels
from rancheros_ec2_metadata.plan.variables import mapped_variables
from rancheros_ec2_metadata.records import dataclass
from rancheros_ec2_metadata.settings import STATUS_VARIABLE, Settings


@dataclass(frozen=True)
class Desired:
    """What the machine shall have, and what was decided on the way.

    Args:
        labels: Docker's labels.
        variables: those of rancher.environment, each of which ``ros`` can carry.
        config: values by config path.
        notes: what was refused, left out or lost, and why.
    """

    labels: Mapping[str, str]
    variables: Mapping[str, str]
    config: Mapping[str, config_paths.Value]
    notes: tuple[Note, ...] = ()


NOTHING = Desired({}, {}, {})


def desired(
    settings: Settings,
    metadata: Mapping[str, str],
    tags: Mapping[str, str],
    status: str | None,
) -> Desired:
    """Return what ``tags`` and ``metadata`` ask for under ``settings``.

    Args:
        settings: the run's.
        metadata: AWS_ variables by name.
        tags: all tags known, used or not.
        status: the outcome to write into EC2_METADATA_STATUS; None leaves it out.
    """
    notes: list[Note] = []
    labels = mapped_labels(settings, metadata, tags, notes)
    variables = mapped_variables(settings, metadata, tags, notes)
    if status is not None:
        variables[STATUS_VARIABLE] = status
        if settings.status_label:
            labels[STATUS_LABEL] = status
    config = _config(settings, tags, notes)
    return Desired(labels, variables, config, tuple(notes))


def _config(
    settings: Settings, tags: Mapping[str, str], notes: list[Note]
) -> dict[str, config_paths.Value]:
    values: dict[str, config_paths.Value] = {}
    for mapping in settings.mappings:
        if not mapping.is_config_path or mapping.tag not in tags:
            continue
        path = config_paths.find(mapping.target)
        try:
            values[mapping.target] = path.read(tags[mapping.tag])
        except ValueError as reason:
            notes.append(
                warning(f"tag {shown(mapping.tag)} is not set as {mapping.target}: {reason}")
            )
        else:
            notes.append(info(f"{mapping.target} from tag {shown(mapping.tag)}, {path.effect}"))
    return values
