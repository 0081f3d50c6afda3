"""The report as people run it: a real S3 server, real processes, the stand-in for SES at the other end."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rig.jobs import Jobs, over_limit, text_of
from woomera_milter.store.documents import written
from woomera_milter.store.tallies import Amount, Tally

UNTIL = ["--until", "2026-10-21"]
ADMINS = ["postmaster@example.com", "second@example.org"]
KEY = "stats/2026-10-20/host-1-20261020T000000.000000Z.json"


def snapshot(**changes: Any) -> bytes:
    about = {
        "source": "milter",
        "host": "host-1",
        "day": "2026-10-20",
        "written_at": "2026-10-21T00:00:00Z",
        "every_s": 300,
        "stopped": False,
    }
    counts = Tally(passed=Amount(7, 700), intercepted=Amount(2, 30_000_000))
    return json.dumps(about | written(counts) | changes).encode()


def configure(jobs: Jobs, **report: Any) -> Jobs:
    jobs.configure(report={"sender": "woomera@example.com", "to": ADMINS} | report)
    return jobs


@pytest.fixture
def reporting(jobs: Jobs) -> Jobs:
    """A bucket with one host's day in it."""
    jobs.put(KEY, snapshot())
    return configure(jobs)


def test_many_runs_at_once_send_one_mail_to_all_administrators(reporting: Jobs) -> None:
    with ThreadPoolExecutor(4) as hosts:
        runs = list(hosts.map(lambda _: reporting.run("report", *UNTIL), range(4)))
    assert [run.status for run in runs] == [0] * 4, runs
    [sent] = reporting.ses.accepted
    assert (sent.envelope_sender, list(sent.recipients)) == ("woomera@example.com", ADMINS)
    [mail] = reporting.notices
    assert mail["Subject"] == "[SES Woomera] Tuesday 20 October 2026: 2 intercepted, all is well"
    assert "Intercepted (stored, notice sent): 2, 28.6 MB" in text_of(mail)


def test_a_second_run_says_that_it_is_done_already(reporting: Jobs) -> None:
    reporting.run("report", *UNTIL)
    again = reporting.run("report", *UNTIL)
    assert (again.status, "reports/day-2026-10-20.json" in again.stdout) == (0, True)
    assert len(reporting.ses.accepted) == 1


def test_a_report_of_a_day_that_has_not_ended_leaves_the_days_own_to_be_sent(reporting: Jobs) -> None:
    configure(reporting, quiet="send")
    today = datetime.now(UTC).date()
    for _ in range(2):
        assert reporting.run("report", "--until", (today + timedelta(days=1)).isoformat()).status == 0
    [mail] = reporting.notices
    assert f"{today.year}, so far: " in mail["Subject"]
    assert f"reports/day-{today}.json" not in reporting.keys("reports/")


def test_each_kind_of_period_has_a_report_of_its_own(reporting: Jobs) -> None:
    for kind in ("day", "week", "month"):
        assert reporting.run("report", "--period", kind, "--until", "2026-11-03").status == 0
    named = ["reports/month-2026-10-01.json", "reports/week-2026-10-27.json"]
    assert [it for it in reporting.keys("reports/") if it in named] == named


@pytest.mark.parametrize(
    "arguments", [["--print"], ["--json", "--dry-run"], ["--dry-run"], ["--html", "report.html"]]
)
def test_looking_sends_and_writes_nothing(arguments: list[str], reporting: Jobs, tmp_path: Path) -> None:
    before = reporting.keys("")
    arguments = [str(tmp_path / it) if it.endswith(".html") else it for it in arguments]
    assert reporting.run("report", *UNTIL, *arguments).status == 0
    assert reporting.keys("") == before
    assert not reporting.ses.accepted


def test_the_json_document_is_all_that_stands_on_stdout(reporting: Jobs) -> None:
    document = reporting.run("report", *UNTIL, "--json").document
    assert document["period"] == {"kind": "day", "from": "2026-10-20", "until": "2026-10-21"}
    assert document["passed"] == {"count": 7, "bytes": 700}
    assert document["intercepted"] == {"count": 2, "bytes": 30_000_000}
    assert (document["failed"], document["attention"]) == ({}, [])
    assert document["swept"] == {"notified": 0, "failed": 0}
    assert document["archived"] == {"count": 0, "bytes": 0}
    assert [it["host"] for it in document["hosts"]] == ["host-1"]
    assert document["store_seconds"]["0.1"] == 0


