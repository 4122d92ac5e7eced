/* Nothing of the kernel is configured here: no kernel struct is read.  BCC insists on this one. */
#define CONFIG_BPF_SYSCALL 1
