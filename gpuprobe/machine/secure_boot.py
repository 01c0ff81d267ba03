"""Whether this machine refuses kernel modules that nobody it trusts has signed. None: nobody could look."""

from __future__ import annotations

from gpuprobe.facts import Host
from gpuprobe.machine.asked import is_there, reading, text

VARIABLE = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
LOCKDOWN = "/sys/kernel/security/lockdown"
SIGNATURES = "/sys/module/module/parameters/sig_enforce"
# Where distributions keep the key that they sign modules with on this machine, and who enrols it.
KEYS = ("/var/lib/shim-signed/mok/MOK.der", "/var/lib/dkms/mok.pub", "/etc/pki/akmods/certs/public_key.der")


def secure_boot(host: Host) -> bool | None:
    """Whether Secure Boot is on: the fifth byte of the firmware's variable. False where the firmware has no such variable."""
    found = reading(host, VARIABLE)
    if found is None or (found.text is None and found.problem != "absent"):
        return None
    return (found.text or "").endswith("\x01")


def lockdown(host: Host) -> str | None:
    """ "none", "integrity" or "confidentiality": the word in brackets; None: not asked, or the kernel has no such thing."""
    words = (text(host, LOCKDOWN) or "").split()
    return next((word.strip("[]") for word in words if word.startswith("[")), None)


def signatures_enforced(host: Host) -> bool | None:
    """Whether the kernel refuses unsigned modules. Secure Boot alone does not: the kernel must also lock itself down."""
    enforced, locked = text(host, SIGNATURES), lockdown(host)
    if enforced == "Y" or locked in ("integrity", "confidentiality"):
        return True
    if enforced is not None and locked == "none":
        return False
    return False if secure_boot(host) is False and enforced is not None else None


def key_to_enrol(host: Host) -> str | None:
    """The file of the key that modules built here are signed with; None: none was found."""
    return next((path for path in KEYS if is_there(host, path)), None)
