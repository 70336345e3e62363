"""Random changes of texts: their statistics, what they leave as it is, and files of synonyms that are wrong."""

from collections import Counter

import numpy as np
import pytest
from ftbench import UserError

from ftbench_plugins.text.augmentations.random_deletion import RandomDeletion
from ftbench_plugins.text.augmentations.random_swap import RandomSwap
from ftbench_plugins.text.augmentations.synonym_replacement import SynonymReplacement
from ftbench_plugins.text.augmentations.thesaurus import read_thesaurus
from ftbench_plugins.text.augmentations.typos import Typos, neighbours

WORDS = [f"word{number}" for number in range(50)]
TEXT = " ".join(WORDS)


def test_each_word_is_deleted_with_the_chance_that_was_asked_for_and_the_order_stays():
    rng = np.random.default_rng(0)
    made = RandomDeletion(share=0.2)
    texts = [made.rewrite(TEXT, rng).split() for _ in range(400)]
    kept = sum(map(len, texts))
    total = 400 * len(WORDS)
    assert abs(kept - 0.8 * total) < 3 * np.sqrt(total * 0.2 * 0.8)
    assert all(words == sorted(words, key=WORDS.index) for words in texts)


def test_a_text_never_becomes_empty_and_one_word_is_left_alone():
    rng = np.random.default_rng(0)
    made = RandomDeletion(share=0.99)
    assert {len(made.rewrite("one two three", rng).split()) for _ in range(200)} <= {1, 2, 3}
    assert {made.rewrite("one two three", rng) for _ in range(200)} >= {"one", "two", "three"}
    for alone in ("word", "", "  "):
        assert made.rewrite(alone, rng) == RandomSwap().rewrite(alone, rng) == alone


def test_a_swap_keeps_all_words_and_moves_as_many_as_were_asked_for():
    rng = np.random.default_rng(0)
    for _ in range(50):
        words = RandomSwap(share=0.04).rewrite(TEXT, rng).split()
        assert Counter(words) == Counter(WORDS)
        # Two swaps move two to four words, or put the first swap right again.
        assert sum(a != b for a, b in zip(words, WORDS, strict=True)) in {0, 2, 3, 4}
    moved = [RandomSwap(share=0.01).rewrite("a b c", rng) for _ in range(600)]
    assert set(moved) == {"b a c", "c b a", "a c b"}
    assert all(abs(count - 200) < 3 * np.sqrt(600 * 2 / 9) for count in Counter(moved).values())


def test_a_typo_hits_the_key_beside_or_turns_two_letters_round():
    rng = np.random.default_rng(0)
    assert neighbours("qwerty")["s"] == "adewxz"
    assert neighbours("qwertz")["y"] == "asx"
    assert neighbours("azerty")["q"] == "aswz"
    line = "Sphinx of black QUARTZ, judge my vow 42!"
    changed = total = 0
    for _ in range(400):
        found = Typos(share=0.1, kinds=("neighbour",)).rewrite(line, rng)
        for before, after in zip(line, found, strict=True):
            total += before.isalpha()
            changed += before != after
            assert before == after or (
                after.lower() in neighbours("qwerty")[before.lower()] and after.isupper() == before.isupper()
            )
    assert abs(changed - 0.1 * total) < 3 * np.sqrt(total * 0.1 * 0.9)
    for _ in range(100):
        found = Typos(share=0.3, kinds=("swap",)).rewrite(line, rng)
        assert Counter(found) == Counter(line)
        assert [c for c in found if not c.isalpha()] == [c for c in line if not c.isalpha()]
    assert Typos(share=1.0, kinds=("swap",)).rewrite("abcd", rng) == "badc"


def test_letters_of_other_alphabets_have_no_neighbours():
    assert Typos(share=1.0, kinds=("neighbour",)).rewrite("Жßé 東京", np.random.default_rng(0)) == "Жßé 東京"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("s.tsv", "big\tlarge\tgreat\nquick\tfast\n\n"),
        ("s.csv", 'big,large,great\nquick,"fast"\nBIG,large\n'),
        ("s.json", '{"big": ["large", "great"], "quick": ["fast", "Quick"], "odd": []}'),
    ],
)
def test_synonyms_come_from_tables_of_three_kinds(name, content, tmp_path):
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read_thesaurus(tmp_path / name) == {"big": ("large", "great"), "quick": ("fast",)}


def test_synonyms_stand_where_the_words_stood_with_their_signs_and_capitals(tmp_path):
    (tmp_path / "s.tsv").write_text("big\tlarge\tgreat\nquick\tfast\n", encoding="utf-8-sig")
    made = SynonymReplacement(file=str(tmp_path / "s.tsv"), share=1.0)
    rng = np.random.default_rng(0)
    found = {made.rewrite('A "Big", (quick) dog!', rng) for _ in range(50)}
    assert found == {'A "Large", (fast) dog!', 'A "Great", (fast) dog!'}
    assert made.rewrite("nothing known  here", rng) == "nothing known  here"
    one = SynonymReplacement(file=str(tmp_path / "s.tsv"), share=0.1)
    for _ in range(20):
        assert (
            sum(
                a != b
                for a, b in zip(one.rewrite("big quick big x", rng).split(), ["big", "quick", "big", "x"], strict=True)
            )
            == 1
        )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.tsv", None, "no such file"),
        ("s.doc", b"big\tlarge", "must end in .tsv, .csv or .json"),
        ("s.tsv", b"", "holds no word with a synonym"),
        ("s.tsv", b"big\t\xff", "not UTF-8 at byte 4"),
        ("s.tsv", b"big\tlarge\nquick,fast\n", "line 2: needs a word and at least one synonym, with tabs between"),
        ("s.csv", b",large\n", "line 1: needs a word"),
        ("s.json", b"", "holds no word with a synonym"),
        ("s.json", b"{", "not JSON"),
        ("s.json", b'["big"]', "must be a table of words and lists of synonyms"),
        ("s.json", b'{"big": "large"}', "must be a table of words and lists of synonyms"),
    ],
)
def test_a_file_of_synonyms_that_is_wrong_is_one_line(name, content, message, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as raised:
        SynonymReplacement(file=str(tmp_path / name)).fingerprint()
    (line,) = raised.value.mistakes
    assert line.startswith(f"file: {tmp_path / name}: ")
    assert message in line


def test_both_texts_of_a_pair_are_changed():
    first, second = RandomDeletion(share=0.5).change((TEXT, TEXT), np.random.default_rng(0))
    assert first != TEXT
    assert second != TEXT
    assert first != second
