"""What the legacy amazon-metadata left in cloud-config.yml."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from rancheros_ec2_metadata.errors import ExitStatus, Note, error, info, quote, warning
from rancheros_ec2_metadata.hosts.rancheros import cloud_config, docker_args
from rancheros_ec2_metadata.hosts.rancheros.cloud_config import CannotEditError
from rancheros_ec2_metadata.settings import Settings

# What it and its fork wrote, a misspelt secret included. They are stale from the next start on, and
# some are credentials.
_VARIABLES = frozenset(
    {
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KE", "AWS_SECRET_ACCESS_KEY"),
        *("AWS_SECURITY_TOKEN", "AWS_AMI_ID", "AWS_AMI_LAUNCH_INDEX", "AWS_AMI_MANIFEST_PATH"),
        *("AWS_ANCESTOR_AMI_IDS", "AWS_AVAILABILITY_ZONE", "AWS_DEFAULT_REGION", "AWS_HOSTNAME"),
        *("AWS_IAM_ROLE", "AWS_INSTANCE_ACTION", "AWS_INSTANCE_ID", "AWS_INSTANCE_TYPE"),
        *("AWS_LOCAL_HOSTNAME", "AWS_LOCAL_IPV4", "AWS_MAC_ADDRESS", "AWS_PUBLIC_IPV4"),
        *("AWS_RESERVATION_ID", "AWS_SECURITY_GROUPS"),
    }
)
_MARK = "AWS_INSTANCE_ID"  # amazon-metadata always wrote this variable


class Legacy(NamedTuple):
    """What to look for.

    Args:
        mapped: variables that a mapping gives; the tool wrote those too.
        label_prefixes: of tags that became labels.
    """

    mapped: Collection[str]
    label_prefixes: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings) -> Legacy:
        """Return what the tool left with these settings."""
        mapped = {one.target for one in settings.mappings if not one.is_config_path}
        return cls(mapped, settings.label_prefixes)

    def name(self, text: str) -> Iterator[Note]:
        """Yield a warning that names what is in cloud-config.yml, if its mark is there."""
        there = cloud_config.find_variables(text)
        if _MARK in there:
            names = ", ".join(map(quote, sorted(self._find_variables(there))))
            yield warning(
                f"cloud-config.yml holds variables of the legacy amazon-metadata: {names};"
                " 'clean --legacy' removes them"
            )

    def remove(self, text: str) -> tuple[str, list[Note]]:
        """Return the text of cloud-config.yml without all that the tool left, credentials first."""
        notes: list[Note] = []
        names = self._find_variables(cloud_config.find_variables(text))
        try:
            if names:
                text = cloud_config.remove_keys(text, cloud_config.ENVIRONMENT, names)
                found = ", ".join(map(quote, sorted(names)))
                notes.append(info(f"removed from cloud-config.yml, of amazon-metadata: {found}"))
            text = self._remove_labels(text)
        except CannotEditError as why:
            what = "what amazon-metadata left in cloud-config.yml stays there"
            notes.append(error(ExitStatus.FILES, f"{what}: {why}; remove it by hand"))
        return text, notes

    def _find_variables(self, there: Collection[str]) -> set[str]:
        return {*_VARIABLES, *self.mapped}.intersection(there)

    def _remove_labels(self, text: str) -> str:
        """Return the text without the labels that the tool put into ``args``, raw, in two items."""
        for key in ("args", "extra_args"):
            found = cloud_config.find_list(text, key)
            if found is None:
                continue
            labels = docker_args.find_labels(found.items, "raw")
            keys = [one for one in labels if one.startswith(self.label_prefixes)]
            kept = docker_args.remove_labels(found.items, keys, "raw").items
            if kept != found.items:
                text = cloud_config.replace_list(text, found, cloud_config.render_list(kept))
        return text
