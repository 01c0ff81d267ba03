"""Why a card is not usable, as `list` says it: every start needs these, and the findings behind them only a sick machine."""

from gpuprobe.enumerations import Enum
from gpuprobe.model import Reason, Status
from gpuprobe.record_classes import NamedTuple


class CardReason(str, Enum):
    """Why no library gets as far as a view of the card, from the bus upwards."""

    NO_KERNEL_DRIVER = "no_kernel_driver"
    OTHER_KERNEL_DRIVER = "other_kernel_driver"
    RESERVED_FOR_A_VM = "reserved_for_a_vm"
    NO_DEVICE_NODE = "no_device_node"
    NO_PERMISSION = "no_permission"
    MIG_WITHOUT_SLICES = "mig_without_slices"
    NOT_GIVEN = "not_given_to_container"
    NOT_SERVED = "not_served"
    NOT_LISTED = "not_listed"
    CARD_FAILED = "card_failed"  # the kernel driver has the card, and could not start it or lost it
    DRIVER_FAULT = "driver_fault"  # parts of the driver do not fit each other, or one of them is missing or stale


class Why(NamedTuple):
    """Why a card is not usable: a stable reason, a clause that follows "is not:", and the one thing to do.

    The reason is that of the card itself, that of its dropped view, or how the library ended that should have listed it.
    """

    reason: CardReason | Reason | Status
    because: str
    advice: str | None
    brief: str = ""  # the reason in a few words, for a headline; empty: `because` is short enough
    finding: str | None = None  # the id of the finding that this is; None: what happened is known, and why is not