def test_text_and_html_can_be_looked_at_together(reporting: Jobs, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    done = reporting.run("report", *UNTIL, "--print", "--html", str(path))
    assert done.stdout.startswith("SES Woomera, Tuesday 20 October 2026\n")
    assert "28.6 MB" in path.read_text(encoding="utf-8")


def test_a_dry_run_tells_whom_the_mail_would_go_to(reporting: Jobs) -> None:
    done = reporting.run("report", *UNTIL, "--dry-run")
    assert f"would go to {', '.join(ADMINS)}: [SES Woomera] Tuesday 20 October 2026" in done.stdout


def test_what_sweeps_did_is_told(reporting: Jobs) -> None:
    reporting.archive("a", over_limit(), recipients=["one@example.org"])
    nobody = over_limit().replace(b"To: recipient@example.org", b"To: undisclosed-recipients:;")
    key = reporting.archive("b", nobody)
    reporting.run("sweep")
    tomorrow = (datetime.now(UTC).date() + timedelta(days=1)).isoformat()
    document = reporting.run("report", "--period", "week", "--until", tomorrow, "--json").document
    assert document["swept"] == {"notified": 1, "failed": 1}
    [matter] = [it for it in document["attention"] if it["kind"] == "untold"]
    assert matter["details"][0].startswith(f"{key}: nobody can be told")


def test_an_object_that_is_no_json_is_named_and_the_rest_is_told(reporting: Jobs) -> None:
    reporting.put("stats/2026-10-20/stranger.json", b"no JSON")
    document = reporting.run("report", *UNTIL, "--json").document
    assert document["intercepted"]["count"] == 2
    assert [(it["kind"], it["details"]) for it in document["attention"]] == [
        ("unreadable", ["stats/2026-10-20/stranger.json"])
    ]


def test_mail_that_cannot_go_out_is_sent_by_the_next_run(reporting: Jobs) -> None:
    reporting.ses.go_dark()
    assert reporting.run("report", *UNTIL).status == 75
    reporting.ses.listen()
    assert reporting.run("report", *UNTIL).status == 0
    assert len(reporting.ses.accepted) == 1


def test_a_quiet_day_is_skipped_unless_it_is_asked_for(jobs: Jobs) -> None:
    configure(jobs)
    done = jobs.run("report", "--until", "2020-01-01")
    assert (done.status, "report.quiet" in done.stdout) == (0, True)
    assert not jobs.ses.accepted
    configure(jobs, quiet="send")
    assert jobs.run("report", "--until", "2020-01-02").status == 0
    assert len(jobs.ses.accepted) == 1


def test_a_server_without_conditional_writes_is_warned_of_and_gets_one_mail_by_runs_in_turn(
    jobs_without_conditions: Jobs,
) -> None:
    jobs = jobs_without_conditions
    jobs.put(KEY, snapshot())
    configure(jobs)
    first, second = (jobs.run("report", *UNTIL) for _ in range(2))
    assert (first.status, second.status) == (0, 0)
    assert "S3 ignores conditional writes" in first.stderr
    assert len(jobs.ses.accepted) == 1


def test_json_is_printed_beside_the_mail_by_whichever_run_sends_it(reporting: Jobs) -> None:
    first, second = (reporting.run("report", *UNTIL, "--json") for _ in range(2))
    assert first.document == second.document
    assert len(reporting.ses.accepted) == 1


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--until", "yesterday"], 2),
        (["--until", "0001-01-01"], 2),
        (["--period", "year"], 2),
        (["--print", "--json"], 2),
        (["--html", "missing/report.html"], 2),
        ([], 78),
    ],
)
def test_wrong_usage_and_a_report_for_nobody_are_named(arguments: list[str], status: int, jobs: Jobs) -> None:
    done = jobs.run("report", *arguments)
    assert done.status == status
    assert "Traceback" not in done.stderr
    assert (arguments or ["report.to"])[0] in done.stderr
