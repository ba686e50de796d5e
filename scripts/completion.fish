# fish completion for barewire(1)

function __barewire_interfaces
    echo passt
    for interface in (path basename /sys/class/net/* 2>/dev/null; or ls /sys/class/net)
        echo packet:$interface
        echo pcap:$interface
        echo tap:$interface
    end
    echo vde:
    echo lan:
end
function __barewire_profiles
    set -l folder $XDG_CONFIG_HOME ~/.config
    sed -n 's/^[[:space:]]*\[\(.*\)\][[:space:]]*$/\1/p' $folder[1]/barewire.conf /etc/barewire.conf 2>/dev/null
end
function __barewire_stacks
    barewire ls 2>/dev/null | awk 'NR > 1 { print $1 }'
end
function __barewire_tunables
    barewire help sysctl 2>/dev/null | sed 's/ = .*/=/'
end
# The first word that is neither an option nor an option's value.
function __barewire_command
    set -l words (commandline -opc)
    set -l valued -i --nic --publish -a --address -g --gateway --dns --mac --pcap --record --spin --io-uring --mtu --name --loopback --impair --sysctl \
        -o --output -P --profile
    set -l skip 1
    for word in $words
        if test $skip = 1
            set skip 0
        else if contains -- $word $valued
            set skip 1
        else if not string match -q -- '-*' $word
            echo $word
            return 0
        end
    end
    return 1
end
function __barewire_in
    contains -- (__barewire_command; or echo -) $argv
end
function __barewire_options
    not __barewire_command >/dev/null
end

complete -c barewire -f
complete -c barewire -n __barewire_options -a '(__fish_complete_subcommand)'
for pair in 'ls	the stacks that run' 'ss	the sockets of one' 'stats	its counters' 'down	ends it' 'report	what is wrong with connections' \
    'replay	does a recording again' 'doctor	what works on this machine' 'lan	a LAN in software' 'router	a router between networks' 'net	a network in a file' 'lab	namespaces to try it in' 'help	of a command' 'version	the version'
    complete -c barewire -n __barewire_options -a (string escape -- $pair)
end
complete -c barewire -n __barewire_options -s i -l nic -x -a '(__barewire_interfaces)' -d 'the network interface'
complete -c barewire -n __barewire_options -s a -l address -x -a 'dhcp auto' -d 'its own address'
complete -c barewire -n __barewire_options -s g -l gateway -x -d 'the router'
complete -c barewire -n __barewire_options -l no-ipv6 -d 'IPv4 alone'
complete -c barewire -n __barewire_options -l dns -x -d 'name servers'
complete -c barewire -n __barewire_options -l mac -x -a nic -d 'its Ethernet address'
complete -c barewire -n __barewire_options -l mtu -x -d 'the largest packet'
complete -c barewire -n __barewire_options -l publish -x -d 'ports of this host'
complete -c barewire -n __barewire_options -l loopback -x -a 'kernel stack' -d 'whose 127.0.0.0/8 is'
complete -c barewire -n '__barewire_options; or __barewire_in ss stats down report' -l name -x -a '(__barewire_stacks)' -d 'of the stack'
complete -c barewire -n __barewire_options -l sysctl -x -a '(__barewire_tunables)' -d 'a tunable'
complete -c barewire -n __barewire_options -l spin -x -d microseconds
complete -c barewire -n __barewire_options -l impair -x -d 'a bad network' \
    -a 'loss= delay= jitter= rate= queue= burst= duplicate= reorder= corrupt= seed='
complete -c barewire -n __barewire_options -s v -l verbose -d 'what each connection did'
complete -c barewire -n __barewire_options -l trace -d 'calls and events'
complete -c barewire -n __barewire_options -s o -l output -r -F -d 'where that goes'
complete -c barewire -n __barewire_options -l pcap -r -F -d 'all frames'
complete -c barewire -n __barewire_options -l record -r -F -d 'for barewire replay'
complete -c barewire -n __barewire_options -s P -l profile -x -a '(__barewire_profiles)' -d 'of the configuration files'
complete -c barewire -n __barewire_options -l strict -d 'start nothing else'
complete -c barewire -n __barewire_options -l explain -d 'by which doors calls go'
complete -c barewire -n __barewire_options -l io-uring -x -a 'none files kernel' -d 'what a program gets'
complete -c barewire -n __barewire_options -s h -l help -d 'how to use it'
complete -c barewire -n __barewire_options -l version -d 'the version'

complete -c barewire -n '__barewire_in ss' -s t -d TCP
complete -c barewire -n '__barewire_in ss' -s u -d UDP
complete -c barewire -n '__barewire_in ss' -s l -d listening
complete -c barewire -n '__barewire_in ss' -s a -d all
complete -c barewire -n '__barewire_in ss' -s i -d 'what TCP knows'
complete -c barewire -n '__barewire_in ss' -s m -d memory
complete -c barewire -n '__barewire_in ss' -s p -d programs
complete -c barewire -n '__barewire_in ss' -s n -d numbers
complete -c barewire -n '__barewire_in ss' -s H -d 'no header'
complete -c barewire -n '__barewire_in ss' -s w -d progress
complete -c barewire -n '__barewire_in ss stats doctor' -l json -d 'as JSON'
complete -c barewire -n '__barewire_in stats' -l lock -d 'how long the lock is held'
complete -c barewire -n '__barewire_in report' -l live -d 'a stack that runs'
complete -c barewire -n '__barewire_in report' -l text -d 'for a terminal'
complete -c barewire -n '__barewire_in report' -s o -r -F -d 'to a file'
complete -c barewire -n '__barewire_in replay' -l until -x -d 'after a call, or at a time'
complete -c barewire -n '__barewire_in replay' -l break -x -a 'tcp_retransmit socket_send socket_connect stack_input' -d 'before the call in which it happens'
complete -c barewire -n '__barewire_in replay' -l calls -d 'tells of each call'
complete -c barewire -n '__barewire_in replay' -l quiet -d 'tells of the end alone'
complete -c barewire -n '__barewire_in replay' -l interactive -d 'steps, back too'
complete -c barewire -n '__barewire_in report replay lan' -F
complete -c barewire -n '__barewire_in lan' -l hub -d 'a shared medium'
complete -c barewire -n '__barewire_in lan' -l switch -d 'learns and floods'
complete -c barewire -n '__barewire_in lan' -l rate -x -d 'of its line'
complete -c barewire -n '__barewire_in lan' -l delay -x -d 'of its line'
complete -c barewire -n '__barewire_in lan' -l ber -x -d 'chance of a wrong bit'
complete -c barewire -n '__barewire_in lan' -l outage -x -d 'for a part of each time'
complete -c barewire -n '__barewire_in lan' -l seed -x -d 'of its chances'
complete -c barewire -n '__barewire_in net' -a 'run up down show exec'
complete -c barewire -n '__barewire_in net' -F
complete -c barewire -n '__barewire_in net' -l seed -x -d 'of its chances'
complete -c barewire -n '__barewire_in router' -l show -x -d 'how it does'
complete -c barewire -n '__barewire_in router' -l route -x -d 'beyond its networks'
complete -c barewire -n '__barewire_in router' -l nat -x -d 'translates what leaves there'
complete -c barewire -n '__barewire_in router' -l map -x -d 'a port that leads inside'
complete -c barewire -n '__barewire_in router' -l name -x -d 'of the router'
complete -c barewire -n '__barewire_in router' -l seed -x -d 'of its chances'
complete -c barewire -n '__barewire_in lab' -a 'up status run far down'
complete -c barewire -n '__barewire_in help' -a 'ss stats ls down report replay doctor lan router net lab sysctl'
complete -c barewire -n 'not __barewire_options; and not __barewire_in ss stats down report replay doctor lan router net lab help version' -F
