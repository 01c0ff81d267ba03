"""What `env` answers: which devices it selects, the variables for them, whether they hold, and in which form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gpuprobe.command import gathering
from gpuprobe.command.choosing import Choice, consumer_of, form_of, refuse_contradictions
from gpuprobe.command.counting import Count, Selected
from gpuprobe.command.gathering import inventory_of, request_of, selected
from gpuprobe.command.reply import Launch, Reply
from gpuprobe.command.writing import lines_of
from gpuprobe.deepening import deepened_where_needed
from gpuprobe.doctor import notes
from gpuprobe.doctor.card_status import card_statuses
from gpuprobe.exits import Exit, WrongUsage, weightiest
from gpuprobe.judging.visibility import Variables
from gpuprobe.libraries import LIBRARIES, library_named
from gpuprobe.model import SYSTEM, Device, Inventory, Json, Purpose
from gpuprobe.strings import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.command.consuming import Use
    from gpuprobe.command.options import Options
    from gpuprobe.judging.consumers import Consumer
    from gpuprobe.judging.under_map import Check
    from gpuprobe.libraries import Selection
    from gpuprobe.render.form import Form


def env(options: Options, devices: Sequence[str], choice: Choice) -> Reply:
    refuse_contradictions(options, devices, choice)
    consumer = consumer_of(options, choice)
    form = form_of(options, choice, consumer)
    if choice.unset:
        from gpuprobe.command.undoing import undoing

        return undoing(options, choice, form, consumer)
    enough = Count.read(choice.number, choice.min_free)
    inventory = _inventory(options, choice)
    chosen = _chosen_or_a_program(devices, inventory)
    if consumer is not None:
        return _for_consumer(options, devices, choice, inventory, consumer=consumer, chosen=chosen, form=form, enough=enough)
    found = enough.of(chosen, inventory, named=bool(devices))
    views = _views(found.devices, devices, inventory)
    variables = _map(views, inventory, choice.required) if views else ()
    checks = _checked(options, views, variables, inventory) if choice.check and views else None
    if choice.required and found.devices:
        found = found._replace(text=f"{found.text}, in libraries that crash on cards that they do not support")
    found = _refused(found, views, inventory)
    if not devices:
        found = found.with_doubts(inventory, counted=choice.number is not None)
    hidden = () if devices else tuple(notes.hidden(inventory))  # a device that is named is chosen whatever else there is
    return _reply(options, found, inventory, variables=variables, checks=checks, form=form, hidden=hidden)


def _inventory(options: Options, choice: Choice) -> Inventory:
    """The document's warnings give reasons; the lines give none, and wait for none."""
    found = inventory_of(options, request_of(options), may_be_saved=choice.may_be_saved)
    return deepened_where_needed(found) if options.json and options.source is None else found


def _for_consumer(
    options: Options,
    devices: Sequence[str],
    choice: Choice,
    inventory: Inventory,
    *,
    consumer: Consumer,
    chosen: Sequence[Device],
    form: Form,
    enough: Count,
) -> Reply:
    from gpuprobe.command.consuming import use, variables_of
    from gpuprobe.judging.consumer_map import Pick, instead_of_its_own

    picks = [Pick(device, _views((device,), devices, inventory)) for device in chosen]
    answer = use(consumer, picks, enough, inventory, named=bool(devices), form=choice.format)
    unasked = [*_lost(inventory), *_unasked(inventory)]
    variables = variables_of(answer, picks, _listed(inventory), inventory, unasked) if answer.found.devices else ()
    views = [view for pick in picks if pick.device in answer.found.devices for view in pick.views]
    seen = [view for view in views if view.library in answer.fit.libraries]
    instead = instead_of_its_own(consumer, inventory.evidence.host.platform)
    checks = _checked(options, seen, variables, inventory, instead) if choice.check and seen else None
    found = _refused(answer.found, seen, inventory)
    if not devices:
        found = found.with_doubts(inventory, counted=choice.number is not None)
    hidden = () if devices else tuple(notes.hidden(inventory))
    answer = answer._replace(found=found)
    return _reply(options, found, inventory, variables=variables, checks=checks, form=form, hidden=hidden, answer=answer)


