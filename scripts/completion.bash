# bash completion for barewire(1)
_barewire() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} i word
    local valued=" -i --nic --publish -a --address -g --gateway --dns --mac --pcap --record --spin --io-uring --mtu --name --loopback --impair --sysctl -o --output -P --profile "
    COMPREPLY=()
    # --trace=GROUP: the equals sign is a word of its own.
    if [[ ${COMP_WORDS[COMP_CWORD - 2]:-} == --trace && $previous == "=" ]] || [[ $previous == --trace && $current == "=" ]]; then
        mapfile -t COMPREPLY < <(compgen -W "call tcp ip arp frame" -- "${current#=}")
        return
    fi
    # Behind the program's name it is the program's turn.
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
        --) i=$((i + 1)) && break ;;
        -*) [[ $valued != *" $word "* ]] || i=$((i + 1)) ;;
        ss | stats | down | doctor | lan | router | net | report | replay | lab | help)
            case $word in
            lab) word="up status run far down" ;;
            help) word="ss stats ls down report replay doctor lan router net lab sysctl" ;;
            net) word="run up down show exec --seed" ;;
            router) word="--show --route --nat --map --name --seed" ;;
            lan) word="--hub --switch --rate --delay --ber --outage --seed" ;;
            ss) word="-t -u -l -a -i -m -p -n -H -w --json --name" ;;
            stats) word="--json --lock --name" ;;
            down) word="--name" ;;
            report) word="--live --text -o --name" ;;
            replay) word="--until --break --calls --quiet --interactive" ;;
            doctor) word="--json" ;;
            esac
            mapfile -t COMPREPLY < <(compgen -W "$word" -- "$current")
            [ "${COMP_WORDS[i]}" != doctor ] || mapfile -O ${#COMPREPLY[@]} -t COMPREPLY < <(compgen -c -- "$current")
            [[ ${COMP_WORDS[i]} != @(report|replay) ]] || mapfile -O ${#COMPREPLY[@]} -t COMPREPLY < <(compgen -f -- "$current")
            return
            ;;
        *) break ;;
        esac
    done
    if ((i < COMP_CWORD)) && declare -F _command_offset >/dev/null; then
        _command_offset "$i"
        return
    elif ((i < COMP_CWORD)); then
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
    fi
    case $previous in
    -i | --nic)
        word="passt vde: lan:"
        for i in /sys/class/net/*; do word+=" packet:${i##*/} pcap:${i##*/} tap:${i##*/}"; done
        mapfile -t COMPREPLY < <(compgen -W "$word" -- "$current")
        ;;
    -a | --address) mapfile -t COMPREPLY < <(compgen -W "dhcp auto" -- "$current") ;;
    --mac) mapfile -t COMPREPLY < <(compgen -W "nic" -- "$current") ;;
    --loopback) mapfile -t COMPREPLY < <(compgen -W "kernel stack" -- "$current") ;;
    --io-uring) mapfile -t COMPREPLY < <(compgen -W "none files kernel" -- "$current") ;;
    --pcap | --record | -o | --output) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    -P | --profile)
        word=$(sed -n 's/^[[:space:]]*\[\(.*\)\][[:space:]]*$/\1/p' "${XDG_CONFIG_HOME:-$HOME/.config}/barewire.conf" /etc/barewire.conf 2>/dev/null)
        mapfile -t COMPREPLY < <(compgen -W "$word" -- "$current")
        ;;
    --impair) mapfile -t COMPREPLY < <(compgen -W "loss= delay= jitter= duplicate= reorder= corrupt= rate= queue= burst= seed=" -- "$current") && compopt -o nospace ;;
    --sysctl)
        word=$(barewire help sysctl 2>/dev/null | sed 's/ = .*/=/')
        mapfile -t COMPREPLY < <(compgen -W "$word" -- "$current") && compopt -o nospace
        ;;
    --name)
        word=$(barewire ls 2>/dev/null | awk 'NR > 1 { print $1 }')
        mapfile -t COMPREPLY < <(compgen -W "$word" -- "$current")
        ;;
    --publish | -g | --gateway | --dns | --spin | --mtu) ;;
    *)
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "--nic --publish --address --gateway --dns --mac --pcap --record --spin --io-uring --mtu --name --loopback --impair --sysctl --trace --output --profile --no-ipv6 --strict --explain --verbose --help --version" -- "$current")
        else
            # Our own commands first; programs, of which there are thousands, once a letter is typed.
            [ -z "$current" ] || mapfile -t COMPREPLY < <(compgen -c -- "$current")
            mapfile -O ${#COMPREPLY[@]} -t COMPREPLY < <(compgen -W "ls ss stats report replay down doctor lan router net lab help" -- "$current")
        fi
        ;;
    esac
}
complete -F _barewire barewire
