// What leaves the machine, seen where packets leave, in the thread that wrote them wherever TCP sends at once.  The only program that is no probe; it sits on
// the root of the cgroups, behind agent/capture/egress.py.  Every packet of the node passes here, so what most packets pay comes first and is little.
#ifdef PACKETS

#define EGRESS_PASS 1  // a packet is never held back: there is no other way out of this program
#define IP_TCP 6
#define IPV4_HEADER_BYTES 20
#define IPV6_HEADER_BYTES 40
#define TCP_HEADER_BYTES 20

// Where TCP's payload begins in a packet, or 0: another protocol, an IPv6 packet with further headers, or nothing in it.
static __always_inline u32 payload_of(struct __sk_buff *skb)
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
    u32 at = ip_length + (tcp_length >> 4) * 4;
    return at >= ip_length + TCP_HEADER_BYTES && at < skb->len ? at : 0;
}

int egress(struct __sk_buff *skb)
{
    return EGRESS_PASS;
}
#endif
