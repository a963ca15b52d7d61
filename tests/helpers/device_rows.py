"""Rows that are fine, raise, crash or hang, for the test of the script that runs such rows on an accelerator."""

import os
import sys
import time

from benchmarks.device.driver import Part, Row


def fine():
    return {"fine": True, "difference": 1e-7}


def raising():
    raise ValueError("this row is wrong")


def crashing():
    os.write(2, b"a kernel was killed")
    os._exit(7)


def hanging():
    time.sleep(600)


def talking():
    sys.stdout.write("a library says something\n")
    return {"fine": False, "difference": 1.0}


def quick(us, way):
    return lambda: {"us_per_step": us, "problem": "p", "way": way}


def parts(small):
    bad = [Row("first", fine), Row("raises", raising), Row("crashes", crashing), Row("hangs", hanging, 0.5)]
    return {
        "bad": Part([*bad, Row("talks", talking), Row("last", fine)]),
        "apart": Part([Row("ours", quick(2.0, "ours")), Row("theirs", quick(6.0, "theirs"))], at_once=2, in_each=1),
    }


def slow(small):
    return {"slow": Part([Row("takes long", hanging), Row("has no time", fine)])}
