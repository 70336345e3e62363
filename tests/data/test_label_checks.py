"""Labels are checked as training will read them: bad rows are counted and named, and nothing is a false alarm."""

import csv
import json

import pytest
from ftbench import UserError
from ftbench.data.checks import check_data
from ftbench.data.label_checks import spellings

from tests.data.test_checks import sentence


@pytest.mark.parametrize(
    "names",
    [
        ["-1", "0", "1"],
        ["−1", "+1"],
        ["A+", "A−", "A", "B+", "B-"],
        ["C", "C++", "C#"],
        ["★", "★★", "★★★"],
        ["1.5", "15", "1-5"],
        [":)", ":(", ":-)"],
        [str(n) for n in range(10)],
        ["a<b", "a>b", "a=b"],
        ["resume", "résumé"],
        ["NN", "NNS", "NNP", ".", ",", "''", "``"],
    ],
)
def test_signs_and_letters_that_carry_meaning_are_no_second_spelling(names):
    assert spellings(names) == []


@pytest.mark.parametrize(
    "names",
    [
        ["café", "cafe\u0301"],
        ["yes", "Yes", "YES "],
        ["not spam", "not-spam", "not_spam", "Not Spam."],
        ["spam", "spam\u200b"],
        ["spam", "ｓｐａｍ"],
        ["no\u00a0answer", "no answer"],
        ["straße", "STRASSE"],
        ["pos", "positive"],
    ],
)
def test_names_that_look_alike_are_one_spelling_too_many(names):
    assert spellings([*names, "other"]) == [names]


