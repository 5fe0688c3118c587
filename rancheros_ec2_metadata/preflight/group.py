"""What AWS says of an Auto Scaling group and its template, asked with the operator's own login.

Every call reads and none writes. Imported by `preflight` alone: botocore takes a while.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from rancheros_ec2_metadata.ec2.api import DENIED
from rancheros_ec2_metadata.ec2.described import FAILURES, make_client, open_session, render_failure
from rancheros_ec2_metadata.errors import Ec2Error, Note, info, quote
from rancheros_ec2_metadata.preflight.launch import (
    AWS,
    TEMPLATE,
    Group,
    GroupTag,
    Launch,
    Sourced,
    resolve_options,
)

# Each call with its service and what is read of its answer: with the service's name before it, it
# is the permission too. docs/preflight.md has the policy.
CALLS = {
    "DescribeAutoScalingGroups": ("autoscaling", "AutoScalingGroups"),
    "DescribeLaunchConfigurations": ("autoscaling", "LaunchConfigurations"),
    "DescribeLaunchTemplateVersions": ("ec2", "LaunchTemplateVersions"),
    "GetInstanceMetadataDefaults": ("ec2", "AccountLevel"),
    "DescribeImages": ("ec2", "Images"),
    "DescribeSubnets": ("ec2", "Subnets"),
    "DescribeInstances": ("ec2", "Reservations"),
}
_ASKED = "preflight"
_RUNNING = ["pending", "running"]
_DEFAULT_VERSION = "$Default"
_OF_TEMPLATE = "aws:ec2launchtemplate:"


@dataclass(frozen=True)
class Reader:
    """Asks AWS.

    Args:
        ec2: boto3's client, as autoscaling.
        autoscaling: of the same region.
        note: logs what AWS does not say.
    """

    ec2: Any
    autoscaling: Any
    note: Callable[[Note], None]

    @classmethod
    def log_in(
        cls, profile: str | None, region: str | None, note: Callable[[Note], None]
    ) -> Reader:
        """Return a reader with the operator's own login.

        Raises:
            UsageError: there is no such profile, no region, or this boto3 cannot do it.
        """
        session = open_session(_ASKED, profile, region)
        ec2 = make_client(_ASKED, session, "ec2", "describe_launch_template_versions")
        method = "describe_auto_scaling_groups"
        return cls(ec2, make_client(_ASKED, session, "autoscaling", method), note)

    def read_group(self, name: str) -> Group:
        """Return a group with all that it starts instances with.

        Raises:
            Ec2Error: there is none, or AWS does not say what its instances are started with.
        """
        found = self._ask("DescribeAutoScalingGroups", AutoScalingGroupNames=[name])
        if not found:
            region = self.ec2.meta.region_name
            text = f"no Auto Scaling group {quote(name)} in {region}; check the name, --region"
            raise Ec2Error(f"{text} and --profile")
        said = found[0]
        tags = tuple(
            GroupTag(one["Key"], one.get("Value") or "", bool(one.get("PropagateAtLaunch")))
            for one in said.get("Tags") or ()
        )
        self._note_region()
        if configuration := said.get("LaunchConfigurationName"):
            sources = [self._ask_configuration(configuration)]
        else:
            sources = self._ask_templates(said)
        if subnets := said.get("VPCZoneIdentifier"):
            sources = [one._replace(subnets=frozenset(subnets.split(","))) for one in sources]
        launches = self._make_launches(sources)
        meta, instances = self.ec2.meta, self._ask_instances(name)
        return Group(name, meta.region_name, meta.partition, launches, tags, instances)

    def read_template(self, text: str) -> Group:
        """Return what stands for a group that would start instances by a template.

        Args:
            text: ``ID`` or ``NAME``, with ``:VERSION`` behind it for another than the default.

        Raises:
            Ec2Error: AWS does not say what is in it.
        """
        template, _, version = text.partition(":")
        key = "LaunchTemplateId" if template.startswith("lt-") else "LaunchTemplateName"
        self._note_region()
        source = self._ask_template(key, template, version or _DEFAULT_VERSION)
        meta, launches = self.ec2.meta, self._make_launches([source])
        return Group(None, meta.region_name, meta.partition, launches)

    def _note_region(self) -> None:
        self.note(info(f"AWS's API of {self.ec2.meta.region_name} is asked; nothing is written"))

    def _ask_templates(self, group: Mapping[str, Any]) -> list[_Source]:
        """Return each version of a template that may start the next instance of a group."""
        base, overrides = group.get("LaunchTemplate"), [dict[str, Any]()]
        if policy := (group.get("MixedInstancesPolicy") or {}).get("LaunchTemplate"):
            base = policy.get("LaunchTemplateSpecification")
            overrides = policy.get("Overrides") or overrides
        ask, sources = cache(self._ask_template), []
        for one in overrides:
            said = one.get("LaunchTemplateSpecification") or base or {}
            key = "LaunchTemplateId" if said.get("LaunchTemplateId") else "LaunchTemplateName"
            source = ask(key, said.get(key) or "", str(said.get("Version") or _DEFAULT_VERSION))
            by_attributes = {"InstanceType": None} if one.get("InstanceRequirements") else {}
            sources.append(source._replace(data={**source.data, **one, **by_attributes}))
        return sources

    def _ask_template(self, key: str, template: str, version: str) -> _Source:
        arguments = {key: template, "Versions": [version]}
        found = self._ask("DescribeLaunchTemplateVersions", **arguments)
        if not found:
            named = _name_template(template, version)
            raise Ec2Error(f"{named} is not there; check its name, --region and --profile")
        said, data = found[0], found[0].get("LaunchTemplateData") or {}
        template, number = said["LaunchTemplateId"], str(said["VersionNumber"])
        tags = {
            tag["Key"]: Sourced(tag.get("Value") or "", TEMPLATE)
            for each in data.get("TagSpecifications") or ()
            if each.get("ResourceType") == "instance"
            for tag in each.get("Tags") or ()
        }
        tags[f"{_OF_TEMPLATE}id"] = Sourced(template, AWS)
        tags[f"{_OF_TEMPLATE}version"] = Sourced(number, AWS)
        subnets = (one.get("SubnetId") for one in data.get("NetworkInterfaces") or ())
        name = _name_template(said.get("LaunchTemplateName") or template, number)
        return _Source(name, data, tags, frozenset(filter(None, subnets)))

    def _ask_configuration(self, name: str) -> _Source:
        found = self._ask("DescribeLaunchConfigurations", LaunchConfigurationNames=[name])
        if not found:
            text = f"launch configuration {quote(name)} is not there; was it deleted?"
            raise Ec2Error(text)
        return _Source(f"launch configuration {quote(name)}", found[0])

    def _make_launches(self, sources: list[_Source]) -> tuple[Launch, ...]:
        """Return each launch once, with what AWS says of what its template leaves open."""
        ask_defaults = cache(self._ask_defaults)
        ask_images = cache(lambda: self._ask_images({one.data.get("ImageId") for one in sources}))
        ipv6_only = self._ask_ipv6_only({subnet for one in sources for subnet in one.subnets})

        def make(one: _Source) -> Launch:
            data, image = one.data, one.data.get("ImageId")
            profile = data.get("IamInstanceProfile")
            if isinstance(profile, dict):  # of a template
                profile = profile.get("Arn") or profile.get("Name")
            return Launch(
                one.name,
                image,
                tuple(filter(None, [data.get("InstanceType")])),
                profile,
                _decode(data.get("UserData")),
                one.tags,
                resolve_options(
                    data.get("MetadataOptions") or {}, ask_defaults, lambda: ask_images().get(image)
                ),
                ipv6_only=bool(one.subnets) and one.subnets <= ipv6_only,
            )

        # Of overrides, one may name a version that another has by its number.
        found: dict[tuple[str, str | None], Launch] = {}
        for launch in map(make, sources):
            former = found.get((launch.name, launch.image), launch)
            types = dict.fromkeys((*former.instance_types, *launch.instance_types))
            found[launch.name, launch.image] = replace(launch, instance_types=tuple(types))
        return tuple(found.values())

    def _ask_defaults(self) -> Mapping[str, Any] | None:
        """Return the account's defaults of metadata options; None if AWS does not say."""
        return next(iter(self._try("GetInstanceMetadataDefaults") or ()), None)

    def _ask_images(self, images: Iterable[str | None]) -> dict[str | None, bool]:
        """Return of each image whether it requires tokens; without those that nobody tells of."""
        ids = []
        for image in sorted(filter(None, images)):
            if image.startswith("ami-"):
                ids.append(image)
            else:
                text = f"the image is the parameter {quote(image)}: whether it requires tokens"
                self.note(info(f"{text} is not known"))
        found = self._try("DescribeImages", ImageIds=ids) if ids else ()
        return {one["ImageId"]: one.get("ImdsSupport") == "v2.0" for one in found or ()}

    def _ask_ipv6_only(self, subnets: Iterable[str]) -> set[str]:
        found = self._try("DescribeSubnets", SubnetIds=sorted(subnets)) if subnets else ()
        return {one["SubnetId"] for one in found or () if one.get("Ipv6Native")}

    def _ask_instances(self, name: str) -> dict[str, dict[str, str]]:
        filters = [
            {"Name": "tag:aws:autoscaling:groupName", "Values": [_escape(name)]},
            {"Name": "instance-state-name", "Values": _RUNNING},
        ]
        return {
            one["InstanceId"]: {tag["Key"]: tag["Value"] for tag in one.get("Tags") or ()}
            for reservation in self._try("DescribeInstances", Filters=filters) or ()
            for one in reservation.get("Instances") or ()
        }

    def _try(self, action: str, **arguments: Any) -> list[Any] | None:
        """Return what AWS says; None if it does not, which is an error in the log."""
        try:
            return self._ask(action, **arguments)
        except Ec2Error as error:
            self.note(error.note())
            return None

    def _ask(self, action: str, **arguments: Any) -> list[Any]:
        """Return what AWS says, all pages of it.

        Raises:
            Ec2Error: it says nothing; the message names the permission that may be missing.
        """
        service, key = CALLS[action]
        client, method = getattr(self, service), xform_name(action)
        try:
            if client.can_paginate(method):
                pages = list(client.get_paginator(method).paginate(**arguments))
            else:
                pages = [getattr(client, method)(**arguments)]
        except FAILURES as why:
            answer: Any = why.response if isinstance(why, ClientError) else {}
            code = str(answer.get("Error", {}).get("Code", ""))
            if code in DENIED:
                text = f"{service}:{action} is refused, {quote(code)}; allow it in your policy"
                raise Ec2Error(f"{text}, see docs/preflight.md") from None
            raise Ec2Error(f"{service}:{action}: {render_failure(why)}") from None
        except ResponseParserError:
            pages = [{}]
        found: list[Any] = []
        for page in pages:
            said = page.get(key, {} if key == "AccountLevel" and page else None)
            # Reject other XML: it would look like an empty list.
            if said is None:
                url = quote(client.meta.endpoint_url)
                text = f"{service}:{action}: {url} does not answer as AWS does"
                raise Ec2Error(f"{text}; check AWS_ENDPOINT_URL, and proxies in between")
            found += said if isinstance(said, list) else [said]
        return found


class _Source(NamedTuple):
    """What instances are started with: LaunchTemplateData or a configuration, as AWS has it."""

    name: str
    data: Mapping[str, Any]
    tags: Mapping[str, Sourced] = {}
    subnets: frozenset[str] = frozenset()


def _name_template(template: str, version: str) -> str:
    return f"launch template {quote(template)} version {quote(version)}"


def _decode(text: str | None) -> bytes | None:
    """Return user-data as the instance is given it; EC2 keeps it in base64."""
    if not text:
        return None
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return text.encode("utf-8", "surrogateescape")


def _escape(name: str) -> str:
    """Return a text for a filter, in which a star and a question mark stand for others."""
    return "".join(f"\\{c}" if c in "*?\\" else c for c in name)
