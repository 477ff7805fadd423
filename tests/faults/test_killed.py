"""Runs that are killed or told to end from outside: nothing is lost, and the bits stay the same."""

import signal

import pytest

import killed

REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _signals():
    killed.receive_signals()


@pytest.mark.parametrize(
    ("numbers", "force", "seed"),
    [((signal.SIGKILL,), False, 1), ((signal.SIGKILL,), True, 2), (REQUESTS, False, 3)],
)
def test_a_run_that_is_ended_again_and_again(tmp_path, numbers, force, seed):
    table = killed.write_table(tmp_path / "table.csv")
    options = killed.configurations(table)["table, numpy"]
    ended = 0
    for number in range(4):  # on a quick machine, a run may end by itself before the second signal
        story = killed.Story(options, tmp_path / f"story{number}", seed + 10 * number, force=force, share=0)
        story.tell(numbers, 5)
        ended += sum(count for name, count in story.counts.items() if name.startswith("SIG"))
        if ended >= 2:
            return
    raise AssertionError(f"{ended} runs were ended; expected 2 or more")