@pytest.fixture
def look(catalog, tmp_path, model_folder):
    """Check rows, given as dicts, as a task reads them; return kind → flaw."""
    backbone = catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))})

    def check(use, rows, name="rows.jsonl", **options):
        path = tmp_path / name
        if path.suffix == ".csv":
            with path.open("w", newline="") as stream:
                writer = csv.DictWriter(stream, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        elif path.suffix == ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        else:
            path.write_text(rows)
        task = catalog.build("tasks", use, {"data": str(path), **options})
        return {flaw.kind: flaw for flaw in check_data(task, backbone, 0, catalog.options(task))}

    return check


def only(found, kind):
    """Return severity, count and examples of the only flaw that is not a note or a cut."""
    assert kind in found, list(found)
    return found[kind].severity, found[kind].count, list(found[kind].examples)


def numbers(*bad):
    return [{"text": sentence(n), "score": str(n / 10)} for n in range(60)] + [
        {"text": sentence(100 + n), "score": cell} for n, cell in enumerate(bad)
    ]


def test_targets_that_are_no_numbers_are_counted_and_three_are_shown(look):
    found = look("text-regression", numbers("N/A", "?", "inf", "1e99", "12 %"), "rows.csv")
    assert only(found, "target is no number") == (
        "error",
        5,
        ["rows.csv line 62: 'N/A'", "rows.csv line 63: '?'", "rows.csv line 64: 'inf'"],
    )


def test_decimal_commas_are_named_as_such(look):
    found = look("text-regression", numbers("3,5", "1.234,5", "-0,25"), "rows.csv")
    assert only(found, "number with a decimal comma")[:2] == ("error", 3)
    assert "target is no number" not in found
    assert look("text-regression", numbers(), "good.csv") == {}


def test_targets_that_no_network_reaches_are_a_warning_with_a_factor(look):
    prices = [{"text": sentence(n), "score": str(150_000 + 2_500 * n)} for n in range(60)]
    flaw = look("text-regression", prices, "rows.csv")["targets far from 1"]
    assert flaw.severity == "warning"
    assert "divide them by 100,000" in flaw.advice
    scaled = [{**row, "score": str(int(row["score"]) / 100_000)} for row in prices]
    assert look("text-regression", scaled, "scaled.csv") == {}
    same = [{**row, "score": "3"} for row in prices]
    assert "target is the same in all rows" in look("text-regression", same, "same.csv")


def test_answers_that_are_not_where_they_should_be_are_named_with_the_right_place(look):
    context = "the cat sat on the mat and the dog lay on the rug"
    good = [
        {"question": f"{n}?", "context": f"{context} {n}", "answers": {"text": ["cat"], "answer_start": [4]}}
        for n in range(30)
    ]
    bad = [
        {"text": ["dog"], "answer_start": [32]},
        {"text": ["cow"], "answer_start": [0]},
        {"text": [], "answer_start": []},
        {"answer": "cat"},
    ]
    rows = [*good, *({"question": f"b{n}?", "context": context, "answers": cell} for n, cell in enumerate(bad))]
    found = look("question-answering", rows, max_length=64)
    assert only(found, "answer is not at its position in the text") == (
        "error",
        2,
        ["rows.jsonl line 31: 'dog' is at character 31, not at 32", "rows.jsonl line 32: 'cow' is nowhere, not at 0"],
    )
    assert only(found, "question without an answer")[:2] == ("error", 2)
    assert "question without an answer" not in look("question-answering", rows, unanswerable=True)
    assert "inputs" not in " ".join(look("question-answering", good, "good.jsonl", max_length=64))


def test_answers_given_as_texts_must_be_in_the_text(look):
    rows = [{"question": f"{n}?", "context": f"a cat {n}", "answers": "cat"} for n in range(30)]
    rows[4]["answers"] = "Cat"
    found = look("question-answering", rows)
    assert only(found, "answer is not in the text") == ("error", 1, ["rows.jsonl line 5: 'Cat'"])
    for row in rows:
        row["answers"], row["from"] = "cat", "two"
    assert only(look("question-answering", rows, start="from"), "answer of another form")[:2] == ("error", 30)


TAGGED = [(["Ann", "met", "Bob", "in", "New", "York"], ["B-P", "O", "B-P", "O", "B-L", "I-L"])] * 3


def conll(sentences):
    return "\n".join("".join(f"{word} {tag}\n" for word, tag in zip(*one, strict=True)) for one in sentences)


def in_scheme(number, *tags):
    words = sentence(number).split()[: len(tags)]
    return words, list(tags)


def test_tags_of_another_scheme_are_refused_and_the_scheme_is_named(look):
    sentences = [in_scheme(n, "I-PER", "O", "I-PER", "B-PER", "I-LOC") for n in range(40)]
    found = look("token-classification", conll(sentences), "rows.conll")
    severity, count, examples = only(found, "tags do not follow the scheme")
    assert (severity, count, examples[0]) == ("error", 40, "rows.conll line 1: 'I-PER' after 'O'")
    assert 'scheme = "IOB1"' in found["tags do not follow the scheme"].advice
    assert "tags do not follow the scheme" not in look(
        "token-classification", conll(sentences), "rows.conll", scheme="IOB1"
    )
    assert "tags do not follow the scheme" not in look(
        "token-classification", conll(sentences), "rows.conll", scheme="words"
    )


def test_a_few_sentences_that_follow_no_scheme_are_a_warning(look):
    sentences = [in_scheme(n, "B-PER", "I-PER", "O", "B-LOC", "B-LOC") for n in range(60)]
    sentences[7] = in_scheme(70, "O", "I-LOC", "I-PER", "O", "B-PER")
    found = look("token-classification", conll(sentences), "rows.conll")
    assert only(found, "tags do not follow the scheme")[:2] == ("warning", 1)
    broken = [in_scheme(n, "B-PER", "I-LOC", "O", "B-LOC", "I-PER") for n in range(60)]
    assert only(look("token-classification", conll(broken), "b.conll"), "tags do not follow the scheme")[0] == "error"


def test_prefixes_of_another_scheme_are_refused_and_the_scheme_is_named(look):
    sentences = [in_scheme(n, "B-PER", "E-PER", "O", "S-LOC") for n in range(30)]
    with pytest.raises(UserError, match=r"'.-...' is no tag of IOB2; .* follow IOBES: scheme = \"IOBES\""):
        look("token-classification", conll(sentences), "rows.conll")


def test_words_and_tags_that_do_not_match_are_named(look):
    rows = [{"tokens": ["a", "b", str(n)], "tags": ["O", "B-X", "O"]} for n in range(30)]
    rows[3]["tags"] = ["O", "B-X"]
    rows[5]["tokens"], rows[5]["tags"] = "['a', 'b']", "['O', 'B-X']"
    found = look("token-classification", rows, scheme="words")
    assert only(found, "words and tags differ in number") == ("error", 1, ["rows.jsonl line 4: 3 words, 2 tags"])
    assert only(found, "list of words or tags written as text")[:2] == ("error", 1)
    found = look("token-classification", rows[:3] + rows[6:], "known.jsonl", labels=["O", "B-Y"])
    assert only(found, "tag not among labels")[:2] == ("error", 27)


def test_choices_and_their_labels_are_checked(look):
    rows = [{"question": f"{n}?", "choices": ["x", "y", str(n)], "label": "A"} for n in range(30)]
    rows[2]["label"], rows[4]["choices"] = "E", ["x"]
    found = look("multiple-choice", rows)
    assert only(found, "label is none of the choices") == ("error", 1, ["rows.jsonl line 3: 'E'"])
    assert only(found, "choices differ in number") == (
        "error",
        1,
        ["rows.jsonl line 5: 1 choices, 3 in the first row"],
    )


def test_classes_that_are_not_among_the_labels_are_counted(look):
    rows = [{"text": sentence(n), "labels": ["a", "b"]} for n in range(30)]
    rows[2]["labels"], rows[3]["labels"] = ["a", "c"], ["c", "d"]
    found = look("multi-label-text-classification", rows, labels=["a", "b"])
    assert only(found, "class not among labels")[:2] == ("error", 2)
    rows = [{"text": sentence(n), "label": "abcab"[n % 5]} for n in range(30)]
    with pytest.raises(UserError, match=r"the data contain 'c' in 6 rows, not among a, b"):
        look("text-classification", rows, labels=["a", "b"])


def test_a_chat_is_no_text(look):
    chat = [{"role": "user", "content": "hello"}]
    rows = [{"text": sentence(n), "label": "ab"[n % 2]} for n in range(30)]
    rows[3]["text"] = chat
    assert "input is no text" not in look(
        "text-classification", [{**row, "text": str(n)} for n, row in enumerate(rows)]
    )
    found = look("text-classification", [{**row, "text": chat} for row in rows])
    assert only(found, "input is no text")[:2] == ("error", 30)
    for written in (str(chat), json.dumps(chat)):
        rows[3]["text"] = written
        found = look("text-classification", rows)
        assert only(found, "input is a list or an object written as text")[:2] == ("warning", 1)
    rows[3]["text"] = "[sic] {{citation needed}} [1]"
    assert "input is a list or an object written as text" not in look("text-classification", rows)


@pytest.mark.parametrize(
    ("train", "test", "classes"),
    [
        (["0", "1"], ["0.0", "1.0"], ("0", "1")),
        (["1", "2", "3"], ["1.00", "+2", "3."], ("1", "2", "3")),
        (["-1", "0", "1"], ["-1.0", "-0", "1e0"], ("-1", "0", "1")),
        (["1", "none"], ["1.0", "none"], ("1", "none")),
        (["v1.0", "v1"], ["v1.0", "v1"], ("v1", "v1.0")),
        (["9007199254740993", "9007199254740992"], ["9007199254740993"] * 2, ("9007199254740992", "9007199254740993")),
    ],
)
def test_numbers_that_are_equal_are_one_class(catalog, tmp_path, train, test, classes):
    for name, labels, offset in (("train", train, 0), ("test", test, 500)):
        with (tmp_path / f"{name}.csv").open("w", newline="") as stream:
            rows = [(sentence(offset + n), labels[n % len(labels)]) for n in range(40)]
            csv.writer(stream).writerows([("text", "label"), *rows])
    task = catalog.build("tasks", "text-classification", {"data": str(tmp_path)})
    assert task.classes == classes
    splits = task.splits(0)
    assert {example.label for example in splits.test} <= {example.label for example in splits.train}
    given = catalog.build("tasks", "text-classification", {"data": str(tmp_path), "labels": list(classes)})
    assert [e.label for e in given.splits(0).test] == [e.label for e in splits.test]
