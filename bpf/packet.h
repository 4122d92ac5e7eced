// Where things stand in a packet.
#pragma once

#ifdef PACKETS
#define IP_TCP 6
#define IPV4_HEADER_BYTES 20
#define IPV6_HEADER_BYTES 40
#define TCP_HEADER_BYTES 20
#define TCP_SEQUENCE_AT 4
#define TLS_HEADER_BYTES 5

// Where TCP's payload begins in a packet, or 0: another protocol, an IPv6 packet with further headers, or nothing in it.  A packet's bytes may
// lie in pieces, so they are loaded, not pointed at.
static __always_inline u32 payload_of(struct __sk_buff *skb, u32 *tcp_at)
{
    u8 first = 0, protocol = 0, tcp_length = 0;
    u32 ip_length = IPV6_HEADER_BYTES;
    if (bpf_skb_load_bytes(skb, 0, &first, 1))
        return 0;
    if (first >> 4 == 4) {
        ip_length = (first & 15) * 4;
        if (ip_length < IPV4_HEADER_BYTES || bpf_skb_load_bytes(skb, 9, &protocol, 1))
            return 0;
    } else if (first >> 4 != 6 || bpf_skb_load_bytes(skb, 6, &protocol, 1)) {
        return 0;
    }
    if (protocol != IP_TCP || bpf_skb_load_bytes(skb, ip_length + 12, &tcp_length, 1))
        return 0;
    *tcp_at = ip_length;
    u32 at = ip_length + (tcp_length >> 4) * 4;
    return at >= ip_length + TCP_HEADER_BYTES && at < skb->len ? at : 0;
}
#endif
