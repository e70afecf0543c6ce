"""Turn readable drafts into the raw messages of the open corpus.

A draft file is UTF-8 text and holds any number of messages, so that a person can write a message
in a language and read it again, whatever charset and transfer encoding it is sent in:

    @@@ professional/outlook/fr-compte-rendu.eml | lang=fr | confuser=0 | kind=minutes | note=...
    From: Claire Fabre <c.fabre@atelier-fabre.fr>
    Subject: Compte rendu
    MIME-Version: 1.0

    @@ alternative
    @@ text charset=iso-8859-1 encoding=quoted-printable
    Bonjour,
    @@ html charset=utf-8 encoding=base64
    <p>Bonjour,</p>
    @@ end
    @@ file type=application/pdf name="Plan d'étage.pdf"
    %PDF-1.4

Headers are written as they stand, in order; a header that is not ASCII becomes an RFC 2047 word in
the charset of the first text part (``!charset=utf-8 !word=b`` after the metadata choose another).
``mixed``, ``alternative`` and ``related`` open a multipart, ``end`` closes it; at the top they may
stay open. ``boundary=`` names the tool's own boundary. ``encoding`` is one of 7bit, 8bit,
quoted-printable and base64; ``flowed=1`` adds format=flowed. ``dress=gmail`` leaves headers and
markup to `dresses.py`: text follows instead of parts.

Usage: python tasks/compose_messages.py DRAFT... [--into corpus] [--manifest rows.tsv]
"""

from __future__ import annotations

import argparse
import base64
import quopri
import re
import shlex
import sys
from dataclasses import dataclass, field
from email.header import Header
from pathlib import Path

from dresses import dressed

CONTAINERS = ("mixed", "alternative", "related", "report")
COLUMNS = ("file", "label", "family", "lang", "confuser", "kind", "note")


@dataclass(slots=True)
class Part:
    """One node of a message: a container with children, or a leaf with text."""

    kind: str
    options: dict[str, str]
    lines: list[str] = field(default_factory=list)
    children: list[Part] = field(default_factory=list)


def split_messages(text: str) -> list[tuple[dict[str, str], list[str]]]:
    """Cut a draft file at its ``@@@`` lines into (metadata, lines) pairs."""
    messages: list[tuple[dict[str, str], list[str]]] = []
    for line in text.split("\n"):
        if line.startswith("@@@"):
            path, *pairs = [piece.strip() for piece in line[3:].split("|")]
            messages.append(({"file": path} | dict(p.split("=", 1) for p in pairs if p), []))
        elif messages:
            messages[-1][1].append(line)
        elif line.strip():
            raise SystemExit(f"text before the first @@@ line: {line!r}")
    return messages


def read_parts(lines: list[str]) -> list[Part]:
    """Build the tree of parts from the lines under the headers."""
    root = Part("root", {})
    open_parts = [root]
    leaf: Part | None = None
    for line in lines:
        if not line.startswith("@@ "):
            if leaf is not None:
                leaf.lines.append(line)
            elif line.strip():
                raise SystemExit(f"text outside a part: {line!r}")
            continue
        kind, *words = shlex.split(line[3:])
        options = dict(word.split("=", 1) for word in words)
        leaf = None
        if kind == "end":
            open_parts.pop()
            continue
        part = Part(kind, options)
        open_parts[-1].children.append(part)
        if kind in CONTAINERS:
            open_parts.append(part)
        else:
            leaf = part
    return root.children


def body_bytes(part: Part) -> tuple[str, bytes]:
    """Return the transfer encoding and the encoded bytes of a leaf."""
    charset = part.options.get("charset", "utf-8")
    text = "\n".join(part.lines).strip("\n") + "\n"
    is_file = part.kind == "file"
    encoding = part.options.get("encoding", "base64" if is_file else "8bit")
    raw = text.encode("utf-8" if is_file else charset)
    if encoding == "base64":
        return encoding, base64.encodebytes(raw.replace(b"\n", b"\r\n"))
    if encoding == "quoted-printable":
        return encoding, quopri.encodestring(raw)
    if encoding == "7bit":
        raw.decode("ascii" if not charset.lower().startswith("iso-2022") else charset)
    return encoding, raw


def encode_part(part: Part, number: str) -> tuple[list[str], bytes]:
    """Return the MIME header lines and the body of a part and its children."""
    if part.kind in CONTAINERS:
        boundary = part.options.get("boundary", f"----=_Part_{number}_{len(part.children)}7")
        body = b""
        for index, child in enumerate(part.children):
            headers, content = encode_part(child, f"{number}{index}")
            head = "".join(h + "\n" for h in headers).encode()
            body += f"--{boundary}\n".encode() + head + b"\n" + content.rstrip(b"\n") + b"\n\n"
        extra = "; report-type=delivery-status" if part.kind == "report" else ""
        return [f'Content-Type: multipart/{part.kind}{extra}; boundary="{boundary}"'], (
            body + f"--{boundary}--\n".encode()
        )
    encoding, content = body_bytes(part)
    return [*leaf_headers(part), f"Content-Transfer-Encoding: {encoding}"], content


