"""What AWS says of an Auto Scaling group and its template, asked with the operator's own login.

Every call reads and none writes. Imported by `preflight` alone: botocore takes a while.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from botocore import xform_name
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
# EC2's defaults of metadata options; AWS, "Configure instance metadata options for new instances".
_OPTIONS = {
    "HttpEndpoint": "enabled",
    "HttpTokens": "optional",
    "HttpPutResponseHopLimit": "1",
    "InstanceMetadataTags": "disabled",
    "HttpProtocolIpv6": "disabled",
}
# Of an image with ImdsSupport v2.0.
_OF_IMAGE = {"HttpTokens": "required", "HttpPutResponseHopLimit": "2"}
_NOT_SAID = Sourced(None, "AWS did not say")
_ASKED = "preflight"


@dataclass(frozen=True)
class Reader:
    """Asks AWS, the same question once.

    Args:
        ec2: boto3's client, as autoscaling.
        autoscaling: of the same region.
        note: logs what AWS does not say.
    """

    ec2: Any
    autoscaling: Any
    note: Callable[[Note], None]
    _answers: dict[str, list[Any] | Ec2Error] = field(default_factory=dict, init=False, repr=False)

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
        autoscaling = make_client(_ASKED, session, "autoscaling", method)
        note(info(f"AWS's API of {ec2.meta.region_name} is asked; nothing is written"))
        return cls(ec2, autoscaling, note)

    def read_group(self, name: str) -> Group:
        """Return a group with all that it starts instances with.

        Raises:
            Ec2Error: there is none, or AWS does not say what its instances are started with.
        """
        named, meta = f"Auto Scaling group {quote(name)}", self.ec2.meta
        said = self._ask_one(named, "DescribeAutoScalingGroups", AutoScalingGroupNames=[name])
        tags = tuple(
            GroupTag(one["Key"], one.get("Value") or "", bool(one.get("PropagateAtLaunch")))
            for one in said.get("Tags") or ()
        )
        subnets = {*(said.get("VPCZoneIdentifier") or "").split(",")} - {""}
        if configuration := said.get("LaunchConfigurationName"):
            launches = [self._read_configuration(configuration, subnets)]
        else:
            launches = self._read_templates(said, subnets)
        instances = self._read_instances(name)
        return Group(name, meta.region_name, meta.partition, _join(launches), tags, instances)

    def read_template(self, text: str) -> Group:
        """Return what stands for a group that would start instances by a template.

        Args:
            text: ``ID`` or ``NAME``, with ``:VERSION`` behind it for another than the default.

        Raises:
            Ec2Error: AWS does not say what is in it.
        """
        template, _, version = text.partition(":")
        key = "LaunchTemplateId" if template.startswith("lt-") else "LaunchTemplateName"
        launch = self._read_template({key: template, "Version": version}, {}, set())
        return Group(None, self.ec2.meta.region_name, self.ec2.meta.partition, (launch,))

    def _read_configuration(self, name: str, subnets: set[str]) -> Launch:
        named, names = f"launch configuration {quote(name)}", [name]
        data = self._ask_one(named, "DescribeLaunchConfigurations", LaunchConfigurationNames=names)
        return self._make_launch(named, data, {}, subnets)

    def _read_templates(self, group: Mapping[str, Any], subnets: set[str]) -> list[Launch]:
        """Return a launch for each override of a mixed instances policy, or the only one."""
        base, overrides = group.get("LaunchTemplate"), None
        if policy := (group.get("MixedInstancesPolicy") or {}).get("LaunchTemplate"):
            base, overrides = policy.get("LaunchTemplateSpecification"), policy.get("Overrides")
        return [
            self._read_template(one.get("LaunchTemplateSpecification") or base or {}, one, subnets)
            for one in overrides or [{}]
        ]

    def _read_template(
        self, asked: Mapping[str, Any], override: Mapping[str, Any], subnets: set[str]
    ) -> Launch:
        """Return what a version of a template starts, with what an override replaces in it."""
        key = "LaunchTemplateId" if asked.get("LaunchTemplateId") else "LaunchTemplateName"
        template, version = asked.get(key) or "", str(asked.get("Version") or "$Default")
        arguments = {key: template, "Versions": [version]}
        named = _name_template(template, version)
        said = self._ask_one(named, "DescribeLaunchTemplateVersions", **arguments)
        template, number = said["LaunchTemplateId"], str(said["VersionNumber"])
        data = {**(said.get("LaunchTemplateData") or {}), **override}
        if override.get("InstanceRequirements"):
            data["InstanceType"] = None
        tags = {
            tag["Key"]: Sourced(tag.get("Value") or "", TEMPLATE)
            for each in data.get("TagSpecifications") or ()
            if each.get("ResourceType") == "instance"
            for tag in each.get("Tags") or ()
        }
        tags["aws:ec2launchtemplate:id"] = Sourced(template, AWS)
        tags["aws:ec2launchtemplate:version"] = Sourced(number, AWS)
        own = {one.get("SubnetId") or "" for one in data.get("NetworkInterfaces") or ()} - {""}
        name = _name_template(said.get("LaunchTemplateName") or template, number)
        return self._make_launch(name, data, tags, subnets or own)

    def _make_launch(
        self, name: str, data: Mapping[str, Any], tags: Mapping[str, Sourced], subnets: set[str]
    ) -> Launch:
        """Return a launch of LaunchTemplateData, or a configuration, and what it leaves open."""
        image, kind, profile = map(data.get, ("ImageId", "InstanceType", "IamInstanceProfile"))
        if isinstance(profile, dict):  # of a template
            profile = profile.get("Arn") or profile.get("Name")
        there = self._try("DescribeSubnets", SubnetIds=sorted(subnets)) if subnets else None
        given = data.get("MetadataOptions") or {}
        options = {option: self._resolve_option(option, given, image) for option in _OPTIONS}
        return Launch(
            name,
            image,
            (kind,) if kind else (),
            profile,
            _decode(data.get("UserData")),
            tags,
            options,
            ipv6_only=bool(there) and all(one.get("Ipv6Native") for one in there or ()),
        )

    def _resolve_option(self, name: str, given: Mapping[str, Any], image: str | None) -> Sourced:
        """Return a metadata option of the next instance: the template's, else the account's."""
        if given.get(name) is not None:
            return Sourced(str(given[name]), TEMPLATE)
        if name != "HttpProtocolIpv6":  # the account has no default for it
            defaults = self._try("GetInstanceMetadataDefaults")
            if not defaults:
                return _NOT_SAID
            default = str(defaults[0].get(name) or "-1")
            if default not in ("no-preference", "-1"):
                return Sourced(default, "the account's default")
        if name in _OF_IMAGE:
            requires_tokens = self._requires_tokens(image)
            if requires_tokens is None:
                return _NOT_SAID
            if requires_tokens:
                return Sourced(_OF_IMAGE[name], "the image")
        return Sourced(_OPTIONS[name], "EC2's default")

    def _requires_tokens(self, image: str | None) -> bool | None:
        """Return whether an image requires tokens; None if nobody says."""
        if image and not image.startswith("ami-"):
            text = f"the image is the parameter {quote(image)}: whether it requires tokens"
            self.note(info(f"{text} is not known"))
            return None
        found = self._try("DescribeImages", ImageIds=[image]) if image else None
        return found[0].get("ImdsSupport") == "v2.0" if found else None

    def _read_instances(self, name: str) -> dict[str, dict[str, str]]:
        filters = [
            {"Name": "tag:aws:autoscaling:groupName", "Values": [_escape(name)]},
            {"Name": "instance-state-name", "Values": ["pending", "running"]},
        ]
        return {
            one["InstanceId"]: {tag["Key"]: tag["Value"] for tag in one.get("Tags") or ()}
            for reservation in self._try("DescribeInstances", Filters=filters) or ()
            for one in reservation.get("Instances") or ()
        }

    def _ask_one(self, named: str, action: str, **arguments: Any) -> Any:
        """Return the one that is named, without which there is nothing to say."""
        found = self._ask(action, **arguments)
        if not found:
            raise Ec2Error(f"{named} is not there; check its name, --region and --profile")
        return found[0]

    def _try(self, action: str, **arguments: Any) -> list[Any] | None:
        """Return what AWS says; None if it does not, which is an error in the log."""
        try:
            return self._ask(action, **arguments)
        except Ec2Error as error:
            self.note(error.note())
            return None

    def _ask(self, action: str, **arguments: Any) -> list[Any]:
        """Return what AWS says, or has said before."""
        question = f"{action} {arguments}"
        if question not in self._answers:
            try:
                self._answers[question] = self._call(action, arguments)
            except Ec2Error as error:
                self._answers[question] = error
        answer = self._answers[question]
        if isinstance(answer, Ec2Error):
            raise answer
        return answer

    def _call(self, action: str, arguments: Mapping[str, Any]) -> list[Any]:
        """Return all pages of what AWS says.

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
            code = str(getattr(why, "response", {}).get("Error", {}).get("Code", ""))
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


def _join(launches: Iterable[Launch]) -> tuple[Launch, ...]:
    """Return each launch once: of overrides, many differ in the instance type alone."""
    found: dict[tuple[str, str | None], Launch] = {}
    for launch in launches:
        former = found.get((launch.name, launch.image), launch)
        types = dict.fromkeys((*former.instance_types, *launch.instance_types))
        found[launch.name, launch.image] = replace(launch, instance_types=tuple(types))
    return tuple(found.values())


def _name_template(template: str, version: str) -> str:
    return f"launch template {quote(template)} version {quote(version)}"


def _decode(text: str | None) -> bytes | None:
    """Return user-data as the instance is given it; EC2 keeps it in base64."""
    if not text:
        return None
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return text.encode()


def _escape(name: str) -> str:
    """Return a text for a filter, in which a star and a question mark stand for others."""
    return "".join(f"\\{c}" if c in "*?\\" else c for c in name)
