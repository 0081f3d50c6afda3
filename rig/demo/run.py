"""`make demo`: a large message sent twice through real sendmail, first without Woomera and then with it.

Everything is real but Amazon: S3 and SES are played by servers of the rig, on this host alone.
"""

import argparse
import hashlib
import html
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import TypeVar

try:
    from rig.demo import message as demo_message
    from rig.lab import BUCKET, Lab
    from rig.mta import smtp
    from rig.mta.sendmail import Sendmail
    from rig.mta.sendmail_cf import MAILER_DAEMON, CfError, Settings
    from rig.process import StartError
    from rig.servers.s3 import Juicefs
    from rig.servers.ses import SES_LIMIT_BYTES, Ses, Transaction
except ModuleNotFoundError as missing:
    sys.exit(f"demo: {missing}; run rig/setup.sh demo, then .venv/bin/python -m rig.demo")

RESULTS = Path(__file__).parents[2] / ".rig" / "demo"
_BOUNCE_SHOWN_BYTES = 4096
_WIDTH = min(shutil.get_terminal_size((100, 50)).columns, 100)
_BOLD, _FAINT, _PLAIN = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if sys.stdout.isatty() else ("", "", "")

Answer = TypeVar("Answer")


class DemoError(RuntimeError):
    """Something did not go as the demo promises; the text says what."""


def main() -> int:
    """Run the demo and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m rig.demo", description=__doc__)
    parser.add_argument("--folder", type=Path, default=RESULTS, help="for the notice and the message")
    parser.add_argument("--keep", action="store_true", default=os.environ.get("KEEP", "") not in ("", "0"))
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        show(options.folder, keep=options.keep)
    except KeyboardInterrupt:
        say("\nEnded; servers stopped.")
        return 0 if options.keep else 128 + signal.SIGINT
    except (StartError, CfError, FileNotFoundError) as error:
        print(f"demo: {error}\nrig/setup.sh demo installs what the demo needs.", file=sys.stderr)
        return 1
    except (DemoError, OSError, subprocess.SubprocessError, TimeoutError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


def show(folder: Path, *, keep: bool) -> None:
    """Show it all, with what is to be looked at in `folder`; where it is to `keep`, until Ctrl-C."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("arrived-*"):
        stale.unlink()
    say(f"{_BOLD}SES Woomera: what becomes of mail that is too large for Amazon SES{_PLAIN}")
    original = demo_message.make(datetime.now(UTC))
    sent = original.as_bytes()
    show_message(original, sent)
    without_s = without_woomera(sent)
    with tempfile.TemporaryDirectory(prefix="woomera-demo-") as scratch:
        s3_folder = Path(scratch, "s3")
        s3_folder.mkdir()
        with Juicefs(s3_folder) as s3:
            s3.make_bucket(BUCKET)
            with Lab(Path(scratch), s3, delivery_mode="background") as lab:
                notice, with_s = with_woomera(lab, sent)
                save(notice, folder / "notice")
                page_link, message_link, *attachment_links = show_notice(notice)
                show_page(page_link, original, folder / "page.html")
                compare_attachments(attachment_links, original)
                download_s = download(message_link, sent, folder / "message.eml")
                show_end(folder, without_s, with_s, download_s)
                if keep:
                    keep_running(lab, folder, page_link)


def show_message(original: EmailMessage, sent: bytes) -> None:
    heading("The message")
    for name in ("From", "To", "Cc", "Subject"):
        fact(name, original[name])
    fact("Attached", "; ".join(attachment.get_filename() or "" for attachment in original.iter_attachments()))
    fact("Size", f"{megabytes(len(sent))} on the wire; SES takes {megabytes(SES_LIMIT_BYTES)}")


