"""`python train_lora_v2.py ...` is `finetune train ...`."""

import sys

from app.cli.main import main

if __name__ == "__main__":
    sys.argv.insert(1, "train")
    main()