def _chosen_or_a_program(texts: Sequence[str], inventory: Inventory) -> tuple[Device, ...]:
    """`gpuprobe env python3 train.py` is what everybody types first."""
    try:
        return _chosen(texts, inventory)
    except WrongUsage as wrong:
        from gpuprobe.command.guesses import before_a_program

        instead = before_a_program(texts)
        if instead is None:
            raise
        raise WrongUsage(wrong.message.partition(":")[0], instead) from wrong


def _refused(found: Selected, views: Sequence[Device], inventory: Inventory) -> Selected:
    """A map that shows more than was chosen is none: nothing is printed for it."""
    from gpuprobe.judging.visibility import seen_besides

    host = inventory.evidence.host
    besides = seen_besides(views, _listed(inventory), host.platform, host.environ) if found.exit is Exit.ANSWERED else []
    if not besides:
        return found
    library = library_named(besides[0].library)
    shown = ", ".join(device.name or device.id for device in besides)
    text = (
        f"`{library.selections[host.platform].variable}` cannot select this: each driver of {library.name} counts its own "
        f"devices, and it would also show {shown}; choose the cards one by one, or another library (`--library vulkan`)"
    )
    return found._replace(exit=Exit.FAILED, text=text)


def _chosen(texts: Sequence[str], inventory: Inventory) -> tuple[Device, ...]:
    found = [device for text in texts for device in _meant(text, inventory)] if texts else inventory.kept
    return tuple(device for place, device in enumerate(found) if device not in found[:place])


def _meant(text: str, inventory: Inventory) -> tuple[Device, ...]:
    """A library, or a number in it, may also mean views that gave way to another library's and did not fail."""
    from gpuprobe.judging.card_views import identity_of, in_every_library
    from gpuprobe.judging.selectors import names_a_view
    from gpuprobe.judging.views import numbered

    if not names_a_view(text):
        return selected([text], inventory.kept)
    working = {identity_of(view) for view in in_every_library(inventory.kept, inventory)}
    return selected([text], [view for view in numbered(inventory) if identity_of(view) in working])


def _views(chosen: Sequence[Device], texts: Sequence[str], inventory: Inventory) -> tuple[Device, ...]:
    """Through which views programs are to see the chosen: a card through every library, a named view through its own."""
    if not chosen:
        return ()
    from gpuprobe.judging.card_views import identity_of, in_every_library

    if not texts:
        return in_every_library(chosen, inventory)
    from gpuprobe.judging.selectors import names_a_view

    named = {identity_of(device) for text in texts if names_a_view(text) for device in _meant(text, inventory)}
    return in_every_library(chosen, inventory, named)


def _reply(
    options: Options,
    found: Selected,
    inventory: Inventory,
    *,
    variables: Variables,
    checks: Sequence[Check] | None,
    form: Form,
    hidden: Sequence[str],
    answer: Use | None = None,
) -> Reply:
    wrong = weightiest(found.exit, *(_ANSWERS[check.answer] for check in checks or ()))
    text = found.text if wrong == found.exit else _doubts(checks or ())
    leave_with = wrong or (Exit.UNDECIDED if found.may_grow else Exit.ANSWERED)
    printed = () if wrong else variables

    def document() -> Json:
        from gpuprobe.render.replies import env_document, with_consumer

        whole = env_document(inventory, found.devices, variables, text=text, leave_with=leave_with, checks=checks)
        return whole if answer is None else with_consumer(whole, answer.consumer.name, answer.notes, answer.lines, answer.words)

    return Reply(
        leave_with,
        document,
        lambda screen: (),
        lines=lines_of(form, printed, options) if answer is None or answer.lines is None else "" if wrong else answer.lines,
        complaint=f"Error: {printable(text)}{_next(inventory)}"
        if wrong
        else _note(form, printed, options, found, hidden=hidden, answer=answer),
        launch=None if wrong else _launch(printed, inventory, options),
    )


