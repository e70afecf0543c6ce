"""Reports of others: who sends as the flows' domains, told by receivers."""

from __future__ import annotations

import gzip
import zipfile
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.zones import SEPARATE, Setup, clean
from mailflows.audit import AuditReport, audit, read_reports
from mailflows.audit._aggregates import DmarcReports
from mailflows.testing import FakeDns

Row = tuple[str, int, bool, str]


def report(*rows: Row, org: str = "receiver.example", number: str = "1", head: str = "") -> str:
    """Return an aggregate report with a row for each (address, count, whether it passed, From domain)."""
    records = "".join(
        f"<record><row><source_ip>{ip}</source_ip><count>{count}</count><policy_evaluated><disposition>none"
        f"</disposition><dkim>{'pass' if passed else 'fail'}</dkim><spf>fail</spf></policy_evaluated></row>"
        f"<identifiers><header_from>{domain}</header_from></identifiers>"
        f"<auth_results><spf><domain>x.example</domain><result>pass</result></spf></auth_results></record>"
        for ip, count, passed, domain in rows
    )
    return (
        f'<?xml version="1.0"?>{head}<feedback><report_metadata><org_name>{org}</org_name><report_id>{number}'
        "</report_id><date_range><begin>1780272000</begin><end>1780358399</end></date_range>"
        "</report_metadata><policy_published><domain>firm.example</domain><p>none</p></policy_published>"
        f"{records}</feedback>"
    )


OWN = ("198.51.100.20", 900, True, "firm-news.example")
ODD = ("203.0.113.77", 40, True, "firm-news.example")


def _audit(tmp_path: Path, *rows: Row, setup: Setup | None = None) -> AuditReport:
    setup = setup or clean(SEPARATE)
    path = tmp_path / "report.xml"
    path.write_text(report(*rows), "utf-8")
    return audit(setup.flows(), resolver=FakeDns(setup.records), reports=read_reports(path))


def test_own_mail_that_passes_is_no_finding(tmp_path: Path) -> None:
    """Declared sources whose mail passes have nothing to answer for."""
    assert _audit(tmp_path, OWN).codes == ()


def test_an_undeclared_sender_is_told(tmp_path: Path) -> None:
    """Whoever passes as a flow's domain from elsewhere is shown, with how much."""
    found = _audit(tmp_path, OWN, ODD)
    assert found.codes == ("reports-undeclared-sender",)
    assert "40 messages as firm-news.example" in found.findings[0].sentence
    assert "203.0.113.77" in found.findings[0].sentence


def test_a_provider_in_the_spf_record_is_declared(tmp_path: Path) -> None:
    """What a flow's SPF record lets send is its own."""
    setup = clean(SEPARATE)
    setup.put("bounces.firm-news.example", "TXT", "v=spf1 ip4:198.51.100.20 ip4:203.0.113.64/26 -all")
    assert "reports-undeclared-sender" not in _audit(tmp_path, OWN, ODD, setup=setup).codes


def test_own_mail_that_fails_is_an_error(tmp_path: Path) -> None:
    """A declared source whose mail fails DMARC loses it."""
    found = _audit(tmp_path, ("198.51.100.20", 30, False, "firm-news.example"))
    assert found.codes == ("reports-failing-source",)
    assert not found.ok


def test_one_message_is_one_message(tmp_path: Path) -> None:
    """A single message from a single address is told in the singular."""
    found = _audit(tmp_path, ("192.0.2.50", 1, False, "firm.example"))
    assert found.findings[0].sentence.startswith("1 message as firm.example from 1 other IP address failed")


def test_forgers_are_counted_not_accused(tmp_path: Path) -> None:
    """Mail that fails from elsewhere is what DMARC is for."""
    found = _audit(tmp_path, *((f"192.0.2.{n}", 3, False, "firm.example") for n in range(50, 60)))
    assert found.codes == ("reports-forged",)
    assert "30 messages as firm.example from 10 other IP addresses failed DMARC" in found.findings[0].sentence
    assert found.ok


def test_a_sub_domain_of_no_flow_is_told(tmp_path: Path) -> None:
    """Who sends as a subdomain that no flow declares belongs to no flow, and is shown."""
    found = _audit(tmp_path, ("192.0.2.99", 12, True, "shop.firm.example"))
    assert found.codes == ("reports-undeclared-sender",)
    assert found.findings[0].flows == ()


def test_domains_of_others_are_left_out(tmp_path: Path) -> None:
    """A report about somebody else's domain says nothing about these flows."""
    assert _audit(tmp_path, ("192.0.2.99", 12, True, "other.example")).codes == ()


