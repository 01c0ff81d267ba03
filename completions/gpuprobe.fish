# fish completion for gpuprobe. Written by `python -m gpuprobe.manual write`; changes here are lost.

function __gpuprobe_given --description 'The words before the cursor that are no options: the command, then its arguments'
    set -l value_of ''
    set -l ended ''
    for word in (commandline -opc)[2..]
        if test -n "$value_of"
            set value_of ''
        else if test -n "$ended"
            echo -- $word
        else
            switch $word
                case --
                    set ended yes
                case --require --sort --format --from --library --lib-dir --software --timeout --deadline --build --step --repeat --jobs --for --as --log --explain --only --skip --fail-on --shell --count --min-free --context --parallel --cache-type-k --cache-type-v --flash-attn --ubatch --devices --split --layers --cpu-moe --reserve --engine --what-if --wait --expect --group
                    set value_of $word
                case '-*'
                case '*'
                    echo -- $word
            end
        end
    end
end

function __gpuprobe_behind --description 'Whether the command line stands behind one of these commands; an empty one: before any'
    set -l given (__gpuprobe_given)
    contains -- "$given[1]" $argv
end

function __gpuprobe_argument --description 'Whether the word at the cursor is this argument of this command'
    set -l given (__gpuprobe_given)
    test "$given[1]" = $argv[1] -a (count $given) = $argv[2]
end

function __gpuprobe_devices --description 'What the last discovery found: from one\'s own file of this start and container'
    set -l folder $HOME/.cache
    test -d $HOME/Library/Caches; and set folder $HOME/Library/Caches
    string match -q '/*' -- "$XDG_CACHE_HOME"; and set folder $XDG_CACHE_HOME
    set -l file $folder/gpuprobe/devices
    test -f $file -a -O $file -a ! -L $file -a -r $file; or return
    set -l here ''
    test -r /proc/sys/kernel/random/boot_id; and read here </proc/sys/kernel/random/boot_id
    set -l roots
    test -r /proc/self/mountinfo; and set roots (string match -r '^\d+ \d+ \S+ \S+ / .*' </proc/self/mountinfo)
    read -l held <$file
    test "$held" = "$here $roots[-1]"; or return
    while read -l line
        string match -r '^[A-Za-z0-9:.#_/-]+\t[ -~]*$' -- $line
    end <$file
end

function __gpuprobe_runs --description 'Whether the cursor stands behind the `--` of one of these commands'
    contains -- -- (commandline -opc); and __gpuprobe_behind $argv
end

function __gpuprobe_run --description 'What can be typed there: the rest of the line is a command line of its own'
    set -l words (commandline -opc)
    set -l place (contains --index -- -- $words)
    complete -C (string join ' ' -- (string escape -- $words[(math $place + 1)..]) (commandline -ct))
