from brightness.options import ABOUT
from vidgru.tasks.command import make_command

command = make_command(ABOUT)
