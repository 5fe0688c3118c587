"""What AWS says of an Auto Scaling group and its template, asked with the operator's own login.

Every call reads and none writes. Imported by `preflight` alone: botocore takes a while.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from rancheros_ec2_metadata.ec2.api import DENIED
from rancheros_ec2_metadata.ec2.described import FAILURES, make_client, open_session, render_failure
from rancheros_ec2_metadata.errors import Ec2Error, Note, info, quote
from rancheros_ec2_metadata.preflight.launch import (
    Group,
    GroupTag,
    Launch,
    lacks_option,
    name_template,
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
        subnets = tuple(filter(None, (said.get("VPCZoneIdentifier") or "").split(",")))
        group = replace(self._ask_group(name), tags=tags, subnets=subnets)
        if configuration := said.get("LaunchConfigurationName"):
            sources = [self._ask_configuration(configuration)]
        else:
            sources = [self._ask_template(one) for one in _list_specifications(said)]
        group = self._add_launches(group, sources)
        return replace(group, instances=self._ask_instances(name))

    def read_template(self, text: str) -> Group:
        """Return what stands for a group that would start instances by a template.

        Args:
            text: ``ID`` or ``NAME``, with ``:VERSION`` behind it for another than the default.

        Raises:
            Ec2Error: AWS does not say what is in it.
        """
        template, _, version = text.partition(":")
        key = "LaunchTemplateId" if template.startswith("lt-") else "LaunchTemplateName"
        one = _Specification(key, template, version or _DEFAULT_VERSION)
        return self._add_launches(self._ask_group(None), [self._ask_template(one)])

    def _ask_group(self, name: str | None) -> Group:
        meta = self.ec2.meta
        self.note(info(f"AWS's API of {meta.region_name} is asked; nothing is written"))
        return Group(name, meta.region_name, meta.partition)

    def _ask_template(self, one: _Specification) -> _Source:
        arguments = {one.key: one.template, "Versions": [one.version]}
        found = self._ask("DescribeLaunchTemplateVersions", **arguments)
        if not found:
            named = name_template(one.template, one.version)
            raise Ec2Error(f"{named} is not there; check its name, --region and --profile")
        version, data = found[0], found[0].get("LaunchTemplateData") or {}
        template, number = version["LaunchTemplateId"], str(version["VersionNumber"])
        profile = data.get("IamInstanceProfile") or {}
        types = one.instance_types or tuple(filter(None, [data.get("InstanceType")]))
        launch = Launch(
            name_template(version.get("LaunchTemplateName") or template, number),
            one.image or data.get("ImageId"),
            () if one.by_attributes else types,
            profile.get("Arn") or profile.get("Name"),
            _decode(data.get("UserData")),
            {
                tag["Key"]: tag.get("Value") or ""
                for each in data.get("TagSpecifications") or ()
                if each.get("ResourceType") == "instance"
                for tag in each.get("Tags") or ()
            },
            {f"{_OF_TEMPLATE}id": template, f"{_OF_TEMPLATE}version": number},
            subnets=tuple(
                interface["SubnetId"]
                for interface in data.get("NetworkInterfaces") or ()
                if interface.get("SubnetId")
            ),
        )
        return _Source(launch, data.get("MetadataOptions") or {})

    def _ask_configuration(self, name: str) -> _Source:
        found = self._ask("DescribeLaunchConfigurations", LaunchConfigurationNames=[name])
        if not found:
            text = f"launch configuration {quote(name)} is not there; was it deleted?"
            raise Ec2Error(text)
        said = found[0]
        launch = Launch(
            f"launch configuration {quote(name)}",
            said.get("ImageId"),
            tuple(filter(None, [said.get("InstanceType")])),
            said.get("IamInstanceProfile"),
            _decode(said.get("UserData")),
        )
        return _Source(launch, said.get("MetadataOptions") or {})

    def _add_launches(self, group: Group, sources: list[_Source]) -> Group:
        """Return the group with its launches, and what AWS says of what they leave open."""
        defaults: Mapping[str, Any] | None = {}
        if any(lacks_option(one.options) for one in sources):
            defaults = next(iter(self._try("GetInstanceMetadataDefaults") or ()), None)
        known = dict(defaults or {})
        images = {
            one.launch.image
            for one in sources
            if defaults is not None and lacks_option(known | {**one.options}, of_image=True)
        }
        requiring = self._ask_images(filter(None, images))
        # Of overrides, one may name a version that another has by its number.
        found: dict[tuple[str, str | None], Launch] = {}
        for one in sources:
            launch, requires = one.launch, requiring.get(one.launch.image)
            options = resolve_options(one.options, defaults, image_requires_tokens=requires)
            former = found.get((launch.name, launch.image), launch)
            types = dict.fromkeys((*former.instance_types, *launch.instance_types))
            found[launch.name, launch.image] = replace(
                launch, options=options, instance_types=tuple(types)
            )
        launches = tuple(found.values())
        return replace(group, launches=launches, ipv6_only=self._find_ipv6_only(group, launches))

    def _ask_images(self, images: Iterable[str]) -> dict[str | None, bool]:
        """Return of each image whether it requires tokens; without those that nobody tells of."""
        ids = []
        for image in sorted(images):
            if image.startswith("ami-"):
                ids.append(image)
            else:
                text = f"the image is the parameter {quote(image)}: whether it requires tokens"
                self.note(info(f"{text} is not known"))
        found = self._try("DescribeImages", ImageIds=ids) if ids else ()
        return {one["ImageId"]: one.get("ImdsSupport") == "v2.0" for one in found or ()}

    def _find_ipv6_only(self, group: Group, launches: Iterable[Launch]) -> tuple[str, ...]:
        subnets = {*group.subnets} or {one for launch in launches for one in launch.subnets}
        found = self._try("DescribeSubnets", SubnetIds=sorted(subnets)) if subnets else ()
        return tuple(one["SubnetId"] for one in found or () if one.get("Ipv6Native"))

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
        except ClientError as why:
            code = str(why.response.get("Error", {}).get("Code", ""))
            if code in DENIED:
                text = f"{service}:{action} is refused, {quote(code)}; allow it in your policy"
                raise Ec2Error(f"{text}, see docs/preflight.md") from None
            raise Ec2Error(f"{service}:{action}: {render_failure(why)}") from None
        except FAILURES as why:
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


class _Specification(NamedTuple):
    """A version of a template, and what an override puts in place of what is in it."""

    key: str
    template: str
    version: str
    image: str | None = None
    instance_types: tuple[str, ...] = ()
    by_attributes: bool = False


class _Source(NamedTuple):
    """A launch, and the metadata options that its template has."""

    launch: Launch
    options: Mapping[str, Any]


def _list_specifications(group: Mapping[str, Any]) -> Iterator[_Specification]:
    """Yield each version of a template that may start the next instance of a group."""
    base, overrides = group.get("LaunchTemplate"), [dict[str, Any]()]
    if policy := (group.get("MixedInstancesPolicy") or {}).get("LaunchTemplate"):
        base = policy.get("LaunchTemplateSpecification")
        overrides = policy.get("Overrides") or overrides
    found: dict[_Specification, list[str]] = {}
    for one in overrides:
        said = one.get("LaunchTemplateSpecification") or base or {}
        key = "LaunchTemplateId" if said.get("LaunchTemplateId") else "LaunchTemplateName"
        specification = _Specification(
            key,
            said.get(key) or "",
            str(said.get("Version") or _DEFAULT_VERSION),
            one.get("ImageId"),
            by_attributes=bool(one.get("InstanceRequirements")),
        )
        types = found.setdefault(specification, [])
        types += filter(None, [one.get("InstanceType")])
    for specification, types in found.items():
        yield specification._replace(instance_types=tuple(types))


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