end
complete -c gpuprobe -f
complete -c gpuprobe -n "__gpuprobe_behind ''" -a list -d 'List usable GPUs, and why the others are not.'
complete -c gpuprobe -n "__gpuprobe_behind ''" -a validate -d 'Test whether every GPU really computes, through each library.'
complete -c gpuprobe -n "__gpuprobe_behind ''" -a doctor -d 'Say why a GPU is not detected or not used, and what to do.'
complete -c gpuprobe -n "__gpuprobe_behind ''" -a flash-attn -d 'Tell whether these devices can use flash attention together.'
complete -c gpuprobe -n "__gpuprobe_behind ''" -a env -d 'Print the variables that select exactly the devices that work.'
complete -c gpuprobe -n "__gpuprobe_behind ''" -a plan -d 'What of a model fits where, and the command line for it.'
complete -c gpuprobe -n "__gpuprobe_behind ''" -a running -d 'Tell whether what runs now is really on the GPU.'
complete -c gpuprobe -n "__gpuprobe_behind ''" -a capture -d 'Save this machine in a file, for `--from` to read elsewhere.'
complete -c gpuprobe -n "__gpuprobe_behind ''" -a refresh -d 'Show how much memory is free now.'
complete -c gpuprobe -n "__gpuprobe_behind ''" -a fleet -d 'Show many machines in one table, and which of them differ.'
complete -c gpuprobe -n "__gpuprobe_behind ''" -a completion -d 'Print a shell completion script.'
complete -c gpuprobe -n "__gpuprobe_behind ''" -l version -d 'Print the version and exit.'
complete -c gpuprobe -n "__gpuprobe_behind '' list validate doctor flash-attn env plan running capture refresh fleet completion" -s h -l help -d 'Show this message and exit.'
complete -c gpuprobe -n "__gpuprobe_behind '' list" -l all -d 'Also every library and each of its views of a GPU: how far each got, and why it is not used.'
complete -c gpuprobe -n "__gpuprobe_behind '' list" -l quick -d 'Only list, initialise nothing: faster, but does not test whether they work.'
complete -c gpuprobe -n "__gpuprobe_behind '' list" -l require -x -d 'Exit 5 unless met, with one line that says why: \'count>=2, free>=20GiB, compute>=8.0, library=cuda\'.'
complete -c gpuprobe -n "__gpuprobe_behind '' list" -l sort -x -a 'free' -d 'Most free memory first, instead of the fixed order.'
complete -c gpuprobe -n "__gpuprobe_behind '' list" -l brief -d 'A few lines without addresses and load: equal on equal machines.'
complete -c gpuprobe -n "__gpuprobe_behind '' list" -l format -x -a 'prometheus labels csv' -d 'For other programs: metrics, labels of a Kubernetes node, or a row for each device.'
complete -c gpuprobe -n "__gpuprobe_behind '' list validate doctor flash-attn env plan running capture refresh fleet completion" -l json -d 'Print one JSON document instead of text.'
complete -c gpuprobe -n "__gpuprobe_behind '' list validate doctor flash-attn env plan running capture refresh" -l from -r -F -d 'Read a file of `gpuprobe capture` instead of this machine; `-` is standard input.'
complete -c gpuprobe -n "__gpuprobe_behind '' list validate doctor flash-attn env plan running capture refresh" -l library -x -a '(__fish_complete_list , "printf \'%s\\\\n\' cuda rocm metal level-zero vulkan nvml amdgpu")' -d 'Ask only these libraries (cuda or nvidia, rocm or amd, metal, level-zero or intel, vulkan or vk).'
complete -c gpuprobe -n "__gpuprobe_behind '' list validate doctor flash-attn env plan running capture refresh" -l lib-dir -x -a '(__fish_complete_directories)' -d 'Also ask the build of Ollama or llama.cpp in this directory.'
complete -c gpuprobe -n "__gpuprobe_behind '' list validate doctor flash-attn env plan running capture refresh" -l software -x -a '(__fish_complete_directories)' -d 'Also judge the frameworks in this environment (venv) by their files.'
complete -c gpuprobe -n "__gpuprobe_behind '' list validate doctor flash-attn env plan running capture refresh" -l timeout -x -d 'How long one library may take: 30, or 60 in `validate`, and less than 1000000.'
complete -c gpuprobe -n "__gpuprobe_behind '' list validate doctor flash-attn env plan running capture refresh" -l deadline -x -d 'How long everything together may take.'
complete -c gpuprobe -n "__gpuprobe_behind '' list validate doctor flash-attn env plan running capture refresh" -l allow-software -d 'Include renderers that run on the CPU (llvmpipe).'
complete -c gpuprobe -n "__gpuprobe_behind '' list validate doctor flash-attn env plan running capture refresh" -l no-wake -d 'Let sleeping cards sleep, and say what was therefore not asked.'
complete -c gpuprobe -n "__gpuprobe_behind '' list validate doctor flash-attn env plan running capture refresh fleet completion" -l no-color -d 'No colours; `NO_COLOR` does the same.'
complete -c gpuprobe -n "__gpuprobe_behind '' list validate doctor flash-attn env plan running capture refresh fleet completion" -s v -l verbose -d 'Also the steps, times and last output of each check.'
complete -c gpuprobe -n "__gpuprobe_behind '' list validate doctor flash-attn env plan running capture refresh fleet completion" -s q -l quiet -d 'No progress line and no notes.'
complete -c gpuprobe -n "__gpuprobe_behind validate" -l build -x -a 'system' -d 'Only views in this build; `system` is the system\'s own library.'
complete -c gpuprobe -n "__gpuprobe_behind validate" -l strict -d 'Exit 4 if any view fails, not only if a card has no passing one.'
complete -c gpuprobe -n "__gpuprobe_behind validate" -l step -x -a 'load init list context allocate copy kernel blas product bandwidth' -d 'Only up to this step, such as `context` or `copy`.'
complete -c gpuprobe -n "__gpuprobe_behind validate" -l repeat -x -d 'Each view N times: what fails now and then has failed.'
complete -c gpuprobe -n "__gpuprobe_behind validate" -l jobs -x -d 'At most N cards at once; copies are timed on one at a time.'
complete -c gpuprobe -n "__gpuprobe_behind doctor" -l for -x -a 'ollama llama.cpp vllm torch ray slurm docker kubernetes' -d 'First whether this program computes on a GPU, such as ollama or torch.'
complete -c gpuprobe -n "__gpuprobe_behind doctor" -l as -x -d 'As this process (PID), service (`ollama.service`) or account sees it.'
complete -c gpuprobe -n "__gpuprobe_behind doctor" -l log -r -F -d 'Explain where a server\'s log went to the CPU; `-` is standard input.'
complete -c gpuprobe -n "__gpuprobe_behind doctor" -l explain -x -d 'What a cause is, and where that is known from.'
complete -c gpuprobe -n "__gpuprobe_behind doctor" -l only -x -d 'Only these causes, by id or by a layer\'s letter (A to I).'
complete -c gpuprobe -n "__gpuprobe_behind doctor" -l skip -x -d 'Leave these causes out, named as for --only.'
complete -c gpuprobe -n "__gpuprobe_behind doctor" -l fail-on -x -a 'blocker degraded' -d 'From which severity on the exit code is 4 (blocker).'
complete -c gpuprobe -n "__gpuprobe_behind doctor" -l markdown -d 'For a forum or an issue.'
complete -c gpuprobe -n "__gpuprobe_behind env" -l shell -x -a 'sh bash zsh dash fish csh powershell cmd' -d 'For which shell: sh, bash, zsh, dash, ksh, fish, csh, powershell (pwsh), cmd. Without it, by `$SHELL`.'
complete -c gpuprobe -n "__gpuprobe_behind env" -l format -x -a 'dotenv docker compose systemd' -d 'For a file instead: dotenv, docker (`--env-file`), compose, systemd.'
complete -c gpuprobe -n "__gpuprobe_behind env" -l unset -d 'Undo: unset whatever `env` may have set. What stood there before is not restored.'
complete -c gpuprobe -n "__gpuprobe_behind env" -l required -d 'Only variables without which a library crashes on an unsupported card (ROCm).'
complete -c gpuprobe -n "__gpuprobe_behind env" -l count -x -d 'The N devices with most free memory, discrete ones first.'
complete -c gpuprobe -n "__gpuprobe_behind env" -l min-free -x -d 'Only devices with this much free memory or more: `8GiB`; not where it is unknown.'
complete -c gpuprobe -n "__gpuprobe_behind env" -l check -d 'Check it: list once more under the variables; exit 4 if other devices are seen.'
complete -c gpuprobe -n "__gpuprobe_behind env" -l fresh -d 'Detect the devices again, also where the saved results fit.'
complete -c gpuprobe -n "__gpuprobe_behind env" -l for -x -a 'ollama llama.cpp vllm torch ray slurm docker kubernetes' -d 'What this program reads: ollama, llama.cpp, vllm, torch, ray, slurm, docker, kubernetes.'
complete -c gpuprobe -n "__gpuprobe_behind plan" -l context -x -d 'Tokens of context: 8192 or 32k; with --compare several: 4k,32k.'
complete -c gpuprobe -n "__gpuprobe_behind plan" -l parallel -x -d 'How many requests at once, each with its own cache.'
complete -c gpuprobe -n "__gpuprobe_behind plan" -l cache-type-k -x -a 'f32 f16 bf16 q8_0 q5_1 q5_0 q4_1 q4_0 iq4_nl' -d 'Type of the K cache: f16, q8_0, q4_0 and the like.'
complete -c gpuprobe -n "__gpuprobe_behind plan" -l cache-type-v -x -a 'f32 f16 bf16 q8_0 q5_1 q5_0 q4_1 q4_0 iq4_nl' -d 'Type of the V cache; a quantised one needs flash attention.'
complete -c gpuprobe -n "__gpuprobe_behind plan" -l flash-attn -x -a 'on off auto' -d 'Flash attention; without it the engine decides.'
complete -c gpuprobe -n "__gpuprobe_behind plan" -l ubatch -x -d 'Tokens computed at a time: more need a larger buffer.'
complete -c gpuprobe -n "__gpuprobe_behind plan" -l devices -x -a 'CUDA ROCm Metal Level-Zero Vulkan (__gpuprobe_devices)' -d 'Only on these: `--devices CUDA:0,CUDA:1`, or the option several times.'
complete -c gpuprobe -n "__gpuprobe_behind plan" -l split -x -d 'Shares of the devices: `--split 3,1`; without it by free memory.'
complete -c gpuprobe -n "__gpuprobe_behind plan" -l layers -x -d 'How many layers go on devices; the output layer counts.'
complete -c gpuprobe -n "__gpuprobe_behind plan" -l cpu-moe -x -d 'The experts of the first N layers stay on the host.'
complete -c gpuprobe -n "__gpuprobe_behind plan" -l reserve -x -d 'Leave this much free on each device for others: `2GiB`.'
complete -c gpuprobe -n "__gpuprobe_behind plan" -l engine -x -a 'llama.cpp ollama vllm' -d 'Plan for llama.cpp, ollama or vllm; without it, for what the model suits.'
complete -c gpuprobe -n "__gpuprobe_behind plan" -l gpu-only -d 'Exit 5 if a part would stay on the host.'
complete -c gpuprobe -n "__gpuprobe_behind plan" -l what-if -x -a 'CUDA ROCm Metal Level-Zero Vulkan (__gpuprobe_devices)' -d 'A device as it might be, or one that is not installed: \'CUDA:0 total=24GiB free=20GiB\', \'host free=64GiB\'.'
complete -c gpuprobe -n "__gpuprobe_behind plan" -l own -d 'Use only gpuprobe\'s own arithmetic, and ask no installed engine.'
complete -c gpuprobe -n "__gpuprobe_behind plan" -l compare -d 'One line for each model and each context, instead of one plan in full.'
complete -c gpuprobe -n "__gpuprobe_behind running refresh" -l watch -d 'Again every 2 seconds, or as given; `q` or Ctrl-C ends it.'
complete -c gpuprobe -n "__gpuprobe_behind refresh" -l diff -d 'Also what changed since the saved discovery: memory, drivers, devices.'
complete -c gpuprobe -n "__gpuprobe_behind refresh" -l require -x -d 'As in `list`: exit 5 unless met, 6 where a figure is unknown.'
complete -c gpuprobe -n "__gpuprobe_behind refresh" -l wait -x -d 'Until --require is met, for this long at most: `90s` or `10m`.'
complete -c gpuprobe -n "__gpuprobe_behind fleet" -l require -x -d 'For every machine, as for `list`: exit 5 where one does not meet it, 6 where one gave no answer.'
complete -c gpuprobe -n "__gpuprobe_behind fleet" -l expect -x -d 'Machines that must be there, for example \'n[01-40],login1\': one that left nothing is a row, too.'
complete -c gpuprobe -n "__gpuprobe_behind fleet" -l group -x -a 'all machine gpu driver why' -d 'Which machines share a row: those equal in all that is shown, or in this; `machine`: none.'
complete -c gpuprobe -n "__gpuprobe_behind fleet" -l sort -x -a 'machine usable driver why' -d 'The order of rows: by name, or the worst first.'
complete -c gpuprobe -n "__gpuprobe_behind fleet" -l format -x -a 'csv prometheus' -d 'Another form: a row or a metric for each machine.'
complete -c gpuprobe -n "__gpuprobe_argument list 1" -x -a 'CUDA ROCm Metal Level-Zero Vulkan (__gpuprobe_devices)' -d 'DEVICE'
complete -c gpuprobe -n "__gpuprobe_behind validate" -x -a 'CUDA ROCm Metal Level-Zero Vulkan (__gpuprobe_devices)' -d 'DEVICE'
complete -c gpuprobe -n "__gpuprobe_behind doctor" -x -a 'CUDA ROCm Metal Level-Zero Vulkan (__gpuprobe_devices)' -d 'DEVICE'
complete -c gpuprobe -n "__gpuprobe_behind flash-attn" -x -a 'CUDA ROCm Metal Level-Zero Vulkan (__gpuprobe_devices)' -d 'DEVICE'
complete -c gpuprobe -n "not contains -- -- (commandline -opc); and __gpuprobe_behind env" -x -a 'CUDA ROCm Metal Level-Zero Vulkan (__gpuprobe_devices)' -d 'DEVICE'
complete -c gpuprobe -n "__gpuprobe_runs env" -x -a '(__gpuprobe_run)'
complete -c gpuprobe -n "__gpuprobe_behind plan" -F
complete -c gpuprobe -n "__gpuprobe_argument capture 1" -F
complete -c gpuprobe -n "__gpuprobe_behind refresh" -x -a 'CUDA ROCm Metal Level-Zero Vulkan (__gpuprobe_devices)' -d 'DEVICE'
complete -c gpuprobe -n "__gpuprobe_behind fleet" -F
complete -c gpuprobe -n "__gpuprobe_argument completion 1" -x -a 'bash zsh fish powershell' -d 'SHELL'
