"""Tags of words: what is read, where they are learnt, how names are scored."""

import numpy as np
import pytest
import torch
from ftbench import Encoded, Ragged, UserError

from ftbench_plugins.text.conll import read_conll, sentence_lines
from ftbench_plugins.text.token_classification import TokenClassification, _first_tokens, _name_scores


def value(measurements, name):
    return next(m.value for m in measurements if m.name == name)


def test_half_of_the_names_right_is_a_half_though_most_words_are_right():
    truth, said = [["B-PER", "I-PER", "O", "B-LOC"]], [["B-PER", "I-PER", "O", "O"]]
    found = _name_scores(truth, said, "IOB2")
    assert value(found, "precision") == 1.0
    assert value(found, "recall") == 0.5
    assert value(_name_scores([["B-PER", "I-PER", "O", "B-LOC"]], [["B-PER", "O", "O", "B-LOC"]], "IOB2"), "f1") == 0.5


def test_a_name_that_begins_inside_itself_is_no_name():
    assert value(_name_scores([["B-PER", "I-PER"]], [["I-PER", "I-PER"]], "IOB2"), "f1") == 0.0


def test_where_nothing_is_named_and_nothing_is_said_the_score_is_zero():
    assert value(_name_scores([["O", "O"]], [["O", "O"]], "IOB2"), "f1") == 0.0


def test_the_first_token_of_a_word_has_its_tag_with_or_without_the_space_before_it():
    # "ab cde f": as WordPiece gives it, then as byte-level BPE does, whose tokens hold the space.
    words, tags = ["ab", "cde", "f"], [5, 6, 7]
    assert _first_tokens(words, [(0, 0), (0, 1), (1, 2), (3, 6), (7, 8), (0, 0)], tags) == [-100, 5, -100, 6, 7, -100]
    assert _first_tokens(words, [(0, 2), (2, 5), (5, 6), (6, 8)], tags) == [5, 6, -100, 7]


def test_a_conll_file_is_read_sentence_by_sentence(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text(
        "-DOCSTART- -X- O O\n\n# a comment\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n\nPeter NNP B-NP B-PER\n"
    )
    table = read_conll([path], "tokens", "tags")
    assert table.rows([0, 1], ["tokens", "tags"]) == [
        {"tokens": ["EU", "rejects"], "tags": ["B-ORG", "O"]},
        {"tokens": ["Peter"], "tags": ["B-PER"]},
    ]


@pytest.mark.parametrize("tab", [" ", "\t", "  ", " \t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_word_is_kept_whatever_it_is(tab, end, tmp_path):
    """Words that begin with `#` are words; only spaces and tabs separate, and only line ends end lines."""
    odd = ["#", "#tag", "##", "# ", "a\u00a0b", "\u2009", "x\u2028y", "\ufeff", '"', "-", "1-2", "\x0c", "\x85"]
    sentences = [[(word.strip(" "), "O"), ("Ada", "B-PER"), ("#", "B-PER"), ("#", "I-PER")] for word in odd]
    path = tmp_path / "a.conll"
    text = (end * 2).join(end.join(tab.join(pair) for pair in row) for row in sentences)
    path.write_bytes((text + end).encode())
    table = read_conll([path], "tokens", "tags")
    rows = table.rows(range(len(table)), ["tokens", "tags"])
    assert [list(zip(row["tokens"], row["tags"], strict=True)) for row in rows] == sentences
    assert list(sentence_lines(path)) == [1 + 5 * n for n in range(len(odd))]


@pytest.mark.parametrize(
    "comment",
    ["# sent_id = 1", "# text", "#id 7", "# id 1f4 domain=de x", "#", "# new sentence here", "#\n# two lines"],
)
@pytest.mark.parametrize("columns", [2, 4])
def test_comments_before_a_sentence_are_no_words(comment, columns, tmp_path):
    middle = " _" * (columns - 2)
    sentence = f"{comment}\n#{middle} O\nAda{middle} B-PER\n#{middle} B-PER\n"
    (tmp_path / "a.conll").write_text("\n".join([sentence] * 3))
    table = read_conll([tmp_path / "a.conll"], "tokens", "tags")
    assert table.rows([0, 2], ["tokens"]) == [{"tokens": ["#", "Ada", "#"]}] * 2


def test_universal_dependencies_have_forms_and_parts_of_speech(tmp_path):
    row = "{}\t{}\t_\t{}" + "\t_" * 6 + "\n"
    text = "# text = # vámonos al\n" + row.format(1, "#", "SYM") + row.format("2-3", "vámonos", "_")
    text += row.format(2, "vamos", "VERB") + row.format(3, "nos", "PRON") + row.format("3.1", "x", "X")
    (tmp_path / "a.conllu").write_text(text + "\n" + row.format(1, "New York", "PROPN"))
    table = read_conll([tmp_path / "a.conllu"], "tokens", "tags")
    assert table.rows([0, 1], ["tokens", "tags"]) == [
        {"tokens": ["#", "vamos", "nos"], "tags": ["SYM", "VERB", "PRON"]},
        {"tokens": ["New York"], "tags": ["PROPN"]},
    ]


def test_words_of_a_text_are_separated_by_spaces_only(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("tokens,tags\na\u00a0b  c\td,O B-X O\n")
    task = TokenClassification(str(path))
    assert task._sentences(task.named(["data-0"])) == [(["a\u00a0b", "c", "d"], ["O", "B-X", "O"])]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"EU B-ORG\nrejects\n", r"line 2: 'rejects' has no tag behind it"),
        (b"\n\n", "holds no sentence"),
        (b"EU B-ORG\nM\xfcnchen B-LOC\n", "not UTF-8 in line 2; save it as UTF-8"),
    ],
)
def test_a_broken_conll_file_is_told_in_one_line(text, message, tmp_path):
    (tmp_path / "a.conll").write_bytes(text)
    with pytest.raises(UserError, match=message):
        read_conll([tmp_path / "a.conll"], "tokens", "tags")


def write(path, rows):
    path.write_text("\n\n".join("\n".join(f"{word} {tag}" for word, tag in row) for row in rows))
    return TokenClassification(str(path))


def test_the_tags_are_those_of_the_data_o_first(tmp_path):
    task = write(tmp_path / "a.conll", [[("a", "I-B"), ("b", "B-B")], [("c", "O"), ("d", "B-A")]])
    assert task.classes == ("O", "B-A", "B-B", "I-B")


def test_tags_of_another_scheme_are_refused(tmp_path):
    task = write(tmp_path / "a.conll", [[("a", "NOUN"), ("b", "VERB")]])
    with pytest.raises(UserError, match="scheme: 'NOUN' is no tag of IOB2"):
        _ = task.classes
    assert TokenClassification(task.data, scheme="words").classes == ("NOUN", "VERB")


def test_words_without_their_tags_are_told_with_their_row(tmp_path, catalog, model_folder):
    path = tmp_path / "a.jsonl"
    path.write_text('{"tokens": ["a", "b"], "tags": ["O", "B-X"]}\n{"tokens": ["a", "b"], "tags": ["O"]}\n')
    task = TokenClassification(str(path))
    processor = catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))}).load_processor()
    with pytest.raises(UserError, match="row 2: 2 words and 1 tags"):
        task.encode(task.named(["data-0", "data-1"]), processor)


