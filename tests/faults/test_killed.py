"""Runs that are killed or told to end from outside: nothing is lost, and the bits stay the same."""

import pytest

from steps import output, python

# In a process of its own, which has not read a table: those forked from it can.
STORY = """
import signal
from pathlib import Path
import killed
killed.receive_signals()
table = killed.write_table(Path("table.csv"))
options = killed.configurations(table.absolute())["table, numpy"]
ended = 0
for number in range(16):  # on a quick machine, a run may end by itself before the second signal
    place = Path(f"story{{number}}").absolute()
    story = killed.Story(options, place, {seed} + 10 * number, force={force}, share=0)
    story.tell([signal.Signals(number) for number in {numbers}], 5)
    ended += sum(count for name, count in story.counts.items() if name.startswith("SIG"))
    if ended >= 2:
        break
print(ended)
"""
KILL, REQUESTS = (9,), (1, 2, 15)


@pytest.mark.parametrize(
    ("numbers", "force", "seed"), [(KILL, False, 1), (KILL, True, 2), (REQUESTS, False, 3)]
)
def test_a_run_that_is_ended_again_and_again(tmp_path, numbers, force, seed):
    code = STORY.format(numbers=numbers, force=force, seed=seed)
    process = python(f"import os; os.chdir({str(tmp_path)!r})" + code)
    assert int(output(process, timeout=120)) >= 2