def leaf_headers(part: Part) -> list[str]:
    """Return Content-Type and, for a file, Content-Disposition."""
    options = part.options
    if part.kind == "file":
        name = encode_words(options.get("name", "file"), "utf-8", "b")
        where = options.get("disposition", "attachment")
        cid = [f"Content-ID: <{options['cid']}>"] if "cid" in options else []
        return [
            f'Content-Type: {options.get("type", "application/octet-stream")}; name="{name}"',
            f'Content-Disposition: {where}; filename="{name}"',
            *cid,
        ]
    subtype = {"text": "plain", "html": "html", "calendar": "calendar"}.get(part.kind, part.kind)
    extra = "; format=flowed" if options.get("flowed") else ""
    extra += f"; method={options['method']}" if "method" in options else ""
    return [f"Content-Type: text/{subtype}; charset={options.get('charset', 'utf-8')}{extra}"]


def encode_words(value: str, charset: str, word: str) -> str:
    """Encode the non-ASCII words of a header value (RFC 2047)."""
    if value.isascii():
        return value
    address = re.fullmatch(r'\s*"?([^"<]*?)"?\s*(<[^>]*>)\s*', value)
    if address:
        return f"{encode_words(address[1], charset, word)} {address[2]}"
    if word == "q":
        header = Header(value, charset, maxlinelen=70)
        encoded = header.encode()
        return encoded if "?q?" in encoded.lower() else encode_words(value, charset, "b")
    size = 30 if charset.lower() in {"utf-8", "iso-2022-jp"} else 40
    step = 12 if any(ord(c) > 0x2FF for c in value) else size
    pieces = [value[i : i + step] for i in range(0, len(value), step)]
    coded = (base64.b64encode(piece.encode(charset)).decode() for piece in pieces)
    return "\n ".join(f"=?{charset}?B?{c}?=" for c in coded)


def compose(meta: dict[str, str], lines: list[str]) -> bytes:
    """Return the raw bytes of one drafted message."""
    while lines and not lines[0].strip():
        lines = lines[1:]
    blank = next(i for i, line in enumerate(lines) if not line.strip())
    headers, rest = lines[:blank], lines[blank:]
    if "dress" in meta:
        headers, rest = dressed(headers, rest[1:], meta["dress"], meta.get("lang", "en"))
    parts = read_parts(rest)
    if not parts:
        raise SystemExit(f"{meta['file']}: no part")
    root = parts[0] if len(parts) == 1 else Part("mixed", {}, children=parts)
    charset = meta.get("!charset") or next(
        (p.options["charset"] for p in walk(root) if "charset" in p.options), "utf-8"
    )
    if charset.lower() == "us-ascii":
        charset = "utf-8"
    head = "\n".join(
        line if line[:1] in " \t" else encode_header(line, charset, meta.get("!word", "q"))
        for line in headers
    )
    mime, body = encode_part(root, f"{abs(hash_of(meta['file'])) % 10**8}")
    return f"{head}\n{chr(10).join(mime)}\n\n".encode() + body


def encode_header(line: str, charset: str, word: str) -> str:
    """Encode one header line, each address of a list on its own."""
    name, _, value = line.partition(":")
    if name.lower() in {"to", "cc", "from", "reply-to"}:
        addresses = re.split(r',(?=(?:[^"]*"[^"]*")*[^"]*$)', value)
        pieces = [encode_words(v.strip(), charset, word) for v in addresses]
        return f"{name}: {', '.join(pieces)}"
    return f"{name}: {encode_words(value.strip(), charset, word)}"


def walk(part: Part) -> list[Part]:
    """Return a part and everything under it."""
    return [part, *(p for child in part.children for p in walk(child))]


def hash_of(text: str) -> int:
    """Return a number that is the same in every run (Python's own hash is not)."""
    return int.from_bytes(text.encode()[-6:], "big")


def main() -> int:
    """Write every drafted message and, on request, its manifest rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("drafts", nargs="+", type=Path)
    parser.add_argument("--into", type=Path, default=Path("corpus"))
    parser.add_argument("--manifest", type=Path, help="write the rows of these drafts here")
    args = parser.parse_args()
    rows = []
    failed = 0
    for draft in args.drafts:
        for meta, lines in split_messages(draft.read_text("utf-8")):
            try:
                raw = compose(meta, lines)
            except (SystemExit, StopIteration, UnicodeError, ValueError, LookupError) as problem:
                print(f"{draft}: {meta['file']}: {problem!r}", file=sys.stderr)
                failed += 1
                continue
            target = args.into / meta["file"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(raw)
            label, family, _ = meta["file"].split("/")
            values = meta | {"label": label, "family": family}
            rows.append("\t".join(values.get(c, "").replace("\t", " ") for c in COLUMNS))
    if args.manifest:
        args.manifest.write_text("\t".join(COLUMNS) + "\n" + "\n".join(sorted(rows)) + "\n")
    print(f"{len(rows)} messages written, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
