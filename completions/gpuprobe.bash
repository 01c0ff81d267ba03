# bash completion for gpuprobe. Written by `python -m gpuprobe.manual write`; changes here are lost.

_gpuprobe_words() {  # sets `words` to the words up to the cursor, `cur` to the last of them
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

_gpuprobe_offer() {  # those of the given words that begin with `cur`, in any case, behind what bash wants kept
    local word broken=''
    [[ $COMP_WORDBREAKS == *:* && $cur == *:* ]] && broken=${cur%:*}:
    shopt -q nocasematch && local was=-s || local was=-u
    shopt -s nocasematch
    for word; do
        [[ $word == "$cur"* ]] && COMPREPLY+=("$kept${word:${#broken}}")
    done
    shopt "$was" nocasematch
}

_gpuprobe_offer_listed() {  # the same behind the last comma
    [[ $cur == *,* ]] && kept+=${cur%,*}, cur=${cur##*,}
    _gpuprobe_offer "$@"
}

_gpuprobe_offer_devices() {  # the same, and what the last discovery found: one's own file of this start and container
    local folder=$HOME/.cache file here='' root='' held='' word name id parent device at rest
    [[ $OSTYPE == darwin* ]] && folder=$HOME/Library/Caches
    [[ $XDG_CACHE_HOME == /* ]] && folder=$XDG_CACHE_HOME
    file=$folder/gpuprobe/devices
    if [[ -f $file && -O $file && ! -L $file && -r $file ]]; then
        [[ -r /proc/sys/kernel/random/boot_id ]] && read -r here < /proc/sys/kernel/random/boot_id
        [[ -r /proc/self/mountinfo ]] && while read -r id parent device folder at rest; do
            [[ $at == / ]] && root="$id $parent $device $folder / $rest"
        done < /proc/self/mountinfo
        {
            IFS= read -r held
            while [[ $held == "$here $root" ]] && IFS=$'\t' read -r word name; do
                [[ -z $word || $word == *[!A-Za-z0-9:.#_/-]* ]] || set -- "$@" "$word"
            done
        } < "$file"
    fi
    _gpuprobe_offer "$@"
}

_gpuprobe_offer_paths() {  # readline's own, which knows quotes, blanks and `~`
    compopt -o "$1" 2>/dev/null
}

_gpuprobe_value() {  # of the option $1, behind the command $2
    case "$2 $1" in
        ''' --sort') _gpuprobe_offer free ;;
        'list'' --sort') _gpuprobe_offer free ;;
        'fleet'' --sort') _gpuprobe_offer machine usable driver why ;;
        ''' --format') _gpuprobe_offer prometheus labels csv ;;
        'list'' --format') _gpuprobe_offer prometheus labels csv ;;
        'env'' --format') _gpuprobe_offer dotenv docker compose systemd ;;
        'fleet'' --format') _gpuprobe_offer csv prometheus ;;
        *' --from') _gpuprobe_offer_paths default ;;
        *' --library') _gpuprobe_offer_listed cuda rocm metal level-zero vulkan nvml amdgpu ;;
        *' --lib-dir') _gpuprobe_offer_paths dirnames ;;
        *' --software') _gpuprobe_offer_paths dirnames ;;
        *' --build') _gpuprobe_offer system ;;
        *' --step') _gpuprobe_offer load init list context allocate copy kernel blas product bandwidth ;;
        *' --for') _gpuprobe_offer ollama 'llama.cpp' vllm torch ray slurm docker kubernetes ;;
        *' --log') _gpuprobe_offer_paths default ;;
        *' --fail-on') _gpuprobe_offer blocker degraded ;;
        *' --shell') _gpuprobe_offer sh bash zsh dash fish csh powershell cmd ;;
        *' --cache-type-k') _gpuprobe_offer f32 f16 bf16 'q8_0' 'q5_1' 'q5_0' 'q4_1' 'q4_0' 'iq4_nl' ;;
        *' --cache-type-v') _gpuprobe_offer f32 f16 bf16 'q8_0' 'q5_1' 'q5_0' 'q4_1' 'q4_0' 'iq4_nl' ;;
        *' --flash-attn') _gpuprobe_offer on off auto ;;
        *' --devices') _gpuprobe_offer_devices CUDA ROCm Metal Level-Zero Vulkan ;;
        *' --engine') _gpuprobe_offer 'llama.cpp' ollama vllm ;;
        *' --what-if') _gpuprobe_offer_devices CUDA ROCm Metal Level-Zero Vulkan ;;
        *' --group') _gpuprobe_offer all machine gpu driver why ;;
    esac
}

_gpuprobe_options() {  # behind the command $1
    case $1 in
        '') _gpuprobe_offer --version -h --help --all --quick --require --sort --brief --format --json --from --library --lib-dir --software --timeout --deadline --allow-software --no-wake --no-color -v --verbose -q --quiet ;;
        'list') _gpuprobe_offer --all --quick --require --sort --brief --format --json --from --library --lib-dir --software --timeout --deadline --allow-software --no-wake --no-color -v --verbose -q --quiet -h --help ;;
        'validate') _gpuprobe_offer --build --strict --step --repeat --jobs --json --from --library --lib-dir --software --timeout --deadline --allow-software --no-wake --no-color -v --verbose -q --quiet -h --help ;;
        'doctor') _gpuprobe_offer --for --as --log --explain --only --skip --fail-on --markdown --json --from --library --lib-dir --software --timeout --deadline --allow-software --no-wake --no-color -v --verbose -q --quiet -h --help ;;
        'flash-attn') _gpuprobe_offer --json --from --library --lib-dir --software --timeout --deadline --allow-software --no-wake --no-color -v --verbose -q --quiet -h --help ;;
        'env') _gpuprobe_offer --shell --format --unset --required --count --min-free --check --fresh --for --json --from --library --lib-dir --software --timeout --deadline --allow-software --no-wake --no-color -v --verbose -q --quiet -h --help ;;
        'plan') _gpuprobe_offer --context --parallel --cache-type-k --cache-type-v --flash-attn --ubatch --devices --split --layers --cpu-moe --reserve --engine --gpu-only --what-if --own --compare --json --from --library --lib-dir --software --timeout --deadline --allow-software --no-wake --no-color -v --verbose -q --quiet -h --help ;;
        'running') _gpuprobe_offer --watch --json --from --library --lib-dir --software --timeout --deadline --allow-software --no-wake --no-color -v --verbose -q --quiet -h --help ;;
        'capture') _gpuprobe_offer --json --from --library --lib-dir --software --timeout --deadline --allow-software --no-wake --no-color -v --verbose -q --quiet -h --help ;;
        'refresh') _gpuprobe_offer --diff --watch --require --wait --json --from --library --lib-dir --software --timeout --deadline --allow-software --no-wake --no-color -v --verbose -q --quiet -h --help ;;
        'fleet') _gpuprobe_offer --require --expect --group --sort --format --json --no-color -v --verbose -q --quiet -h --help ;;
        'completion') _gpuprobe_offer --json --no-color -v --verbose -q --quiet -h --help ;;
    esac
}

_gpuprobe_argument() {  # number $2 behind the command $1
    case "$1 $2" in
        'list 0') _gpuprobe_offer_devices CUDA ROCm Metal Level-Zero Vulkan ;;
        'validate '*) _gpuprobe_offer_devices CUDA ROCm Metal Level-Zero Vulkan ;;
        'doctor '*) _gpuprobe_offer_devices CUDA ROCm Metal Level-Zero Vulkan ;;
        'flash-attn '*) _gpuprobe_offer_devices CUDA ROCm Metal Level-Zero Vulkan ;;
        'env '*) _gpuprobe_offer_devices CUDA ROCm Metal Level-Zero Vulkan ;;
        'plan '*) _gpuprobe_offer_paths default ;;
        'capture 0') _gpuprobe_offer_paths default ;;
        'refresh '*) _gpuprobe_offer_devices CUDA ROCm Metal Level-Zero Vulkan ;;
        'fleet '*) _gpuprobe_offer_paths default ;;
        'completion 0') _gpuprobe_offer bash zsh fish powershell ;;
    esac
}

_gpuprobe() {
    local cur kept='' word command='' option='' ended='' number=0 i
    local -a words
    COMPREPLY=()
    compopt +o default 2>/dev/null
    _gpuprobe_words
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        word=${words[i]}
        if [[ -n $option ]]; then
            option=''
        elif [[ -z $ended && $word == -- ]]; then
            ended=yes
            case $command in env)
                for ((i = 1; i < COMP_CWORD; i++)); do [[ ${COMP_WORDS[i]} == -- ]] && break; done
                if declare -F _command_offset >/dev/null; then _command_offset $((i + 1)); else compopt -o default; fi
                return ;;
            esac
        elif [[ -z $ended && $word == -* ]]; then
            case $word in --require | --sort | --format | --from | --library | --lib-dir | --software | --timeout | --deadline | --build | --step | --repeat | --jobs | --for | --as | --log | --explain | --only | --skip | --fail-on | --shell | --count | --min-free | --context | --parallel | --cache-type-k | --cache-type-v | --flash-attn | --ubatch | --devices | --split | --layers | --cpu-moe | --reserve | --engine | --what-if | --wait | --expect | --group) option=$word ;; esac
        elif [[ -z $command ]]; then
            command=$word
        else
            ((number++))
        fi
    done
    if [[ -n $option ]]; then
        _gpuprobe_value "$option" "$command"
    elif [[ -z $ended && $cur == --*=* ]]; then
        option=${cur%%=*} cur=${cur#*=}
        [[ $COMP_WORDBREAKS == *=* ]] || kept=$option=
        _gpuprobe_value "$option" "$command"
    elif [[ -z $ended && $cur == -* ]]; then
        _gpuprobe_options "$command"
    elif [[ -z $command ]]; then
        _gpuprobe_offer list validate doctor flash-attn env plan running capture refresh fleet completion
    else
        _gpuprobe_argument "$command" "$number"
    fi
}

complete -o default -F _gpuprobe gpuprobe
