"""Exports of lists as the tools write them: columns, separators, quotes, encodings; the people are made up."""

# ruff: noqa: E501 -- rows as long as the tools write them

from __future__ import annotations

import gzip
import io
import zipfile
from dataclasses import dataclass

__all__ = ["EXPORTS", "Export"]


@dataclass(frozen=True, slots=True)
class Export:
    """One file as a tool gives it.

    Attributes:
        name: Of the file.
        content: Its bytes.
        column: The one with the addresses.
        columns: Names of all columns.
        rows: How many contacts it has.
        others: Further columns in which addresses stand.
        delimiter: What stands between two cells.
        encoding: Of the file.
    """

    name: str
    content: bytes
    column: str
    columns: tuple[str, ...]
    rows: int
    others: tuple[str, ...] = ()
    delimiter: str = ","
    encoding: str = "utf-8"


def _table(text: str, separator: str) -> tuple[tuple[str, ...], int]:
    lines = text.strip().splitlines()
    return tuple(cell.strip('"') for cell in lines[0].split(separator)), len(lines) - 1


MAILCHIMP = '''\
"Email Address","First Name","Last Name",Address,"Phone Number",Birthday,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,LATITUDE,LONGITUDE,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,LAST_CHANGED,LEID,EUID,NOTES,TAGS
ada@shop.fr,Ada,Lovelace,"12 rue des Lilas, Paris",,12/10,4,"2024-03-01 10:11:12",192.0.2.7,"2024-03-01 10:11:12",192.0.2.7,48.8,2.3,1,2,Europe/Paris,FR,idf,"2025-01-02 09:00:00",184467,0a1b2c,,"""VIP"",""2024"""
bob@gmial.com,Bob,Babbage,,,,2,"2024-03-02 10:11:12",,"2024-03-02 10:11:12",192.0.2.8,,,,,,,,"2025-01-02 09:00:00",184468,0a1b2d,"called, no answer",
dora@gmail.com,Dora,,,,,1,,,"2024-03-03 10:11:12",192.0.2.9,,,,,,,,"2025-01-02 09:00:00",184469,0a1b2e,,
'''
BREVO = """\
CONTACT ID;EMAIL;LASTNAME;FIRSTNAME;SMS;WHATSAPP;EXT_ID;LANDLINE_NUMBER;OPT_IN;ADDED_TIME;MODIFIED_TIME
1;ada@shop.fr;Lovelace;Ada;33600000001;;;;Yes;01-03-2024 10:11:12;02-01-2025 09:00:00
2;bob@gmial.com;Babbage;Bob;;;;;No;02-03-2024 10:11:12;02-01-2025 09:00:00
3;;Sans;Adresse;33600000003;;;;No;03-03-2024 10:11:12;02-01-2025 09:00:00
4;élodie@société.fr;Été;Élodie;;;;;Yes;04-03-2024 10:11:12;02-01-2025 09:00:00
"""
MAILJET = """\
"email","name","subscribed","created_at","country","firstname"
"ada@shop.fr","Ada Lovelace","true","2024-03-01T10:11:12Z","FR","Ada"
"bob@gmial.com","","true","2024-03-02T10:11:12Z","","Bob"
"bob@gmial.com","Bob, again","false","2024-03-02T10:11:12Z","","Bob"
"""
SENDGRID = """\
"EMAIL","FIRST_NAME","LAST_NAME","ADDRESS_LINE_1","ADDRESS_LINE_2","CITY","STATE_PROVINCE_REGION","POSTAL_CODE","COUNTRY","ALTERNATE_EMAILS","PHONE_NUMBER","WHATSAPP","LINE","FACEBOOK","UNIQUE_NAME","CREATED_AT","UPDATED_AT","CONTACT_ID"
"ada@shop.fr","Ada","Lovelace","","","Paris","","75001","FR","[""ada2@shop.fr""]","","","","","","2024-03-01T10:11:12Z","2025-01-02T09:00:00Z","5f1c-01"
"bob@gmial.com","Bob","","","","","","","","[""bob@shop.fr""]","","","","","","2024-03-02T10:11:12Z","2025-01-02T09:00:00Z","5f1c-02"
"dora@gmail.com","Dora","","","","","","","","[]","","","","","","2024-03-03T10:11:12Z","2025-01-02T09:00:00Z","5f1c-03"
"""
DOLIST = """\
Email;Civilité;Prénom;Nom;Téléphone mobile;Date d'inscription;Statut;Département
ada@shop.fr;Mme;Ada;Lovelace;06 00 00 00 01;01/03/2024;Inscrit;75 - Paris
bob@gmial.com;M.;Bob;Babbage;;02/03/2024;Désinscrit;33 - Gironde
ada;Mme;Ada;Incomplète;;03/03/2024;NPAI;13 - Bouches-du-Rhône
"""
SENDETHIC = """\
Adresse e-mail\tPrénom\tNom\tMobile\tSegment\tDate de création\tSource
ada@shop.fr\tAda\tLovelace\t+33600000001\tFidèles\t2024-03-01 10:11:12\tSalon 2024
bob@gmial.com\tBob\tBabbage\t\tProspects\t2024-03-02 10:11:12\tFormulaire
Élodie <elodie@shop.fr>\tÉlodie\tÉté\t\tProspects\t2024-03-03 10:11:12\tImport
"""
HUBSPOT = """\
"Record ID","First Name","Last Name","Email","Phone Number","Contact owner","Last Activity Date (EST)","Lead Status","Marketing contact status","Create Date (EST)","Associated Company IDs","Associated Company","Additional email addresses"
"101","Ada","Lovelace","ada@shop.fr","+33 6 00 00 00 01","Grace Hopper (grace@ours.fr)","2025-01-02 09:00","Open","Marketing contact","2024-03-01 10:11","9001","Shop; Paris",""
"102","Bob","Babbage","bob@gmial.com","","Grace Hopper (grace@ours.fr)","","","Non-marketing contact","2024-03-02 10:11","","","bob@shop.fr;b2@shop.fr"
"103","Carl","NoMail","","","Grace Hopper (grace@ours.fr)","","","Non-marketing contact","2024-03-03 10:11","","",""
"""
OUTLOOK = """\
"First Name","Middle Name","Last Name","Company","Notes","E-mail Address","E-mail Type","E-mail Display Name","E-mail 2 Address","Categories"
"Ada","","Lovelace","Shop","line 1
line 2, with a comma","ada@shop.fr","SMTP","Ada Lovelace (ada@shop.fr)","","Clients"
"Bob","","Babbage","","","bob@gmial.com","SMTP","Bob (bob@gmial.com)","bob@shop.fr",""
"""
GOOGLE = """\
First Name,Middle Name,Last Name,Notes,Labels,E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Label,E-mail 2 - Value,Phone 1 - Value
Ada,,Lovelace,,* myContacts,* ,ada@shop.fr ::: ada2@shop.fr,,,+33 6 00 00 00 01
Bob,,Babbage,,* myContacts,* Work,bob@gmial.com,Home,bob@shop.fr,
"""


