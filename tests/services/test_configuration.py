"""From YAML, `--set` and options to a TrainConfig; and what is said of a wrong one."""

from pathlib import Path

import pytest

from app.domain.errors import ConfigError
from app.domain.train_config import TrainConfig
from app.services.configuration import ineffective_settings, load_config
from app.services.configuration_help import leaf_keys


def fault(text: str, tmp_path: Path, *sets: str) -> str:
    path = tmp_path / "my.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path, sets)
    return caught.value.message.replace(f"{path}", "my.yaml")


def test_options_win_over_set_and_set_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("lora: {r: 4, lora_alpha: 8}\ntraining:\n  seed: 1\nmodel: {name: albert-base-v2}\n")
    config = load_config(path, ["training.seed=2", "model.name=roberta-base"], {"model.name": "minilm"})
    assert (config.lora.r, config.lora.lora_alpha) == (4, 8)
    assert (config.training.seed, config.model.name) == (2, "minilm")


def test_every_preset_is_a_valid_configuration(repository: Path) -> None:
    presets = sorted((repository / "config").glob("*.yaml"))
    assert len(presets) >= 6
    for preset in presets:
        assert ineffective_settings(load_config(preset)) == []


def test_nothing_given_is_the_default() -> None:
    assert load_config() == TrainConfig()


def test_values_of_set_are_read_as_yaml() -> None:
    config = load_config(None, ["training.learning_rate=1e-3", "checkpoints.keep=[best, last]", "data.eval=null"])
    assert (config.training.learning_rate, config.checkpoints.keep, config.data.eval) == (1e-3, ["best", "last"], None)


def test_text_in_any_script_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "設定.yaml"
    path.write_text("data: {train: 評論.csv, text_column: 內容}\n", encoding="utf-8-sig")
    assert load_config(path).data.text_column == "內容"


def test_a_group_whose_keys_are_all_commented_out_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("lora:\n#  r: 4\n")
    assert load_config(path).lora.r == 8


def test_a_rank_of_zero_is_refused_with_line_and_limits(tmp_path: Path) -> None:
    found = fault("experiment_name: a\nlora:\n  r: 0\n", tmp_path)
    assert found == "my.yaml:3: lora.r: 0 is not allowed; expected a whole number above 0, at most 1024"


def test_a_negative_learning_rate_is_refused(tmp_path: Path) -> None:
    found = fault("training: {learning_rate: -0.001}\n", tmp_path)
    assert found == (
        "my.yaml:1: training.learning_rate: -0.001 is not allowed; expected auto or a number above 0, at most 1"
    )


def test_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    assert fault("training:\n  learning_rte: 1\n", tmp_path) == (
        "my.yaml:2: training.learning_rte: unknown key; did you mean training.learning_rate?"
    )


def test_a_key_in_the_wrong_group_names_the_right_one(tmp_path: Path) -> None:
    assert "did you mean training.learning_rate?" in fault("learning_rate: 1\n", tmp_path)


def test_a_key_like_no_other_lists_its_group(tmp_path: Path) -> None:
    assert "model.zzz: unknown key; model has name, revision, max_length" in fault("model: {zzz: 1}\n", tmp_path)


def test_a_wrong_value_of_set_names_the_option(tmp_path: Path) -> None:
    assert fault("{}", tmp_path, "training.device=gpu") == (
        "--set training.device=gpu: training.device: gpu is not allowed; expected one of auto, cpu, cuda, mps"
    )


def test_all_problems_are_told_at_once_in_order_of_lines(tmp_path: Path) -> None:
    text = "training: {seed: -1}\nlora: {r: many, alpha: 3}\ntask: chat\n"
    lines = fault(text, tmp_path, "lora.lora_dropout=1", "nonsense").splitlines()
    assert lines[0] == "6 problems in the configuration:"
    starts = ["my.yaml:1: training.seed", "my.yaml:2: lora.r", "my.yaml:2: lora.alpha", "my.yaml:3: task"]
    starts += ["--set lora.lora_dropout=1", "--set nonsense"]
    assert [line.strip().startswith(start) for line, start in zip(lines[1:], starts, strict=True)] == [True] * 6


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    assert fault("lora:\n  r: 4\n  r: 8\n", tmp_path) == "my.yaml:3: lora.r: given twice, first in line 2"


def test_true_is_no_number(tmp_path: Path) -> None:
    assert "lora.lora_alpha: true is not allowed" in fault("lora: {lora_alpha: true}", tmp_path)


def test_not_a_number_is_no_number(tmp_path: Path) -> None:
    assert "training.weight_decay" in fault("training: {weight_decay: .nan}", tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a\n- b\n", "expected 'key: value' lines"),
        ("lora:\n\tr: 8\n", "my.yaml:2: not YAML: "),
        ("a: &x [1]\nb: [*x, *x]\n", "my.yaml:2: '*x': aliases are not used"),
        ("lora: !!python/object/apply:os.getcwd []\n", "my.yaml:1: not YAML"),
        ("lora: {r: 8\n", "not YAML"),
        ("[" * 50_000, "nested more than 20 deep"),
        ("experiment_name: 2026-13-45\n", "my.yaml:1: experiment_name: "),
    ],
    ids=["a list", "a tab", "an alias", "a tag that runs code", "not closed", "too deep", "no such date"],
)
def test_what_is_no_plain_yaml_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    assert expected in fault(text, tmp_path)


def test_a_file_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no file no-such\.yaml"):
        load_config(Path("no-such.yaml"))


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_bytes(b"lora: \xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(tmp_path / "my.yaml")


def test_settings_without_effect_are_told() -> None:
    config = load_config(None, ["training.max_steps=5", "training.num_train_epochs=3", "data.eval=e.csv"])
    assert ineffective_settings(config) == [
        "training.num_train_epochs has no effect: training.max_steps decides",
    ]


def test_every_key_says_what_it_takes() -> None:
    keys = leaf_keys(TrainConfig)
    assert ("lora", "r") in keys
    assert len(keys) > 35


def test_a_list_among_the_options_is_added_to_the_list_there_is(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("data:\n  allow: [duplicate]\n")
    options = {"data.allow": ["empty_text", "duplicate"]}
    assert load_config(tmp_path / "my.yaml", [], options).data.allow == ["duplicate", "empty_text"]
    assert load_config(None, [], options).data.allow == ["empty_text", "duplicate"]
    with pytest.raises(ConfigError, match=r"--set data\.allow=3: data\.allow: 3 is not allowed"):
        load_config(None, ["data.allow=3"], options)


def test_epochs_left_to_the_plan_are_no_setting_without_effect() -> None:
    config = load_config(None, ["training.max_steps=5", "training.num_train_epochs=auto"])
    assert ineffective_settings(config) == []


def test_how_rows_are_read_and_split_has_no_effect_on_stored_data(tmp_path: Path) -> None:
    given = ["data.train=reviews@2", "data.eval_fraction=0.2", "data.text_column=body"]
    assert ineffective_settings(load_config(None, given)) == [
        "data.eval_fraction has no effect: reviews@2 is stored",
        "data.text_column has no effect: reviews@2 is stored",
    ]
    assert ineffective_settings(load_config(None, [*given[:1], given[2], "data.test=test.csv"])) == []
