"""Zone files, for recorded and made-up answers."""

from __future__ import annotations

__all__ = ["zone_records"]


def zone_records(text: str) -> dict[str, dict[str, list[str]]]:
    r"""Return the records of a zone file as name → kind → texts, names without the last dot.

    >>> zone = "$ORIGIN shop.fr.\n@ 60 IN SOA ns h 1 1 1 1 1\n@ 60 IN NS ns\n@ 60 IN MX 10 mx"
    >>> zone_records(zone)["shop.fr"]["MX"]
    ['10 mx.shop.fr']
    """
    import dns.rdatatype  # noqa: PLC0415 -- slow to import
    import dns.zone  # noqa: PLC0415 -- slow to import

    zone = dns.zone.from_text(text, relativize=False, check_origin=False)
    records: dict[str, dict[str, list[str]]] = {}
    for name, found in zone.iterate_rdatasets():
        kinds = records.setdefault(name.to_text(omit_final_dot=True).lower(), {})
        kinds[dns.rdatatype.to_text(found.rdtype)] = [record.to_text().removesuffix(".") for record in found]
    return records
