"""deploy/cloudformation.yaml on moto, which then enforces IAM's rights: who may do what, what fails without.

moto ignores what its CloudFormation does not know (bucket policy, secret, alarms), and looks at no condition.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import boto3

from rig.servers.s3 import Moto

TEMPLATE = Path(__file__).parents[2] / "deploy" / "cloudformation.yaml"
STACK = "woomera"
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class Keys(NamedTuple):
    """Of a user, or of a session in a role, which has a token."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


class Stack:
    """The stack on `moto`, which runs already; from then on each request needs its right.

    An administrator's keys become the server's own, so that the rig's checks go on working.
    """

    def __init__(self, moto: Moto, bucket: str) -> None:
        self.moto = moto
        ids = create_stack(self.client("cloudformation"), {"BucketName": bucket})
        self.role, self.signer = ids["HostRole"], ids["LinkSigner"]
        self._iam = self.client("iam")
        (self._policy_name,) = self._iam.list_role_policies(RoleName=self.role)["PolicyNames"]
        self.host_keys = self._assume_role()
        self.signer_keys = self._keys_of(self.signer)
        self._become_administrator()
        self._enforce()

    def close(self) -> None:
        """Close idle connections."""
        self._iam.close()

    def client(self, service: str, keys: Keys | None = None) -> Any:
        """Return a client of moto's; with the server's own keys unless others are given."""
        keys = keys or Keys(self.moto.access_key, self.moto.secret_key)
        session: Any = boto3.Session(*keys, region_name=self.moto.region)
        return session.client(service, endpoint_url=self.moto.endpoint_url)

    def host_rights(self) -> dict[str, Any]:
        """Return the host role's policy."""
        answer = self._iam.get_role_policy(RoleName=self.role, PolicyName=self._policy_name)
        policy: dict[str, Any] = answer["PolicyDocument"]
        return policy

    def signer_rights(self) -> dict[str, Any]:
        """Return the link signer's policy."""
        (name,) = self._iam.list_user_policies(UserName=self.signer)["PolicyNames"]
        answer = self._iam.get_user_policy(UserName=self.signer, PolicyName=name)
        policy: dict[str, Any] = answer["PolicyDocument"]
        return policy

    def grant_host(self, policy: Mapping[str, Any]) -> None:
        """Give the host role this policy instead of its own."""
        self._iam.put_role_policy(
            RoleName=self.role, PolicyName=self._policy_name, PolicyDocument=json.dumps(policy)
        )

    def write_profiles(self, home: Path) -> None:
        """Write ~/.aws/config as on a host: `host` stands for the instance's role, `woomera-links` signs.

        The latter gets its keys from a program, which prints what the template's secret holds.
        """
        (home / ".aws").mkdir()
        secret = {
            "Version": 1,
            "AccessKeyId": self.signer_keys.access_key_id,
            "SecretAccessKey": self.signer_keys.secret_access_key,
        }
        (home / "secret.json").write_text(json.dumps(secret), encoding="utf-8")
        keys = "\n".join(f"aws_{name} = {value}" for name, value in self.host_keys._asdict().items())
        (home / ".aws" / "config").write_text(
            f"[profile host]\n{keys}\n\n"
            f"[profile woomera-links]\ncredential_process = cat {home / 'secret.json'}\n",
            encoding="utf-8",
        )

    def _assume_role(self) -> Keys:
        sts = self.client("sts")
        arn = self._iam.get_role(RoleName=self.role)["Role"]["Arn"]
        found = sts.assume_role(RoleArn=arn, RoleSessionName="host")["Credentials"]
        sts.close()
        return Keys(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def _keys_of(self, user: str) -> Keys:
        key = self._iam.create_access_key(UserName=user)["AccessKey"]
        return Keys(key["AccessKeyId"], key["SecretAccessKey"])

    def _become_administrator(self) -> None:
        name = "administrator"
        self._iam.create_user(UserName=name)
        self._iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(_EVERYTHING))
        keys = self._keys_of(name)
        self.moto.access_key, self.moto.secret_key = keys.access_key_id, keys.secret_access_key
        self._iam.close()
        self._iam = self.client("iam")

    def _enforce(self) -> None:
        url = f"{self.moto.endpoint_url}/moto-api/reset-auth"
        plain = {"Content-Type": "text/plain"}  # moto does not find what comes as a form
        urlopen(Request(url, data=b"0", headers=plain), timeout=10).close()


def create_stack(cloudformation: Any, parameters: Mapping[str, str]) -> dict[str, str]:
    """Create the template's stack; return the ids of what was made of it, by their names there.

    The client is closed.
    """
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=TEMPLATE.read_text(encoding="utf-8"),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    resources = cloudformation.list_stack_resources(StackName=STACK)["StackResourceSummaries"]
    cloudformation.close()
    return {it["LogicalResourceId"]: it["PhysicalResourceId"] for it in resources if it["ResourceType"]}
