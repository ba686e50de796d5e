/*
 * mib.h - the stack's counters, by the names of /proc/net/snmp and /proc/net/netstat: MIB(group, name).
 */
#ifndef STACK_MIB_H
#define STACK_MIB_H

#include <stdint.h>

#define MIB_COUNTERS(MIB)               \
    MIB(Ip, InReceives)                 \
    MIB(Ip, InHdrErrors)                \
    MIB(Ip, InAddrErrors)               \
    MIB(Ip, InUnknownProtos)            \
    MIB(Ip, InDiscards)                 \
    MIB(Ip, InDelivers)                 \
    MIB(Ip, OutRequests)                \
    MIB(Ip, OutDiscards)                \
    MIB(Ip, OutNoRoutes)                \
    MIB(Ip, ReasmTimeout)               \
    MIB(Ip, ReasmReqds)                 \
    MIB(Ip, ReasmOKs)                   \
    MIB(Ip, ReasmFails)                 \
    MIB(Ip, FragOKs)                    \
    MIB(Ip, FragFails)                  \
    MIB(Ip, FragCreates)                \
    MIB(IpExt, InTruncatedPkts)         \
    MIB(IpExt, InCsumErrors)            \
    MIB(IpExt, InMcastPkts)             \
    MIB(IpExt, OutMcastPkts)            \
    MIB(IpExt, InBcastPkts)             \
    MIB(IpExt, OutBcastPkts)            \
    MIB(IpExt, ReasmOverlaps)           \
    MIB(Icmp, InMsgs)                   \
    MIB(Icmp, InErrors)                 \
    MIB(Icmp, InCsumErrors)             \
    MIB(Icmp, InDestUnreachs)           \
    MIB(Icmp, InTimeExcds)              \
    MIB(Icmp, InParmProbs)              \
    MIB(Icmp, InSrcQuenchs)             \
    MIB(Icmp, InRedirects)              \
    MIB(Icmp, InEchos)                  \
    MIB(Icmp, InEchoReps)               \
    MIB(Icmp, OutMsgs)                  \
    MIB(Icmp, OutErrors)                \
    MIB(Icmp, OutRateLimitGlobal)       \
    MIB(Icmp, OutRateLimitHost)         \
    MIB(Icmp, OutDestUnreachs)          \
    MIB(Icmp, OutTimeExcds)             \
    MIB(Icmp, OutParmProbs)             \
    MIB(Icmp, OutEchos)                 \
    MIB(Icmp, OutEchoReps)              \
    MIB(Tcp, ActiveOpens)               \
    MIB(Tcp, PassiveOpens)              \
    MIB(Tcp, AttemptFails)              \
    MIB(Tcp, EstabResets)               \
    MIB(Tcp, InSegs)                    \
    MIB(Tcp, OutSegs)                   \
    MIB(Tcp, RetransSegs)               \
    MIB(Tcp, InErrs)                    \
    MIB(Tcp, OutRsts)                   \
    MIB(Tcp, InCsumErrors)              \
    MIB(TcpExt, SyncookiesSent)         \
    MIB(TcpExt, SyncookiesRecv)         \
    MIB(TcpExt, SyncookiesFailed)       \
    MIB(TcpExt, TCPDeferAcceptDrop)     \
    MIB(TcpExt, TCPFastOpenActive)      \
    MIB(TcpExt, TCPFastOpenActiveFail)  \
    MIB(TcpExt, TCPFastOpenPassive)     \
    MIB(TcpExt, TCPFastOpenPassiveFail) \
    MIB(TcpExt, TCPFastOpenCookieReqd)  \
    MIB(TcpExt, TCPOrphanQueueFull)     \
    MIB(TcpExt, TCPTimeWaitOverflow)    \
    MIB(TcpExt, ListenOverflows)        \
    MIB(TcpExt, ListenDrops)            \
    MIB(TcpExt, OutOfWindowIcmps)       \
    MIB(TcpExt, TCPAbortOnData)         \
    MIB(TcpExt, TCPAbortOnClose)        \
    MIB(TcpExt, TCPAbortOnTimeout)      \
    MIB(TcpExt, TCPAbortOnMemory)       \
    MIB(TcpExt, TCPChallengeACK)        \
    MIB(TcpExt, TCPACKSkippedSeq)       \
    MIB(TcpExt, TCPFastRetrans)         \
    MIB(TcpExt, TCPECNReductions)       \
    MIB(TcpExt, TCPTimeouts)            \
    MIB(TcpExt, TCPLossProbes)          \
    MIB(TcpExt, TCPLossProbeRecovery)   \
    MIB(TcpExt, TCPFullUndo)            \
    MIB(TcpExt, TCPDSACKUndo)           \
    MIB(TcpExt, TCPLossUndo)            \
    MIB(TcpExt, TCPDSACKOldSent)        \
    MIB(TcpExt, TCPDSACKRecv)           \
    MIB(TcpExt, PAWSActive)             \
    MIB(TcpExt, PAWSEstab)              \
    MIB(TcpExt, PAWSTimewait)           \
    MIB(TcpExt, TCPOFOQueue)            \
    MIB(TcpExt, TCPOFODrop)             \
    MIB(TcpExt, OfoPruned)              \
    MIB(TcpExt, TCPRcvQDrop)            \
    MIB(TcpExt, TCPKeepAlive)           \
    MIB(TcpExt, DelayedACKs)            \
    MIB(TcpExt, TCPAckCompressed)       \
    MIB(TcpExt, TCPAutoCorking)         \
    MIB(TcpExt, TCPMinTTLDrop)          \
    MIB(TcpExt, TCPMD5NotFound)         \
    MIB(TcpExt, TCPMD5Unexpected)       \
    MIB(TcpExt, TCPMD5Failure)          \
    MIB(TcpExt, TW)                     \
    MIB(TcpExt, TWRecycled)             \
    MIB(TcpExt, TCPWinProbe)            \
    MIB(TcpExt, TCPMTUPFail)            \
    MIB(TcpExt, TCPMTUPSuccess)         \
    MIB(Udp, InDatagrams)               \
    MIB(Udp, NoPorts)                   \
    MIB(Udp, InErrors)                  \
    MIB(Udp, OutDatagrams)              \
    MIB(Udp, RcvbufErrors)              \
    MIB(Udp, SndbufErrors)              \
    MIB(Udp, InCsumErrors)              \
    MIB(Udp, IgnoredMulti)              \
    MIB(Udp, MemErrors)                 \
    MIB(UdpLite, InDatagrams)           \
    MIB(UdpLite, NoPorts)               \
    MIB(UdpLite, InErrors)              \
    MIB(UdpLite, OutDatagrams)          \
    MIB(UdpLite, RcvbufErrors)          \
    MIB(UdpLite, SndbufErrors)          \
    MIB(UdpLite, InCsumErrors)          \
    MIB(UdpLite, IgnoredMulti)          \
    MIB(UdpLite, MemErrors)

#define MIB_FIELD(group, name) uint64_t group##name;
struct mib {
    MIB_COUNTERS(MIB_FIELD)
};
#undef MIB_FIELD

#endif
