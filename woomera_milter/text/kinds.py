"""Kinds of files: what people call them, by which extensions their names end, and which types they have.

A closed table of our own: what a host's mime.types says must change neither a name nor what is told.
"""

# What people call it | its extensions | its types. Of several, a file is given the first.
_TABLE = """
AutoCAD drawing        | dwg | image/vnd.dwg application/acad application/x-acad image/x-dwg
AutoCAD drawing        | dxf | image/vnd.dxf application/dxf image/x-dxf
calendar entry         | ics vcs ifb | text/calendar application/ics text/x-vcalendar
compressed file        | gz bz2 xz zst | application/gzip application/x-gzip application/x-bzip2
contact card           | vcf | text/vcard text/x-vcard text/directory
delivery report        | txt | message/delivery-status
email headers          | txt | text/rfc822-headers
email message          | eml | message/rfc822 message/global
Excel workbook         | xls xlt | application/vnd.ms-excel application/x-excel
Excel workbook         | xls | application/msexcel application/excel
Excel workbook         | xlsx xltx | application/vnd.openxmlformats-officedocument.spreadsheetml.sheet
Excel workbook         | xlsb | application/vnd.ms-excel.sheet.binary.macroenabled.12
reference to a file elsewhere | txt | message/external-body
piece of a message     | eml | message/partial
Excel workbook with macros | xlsm xltm | application/vnd.ms-excel.sheet.macroenabled.12
file                   | bin | application/octet-stream application/x-octet-stream application/octetstream
file                   | bin | binary/octet-stream application/binary application/unknown
file                   | bin | application/download application/x-download application/force-download
file                   | bin | application/x-force-download application/save application/file
font                   | ttf otf woff woff2 | font/ttf font/otf font/woff font/woff2 application/font-woff
JSON data              | json | application/json
Mac file information (resource fork) | applefile | application/applefile
Outlook message        | msg | application/vnd.ms-outlook
Outlook's own form of formatting and attachments | dat | application/ms-tnef application/vnd.ms-tnef
PDF document           | pdf | application/pdf application/x-pdf application/acrobat text/pdf
PGP file               | asc gpg pgp | application/pgp-encrypted
PGP key                | key | application/pgp-keys
PGP signature          | asc sig | application/pgp-signature
picture                | avif | image/avif
picture                | bmp dib | image/bmp image/x-ms-bmp image/x-bmp image/x-windows-bmp
picture                | gif | image/gif
picture                | heic heif | image/heic image/heif
picture                | jpg jpeg jpe jfif pjpeg | image/jpeg image/jpg image/pjpeg image/x-jpeg image/x-jpg
picture                | png | image/png image/x-png image/apng
picture                | svg svgz | image/svg+xml image/svg
picture                | tif tiff | image/tiff image/tif image/x-tiff
picture                | webp | image/webp
picture                | emf wmf | image/emf image/x-emf image/wmf image/x-wmf
picture                | ico | image/vnd.microsoft.icon image/x-icon
picture (Photoshop)    | psd | image/vnd.adobe.photoshop application/x-photoshop
PowerPoint presentation | ppt pps pot | application/vnd.ms-powerpoint application/mspowerpoint
PowerPoint presentation | pptx | application/vnd.openxmlformats-officedocument.presentationml.presentation
PowerPoint presentation | ppsx | application/vnd.openxmlformats-officedocument.presentationml.slideshow
PowerPoint presentation with macros | pptm ppsm | application/vnd.ms-powerpoint.presentation.macroenabled.12
presentation           | odp | application/vnd.oasis.opendocument.presentation
drawing                | odg | application/vnd.oasis.opendocument.graphics
plain text             | txt text log | text/plain
read receipt           | txt | message/disposition-notification
signature (S/MIME)     | p7s | application/pkcs7-signature application/x-pkcs7-signature
signed or encrypted envelope | p7m p7c | application/pkcs7-mime application/x-pkcs7-mime
certificate            | cer crt der | application/pkix-cert application/x-x509-ca-cert
certificate with a key | p12 pfx | application/x-pkcs12 application/pkcs12
sound                  | mp3 | audio/mpeg audio/mp3 audio/x-mp3
sound                  | m4a | audio/mp4 audio/x-m4a
sound                  | wav | audio/wav audio/x-wav audio/wave audio/vnd.wave
sound                  | ogg oga opus | audio/ogg audio/opus
sound                  | amr | audio/amr
sound                  | flac | audio/flac audio/x-flac
spreadsheet            | ods | application/vnd.oasis.opendocument.spreadsheet
table (CSV)            | csv | text/csv text/comma-separated-values application/csv text/x-csv
table (tabs)           | tsv | text/tab-separated-values
TAR archive            | tar | application/x-tar
TAR archive            | tgz tbz txz | application/x-compressed-tar application/x-gtar
7-Zip archive          | 7z | application/x-7z-compressed
RAR archive            | rar | application/vnd.rar application/x-rar-compressed application/x-rar
text document          | odt | application/vnd.oasis.opendocument.text
text document          | rtf | application/rtf text/rtf application/x-rtf
video                  | mp4 m4v | video/mp4 video/x-m4v
video                  | mov qt | video/quicktime
video                  | mpg mpeg | video/mpeg
video                  | webm | video/webm
video                  | avi | video/x-msvideo video/avi
video                  | 3gp | video/3gpp
video                  | wmv | video/x-ms-wmv
video                  | mkv | video/x-matroska
web page               | html htm | text/html application/xhtml+xml
web page for AMP       | html | text/x-amp-html
Word document          | doc dot | application/msword application/x-msword application/vnd.ms-word
Word document          | docx dotx | application/vnd.openxmlformats-officedocument.wordprocessingml.document
Word document with macros | docm dotm | application/vnd.ms-word.document.macroenabled.12
XML data               | xml | text/xml application/xml
ZIP archive            | zip | application/zip application/x-zip-compressed application/x-zip
Windows program        | exe | application/vnd.microsoft.portable-executable application/x-msdownload
electronic book        | epub | application/epub+zip
"""

