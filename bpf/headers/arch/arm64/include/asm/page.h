/* BCC sizes ring buffers with it; user space gives RING_PAGES in these units. */
#define PAGE_SIZE 4096
