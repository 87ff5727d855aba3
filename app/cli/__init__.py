"""The `finetune` command: one thin module per noun; heavy imports only inside what needs them."""
