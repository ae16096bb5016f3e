"""Packages of the system: find the command that installs one here, and run it if that is allowed."""

import os
import shutil
import subprocess
from functools import cache

SECONDS = 600  # for an installation: the mirror may be slow, or another one may hold the lock

# The commands of each package manager. The first manager that is found is used; {} is the package.
MANAGERS = {
    "apt-get": ("apt-get update -qq", "apt-get install -y -qq --no-install-recommends {}"),
    "dnf": ("dnf install -y -q {}",),
    "pacman": ("pacman -Sy --noconfirm --needed {}",),
    "zypper": ("zypper --non-interactive --quiet install {}",),
    "apk": ("apk add --no-cache --quiet {}",),
    "xbps-install": ("xbps-install -Sy {}",),
    "brew": ("brew install {}",),
}
NAMES = {  # packages whose names differ from Debian's
    ("postgresql", "dnf"): "postgresql-server",
    ("postgresql", "zypper"): "postgresql-server",
    ("chromium", "brew"): "--cask chromium",
}
UNASKED = {"-y", "-q", "-qq", "--quiet", "--no-cache", "--no-install-recommends", "--noconfirm", "--needed", "--non-interactive"}


def install_commands(package: str) -> list[str]:
    """Return the commands with which an administrator installs a package here. Empty if the manager is not known."""
    manager = next(filter(shutil.which, MANAGERS), None)
    if manager is None:
        return []
    return [command.format(NAMES.get((package, manager), package)) for command in MANAGERS[manager]]


def install_advice(package: str) -> str:
    """Say how to install a package here, in a few words: `sudo apt-get install bubblewrap`."""
    known = install_commands(package)
    if not known:
        return f"install {package} with your system's package manager"
    words = [word for word in known[-1].split() if word not in UNASKED]
    return " ".join(words if words[0] == "brew" else [*_as_root(), *words])


def can_install() -> bool:
    """Is this user root, or does sudo need no password?"""
    return _is_root() or _sudo_needs_no_password()


def install(package: str) -> str | None:
    """Install a package as root, without questions. Return why that failed, if it did."""
    problem = "the package manager is not known"
    for command in install_commands(package):  # only the last must succeed: old package lists may be good enough
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
    """Return the words to put before a command that only root may run."""
    return [] if _is_root() else ["sudo", *options]