def test_a_bulk_sender_is_known_over_all_flows(tmp_path: Path) -> None:
    """Flows below one organisation count together; flows of separate domains do not."""
    rows = [
        ("192.0.2.10", 2_000, True, "firm.example"),
        ("192.0.2.10", 3_100, True, "news.firm.example"),
    ]
    setup = clean({"professional": "firm.example", "marketing": "news.firm.example"})
    assert "reports-bulk-sender" in _audit(tmp_path, *rows, setup=setup).codes
    apart = [("192.0.2.10", 2_000, True, "firm.example"), ("198.51.100.20", 3_100, True, "firm-news.example")]
    assert "reports-bulk-sender" not in _audit(tmp_path, *apart).codes


def test_neighbours_are_told_together(tmp_path: Path) -> None:
    """Hosts of one provider are one finding, not a page."""
    found = _audit(tmp_path, *((f"203.0.113.{n}", 5, True, "firm.example") for n in range(100, 130)))
    assert len(found.findings) == 1
    assert "30 addresses of 203.0.113.0/24" in found.findings[0].sentence


def _mail(content: bytes, name: str) -> bytes:
    message = EmailMessage()
    message["Subject"] = "Report domain: firm.example"
    message.set_content("attached")
    message.add_attachment(content, maintype="application", subtype="gzip", filename=name)
    return message.as_bytes()


def _zipped(content: bytes) -> bytes:
    held = BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("report.xml", content)
        archive.writestr("readme.txt", "nothing")
    return held.getvalue()


def test_every_packing_is_read_and_a_copy_counts_once(tmp_path: Path) -> None:
    """XML, gzip, zip and the message that carried it hold the same report, so it counts once."""
    content = report(OWN).encode()
    for name, packed in {
        "a.xml": content,
        "b.xml.gz": gzip.compress(content),
        "c.zip": _zipped(content),
        "d.eml": _mail(gzip.compress(content), "r.xml.gz"),
        "e.xml": report(ODD, number="2").encode("utf-16"),
    }.items():
        (tmp_path / name).write_bytes(packed)
        assert len(read_reports(tmp_path / name).rows) == 1 or name == "e.xml"
    found = read_reports(tmp_path)
    assert found.reports == 1
    assert found.rows[0].count == 900
    assert found.rows[0].day.isoformat() == "2026-06-01"


def test_the_newer_format_has_a_namespace(tmp_path: Path) -> None:
    """RFC 9990 puts the elements into a namespace; they are the same."""
    path = tmp_path / "r.xml"
    text = report(OWN).replace("<feedback>", '<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">')
    path.write_text(text, "utf-8")
    assert read_reports(path).rows[0].ip == OWN[0]


BOMB = '<!DOCTYPE feedback [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
FETCH = '<!DOCTYPE feedback SYSTEM "http://192.0.2.1/report.dtd">'


@pytest.mark.parametrize(
    "content",
    [
        report(OWN, head=BOMB).encode(),
        report(OWN, head=FETCH).encode(),
        report(OWN).encode()[:-40],
        b"<html><body>not found</body></html>",
        b"PK\x03\x04 broken",
        b"\x1f\x8b\x08 broken",
        b"",
        b"%PDF-1.7",
        b"<a>" * 200,
        gzip.compress(b"<" + b"a" * 60_000_000),
    ],
)
def test_what_is_no_report_is_said(tmp_path: Path, content: bytes) -> None:
    """Entities, damage and other files are refused with a word, and the rest is read."""
    (tmp_path / "bad").write_bytes(content)
    (tmp_path / "good.xml").write_text(report(OWN), "utf-8")
    found = read_reports(tmp_path)
    assert [text.partition(":")[0] for text in found.unread] == ["bad"]
    assert found.reports == 1
    setup = clean(SEPARATE)
    assert "reports-unreadable" in audit(setup.flows(), resolver=FakeDns({}), reports=found).codes


def test_an_address_that_is_none_says_nothing(tmp_path: Path) -> None:
    """A row without an address or a count is left out."""
    path = tmp_path / "r.xml"
    path.write_text(report(("somewhere", 3, True, "firm.example"), OWN), "utf-8")
    assert [row.ip for row in read_reports(path).rows] == [OWN[0]]


@pytest.mark.property
@given(st.binary(max_size=400))
def test_any_file_is_read_or_told(content: bytes) -> None:
    """Any bytes are a report or are said to be none."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        found = read_reports(path)
    assert isinstance(found, DmarcReports)
    assert found.reports == 0
    assert len(found.unread) == 1


def test_reports_can_be_shown_and_stored(tmp_path: Path) -> None:
    """Reports are a table of who sent, and plain data."""
    path = tmp_path / "r.xml"
    path.write_text(report(OWN, ODD), "utf-8")
    found = read_reports(path)
    assert str(found).splitlines()[-1].split() == ["firm-news.example", "203.0.113.77", "passed", "40"]
    assert found.to_dict()["rows"][0]["day"] == "2026-06-01"
    assert "203.0.113.77" in found._repr_html_()
    assert str(read_reports()) == "0 reports, no messages"
