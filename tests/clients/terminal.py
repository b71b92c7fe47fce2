"""Runs a program at a terminal of its own: `python3 terminal.py PROGRAM [ARGUMENT]...`

What is written to standard input is typed there, what the terminal shows comes out of standard output.
"""

import os
import pty
import sys

status = pty.spawn(sys.argv[1:])
sys.exit(os.waitstatus_to_exitcode(status))
