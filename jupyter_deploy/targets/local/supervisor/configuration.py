"""The INI files of supervisord. Pure; they name only paths inside the runtime directory, which are plain."""

from __future__ import annotations

from pathlib import Path

from jupyter_deploy.targets.local.preflight import LEAST_FILES

from . import launch
from .orphans import GATEWAY


def supervisor_text(base: Path, socket: Path) -> str:
    """The configuration of a supervisor in the runtime directory ``base``."""
    return "\n".join(
        [
            "[supervisord]",
            f"logfile={base}/logs/supervisord.log",
            "logfile_maxbytes=1MB",
            "logfile_backups=1",
            f"pidfile={base}/supervisord.pid",
            f"childlogdir={base}",
            f"minfds={LEAST_FILES}",  # by default it does not start below 1024; each process raises its own limit
            "umask=077",
            "[unix_http_server]",
            f"file={socket}",
            "chmod=0700",
            "[rpcinterface:supervisor]",
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
            "[include]",
            f"files={base}/conf.d/*.ini",
            "",
        ]
    )


def program_text(base: Path, name: str, *, processes: int, stop_seconds: int) -> str:
    """The section of a program, whose processes read their plans (``launch``)."""
    return "\n".join(
        [
            f"[program:{name}]",
            f"command=/bin/sh {base}/programs/{name}@%(process_num)d",
            "process_name=%(process_num)d",
            f"numprocs={processes}",
            f"directory={base}/empty",
            # The lowest starts first and stops last.
            f"priority={1 if name == GATEWAY else 2}",
            "autostart=true",
            # Restart at once, until launch gives up: it counts failed starts, which supervisord cannot.
            "autorestart=unexpected",
            f"exitcodes={launch.GIVEN_UP},{launch.IDLE}",
            "startsecs=0",
            "stopsignal=TERM",
            f"stopwaitsecs={stop_seconds}",
            "stopasgroup=true",
            "killasgroup=true",
            "redirect_stderr=true",
            "stdout_logfile=NONE",  # each process writes its log itself, see launch
            "",
        ]
    )
