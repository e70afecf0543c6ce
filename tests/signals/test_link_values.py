"""What links show, at the places where a signal begins and ends."""

from __future__ import annotations

import pytest

from signal_rows import page, running, shown, told


def linked(*targets: str, sender: str = "a@shop.co.uk") -> dict[str, float]:
    """Return the signals of some links that stand in a text of two hundred words."""
    anchors = "".join(f'<a href="{target}">mill</a> ' for target in targets)
    head, body = page(anchors, running(200 - len(targets)))
    return shown("links", f"From: {sender}", "Subject: x", head, body=body)


def _hosts(count: int) -> tuple[str, ...]:
    return tuple(f"https://a{number}.example/" for number in range(count))


def _paths(count: int, path: str = "p") -> tuple[str, ...]:
    return tuple(f"https://shop.co.uk/{path}/{number}" for number in range(count))


COUNTS = {
    _paths(1): "one",
    _paths(2): "few",
    _paths(3): "few",
    _paths(4): "",
    _paths(5): "many=0.25 dense=0.333",
    _paths(10): "many=0.5 dense=0.333",
    _paths(11): "many=0.5 dense=0.667",
    _paths(20): "many=0.75 dense=0.667",
    _paths(22): "many=0.75 dense",
    _paths(40): "many dense",
    _paths(1) * 2: "one repeated=0.333",
    _paths(1) * 3: "one repeated=0.333",
    _paths(1) * 4: "one repeated=0.667",
    _paths(1) * 9: "one repeated dense=0.333",
}


@pytest.mark.parametrize(("targets", "row"), COUNTS.items())
def test_links_are_counted(targets: tuple[str, ...], row: str) -> None:
    """How many there are, for how much text, and how many lead to the same place."""
    found = linked(*targets)
    assert found.pop("own-share") == 1
    assert found == told(row)


DOMAINS = {
    _hosts(1): "one",
    _hosts(2): "few domains=0.25",
    _hosts(3): "few domains=0.5",
    _hosts(4): "domains=0.5",
    _hosts(5): "domains=0.75 many=0.25 dense=0.333",
    _hosts(8): "domains many=0.25 dense=0.333",
    ("https://www.a.example/1", "https://b.a.example/2"): "few",
    ("https://facebook.com/x",): "one social=0.5",
    ("https://facebook.com/x", "https://x.com/a"): "few domains=0.25 social",
    ("https://facebook.com/x", "https://x.com/a", "https://www.youtube.com/a"): (
        "few domains=0.5 social social-block"
    ),
}


@pytest.mark.parametrize(("targets", "row"), DOMAINS.items())
def test_the_domains_of_links_are_counted(targets: tuple[str, ...], row: str) -> None:
    """Hosts of one owner are one, and social networks are known."""
    assert linked(*targets) == told(f"foreign {row}")


def test_some_links_may_be_the_senders_own() -> None:
    """A share of them; without a sender, none is."""
    mixed = ("https://shop.co.uk/1", "https://www.shop.co.uk/2", "https://a.example/")
    assert linked(*mixed) == told("few domains=0.25 own-share=0.667")
    assert "foreign" in linked(*mixed, sender="")


TOKEN = "0" * 40
REDIRECTS = {
    "https://click.a.example/": True,
    "https://click2.a.example/": True,
    "https://clicky.a.example/": False,
    "https://a.list-manage.com/": True,
    f"https://a.example/ls/{TOKEN}": True,
    f"https://a.example/LS?upn={TOKEN}": True,
    f"https://a.example/b/ls/{TOKEN}": False,
    f"https://a.example/{TOKEN}": False,
    f"https://{TOKEN}.example/ls/": False,
    "https://a.example/ls/" + "0" * 16: False,
    "https://a.example/ls/" + "0" * 17: True,
    "https://a.example": False,
}


@pytest.mark.parametrize(("target", "is_redirect"), REDIRECTS.items())
def test_a_click_counter_is_told_by_its_address(target: str, is_redirect: bool) -> None:  # noqa: FBT001 -- a case
    """By its host, by its provider, or by a step of the path with a long token behind it."""
    assert linked(target).get("tracking-share", 0) == is_redirect


