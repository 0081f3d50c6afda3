"""The message of the demo: a letter with a PDF and photographs, large as such mails are, the same each time.

The photographs are drawn: ridges in the haze under a sky, with the grain of a real camera, which is what
makes a JPEG large.
"""

import io
import random
import time
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from itertools import pairwise

from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageOps

SENDER = "jane.field@example.com"
RECIPIENTS = ("tom.harbour@example.org", "survey@example.org")

_PHOTOGRAPH_PIXELS = (4000, 2667)
_DOTS_PER_INCH = 300
_PAGE_PIXELS = (2480, 3508)  # A4
_PAGE_MARGIN = 260
_PDF_MADE_AT = time.struct_time((2026, 11, 24, 9, 0, 0, 1, 328, 0))
_GRAIN = 0.159

_LETTER = """\
Dear Tom,

here is the survey of the north ridge: the report, and the photographs in
full size, as you asked. The path above the second hut has gone, so the
route in chapter 2 is new. May it go to the printer on Friday?

Kind regards
Jane
"""
_REPORT = """\
North ridge: survey of the footpaths

1. Summary

The ridge was walked on two days in dry weather, from the lower car park to the
third hut and back. Of nine stretches seven are as they were last year. One needs
new steps, and one, above the second hut, is gone.

2. The new route

From the second hut the path now follows the stream for 400 metres, crosses it on
the old stone bridge and climbs through the larches to the saddle. It is a quarter
of an hour longer than the old one, and needs no ropes.

3. Work to be done

Steps: 32, of larch, between marks 14 and 15. Signs: five, at the two huts, at the
bridge and at both ends of the closed stretch. The bridge bears what it has to.

The photographs on the next pages were taken from marks 6, 14 and 21.
"""


@dataclass(frozen=True, slots=True)
class _Light:
    """The colours of a photograph: the sky from its top to the horizon, and the nearest ridge."""

    name: str
    sky: str
    horizon: str
    ridge: str


_LIGHTS = (
    _Light("dawn.jpg", "#35507c", "#f6c9a0", "#1c2430"),
    _Light("noon.jpg", "#3f7fc4", "#dcebf2", "#22402f"),
    _Light("evening.jpg", "#463a68", "#f29a6b", "#1e1826"),
)


def make(sent_at: datetime) -> EmailMessage:
    """Return the message, some 25 MB on the wire."""
    photographs = [_photograph(light, seed) for seed, light in enumerate(_LIGHTS)]
    message = EmailMessage(policy=SMTP)
    message["From"] = f"Jane Field <{SENDER}>"
    message["To"] = f"Tom Harbour <{RECIPIENTS[0]}>"
    message["Cc"] = RECIPIENTS[1]
    message["Subject"] = "Survey of the north ridge: report and photographs"
    message["Date"] = format_datetime(sent_at)
    message["Message-ID"] = f"<{sent_at:%Y%m%d%H%M%S}.ridge@example.com>"
    message.set_content(_LETTER)
    message.add_attachment(
        _pdf(photographs), maintype="application", subtype="pdf", filename="North ridge, survey.pdf"
    )
    for light, photograph in zip(_LIGHTS, photographs, strict=True):
        data = _encoded(photograph, "JPEG", quality=95, subsampling=0)
        message.add_attachment(data, maintype="image", subtype="jpeg", filename=light.name)
    message.set_boundary("=_survey_of_the_north_ridge")
    return message


def _photograph(light: _Light, seed: int) -> Image.Image:
    chance = random.Random(seed)
    width, height = _PHOTOGRAPH_PIXELS
    sky = ImageOps.colorize(Image.linear_gradient("L"), black=light.sky, white=light.horizon)
    picture = Image.new("RGB", _PHOTOGRAPH_PIXELS, light.horizon)
    picture.paste(sky.resize((width, height * 11 // 20)))
    draw = ImageDraw.Draw(picture)
    haze, near = (Image.new("RGB", (1, 1), colour) for colour in (light.horizon, light.ridge))
    ridges = 6
    for number in range(1, ridges + 1):
        nearness = (number / ridges) ** 1.4
        colour = Image.blend(haze, near, nearness).getpixel((0, 0))
        skyline = _skyline(chance, width, steepness=0.12 + 0.2 * nearness)
        base = height * (0.43 + 0.085 * number)
        draw.polygon([(0, height), *((x, base - y) for x, y in enumerate(skyline)), (width, height)], colour)
    return ImageChops.multiply(picture, _grain(chance))


def _skyline(chance: random.Random, width: int, steepness: float) -> list[float]:
    """Return heights for `width` columns: a line broken in the middle again and again."""
    heights = [chance.uniform(-0.5, 0.5) for _ in range(5)]
    swing = 1.0
    while len(heights) < width:
        swing *= 0.54
        finer = heights[:1]
        for left, right in pairwise(heights):
            finer += [(left + right) / 2 + chance.uniform(-swing, swing), right]
        heights = finer
    return [height * steepness * width / 4 for height in heights[:width]]


def _grain(chance: random.Random) -> Image.Image:
    """Return near-white noise, another for each colour, as a sensor's is."""
    width, height = _PHOTOGRAPH_PIXELS
    noise = Image.frombytes("RGB", _PHOTOGRAPH_PIXELS, chance.randbytes(width * height * 3))
    return Image.blend(Image.new("RGB", _PHOTOGRAPH_PIXELS, "white"), noise, _GRAIN)


def _pdf(photographs: list[Image.Image]) -> bytes:
    """Return the report: a page of text, then a page for each photograph."""
    return _encoded(
        _text_page(),
        "PDF",
        save_all=True,
        append_images=photographs,
        resolution=_DOTS_PER_INCH,
        quality=90,
        title=_REPORT.splitlines()[0],
        creationDate=_PDF_MADE_AT,
        modDate=_PDF_MADE_AT,
    )


def _text_page() -> Image.Image:
    page = Image.new("RGB", _PAGE_PIXELS, "white")
    heading, body = _REPORT.split("\n", 1)
    draw = ImageDraw.Draw(page)
    draw.text((_PAGE_MARGIN, _PAGE_MARGIN), heading, "black", ImageFont.load_default(80))
    corner = (_PAGE_MARGIN, _PAGE_MARGIN + 150)
    draw.multiline_text(corner, body, "#222222", ImageFont.load_default(50), spacing=26)
    return page


def _encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    data = io.BytesIO()
    picture.save(data, kind, **options)
    return data.getvalue()
