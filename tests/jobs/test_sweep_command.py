"""The sweep as people run it: a real S3 server, real processes, the stand-in for SES at the other end."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

import boto3
import pytest

from rig.jobs import LIMIT_BYTES, Jobs, jobs_on, link_in, over_limit, text_of
from rig.lab import BUCKET
from rig.mail.messages import message
from rig.servers.faults import Answer, FaultProxy
from rig.servers.s3 import Moto
from rig.servers.ses import Ses

ENVELOPE = ["one@example.org", "hidden@example.org"]


def test_the_recorded_recipients_get_a_notice_whose_link_gives_the_message(jobs: Jobs) -> None:
    wire = over_limit(subject="Plans")
    jobs.archive("a", wire, recipients=ENVELOPE)
    assert jobs.sweep()["notified"] == 1
    (sent,) = jobs.ses.accepted
    assert (sent.envelope_sender, list(sent.recipients)) == ("bounces@example.com", ENVELOPE)
    assert b"hidden@example.org" not in sent.message
    (notice,) = jobs.notices
    with urlopen(link_in(notice), timeout=10) as reply:
        assert reply.read() == wire


def test_the_notice_is_a_new_message_that_people_know_as_the_originals(jobs: Jobs) -> None:
    extra = (
        b"Cc: Carol <carol@example.org>\r\nReply-To: desk@example.com\r\nX-Mailer: x\r\nDKIM-Signature: y\r\n"
    )
    jobs.archive("a", over_limit(subject="Plans", extra_headers=extra))
    jobs.sweep()
    (notice,) = jobs.notices
    expected = {
        "From": "Sandra Sender <sender@example.com>",
        "To": "recipient@example.org",
        "Cc": "Carol <carol@example.org>",
        "Reply-To": "desk@example.com",
        "Subject": "Plans",
        "References": "<20261124090000.rig@example.com>",
        "Auto-Submitted": "auto-generated",
        "X-Mailer": None,
        "DKIM-Signature": None,
    }
    assert {name: notice[name] for name in expected} == expected
    assert notice["X-Woomera-Id"] in notice["Message-ID"] != notice["References"]
    assert sorted(jobs.ses.accepted[0].recipients) == ["carol@example.org", "recipient@example.org"]


def test_a_notice_for_an_automatic_reply_has_an_envelope_sender_that_ses_takes(jobs: Jobs) -> None:
    jobs.archive("a", over_limit(), recipients=ENVELOPE, envelope_sender="")
    assert jobs.sweep()["notified"] == 1
    (sent,) = jobs.ses.accepted
    assert (sent.envelope_sender, list(sent.recipients)) == ("sender@example.com", ENVELOPE)


def test_a_senders_steering_of_ses_reaches_the_notice(jobs: Jobs) -> None:
    extra = b"X-SES-CONFIGURATION-SET: billing\r\nX-SES-MESSAGE-TAGS: team=mail\r\nX-Mailer: x\r\n"
    jobs.archive("a", over_limit(extra_headers=extra))
    jobs.sweep()
    (notice,) = jobs.notices
    assert (notice["X-SES-CONFIGURATION-SET"], notice["X-SES-MESSAGE-TAGS"]) == ("billing", "team=mail")


def test_an_mbox_that_was_imported_is_announced_to_those_in_its_headers(jobs: Jobs) -> None:
    mbox = jobs.folder / "copymail"
    from_line, wire = b"From apache Tue Nov 24 06:00:00 2026\n", over_limit()
    mbox.write_bytes(from_line + wire.replace(b"\r\n", b"\n") + b"\n")
    assert jobs.run("archive", "--mbox", str(mbox)).status == 0
    assert jobs.sweep("--full")["notified"] == 1
    (sent,) = jobs.ses.accepted
    assert (sent.envelope_sender, sent.recipients) == ("sender@example.com", ("recipient@example.org",))


def test_a_bcc_recipient_of_an_unrecorded_copy_receives_the_notice_and_stays_hidden(jobs: Jobs) -> None:
    wire = over_limit().replace(b"Date:", b"Bcc: secret@example.org\r\nDate:", 1)
    lf = wire.replace(b"\r\n", b"\n")
    jobs.put("archive/2026/11/24/old-recipe.txt", b"From sender@example.com Tue Nov 24 2026\n" + lf)
    jobs.sweep()
    (sent,) = jobs.ses.accepted
    assert "secret@example.org" in sent.recipients
    assert b"secret" not in sent.message
    with urlopen(link_in(jobs.notices[0]), timeout=10) as reply:
        assert reply.read() == over_limit()


def test_a_second_sweep_has_nothing_to_do(jobs: Jobs) -> None:
    jobs.archive("a", over_limit(), recipients=ENVELOPE)
    jobs.archive("small", b"Subject: small\r\n\r\n")
    first = jobs.sweep()
    second = jobs.sweep()
    full = jobs.sweep("--full")
    counts = ("scanned", "over_limit", "notified", "already_done", "failed")
    assert [first[it] for it in counts] == [2, 1, 1, 0, []]
    assert [second[it] for it in counts] == [full[it] for it in counts] == [2, 1, 0, 1, []]
    assert len(jobs.ses.accepted) == 1


def test_a_sweep_with_nothing_new_reads_no_message(jobs: Jobs) -> None:
    jobs.archive("a", over_limit(), recipients=ENVELOPE)
    jobs.archive("half", over_limit()[: LIMIT_BYTES // 2 + 4096], recipients=ENVELOPE)
    jobs.sweep()
    with FaultProxy(jobs.s3.port) as proxy:
        jobs.configure(storage={"endpoint_url": proxy.endpoint_url})
        jobs.sweep()
        assert not [it for it in proxy.requests if ".eml" in it and not it.startswith("GET /large-mail?")]


def test_four_sweeps_at_once_send_each_notice_once(jobs: Jobs) -> None:
    jobs.configure(sweep={"lease": "15m"})
    for number in range(20):
        jobs.archive(f"{number}", over_limit(subject=f"n{number}"), recipients=["one@example.org"])
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: jobs.sweep(), range(4)))
    assert sum(it["notified"] for it in results) == 20
    assert sorted(it["Subject"] for it in jobs.notices) == sorted(f"n{number}" for number in range(20))


def test_a_dry_run_tells_what_is_due_and_touches_nothing(jobs: Jobs) -> None:
    key = jobs.archive("a", over_limit(), recipients=ENVELOPE)
    before = jobs.keys("")
    document = jobs.sweep("--dry-run")
    assert (document["over_limit"], document["notified"], document["due"]) == (1, 0, [key])
    assert jobs.keys("") == before
    assert not jobs.ses.accepted


def test_too_many_notices_means_none_and_says_how_to_go_on(jobs: Jobs) -> None:
    for number in range(3):
        jobs.archive(f"{number}", over_limit(subject=f"n{number}"), recipients=ENVELOPE)
    done = jobs.run("sweep", "--limit", "2", "--json")
    assert (done.status, done.document["notified"]) == (1, 0)
    assert "--limit 3" in done.stderr
    assert not jobs.ses.accepted
    assert jobs.sweep("--limit", "3")["notified"] == 3


def test_what_fails_is_named_and_tried_again_by_the_next_run(jobs: Jobs) -> None:
    key = jobs.archive("a", over_limit(), recipients=ENVELOPE)
    jobs.ses.go_dark()
    failed = jobs.run("sweep", "--json")
    assert failed.status == 1
    assert [it["key"] for it in failed.document["failed"]] == [key]
    jobs.ses.listen()
    assert jobs.sweep()["notified"] == 1
    assert len(jobs.ses.accepted) == 1


def test_a_message_for_nobody_is_reported_by_its_key(jobs: Jobs) -> None:
    key = jobs.archive(
        "a", over_limit().replace(b"To: recipient@example.org", b"To: undisclosed-recipients:;")
    )
    done = jobs.run("sweep")
    assert done.status == 1
    assert f"failed: {key}: nobody can be told" in done.stdout
    assert not jobs.ses.accepted


def test_a_copy_in_glacier_is_reported_and_never_linked(jobs: Jobs) -> None:
    key = jobs.put("archive/2026/11/24/host-1/a.eml", over_limit(), StorageClass="GLACIER")
    done = jobs.run("sweep", "--json")
    assert done.status == 1
    assert [(it["key"], "Glacier" in it["reason"]) for it in done.document["failed"]] == [(key, True)]
    assert not jobs.ses.accepted


def test_a_copy_that_was_moved_out_of_glacier_gets_its_notice(jobs: Jobs) -> None:
    key = jobs.put("archive/2026/11/24/host-1/a.eml", over_limit(), StorageClass="GLACIER")
    assert jobs.run("sweep", "--json").status == 1
    jobs.put(key, over_limit())
    assert jobs.sweep()["notified"] == 1
    with urlopen(link_in(jobs.notices[0]), timeout=10) as reply:
        assert reply.read() == over_limit()


def test_links_that_could_never_live_as_long_as_asked_are_a_configuration_error(jobs: Jobs) -> None:
    jobs.archive("a", over_limit(), recipients=ENVELOPE)
    jobs.configure(links={"minimum": "3d"}, storage={"retention": "2d"})
    done = jobs.run("sweep", "--json")
    assert (done.status, "links.minimum" in done.stderr) == (78, True)
    assert not jobs.ses.accepted


def test_since_leaves_older_days_alone_and_the_next_sweep_finds_them(jobs: Jobs) -> None:
    jobs.put("archive/2020/01/01/host-1/old.eml", over_limit(subject="old"))
    jobs.archive("new", over_limit(subject="new"), recipients=ENVELOPE)
    assert jobs.sweep("--since", "2026-11-01")["notified"] == 1
    assert [it["Subject"] for it in jobs.notices] == ["new"]
    assert jobs.sweep()["notified"] == 1
    assert [it["Subject"] for it in jobs.notices] == ["new", "old"]


def test_a_server_without_conditional_writes_is_refused(jobs_without_conditions: Jobs) -> None:
    jobs = jobs_without_conditions
    jobs.archive("a", over_limit(), recipients=ENVELOPE)
    refused = jobs.run("sweep")
    assert (refused.status, "--single-host" in refused.stderr) == (78, True)
    assert not jobs.ses.accepted
    assert jobs.sweep("--single-host")["notified"] == 1
    assert jobs.sweep("--single-host")["already_done"] == 1
    assert len(jobs.ses.accepted) == 1


def test_more_than_fifty_recipients_all_get_their_notice_once(jobs: Jobs) -> None:
    recipients = [f"r{number}@example.org" for number in range(120)]
    jobs.archive("a", over_limit(), recipients=recipients)
    jobs.sweep()
    assert sorted(it for sent in jobs.ses.accepted for it in sent.recipients) == sorted(recipients)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        pytest.param(["--limit", "many"], 2, id="a limit that is no number"),
        pytest.param(["--since", "yesterday"], 2, id="no moment"),
        pytest.param(["--since", "7d", "--full"], 2, id="a contradiction"),
        pytest.param(["--prefix", "messages/2026/"], 78, id="a folder of our own"),
    ],
)
def test_wrong_usage_has_its_own_exit_status(arguments: list[str], status: int, jobs: Jobs) -> None:
    done = jobs.run("sweep", *arguments)
    assert (done.status, "Traceback" in done.stderr) == (status, False)


def test_an_s3_server_that_is_down_means_try_later(jobs: Jobs) -> None:
    jobs.configure(storage={"endpoint_url": "http://127.0.0.1:1"})
    done = jobs.run("sweep")
    assert (done.status, "Traceback" in done.stderr) == (75, False)


# The first Woomera's command line.


def test_the_first_woomeras_command_line_works_without_a_config_file(tmp_path: Path) -> None:
    with Moto(tmp_path) as aws, Ses() as nobody, jobs_on(aws, nobody, tmp_path) as jobs:
        session = boto3.Session("test", "test", region_name="us-east-1")
        ses = session.client("sesv2", endpoint_url=aws.endpoint_url)
        for address in ("sender@example.com", "admin@example.com"):
            ses.create_email_identity(EmailIdentity=address)
        jobs.put("2015/msg.1", message(11 * 1024 * 1024, subject="mail 1"))
        jobs.put("2015/msg.2", message(9 * 1024 * 1024, subject="not over the limit"))
        jobs.put("2015/msg.9", message(11 * 1024 * 1024, subject="sent in 2015"))
        processed = {"2015/msg.9": {"date": "x", "emailSent": "01-01-2015", "email": []}}
        jobs.put("2015/processed-emails.json", json.dumps(processed).encode())
        done = jobs.run_argv(
            [
                *jobs.command()[:3],  # no --config
                *(
                    "sweep",
                    "-b",
                    BUCKET,
                    "-p",
                    "2015/msg",
                    "-r",
                    "us-east-1",
                    "-e",
                    "2015/processed-emails.json",
                ),
                *("-k", "test", "-s", "test", "-a", "admin@example.com"),
            ],
            {"AWS_ENDPOINT_URL": aws.endpoint_url},
        )
        assert done.status == 0, done.stderr
        assert "--secretKey" in done.stderr
        assert sorted(json.loads(jobs.read("2015/processed-emails.json"))) == ["2015/msg.1", "2015/msg.9"]
        with urlopen(f"{aws.endpoint_url}/moto-api/data.json", timeout=10) as reply:
            sent = json.loads(reply.read())["ses"]["RawMessage"]
        subjects = sorted(re.findall(r"^Subject: (.*?)\r?$", it["raw_data"], re.MULTILINE)[0] for it in sent)
        assert subjects == [f"[SES Woomera] Email Statistics -- {datetime.now(UTC):%d-%m-%Y}", "mail 1"]
        ses.close()


def test_the_json_of_processed_mail_is_obeyed_and_kept_in_its_old_format(jobs: Jobs) -> None:
    for name in ("1", "2"):
        jobs.put(f"2015/msg.{name}", over_limit(subject=f"mail {name}"))
    processed = {"2015/msg.1": {"date": "x", "emailSent": "01-01-2015", "email": []}}
    jobs.put("2015/processed-emails.json", json.dumps(processed).encode())
    document = jobs.sweep("-p", "2015/msg", "-e", "2015/processed-emails.json")
    assert (document["notified"], document["already_done"]) == (1, 1)
    assert [it["Subject"] for it in jobs.notices] == ["mail 2"]
    now = json.loads(jobs.read("2015/processed-emails.json"))
    assert now["2015/msg.1"] == processed["2015/msg.1"]
    entry = now["2015/msg.2"]
    assert re.fullmatch(r"\d\d-\d\d-\d{4}", entry.pop("emailSent"))
    mail = {
        "from": "Sandra Sender <sender@example.com>",
        "to": ["recipient@example.org"],
        "subject": "mail 2",
    }
    assert entry == {"date": "Tue, 24 Nov 2026 09:00:00 +0000", "email": [mail]}


@pytest.mark.parametrize("record", ["processed.json", "sweep/watermark.json"])
def test_what_was_sent_is_told_even_where_a_record_of_the_sweep_cannot_be_written(
    record: str, jobs: Jobs
) -> None:
    jobs.archive("a", over_limit())
    with FaultProxy(jobs.s3.port) as proxy:
        proxy.set(Answer(), applies_to=f"PUT /{BUCKET}/{record}")
        jobs.configure(storage={"endpoint_url": proxy.endpoint_url})
        done = jobs.run("sweep", "--json", "-e", "processed.json")
    assert (done.status, record in done.stderr) == (75, True)
    assert done.document["notified"] == len(jobs.ses.accepted) == 1


def test_a_statistics_mail_that_cannot_be_sent_hides_no_result(jobs: Jobs) -> None:
    jobs.ses.go_dark()
    done = jobs.run("sweep", "--json", "-a", "admin@example.com")
    assert (done.status, done.document["scanned"]) == (75, 0)


def test_an_entry_that_a_killed_sweep_did_not_write_is_added_by_the_next(jobs: Jobs) -> None:
    jobs.put("2015/msg.1", over_limit())
    jobs.sweep("-p", "2015/msg")
    jobs.sweep("-p", "2015/msg", "-e", "processed.json")
    assert list(json.loads(jobs.read("processed.json"))) == ["2015/msg.1"]
    assert len(jobs.ses.accepted) == 1


def test_the_administrator_gets_the_statistics(jobs: Jobs) -> None:
    jobs.put("2015/msg.1", over_limit())
    jobs.put("2015/msg.2", over_limit().replace(b"To: recipient@example.org\r\n", b""))
    jobs.put("p.json", b"")
    done = jobs.run("sweep", "-p", "2015/msg", "-e", "p.json", "-a", "admin@example.com")
    assert done.status == 1
    (mail,) = [it for it in jobs.notices if "Statistics" in it["Subject"]]
    assert re.fullmatch(r"\[SES Woomera\] Email Statistics -- \d\d-\d\d-\d{4}", mail["Subject"])
    assert mail["From"] == mail["To"] == "admin@example.com"
    assert mail.get_content_type() == "multipart/alternative"
    assert mail["Auto-Submitted"] == "auto-generated"
    text = text_of(mail)
    first_figures = (
        r"FIGURES\nDate: \d\d-\d\d-\d{4}\nEmails sent: 1\nEntries in the list of processed emails: 1\n"
    )
    assert re.search(first_figures, text), text
    assert "2015/msg.2: nobody" in text


def test_without_a_config_file_a_missing_flag_is_named(jobs: Jobs, tmp_path: Path) -> None:
    done = jobs.run_argv([*jobs.command()[:3], "sweep", "-b", BUCKET])
    assert done.status == 2
    assert "--prefix and --region and --processedEmails" in done.stderr
