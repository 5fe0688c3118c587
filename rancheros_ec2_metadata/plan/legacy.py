"""What the tool of 2016 left in cloud-config.yml."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rancheros_ec2_metadata.plan import arguments

# What the 2016 tool and its fork wrote into cloud-config.yml, a misspelt secret included. They are
# stale from the next start on, and some are credentials.
_VARIABLES = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_AMI_ID",
        "AWS_AMI_LAUNCH_INDEX",
        "AWS_AMI_MANIFEST_PATH",
        "AWS_ANCESTOR_AMI_IDS",
        "AWS_AVAILABILITY_ZONE",
        "AWS_DEFAULT_REGION",
        "AWS_HOSTNAME",
        "AWS_IAM_ROLE",
        "AWS_INSTANCE_ACTION",
        "AWS_INSTANCE_ID",
        "AWS_INSTANCE_TYPE",
        "AWS_LOCAL_HOSTNAME",
        "AWS_LOCAL_IPV4",
        "AWS_MAC_ADDRESS",
        "AWS_PUBLIC_IPV4",
        "AWS_RESERVATION_ID",
        "AWS_SECRET_ACCESS_KE",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SECURITY_GROUPS",
        "AWS_SECURITY_TOKEN",
    }
)
_MARK = "AWS_INSTANCE_ID"


def variables(
    there: Collection[str], mapped: Collection[str], *, even_unmarked: bool = False
) -> set[str]:
    """Return which variables of cloud-config.yml the tool left.

    Args:
        there: the names of all of them.
        mapped: names that a mapping gives; the tool left those too.
        even_unmarked: also where the variable that it always wrote is not among them.
    """
    if not even_unmarked and _MARK not in there:
        return set()
    return {*_VARIABLES, *mapped}.intersection(there)


def arguments_kept(items: Sequence[str], prefixes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the items of ``args`` without the labels that the tool put there.

    What is left of the list then is what the tool had read; from v0.7 on that was nothing.

    Args:
        items: of the list.
        prefixes: of tags that became labels.
    """
    keys = {key for key in arguments.label_keys(items, "raw") if key.startswith(prefixes)}
    return arguments.without_labels(items, keys, "raw").kept
