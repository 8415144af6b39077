"""Makes comparisons, prints each, and counts them. A wrong comparison does not stop the test."""

import json
import time


class Expectations:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def equal(self, what, seen, wanted):
        self.count += 1
        if seen == wanted:
            print(f"  ok    {what}", flush=True)
            return
        self.failed += 1
        print(f"  WRONG {what}\n        seen   {shown(seen)}\n        wanted {shown(wanted)}", flush=True)

    def comes(self, what, read, wanted, seconds=30):
        """Like `equal`, but reads again until the value is the wanted one or the time is over."""
        self.equal(what, wait_for(read, lambda seen: seen == wanted, seconds), wanted)


def wait_for(read, good, seconds=30):
    """Reads until the value is good or the time is over. Returns the last value."""
    end = time.monotonic() + seconds
    while not good(seen := read()) and time.monotonic() < end:
        time.sleep(0.2)
    return seen


def shown(value):
    return json.dumps(value, ensure_ascii=False, default=str)