def test_words_that_were_cut_off_count_as_outside(tmp_path, catalog, model_folder):
    task = write(tmp_path / "a.conll", [[("a", "O"), ("b", "B-X")]] * 2 + [[(letter, "B-X") for letter in "abcdefgh"]])
    task.max_length = 6
    processor = catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))}).load_processor()
    encoded = task.encode(task.named(["data-2"]), processor)
    answers = [np.eye(2, dtype=np.float32)[[1, 1, 1, 1]]]
    scored = task.score(answers, encoded)
    assert scored.predictions[0]["prediction"] == ["B-X"] * 4 + ["O"] * 4
    assert value(scored.measurements, "recall") == 0.5
    assert value(scored.measurements, "token_accuracy") == 0.5


def test_the_loss_is_the_mean_over_words_whatever_the_batch():
    task = TokenClassification("nothing")
    labels = torch.tensor([[-100, 1, 0, -100], [-100, 1, -100, -100]])
    logits = torch.randn(2, 4, 2)
    outputs = type("Output", (), {"logits": logits})
    whole = task.loss(outputs, {"labels": labels})
    parts = [
        (type("Output", (), {"logits": logits[row : row + 1]}), {"labels": labels[row : row + 1]}) for row in range(2)
    ]
    weights = [task.terms(batch) for _, batch in parts]
    assert weights == [2, 1]
    assert torch.allclose(
        whole, sum(weight * task.loss(out, batch) for weight, (out, batch) in zip(weights, parts, strict=True)) / 3
    )
    by_hand = -torch.log_softmax(logits, -1)[[0, 0, 1], [1, 2, 1], [1, 0, 1]].mean()
    assert torch.allclose(whole, by_hand)


@pytest.mark.parametrize("scheme", ["IOB2", "words"])
def test_what_a_sentence_adds_is_what_the_score_lacks_without_it(scheme, tmp_path):
    names = ("O", "B-A", "I-A", "B-B", "I-B")
    rng = np.random.default_rng(0)
    tags = [[(letter, names[rng.integers(5)]) for letter in "abcdef"] for _ in range(12)]
    task = TokenClassification(write(tmp_path / "a.conll", tags).data, labels=names, scheme=scheme)
    wanted = [[names.index(tag) for _, tag in sentence] for sentence in tags]
    logits = [
        np.eye(5, dtype=np.float32)[[tag if rng.random() < 0.6 else rng.integers(5) for tag in row]] for row in wanted
    ]

    def score(rows):
        encoded = Encoded(
            {},
            Ragged.of([wanted[row] for row in rows], padding=-100),
            tuple(f"data-{row}" for row in rows),
            np.ones(len(rows)),
        )
        return task.score([logits[row] for row in rows], encoded)

    whole = score(range(12))
    for left in range(12):
        without = value(score([row for row in range(12) if row != left]).measurements, "f1")
        assert whole.predictions[left]["f1"] == pytest.approx(
            12 * value(whole.measurements, "f1") - 11 * without, abs=1e-5
        )


def test_single_words_are_scored_by_their_tags(tmp_path):
    task = TokenClassification(
        write(tmp_path / "a.conll", [[("a", "NOUN"), ("b", "VERB"), ("c", "NOUN")]]).data, scheme="words"
    )
    encoded = Encoded({}, Ragged.of([[0, 1, 0]], padding=-100), ("data-0",), np.ones(1))
    scored = task.score([np.eye(2, dtype=np.float32)[[0, 0, 0]]], encoded)
    assert value(scored.measurements, "f1") == pytest.approx((0.8 + 0.0) / 2)
