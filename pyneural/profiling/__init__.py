"""Where a training step goes: each layer's time beside what its equations and the machine make it take."""

from pyneural.profiling.clock import profile
from pyneural.profiling.machine import Machine
from pyneural.profiling.profile import Part, Profile

__all__ = ["Machine", "Part", "Profile", "profile"]
