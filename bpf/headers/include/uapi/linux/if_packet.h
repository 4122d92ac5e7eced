/* Included by BCC's helpers; nothing of it is used. */
