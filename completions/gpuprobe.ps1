# PowerShell completion for gpuprobe. Written by `python -m gpuprobe.manual write`; changes here are lost.

Register-ArgumentCompleter -Native -CommandName 'gpuprobe' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commands = [ordered]@{
        'list' = 'List usable GPUs, and why the others are not.'
        'validate' = 'Test whether every GPU really computes, through each library.'
        'doctor' = 'Say why a GPU is not detected or not used, and what to do.'
        'flash-attn' = 'Tell whether these devices can use flash attention together.'
        'env' = 'Print the variables that select exactly the devices that work.'
        'plan' = 'What of a model fits where, and the command line for it.'
        'running' = 'Tell whether what runs now is really on the GPU.'
        'capture' = 'Save this machine in a file, for `--from` to read elsewhere.'
        'refresh' = 'Show how much memory is free now.'
        'fleet' = 'Show many machines in one table, and which of them differ.'
        'completion' = 'Print a shell completion script.'
    }
    # Behind: the commands that have it, with an empty one for before any command.
    $options = @(
        @{ Name = '--version'; Behind = @(''); Takes = ''; Does = 'Print the version and exit.' }
        @{ Name = '-h'; Behind = @('', 'list', 'validate', 'doctor', 'flash-attn', 'env', 'plan', 'running', 'capture', 'refresh', 'fleet', 'completion'); Takes = ''; Does = 'Show this message and exit.' }
        @{ Name = '--help'; Behind = @('', 'list', 'validate', 'doctor', 'flash-attn', 'env', 'plan', 'running', 'capture', 'refresh', 'fleet', 'completion'); Takes = ''; Does = 'Show this message and exit.' }
        @{ Name = '--all'; Behind = @('', 'list'); Takes = ''; Does = 'Also every library and each of its views of a GPU: how far each got, and why it is not used.' }
        @{ Name = '--quick'; Behind = @('', 'list'); Takes = ''; Does = 'Only list, initialise nothing: faster, but does not test whether they work.' }
        @{ Name = '--require'; Behind = @('', 'list'); Takes = ''; Does = 'Exit 5 unless met, with one line that says why: ''count>=2, free>=20GiB, compute>=8.0, library=cuda''.' }
        @{ Name = '--sort'; Behind = @('', 'list'); Takes = 'free'; Does = 'Most free memory first, instead of the fixed order.' }
        @{ Name = '--brief'; Behind = @('', 'list'); Takes = ''; Does = 'A few lines without addresses and load: equal on equal machines.' }
        @{ Name = '--format'; Behind = @('', 'list'); Takes = 'prometheus labels csv'; Does = 'For other programs: metrics, labels of a Kubernetes node, or a row for each device.' }
        @{ Name = '--json'; Behind = @('', 'list', 'validate', 'doctor', 'flash-attn', 'env', 'plan', 'running', 'capture', 'refresh', 'fleet', 'completion'); Takes = ''; Does = 'Print one JSON document instead of text.' }
        @{ Name = '--from'; Behind = @('', 'list', 'validate', 'doctor', 'flash-attn', 'env', 'plan', 'running', 'capture', 'refresh'); Takes = '<files>'; Does = 'Read a file of `gpuprobe capture` instead of this machine; `-` is standard input.' }
        @{ Name = '--library'; Behind = @('', 'list', 'validate', 'doctor', 'flash-attn', 'env', 'plan', 'running', 'capture', 'refresh'); Takes = 'cuda rocm metal level-zero vulkan nvml amdgpu'; Does = 'Ask only these libraries (cuda or nvidia, rocm or amd, metal, level-zero or intel, vulkan or vk).' }
        @{ Name = '--lib-dir'; Behind = @('', 'list', 'validate', 'doctor', 'flash-attn', 'env', 'plan', 'running', 'capture', 'refresh'); Takes = '<directories>'; Does = 'Also ask the build of Ollama or llama.cpp in this directory.' }
        @{ Name = '--software'; Behind = @('', 'list', 'validate', 'doctor', 'flash-attn', 'env', 'plan', 'running', 'capture', 'refresh'); Takes = '<directories>'; Does = 'Also judge the frameworks in this environment (venv) by their files.' }
        @{ Name = '--timeout'; Behind = @('', 'list', 'validate', 'doctor', 'flash-attn', 'env', 'plan', 'running', 'capture', 'refresh'); Takes = ''; Does = 'How long one library may take: 30, or 60 in `validate`, and less than 1000000.' }
        @{ Name = '--deadline'; Behind = @('', 'list', 'validate', 'doctor', 'flash-attn', 'env', 'plan', 'running', 'capture', 'refresh'); Takes = ''; Does = 'How long everything together may take.' }
        @{ Name = '--allow-software'; Behind = @('', 'list', 'validate', 'doctor', 'flash-attn', 'env', 'plan', 'running', 'capture', 'refresh'); Takes = ''; Does = 'Include renderers that run on the CPU (llvmpipe).' }
        @{ Name = '--no-wake'; Behind = @('', 'list', 'validate', 'doctor', 'flash-attn', 'env', 'plan', 'running', 'capture', 'refresh'); Takes = ''; Does = 'Let sleeping cards sleep, and say what was therefore not asked.' }
        @{ Name = '--no-color'; Behind = @('', 'list', 'validate', 'doctor', 'flash-attn', 'env', 'plan', 'running', 'capture', 'refresh', 'fleet', 'completion'); Takes = ''; Does = 'No colours; `NO_COLOR` does the same.' }
        @{ Name = '-v'; Behind = @('', 'list', 'validate', 'doctor', 'flash-attn', 'env', 'plan', 'running', 'capture', 'refresh', 'fleet', 'completion'); Takes = ''; Does = 'Also the steps, times and last output of each check.' }
        @{ Name = '--verbose'; Behind = @('', 'list', 'validate', 'doctor', 'flash-attn', 'env', 'plan', 'running', 'capture', 'refresh', 'fleet', 'completion'); Takes = ''; Does = 'Also the steps, times and last output of each check.' }
        @{ Name = '-q'; Behind = @('', 'list', 'validate', 'doctor', 'flash-attn', 'env', 'plan', 'running', 'capture', 'refresh', 'fleet', 'completion'); Takes = ''; Does = 'No progress line and no notes.' }
        @{ Name = '--quiet'; Behind = @('', 'list', 'validate', 'doctor', 'flash-attn', 'env', 'plan', 'running', 'capture', 'refresh', 'fleet', 'completion'); Takes = ''; Does = 'No progress line and no notes.' }
        @{ Name = '--build'; Behind = @('validate'); Takes = 'system'; Does = 'Only views in this build; `system` is the system''s own library.' }
        @{ Name = '--strict'; Behind = @('validate'); Takes = ''; Does = 'Exit 4 if any view fails, not only if a card has no passing one.' }
        @{ Name = '--step'; Behind = @('validate'); Takes = 'load init list context allocate copy kernel blas product bandwidth'; Does = 'Only up to this step, such as `context` or `copy`.' }
        @{ Name = '--repeat'; Behind = @('validate'); Takes = ''; Does = 'Each view N times: what fails now and then has failed.' }
        @{ Name = '--jobs'; Behind = @('validate'); Takes = ''; Does = 'At most N cards at once; copies are timed on one at a time.' }
        @{ Name = '--for'; Behind = @('doctor'); Takes = 'ollama llama.cpp vllm torch ray slurm docker kubernetes'; Does = 'First whether this program computes on a GPU, such as ollama or torch.' }
        @{ Name = '--as'; Behind = @('doctor'); Takes = ''; Does = 'As this process (PID), service (`ollama.service`) or account sees it.' }
        @{ Name = '--log'; Behind = @('doctor'); Takes = '<files>'; Does = 'Explain where a server''s log went to the CPU; `-` is standard input.' }
        @{ Name = '--explain'; Behind = @('doctor'); Takes = ''; Does = 'What a cause is, and where that is known from.' }
        @{ Name = '--only'; Behind = @('doctor'); Takes = ''; Does = 'Only these causes, by id or by a layer''s letter (A to I).' }
        @{ Name = '--skip'; Behind = @('doctor'); Takes = ''; Does = 'Leave these causes out, named as for --only.' }
        @{ Name = '--fail-on'; Behind = @('doctor'); Takes = 'blocker degraded'; Does = 'From which severity on the exit code is 4 (blocker).' }
        @{ Name = '--markdown'; Behind = @('doctor'); Takes = ''; Does = 'For a forum or an issue.' }
        @{ Name = '--shell'; Behind = @('env'); Takes = 'sh bash zsh dash fish csh powershell cmd'; Does = 'For which shell: sh, bash, zsh, dash, ksh, fish, csh, powershell (pwsh), cmd. Without it, by `$SHELL`.' }
        @{ Name = '--format'; Behind = @('env'); Takes = 'dotenv docker compose systemd'; Does = 'For a file instead: dotenv, docker (`--env-file`), compose, systemd.' }
        @{ Name = '--unset'; Behind = @('env'); Takes = ''; Does = 'Undo: unset whatever `env` may have set. What stood there before is not restored.' }
        @{ Name = '--required'; Behind = @('env'); Takes = ''; Does = 'Only variables without which a library crashes on an unsupported card (ROCm).' }
        @{ Name = '--count'; Behind = @('env'); Takes = ''; Does = 'The N devices with most free memory, discrete ones first.' }
        @{ Name = '--min-free'; Behind = @('env'); Takes = ''; Does = 'Only devices with this much free memory or more: `8GiB`; not where it is unknown.' }
        @{ Name = '--check'; Behind = @('env'); Takes = ''; Does = 'Check it: list once more under the variables; exit 4 if other devices are seen.' }
        @{ Name = '--fresh'; Behind = @('env'); Takes = ''; Does = 'Detect the devices again, also where the saved results fit.' }
        @{ Name = '--for'; Behind = @('env'); Takes = 'ollama llama.cpp vllm torch ray slurm docker kubernetes'; Does = 'What this program reads: ollama, llama.cpp, vllm, torch, ray, slurm, docker, kubernetes.' }
        @{ Name = '--context'; Behind = @('plan'); Takes = ''; Does = 'Tokens of context: 8192 or 32k; with --compare several: 4k,32k.' }
        @{ Name = '--parallel'; Behind = @('plan'); Takes = ''; Does = 'How many requests at once, each with its own cache.' }
        @{ Name = '--cache-type-k'; Behind = @('plan'); Takes = 'f32 f16 bf16 q8_0 q5_1 q5_0 q4_1 q4_0 iq4_nl'; Does = 'Type of the K cache: f16, q8_0, q4_0 and the like.' }
        @{ Name = '--cache-type-v'; Behind = @('plan'); Takes = 'f32 f16 bf16 q8_0 q5_1 q5_0 q4_1 q4_0 iq4_nl'; Does = 'Type of the V cache; a quantised one needs flash attention.' }
        @{ Name = '--flash-attn'; Behind = @('plan'); Takes = 'on off auto'; Does = 'Flash attention; without it the engine decides.' }
        @{ Name = '--ubatch'; Behind = @('plan'); Takes = ''; Does = 'Tokens computed at a time: more need a larger buffer.' }
        @{ Name = '--devices'; Behind = @('plan'); Takes = 'CUDA ROCm Metal Level-Zero Vulkan <devices>'; Does = 'Only on these: `--devices CUDA:0,CUDA:1`, or the option several times.' }
        @{ Name = '--split'; Behind = @('plan'); Takes = ''; Does = 'Shares of the devices: `--split 3,1`; without it by free memory.' }
        @{ Name = '--layers'; Behind = @('plan'); Takes = ''; Does = 'How many layers go on devices; the output layer counts.' }
        @{ Name = '--cpu-moe'; Behind = @('plan'); Takes = ''; Does = 'The experts of the first N layers stay on the host.' }
        @{ Name = '--reserve'; Behind = @('plan'); Takes = ''; Does = 'Leave this much free on each device for others: `2GiB`.' }
        @{ Name = '--engine'; Behind = @('plan'); Takes = 'llama.cpp ollama vllm'; Does = 'Plan for llama.cpp, ollama or vllm; without it, for what the model suits.' }
        @{ Name = '--gpu-only'; Behind = @('plan'); Takes = ''; Does = 'Exit 5 if a part would stay on the host.' }
        @{ Name = '--what-if'; Behind = @('plan'); Takes = 'CUDA ROCm Metal Level-Zero Vulkan <devices>'; Does = 'A device as it might be, or one that is not installed: ''CUDA:0 total=24GiB free=20GiB'', ''host free=64GiB''.' }
        @{ Name = '--own'; Behind = @('plan'); Takes = ''; Does = 'Use only gpuprobe''s own arithmetic, and ask no installed engine.' }
        @{ Name = '--compare'; Behind = @('plan'); Takes = ''; Does = 'One line for each model and each context, instead of one plan in full.' }
        @{ Name = '--watch'; Behind = @('running', 'refresh'); Takes = ''; Does = 'Again every 2 seconds, or as given; `q` or Ctrl-C ends it.' }
        @{ Name = '--diff'; Behind = @('refresh'); Takes = ''; Does = 'Also what changed since the saved discovery: memory, drivers, devices.' }
        @{ Name = '--require'; Behind = @('refresh'); Takes = ''; Does = 'As in `list`: exit 5 unless met, 6 where a figure is unknown.' }
        @{ Name = '--wait'; Behind = @('refresh'); Takes = ''; Does = 'Until --require is met, for this long at most: `90s` or `10m`.' }
        @{ Name = '--require'; Behind = @('fleet'); Takes = ''; Does = 'For every machine, as for `list`: exit 5 where one does not meet it, 6 where one gave no answer.' }
        @{ Name = '--expect'; Behind = @('fleet'); Takes = ''; Does = 'Machines that must be there, for example ''n[01-40],login1'': one that left nothing is a row, too.' }
        @{ Name = '--group'; Behind = @('fleet'); Takes = 'all machine gpu driver why'; Does = 'Which machines share a row: those equal in all that is shown, or in this; `machine`: none.' }
        @{ Name = '--sort'; Behind = @('fleet'); Takes = 'machine usable driver why'; Does = 'The order of rows: by name, or the worst first.' }
        @{ Name = '--format'; Behind = @('fleet'); Takes = 'csv prometheus'; Does = 'Another form: a row or a metric for each machine.' }
    )
    $arguments = @(
        @{ Behind = 'list'; Place = '0'; Takes = 'CUDA ROCm Metal Level-Zero Vulkan <devices>' }
        @{ Behind = 'validate'; Place = '*'; Takes = 'CUDA ROCm Metal Level-Zero Vulkan <devices>' }
        @{ Behind = 'doctor'; Place = '*'; Takes = 'CUDA ROCm Metal Level-Zero Vulkan <devices>' }
        @{ Behind = 'flash-attn'; Place = '*'; Takes = 'CUDA ROCm Metal Level-Zero Vulkan <devices>' }
        @{ Behind = 'env'; Place = '*'; Takes = 'CUDA ROCm Metal Level-Zero Vulkan <devices>' }
        @{ Behind = 'plan'; Place = '*'; Takes = '<files>' }
        @{ Behind = 'running'; Place = '*'; Takes = '' }
        @{ Behind = 'capture'; Place = '0'; Takes = '<files>' }
        @{ Behind = 'refresh'; Place = '*'; Takes = 'CUDA ROCm Metal Level-Zero Vulkan <devices>' }
        @{ Behind = 'fleet'; Place = '*'; Takes = '<files>' }
        @{ Behind = 'completion'; Place = '0'; Takes = 'bash zsh fish powershell' }
    )
    $taking = @('--require', '--sort', '--format', '--from', '--library', '--lib-dir', '--software', '--timeout', '--deadline', '--build', '--step', '--repeat', '--jobs', '--for', '--as', '--log', '--explain', '--only', '--skip', '--fail-on', '--shell', '--count', '--min-free', '--context', '--parallel', '--cache-type-k', '--cache-type-v', '--flash-attn', '--ubatch', '--devices', '--split', '--layers', '--cpu-moe', '--reserve', '--engine', '--what-if', '--wait', '--expect', '--group')
    $running = @('env')

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
            $file = "$env:LOCALAPPDATA\gpuprobe\devices"
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
