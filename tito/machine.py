"""What only the system's own package manager can install: with which command here, and doing it where that is allowed."""

import os
import shutil
import subprocess
from functools import cache

SECONDS = 600  # for an installation: a slow mirror, another one that holds the lock

# What to type, by manager. The first that is found is taken; {} is the package.
MANAGERS = {
    "apt-get": ("apt-get update -qq", "apt-get install -y -qq --no-install-recommends {}"),
    "dnf": ("dnf install -y -q {}",),
    "pacman": ("pacman -Sy --noconfirm --needed {}",),
    "zypper": ("zypper --non-interactive --quiet install {}",),
    "apk": ("apk add --no-cache --quiet {}",),
    "xbps-install": ("xbps-install -Sy {}",),
    "brew": ("brew install {}",),
}
NAMES = {  # where they differ from Debian's
    ("postgresql", "dnf"): "postgresql-server",
    ("postgresql", "zypper"): "postgresql-server",
    ("chromium", "brew"): "--cask chromium",
}
UNASKED = {"-y", "-q", "-qq", "--quiet", "--no-cache", "--no-install-recommends", "--noconfirm", "--needed", "--non-interactive"}


def install_commands(package: str) -> list[str]:
    """What an administrator of this machine types to install a package of the system; empty where that is not known."""
    manager = next(filter(shutil.which, MANAGERS), None)
    if manager is None:
        return []
    return [command.format(NAMES.get((package, manager), package)) for command in MANAGERS[manager]]


def install_advice(package: str) -> str:
    """How to install a package of the system here, in a few words: `sudo apt-get install bubblewrap`."""
    known = install_commands(package)
    if not known:
        return f"install {package} with your system's package manager"
    words = [word for word in known[-1].split() if word not in UNASKED]
    return " ".join(words if words[0] == "brew" else [*_as_root(), *words])


def can_install() -> bool:
    """Is this the administrator, or somebody who becomes it without a password?"""
    return _is_root() or _sudo_needs_no_password()


def install(package: str) -> str | None:
    """Install a package of the system as an administrator who is asked nothing; returns why that failed, if it did."""
    problem = "it is not known here how to"
    for command in install_commands(package):  # what counts is the last one: old lists of packages may do
        problem = _run([*_as_root("-n"), *command.split()])
    return problem and f"{install_advice(package)}: {problem}"


def _run(words: list[str]) -> str | None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        ran = subprocess.run(
            words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = (ran.stderr or ran.stdout).strip().splitlines()
    return (said or [f"exit code {ran.returncode}"])[-1] if ran.returncode else None


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


@cache
def _sudo_needs_no_password() -> bool:
    return shutil.which("sudo") is not None and not _run(["sudo", "-n", "true"])


def _as_root(*options: str) -> list[str]:
    """What stands before a command that only root may run."""
    return [] if _is_root() else ["sudo", *options]
