"""`python -m app.cli` is `finetune`."""

from app.cli.main import main

main()
