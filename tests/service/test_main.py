"""What `python -m service` does before and after it imports a command."""

import subprocess
import sys


def test_what_was_imported_is_no_business_of_the_garbage_collector() -> None:
    """Else each of its full collections walks through all of FastAPI and ONNX while requests wait."""
    program = """
import gc, sys
sys.argv = ["striate", "serve", "--help"]
from service.__main__ import main
try:
    main()
finally:
    print(gc.isenabled(), gc.get_freeze_count() > 5 * len(gc.get_objects()), file=sys.stderr)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stderr == "True True\n"
