"""What kinds of findings are called."""

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
