#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <string.h>

#include "dial.h"

static WOLFSSL_CTX *context;
static WOLFSSL *ssl;

void tls_load(const char *authority)
{
    wolfSSL_Init();
    context = wolfSSL_CTX_new(wolfTLS_client_method());
    if (wolfSSL_CTX_load_verify_locations(context, authority, NULL) != WOLFSSL_SUCCESS)
        fail("wolfSSL_CTX_load_verify_locations");
}

void tls_connect(void)
{
    ssl = wolfSSL_new(context);
    wolfSSL_set_fd(ssl, dial());
    wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, HOST, strlen(HOST));
    wolfSSL_check_domain_name(ssl, HOST);
    if (wolfSSL_connect(ssl) != WOLFSSL_SUCCESS)
        fail("wolfSSL_connect");
}

int tls_write(const char *data, int size)
{
    return wolfSSL_write(ssl, data, size);
}

int tls_read(char *data, int size)
{
    return wolfSSL_read(ssl, data, size);
}

void tls_free(void)
{
    wolfSSL_free(ssl);
}
