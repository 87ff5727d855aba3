"""Which words mattered: where words are, what leaving one out does, and how much of a long text was looked at."""

from collections.abc import Sequence

import pytest

from app.serving.explanation import MAX_WORDS, explain, words_of
from app.serving.predictor import Prediction, Predictor


class GoodWords:
    """A model whose probability of `good` is known: a quarter, and a tenth more or less for each word it knows."""

    def __init__(self, reads: int = 10_000) -> None:
        self.reads = reads
        self.batches: list[int] = []

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        self.batches.append(len(texts))
        return [self._answer(text) for text in texts]

    def read_part(self, text: str) -> str:
        return text[: self.reads]

    def _answer(self, text: str) -> Prediction:
        part = self.read_part(text)
        good = round(0.6 + 0.1 * part.count("lovely") + 0.1 * part.count("好") - 0.1 * part.count("cold"), 6)
        scores = {"bad": round(1 - good, 6), "good": good}
        label = max(scores, key=scores.__getitem__)
        return Prediction(
            label=int(label == "good"),
            label_name=label,
            probability=scores[label],
            scores=scores,
            truncated=len(text) > self.reads,
        )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A lovely, well-made place!!", ["A", "lovely", ",", "well-made", "place", "!!"]),
        ("It’s 3.5 stars 😀", ["It’s", "3", ".", "5", "stars", "😀"]),
        ("這家店很好吃 really", ["這", "家", "店", "很", "好", "吃", "really"]),
        ("とてもgood", ["と", "て", "も", "good"]),
        ("naïve Straße слово", ["naïve", "Straße", "слово"]),
        ("  \n ", []),
    ],
)
def test_words_are_where_people_see_them(text: str, words: list[str]) -> None:
    assert [text[start:end] for start, end in words_of(text)] == words


def test_an_effect_is_what_the_probability_loses_without_the_word() -> None:
    text = "a lovely but cold 好 place"
    found = explain(GoodWords(), text)
    assert found.answer.label_name == "good"
    effects = {text[word.start : word.end]: word.effect for word in found.words}
    assert effects == {"a": 0.0, "lovely": 0.1, "but": 0.0, "cold": -0.1, "好": 0.1, "place": 0.0}
    assert found.num_words == 6


def test_of_a_long_text_the_first_words_are_looked_at_and_only_what_the_model_reads() -> None:
    model = GoodWords()
    found = explain(model, "lovely " * 250)
    assert (len(found.words), found.num_words) == (MAX_WORDS, 250)
    assert sum(model.batches) == 1 + MAX_WORDS
    assert max(model.batches) <= 16
    cut = explain(GoodWords(reads=len("lovely lovely")), "lovely lovely lovely lovely")
    assert cut.answer.truncated
    assert [word.effect for word in cut.words] == [0.1, 0.1], "the third does not move in for one that is left out"


def test_a_text_of_one_word_can_be_explained(predictor: Predictor) -> None:
    found = explain(predictor, "lovely")
    (word,) = found.words
    assert (word.start, word.end, found.num_words) == (0, 6, 1)


def test_effects_are_those_of_the_model_on_the_text_without_the_word(predictor: Predictor) -> None:
    text = "The soup was cold and nobody cared"
    found = explain(predictor, text)
    (answer,) = predictor.predict([text])
    assert found.answer == answer
    without = predictor.predict([text[: word.start] + text[word.end :] for word in found.words])
    expected = [answer.probability - one.scores[answer.label_name] for one in without]
    assert [word.effect for word in found.words] == pytest.approx(expected, abs=1e-5)
    assert any(word.effect for word in found.words)


def test_the_part_that_is_read_ends_where_the_text_is_cut(predictor: Predictor) -> None:
    text = "good " * 1000
    part = predictor.read_part(text)
    assert text.startswith(part)
    assert predictor.predict([part])[0].scores == predictor.predict([text])[0].scores
    assert not predictor.predict([part])[0].truncated
    assert predictor.read_part("好 place") == "好 place"
