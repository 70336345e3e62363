"""Answers that are pieces of a text: windows, places, scores."""

import json

import numpy as np
import pytest
from ftbench import Ragged, UserError

from ftbench_plugins.text.answer_scores import best_scores, exact_match, normalised, shared_words
from ftbench_plugins.text.pieces import LENGTHS, OFFSETS
from ftbench_plugins.text.question_answering import QuestionAnswering


def test_case_punctuation_and_articles_do_not_count():
    assert normalised("The  Cat, sat!") == ["cat", "sat"]
    assert exact_match("the cat", "A cat.") == 1.0


@pytest.mark.parametrize(
    ("said", "right", "score"),
    [("cat sat down", "cat sat", 0.8), ("dog", "cat", 0.0), ("", "", 1.0), ("", "cat", 0.0), ("cat", "", 0.0)],
)
def test_shared_words_are_the_f1_of_the_two_bags(said, right, score):
    assert shared_words(said, right) == pytest.approx(score)


def test_of_several_right_answers_the_nearest_counts():
    assert best_scores("in the north", ["north", "the north of Spain"]) == (0.0, pytest.approx(2 / 3))
    assert best_scores("", []) == (1.0, 1.0)
    assert best_scores("something", []) == (0.0, 0.0)


@pytest.fixture
def processor(catalog, model_folder):
    return catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))}).load_processor()


def task_on(tmp_path, *rows, **options):
    path = tmp_path / "q.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return QuestionAnswering(str(path), **{"max_length": 20, "stride": 4, **options})


def row(context, answer, begin=None, question="which"):
    answers = {
        "text": [answer] if answer else [],
        "answer_start": [context.index(answer) if begin is None else begin] if answer else [],
    }
    return {"question": question, "context": context, "answers": answers}


CONTEXT = "Ada met Bob's friend in New York"
ANSWERS = {
    "SQuAD": {"text": ["Bob's friend"], "answer_start": [8]},
    "list of answers": [{"text": "Bob's friend", "answer_start": 8}],
    "two annotators": [{"text": "Bob's friend", "answer_start": 8}, {"text": "friend", "answer_start": 14}],
    "one answer": {"text": "Bob's friend", "answer_start": 8},
    "texts without a start": [{"text": "Bob's friend"}],
    "no start": {"text": ["Bob's friend"]},
    "texts": ["Bob's friend"],
    "text": "Bob's friend",
    "JSON": json.dumps({"text": ["Bob's friend"], "answer_start": [8]}),
    "JSON list": json.dumps([{"text": "Bob's friend", "answer_start": 8}]),
    "Python": str({"text": ["Bob's friend"], "answer_start": [8]}),
    "pandas": """{'text': array(["Bob's friend"], dtype=object), 'answer_start': array([8], dtype=int32)}""",
    "list as text": str(["Bob's friend"]),
}


@pytest.mark.parametrize("form", ANSWERS)
def test_answers_are_read_however_they_are_written(form, tmp_path):
    task = task_on(tmp_path, {"question": "who", "context": CONTEXT, "answers": ANSWERS[form]})
    (found,) = task._read(task.named(["data-0"]))
    assert (found.answers[0], found.begin) == ("Bob's friend", 8)
    assert len(found.answers) == (2 if form == "two annotators" else 1)


@pytest.mark.parametrize("shape", ["SQuAD", "paragraphs", "lines"])
def test_nested_files_give_a_row_for_each_question(shape, tmp_path):
    asked = [
        {"id": "1", "question": "who", "answers": [{"text": "Ada", "answer_start": 0}], "is_impossible": False},
        {
            "id": "2",
            "question": "why",
            "answers": [],
            "is_impossible": True,
            "plausible_answers": [{"text": "New York", "answer_start": 24}],
        },
    ]
    paragraphs = [{"context": CONTEXT, "qas": asked}, {"context": "Eve", "qas": asked[:1]}, {"context": "x", "qas": []}]
    articles = [{"title": "one", "paragraphs": paragraphs[:2]}, {"title": "two", "paragraphs": paragraphs[2:]}]
    path = tmp_path / ("a.jsonl" if shape == "lines" else "a.json")
    document = {"version": "v2.0", "data": articles if shape == "SQuAD" else paragraphs}
    path.write_text("\n".join(map(json.dumps, articles)) if shape == "lines" else json.dumps(document))
    task = QuestionAnswering(str(path), unanswerable=True)
    assert task.fingerprint()
    assert [one.context for one in task._read(task.named(["data-0", "data-1"]))] == [CONTEXT, CONTEXT]
    table = task.tables["data"]
    assert [row["id"] for row in table.rows(range(len(table)), ["id"])] == ["1", "2", "1"]
    assert [one.answers for one in task._read(task.named(["data-0", "data-1"]))] == [("Ada",), ()]
    # A question without an answer is left out, and counted as a row without a label.
    assert QuestionAnswering(str(path)).kinds(table).tolist() == [0, -1, 0]


