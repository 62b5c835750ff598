"""Programs: functions recorded once and replayed fast, with their derivatives."""

from tapegrad.program.function import Function, function
from tapegrad.program.program import Program, backends, record, set_threads

__all__ = ["Function", "Program", "backends", "function", "record", "set_threads"]