PURPOSES = {
    "https://a.example/?utm_source=mill": "utm-share",
    "https://a.example/utm_source": "",
    "https://a.example/unsubscribe": "unsubscribe",
    "https://a.example/opt-out": "unsubscribe",
    "https://a.example/preferences": "preferences",
    "https://a.example/view-in-browser": "browser-view",
    "https://a.example/reset": "action one-action",
    "https://a.example/orders/1": "object",
    "https://play.google.com/a": "app-stores",
    "https://apps.apple.com/a": "app-stores",
    "https://a.example/" + "1" * 136 + "/reset": "action one-action",
    "https://a.example/" + "1" * 137 + "/reset": "",
}


@pytest.mark.parametrize(("target", "row"), PURPOSES.items())
def test_a_link_shows_what_it_is_for(target: str, row: str) -> None:
    """By the words at the beginning of its address; behind that come tokens."""
    assert linked(target) == told(f"one foreign {row}")


def test_one_action_is_that_of_few_links() -> None:
    """More than three links serve more than one action."""
    assert linked(*_paths(3, "reset")) == told("few action one-action own-share")
    assert linked(*_paths(4, "reset")) == told("action own-share")


def test_a_share_of_links_carries_campaign_parameters() -> None:
    """Each link counts once."""
    assert linked("https://shop.co.uk/?utm_source=a&utm_medium=b", "https://shop.co.uk/2") == told(
        "few own-share utm-share=0.5"
    )


def test_both_ends_of_very_many_links_are_looked_at() -> None:
    """Of more than sixty, half from each end."""
    around = [f"https://shop.co.uk/{number}" for number in range(60)]
    wanted = "https://shop.co.uk/unsubscribe"
    places = {at: "unsubscribe" in linked(*around[:at], wanted, *around[at:]) for at in (0, 29, 30, 31, 60)}
    assert places == {0: True, 29: True, 30: False, 31: True, 60: True}


TEXTS = {
    "See https://a.example/b and https://b.example/d": "few dense=0.667 domains=0.25 foreign in-text-only",
    "See www.a.example": "none",
    "See ftp://a.example/b": "none",
    "Hello": "none",
}


@pytest.mark.parametrize(("text", "row"), TEXTS.items())
def test_links_of_a_plain_text_are_read(text: str, row: str) -> None:
    """Where there is no HTML, and only with their scheme."""
    assert shown("links", "From: a@shop.example", "Subject: x", body=text) == told(row)


def _drawn(*styles: str) -> str:
    return "".join(f'<a href="https://a.example/{at}" {style}>x</a>' for at, style in enumerate(styles))


DRAWN = {
    '<a href="MAILTO:a@shop.example?subject=x">x</a>': "none mail-to mail-to-sender",
    '<a href="mailto:b@shop.example">x</a>': "none mail-to",
    '<a href="HTTPS://shop.example/">x</a>': "one own-share dense=0.333",
    '<a href="https://shop.example/"><img src=a></a>': "one own-share dense=0.667 images-share",
    _drawn("class=btn", "", "", ""): "buttons=0.333 one-button foreign dense",
    _drawn("class=btn", "class=btn", "", ""): "buttons=0.667 foreign dense",
    _drawn(*["class=btn"] * 4): "buttons foreign dense",
}


@pytest.mark.parametrize(("anchors", "row"), DRAWN.items())
def test_how_links_are_drawn_is_measured(anchors: str, row: str) -> None:
    """As addresses to write to, as images, as buttons."""
    head, body = page(anchors)
    assert shown("links", "From: a@shop.example", "Subject: x", head, body=body) == told(row)


def test_without_a_sender_no_link_writes_to_it() -> None:
    """An address that begins like nothing is not the sender's."""
    head, body = page('<a href="mailto:b@shop.example">x</a>')
    assert shown("links", "Subject: x", head, body=body) == told("none mail-to")
