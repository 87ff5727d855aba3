"""What kinds of findings are called, and what they cost, so that other languages have them too."""

from app.ui.words import N_

TITLES = {
    "unreadable_row": N_("Rows that could not be read"),
    "missing_column": N_("A column is missing"),
    "empty_text": N_("Rows without a text"),
    "missing_label": N_("Rows without a label"),
    "single_class": N_("Only one label"),
    "unknown_label": N_("Labels the training data does not have"),
    "label_variant": N_("One label in several spellings"),
    "duplicate": N_("Repeated rows"),
    "near_duplicate": N_("Nearly the same texts"),
    "conflicting_label": N_("One text with several labels"),
    "leakage": N_("Texts in training and evaluation"),
    "imbalance": N_("One label is far more frequent"),
    "tiny_class": N_("Labels with hardly any rows"),
    "sorted_labels": N_("Rows sorted by label"),
    "truncated": N_("Texts longer than the model reads"),
    "encoding_damage": N_("Damaged characters or left-over markup"),
    "length_outlier": N_("Texts of very unlike length"),
    "language_mismatch": N_("Texts in another language or script"),
    "personal_data": N_("What looks like personal data"),
    "suspected_label_error": N_("Labels that are probably wrong"),
}
"""By code; a code that is not here is shown as it is."""

COSTS = (
    N_("these rows are lost to training"),
    N_("nothing can be trained"),
    N_("a model would learn a label from nothing, and guess it for whatever it cannot read"),
    N_("nothing can be told apart, so nothing can be trained"),
    N_("the model cannot give this answer, so each of these rows counts as wrong"),
    N_("one label is learnt as several, each from fewer rows, and right answers count as wrong"),
    N_("what is repeated weighs more than the rest, and time is spent on it again"),
    N_("what is repeated weighs more than the rest; drawn apart by hand, it makes scores too good"),
    N_("whatever is answered, some of these rows count as wrong"),
    N_("the score is too good: it counts what was learnt by heart"),
    N_("a model that always gives the frequent label looks good by accuracy and is of no use"),
    N_("what the model does with this label is not measured"),
    N_("a file that is cut by position has labels in one part that the other lacks"),
    N_("what decides may stand in the part that is not read"),
    N_("the damaged words are not those of the base model, nor of the texts to come"),
    N_("a text of another kind teaches little, and a long one takes the time and memory of many"),
    N_("what the base model cannot read it cannot learn from"),
    N_("it is copied into every version and report, and a model can learn it by heart"),
    N_("a wrong label teaches the wrong answer, and on evaluation rows hides the right one"),
)
"""As the platform words them; another sentence is shown as it comes."""

FIXES = (
    N_("give rows of at least two labels"),
    N_("give more rows of the rare labels, or set training.label_weights=balanced; judge by macro F1"),
    N_("give more rows of each label"),
    N_("give more rows of each label, or evaluation data of their own"),
    N_("nothing to do here, rows are drawn by seed; but never cut this file by position (first 80 %, last 20 %)"),
    N_("decide on one label for each text"),
    N_("remove them here or there"),
    N_("correct or remove these rows; a text with the separator in it goes in quotes"),
    N_("fill in the text or remove the rows"),
    N_("fill in the label or remove the rows"),
    N_("write each label in one way; allowed, every spelling is a label of its own"),
    N_("save the source again as UTF-8"),
    N_("save the source again as UTF-8; a model trained on this meets other characters in use"),
    N_("look at the examples; if they are right, save the whole file as UTF-8"),
    N_("look at the examples; if they are wrong, save the file as UTF-8"),
    N_("take the markup out (--fix does); the model spends its tokens on it, and in use it may not be there"),
    N_("look at them: several texts run together, or something cut off? a long one costs time in its whole batch"),
    N_("remove or translate them, or take a multilingual base model; one that cannot read them learns noise"),
    N_("put what decides the label first or divide these texts; raise model.max_length where the model reads more"),
    N_("mask or remove them where you may not keep them; an adapter and its record carry the texts on"),
)
"""As the platform words them; those with names in them are shown as they come."""
