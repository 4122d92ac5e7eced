// What OpenSSL's and BoringSSL's ssl_lib look like to a search without symbols, in a few lines: file names and reasons of
// errors, a reference counter, inner functions.  Built by tests/capture/tiny.py, in ways that compilers differ in.
#include <stdlib.h>
#include <string.h>

#ifndef VERSION
#define VERSION "OpenSSL 3.0.19 27 Jan 2026"
#endif
#ifndef FILE_NAME
#define FILE_NAME "../ssl/ssl_lib.c"
#endif
#define KEEP __attribute__((noinline, used))

struct ssl { int references; int state; unsigned char *data; size_t left; };
volatile int sink;
KEEP const char *version(void) { return VERSION; }
#ifdef SECOND_VERSION
KEEP const char *second_version(void) { return SECOND_VERSION; }
#endif

KEEP void raise_error(const char *file, int line, const char *function) { sink += line + (file != function); }
KEEP void put_error(int library, int unused, int reason, const char *file, int line) { sink += library + unused + reason + line + (file != 0); }

#ifndef BORING
#define RAISE() raise_error(FILE_NAME, __LINE__, __func__)

static KEEP int ssl_read_internal(struct ssl *s, void *buffer, size_t size, size_t *got)
{
    if (!s->state) { RAISE(); return -1; }
    *got = size < s->left ? size : s->left;
    memcpy(buffer, s->data, *got);
    return 1;
}
#ifdef FLAGS
static KEEP int ssl_write_internal(struct ssl *s, const void *buffer, size_t size, unsigned long flags, size_t *written)
#else
static KEEP int ssl_write_internal(struct ssl *s, const void *buffer, size_t size, size_t *written)
#endif
{
#ifdef FLAGS
    sink += flags;
#endif
    if (!s->state) { RAISE(); return -1; }
    memcpy(s->data, buffer, size);
    *written = size;
    return 1;
}
KEEP int SSL_read(struct ssl *s, void *buffer, int size)
{
    size_t got;
    if (size < 0) { RAISE(); return -1; }
    int result = ssl_read_internal(s, buffer, size, &got);
    return result > 0 ? (int)got : result;
}
KEEP int SSL_write(struct ssl *s, const void *buffer, int size)
{
    size_t written;
    if (size < 0) { RAISE(); return -1; }
#ifdef FLAGS
    int result = ssl_write_internal(s, buffer, size, 0, &written);
#else
    int result = ssl_write_internal(s, buffer, size, &written);
#endif
    return result > 0 ? (int)written : result;
}
KEEP int SSL_shutdown(struct ssl *s) { if (!s->state) { RAISE(); return -1; } s->state = 0; return 0; }
KEEP void clear(void *p, const char *file, int line) { sink += line + (file != 0); free(p); }
KEEP void SSL_CTX_free(struct ssl *s) { if (__sync_sub_and_fetch(&s->references, 1) == 0) clear(s, FILE_NAME, __LINE__); }
KEEP void SSL_free(struct ssl *s) { if (__sync_sub_and_fetch(&s->references, 1) == 0) { SSL_CTX_free(s + 1); clear(s, FILE_NAME, __LINE__); } }
KEEP struct ssl *SSL_CTX_new_ex(void)
{
    struct ssl *made = malloc(sizeof *made);
    if (!made) { RAISE(); SSL_CTX_free(made); return 0; }
    return made;
}
KEEP struct ssl *SSL_new(void) { struct ssl *made = malloc(sizeof *made); if (!made) RAISE(); return made; }
#ifdef TWICE
KEEP int SSL_shutdown_copy(struct ssl *s) { if (!s->state) { raise_error(FILE_NAME, __LINE__, "SSL_shutdown"); return -1; } s->state = 0; return 7; }
#endif

#else
#define PUT(reason) put_error(16, 0, reason, FILE_NAME, __LINE__)

static KEEP int ssl_read_impl(struct ssl *s)
{
    if (!s->state) { PUT(226); return -1; }
    if (s->state == 2) { PUT(215); return -1; }
    return s->left > 0;
}
static inline __attribute__((always_inline)) int peek(struct ssl *s, void *buffer, int size)
{
    if (s->state == 9) { PUT(66); return -1; }
    int result = ssl_read_impl(s);
    if (result <= 0) return result;
    int todo = (size_t)size < s->left ? size : (int)s->left;
    memcpy(buffer, s->data, todo);
    return todo;
}
KEEP int SSL_peek(struct ssl *s, void *buffer, int size) { return peek(s, buffer, size); }
KEEP int SSL_read(struct ssl *s, void *buffer, int size)
{
    int result = peek(s, buffer, size);
    if (result > 0) { s->data += result; s->left -= result; }
    return result;
}
KEEP int SSL_write(struct ssl *s, const void *buffer, int size)
{
    if (s->state == 9) { PUT(66); return -1; }
    if (!s->state) { PUT(226); return -1; }
    if (s->state == 2) { PUT(215); return -1; }
    if (size < 0) { PUT(111); return -1; }
    memcpy(s->data, buffer, size);
    return size;
}
KEEP struct ssl *SSL_new(struct ssl *context) { if (!context) { PUT(185); return 0; } return malloc(sizeof *context); }
KEEP int SSL_shutdown(struct ssl *s) { if (!s->state) { PUT(226); return -1; } if (s->left) { PUT(291); return -1; } return 1; }
#endif

int main(int count, char **arguments)
{
    struct ssl *s = (struct ssl *)arguments;
    if (count < 5) return 0;
    sink = SSL_read(s, s, count) + SSL_write(s, s, count) + SSL_shutdown(s) + (version() != 0);
#ifndef BORING
    SSL_free(SSL_CTX_new_ex());
    sink += SSL_new() != 0;
#else
    sink += SSL_new(s) != 0 && SSL_peek(s, s, count);
#endif
    return sink;
}
