// The client of client.py in C: SSL_read and SSL_write, and `confine`: from then on an allow-list of system calls.
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned char buffer[16 + (1 << 20)];

// What a client needs between two lines; everything else kills it.
static void confine(void)
{
    static const int allowed[] = {SYS_read, SYS_write, SYS_close, SYS_shutdown, SYS_brk, SYS_mmap, SYS_munmap, SYS_madvise,
                                  SYS_futex, SYS_getpid, SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_rt_sigaction};
    enum { ALLOWED = sizeof allowed / sizeof *allowed };
    struct sock_filter code[ALLOWED + 3];
    code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
    for (int i = 0; i < ALLOWED; i++)
        code[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], ALLOWED - i, 0);
    code[ALLOWED + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[ALLOWED + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {ALLOWED + 3, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        exit(2);
}

static SSL *dial(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address))
        exit(3);
    static SSL_CTX *context;
    if (!context)
        context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) != 1)
        exit(4);
    return ssl;
}

int main(int count, char **arguments)
{
    char line[64];
    SSL *ssl = NULL;
    int sent, received;
    setvbuf(stdout, NULL, _IONBF, 0);
    while (count == 2 && fgets(line, sizeof line, stdin)) {
        if (!strncmp(line, "open", 4)) {
            ssl = dial(atoi(arguments[1]));
        } else if (sscanf(line, "call %d %d", &sent, &received) == 2) {
            char head[17];
            snprintf(head, sizeof head, "%08d%08d", sent, received);
            memcpy(buffer, head, 16);
            for (int i = 0; i < sent; i++)
                buffer[16 + i] = i * 7 + (i >> 8);
            if (SSL_write(ssl, buffer, 16 + sent) != 16 + sent)
                exit(5);
            while (received > 0) {
                int got = SSL_read(ssl, buffer, received < 65536 ? received : 65536);
                if (got <= 0)
                    exit(6);
                received -= got;
            }
        } else if (!strncmp(line, "close", 5)) {
            SSL_shutdown(ssl);
            close(SSL_get_fd(ssl));
            SSL_free(ssl);
        } else if (!strncmp(line, "confine", 7)) {
            confine();
        } else if (!strncmp(line, "fork", 4)) {
            int child = fork();
            if (child) {
                waitpid(child, NULL, 0);
                return 0;
            }
        }
        printf("ok %d\n", (int)getpid());
    }
    return 0;
}
