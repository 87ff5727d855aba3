"""`make run-local`: `finetune train` with the file and the words that make passed in the environment.

`args` is split like a shell line, and nothing in it is executed.
"""

import os
import shlex
import sys
from pathlib import Path

command = str(Path(sys.executable).with_name("finetune"))
try:
    words = shlex.split(os.environ.get("args", ""))
except ValueError as error:
    print(f"error: args={os.environ['args']!r}: {error}", file=sys.stderr)
    print("  hint: every quote that opens must close", file=sys.stderr)
    raise SystemExit(2) from None
os.execv(command, [command, "train", os.environ["config"], *words])
