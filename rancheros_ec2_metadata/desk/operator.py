"""An operator's own profile, region and login, as all of AWS's tools take them.

Imported where ``--instance`` is given, and nowhere else. How credentials are found is botocore's
affair, with all that it reads: AWS_ variables, ~/.aws, SSO, roles, programs.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigNotFound,
    ConfigParseError,
    InvalidConfigError,
    InvalidRegionError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.utils import validate_region_name

from rancheros_ec2_metadata.ec2.api import CONNECT_SECONDS, READ_SECONDS
from rancheros_ec2_metadata.errors import Ec2Error, UsageError, shown

from .operator_api import OperatorApi
from .refusals import Asked

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

_WRONG_CONFIG = (ConfigNotFound, ConfigParseError, InvalidConfigError, ProfileNotFound)
_ROLE_OF_THIS_MACHINE = "iam-role"  # botocore's name for it


class Operator:
    """One who may read EC2.

    Args:
        profile: of ~/.aws; None: AWS_PROFILE, or the default.
        region: None: the profile's, or AWS_DEFAULT_REGION.
        on_ec2: this machine itself is an instance, and its role the last resort. Elsewhere no
            metadata service is asked for credentials: there is none, and it takes its time. A
            profile that names it (`credential_source`) is taken at its word.

    Raises:
        UsageError: there is no such profile, no region, or this botocore cannot do it.
    """

    def __init__(self, profile: str | None, region: str | None, *, on_ec2: bool) -> None:
        # At its debug level botocore logs what it signs, the session token in it.
        logging.getLogger("botocore").setLevel(logging.INFO)
        with _usage():
            self._core = botocore.session.Session(profile=profile)
            if "DescribeInstances" not in self._core.get_service_model("ec2").operation_names:
                raise UsageError(
                    "--instance is not for the image, whose EC2 client reads tags only: install "
                    "the program with pip, and call it there"
                )
            self._profile = str(profile or self._core.profile or "default")
            self._region = region or self._core.get_config_variable("region")
            if self._region:
                validate_region_name(self._region)
                # For the login too: a role is assumed in some region.
                self._core.set_config_variable("region", self._region)
            if not on_ec2:
                self._core.get_component("credential_provider").remove(_ROLE_OF_THIS_MACHINE)
        if not self._region:
            raise UsageError(
                "--instance: in which region? Give --region or AWS_REGION, or set the region of "
                f"the profile {shown(self._profile)}"
            )

    def log_in(self, instance_id: str) -> OperatorApi:
        """Find credentials, for as long as the operator's login takes; return what asks with them.

        Args:
            instance_id: the instance to ask for.

        Raises:
            Ec2Error: there are none, or no more.
            UsageError: the profile is no profile, or the region no region.
        """
        with _usage():
            method = self._found()
            # Tries are counted by us: see ec2.waiting.
            config = Config(
                retries={"total_max_attempts": 1, "mode": "standard"},
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
            )
            session = boto3.Session(botocore_session=self._core)
            client: EC2Client = session.client("ec2", config=config)
        who = f"the profile {shown(self._profile)} (credentials: {method})"
        meta = client.meta
        asked = Asked(instance_id, meta.region_name, who, self._login(), meta.endpoint_url)
        return OperatorApi(client, asked)

    def _found(self) -> str:
        """Find credentials, and return botocore's word for where they are.

        What a program or a service says where there are none is not passed on.
        """
        profile = shown(self._profile)
        try:
            credentials = self._core.get_credentials()
            if credentials is not None:
                credentials.get_frozen_credentials()
                return str(credentials.method)
        except _WRONG_CONFIG:
            raise
        except (SSOError, TokenRetrievalError):
            text = f"the login of the profile {profile} has expired: {self._login()}"
            raise Ec2Error(text) from None
        except ClientError as error:
            code = shown(error.response.get("Error", {}).get("Code", ""))
            text = f"AWS gives the profile {profile} no credentials ({code}): {self._login()}"
            raise Ec2Error(text) from None
        except (BotoCoreError, OSError, ValueError, KeyError, EOFError) as error:
            raise Ec2Error(
                f"the credentials of the profile {profile} cannot be had ({type(error).__name__}): "
                f"check ~/.aws, or {self._login()}"
            ) from None
        raise Ec2Error(
            f"no credentials for the profile {profile}: {self._login()}, or name another profile "
            "by --profile"
        )

    def _login(self) -> str:
        return f"log in (as by aws sso login --profile {shown(self._profile)})"


@contextlib.contextmanager
def _usage() -> Iterator[None]:
    """Say which of the operator's settings makes no sense."""
    try:
        yield
    except ProfileNotFound as error:
        name = shown(str(error.kwargs.get("profile")))
        raise UsageError(
            f"--instance: no profile {name} in ~/.aws; name one by --profile"
        ) from None
    except InvalidRegionError as error:
        name = shown(str(error.kwargs.get("region_name")))
        raise UsageError(f"--instance: {name} is no region; name one by --region") from None
    except (*_WRONG_CONFIG, ValueError) as error:
        raise UsageError(
            f"--instance: the AWS configuration does not read ({type(error).__name__}): check "
            "~/.aws and the AWS_ variables"
        ) from None
