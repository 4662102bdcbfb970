"""Publish to a bucket of Amazon S3, with botocore (the base of boto3).

Settings: ``s3_bucket``, ``s3_prefix``.  Credentials, profile and region are those of the environment (see
`encconf.providers.aws`).  AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL names a server to use instead of Amazon's.

Permissions: s3:PutObject on ``arn:aws:s3:::BUCKET/PREFIX*``.
"""

from __future__ import annotations

from collections.abc import Mapping

from encconf.identities.credentials import Credentials
from encconf.publish import failed, in_bucket
from encconf.text.printable import printable

_TYPE = "application/octet-stream"


def put(
    settings: Mapping[str, str | int], name: str, content: bytes | dict[str, object], credentials: Credentials
) -> bool:
    """Write the object.  An existing one is overwritten."""
    from encconf.providers import aws

    bucket, key = in_bucket("s3", settings, name)
    region = aws.home_region(credentials)
    if not region:
        raise failed("s3", "no region is set for the bucket", "set AWS_REGION")
    parameters = {"Bucket": bucket, "Key": key, "Body": content, "ContentType": _TYPE}
    needs = f"s3:PutObject on arn:aws:s3:::{printable(f'{bucket}/{key}')[:200]}"
    ways = aws.ways("", "", region, credentials)
    aws.ask("s3", "put_object", parameters, ways, credentials, needs=needs)
    return True
