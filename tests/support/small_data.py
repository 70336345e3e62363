"""Small datasets for every output type, each with a rule that a tiny network can learn."""

import json
import random

WORDS = ("cat", "dog", "sun", "map", "ink", "fog", "bee", "owl")
ROWS = 160


def _words(rng, count, words=WORDS):
    return [rng.choice(words) for _ in range(count)]


def label_sets(folder):
    """Write texts labelled with the set of those animals and stars that they name; return the file."""
    rng = random.Random(0)
    rows = [_words(rng, 5) for _ in range(ROWS)]
    path = folder / "sets.jsonl"
    found = [
        {"text": " ".join(words), "labels": [name for name in ("cat", "dog", "sun") if name in words]} for words in rows
    ]
    path.write_text("\n".join(map(json.dumps, found)))
    return path


def numbers(folder):
    """Write texts scored by how many cats they name; return the file."""
    rng = random.Random(1)
    rows = [_words(rng, 5) for _ in range(ROWS)]
    path = folder / "numbers.csv"
    path.write_text("text,score\n" + "".join(f"{' '.join(words)},{words.count('cat')}\n" for words in rows))
    return path


def sentences(folder):
    """Write sentences with tagged animals and maps, in CoNLL format; return the file."""
    rng = random.Random(2)
    tags = {"cat": "B-ANIMAL", "dog": "B-ANIMAL", "map": "B-THING"}
    rows = ["\n".join(f"{word} X X {tags.get(word, 'O')}" for word in _words(rng, 5)) for _ in range(ROWS)]
    path = folder / "names.conll"
    path.write_text("-DOCSTART- -X- -X- O\n\n" + "\n\n".join(rows) + "\n")
    return path


def choices(folder):
    """Write questions whose correct choice is the one that contains a cat; return the file."""
    rng = random.Random(3)
    rows = []
    for _ in range(ROWS):
        right = rng.randrange(3)
        texts = [" ".join([*(["cat"] if number == right else []), *_words(rng, 2, WORDS[1:])]) for number in range(3)]
        rows.append({"question": "which is it", "a": texts[0], "b": texts[1], "c": texts[2], "label": "ABC"[right]})
    path = folder / "choices.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def questions(folder):
    """Write questions for the position of a cat in a text, in SQuAD format; return the file."""
    rng = random.Random(4)
    rows = []
    for _ in range(ROWS):
        words = _words(rng, 12, WORDS[1:])
        words[rng.randrange(12)] = "cat"
        context = " ".join(words)
        answers = {"text": ["cat"], "answer_start": [context.index("cat")]}
        rows.append({"question": "where is the cat", "context": context, "answers": answers})
    path = folder / "questions.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def tones(folder, count=8):
    """Write sounds of one or two tones, each tone transcribed as a letter; return the table."""
    import numpy as np
    import soundfile

    rng = np.random.default_rng(0)
    lines = ["path,text"]
    for number in range(count):
        letters = [("a", "b")[number % 2], ("b", "a")[number // 2 % 2]][: 1 + number % 3 // 1 % 2 + 1]
        parts = [np.sin(np.arange(4000) * {"a": 0.15, "b": 0.6}[letter]) for letter in letters]
        sound = np.concatenate([np.concatenate([np.zeros(800), part]) for part in parts]) * 0.4 + rng.normal(
            0, 0.01, 4800 * len(letters)
        )
        soundfile.write(folder / f"{number}.wav", sound.astype(np.float32), 16_000)
        lines.append(f"{number}.wav,{' '.join(letters)}")
    path = folder / "tones.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


TEXT_TASKS = {
    "multi-label-text-classification": (label_sets, {}),
    "text-regression": (numbers, {}),
    "token-classification": (sentences, {}),
    "multiple-choice": (choices, {"choices": ["a", "b", "c"]}),
    "question-answering": (questions, {"max_length": 32, "stride": 4}),
}
"""Task → the function that writes its data, and its options except `data`."""
