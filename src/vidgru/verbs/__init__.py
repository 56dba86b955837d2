"""What a person can ask for, one file a verb; each returns or yields results and never prints."""

import vidgru.video  # noqa: F401  # before any other module that imports OpenCV