def _next(inventory: Inventory) -> str:
    """A script's log is all that a person sees of it: the headline has the reason and not the steps."""
    lost = not inventory.kept and card_statuses(inventory)
    return "; `gpuprobe doctor` says what to do" if lost else ""


def _launch(variables: Variables, inventory: Inventory, options: Options) -> Launch | None:
    if options.command is None:
        return None
    from gpuprobe.judging.under_map import changed

    return Launch(options.command, changed(variables, inventory.evidence.host.environ))


_ANSWERS = {True: Exit.ANSWERED, False: Exit.FAILED, None: Exit.UNDECIDED}


def _doubts(checks: Sequence[Check]) -> str:
    because = [sentence for check in checks for sentence in check.because]
    if any(check.answer is False for check in checks):
        return f"under these variables not exactly the chosen devices are seen: {'; '.join(because)}"
    return f"it cannot be told whether these variables show exactly the chosen devices: {'; '.join(because)}"


def _note(
    form: Form, variables: Variables, options: Options, found: Selected, *, hidden: Sequence[str], answer: Use | None
) -> str | None:
    """What cannot be done and what was not decided is said in any case; what the user's own variables hide from the choice,
    where notes are welcome."""
    from gpuprobe.judging.slices import seen_at_once
    from gpuprobe.render.form import left_set

    chosen = found.devices
    notes = [f"not decided, and therefore hidden: {'; '.join(found.not_decided)}"] if found.not_decided else []
    notes += [] if options.quiet else [*hidden, *(answer.notes if answer else ())]
    if left := left_set(form, variables):
        names = ", ".join(f"`{name}`" for name in left)
        notes.append(f"{form.named} cannot unset {names}: make sure that nothing sets it where these lines are used")
    elif variables and (unseen := [device for device in chosen if device not in seen_at_once(chosen)]):
        library = unseen[0].library
        notes.append(f"a {library} process uses the first of several slices; choose {unseen[0].id} for another process")
    elif not variables and not options.quiet and not found.not_decided and (answer is None or answer.lines is None):
        notes.append("none of these devices needs a variable")
    return f"note: {printable('; '.join(notes))}" if notes else None


def _map(chosen: Sequence[Device], inventory: Inventory, required: bool) -> Variables:
    from gpuprobe.judging.visibility import visible_variables

    def concerned(devices: Iterable[Device]) -> list[Device]:
        return [device for device in devices if not required or library_named(device.library).crash_prone]

    host = inventory.evidence.host
    unasked = [name for name in _lost(inventory) if not required or library_named(name).crash_prone]
    unasked += [] if required else _unasked(inventory)
    return visible_variables(concerned(chosen), concerned(_listed(inventory)), host.platform, host.environ, unasked)


def _unasked(inventory: Inventory) -> list[str]:
    """Libraries that `--library` left out and that are installed: a program would still find the cards through them."""
    request, host = inventory.request.libraries, inventory.evidence.host
    if not request:
        return []
    from gpuprobe.judging.belonging import installed

    return [library.name for library in LIBRARIES if library.name not in request and installed(library, host)]


def _lost(inventory: Inventory) -> list[str]:
    """Libraries that are here and did not answer: a program would meet the crash, or cards that nobody has looked at."""
    listings = [each for each in inventory.evidence.outcomes if each.probe.purpose is Purpose.LIST and each.status.lost]
    return [each.probe.library for each in listings if each.probe.build == SYSTEM and each.probe.manifest is None]


def _listed(inventory: Inventory) -> Sequence[Device]:
    from gpuprobe.render.device import listed

    return listed(inventory)


def _checked(
    options: Options,
    chosen: Sequence[Device],
    variables: Variables,
    inventory: Inventory,
    instead: Mapping[str, Selection] = {},
) -> tuple[Check, ...]:
    """Asks each library that the map speaks of once more, in a child under the map."""
    from gpuprobe.judging import under_map

    host = inventory.evidence.host
    probes = under_map.probes(variables, _listed(inventory), host.platform, host.environ, instead)
    outcomes = gathering.asked_again(options, host, probes)
    return under_map.checks(chosen, _listed(inventory), variables, outcomes, host.platform)
