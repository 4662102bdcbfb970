"""A bucket of Amazon S3 as a destination."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from doubles.moto_server import REGION, MotoServer

from encconf.errors import EncconfError, PublishError
from encconf.identities.credentials import Credentials
from encconf.publish import put_s3

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def aws() -> Iterator[MotoServer]:
    with MotoServer() as server:
        server.client("s3").create_bucket(
            Bucket="a-bucket", CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        yield server


def test_an_object_is_written_over_one_that_is_there(aws: MotoServer) -> None:
    settings: dict[str, str | int] = {"s3_bucket": "a-bucket", "s3_prefix": "team/"}
    credentials = Credentials({**aws.environ, "AWS_REGION": REGION})
    for content in (b"one", b"\xff\0two"):
        assert put_s3(settings, "f.yaml", content, credentials)
        found = aws.client("s3").get_object(Bucket="a-bucket", Key="team/f.yaml")
        assert found["Body"].read() == content
        assert found["ContentType"] == "application/octet-stream"


def test_a_bucket_without_a_region(aws: MotoServer) -> None:
    bare = {name: value for name, value in aws.environ.items() if "REGION" not in name}
    with pytest.raises(PublishError, match="no region is set for the bucket") as caught:
        put_s3({"s3_bucket": "a-bucket"}, "f.yaml", b"x", Credentials(bare))
    assert caught.value.hint == "set AWS_REGION"


def test_a_bucket_that_is_not_there(aws: MotoServer) -> None:
    credentials = Credentials({**aws.environ, "AWS_REGION": REGION})
    with pytest.raises(EncconfError, match="NoSuchBucket") as caught:
        put_s3({"s3_bucket": "no-such-bucket"}, "f.yaml", b"s3cret", credentials)
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"
