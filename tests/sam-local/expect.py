"""Comparisons that are all made, told one by one, and counted."""

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
        """As `equal`, for something that takes its time: reads until it is as wanted."""
        self.equal(what, wait_for(read, lambda seen: seen == wanted, seconds), wanted)


def wait_for(read, good, seconds=30):
    """What `read` gives when it is good, or at the end of the time."""
    end = time.monotonic() + seconds
    while not good(seen := read()) and time.monotonic() < end:
        time.sleep(0.2)
    return seen


def shown(value):
    return json.dumps(value, ensure_ascii=False, default=str)
