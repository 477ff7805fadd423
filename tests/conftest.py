"""What all tests need of the process that runs them."""

import signal

# A shell without job control starts what runs in the background with SIGINT ignored; Python leaves it so.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
