"""How a headless kernel tells its runner the progress of an operation."""

PROGRESS_MIME = "application/vnd.nbdeploy.progress+json"
"""The MIME type by which a headless kernel displays the title of each step; the runner takes it out of the output."""

PROGRESS = "NBDEPLOY_PROGRESS"
"""Set in a kernel whose runner reads ``PROGRESS_MIME``; elsewhere a front end might show it in place of the HTML."""
