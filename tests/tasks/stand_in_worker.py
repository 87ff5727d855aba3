"""A worker as any other, but that its engine is the stand-in: `python stand_in_worker.py MODE_FILE NAME`."""

import sys
from dataclasses import replace
from pathlib import Path

from app.monitor.logging_utils import configure_logging
from app.services.installation import Installation
from app.services.platform import open_platform
from app.settings import get_settings
from app.tasks.queue import CeleryQueue
from app.tasks.worker import work_for

mode_file, name = sys.argv[1:]
settings = get_settings()
configure_logging(sys.stdout)
platform = open_platform(settings, CeleryQueue(settings))
engine = (sys.executable, str(Path(__file__).with_name("stand_in.py")), mode_file)
here = Installation(platform.installation.database, platform.installation.results_dir, engine)
work_for(replace(platform, installation=here), name)