def _zip(name: str, text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return packed.getvalue()


def _made(  # noqa: PLR0913, PLR0917 -- what a file is
    name: str,
    text: str,
    content: bytes,
    column: str,
    separator: str,
    others: tuple[str, ...] = (),
    rows: int = 0,
) -> Export:
    columns, counted = _table(text, separator)
    encoding = (
        "utf-16" if content[:2] == b"\xff\xfe" else "utf-8-sig" if content[:3] == b"\xef\xbb\xbf" else "utf-8"
    )
    if b"Pr\xe9nom" in content:
        encoding = "cp1252"
    return Export(name, content, column, columns, rows or counted, others, separator, encoding)


EXPORTS = {
    "Mailchimp": _made(
        "audience_export_1a2b3c.zip",
        MAILCHIMP,
        _zip("subscribed_email_audience_export_1a2b3c.csv", MAILCHIMP),
        "Email Address",
        ",",
    ),
    "Brevo": _made("brevo_contacts.csv", BREVO, b"\xef\xbb\xbf" + BREVO.encode(), "EMAIL", ";"),
    "Mailjet": _made("mailjet_list.csv", MAILJET, MAILJET.replace("\n", "\r\n").encode(), "email", ","),
    "SendGrid": _made(
        "contacts.csv.gz", SENDGRID, gzip.compress(SENDGRID.encode()), "EMAIL", ",", ("ALTERNATE_EMAILS",)
    ),
    "Dolist": _made("Export Dolist.csv", DOLIST, DOLIST.replace("\n", "\r\n").encode("cp1252"), "Email", ";"),
    "Message Business": _made(
        "contacts.txt", SENDETHIC, SENDETHIC.replace("\n", "\r\n").encode("utf-16"), "Adresse e-mail", "\t"
    ),
    "HubSpot": _made(
        "all-contacts.csv",
        HUBSPOT,
        HUBSPOT.encode(),
        "Email",
        ",",
        ("Contact owner", "Additional email addresses"),
    ),
    "Outlook": _made(
        "outlook.csv",
        OUTLOOK,
        OUTLOOK.replace("\n", "\r\n").encode("utf-8-sig"),
        "E-mail Address",
        ",",
        ("E-mail Display Name", "E-mail 2 Address"),
        2,
    ),
    "Google Contacts": _made(
        "contacts.csv", GOOGLE, GOOGLE.encode(), "E-mail 1 - Value", ",", ("E-mail 2 - Value",)
    ),
}
"""Columns after each tool's help pages on exports, as far as they are public; the rest from general knowledge."""
