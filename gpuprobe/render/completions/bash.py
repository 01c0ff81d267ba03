"""bash: one function; everything that can be proposed is written into it. Works from bash 3.2 (macOS) on.

bash breaks words at `=` and `:` too, so the words are put together again from the line; readline replaces only what
stands behind the last break.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gpuprobe.render.grammar import Command, Option, Program, Takes
from gpuprobe.render.shell import quoted
from gpuprobe.saved.key import BOOT_ID, MOUNTS
from gpuprobe.saved.proposals import NAME

TEMPLATE = r"""# bash completion for @NAME@. Written by `python -m gpuprobe.manual write`; changes here are lost.

_@NAME@_words() {  # sets `words` to the words up to the cursor, `cur` to the last of them
    local line=${COMP_LINE:0:COMP_POINT} word blank i
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        blank=${line%%[![:space:]]*}
        line=${line#"$blank"}
        [[ $line == "$word"* ]] || word=$line
        line=${line#"$word"}
        if ((i == 0)) || [[ -n $blank ]]; then words+=("$word"); else words[${#words[@]} - 1]+=$word; fi
    done
    cur=${words[${#words[@]} - 1]}
    cur=${cur#[\"\']}
}

_@NAME@_offer() {  # those of the given words that begin with `cur`, in any case, behind what bash wants kept
    local word broken=''
    [[ $COMP_WORDBREAKS == *:* && $cur == *:* ]] && broken=${cur%:*}:
    shopt -q nocasematch && local was=-s || local was=-u
    shopt -s nocasematch
    for word; do
        [[ $word == "$cur"* ]] && COMPREPLY+=("$kept${word:${#broken}}")
    done
    shopt "$was" nocasematch
}

_@NAME@_offer_listed() {  # the same behind the last comma
    [[ $cur == *,* ]] && kept+=${cur%,*}, cur=${cur##*,}
    _@NAME@_offer "$@"
}

_@NAME@_offer_devices() {  # the same, and what the last discovery found: one's own file of this start and container
    local folder=$HOME/.cache file here='' root='' held='' word name id parent device at rest
    [[ $OSTYPE == darwin* ]] && folder=$HOME/Library/Caches
    [[ $XDG_CACHE_HOME == /* ]] && folder=$XDG_CACHE_HOME
    file=$folder/@NAME@/@DEVICES@
    if [[ -f $file && -O $file && ! -L $file && -r $file ]]; then
        [[ -r @BOOT@ ]] && read -r here < @BOOT@
        [[ -r @MOUNTS@ ]] && while read -r id parent device folder at rest; do
            [[ $at == / ]] && root="$id $parent $device $folder / $rest"
        done < @MOUNTS@
        {
            IFS= read -r held
            while [[ $held == "$here $root" ]] && IFS=$'\t' read -r word name; do
                [[ -z $word || $word == *[!A-Za-z0-9:.#_/-]* ]] || set -- "$@" "$word"
            done
        } < "$file"
    fi
    _@NAME@_offer "$@"
}

_@NAME@_offer_paths() {  # readline's own, which knows quotes, blanks and `~`
    compopt -o "$1" 2>/dev/null
}

_@NAME@_value() {  # of the option $1, behind the command $2
    case "$2 $1" in
@VALUES@
    esac
}

_@NAME@_options() {  # behind the command $1
    case $1 in
@OPTIONS@
    esac
}

_@NAME@_argument() {  # number $2 behind the command $1
    case "$1 $2" in
@ARGUMENTS@
    esac
}

_@NAME@() {
    local cur kept='' word command='' option='' ended='' number=0 i
    local -a words
    COMPREPLY=()
    compopt +o default 2>/dev/null
    _@NAME@_words
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        word=${words[i]}
        if [[ -n $option ]]; then
            option=''
        elif [[ -z $ended && $word == -- ]]; then
            ended=yes
@RUNS@
        elif [[ -z $ended && $word == -* ]]; then
            case $word in @TAKING@) option=$word ;; esac
        elif [[ -z $command ]]; then
            command=$word
        else
            ((number++))
        fi
    done
    if [[ -n $option ]]; then
        _@NAME@_value "$option" "$command"
    elif [[ -z $ended && $cur == --*=* ]]; then
        option=${cur%%=*} cur=${cur#*=}
        [[ $COMP_WORDBREAKS == *=* ]] || kept=$option=
        _@NAME@_value "$option" "$command"
    elif [[ -z $ended && $cur == -* ]]; then
        _@NAME@_options "$command"
    elif [[ -z $command ]]; then
        _@NAME@_offer @COMMANDS@
    else
        _@NAME@_argument "$command" "$number"
    fi
}

complete -o default -F _@NAME@ @NAME@
"""

# Handed to bash's own completion of whatever command stands behind `--`, where bash-completion is there to know it.
RUNS = r"""            case $command in @THESE@)
                for ((i = 1; i < COMP_CWORD; i++)); do [[ ${COMP_WORDS[i]} == -- ]] && break; done
                if declare -F _command_offset >/dev/null; then _command_offset $((i + 1)); else compopt -o default; fi
                return ;;
            esac"""


def script(program: Program) -> str:
    these = "|".join(command.name for command in program.commands if command.runs_another)
    parts = {
        "@VALUES@": _cases(_values(program)),
        "@OPTIONS@": _cases(_options(level) for level in program.levels),
        "@ARGUMENTS@": _cases(_arguments(program)),
        "@COMMANDS@": _words(command.name for command in program.commands),
        "@TAKING@": " | ".join(program.with_a_value),
        "@RUNS@\n": RUNS.replace("@THESE@", these) + "\n" if these else "",
        "@DEVICES@": NAME,
        "@BOOT@": BOOT_ID,
        "@MOUNTS@": MOUNTS,
        "@NAME@": program.name,
    }
    text = TEMPLATE
    for mark, part in parts.items():
        text = text.replace(mark, part)
    return text


def _cases(cases: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"        {pattern}) {action} ;;" for pattern, action in cases)


def _values(program: Program) -> Iterator[tuple[str, str]]:
    """Each option once where it takes the same wherever it stands, which is so for all that commands share."""
    found: dict[str, dict[str, Takes]] = {}
    for level in program.levels:
        for option in level.options:
            for name in option.names if option.takes_a_word else ():
                found.setdefault(name, {})[level.name] = option.takes
    for name, by_level in found.items():
        same = len(set(by_level.values())) == 1
        places = {"*": next(iter(by_level.values()))} if same else {quoted(level): t for level, t in by_level.items()}
        for place, takes in places.items():
            if takes != Takes():
                yield f"{place}{quoted(' ' + name)}", _offer(takes)


def _options(level: Command) -> tuple[str, str]:
    return quoted(level.name), f"_@NAME@_offer {_words(_names(level.options))}"


def _names(options: Iterable[Option]) -> Iterator[str]:
    return (name for option in options for name in option.names)


def _arguments(program: Program) -> Iterator[tuple[str, str]]:
    for command in program.commands:
        for number, argument in enumerate(command.arguments):
            if argument.takes != Takes():
                place = f"{quoted(command.name + ' ')}*" if argument.repeatable else quoted(f"{command.name} {number}")
                yield place, _offer(argument.takes)


def _offer(takes: Takes) -> str:
    if takes.paths:
        return f"_@NAME@_offer_paths {'dirnames' if takes.paths == 'directories' else 'default'}"
    kind = "_listed" if takes.listed else "_devices" if takes.devices else ""
    return f"_@NAME@_offer{kind} {_words(takes.words)}"


def _words(words: Iterable[str]) -> str:
    return " ".join(word if word.replace("-", "").isalnum() else quoted(word) for word in words)