def without_woomera(sent: bytes) -> float:
    """Show that the message is lost; return how long the client waited for its 250."""
    heading("1. Without Woomera: program -> sendmail -> SES")
    with Ses() as ses, Sendmail(Settings(relay_port=ses.port, delivery_mode="queue")) as sendmail:
        reply, elapsed_s = timed(lambda: submit(sendmail, sent))
        said("sendmail to the program", reply)
        sendmail.flush_queue()
        refused = ses.refused
        if [it.envelope_sender == MAILER_DAEMON for it in refused] != [False, True] or ses.accepted:
            raise DemoError(f"SES should have refused the message and its bounce, but took {ses.accepted}")
    message, bounce = refused
    said("SES to sendmail", message.reply)
    say("  The program has gone, so sendmail writes a bounce to the sender, with the whole message in it:")
    report = parsed(bounce.message[:_BOUNCE_SHOWN_BYTES])
    quote(f"Subject: {report['Subject']}")
    quote(next(it for it in text_of(report).split("\n\n") if "(reason: " in it))
    said("SES to sendmail", f"{bounce.reply} (the bounce: {megabytes(len(bounce.message))})")
    say("  The message is gone, and neither its recipients nor its sender hears of it.")
    return elapsed_s


def with_woomera(lab: Lab, sent: bytes) -> tuple[Transaction, float]:
    """Send the same message; return the notice that reached SES, and how long the client waited."""
    heading("2. With Woomera: program -> sendmail (Woomera -> S3) -> SES")
    reply, elapsed_s = timed(lambda: submit(lab.sendmail, sent, lab))
    said("sendmail to the program", reply)
    notice = lab.ses.wait_for(1)[0]
    said("SES to sendmail", f"{notice.reply} ({len(notice.message) / 1024:.0f} KB)")
    say(f"  At that 250, after {elapsed_s:.2f} s, the message was in S3 already, verified.")
    return notice, elapsed_s


def submit(sendmail: Sendmail, sent: bytes, lab: Lab | None = None) -> str:
    exchange = smtp.send(
        sendmail.smtp_port, sent, sender=demo_message.SENDER, recipients=demo_message.RECIPIENTS
    )
    if not exchange.ok:
        log = f"; the milter's log:\n{lab.milter.log_text()}" if lab else ""
        raise DemoError(f"sendmail did not take the message: {exchange.last}{log}")
    return str(exchange.last)


def show_notice(notice: Transaction) -> list[str]:
    """Show what the recipients got; return the links in it: the page's, the message's, the attachments'."""
    heading("3. The notice, as it arrived")
    message = parsed(notice.message)
    for name, value in message.items():
        quote(" ".join(f"{name}: {value}".split()))
    quote("")
    text = text_of(message)
    quote(text)
    links = [line for line in text.splitlines() if line.startswith("http")]
    if len(links) < 2:
        raise DemoError(f"the notice has not two links at least, but {len(links)}")
    return links


def show_page(link: str, original: EmailMessage, path: Path) -> None:
    """Open the page as a stranger does, and save it to `path`."""
    heading("4. A recipient follows the links, without any password")
    status, octets = fetch(link)
    page = octets.decode()
    if status != 200 or f"<title>{html.escape(original['Subject'])}</title>" not in page:
        raise DemoError(
            f"the first link of the notice, the page's, answers {status} and shows something else"
        )
    fact("page", f"{status}, {len(octets) / 1024:.0f} KB of HTML, without a script")
    path.write_bytes(octets)


def compare_attachments(links: list[str], original: EmailMessage) -> None:
    """Fetch each attachment by its link, and compare it with what was sent."""
    for link, attachment in zip(links, original.iter_attachments(), strict=True):
        status, octets = fetch(link)
        if status != 200 or octets != attachment.get_payload(decode=True):
            raise DemoError(f"{attachment.get_filename()} answers {status}, or is not what was sent")
        fact("attachment", f"{status}, {megabytes(len(octets))}, as it was sent: {attachment.get_filename()}")


def download(link: str, sent: bytes, path: Path) -> float:
    """Fetch the message as a stranger does, compare, save to `path`; return how long the download took."""
    (status, octets), elapsed_s = timed(lambda: fetch(link))
    if status != 200:
        raise DemoError(f"the link to the message answers {status}")
    fact("message", f"{status}, {megabytes(len(octets))} in {elapsed_s:.2f} s")
    digests = [hashlib.sha256(it).hexdigest() for it in (sent, octets)]
    fact("sent", f"SHA-256 {digests[0]}")
    fact("downloaded", f"SHA-256 {digests[1]}")
    if digests[0] != digests[1]:
        raise DemoError("the downloaded message differs from the one that was sent")
    fact("", "the same, byte for byte")
    status, _ = fetch(link.replace("message.eml", "envelope.json"))
    if status != 403:
        raise DemoError(f"the link, led to another object, answers {status} instead of 403")
    fact("misuse", f"the same link, led to another object: {status} Forbidden")
    path.write_bytes(octets)
    return elapsed_s


