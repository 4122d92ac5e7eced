#include <openssl/ssl.h>

#include "dial.h"

static SSL_CTX *context;
static SSL *ssl;

void tls_load(const char *authority)
{
    context = SSL_CTX_new(TLS_client_method());
    if (!SSL_CTX_load_verify_locations(context, authority, NULL))
        fail("SSL_CTX_load_verify_locations");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
}

void tls_connect(void)
{
    ssl = SSL_new(context);
    SSL_set_fd(ssl, dial());
    SSL_set_tlsext_host_name(ssl, HOST);
    SSL_set1_host(ssl, HOST);
    if (SSL_connect(ssl) != 1)
        fail("SSL_connect");
}

int tls_write(const char *data, int size)
{
    return SSL_write(ssl, data, size);
}

int tls_read(char *data, int size)
{
    return SSL_read(ssl, data, size);
}

void tls_free(void)
{
    SSL_free(ssl);
}
