"""PowerShell: a completer for a native command, for Windows PowerShell 5.1 and PowerShell 7."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gpuprobe.render.grammar import Program, Takes
from gpuprobe.saved.proposals import NAME

SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"  # all of them end a text that one of them began

TEMPLATE = r"""# PowerShell completion for @NAME@. Written by `python -m gpuprobe.manual write`; changes here are lost.

Register-ArgumentCompleter -Native -CommandName '@NAME@' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commands = [ordered]@{
@COMMANDS@
    }
    # Behind: the commands that have it, with an empty one for before any command.
    $options = @(
@OPTIONS@
    )
    $arguments = @(
@ARGUMENTS@
    )
    $taking = @(@TAKING@)
    $running = @(@RUNNING@)

    $command = ''
    $option = ''
    $ended = $false
    $place = 0
    $before = $commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.Extent.Text }
    foreach ($word in $before) {
        if ($option) { $option = '' }
        elseif ($ended) { if ($command) { $place++ } else { $command = $word } }
        elseif ($word -eq '--') { $ended = $true }
        elseif ($taking -ccontains $word) { $option = $word }
        elseif ($word.StartsWith('-')) { }
        elseif (-not $command) { $command = $word }
        else { $place++ }
    }

    $typed = $wordToComplete
    $kept = ''
    if (-not $option -and -not $ended -and $typed -match '^(--[^=]+)=(.*)$') {
        $option = $Matches[1]
        $typed = $Matches[2]
        $kept = "$option="
    }

    function Complete-Value($takes) {
        if ($takes -eq '<files>' -or $takes -eq '<directories>') {
            [System.Management.Automation.CompletionCompleters]::CompleteFilename($typed)
            return
        }
        if ($takes -like '* <devices>') {
            $takes = $takes -replace ' <devices>$'
            $file = "$env:LOCALAPPDATA\@NAME@\@DEVICES@"
            if ($env:LOCALAPPDATA -and (Test-Path -LiteralPath $file -PathType Leaf)) {
                Get-Content -LiteralPath $file | Select-Object -Skip 1 | ForEach-Object { ($_ -split "`t")[0] } |
                    Where-Object { $_ -match '^[A-Za-z0-9:.#_/-]+$' } | ForEach-Object { $takes += " $_" }
            }
        }
        $takes -split ' ' | Where-Object { $_ -and $_ -like "$typed*" } | ForEach-Object {
            [System.Management.Automation.CompletionResult]::new("$kept$_", $_, 'ParameterValue', $_)
        }
    }

    if ($option) {
        $options | Where-Object { $_.Name -ceq $option -and $_.Behind -ccontains $command } |
            ForEach-Object { Complete-Value $_.Takes }
    }
    elseif ($ended -and $running -ccontains $command) {
        [System.Management.Automation.CompletionCompleters]::CompleteCommand($typed)
    }
    elseif (-not $ended -and $typed.StartsWith('-')) {
        $options | Where-Object { $_.Behind -ccontains $command -and $_.Name -clike "$typed*" } | ForEach-Object {
            [System.Management.Automation.CompletionResult]::new($_.Name, $_.Name, 'ParameterName', $_.Does)
        }
    }
    elseif (-not $command) {
        $commands.GetEnumerator() | Where-Object { $_.Key -like "$typed*" } | ForEach-Object {
            [System.Management.Automation.CompletionResult]::new($_.Key, $_.Key, 'Command', $_.Value)
        }
    }
    else {
        $arguments | Where-Object { $_.Behind -ceq $command -and ($_.Place -eq '*' -or $_.Place -eq "$place") } |
            ForEach-Object { Complete-Value $_.Takes }
    }
}
"""


def script(program: Program) -> str:
    parts = {
        "@COMMANDS@": _lines(f"{_quoted(each.name)} = {_quoted(each.help.summary)}" for each in program.commands),
        "@OPTIONS@": _lines(_options(program)),
        "@ARGUMENTS@": _lines(_arguments(program)),
        "@TAKING@": _list(program.with_a_value),
        "@RUNNING@": _list(command.name for command in program.commands if command.runs_another),
        "@DEVICES@": NAME,
        "@NAME@": program.name,
    }
    text = TEMPLATE
    for mark, part in parts.items():
        text = text.replace(mark, part)
    return text


def _options(program: Program) -> Iterator[str]:
    for option, levels in program.placed.items():
        for name in option.names:
            behind = f"Behind = @({_list(levels)})"
            yield f"@{{ Name = {_quoted(name)}; {behind}; Takes = {_takes(option.takes)}; Does = {_quoted(option.summary)} }}"


def _arguments(program: Program) -> Iterator[str]:
    for command in program.commands:
        for place, argument in enumerate(command.arguments):
            where = "*" if argument.repeatable else str(place)
            yield f"@{{ Behind = {_quoted(command.name)}; Place = {_quoted(where)}; Takes = {_takes(argument.takes)} }}"


def _takes(takes: Takes) -> str:
    words = (*takes.words, *(["<devices>"] if takes.devices else []))
    return _quoted(f"<{takes.paths}>" if takes.paths else " ".join(words))


def _list(texts: Iterable[str]) -> str:
    return ", ".join(_quoted(text) for text in texts)


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(f"        {line}" for line in lines)


def _quoted(text: str) -> str:
    """One word of PowerShell."""
    return "'" + "".join(character * 2 if character in SINGLE_QUOTES else character for character in text) + "'"