def fetch(link: str) -> tuple[int, bytes]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(link, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, b""


def show_end(folder: Path, without_s: float, with_s: float, download_s: float) -> None:
    heading("Times and files")
    fact("without", f"{without_s:.2f} s until the 250, and the message is lost")
    fact("with", f"{with_s:.2f} s until the 250, and the message is in S3")
    fact("download", f"{download_s:.2f} s")
    fact("to look at", shown(folder / "notice.html"))
    fact(
        "", f"{shown(folder / 'page.html')}, {shown(folder / 'notice.eml')}, {shown(folder / 'message.eml')}"
    )


def keep_running(lab: Lab, folder: Path, page_link: str) -> None:
    """Save each message that reaches SES, until Ctrl-C."""
    port = lab.sendmail.smtp_port
    heading("It stays up for you to browse, and for mail of your own, until Ctrl-C")
    say("  The page of this message:")
    say(f"    {page_link}")
    say("  A message from a file, by the sendmail command of this demo:")
    say(f"    {lab.sendmail.submit_command} -f you@example.com friend@example.org \\")
    say(f"      < {shown(folder / 'message.eml')}")
    say("  A file of yours, by curl (or any mail program: host 127.0.0.1, this port, no password, no TLS):")
    say(f"    curl smtp://127.0.0.1:{port} --mail-from you@example.com --mail-rcpt friend@example.org \\")
    say("      -H 'From: you@example.com' -H 'Subject: A file' -F '=Here it is.' \\")
    say("      -F 'file=@FILE;encoder=base64'")
    say(f"  What arrives is saved in {shown(folder)}:")
    count = len(lab.ses.accepted)
    while True:
        try:
            arrived = lab.ses.wait_for(count + 1, timeout_s=3600)
        except TimeoutError:
            continue
        for transaction in arrived[count:]:
            count += 1
            message = save(transaction, folder / f"arrived-{count}")
            kind = "a notice" if message["X-Woomera-Id"] else "as it was sent"
            say(f"    arrived-{count}.eml, .html  {kind}: {message['Subject']}")


def save(transaction: Transaction, path: Path) -> EmailMessage:
    """Write PATH.eml and PATH.html; return the message."""
    path.with_suffix(".eml").write_bytes(transaction.message)
    message = parsed(transaction.message)
    part = message.get_body(("html",))
    page = part.get_content() if part else f"<pre>{html.escape(text_of(message))}</pre>"
    path.with_suffix(".html").write_text(page, encoding="utf-8")
    return message


def parsed(octets: bytes) -> EmailMessage:
    return message_from_bytes(octets, EmailMessage, policy=default)


def text_of(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    # Not "if part": a part without header fields is false.
    return "" if part is None else "\n".join(part.get_content().splitlines())


def timed(work: Callable[[], Answer]) -> tuple[Answer, float]:
    """Return what `work` returns, and the seconds it took."""
    began_at = time.perf_counter()
    answer = work()
    return answer, time.perf_counter() - began_at


def say(line: str) -> None:
    print(line, flush=True)


def heading(text: str) -> None:
    say(f"\n{_BOLD}{text}{_PLAIN}")


def fact(name: str, value: str) -> None:
    say(f"  {name:12}{value}")


def said(who: str, reply: str) -> None:
    say(f"  {who + ':':26}{_BOLD}{reply}{_PLAIN}")


def quote(text: str) -> None:
    """Show what somebody else wrote; lines too long for the terminal are cut."""
    for line in text.splitlines() or [""]:
        room = _WIDTH - 4
        short = line if len(line) <= room else f"{line[: room - 1]}…"
        say(f"  {_FAINT}|{_PLAIN} {short}")


def megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1024**2:.1f} MB"


def shown(path: Path) -> str:
    """Return `path` as short as it may be where the reader stands."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
