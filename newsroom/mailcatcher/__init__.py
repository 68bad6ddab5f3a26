"""A relay for developers: takes every letter, hands none on, and shows what it took.

Run it with `python -m newsroom.mailcatcher`. A test takes `Catcher` as a real SMTP server.
"""

from newsroom.mailcatcher.catcher import Catcher, PortTaken
from newsroom.mailcatcher.letters import BadFolder, Letter, LetterBox
from newsroom.mailcatcher.smtp import Catching

__all__ = ["BadFolder", "Catcher", "Catching", "Letter", "LetterBox", "PortTaken"]
