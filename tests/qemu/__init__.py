"""Debian's other kernels, booted in a software-emulated machine whose root is this one's, read-only, to run the kernel tests there."""
