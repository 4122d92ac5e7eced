// OkHttp, as the Java SDKs of OpenAI and Anthropic use it, with Conscrypt; HTTP/2 where the server offers it, but not with the argument http1.
import java.security.Security;
import java.util.List;
import javax.net.ssl.SSLContext;
import javax.net.ssl.X509TrustManager;
import okhttp3.MediaType;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import okhttp3.Request;
import okhttp3.RequestBody;
import org.conscrypt.Conscrypt;

public class OkHttp {
    public static void main(String[] arguments) throws Exception {
        Security.insertProviderAt(Conscrypt.newProvider(), 1);
        var trust = (X509TrustManager) Contract.trust().getTrustManagers()[0];
        var context = SSLContext.getInstance("TLS", "Conscrypt");
        context.init(null, new X509TrustManager[] {trust}, null);
        var builder = new OkHttpClient.Builder().sslSocketFactory(context.getSocketFactory(), trust);
        if (arguments.length > 0) builder.protocols(List.of(Protocol.HTTP_1_1));
        var client = builder.build();
        Contract.keep(body -> {
            var request = new Request.Builder()
                .url(Contract.URL)
                .header("Authorization", Contract.BEARER)
                .post(RequestBody.create(body.getBytes(), MediaType.get("application/json")))
                .build();
            try (var answer = client.newCall(request).execute()) {
                answer.body().bytes();
                return answer.code();
            }
        });
    }
}
