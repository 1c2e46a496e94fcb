"""A trace drawn: nothing is lost, and nothing in it is obeyed."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from eft_integrations import Engine, viz
from eft_integrations.viz.pieces import shown, signs
from tests.viz.traces import said

EVIL = said(
    ("tuned", "<script>alert(1)</script>"),
    ("base", ' "quoted" & {{ 7 * 7 }}\n'),
    ("nobody", "\x1b[31m\u202e\x00"),
    ("mixture", "\t\n\nend "),
    end=True,
)
VOID = {"meta", "hr"}


class Page(HTMLParser):
    """The page's elements, and the texts of those of one class."""

    def __init__(self, source: str, wanted: str, without: str = "card") -> None:
        super().__init__()
        self.wanted, self.without = wanted, without
        self.open: list[tuple[str, set[str]]] = []
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(source)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.found.append((tag, given))
        if tag not in VOID:
            self.open.append((tag, set(given.get("class", "").split())))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        classes: set[str] = set().union(*(names for _, names in self.open))
        if self.wanted in classes and self.without not in classes:
            self.text += data


def test_the_answer_can_be_copied_from_the_page() -> None:
    assert Page(viz.html(EVIL), "answer").text == shown(EVIL.text)


def test_an_answer_of_the_engine_can_be_copied_too(engine: Engine) -> None:
    told = viz.trace(engine, "Who?", temperature=1.5, seed=3, max_tokens=50)
    assert Page(viz.html(told), "answer").text == shown(told.text)


def test_nothing_in_the_page_is_run_or_fetched() -> None:
    page = Page(viz.html(EVIL, title="</title><img src=x onerror=y>"), "answer")
    assert not {tag for tag, _ in page.found} & {"script", "img", "link", "iframe", "form", "base"}
    for _, attributes in page.found:
        assert not any(name.startswith("on") or name == "src" for name in attributes)
        assert attributes.get("href", "#").startswith("#")
        assert "url(" not in attributes.get("style", "")
    assert "default-src 'none'" in viz.html(EVIL)


def test_no_control_character_reaches_page_or_terminal() -> None:
    drawn = viz.html(EVIL) + viz.terminal(EVIL).plain + viz.terminal(EVIL, is_plain=True).plain
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", drawn)
    assert "⟨U+001B⟩" in drawn


def test_every_token_has_a_card_a_bar_and_a_row() -> None:
    page = Page(viz.html(EVIL), "card", without="")
    identities = {attributes.get("id") for _, attributes in page.found}
    links = {attributes.get("href") for _, attributes in page.found}
    rows = sum(tag == "tr" for tag, _ in page.found)
    assert rows == len(EVIL.tokens) + 1
    for index in range(len(EVIL.tokens)):
        assert {f"t{index}", f"c{index}"} <= identities
        assert f"#t{index}" in links
    assert all(name in page.text for name in ("mixture", "base", "tuned", "reference", "else"))


def test_a_page_of_no_tokens_is_a_page() -> None:
    assert Page(viz.html(said()), "answer").text == ""


def test_the_terminal_shows_the_text_and_one_style_a_speaker() -> None:
    told = said(("tuned", "Sure,"), ("common", " it is"), ("base", " Rome"), ("nobody", " zx"))
    text = viz.terminal(told)
    assert text.plain == told.text
    styles = {text.plain[span.start : span.end]: str(span.style) for span in text.spans}
    assert len(set(styles.values())) == len(styles)
    assert {"Sure,", "Rome", "zx"} <= set(styles)


def test_plain_text_marks_neighbours_of_one_speaker_together() -> None:
    told = said(
        ("tuned", "Sure"), ("tuned", ", "), ("common", "it is"), ("base", " Rome"), end=True
    )
    assert viz.terminal(told, is_plain=True).plain == "[tuned: Sure,] it is [base: Rome]■"


def test_the_legend_names_whoever_has_a_share() -> None:
    told = said(("tuned", "Sure"), ("common", "it"), ("nobody", "zx"))
    lines = viz.legend(told, is_plain=True).plain.splitlines()
    assert [line.split()[0].strip("[]:") for line in lines] == [
        "common",
        "base",
        "tuned",
        "nobody",
    ]


@pytest.mark.parametrize("is_plain", [True, False])
def test_the_table_has_the_tokens_that_stand_apart(is_plain: bool) -> None:
    told = said(("common", "it"), ("base", " Rome"), ("tuned", "Sure"))
    console = Console(width=100)
    with console.capture() as captured:
        console.print(viz.table(told, 2, is_plain=is_plain))
    drawn = captured.get()
    assert "␣Rome" in drawn
    assert "Sure" in drawn
    assert " it " not in drawn
    assert "<b>else" in drawn
    assert drawn.startswith("+--") == is_plain


def test_a_narrow_terminal_keeps_every_number_and_name() -> None:
    told = said(("base", " Constantinople"), ("tuned", "Certainly"))
    by_role = {**told.tokens[0].by_role, "a[red]": -0.02}
    tokens = tuple(replace(token, by_role=by_role) for token in told.tokens)
    coefficients = {**told.coefficients, "a[red]": 0.5}
    names = ("tuned", "a[red]")
    two = replace(told, tuned=names, tokens=tokens, coefficients=coefficients)
    console = Console(width=80)
    with console.capture() as captured:
        console.print(viz.table(two))
    drawn = captured.get()
    # What might have been said instead gives way, and nothing else does.
    assert all("…" not in line.rpartition(" │ ")[0] for line in drawn.splitlines())
    assert max(map(len, drawn.splitlines())) <= 80
    for word in ("a[red]", "␣Constantinople", "98 %", "mixture"):
        assert word in drawn


@pytest.mark.parametrize(
    ("text", "label"),
    [(" word", "␣word"), ("  ", "␣␣"), ("a b ", "a b␣"), ("\n\t", "↵⇥"), ("\r", "⟨U+000D⟩")]
    + [(char, f"⟨U+{ord(char):04X}⟩") for char in "\u200b\ufeff\u2060\u00ad\u00a0"],
)
def test_white_space_has_signs(text: str, label: str) -> None:
    assert signs(text) == label
