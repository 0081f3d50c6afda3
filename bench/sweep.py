"""A sweep over a million archived objects, against a bare listing of the same: `python -m bench.sweep`.

The S3 is a stub that only lists (bench.stub_s3), so the sweep is a dry run: all of the listing, and for
each of the 1,000 over-limit objects the look for its claim.
"""

import argparse

from bench.contest import Contest, Side, bare_client, measure, tell, woomera
from rig.lab import BUCKET

_BARE = "bare"
_SWEEP = "sweep"
_MAX_RATIO = 1.15
_MAX_GROWTH_MB = 30
_OVER_LIMIT = 1000


def _bare(endpoint_url: str) -> int:
    listing = bare_client(endpoint_url).get_paginator("list_objects_v2")
    pages = listing.paginate(Bucket=BUCKET, Prefix="archive/")
    return sum(len(page["Contents"]) for page in pages)


def _sweep(endpoint_url: str) -> int:
    result = woomera(endpoint_url, "sweep", "--dry-run", "--limit", "2000")
    assert result["over_limit"] == len(result["due"]) == _OVER_LIMIT, result["failed"][:3]
    return int(result["scanned"])


def main() -> None:
    """Run it, print the figures, and exit 1 where they miss what they must reach."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        which, endpoint_url, *_ = arguments.child
        tell(lambda: {_BARE: _bare, _SWEEP: _sweep}[which](endpoint_url))
        return

    def run(which: str, objects: int) -> Side:
        return measure("bench.sweep", which, "archive", [objects, _OVER_LIMIT], objects)

    objects = arguments.objects
    rounds = [(run(_BARE, objects), run(_SWEEP, objects)) for _ in range(arguments.rounds)]
    small = run(_SWEEP, 10_000)
    Contest("bare listing", "sweep", _MAX_RATIO, _MAX_GROWTH_MB).judge(
        rounds, small, f"{objects:,} objects", "10,000 objects"
    )


if __name__ == "__main__":
    main()