def test_every_window_that_holds_the_whole_answer_learns_it_and_the_others_learn_the_first_token(tmp_path, processor):
    context = "ab cd ef gh ij kl mn op"
    task = task_on(tmp_path, row(context, "kl mn"))
    encoded = task.encode(task.named(["data-0"]), processor)
    sizes = encoded.columns[LENGTHS][0]
    assert len(sizes) > 1
    offsets = np.split(encoded.columns[OFFSETS][0].reshape(-1, 2), np.cumsum(sizes)[:-1])
    places = encoded.labels[0].reshape(-1, 2)
    held = 0
    for window, (begin, end) in zip(offsets, places, strict=True):
        inside = window[window[:, 1] > 0]
        whole = inside[0][0] <= context.index("kl") and inside[-1][1] >= context.index("mn") + 2
        if whole:
            held += 1
            assert context[window[begin][0] : window[end][1]] == "kl mn"
        else:
            assert (begin, end) == (0, 0)
    assert held >= 1


def test_a_batch_holds_all_windows_and_tells_whose_they_are(tmp_path, processor):
    task = task_on(tmp_path, row("ab cd ef gh ij kl mn op", "cd"), row("ab", "ab"))
    encoded = task.encode(task.named(["data-0", "data-1"]), processor)
    batch = task.collate(encoded, [1, 0])
    count = len(encoded.columns[LENGTHS][0])
    assert batch["owners"].tolist() == [0] + [1] * count
    assert batch["input_ids"].shape == batch["attention_mask"].shape
    assert batch["labels"].shape == (count + 1, 2)
    assert task.terms(batch) == count + 1
    assert isinstance(encoded.labels, Ragged)


def logits_at(sizes, window, begin, end):
    found = np.zeros((int(sum(sizes)), 2), np.float32)
    at = int(sum(sizes[:window]))
    found[at + begin, 0] = found[at + end, 1] = 5.0
    return found


def test_what_is_said_is_the_text_between_the_likeliest_places(tmp_path, processor):
    task = task_on(tmp_path, row("ab cd ef gh ij kl mn op", "kl mn"))
    encoded = task.encode(task.named(["data-0"]), processor)
    sizes, places = encoded.columns[LENGTHS][0], encoded.labels[0].reshape(-1, 2)
    window = int(np.flatnonzero(places[:, 0])[0])
    scored = task.score([logits_at(sizes, window, *places[window])], encoded)
    assert scored.predictions[0] == {
        "id": "data-0",
        "label": ["kl mn"],
        "prediction": "kl mn",
        "exact_match": 1.0,
        "f1": 1.0,
    }


def test_an_end_before_its_beginning_is_never_said(tmp_path, processor):
    task = task_on(tmp_path, row("ab cd", "cd"))
    encoded = task.encode(task.named(["data-0"]), processor)
    begin, _ = encoded.labels[0]
    logits = np.zeros((int(encoded.columns[LENGTHS][0].sum()), 2), np.float32)
    # The beginning is likeliest at "cd", the end at "ab" before it.
    logits[begin, 0], logits[begin - 2, 1] = 5.0, 4.0
    assert task.score([logits], encoded).predictions[0]["prediction"].startswith("c")


def test_nothing_is_said_only_where_that_is_allowed_and_likeliest(tmp_path, processor):
    rows = [row("ab cd", "cd"), row("ab cd", "")]
    task = task_on(tmp_path, *rows, unanswerable=True)
    encoded = task.encode(task.named(["data-1"]), processor)
    nothing = np.zeros((int(encoded.columns[LENGTHS][0].sum()), 2), np.float32)
    nothing[0] = 9.0
    assert task.score([nothing], encoded).predictions[0]["prediction"] == ""
    assert task.score([nothing], encoded).measurements[0].value == 1.0
    with pytest.raises(UserError, match="row 2: question without an answer: 'which'; set unanswerable = true"):
        strict = task_on(tmp_path, *rows)
        strict.encode(strict.named(["data-1"]), processor)


def test_an_answer_that_is_not_where_it_is_said_to_be_is_told_with_its_row(tmp_path, processor):
    task = task_on(tmp_path, row("ab cd", "cd", begin=1))
    with pytest.raises(
        UserError, match="row 1: answer is not at its position in the text: 'cd' is at character 3, not at 1"
    ):
        task.encode(task.named(["data-0"]), processor)


def test_an_answer_may_be_a_text_with_or_without_its_place(tmp_path, processor):
    path = tmp_path / "q.csv"
    path.write_text("question,context,answers,begin\nwhich,ab cd ab,ab,6\n")
    for start, place in (("", 0), ("begin", 6)):
        task = QuestionAnswering(str(path), max_length=20, start=start)
        assert task._read(task.named(["data-0"]))[0].begin == place


def test_a_question_longer_than_its_share_is_cut_so_that_the_text_has_room(tmp_path, processor):
    task = task_on(tmp_path, row("ab cd", "cd", question="which of the many words of this text is it"))
    encoded = task.encode(task.named(["data-0"]), processor)
    assert encoded.columns[LENGTHS][0].max() <= 20
    assert encoded.labels[0].any()
