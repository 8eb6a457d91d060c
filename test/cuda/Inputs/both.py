"""Runs a command four times at once, with PREFIX0.bin ... PREFIX3.bin as its last argument.

    both.py PREFIX COMMAND...
"""
import subprocess
import sys

running = [subprocess.Popen([*sys.argv[2:], f"{sys.argv[1]}{number}.bin"]) for number in range(4)]
sys.exit(max(process.wait() for process in running))
