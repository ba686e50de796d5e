#compdef barewire
# zsh completion for barewire(1)

_barewire_nics() {
    local -a kinds
    kinds=(passt)
    local interface
    for interface in /sys/class/net/*(N:t); do kinds+=(packet:$interface pcap:$interface tap:$interface); done
    compadd -- $kinds
    compadd -S '' -- vde: lan:
}
_barewire_profiles() {
    compadd -- ${(f)"$(sed -n 's/^[[:space:]]*\[\(.*\)\][[:space:]]*$/\1/p' "${XDG_CONFIG_HOME:-$HOME/.config}/barewire.conf" /etc/barewire.conf 2>/dev/null)"}
}
_barewire_stacks() { compadd -- ${(f)"$(barewire ls 2>/dev/null | awk 'NR > 1 { print $1 }')"}; }
_barewire_tunables() { compadd -S = -- ${(f)"$(barewire help sysctl 2>/dev/null | sed 's/ = .*//')"}; }

_barewire_program() {
    local -a commands
    commands=(
        'ls:the stacks that run' 'ss:the sockets of one' 'stats:its counters' 'down:ends it'
        'report:what is wrong with connections' 'replay:does a recording again' 'doctor:what works on this machine' 'lan:a LAN in software' 'router:a router between networks' 'net:a network in a file'
        'lab:namespaces to try it in' 'help:of a command' 'version:the version'
    )
    if (( CURRENT == 1 )); then
        _describe -t commands command commands
        _command_names -e
        return
    fi
    local -a help
    local name='--name[of that stack]:stack:_barewire_stacks'
    help=('(-h --help)'{-h,--help}'[what it takes]')
    case $words[1] in
    ss) _arguments -s '-t[TCP]' '-u[UDP]' '-l[listening]' '-a[all]' '-i[what TCP knows]' '-m[memory]' '-p[programs]' '-n[numbers]' \
        '-H[no header]' '-w[progress]' '--json[as JSON]' $name $help ;;
    stats) _arguments '--json[as JSON]' '--lock[how long the lock is held]' $name $help ;;
    down) _arguments $name $help ;;
    report) _arguments '--live[a stack that runs]' '--text[for a terminal]' '-o[to a file]:file:_files' $name $help '*:capture:_files' ;;
    replay) _arguments '--until[after a call, or at a time]:call or time:' '--break[before the call in which it happens]:event:(tcp_retransmit socket_send socket_connect stack_input)' \
        '--calls[tells of each call]' '--quiet[tells of the end alone]' '--interactive[steps, back too]' $help '*:recording:_files' ;;
    doctor) _arguments '--json[as JSON]' $help '*:program:_command_names -e' ;;
    lan) _arguments '--hub[a shared medium]' '--switch[learns and floods]' '--rate[of its line]:rate:' '--delay[of its line]:time:' '--outage[for a part of each time]:times:' \
        '--ber[chance of a wrong bit]:chance:' '--seed[of its chances]:number:' $help ':path:_files' ;;
    net) (( CURRENT > 2 )) && _arguments '--seed[of its chances]:number:' $help '*:file:_files' || compadd -- run up down show exec ;;
    router) _arguments '--show[how it does]:router:' '*--route[beyond its networks]:route:' '--nat[translates what leaves there]:port:' \
        '*--map[a port that leads inside]:map:' '--name[of the router]:name:' '--seed[of its chances]:number:' $help '*:port:' ;;
    lab) (( CURRENT > 2 )) || compadd -- up status run far down ;;
    help) (( CURRENT > 2 )) || compadd -- ss stats ls down report replay doctor lan router net lab sysctl ;;
    *) _normal ;;
    esac
}

_arguments -s -S \
    '(-i --nic)'{-i,--nic}'[the network interface]:kind:_barewire_nics' \
    '*'{-a,--address}'[its own address]:address:(dhcp auto)' \
    '*'{-g,--gateway}'[the router]:address:' \
    '--no-ipv6[IPv4 alone]' \
    '--dns[name servers]:addresses:' \
    '--mac[its Ethernet address]:address:(nic)' \
    '--mtu[the largest packet]:bytes:' \
    '--publish[ports of this host]:ports:' \
    '--loopback[whose 127.0.0.0/8 is]:whose:(kernel stack)' \
    '--name[of the stack]:stack:_barewire_stacks' \
    '*--sysctl[a tunable]:tunable:_barewire_tunables' \
    '--spin[microseconds]:microseconds:' \
    "--impair[a bad network]:items:_values -s , item 'loss=' 'delay=' 'jitter=' 'rate=' 'queue=' 'burst=' 'duplicate=' 'reorder=' 'corrupt=' 'seed='" \
    '(-v --verbose)'{-v,--verbose}'[what each connection did]' \
    '--trace=-[calls and events]::groups:_values -s , group call tcp ip arp frame' \
    '(-o --output)'{-o,--output}'[where that goes]:file:_files' \
    '--pcap[all frames]:file:_files' \
    '--record[for barewire replay]:file:_files' \
    '(-P --profile)'{-P,--profile}'[of the configuration files]:profile:_barewire_profiles' \
    '--strict[start nothing else]' \
    '--explain[by which doors calls go]' \
    '--io-uring[what a program gets]:kind:(none files kernel)' \
    '(- *)'{-h,--help}'[how to use it]' \
    '(- *)--version[the version]' \
    '*::program:_barewire_program'
