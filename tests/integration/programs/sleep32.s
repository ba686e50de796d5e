# sleep32.s - a program of 32 bits, which can't be taken over: sleeps for as many seconds as it has arguments.
.globl _start
_start:
    mov (%esp), %eax
    dec %eax
    mov %eax, time
    mov $162, %eax # nanosleep
    mov $time, %ebx
    xor %ecx, %ecx
    int $0x80
    mov $1, %eax # exit
    xor %ebx, %ebx
    int $0x80
.data
time: .long 0, 1000