_KINDS: dict[str, str] = {}
_FIRST_TYPES: dict[str, str] = {}
_EXTENSIONS: dict[str, str] = {}
_TYPES: dict[str, str] = {}
_firsts: dict[tuple[str, ...], str] = {}
for _row in _TABLE.strip().splitlines():
    _kind, _extensions, _types = (cell.split() for cell in _row.split("|"))
    # Rows that begin alike are one row, too long for a line.
    _first = _firsts.setdefault((*_kind, _extensions[0]), _types[0])
    for _type in _types:
        _KINDS[_type] = " ".join(_kind)
        _FIRST_TYPES[_type] = _first
        _EXTENSIONS[_type] = "." + _extensions[0]
    for _extension in _extensions:
        _TYPES.setdefault(_extension, _types[0])
# Extensions that more than one row has, or that say too little, and so tell no type.
_TYPES |= {"txt": "text/plain", "html": "text/html"}
del _TYPES["bin"], _TYPES["dat"], _TYPES["key"]

_FAMILIES = {"audio": "sound", "font": "font", "image": "picture", "video": "video"}


ALL_KINDS = sorted({*_KINDS.values(), *_FAMILIES.values()})
"""What files are called, for the catalogues."""


def kind_of(content_type: str) -> str:
    """What people call a file of this type; "" where they have no name for it."""
    return _KINDS.get(content_type) or _FAMILIES.get(content_type.partition("/")[0], "")


def usual_type(content_type: str) -> str:
    """The type that others, old or wrong, are synonyms of; "" for one that is not in the table."""
    return _FIRST_TYPES.get(content_type, "")


def extension_of(content_type: str) -> str:
    """The extension, with its dot, of a file of this type; "" where it is not known."""
    return _EXTENSIONS.get(content_type, "")


def type_of(file_name: str) -> str:
    """The type of a file with this name, by its extension; "" where that tells none."""
    stem, dot, extension = file_name.rstrip(". ").rpartition(".")
    return _TYPES.get(extension.lower(), "") if stem and dot else ""
