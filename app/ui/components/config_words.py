"""What each setting of a training is called and does, for people; the settings themselves come from the API."""

from app.ui.words import N_

GROUPS = {
    "": N_("The run"),
    "data": N_("Data"),
    "data.reading": N_("How a file is read"),
    "model": N_("Base model"),
    "lora": N_("Adapter (LoRA)"),
    "training": N_("Training"),
    "checkpoints": N_("Evaluation and checkpoints"),
}
FIELDS: dict[str, tuple[str, str]] = {
    "experiment_name": (N_("Name"), N_("What this is called. Its runs are numbered: NAME-001, NAME-002, …")),
    "task": (N_("Kind of task"), N_("What the model learns: to give each text one of the labels.")),
    "model.name": (
        N_("Base model"),
        N_("The pretrained model that is adapted to your data. It has to be able to read the language of your texts."),
    ),
    "model.revision": (N_("Revision"), N_("Branch, tag or commit, for a model that comes from the hub.")),
    "model.max_length": (
        N_("Longest text"),
        N_("In tokens (a word is one or two). Longer texts are cut. auto: room for nearly all of your texts."),
    ),
    "lora.r": (
        N_("LoRA rank"),
        N_("How much the adapter can learn. 8 is a good start; more helps with many labels or much data."),
    ),
    "lora.lora_alpha": (N_("LoRA alpha"), N_("How strongly the adapter acts: its update is scaled by alpha / rank.")),
    "lora.lora_dropout": (
        N_("LoRA dropout"),
        N_("Share of values left out at random while training, against learning by heart. 0 is fastest."),
    ),
    "lora.target_modules": (
        N_("Adapted layers"),
        N_("Which linear layers get an adapter: auto, all-linear, or names separated by commas."),
    ),
    "lora.variant": (N_("Kind of adapter"), N_("The kind of low-rank update, by the name peft gives it.")),
    "lora.modules_to_save": (
        N_("Layers trained in full"),
        N_("Names separated by commas; auto: the classifier on top of the model."),
    ),
    "data.train": (N_("Data set"), N_("What the model learns from: a data set and its version.")),
    "data.eval": (
        N_("Evaluation data"),
        N_("Another data set to measure on, as NAME@VERSION. Empty: the rows the training data holds out."),
    ),
    "data.test": (N_("Test data"), N_("A data set that is scored once, after training, as NAME@VERSION.")),
    "data.text_column": (N_("Column of texts"), N_("For files alone: a stored data set has its columns already.")),
    "data.label_column": (N_("Column of labels"), N_("For files alone: a stored data set has its columns already.")),
    "data.reading.format": (N_("Kind of file"), N_("For files alone: a stored data set has been read already.")),
    "data.reading.encoding": (N_("Encoding"), N_("For files alone: a stored data set has been read already.")),
    "data.reading.delimiter": (N_("Separator"), N_("For files alone: a stored data set has been read already.")),
    "data.reading.quotes": (N_("Quotes"), N_("For files alone: a stored data set has been read already.")),
    "data.reading.header": (N_("First row"), N_("For files alone: a stored data set has been read already.")),
    "data.eval_fraction": (
        N_("Share held out"),
        N_("For files alone: a stored data set has its rows held out already."),
    ),
    "data.max_row_bytes": (N_("Longest row"), N_("In bytes; a longer row is reported and never read whole.")),
    "data.allow": (
        N_("Findings to allow"),
        N_("Codes of findings that shall not forbid training, separated by commas."),
    ),
    "data.block": (N_("Findings to forbid"), N_("Codes of findings that shall forbid training, separated by commas.")),
    "training.num_train_epochs": (
        N_("Epochs"),
        N_("How often the model sees all of the data. auto: more often where there is little."),
    ),
    "training.max_steps": (
        N_("Steps at most"),
        N_("Ends after so many steps, whatever the epochs. A small number is good for a first try."),
    ),
    "training.per_device_train_batch_size": (
        N_("Batch size"),
        N_("Texts in one step. More is steadier and takes more memory."),
    ),
    "training.per_device_eval_batch_size": (
        N_("Batch size of evaluations"),
        N_("Texts at once while measuring; it changes speed and memory, not results."),
    ),
    "training.gradient_accumulation_steps": (
        N_("Batches a step"),
        N_("So many batches make one step: a larger batch without more memory."),
    ),
    "training.learning_rate": (
        N_("Learning rate"),
        N_("How far each step goes. Too high and it never settles, too low and it learns nothing."),
    ),
    "training.lr_scheduler_type": (N_("Course of the learning rate"), N_("How it falls from its highest to zero.")),
    "training.warmup_steps": (
        N_("Warm-up"),
        N_("Steps in which the learning rate rises; below 1, the share of all steps."),
    ),
    "training.weight_decay": (N_("Weight decay"), N_("Pulls weights towards zero, against learning by heart.")),
    "training.max_grad_norm": (
        N_("Largest gradient"),
        N_("Longer gradients are shortened to this, so that no step goes wild."),
    ),
    "training.label_weights": (
        N_("Weights of labels"),
        N_("none, balanced (rare labels count more), or by name: {negative: 1, positive: 2}."),
    ),
    "training.seed": (N_("Seed"), N_("The same seed on the same machine gives the same model.")),
    "training.device": (N_("Device"), N_("What computes. auto: a GPU where the worker has one.")),
    "training.precision": (
        N_("Number format"),
        N_("How exactly numbers are kept. auto: whatever is fastest without loss where it runs."),
    ),
    "training.num_threads": (N_("CPU threads"), N_("auto: all that the worker gives to one training.")),
    "training.length_buckets": (
        N_("Batch by length"),
        N_("Texts of like length together: faster, with the same result in the end."),
    ),
    "training.fast_path": (N_("Fast kernels"), N_("Our own faster code where the model has it.")),
    "training.early_stopping_patience": (
        N_("Patience"),
        N_("Ends after so many evaluations without gain. Empty: trains to the end."),
    ),
    "training.report_to": (N_("Report to"), N_("Other programs that shall hear of the run too.")),
    "checkpoints.every": (
        N_("Evaluate every"),
        N_("auto, a number of steps, epoch, or 2 epochs: how often to measure and save."),
    ),
    "checkpoints.keep": (N_("Checkpoints to keep"), N_("last is needed to go on after a stop.")),
    "checkpoints.metric": (N_("Best by"), N_("The score that says which checkpoint is the best.")),
}
"""By key: a label and what it does; a key that is not here is shown by the words of the API."""
