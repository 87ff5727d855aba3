"""`make run-local`: `finetune train` with the file and the words that make passed in the environment.

`args` is split like a shell line, and nothing in it is executed.
"""

import os
import shlex
import sys
from pathlib import Path

command = str(Path(sys.executable).with_name("finetune"))
os.execv(command, [command, "train", os.environ["config"], *shlex.split(os.environ.get("args", ""))])
