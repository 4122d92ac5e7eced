#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>

#include "contract.h"

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context random_;
static mbedtls_x509_crt trusted;
static mbedtls_ssl_config config;
static mbedtls_ssl_context ssl;
static mbedtls_net_context net;

void tls_load(const char *authority)
{
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random_);
    mbedtls_x509_crt_init(&trusted);
    mbedtls_ssl_config_init(&config);
    if (mbedtls_ctr_drbg_seed(&random_, mbedtls_entropy_func, &entropy, NULL, 0))
        fail("mbedtls_ctr_drbg_seed");
    if (mbedtls_x509_crt_parse_file(&trusted, authority))
        fail("mbedtls_x509_crt_parse_file");
    if (mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT))
        fail("mbedtls_ssl_config_defaults");
    mbedtls_ssl_conf_ca_chain(&config, &trusted, NULL);
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random_);
}

void tls_connect(void)
{
    mbedtls_ssl_init(&ssl);
    mbedtls_net_init(&net);
    if (mbedtls_net_connect(&net, HOST, "443", MBEDTLS_NET_PROTO_TCP))
        fail("mbedtls_net_connect");
    if (mbedtls_ssl_setup(&ssl, &config) || mbedtls_ssl_set_hostname(&ssl, HOST))
        fail("mbedtls_ssl_setup");
    mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, NULL);
    if (mbedtls_ssl_handshake(&ssl))
        fail("mbedtls_ssl_handshake");
}

int tls_write(const char *data, int size)
{
    return mbedtls_ssl_write(&ssl, (const unsigned char *)data, size);
}

int tls_read(char *data, int size)
{
    return mbedtls_ssl_read(&ssl, (unsigned char *)data, size);
}

void tls_free(void)
{
    mbedtls_ssl_free(&ssl);
    mbedtls_net_free(&net);
}
