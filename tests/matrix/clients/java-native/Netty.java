// Netty with netty-tcnative, by reactor-netty as Spring's WebClient uses it; HTTP/2 but with the argument http1.
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.SslProvider;
import reactor.core.publisher.Mono;
import reactor.netty.ByteBufFlux;
import reactor.netty.http.Http11SslContextSpec;
import reactor.netty.http.Http2SslContextSpec;
import reactor.netty.http.HttpProtocol;
import reactor.netty.http.client.HttpClient;

public class Netty {
    public static void main(String[] arguments) throws Exception {
        OpenSsl.ensureAvailability();
        var trust = Contract.trust();
        var http1 = Http11SslContextSpec.forClient().configure(builder -> builder.sslProvider(SslProvider.OPENSSL).trustManager(trust));
        var http2 = Http2SslContextSpec.forClient().configure(builder -> builder.sslProvider(SslProvider.OPENSSL).trustManager(trust));
        var client = (arguments.length > 0
            ? HttpClient.create().protocol(HttpProtocol.HTTP11).secure(spec -> spec.sslContext(http1))
            : HttpClient.create().protocol(HttpProtocol.H2).secure(spec -> spec.sslContext(http2)))
            .headers(headers -> headers.set(HttpHeaderNames.AUTHORIZATION, Contract.BEARER).set(HttpHeaderNames.CONTENT_TYPE, "application/json"));
        client.warmup().block();
        Contract.keep(body -> client.post()
            .uri(Contract.URL)
            .send(ByteBufFlux.fromString(Mono.just(body)))
            .responseSingle((answer, content) -> content.asByteArray().thenReturn(answer.status().code()))
            .block());
    }
}
