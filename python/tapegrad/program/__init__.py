"""Programs: functions recorded once and replayed fast, with their derivatives."""

from tapegrad.program.debugging import debug
from tapegrad.program.function import Function, function
from tapegrad.program.program import Program, backends, record, set_threads
from tapegrad.program.report import trace_report
from tapegrad.program.vmap import vmap

__all__ = [
    "Function",
    "Program",
    "backends",
    "debug",
    "function",
    "record",
    "set_threads",
    "trace_report",
    "vmap",
]
