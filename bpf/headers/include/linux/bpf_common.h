/* BCC's own copy of linux/bpf.h includes this; nothing of it is used. */
