"""A worker as any other, but that it notes in its log every message that it gets: `python -m ... NAME`."""

import logging
import sys

from app.settings import get_settings
from app.tasks.worker import run_worker

logging.getLogger("celery.worker.strategy").setLevel(logging.INFO)
run_worker(get_settings(), sys.argv[1])
