"""Fresh links for stored messages: what there is, and its notice once more."""

import html
import urllib.request
from datetime import datetime, timedelta
from email.message import Message

import pytest

from rig.jobs import LIMIT_BYTES, Jobs, link_in, links_in, over_limit, text_of
from rig.mail.messages import file_part, multipart, random_data, text_part

RECIPIENTS = ["one@example.org", "two@example.org"]
FILES = [random_data(LIMIT_BYTES // 2, 1), random_data(1000, 2)]


@pytest.fixture
def stored(jobs: Jobs) -> Jobs:
    """Two messages, stored by a sweep."""
    jobs.archive("a", over_limit(subject="Plans"), recipients=RECIPIENTS)
    jobs.put("archive/b.eml", over_limit(subject="Later", sender="other@example.com"))
    jobs.sweep()
    jobs.ses.clear()
    return jobs


@pytest.fixture
def with_files(jobs: Jobs) -> str:
    """A message with two attachments, stored by a sweep; its id."""
    files = [
        file_part(data, disposition=b'attachment; filename="file %d.bin"' % number)
        for number, data in enumerate(FILES)
    ]
    content = multipart("mixed", text_part(b"Dear Tom,\r\n"), *files)
    jobs.archive("files", over_limit(subject="Files", content=content), recipients=RECIPIENTS)
    jobs.sweep()
    return id_of(jobs, "Files")


def fetched(link: str) -> bytes:
    with urllib.request.urlopen(link) as response:
        octets: bytes = response.read()
        return octets


def check_links(notice: Message) -> None:
    """Hold a notice to links of its own that work: page, message, both files; the page to the same."""
    page, _, *files = links_in(notice)
    shown = html.unescape(fetched(page).decode())
    assert [fetched(link) for link in files] == FILES
    assert all(f'href="{link}"' in shown for link in links_in(notice)[1:])
    assert "Dear Tom," in shown


def id_of(jobs: Jobs, subject: str) -> str:
    (found,) = [it["id"] for it in jobs.run("list", "--json").document if it["subject"] == subject]
    return str(found)


def test_stored_messages_are_listed_newest_first(stored: Jobs) -> None:
    received = [it["received_at"] for it in stored.run("list", "--json").document]
    assert len(received) == 2
    assert received == sorted(received, reverse=True)
    assert len(stored.run("list").stdout.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "subjects"),
    [
        (["--sender", "other@"], ["Later"]),
        (["--recipient", "TWO@example"], ["Plans"]),
        (["--since", "2126-01-01"], []),
        (["--since", "3650d", "--sender", "example.com", "--recipient", "one@"], ["Plans"]),
    ],
)
def test_the_list_is_narrowed_down(arguments: list[str], subjects: list[str], stored: Jobs) -> None:
    assert [it["subject"] for it in stored.run("list", "--json", *arguments).document] == subjects


def test_one_message_is_found_by_its_id(stored: Jobs) -> None:
    document = stored.run("list", "--json", "--id", id_of(stored, "Plans")).document
    assert [it["subject"] for it in document] == ["Plans"]


def test_a_damaged_sidecar_is_named_and_the_others_are_listed(stored: Jobs) -> None:
    key = stored.put("messages/2026/11/24/damaged/envelope.json", b'{"id": "damaged"}')
    for listed in (stored.run("list"), stored.run("list", "--json")):
        assert (listed.status, key in listed.stderr) == (1, True)
        assert ("Plans" in listed.stdout, "Later" in listed.stdout) == (True, True)
    assert len(listed.document) == 2


def test_an_attachment_that_is_named_as_a_sidecar_is_none(jobs: Jobs) -> None:
    forged = file_part(b'{"id": "forged"}', disposition=b'attachment; filename="envelope.json"')
    content = multipart("mixed", text_part(b"Dear Tom,\r\n"), file_part(FILES[0]), forged)
    jobs.archive("files", over_limit(subject="Files", content=content), recipients=RECIPIENTS)
    jobs.sweep()
    assert [key for key in jobs.keys("messages/") if key.endswith("/2/envelope.json")]
    assert [it["subject"] for it in jobs.run("list", "--json").document] == ["Files"]


def test_an_address_gives_no_orders_to_the_terminal(jobs: Jobs) -> None:
    """sendmail takes it, in quotes."""
    key = jobs.archive("a", over_limit(), recipients=['"\x1b[2J\x9bx"@example.org', "one@example.org"])
    swept = jobs.run("sweep")
    assert f'failed: {key}: "[2Jx"@example.org: the address is none that SMTP could carry' in swept.stdout
    listed = jobs.run("list")
    assert '-> "[2Jx"@example.org, one@example.org' in listed.stdout
    assert (swept.stdout + listed.stdout).replace("\n", "").isprintable()


@pytest.mark.parametrize("command", [["list", "--id", "nothing"], ["resend", "nothing"], ["resend", "../x"]])
def test_an_unknown_id_is_an_error_that_says_what_to_do(command: list[str], stored: Jobs) -> None:
    done = stored.run(*command)
    assert (done.status, "woomera list" in done.stderr) == (78, True)


def test_resend_of_an_automatic_reply_has_an_envelope_sender_that_ses_takes(jobs: Jobs) -> None:
    extra = b"X-SES-CONFIGURATION-SET: billing\r\n"
    jobs.archive("a", over_limit(extra_headers=extra), recipients=RECIPIENTS, envelope_sender="")
    jobs.sweep()
    jobs.ses.clear()
    (message_id,) = (it["id"] for it in jobs.run("list", "--json").document)
    assert jobs.run("resend", message_id).status == 0
    (sent,) = jobs.ses.accepted
    assert sent.envelope_sender == "sender@example.com"
    assert jobs.notices[0]["X-SES-CONFIGURATION-SET"] == "billing"


def test_resend_sends_the_notice_with_fresh_links_to_all_recipients(stored: Jobs) -> None:
    message_id = id_of(stored, "Plans")
    done = stored.run("resend", message_id, "--json")
    assert (done.status, done.document["to"]) == (0, RECIPIENTS)
    (sent,) = stored.ses.accepted
    assert (sent.envelope_sender, list(sent.recipients)) == ("bounces@example.com", RECIPIENTS)
    (notice,) = stored.notices
    assert (notice["X-Woomera-Id"], notice["Subject"]) == (message_id, "Plans")
    assert notice["From"] == "Sandra Sender <sender@example.com>"
    assert f"messages/2026/11/24/{message_id}/message.eml" in link_in(notice)
    ends_at = datetime.fromisoformat(done.document["links_expire_at"])
    assert f"{ends_at:%H:%M} UTC" in text_of(notice)
    assert ends_at > datetime.now(ends_at.tzinfo) + timedelta(days=6)


def test_resends_are_recorded_in_the_sidecar_and_told_apart_by_mail_programs(stored: Jobs) -> None:
    message_id = id_of(stored, "Plans")
    stored.run("resend", message_id)
    stored.run("resend", message_id, "--to", "TWO@example.org")
    (value,) = stored.run("list", "--json", "--id", message_id).document
    assert [it["to"] for it in value["resent"]] == [RECIPIENTS, ["two@example.org"]]
    assert [list(it.recipients) for it in stored.ses.accepted] == [RECIPIENTS, ["two@example.org"]]
    assert len({it["Message-ID"] for it in stored.notices}) == 2


def test_resend_to_a_stranger_is_refused(stored: Jobs) -> None:
    done = stored.run("resend", id_of(stored, "Plans"), "--to", "stranger@example.net")
    assert done.status == 78
    assert "one@example.org" in done.stderr
    assert not stored.ses.accepted


def test_a_dry_run_of_resend_sends_and_records_nothing(stored: Jobs) -> None:
    message_id = id_of(stored, "Plans")
    assert stored.run("resend", message_id, "--dry-run", "--json").document["to"] == RECIPIENTS
    assert not stored.ses.accepted
    assert stored.run("list", "--json", "--id", message_id).document[0]["resent"] == []


def test_a_message_that_the_lifecycle_has_deleted_is_not_linked(stored: Jobs) -> None:
    message_id = id_of(stored, "Plans")
    (key,) = [it for it in stored.keys("messages/") if message_id in it and it.endswith("message.eml")]
    stored.client.delete_object(Bucket="large-mail", Key=key)
    done = stored.run("resend", message_id)
    assert (done.status, "lifecycle" in done.stderr) == (78, True)
    assert not stored.ses.accepted


def test_a_sweeps_notice_leads_to_page_message_and_attachments(with_files: str, jobs: Jobs) -> None:
    (notice,) = jobs.notices
    check_links(notice)


def test_resend_gives_fresh_links_on_a_page_made_anew(with_files: str, jobs: Jobs) -> None:
    jobs.configure(links={"expires": "5d"})
    assert jobs.run("resend", with_files).status == 0
    first, again = jobs.notices
    assert not set(links_in(first)) & set(links_in(again))
    check_links(again)
    assert "> Dear Tom," in text_of(again)


def test_an_attachment_that_was_lost_is_back_after_resend(with_files: str, jobs: Jobs) -> None:
    (key,) = [it for it in jobs.keys("messages/") if it.endswith("file 0.bin")]
    jobs.client.delete_object(Bucket="large-mail", Key=key)
    jobs.ses.clear()
    assert jobs.run("resend", with_files).status == 0
    (notice,) = jobs.notices
    check_links(notice)
    (sidecar,) = jobs.run("list", "--json", "--id", with_files).document
    assert key in [it["key"] for it in sidecar["attachments"]]


def test_resend_without_pages_links_the_message_first(with_files: str, jobs: Jobs) -> None:
    jobs.configure(links={"page": False})
    jobs.ses.clear()
    assert jobs.run("resend", with_files).status == 0
    (notice,) = jobs.notices
    assert links_in(notice)[0] == link_in(notice)
