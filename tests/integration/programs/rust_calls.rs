// rust_calls.rs - the ways in which programs in Rust call the kernel: std and mio by libc's functions, rustix by
// instructions of its own. Says the same words to an echo server (ADDRESS PORT) by each.
use std::arch::asm;
use std::env;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::os::unix::io::AsRawFd;
use std::thread;

const WORDS: &[u8] = b"from a program in Rust";
const EPOLLIN: u32 = 1;
const EPOLLET: u32 = 1 << 31;

#[repr(C, packed)]
#[derive(Clone, Copy)]
struct EpollEvent {
    events: u32,
    data: u64,
}

extern "C" {
    fn epoll_create1(flags: i32) -> i32;
    fn epoll_ctl(epoll: i32, operation: i32, fd: i32, event: *mut EpollEvent) -> i32;
    fn epoll_wait(epoll: i32, events: *mut EpollEvent, limit: i32, timeout: i32) -> i32;
}

// As rustix's linux_raw back end has it.
unsafe fn syscall(number: usize, a: [usize; 6]) -> isize {
    let result: isize;
    asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a[0], in("rsi") a[1], in("rdx") a[2],
         in("r10") a[3], in("r8") a[4], in("r9") a[5], lateout("rcx") _, lateout("r11") _,
         options(nostack, preserves_flags));
    result
}

const READ: usize = 0;
const WRITE: usize = 1;
const CLOSE: usize = 3;
const SOCKET: usize = 41;
const CONNECT: usize = 42;
const EPOLL_CTL: usize = 233;
const EPOLL_PWAIT: usize = 281;
const EPOLL_CREATE1: usize = 291;

fn call(number: usize, arguments: &[usize]) -> usize {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    let result = unsafe { syscall(number, all) };
    assert!(result >= 0, "call {} ended with {}", number, result);
    result as usize
}

fn by_std(server: SocketAddrV4) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).unwrap();
    let mut heard = vec![0; WORDS.len()];
    stream.write_all(WORDS).unwrap();
    stream.read_exact(&mut heard).unwrap();
    heard
}

// mio registers once, by edge, and reads until there is nothing more.
fn by_mio(server: SocketAddrV4) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).unwrap();
    let mut heard = Vec::new();
    let mut event = EpollEvent { events: EPOLLIN | EPOLLET, data: 7 };
    let mut piece = [0; 8];
    stream.set_nonblocking(true).unwrap();
    let epoll = unsafe { epoll_create1(0) };
    assert!(unsafe { epoll_ctl(epoll, 1, stream.as_raw_fd(), &mut event) } == 0);
    stream.write_all(WORDS).unwrap();
    while heard.len() < WORDS.len() {
        assert!(unsafe { epoll_wait(epoll, &mut event, 1, 5000) } == 1);
        loop {
            match stream.read(&mut piece) {
                Ok(length) => heard.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{}", error),
            }
        }
    }
    heard
}

fn by_rustix(server: SocketAddrV4) -> Vec<u8> {
    let mut address = [0u8; 16];
    address[0] = 2;
    address[2..4].copy_from_slice(&server.port().to_be_bytes());
    address[4..8].copy_from_slice(&server.ip().octets());
    let fd = call(SOCKET, &[2, 1 | 0o2000000, 0]);
    call(CONNECT, &[fd, address.as_ptr() as usize, address.len()]);
    let epoll = call(EPOLL_CREATE1, &[0]);
    let mut event = EpollEvent { events: EPOLLIN, data: 7 };
    call(EPOLL_CTL, &[epoll, 1, fd, &mut event as *mut EpollEvent as usize]);
    call(WRITE, &[fd, WORDS.as_ptr() as usize, WORDS.len()]);
    let mut heard = Vec::new();
    let mut piece = [0u8; 8];
    while heard.len() < WORDS.len() {
        let ready = call(EPOLL_PWAIT, &[epoll, &mut event as *mut EpollEvent as usize, 1, 5000, 0, 8]);
        assert!(ready == 1);
        let length = call(READ, &[fd, piece.as_mut_ptr() as usize, piece.len()]);
        heard.extend_from_slice(&piece[..length]);
    }
    call(CLOSE, &[epoll]);
    call(CLOSE, &[fd]);
    heard
}

fn main() {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap().parse().unwrap();
    let server = SocketAddrV4::new(address, arguments.next().unwrap().parse().unwrap());
    for way in [by_std, by_mio, by_rustix] {
        assert!(way(server) == WORDS);
        let threads: Vec<_> = (0..4).map(|_| thread::spawn(move || way(server))).collect();
        for thread in threads {
            assert!(thread.join().unwrap() == WORDS);
        }
    }
}
